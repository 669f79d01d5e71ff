"""
An event that is taken now and emitted later, when it is known to have happened: after a commit, an answer.

What it says is read when it is taken: the time, what is bound, who and what. An object that is deleted with the
transaction has no id any more when that is committed, and the block that bound the tenant is left by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from structlog.typing import EventDict, Processor

from activitylog import config, context
from activitylog.output import trace_of
from activitylog.processors import add_timestamp, merge_context, name_attributes, name_entities, name_error
from activitylog.typed import name_event

#: What reads an event's surroundings; the rest of the chain runs when it is emitted.
_TAKING: Final[tuple[Processor, ...]] = (add_timestamp, merge_context, name_entities, name_error, name_attributes)

Emit = Callable[[], bool]


def defer(event: Any, /, **values: Any) -> Emit:
    """
    Take an event as it is now.

    Args:
        event, values: as for :func:`activitylog.emit`.

    Returns:
        What emits it: call it once, from any thread. Rules are asked then. Like ``emit`` neither ever raises, and
        an event whose call is never made was never emitted, nor counted.
    """
    try:
        taken = _taken(name_event(event, values))
    except Exception as error:  # noqa: BLE001 - the application's objects may raise anything; counted
        config.fail(error, event)
        return _nothing
    return lambda: _emit(taken)


def defer_many(event: str, items: Iterable[Any], /, **common: Any) -> Callable[[], int]:
    """Take one event for each item, as :func:`activitylog.emit_many` does; what is returned emits them all."""
    token = context.resolve_once()
    taken: list[Emit] = []
    try:
        for item in items:
            own = dict(item) if isinstance(item, Mapping) else {"object": item}
            taken.append(
                defer(event, **{**common, **{key: value for key, value in own.items() if value is not None}})
            )
    except Exception as error:  # noqa: BLE001 - the application's iterable may raise anything; counted
        config.fail(error, event)
    finally:
        context.pop(token)
    return lambda: sum(emit() for emit in taken)


def _taken(event_dict: EventDict) -> EventDict:
    for processor in _TAKING:
        event_dict = processor(None, "info", event_dict)  # type: ignore[assignment]
    trace_id, span_id, flags = trace_of(event_dict)
    if trace_id:
        event_dict.update(trace_id=f"{trace_id:032x}", span_id=f"{span_id:016x}", trace_flags=int(flags))
    return event_dict


def _emit(taken: EventDict) -> bool:
    token = context.enter(None)
    try:
        values = dict(taken)
        return config.submit("info", values.pop("event"), values)
    finally:
        context.pop(token)


def _nothing() -> bool:
    return False
