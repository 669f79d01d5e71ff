"""Rows of an old table by primary key, a chunk at a time, so that neither side holds more than one chunk."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.db import models
from django.utils import timezone

from activitylog.exceptions import ConfigurationError
from activitylog.integrations.django.moving_in.content_types import types_in
from activitylog.integrations.django.moving_in.mapping import LegacyMapping
from activitylog.integrations.django.moving_in.names import noun_of
from activitylog.integrations.django.moving_in.plan import Plan
from activitylog.integrations.django.moving_in.rows import columns_of
from activitylog.integrations.django.moving_in.values import nanoseconds

#: A row: its primary key, and the values that its plan reads.
Row = tuple[Any, tuple[Any, ...]]
NS_OF_DAY: Final = 86_400 * 10**9


@dataclass
class Source:
    """
    One old table.

    Attributes:
        model: its class.
        mapping: of its columns.
        name: what it is called in events.
        using: alias of the database.
        since: rows from this time on; aware.
        until: and before this one.

    Raises:
        ConfigurationError: no column has the time.
    """

    model: type[models.Model]
    mapping: LegacyMapping
    name: str
    using: str = "default"
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    plan: Plan = field(init=False)

    def __post_init__(self) -> None:
        self.plan = Plan(
            columns_of(self.model),
            self.mapping,
            noun=noun_of(self.model.__name__),
            type_of=types_in(self.using),
        )
        column = self.plan.timestamp_column
        if column is None:
            raise ConfigurationError(
                f"No column of {self.model._meta.label} has the time of its rows.",
                hint='Name it: LegacyMapping(timestamp="...").',
            )
        self._time = column.name

    def _rows(self) -> models.QuerySet[Any]:
        rows = self.model._base_manager.using(self.using).order_by("pk")
        for lookup, moment in (("gte", self.since), ("lt", self.until)):
            if moment is not None:
                rows = rows.filter(**{f"{self._time}__{lookup}": self._as_stored(moment)})
        return rows

    def _as_stored(self, moment: dt.datetime) -> Any:
        field = self.model._meta.get_field(self._time)
        if isinstance(field, models.DateTimeField):
            return moment if settings.USE_TZ else timezone.make_naive(moment, timezone.get_default_timezone())
        if isinstance(field, models.DateField):
            return moment.date()
        raise ConfigurationError(
            f"{self.model._meta.label}.{self._time} is no column of times, by which rows could be chosen.",
            hint="Leave out --since and --until.",
        )

    def count(self) -> int:
        """How many rows there are."""
        return self._rows().count()

    def chunks(self, size: int, after: Any = None, columns: tuple[str, ...] | None = None) -> Iterator[list[Row]]:
        """
        All rows, in the order of their keys.

        Args:
            size: rows in a chunk.
            after: a key: only rows behind it.
            columns: whose values are read; by default those of the plan.
        """
        names = self.plan.reads if columns is None else columns
        while True:
            rows = self._rows() if after is None else self._rows().filter(pk__gt=after)
            chunk = [(key, values) for key, *values in rows.values_list("pk", *names)[:size]]
            if not chunk:
                return
            yield chunk
            after = chunk[-1][0]

    def between(self, after: Any, last: Any) -> list[Row]:
        """Rows behind one key, up to and with another one."""
        rows = self._rows() if after is None else self._rows().filter(pk__gt=after)
        return [(key, values) for key, *values in rows.filter(pk__lte=last).values_list("pk", *self.plan.reads)]

    def actions(self) -> list[tuple[str, int]]:
        """The texts of actions and how many rows have each."""
        column = self.plan.event_column
        if column is None:
            return [("", self.count())]
        found: Counter[str] = Counter()
        counted = self._rows().order_by().values_list(column.name).annotate(rows=models.Count("pk"))
        for value, rows in counted:
            found[self.plan.action(value)] += rows
        return found.most_common()

    def day_and_action(self, values: Sequence[Any]) -> tuple[int, str] | None:
        """Of a row as the plan reads it; None where its time is none."""
        places = self.plan.reads
        try:
            day = nanoseconds(values[places.index(self._time)]) // NS_OF_DAY
        except ValueError:
            return None
        column = self.plan.event_column
        return day, "" if column is None else self.plan.action(values[places.index(column.name)])

    def days(
        self, size: int, only: Container[tuple[int, str]] | None = None
    ) -> Iterator[list[tuple[Any, int, str]]]:
        """
        Key, day and action of every row whose time can be stored, a chunk at a time.

        Args:
            only: of these days and actions.
        """
        column = self.plan.event_column
        names = (self._time,) if column is None else (self._time, column.name)
        for chunk in self.chunks(size, columns=names):
            found = []
            for key, values in chunk:
                try:
                    day = nanoseconds(values[0]) // NS_OF_DAY
                except ValueError:
                    continue
                action = self.plan.action(values[1]) if column is not None else ""
                if only is None or (day, action) in only:
                    found.append((key, day, action))
            yield found
