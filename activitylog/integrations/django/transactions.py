"""
Events of what is only true when the transaction is committed.

.. code-block:: python

    with transaction.atomic():
        order.pay()
        emit_on_commit("order.paid", object=order)      # not emitted when the block is rolled back
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from activitylog.deferred import defer, defer_many


def emit_on_commit(event: Any, /, *, using: str | None = None, **values: Any) -> None:
    """
    Emit an event if the current transaction is committed; at once where there is none.

    What it says is read now: the time, who is bound, the id of an object that will be gone by then. Inside a
    savepoint that is rolled back it is forgotten, as Django's ``transaction.on_commit`` has it.

    Args:
        using: alias of the database whose transaction is meant.
        event, values: as for :func:`activitylog.emit`.
    """
    transaction.on_commit(defer(event, **values), using=using, robust=True)


def emit_many_on_commit(event: str, items: Iterable[Any], /, *, using: str | None = None, **common: Any) -> None:
    """As :func:`emit_on_commit`, one event for each item, as :func:`activitylog.emit_many` has it."""
    transaction.on_commit(defer_many(event, items, **common), using=using, robust=True)
