"""
The fields of a class that is declared to be an event: name, type, whether it must be given, documentation.

Where documentation is looked for, first to last: pydantic's ``Field(description=)``; ``metadata`` of dataclasses
and attrs, under ``doc``, ``description`` or ``help``; ``dataclasses.field(doc=)`` (Python 3.14); ``Annotated`` (a
text, ``Doc``, msgspec's ``Meta(description=)``). A library is asked only of classes that it made.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from activitylog.catalogue.annotations import doc_of, may_be_absent, type_of
from activitylog.sanitize import field_names

_DOC_KEYS: Final = ("doc", "description", "help")
_NO_METADATA: Final[Mapping[Any, Any]] = {}


@dataclass(frozen=True, slots=True)
class ClassField:
    """
    A field.

    Attributes:
        type: one of :data:`activitylog.attribute_types.TYPES`.
        required: it has to be given, and cannot be None.
        doc: what the class says about it; may be empty.
    """

    name: str
    type: str
    required: bool
    doc: str = ""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a library says of a field."""

    name: str
    annotation: Any
    has_default: bool
    doc: str = ""


def class_fields(cls: type) -> list[ClassField]:
    """
    The fields of a dataclass, attrs, msgspec or pydantic class, in its order.

    An annotation that cannot be resolved (a name that is imported for type checkers only) has the type ``any``.
    """
    hints = _hints(cls)
    fields = []
    for found in _found(cls):
        annotation = hints.get(found.name, found.annotation)
        if isinstance(annotation, str):
            annotation = Any
        fields.append(
            ClassField(
                found.name,
                type_of(annotation),
                not found.has_default and not may_be_absent(annotation),
                found.doc or doc_of(annotation),
            )
        )
    return fields


def class_doc(cls: type) -> str:
    """The docstring of the class; not what ``dataclass`` writes where there is none."""
    import inspect

    text = cls.__doc__
    if not isinstance(text, str) or text.startswith(f"{cls.__name__}("):
        return ""
    return inspect.cleandoc(text)


def _found(cls: type) -> Iterator[_Found]:
    pydantic = getattr(cls, "__pydantic_fields__", None)
    if isinstance(pydantic, Mapping):
        return _of_pydantic(pydantic)
    if dataclasses.is_dataclass(cls):
        return _of_dataclass(cls)
    if isinstance(getattr(cls, "__attrs_attrs__", None), tuple):
        return _of_attrs(cls)
    if isinstance(getattr(cls, "__struct_fields__", None), tuple):
        return _of_msgspec(cls)
    return _of_other(cls)


def _of_pydantic(fields: Mapping[str, Any]) -> Iterator[_Found]:
    for name, field in fields.items():
        doc = field.description if isinstance(field.description, str) else ""
        yield _Found(name, field.annotation, not field.is_required(), doc.strip())


def _of_dataclass(cls: Any) -> Iterator[_Found]:
    missing = dataclasses.MISSING
    for field in dataclasses.fields(cls):
        given = field.default is missing and field.default_factory is missing and field.init
        doc = _doc_of_metadata(field.metadata) or _text(getattr(field, "doc", None))
        yield _Found(field.name, field.type, not given, doc)


def _of_attrs(cls: Any) -> Iterator[_Found]:
    nothing = getattr(sys.modules.get("attr"), "NOTHING", None)
    for field in cls.__attrs_attrs__:
        given = field.default is nothing and field.init
        yield _Found(
            field.name, Any if field.type is None else field.type, not given, _doc_of_metadata(field.metadata)
        )


def _of_msgspec(cls: Any) -> Iterator[_Found]:
    from msgspec.structs import fields

    for field in fields(cls):
        yield _Found(field.name, field.type, not field.required)


def _of_other(cls: type) -> Iterator[_Found]:
    for name in field_names(cls) or ():
        yield _Found(name, Any, has_default=False)


def _doc_of_metadata(metadata: Mapping[Any, Any]) -> str:
    texts = (_text((metadata or _NO_METADATA).get(key)) for key in _DOC_KEYS)
    return next(filter(None, texts), "")


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _hints(cls: type) -> dict[str, Any]:
    """
    The annotations of the class and its bases, each as far as it can be resolved.

    Not ``typing.get_type_hints``: it gives up at the first name that is imported for type checkers only, and takes
    a field for the type that it is called like (``object: object`` of a class with slots).
    """
    import inspect

    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        try:
            annotations = inspect.get_annotations(base)
        except Exception:  # noqa: BLE001 - from Python 3.14 on they are computed here, by the application's code
            annotations = {}
        module = vars(sys.modules.get(base.__module__, typing))
        for name, annotation in annotations.items():
            hints[name] = _resolved(annotation, module, vars(base))
    return hints


def _resolved(annotation: Any, module: Mapping[str, Any], inside: Mapping[str, Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    for names in (dict(module), {**module, **inside}):
        with contextlib.suppress(Exception):  # a name that type checkers alone know, or any other error
            return eval(annotation, names)  # noqa: S307 - as typing.get_type_hints does
    return Any
