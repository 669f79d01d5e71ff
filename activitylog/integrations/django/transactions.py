"""
Events of what is only true when the transaction is committed.

.. code-block:: python

    with transaction.atomic():
        order.pay()
        emit_on_commit("order.paid", object=order)      # not emitted when the block is rolled back

What an event says is read at once: the time, who is bound, the id of an object that will be gone by then. Whether
it is emitted the database decides: hooks of Django's ``transaction.on_commit`` run after the outermost block is
committed, in their order, and those of an inner block that is rolled back are forgotten. Savepoints that are made
by hand (``transaction.savepoint()``) are not seen by such hooks, nor by these events.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections
from django.utils.connection import ConnectionDoesNotExist

import activitylog
from activitylog import config
from activitylog.deferred import defer, defer_many


def emit_on_commit(event: Any, /, *, using: str | None = None, **values: Any) -> None:
    """
    Emit an event if the current transaction is committed; at once where none is open.

    No transaction is open in an event loop: Django has none there, so in an asynchronous view call this in the
    function that has the transaction. Where an application turned autocommit off and commits by hand, Django does
    not know of the commit, and the event is emitted at once, too.

    Args:
        using: alias of the database whose transaction is meant.
        event, values: as for :func:`activitylog.emit`.

    Like ``emit`` it never raises (an alias that does not exist is counted as an error), nor opens a connection. In
    a ``TestCase``, whose transaction is never committed, use ``captureOnCommitCallbacks(execute=True)``.
    """
    connection = _open_transaction(using, event)
    if connection is None:
        activitylog.emit(event, **values)
    elif connection is not _UNKNOWN:
        connection.on_commit(defer(event, **values))


def emit_many_on_commit(event: str, items: Iterable[Any], /, *, using: str | None = None, **common: Any) -> None:
    """As :func:`emit_on_commit`, one event for each item, as :func:`activitylog.emit_many` has it."""
    connection = _open_transaction(using, event)
    if connection is None:
        activitylog.emit_many(event, items, **common)
    elif connection is not _UNKNOWN:
        connection.on_commit(defer_many(event, items, **common))


def _open_transaction(using: str | None, event: Any) -> Any:
    """The connection, where a block is open that will be committed or not; None where there is none."""
    try:
        connection = connections[using or DEFAULT_DB_ALIAS]
    except ConnectionDoesNotExist as error:
        config.fail(error, event)
        return _UNKNOWN
    return connection if connection.in_atomic_block else None


_UNKNOWN: Final = object()
