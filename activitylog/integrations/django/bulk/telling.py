"""
Events about many rows: one for each, or one about all of them.

Their surroundings (time, actor, request) are read once, when the rows are changed; they are emitted when that is
committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from django.db import transaction

from activitylog import config
from activitylog.deferred import Deferred
from activitylog.integrations.django.bulk.affected import Rows

#: Bytes of the ids of one event, below what an event may have by default; further ids are told in a further event.
MAX_IDS_BYTES: Final = 48 * 1024
MAX_IDS_OF_EVENT: Final = 8_192


def after_commit(callback: Callable[[], object], using: str, event: Any) -> None:
    """
    Call when the transaction is committed, never when it is rolled back, at once where there is none.

    A connection whose autocommit is off has no hooks for commits: at once there, too.

    Args:
        callback: what is called; an error of it is counted, as one of ``event``.
        using: alias of the database.
        event: its name, or an instance of a typed one.
    """
    connection = transaction.get_connection(using)
    if connection.in_atomic_block:
        connection.on_commit(lambda: counted(callback, event))
    else:
        counted(callback, event)


def counted(callback: Callable[[], object], event: Any) -> None:
    """Call; an error is counted, and raised under ``strict`` only."""
    try:
        callback()
    except Exception as error:  # noqa: BLE001 - what is told does not fail because of the telling; counted
        config.fail(error, event)


def tell(
    emit: Deferred,
    kind: str,
    rows: Rows,
    *,
    max_events: float,
    own: Mapping[Any, Mapping[str, Any]] | None = None,
) -> int:
    """
    Emit the events about rows.

    Args:
        emit: what :func:`activitylog.deferred.defer` returned for the event, without its object.
        kind: type of the rows, as in ``activity.object.type``.
        rows: what was changed, one at least.
        max_events: up to so many rows have an event each; more are told in one, or in as few as hold their ids.
        own: further keywords of a row's own event, by id.

    Returns:
        How many events were emitted.
    """
    if rows.ids is None:
        return int(emit(**{"activity.object.type": kind}, count=rows.count))
    if rows.count <= max_events or rows.count == 1:
        return emit.each(_one(kind, pk, own) for pk in rows.ids)
    return sum(
        emit(**{"activity.object.type": kind, "activity.object.ids": ids}, count=len(ids))
        for ids in _parts(rows.ids)
    )


def _one(kind: str, pk: Any, own: Mapping[Any, Mapping[str, Any]] | None) -> Any:
    """A row as an item of ``emit_many``."""
    said = own.get(pk) if own else None
    return {"object": (kind, pk), **said} if said else (kind, pk)


def _parts(ids: list[Any]) -> Iterator[list[str]]:
    """The ids as texts, in lists that one event can hold."""
    part: list[str] = []
    size = 0
    for pk in ids:
        text = str(pk)
        size += len(text.encode()) + 1
        if part and (size > MAX_IDS_BYTES or len(part) == MAX_IDS_OF_EVENT):
            yield part
            part, size = [], len(text.encode()) + 1
        part.append(text)
    if part:
        yield part
