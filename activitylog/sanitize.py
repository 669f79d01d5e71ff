"""
Make any value one that the pipeline can carry: never raises, never does I/O on purpose, bounded.

The closed set of types that leaves this module is what OpenTelemetry calls ``AnyValue``: ``str``, ``bool``,
``int`` within 64 bits, finite ``float``, ``bytes``, and lists and string-keyed dicts of these. What has one
obvious spelling is converted silently (UUID, datetime, Decimal, Enum, set, dataclass and the like). What
loses something is reported as a flag ``key:reason``:

=================  =====================================================================================
``truncated``      a text, bytes or list was cut to the limit, or a mapping lost keys
``depth``          nested deeper than the limit; the rest is the name of its type
``cycle``          contains itself; the inner one is the name of its type
``not_finite``     NaN or infinity: dropped
``integer_range``  an integer beyond 64 bits, written as text
``encoding``       lone surrogates, replaced by U+FFFD
``type``           an object without ``__str__`` of its own, written as the name of its type
``unreadable``     reading or printing it failed; written as the name of its type
``key``            a key that is not a usable text was repaired
``dropped``        over the limit of attributes or of bytes for one event
``redacted``       a secret was taken out of a text before it was cut
=================  =====================================================================================

An object is written by the ``__str__`` that its class defines. The inherited ``__repr__`` is never called: it
carries addresses, and for a database query it would run the query.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import itertools
import os
import pathlib
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, Final

from activitylog.event import DEFAULT_LIMITS, FIELDS, RECORD_KEYS, Limits

_INT64: Final = 1 << 63
_MAX_KEY_LENGTH: Final = 128
#: Characters after a cut that are looked at, too, for a secret that begins before it.
_MARGIN: Final = 1024
#: Attributes that hold many ids: bounded by the event, not by the value.
_LONG_VALUES: Final = frozenset({"activity.object.ids"})
_OWN_ATTRIBUTES: Final = frozenset(field.attribute for field in FIELDS) | RECORD_KEYS
#: Without these there is no record.
_NEVER_DROPPED: Final = frozenset({"event", "timestamp"})
#: Keys seen and found usable. A program has few; the bound is for those that make keys out of data.
_known_keys: set[str] = set()
_MAX_KNOWN_KEYS: Final = 4096

_PRINTED: Final = (
    decimal.Decimal,
    fractions.Fraction,
    uuid.UUID,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
)


def sanitize(
    values: dict[str, Any], limits: Limits = DEFAULT_LIMITS, clean: Callable[[str], str] | None = None
) -> list[str]:
    """
    Replace, in place, each value by one that can be exported; values None are removed.

    Args:
        values: of one event.
        limits: how much of it is kept.
        clean: takes secrets out of a text; applied to what is about to be cut, so that no half of one is left.

    Returns:
        The flags, as ``key:reason``, in the order they were found. Empty for ordinary events.
    """
    easy = limits.max_value_bytes // 4  # UTF-8 needs four bytes a character at the most
    size = 0
    hard = []
    for key, value in values.items():
        kind = type(value)
        if kind is str:
            # isascii() reads a bit of the header: no surrogates, and as many bytes as characters.
            if value.isascii() and len(value) <= easy:
                size += len(value)
                continue
        elif (
            kind is bool or (kind is int and -_INT64 <= value < _INT64) or (kind is float and value - value == 0.0)
        ):
            continue
        hard.append(key)
    fits = size <= limits.max_event_bytes and len(values) <= limits.max_attributes
    if not hard and fits and values.keys() <= _known_keys:
        return []
    return _Sanitizer(limits, size, clean).run(values, hard)


def own_fields(value: Any) -> dict[str, Any] | None:
    """
    The fields of a dataclass, attrs, msgspec or pydantic instance, by name; None for anything else.

    Recognised by what these libraries leave on the class, so none of them is imported.
    """
    names = field_names(type(value))
    return None if names is None else {name: getattr(value, name, None) for name in names}


def field_names(cls: type) -> tuple[str, ...] | None:
    """The names of the fields of such a class; None when it is none of them."""
    if dataclasses.is_dataclass(cls):
        return tuple(field.name for field in dataclasses.fields(cls))
    for marker in ("__attrs_attrs__", "__struct_fields__", "__pydantic_fields__", "__fields__"):
        fields = getattr(cls, marker, None)
        if isinstance(fields, tuple):
            return tuple(str(getattr(field, "name", field)) for field in fields)
        if isinstance(fields, Mapping):
            return tuple(fields)
    return None


class _Sanitizer:
    """One event's worth of work: what is left of its bytes, and what was flagged."""

    __slots__ = ("_clean", "_flags", "_key", "_left", "_limits", "_open", "_room")

    def __init__(self, limits: Limits, spent: int, clean: Callable[[str], str] | None) -> None:
        self._clean = clean
        self._limits = limits
        self._left = limits.max_event_bytes - spent
        self._flags: dict[str, None] = {}
        self._key = ""
        self._room = limits.max_value_bytes
        self._open: set[int] = set()

    def run(self, values: dict[str, Any], hard: list[str]) -> list[str]:
        """Repair the keys, then the values under ``hard``, then what is too much for one event."""
        renamed = self._check_keys(values)
        self._repair(values, [renamed.get(key, key) for key in hard])
        if len(values) > self._limits.max_attributes or self._left < 0:
            self._shed(values)
        return list(self._flags)

    def _check_keys(self, values: dict[str, Any]) -> dict[str, str]:
        """Give unusable keys usable names; returns the new names by the old."""
        renamed = {}
        for key in [key for key in values if key not in _known_keys]:
            if not _usable_key(key):
                self._flag_key(key, "key")
                renamed[key] = name = _unused(self._repaired_key(key), values)
                values[name] = values.pop(key)
            elif len(_known_keys) < _MAX_KNOWN_KEYS:
                _known_keys.add(key)
        return renamed

    def _repair(self, values: dict[str, Any], hard: list[str]) -> None:
        for key in hard:
            self._key = key
            self._room = self._left if key in _LONG_VALUES else self._limits.max_value_bytes
            value = self._convert(values[key], 0)
            if value is None:
                del values[key]
            else:
                values[key] = value

    def _shed(self, values: dict[str, Any]) -> None:
        """Drop what is over the event's limits: the application's last keys, then its largest values."""
        of_application = [key for key in values if key not in _OWN_ATTRIBUTES]
        for key in of_application[self._limits.max_attributes :]:
            self._drop(values, key)
        if self._left >= 0:
            return
        droppable = [key for key in values if key not in _NEVER_DROPPED]
        for key in sorted(droppable, key=lambda key: (key in _OWN_ATTRIBUTES, -_size(values[key]))):
            if self._left >= 0:
                break
            self._drop(values, key)

    def _drop(self, values: dict[str, Any], key: str) -> None:
        self._left += _size(values.pop(key))
        self._flag_key(key, "dropped")

    def _flag(self, reason: str) -> None:
        self._flag_key(self._key, reason)

    def _flag_key(self, key: Any, reason: str) -> None:
        self._flags[f"{self._repaired_key(key)}:{reason}"] = None

    def _repaired_key(self, key: Any) -> str:
        if self._clean is not None and type(key) is str and len(key) > _MAX_KEY_LENGTH:
            key = self._cut(key, _MAX_KEY_LENGTH, self._clean)
        return _repaired_key(key)

    def _convert(self, value: Any, depth: int) -> Any:
        try:
            return self._converted(value, depth)
        except Exception:  # noqa: BLE001 - the caller's objects may raise anything; the flag makes it visible
            self._flag("unreadable")
            return _type_name(value)

    def _converted(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if value is None or kind is bool:
            return value
        # The class and not isinstance(): a lazy proxy claims to be a str and is none.
        if issubclass(kind, enum.Enum):
            return self._convert(value.value, depth)
        if issubclass(kind, str):
            return self._text(str.__str__(value))
        if issubclass(kind, int):
            return self._integer(int.__index__(value))
        if issubclass(kind, float):
            return self._number(float.__float__(value))
        if issubclass(kind, (bytes, bytearray, memoryview)):
            return self._bytes(value)
        if issubclass(kind, (dt.date, dt.time)):
            return self._text(value.isoformat())
        if issubclass(kind, dt.timedelta):
            return value.total_seconds()
        if issubclass(kind, _PRINTED):
            return self._text(str(value))
        if issubclass(kind, pathlib.PurePath):
            return self._text(os.fspath(value))
        if issubclass(kind, BaseException):
            return self._text(f"{kind.__name__}: {value}" if str(value) else kind.__name__)
        return self._container(value, kind, depth)

    def _container(self, value: Any, kind: type, depth: int) -> Any:
        build = self._builder(value, kind)
        if build is None:
            return self._object(value, kind)
        if depth >= self._limits.max_depth:
            self._flag("depth")
            return _type_name(value)
        if id(value) in self._open:
            self._flag("cycle")
            return _type_name(value)
        self._open.add(id(value))
        try:
            return build(depth + 1)
        finally:
            self._open.discard(id(value))

    def _builder(self, value: Any, kind: type) -> Callable[[int], Any] | None:
        """How to rebuild a container; None for what is none."""
        if issubclass(kind, Mapping):
            return lambda depth: self._mapping(value.items(), depth)
        if issubclass(kind, Set):
            return lambda depth: self._list(
                sorted(itertools.islice(value, self._limits.max_value_bytes), key=str), depth
            )
        if issubclass(kind, (Sequence, deque)):
            return lambda depth: self._list(value, depth)
        fields = own_fields(value)
        if fields is not None:
            return lambda depth: self._mapping(fields.items(), depth)
        if hasattr(kind, "dtype") and hasattr(kind, "tolist"):  # numpy's arrays and scalars
            return lambda depth: self._convert(self._shortened(value).tolist(), depth)
        return None

    def _shortened(self, array: Any) -> Any:
        """An array small enough to be turned into a list of Python objects."""
        if array.size <= self._limits.max_value_bytes:
            return array
        self._flag("truncated")
        return array.ravel()[: self._limits.max_value_bytes]

    def _object(self, value: Any, kind: type) -> Any:
        if kind.__dict__.get("__str__", kind.__str__) is object.__str__:
            self._flag("type")
            return _type_name(value)
        return self._text(str.__str__(str(value)))

    def _mapping(self, items: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in itertools.islice(items, self._limits.max_attributes + 1):
            if len(result) == self._limits.max_attributes or self._room <= 0 or self._left < 0:
                self._flag("truncated")
                break
            text = key if type(key) is str else self._convert(key, depth)
            if not _usable_key(text):
                text = _unused(self._repaired_key(text), result)
                self._flag("key")
            self._spend(len(text))
            result[text] = self._convert(value, depth)
        return result

    def _list(self, items: Iterable[Any], depth: int) -> list[Any]:
        result: list[Any] = []
        for item in itertools.islice(items, self._limits.max_value_bytes * 8):
            if self._room <= 0 or self._left < 0:
                self._flag("truncated")
                break
            self._spend(1)
            result.append(self._convert(item, depth))
        return result

    def _text(self, value: str) -> str:
        room = max(self._room, 0)
        if len(value) > room:
            value = value[:room] if self._clean is None else self._cut(value, room, self._clean)
            self._flag("truncated")
        if value.isascii():
            self._spend(len(value))
            return value
        try:
            encoded = value.encode()
        except UnicodeEncodeError:
            self._flag("encoding")
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            encoded = value.encode()
        if len(encoded) > room:
            self._flag("truncated")
            if self._clean is not None:
                encoded = self._cut(value, room, self._clean).encode()
            encoded = encoded[:room]
            value = encoded.decode("utf-8", "ignore")
        self._spend(len(encoded))
        return value

    def _cut(self, text: str, room: int, clean: Callable[[str], str]) -> str:
        """At most so many characters, without any part of a secret that begins among them."""
        window = text[: room + _MARGIN]
        cleaned = clean(window)
        if cleaned != window:
            self._flag("redacted")
        # Where secrets went the text is shorter, and the end of the window, which is itself a cut, moves up.
        room = room if len(window) == len(text) else min(room, max(len(cleaned) - _MARGIN, 0))
        return cleaned[:room]

    def _bytes(self, value: bytes | bytearray | memoryview) -> bytes:
        room = max(self._room, 0)
        view = memoryview(value)
        result = bytes(view.cast("B")[: room + _MARGIN + 1]) if view.nbytes else b""
        if view.nbytes > room:
            self._flag("truncated")
            if self._clean is not None:
                result = self._cut(result.decode("latin-1"), room, self._clean).encode("latin-1", "replace")
            result = result[:room]
        self._spend(len(result))
        return result

    def _integer(self, value: int) -> int | str:
        self._spend(8)
        if -_INT64 <= value < _INT64:
            return value
        self._flag("integer_range")
        # Beyond 4,300 digits Python refuses to print decimal digits at all.
        return str(value) if value.bit_length() < 8192 else f"{value:#x}"[: self._room]

    def _number(self, value: float) -> float | None:
        self._spend(8)
        if value - value == 0.0:
            return value
        self._flag("not_finite")
        return None

    def _spend(self, size: int) -> None:
        self._room -= size
        self._left -= size


def _unused(key: str, values: Mapping[str, Any]) -> str:
    """The key, lengthened until no other value has it."""
    while key in values:
        key += "_"
    return key


def _usable_key(key: Any) -> bool:
    return type(key) is str and 0 < len(key) <= _MAX_KEY_LENGTH and key.isprintable()


def _repaired_key(key: Any) -> str:
    """A key that can be stored: text, printable, bounded, not empty."""
    if type(key) is str and _usable_key(key):
        return key
    text = str(key) if isinstance(key, (str, int, float)) else _type_name(key)
    text = text[:_MAX_KEY_LENGTH].encode("utf-8", "replace").decode()
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text) or "_"


def _type_name(value: Any) -> str:
    return f"<{type(value).__qualname__}>"[:_MAX_KEY_LENGTH]


def _size(value: Any) -> int:
    """Roughly the bytes of a value that was made by this module."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode())
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(len(key) + _size(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(1 + _size(item) for item in value)
    return 8
