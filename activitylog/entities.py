"""
Who and what: the forms in which a program names an actor, an object or a target.

All of them mean the same two texts, a type and an id (and sometimes a name):

==============================  =======================================================
``"user:42"``                   type ``user``, id ``42``; split at the first colon
``"42"``                        id only (an actor given like this is a ``user``)
``("user", 42)``                type and id; a third item is the name
``{"type": …, "id": …}``        the same as a mapping, ``name`` optional
any object with ``pk`` or       type from Django's ``_meta.label_lower``, else the class
``id``                          name; ``pk=0`` is an id, ``pk=None`` is not
==============================  =======================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]*")
_MAX_TYPE_LENGTH = 128
_MISSING = object()


class Entity(NamedTuple):
    """A person or a thing: texts, empty where unknown."""

    type: str
    id: str
    name: str = ""


def reference(value: Any) -> Entity:
    """
    Read any of the forms above.

    Raises:
        TypeError: the value is none of them.
        Exception: whatever a property ``pk`` or ``id`` of the caller's object raises.
    """
    kind = type(value)
    if kind is str:
        return _from_text(value)
    if kind is int:
        return Entity("", str(value))
    if kind is Entity:
        return Entity(*value)
    if kind is tuple or kind is list:
        return _from_sequence(value)
    if isinstance(value, Mapping):
        return Entity(_text(value.get("type")), _text(value.get("id")), _text(value.get("name")))
    return _from_object(value)


def _from_text(value: str) -> Entity:
    kind, _, identifier = value.partition(":")
    # isidentifier() spares the common types the slower pattern.
    if not identifier or len(kind) > _MAX_TYPE_LENGTH or identifier.startswith("//"):
        return Entity("", value)
    if kind.isidentifier() or _TYPE.fullmatch(kind):
        return Entity(kind, identifier)
    return Entity("", value)


def _from_sequence(value: tuple[Any, ...] | list[Any]) -> Entity:
    if len(value) not in (2, 3):
        raise TypeError(f"expected (type, id) or (type, id, name), got {len(value)} items")
    return Entity(*map(_text, value))


def _from_object(value: Any) -> Entity:
    identifier = getattr(value, "pk", _MISSING)
    if identifier is _MISSING:
        identifier = getattr(value, "id", _MISSING)
    if identifier is _MISSING:
        if _is_plain(value):
            return _from_text(str(value))
        raise TypeError(f"a {type(value).__name__} has neither pk nor id")
    return Entity(_type_of(value), _text(identifier))


def _is_plain(value: Any) -> bool:
    """True for texts, numbers and ids (subclasses of str and int, UUID): they are their own id."""
    return isinstance(value, (str, int)) or type(value).__name__ == "UUID"


def _type_of(value: Any) -> str:
    label = getattr(getattr(value, "_meta", None), "label_lower", None)
    # __class__ and not type(): a lazy proxy of the web framework answers for the object behind it.
    return label if isinstance(label, str) else value.__class__.__name__


def is_user(value: Any) -> bool:
    """True for what Django, Flask-Login and Starlette call a user: it has ``is_authenticated``."""
    return hasattr(value, "is_authenticated")


def is_user_entity(entity: Entity, given: Any) -> bool:
    """
    Whether an actor, ``given`` in one of the forms above and read as ``entity``, is a user.

    Raises:
        Exception: whatever the caller's object raises when it is asked for ``is_authenticated``.
    """
    if not entity.id:
        return False
    return (
        entity.type in ("", "user") or entity.type.lower() == "user" or (type(given) is not str and is_user(given))
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)
