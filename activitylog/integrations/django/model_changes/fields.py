"""
What is said of a field, and whether its value changed.

A value is told as a text, unless it is a secret (its field is named like one, as
:mod:`activitylog.redaction.keys` has it, or is of a class of encrypted fields), binary, or longer than
:data:`MAX_VALUE_LENGTH`; then the field is named alone.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import uuid
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Final

from django.core.files import File
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from activitylog.integrations.django.model_changes.frozen import differs
from activitylog.redaction.keys import names_secret, words_of

#: Characters of a value that is told.
MAX_VALUE_LENGTH: Final = 512
#: What one event tells of values: bytes together (an attribute may have 8,192), and fields.
MAX_VALUES_BYTES: Final = 6_000
MAX_VALUES: Final = 48
REDACTED: Final = "[redacted]"

#: The type that a field's values have when they come from the database; nobody can change them in place.
_TYPES: Final[tuple[tuple[type[models.Field[Any, Any]], type], ...]] = (
    (models.BooleanField, bool),
    (models.IntegerField, int),
    (models.CharField, str),
    (models.TextField, str),
    (models.DateTimeField, dt.datetime),
    (models.DateField, dt.date),
    (models.TimeField, dt.time),
    (models.DurationField, dt.timedelta),
    (models.DecimalField, decimal.Decimal),
    (models.FloatField, float),
    (models.UUIDField, uuid.UUID),
    (models.GenericIPAddressField, str),
    (models.FileField, str),
)


class Unknown(enum.Enum):
    """A value that is not known, or not to be told; None is one that is."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


class CapturedField:
    """
    One concrete field of a model.

    Args:
        field: of the model.
        tells_values: False to name it alone.

    Attributes:
        name: as in the model.
        attname: key of its value in the instance's ``__dict__``.
    """

    def __init__(self, field: models.Field[Any, Any], *, tells_values: bool = True) -> None:
        self.name: str = field.name
        self.attname: str = field.attname
        self.tells_values = tells_values and not is_secret(field)
        self._field = field

    def __repr__(self) -> str:
        return f"CapturedField({self.name!r})"

    # Asked for late: what a foreign key points to may be declared after it.
    @cached_property
    def _target(self) -> Any:
        return target_of(self._field)

    @cached_property
    def _type(self) -> type | None:
        return type_of(self._field)

    def current(self, value: Any) -> Any:
        """
        An instance's value as the database will give it back; UNKNOWN for an expression.

        ``"5"`` in an integer field is 5, a file is its name.
        """
        if value is None or type(value) is self._type:
            return value
        if hasattr(value, "resolve_expression"):
            return UNKNOWN
        if isinstance(value, File):
            return value.name
        try:
            return self._target.to_python(value)
        except Exception:  # noqa: BLE001 - the application's field may raise anything; the value is as it is
            return value

    def differs(self, frozen: Any, current: Any) -> bool:
        """Whether a value, as :meth:`current` has it, is another one than what was kept."""
        return frozen is not current and differs(frozen, current)

    def text(self, value: Any) -> str | Unknown | None:
        """What is told of a value: a text, None for None; UNKNOWN when it is not told."""
        if not self.tells_values or value is UNKNOWN:
            return UNKNOWN
        try:
            text = _text(value, self._target)
        except Exception:  # noqa: BLE001 - the application's values may raise anything; the field is named alone
            return UNKNOWN
        return UNKNOWN if isinstance(text, str) and len(text) > MAX_VALUE_LENGTH else text


def is_secret(field: models.Field[Any, Any]) -> bool:
    """Whether a field is named like a secret, or is of a class of encrypted fields."""
    return names_secret(words_of(field.name)) or "encrypted" in words_of(type(field).__name__)


def target_of(field: Any) -> Any:
    """The field that has the values: of a foreign key, what it points to in the end."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return field


def type_of(field: models.Field[Any, Any]) -> type | None:
    """The type of a field's values; None where it may be any, or one that can be changed in place."""
    target = target_of(field)
    if not type(target).__module__.startswith("django.db.models."):
        return None
    return next((plain for kind, plain in _TYPES if isinstance(target, kind)), None)


def by_either_name(fields: Iterable[CapturedField]) -> Mapping[str, CapturedField]:
    """The fields by their names, and by those of their columns: ``conversation``, ``conversation_id``."""
    return {name: field for field in fields for name in (field.name, field.attname)}


def told(texts: Iterable[tuple[str, tuple[str | Unknown | None, ...]]]) -> dict[str, Any]:
    """
    The values that one event tells: those that are known, as many as fit.

    Args:
        texts: a field's name, and one text or more of it.

    Returns:
        By name its text, or the list of its texts.
    """
    found: dict[str, Any] = {}
    left = MAX_VALUES_BYTES
    for name, values in texts:
        if UNKNOWN in values:
            continue
        left -= len(name) + sum(8 + len(str(value).encode("utf-8", "replace")) for value in values)
        if left < 0 or len(found) == MAX_VALUES:
            break
        found[name] = values[0] if len(values) == 1 else list(values)
    return found


def _text(value: Any, field: models.Field[Any, Any]) -> str | Unknown | None:
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None:
        return None
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return UNKNOWN
    if isinstance(value, (dict, list, tuple)):
        encoder = getattr(field, "encoder", None) or DjangoJSONEncoder
        return json.dumps(without_secrets(value), cls=encoder, ensure_ascii=False, sort_keys=True)
    return str(value)


def without_secrets(value: Any) -> Any:
    """A structure of JSON in which replaced is what stands below keys that name secrets."""
    if isinstance(value, dict):
        return {
            key: REDACTED if item and names_secret(words_of(str(key))) else without_secrets(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [without_secrets(item) for item in value]
    return value
