"""
What is bound, in the messages of task queues: one text, written by who asks for work and read by who does it.

Whoever may write to the broker may write such a text, too. What is read is therefore bounded, made clean, and
never says what the pipeline itself decides: neither names nor times of events, no outcome, no weight of a sample.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Collection, Mapping
from typing import Any, Final

from activitylog.carrying import PORTABLE_LIMITS, portable
from activitylog.event import ENTITY_KEYS, RECORD_KEYS
from activitylog.processors import FLAGS
from activitylog.sanitize import sanitize

#: Bytes of a text that is written or read. Brokers have room for eight times as much.
MAX_BYTES: Final = 16 * 1024
#: What an event says when the text in its task's message could not be read, or not all of it.
UNREADABLE: Final = "context:unreadable"
#: Attributes of the task itself, which the one that it asks for does not take over.
MESSAGE_ID: Final = "messaging.message.id"
CONVERSATION_ID: Final = "messaging.message.conversation_id"
TASK_NAME: Final = "code.function.name"

_NAMING: Final = frozenset({*ENTITY_KEYS, "on_behalf_of"})
_TEXTS: Final = frozenset({"tenant", "session", "request_id"})
#: What an event says, and no surroundings of it.
_OF_ONE_EVENT: Final = frozenset(
    {*RECORD_KEYS, "event_", "objects", "outcome", "error", "exc_info", "duration", "count", "durable", TASK_NAME}
)
_NOT_OURS_TO_SAY: Final = ("activity.", "log.", "error.", "exception.", "messaging.", "otel.")
_OURS_ALL_THE_SAME: Final = frozenset(
    {
        "activity.redacted",
        "activity.request.id",
        "activity.tenant.id",
        *(f"activity.{role}.{part}" for role in ENTITY_KEYS for part in ("type", "id")),
    }
)
#: What is left of more than fits.
_ESSENTIAL: Final = ("actor", "on_behalf_of", "tenant", "session", "request_id")

_log = logging.getLogger("activitylog")
_LOG_EVERY_SECONDS: Final = 60.0
_next_line_at = [0.0]


def written(omit: Collection[str] = ()) -> str | None:
    """
    What is bound here as a text of at most :data:`MAX_BYTES`; None when there is nothing to say.

    Args:
        omit: keys, and attributes of the request, that are not to be said.
    """
    values = _travelling(portable(), omit)
    if not values:
        return None
    text = _json(values)
    if len(text.encode()) > MAX_BYTES:
        text = _json({key: values[key] for key in _ESSENTIAL if key in values})
    return text


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def read(text: Any) -> dict[str, Any]:
    """
    What a text says, to be bound; never raises.

    Of a text that cannot be read, or only in part, the rest comes with a flag for the events, and a line in the
    log once a minute.
    """
    try:
        said, unreadable = _said(text)
    except Exception:  # noqa: BLE001 - somebody else's text, of any kind; flagged
        said, unreadable = {}, True
    if unreadable:
        said[FLAGS] = [UNREADABLE]
        _report()
    return said


def _said(text: Any) -> tuple[dict[str, Any], bool]:
    if isinstance(text, bytes):
        text = text[: MAX_BYTES + 1].decode()
    if len(text) > MAX_BYTES:
        return {}, True
    given = json.loads(text)
    values = {key: value for key, value in _travelling(given).items() if _has_form(key, value)}
    in_part = values != given
    return values, bool(sanitize(values, PORTABLE_LIMITS)) or in_part


def _travelling(values: Mapping[str, Any], omit: Collection[str] = ()) -> dict[str, Any]:
    found = {key: value for key, value in values.items() if _travels(key) and key not in omit}
    request = found.get("request")
    if isinstance(request, Mapping):
        found["request"] = {key: value for key, value in request.items() if _travels(key) and key not in omit}
    return found


def _travels(key: str) -> bool:
    if key.startswith(_NOT_OURS_TO_SAY):
        return key in _OURS_ALL_THE_SAME
    return key not in _OF_ONE_EVENT


def _has_form(key: str, value: Any) -> bool:
    """Whether a value is of the kind that :func:`portable` writes for the key."""
    if key in _NAMING:
        return isinstance(value, list) and len(value) in (2, 3) and all(isinstance(part, str) for part in value)
    if key in _TEXTS:
        return isinstance(value, (str, int))
    return isinstance(value, Mapping) if key == "request" else value is not None


def _report() -> None:
    now = time.monotonic()
    if now >= _next_line_at[0]:
        _next_line_at[0] = now + _LOG_EVERY_SECONDS
        _log.warning(
            "activitylog: a task's message has a header for activitylog that cannot be read; its events are "
            "flagged with %r in activity.sanitized (this line appears once a minute).",
            UNREADABLE,
        )
