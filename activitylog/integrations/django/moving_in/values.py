"""Values of old columns, read as what the words of an event take. Each raises ValueError where that cannot be."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final, cast
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.utils import timezone

from activitylog.event import ATTRIBUTE_OF_KEY, ENTITY_KEYS, RECORD_KEYS
from activitylog.integrations.django.sessions import session_id

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_LATEST_NS: Final = 2**63 - 1
#: Numbers up to these are seconds, milliseconds, microseconds; larger ones nanoseconds.
_UNITS: Final = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3), (_LATEST_NS, 1))
_CODE: Final = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_WORDS_OF_OUTCOMES: Final = {
    "success": "success succeeded successful ok okay done complete completed passed true yes",
    "failure": "failure failed fail error errored exception false no",
    "denied": "denied deny forbidden unauthorized unauthorised blocked rejected refused",
    "unknown": "unknown",
}
_OUTCOMES: Final = {word: outcome for outcome, words in _WORDS_OF_OUTCOMES.items() for word in words.split()}
#: Words of ``emit``, which no attribute can be called.
_RESERVED: Final = frozenset(
    {*ATTRIBUTE_OF_KEY, *ENTITY_KEYS, *RECORD_KEYS}
    | {"objects", "error", "exc_info", "stack_info", "durable", "request", "user.id", "log.record.uid"}
)
_RESERVED_PREFIXES: Final = ("activity.", "legacy.")


def nanoseconds(value: Any) -> int:
    """
    A time as nanoseconds since the epoch.

    Without a zone it is of the project's default zone, as Django has it; a date is its midnight.
    """
    if type(value) is dt.datetime or isinstance(value, dt.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=timezone.get_default_timezone())
        return _storable((value - _EPOCH) // _MICROSECOND * 1000, value)
    if isinstance(value, dt.date):
        midnight = dt.datetime.combine(value, dt.time(), timezone.get_default_timezone())
        return _storable((midnight - _EPOCH) // _MICROSECOND * 1000, value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        factor = next((factor for limit, factor in _UNITS if value < limit), None)
        return _storable(-1 if factor is None else int(value * factor), value)
    if isinstance(value, str):
        try:
            return nanoseconds(dt.datetime.fromisoformat(value.strip()))
        except ValueError:
            raise ValueError(f"{value[:40]!r} is no time") from None
    raise ValueError(f"a {type(value).__name__} is no time")


def _storable(result_ns: int, value: Any) -> int:
    # OpenTelemetry reads a time of 0 as "not set".
    if 0 < result_ns <= _LATEST_NS:
        return result_ns
    raise ValueError(f"the time {str(value)[:40]} cannot be stored: only 1970 to 2262 can")


def entity(value: Any, kind: str = "") -> Any:
    """What names somebody or something, in a form that ``emit`` takes; ids are of this type."""
    if isinstance(value, str):
        return value if not kind or _has_type(value) else (kind, value)
    if isinstance(value, (dict, tuple, list)) or hasattr(value, "pk") or hasattr(value, "id"):
        return value
    return (kind, str(value))


def _has_type(text: str) -> bool:
    kind, colon, _ = text.partition(":")
    return bool(colon) and kind.replace(".", "_").isidentifier()


def plain_id(value: Any) -> Any:
    """The id of an object of the application; any other value as it is."""
    return getattr(value, "pk", None) if hasattr(value, "_meta") else value


def outcome(value: Any, known: Mapping[str, str]) -> str:
    """A truth value or a text as an outcome."""
    if isinstance(value, bool):
        return "success" if value else "failure"
    text = str(getattr(value, "value", value)).strip()
    found = known.get(text) or _OUTCOMES.get(text.lower())
    if found is None:
        raise ValueError(f"{text[:40]!r} is no outcome")
    return found


def error(value: Any) -> tuple[str, Any]:
    """Key and value: an exception or a code is the error itself, a sentence is what the exception said."""
    if isinstance(value, BaseException) or (isinstance(value, str) and _CODE.fullmatch(value)):
        return "error", value
    return "exception.message", str(value)


def seconds(value: Any, scale: float = 1.0) -> float:
    """A duration in seconds; ``scale`` is what one of a number is."""
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    return float(value) * scale


def path(value: Any) -> str:
    """The path of a URL, or of what is one already."""
    return urlsplit(str(value)).path


def session(value: Any) -> str:
    """An id of a session that gives nobody access to it, by its key; the same that events of requests have."""
    request = SimpleNamespace(session=SimpleNamespace(session_key=str(value)))
    found = session_id(cast(HttpRequest, request))
    if found is None:
        raise ValueError("no session")
    return found


def mapping(value: Any) -> Mapping[Any, Any]:
    """A mapping, or the text of one in JSON."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            found = json.loads(value)
        except ValueError:
            raise ValueError("no JSON") from None
        if isinstance(found, dict):
            return found
    raise ValueError(f"a {type(value).__name__} has no keys")


def is_reserved(name: str) -> bool:
    """Whether an attribute of this name would be read as a word of ``emit``, or as the pipeline's own."""
    return name in _RESERVED or name.startswith(_RESERVED_PREFIXES)
