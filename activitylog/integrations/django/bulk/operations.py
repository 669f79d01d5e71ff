"""
Django's operations on many rows, and which rows they changed.

Where a database does not tell (:mod:`activitylog.integrations.django.bulk.affected`: MySQL, Oracle, an old SQLite,
models that Django does not manage), the rows of an update are read and locked before it, ``SELECT ... FOR UPDATE``
in one transaction with it, and those of a deletion are read before it: one query more. Should another number of
rows be changed than were read, the number is told, and no ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any, NamedTuple

from django.db import connections, transaction

from activitylog.integrations.django.bulk.affected import MAX_IDS, Rows, tells_rows, told_rows


class Created(NamedTuple):
    """
    What a bulk_create did.

    Attributes:
        returned: what Django returned.
        rows: what was inserted.
        is_certain: False when some of the rows may have been there before.
    """

    returned: list[Any]
    rows: Rows
    is_certain: bool


def updated_rows(queryset: Any, update: Callable[[], int]) -> tuple[int, Rows]:
    """
    Run an update of a queryset.

    Args:
        queryset: what is updated; it is not evaluated.
        update: runs it.

    Returns:
        What ``update`` returned, and the rows that matched.
    """
    queryset._for_write = True
    using, model = queryset.db, queryset.model
    if tells_rows(using, model):
        with told_rows(using, model, "UPDATE") as told:
            count = update()
        rows = told()
        return count, Rows(count, None) if rows is None or (count and not rows.count) else rows
    if queryset.query.is_sliced or queryset.query.combinator:
        return update(), Rows(0, None)  # Django refuses it, and says why
    lock = connections[using].features.has_select_for_update and _is_lockable(queryset)
    with transaction.atomic(using=using, savepoint=False) if lock else nullcontext():
        ids = _ids_of(queryset.select_for_update() if lock else queryset)
        count = update()
    return count, Rows(count, ids if len(ids) == count <= MAX_IDS else None)


def created_rows(queryset: Any, create: Callable[[], list[Any]], *, ignoring_conflicts: bool) -> Created:
    """Run a bulk_create; the rows are those that were not there before, where that is known."""
    queryset._for_write = True
    using, model = queryset.db, queryset.model
    if not ignoring_conflicts:
        returned = create()
        return Created(returned, Rows.of(one.pk for one in returned), True)
    if not tells_rows(using, model):
        returned = create()
        return Created(returned, Rows(len(returned), None), False)
    with told_rows(using, model, "INSERT", parents=False) as told:
        returned = create()
    rows = told()
    return Created(returned, rows or Rows(len(returned), None), rows is not None)


def rewritten_rows(queryset: Any, objs: Iterable[Any], update: Callable[[], int]) -> tuple[int, Rows]:
    """Run a bulk_update of ``objs``; the rows are those that were found."""
    queryset._for_write = True
    using, model = queryset.db, queryset.model
    if tells_rows(using, model):
        with told_rows(using, model, "UPDATE") as told:
            count = update()
        return count, told() or Rows(count, None)
    count = update()
    asked = Rows.of(one.pk for one in objs)
    return count, asked if count == asked.count else Rows(count, None)


def deleted_rows(
    queryset: Any, delete: Callable[[], tuple[int, dict[str, int]]]
) -> tuple[tuple[int, dict[str, int]], Rows]:
    """Run a deletion; the rows are those of the queryset's own model, not what was deleted with them."""
    queryset._for_write = True
    using, model = queryset.db, queryset.model
    if tells_rows(using, model):
        with told_rows(using, model, "DELETE", parents=False) as told:
            deleted = delete()
        return deleted, told() or Rows(deleted[1].get(model._meta.label, 0), None)
    if queryset.query.is_sliced or queryset.query.combinator:
        return delete(), Rows(0, None)  # Django refuses it, and says why
    ids = _ids_of(queryset)
    deleted = delete()
    count = deleted[1].get(model._meta.label, 0)
    return deleted, Rows(count, ids if len(ids) == count <= MAX_IDS else None)


def _is_lockable(queryset: Any) -> bool:
    """Whether its rows are those of one table, each once; others cannot be locked everywhere."""
    query = queryset.query
    return not (query.distinct or query.annotations or query.extra or len(query.alias_map) > 1)


def _ids_of(queryset: Any) -> list[Any]:
    return list(queryset.order_by().values_list("pk", flat=True)[: MAX_IDS + 1])
