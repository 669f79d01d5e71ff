"""Events of what is written with a transaction: emitted when that is committed, and never raising."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from activitylog import config, context
from activitylog.deferred import Deferred, defer
from activitylog.deferred import emit_all as emit_deferred


def emit(event: dict[str, Any], *, using: str | None) -> None:
    """
    Emit one event.

    Args:
        event: keywords of ``emit``, the name under ``event``.
        using: alias of the database whose transaction it belongs to; None for none.
    """
    transaction = _transaction(using)
    if transaction is None:
        _submit(event)
    else:
        transaction.on_commit(_deferred(event), robust=True)


def emit_all(events: list[dict[str, Any]], *, using: str | None) -> None:
    """Emit several; what is bound is read once."""
    transaction = _transaction(using)
    token = context.resolve_once()
    try:
        deferred = [_deferred(event) for event in events]
    finally:
        context.pop(token)
    if transaction is None:
        emit_deferred(deferred)
    else:
        transaction.on_commit(partial(emit_deferred, deferred), robust=True)


def _submit(event: dict[str, Any]) -> None:
    config.submit("info", event.pop("event"), event)


def _deferred(event: dict[str, Any]) -> Deferred:
    return defer(event.pop("event"), **event)


def _transaction(using: str | None) -> BaseDatabaseWrapper | None:
    """The connection whose transaction it belongs to; None where there is none, or nobody can tell."""
    # Django's own on_commit would connect to find out, and raises under manual transactions.
    with suppress(Exception):
        if using is not None and (connection := connections[using]).in_atomic_block:
            return connection
    return None


_written: ContextVar[list[object] | None] = ContextVar("activitylog_legacy_rows", default=None)


@contextmanager
def noting_rows() -> Iterator[list[object]]:
    """What old models write inside, each of which has its event."""
    noted: list[object] = []
    token = _written.set(noted)
    try:
        yield noted
    finally:
        _written.reset(token)


def note_row(row: object) -> None:
    """A row of an old model was written, and its event emitted."""
    noted = _written.get()
    if noted is not None:
        noted.append(row)
