"""``emitting(queryset, event).update(...)``: Django's operations on many rows, and the events about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import QuerySet
from django.db.models.manager import BaseManager

from activitylog import config
from activitylog.deferred import defer
from activitylog.integrations.django.bulk.affected import MAX_IDS, Rows
from activitylog.integrations.django.bulk.operations import (
    created_rows,
    deleted_rows,
    rewritten_rows,
    updated_rows,
)
from activitylog.integrations.django.bulk.telling import after_commit, tell


class emitting:  # noqa: N801 - reads as a verb: emitting(queryset, "user.activated").update(is_active=True)
    """
    What Django does to many rows in one statement, with the events about them.

    .. code-block:: python

        emitting(User.objects.filter(pk__in=ids), "user.activated").update(is_active=True)
        emitting(Message.objects, "message.imported", source="slack").bulk_create(messages)
        emitting(old_messages, "message.purged", as_one=True).delete()

    The operations take and return what Django's own do. Events are about the rows that were really changed: of
    an ``update`` those that matched, of ``bulk_create(ignore_conflicts=True)`` those that were not there. They are
    emitted in one pass, when the transaction is committed. PostgreSQL and SQLite tell the rows with no query more;
    :mod:`activitylog.integrations.django.bulk.operations` says what is done elsewhere.

    Args:
        rows: a queryset or a manager, related ones too.
        event: name of the events, or an instance of a typed event.
        as_one: one event about all rows (``activity.object.ids``, ``activity.count``) instead of one for each.
            Prefer it for thousands: each event takes some 30 µs. Ids that one event cannot hold (of some 5,000
            rows) go on in a further one; of more than 100,000 rows, or where ids are not known, their number is
            told alone.
        on_commit: emit only if the transaction is committed.
        values: further keywords of :func:`activitylog.emit`. The rows are the objects.
    """

    def __init__(
        self,
        rows: QuerySet[Any] | BaseManager[Any],
        event: Any,
        /,
        *,
        as_one: bool = False,
        on_commit: bool = True,
        **values: Any,
    ) -> None:
        if not isinstance(rows, (QuerySet, BaseManager)):
            raise TypeError(f"expected a queryset or a manager, got {type(rows).__name__}")
        self._rows = rows
        self._event = event
        self._max_events = 0 if as_one else MAX_IDS
        self._on_commit = on_commit
        self._values = {key: value for key, value in values.items() if key not in ("object", "objects")}

    def update(self, **fields: Any) -> int:
        """``QuerySet.update``; the events are about each row that matched, whatever it had before."""
        queryset = self._queryset()
        count, rows = updated_rows(queryset, partial(queryset.update, **fields))
        self._tell(rows, queryset)
        return count

    def bulk_create(
        self, objs: Iterable[Any], batch_size: int | None = None, ignore_conflicts: bool = False, **options: Any
    ) -> list[Any]:
        """
        ``QuerySet.bulk_create``.

        A database that returns no keys (MySQL) leaves the event without ids. With ``ignore_conflicts`` where the
        database does not tell, the number is that of the objects, and the event says ``conflicts_ignored``: some
        of them may have been there.
        """
        queryset = self._queryset()
        create = partial(queryset.bulk_create, list(objs), batch_size, ignore_conflicts, **options)
        created = created_rows(queryset, create, ignoring_conflicts=ignore_conflicts)
        self._tell(created.rows, queryset, **({} if created.is_certain else {"conflicts_ignored": True}))
        return created.returned

    def bulk_update(self, objs: Iterable[Any], fields: Sequence[str], batch_size: int | None = None) -> int:
        """``QuerySet.bulk_update``; the events are about the rows that were found."""
        queryset, objs = self._queryset(), list(objs)
        count, rows = rewritten_rows(queryset, objs, partial(queryset.bulk_update, objs, fields, batch_size))
        self._tell(rows, queryset)
        return count

    def delete(self) -> tuple[int, dict[str, int]]:
        """``QuerySet.delete``; the events are about rows of its own model, not about what goes with them."""
        queryset = self._queryset()
        deleted, rows = deleted_rows(queryset, queryset.delete)
        self._tell(rows, queryset)
        return deleted

    async def aupdate(self, **fields: Any) -> int:
        """:meth:`update` for ``async def``."""
        return await sync_to_async(self.update)(**fields)

    async def abulk_create(
        self, objs: Iterable[Any], batch_size: int | None = None, ignore_conflicts: bool = False, **options: Any
    ) -> list[Any]:
        """:meth:`bulk_create` for ``async def``."""
        return await sync_to_async(self.bulk_create)(objs, batch_size, ignore_conflicts, **options)

    async def abulk_update(self, objs: Iterable[Any], fields: Sequence[str], batch_size: int | None = None) -> int:
        """:meth:`bulk_update` for ``async def``."""
        return await sync_to_async(self.bulk_update)(objs, fields, batch_size)

    async def adelete(self) -> tuple[int, dict[str, int]]:
        """:meth:`delete` for ``async def``."""
        return await sync_to_async(self.delete)()

    def _queryset(self) -> Any:
        return self._rows.all()  # a copy, of a queryset too

    def _tell(self, rows: Rows, queryset: QuerySet[Any], **more: Any) -> None:
        if not rows.count:
            return
        try:
            emit = defer(self._event, **self._values, **more)
            told = partial(tell, emit, queryset.model._meta.label_lower, rows, max_events=self._max_events)
            if self._on_commit:
                after_commit(told, queryset.db, self._event)
            else:
                told()
        except Exception as error:  # noqa: BLE001 - the rows are changed, whatever is said of them; counted
            config.fail(error, self._event)
