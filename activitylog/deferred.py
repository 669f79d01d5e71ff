"""
An event that is taken now and emitted later, when it is known to have happened: after a commit, an answer.

What it says is read when it is taken: the time, what is bound, who and what, its attributes. An object that is
deleted with the transaction has no id any more when that is committed, and the block that bound the tenant is left
by then.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

from structlog.typing import EventDict, Processor

from activitylog import config, context
from activitylog.entities import reference
from activitylog.event import Limits
from activitylog.output import trace_of
from activitylog.processors import (
    FLAGS,
    add_timestamp,
    flag,
    merge_context,
    name_attributes,
    name_entities,
    name_error,
)
from activitylog.sanitize import sanitize
from activitylog.typed import name_event

#: What reads an event's surroundings; the rest of the chain runs when it is emitted.
_TAKING: Final[tuple[Processor, ...]] = (add_timestamp, merge_context, name_entities, name_error, name_attributes)
#: Values are copied when the event is taken, and cut to the pipeline's limits when it is emitted.
_COPIED: Final = Limits(max_depth=64, max_attributes=4096, max_value_bytes=1 << 20, max_event_bytes=1 << 22)


class Deferred:
    """
    An event that was taken; called, it is emitted. Once, from any thread.

    Rules are asked then. Like ``emit`` it never raises, and an event whose call is never made was never emitted,
    nor counted.

    Args:
        taken: what was read of it; None for one that could not be read, and is counted.
    """

    __slots__ = ("_taken",)

    def __init__(self, taken: EventDict | None) -> None:
        self._taken = taken

    def __call__(self, **known_later: Any) -> bool:
        """Emit it, with what is known only now, such as ``object``; whether it was handed on."""
        return self._taken is not None and _emit({**self._taken, **known_later})

    def each(self, items: Iterable[Any]) -> int:
        """
        Emit it for each item, as :func:`activitylog.emit_many` does; how many were handed on.

        Items say what the event itself did not: what it did say was read when it was taken.
        """
        return 0 if self._taken is None else _emit_run(self._taken, items)


def defer(event: Any, /, **values: Any) -> Deferred:
    """
    Take an event as it is now.

    Args:
        event, values: as for :func:`activitylog.emit`.
    """
    try:
        return Deferred(_taken(name_event(event, values)))
    except Exception as error:  # noqa: BLE001 - the application's objects may raise anything; counted
        config.fail(error, event)
        return Deferred(None)


def defer_many(event: str, items: Iterable[Any], /, **common: Any) -> Callable[[], int]:
    """Take one event for each item, as :func:`activitylog.emit_many` does; what is returned emits them all."""
    token = context.resolve_once()
    taken: list[Any] = []
    shared: EventDict = {}
    try:
        shared = _taken(name_event(event, dict(common)))
        apart = not _OBJECTS.isdisjoint(common)
        for item in items:
            if apart or isinstance(item, Mapping):
                own = dict(item) if isinstance(item, Mapping) else {"object": item}
                said = {key: value for key, value in own.items() if value is not None}
                taken.append(Deferred(_taken(name_event(event, {**common, **said}))))
            else:
                taken.append(_read(item))
    except Exception as error:  # noqa: BLE001 - the application's iterable may raise anything; counted
        config.fail(error, event)
    finally:
        context.pop(token)
    return lambda: _emit_many(taken, shared)


#: Keywords that say what all events are about, unless an item says otherwise.
_OBJECTS: Final = frozenset({"object", "objects"})


def _read(item: Any) -> Any:
    """Who or what an item is, as long as it is there; what cannot be read is told when it is emitted."""
    try:
        return reference(item)
    except Exception:  # noqa: BLE001 - the caller's objects may raise anything
        return item


def _emit_many(taken: Iterable[Any], shared: EventDict) -> int:
    handed_on = 0
    for whole, run in itertools.groupby(taken, lambda item: type(item) is Deferred):
        if whole:
            handed_on += emit_all(run)
        else:
            handed_on += _emit_run(shared, run)
    return handed_on


def emit_all(deferred: Iterable[Deferred]) -> int:
    """Emit events that were taken, in their order; a spool writes them down together. How many were handed on."""
    handed_on = 0
    taken = (one._taken for one in deferred if one._taken is not None)
    for name, run in itertools.groupby(taken, lambda event_dict: event_dict["event"]):
        own = ({key: value for key, value in event_dict.items() if key != "event"} for event_dict in run)
        handed_on += _emit_run({"event": name}, own)
    return handed_on


def _emit_run(taken: EventDict, items: Iterable[Any]) -> int:
    token = context.enter(None)
    try:
        common = dict(taken)
        return config.submit_many(common.pop("event"), items, common)
    finally:
        context.pop(token)


def _taken(event_dict: EventDict) -> EventDict:
    for processor in _TAKING:
        event_dict = processor(None, "info", event_dict)  # type: ignore[assignment]
    trace_id, span_id, flags = trace_of(event_dict)
    name, noted = event_dict.pop("event"), event_dict.pop(FLAGS, [])
    flags_of_copy = sanitize(cast(dict[str, Any], event_dict), _COPIED)
    event_dict.update(event=name, trace_id=f"{trace_id:032x}", span_id=f"{span_id:016x}", trace_flags=int(flags))
    if noted or flags_of_copy:
        flag(event_dict, *noted, *flags_of_copy)
    return event_dict


def _emit(taken: EventDict) -> bool:
    token = context.enter(None)
    try:
        values = dict(taken)
        return config.submit("info", values.pop("event"), values)
    finally:
        context.pop(token)
