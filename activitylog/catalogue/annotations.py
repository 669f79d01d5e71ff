"""
What a type annotation says of an attribute: its type in a catalogue, whether it may be absent, its documentation.

The type is that of what :mod:`activitylog.sanitize` makes of such a value: a ``UUID`` is a text, a ``timedelta`` a
number of seconds, an ``Enum`` what its values are.
"""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import pathlib
import types
import typing
import uuid
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, Final

from activitylog.attribute_types import kind_of_value, narrowest
from activitylog.sanitize import field_names

#: The first that is a base of a class says what it becomes.
_TYPE_OF_CLASS: Final[tuple[tuple[type, str], ...]] = (
    (str, "text"),
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (dt.timedelta, "number"),
    (decimal.Decimal, "number"),
    (dt.date, "time"),
    (bytes, "bytes"),
    (bytearray, "bytes"),
    (memoryview, "bytes"),
    (dt.time, "text"),
    (fractions.Fraction, "text"),
    (uuid.UUID, "text"),
    (pathlib.PurePath, "text"),
    (ipaddress.IPv4Address, "text"),
    (ipaddress.IPv6Address, "text"),
    (ipaddress.IPv4Network, "text"),
    (ipaddress.IPv6Network, "text"),
    (BaseException, "text"),
    (Mapping, "map"),
    (Set, "list"),
    (Sequence, "list"),
    (collections.deque, "list"),
)
_MOST_DEPTH: Final = 32
#: What some libraries put into a union for "not given".
_ABSENT: Final = frozenset({"NoneType", "UnsetType", "Unset"})


def type_of(annotation: Any, depth: int = 0) -> str:
    """The type of values that are annotated so; ``any`` where nobody can say."""
    if depth > _MOST_DEPTH:
        return "any"
    members = [member for member in _members(annotation) if not _is_absent(member)]
    if len(members) != 1:
        return _common([type_of(member, depth + 1) for member in members])
    member = members[0]
    if typing.get_origin(member) is typing.Literal:
        return _common([_type_of_value(value) for value in typing.get_args(member)])
    inner = _inner(member)
    return type_of(inner, depth + 1) if inner is not member else _type_of_class(member)


def may_be_absent(annotation: Any) -> bool:
    """Whether a value may be None, and so not be in the event."""
    members = list(_members(annotation))
    return any(
        member in (Any, object) or _is_absent(member) or (None in typing.get_args(member) and _is_literal(member))
        for member in members
    )


def doc_of(annotation: Any) -> str:
    """
    What ``Annotated`` says beside the type: a text, a ``Doc``, or what has a ``description`` (msgspec's ``Meta``,
    pydantic's ``Field``); empty where it says nothing.
    """
    for extra in getattr(annotation, "__metadata__", ()):
        found = (extra, getattr(extra, "documentation", None), getattr(extra, "description", None))
        for text in found:
            if isinstance(text, str) and text.strip():
                return text.strip()
    for member in typing.get_args(annotation) if not hasattr(annotation, "__metadata__") else ():
        if hasattr(member, "__metadata__") and (text := doc_of(member)):  # Optional[Annotated[int, "..."]]
            return text
    return ""


def _members(annotation: Any) -> Iterator[Any]:
    """The types of a union, of those inside it, too; the annotation itself when it is none."""
    inner = _inner(annotation)
    if typing.get_origin(inner) in (typing.Union, types.UnionType):
        for member in typing.get_args(inner):
            yield from _members(member)
    else:
        yield inner


def _inner(annotation: Any) -> Any:
    """What ``Annotated``, ``Final``, ``NewType``, a type alias or a type variable stands for; else itself."""
    for _ in range(_MOST_DEPTH):
        if hasattr(annotation, "__metadata__"):
            annotation = annotation.__origin__
        elif typing.get_origin(annotation) is typing.Final and typing.get_args(annotation):
            (annotation,) = typing.get_args(annotation)
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif isinstance(annotation, typing.TypeVar):
            annotation = annotation.__bound__ or Any
        else:
            break
    return annotation


def _is_absent(member: Any) -> bool:
    return member is None or (isinstance(member, type) and member.__name__ in _ABSENT)


def _is_literal(member: Any) -> bool:
    return typing.get_origin(member) is typing.Literal


def _common(found: Sequence[str]) -> str:
    """One type for values that may be of several."""
    distinct = set(found) - {""}
    if len(distinct) == 1:
        return distinct.pop()
    return "number" if distinct == {"integer", "number"} else "any"


def _type_of_value(value: Any) -> str:
    """The type of a literal or of a member of an enumeration; empty of None."""
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None:
        return ""
    # A text that looks like a time is a text: nobody said that all of them do.
    return "text" if isinstance(value, str) else narrowest([kind_of_value(value)])


def _type_of_class(member: Any) -> str:
    cls = typing.get_origin(member) or member
    if not isinstance(cls, type):
        return "any"
    if issubclass(cls, enum.Enum):
        return _common([_type_of_value(value) for value in cls])
    for base, name in _TYPE_OF_CLASS:
        if _derives(cls, base):
            return name
    return "map" if field_names(cls) is not None else "any"


def _derives(cls: type, base: type) -> bool:
    try:
        return issubclass(cls, base)
    except TypeError:  # a protocol, or a metaclass of its own mind
        return False
