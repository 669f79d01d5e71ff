"""
The processor chain: what happens to an event dict between the rules and the record, in this order.

For many events at once the part that all share goes through it once (:class:`SharedChain`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from structlog.typing import EventDict, Processor

from activitylog.event import Limits
from activitylog.processors import (
    FLAGS,
    Redact,
    Sanitize,
    add_timestamp,
    merge_context,
    name_attributes,
    name_entities,
    name_error,
    now,
    object_attributes,
)
from activitylog.redaction import REDACTED, RedactionSettings, Redactor
from activitylog.sanitize import sanitize
from activitylog.typed import name_event


def processor_chain(
    limits: Limits, own: Iterable[Processor] = (), redactor: Redactor | None = None
) -> list[Processor]:
    """The chain up to the event dict of attributes, with the application's own processors first."""
    redactor = redactor or Redactor(RedactionSettings())
    return [
        *own,
        add_timestamp,
        merge_context,
        name_entities,
        name_error,
        name_attributes,
        Sanitize(limits, redactor.redact_text),
        Redact(redactor),
    ]


class SharedChain:
    """
    The chain for events that differ in their object only: what they share has been through it.

    Args:
        limits: how much of an event is kept.
        redactor: takes secrets out.
        shared: what the chain made of everything but the object.

    Called with an event dict that has the object, it looks at nothing else of it; the time is that of the call,
    unless what is shared says one.
    """

    def __init__(self, limits: Limits, redactor: Redactor, shared: EventDict, *, timed: bool) -> None:
        self._shared = shared
        self._timestamp = shared["timestamp"] if timed else None
        self._limits = limits
        self._redactor = redactor

    def __call__(self, _logger: Any, _method_name: str, event_dict: EventDict) -> EventDict:
        """The event dict of attributes of one event."""
        own = object_attributes(event_dict.get("object"))
        flags = [*own.pop(FLAGS, ()), *sanitize(own, self._limits, self._redactor.redact_text)]
        if flags:
            own[FLAGS] = flags
        own = self._redactor.redact(own)
        shared = self._shared
        for noted in _NOTES:
            if noted in own and noted in shared:
                own[noted] = [*shared[noted], *own[noted]]
        own["timestamp"] = now() if self._timestamp is None else self._timestamp
        return {**shared, **own}


#: What both parts may have noted.
_NOTES: Final = (FLAGS, REDACTED)
#: What only the object of an event says.
_OWN_KEYS: Final = frozenset(
    {
        "object",
        "objects",
        "count",
        "exc_info",
        "activity.count",
        *(f"activity.object.{part}" for part in ("id", "ids", "name", "type")),
    }
)
_OWN_ATTRIBUTES: Final = 8


def shared_chain(
    limits: Limits, redactor: Redactor, chain: Sequence[Processor], event: str, common: Mapping[str, Any]
) -> SharedChain | None:
    """
    The chain for many events of this name that have ``common`` in common.

    None where each has to go the whole way: what they share says something of the object, or leaves little room.
    """
    if not _OWN_KEYS.isdisjoint(common) or type(event) is not str:
        return None
    shared: EventDict = {key: value for key, value in common.items() if value is not None and key != "durable"}
    timed = "timestamp" in shared
    shared = name_event(event, cast(dict[str, Any], shared))
    for processor in chain:
        shared = cast(EventDict, processor(None, "info", shared))
    fits = (
        len(shared) + _OWN_ATTRIBUTES <= limits.max_attributes and len(repr(shared)) * 8 <= limits.max_event_bytes
    )
    if not fits or not _OWN_KEYS.isdisjoint(shared):
        return None
    return SharedChain(limits, redactor, shared, timed=timed)
