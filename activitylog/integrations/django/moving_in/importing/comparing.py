"""
Table and store, counted independently by day and action: the sums must be equal.

The table is read once more, key, time and action of each row; the store counts what it has. Beside the number of
rows of each day and action the sums of their keys' checksums are compared, so that one row too few and another one
too many do not look like none.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from activitylog.integrations.django.moving_in.importing.source import NS_OF_DAY, Source
from activitylog.integrations.django.moving_in.importing.stored import Stored, StoredTally

#: Groups of which the keys are looked at.
_MOST_LOOKED_AT: Final = 50
_MOST_KEYS: Final = 10
_EPOCH: Final = dt.date(1970, 1, 1)

_Place = tuple[int, str]


@dataclass(slots=True)
class _Tally:
    rows: int = 0
    keys: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """
    A day and action of which table and store say something else.

    Attributes:
        rows: of the table.
        not_stored: of these, refused or left out by the import.
        stored: events of the store.
        doubled: of these, beyond the first of a row.
        missing: keys of rows that are not stored, the lowest ten.
        surplus: keys of events whose row is not in the table (any more), or is there on another day or with
            another action.
    """

    day: dt.date
    action: str
    rows: int
    not_stored: int
    stored: int
    doubled: int
    missing: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    The whole.

    Attributes:
        rows: of the table, whose time can be stored.
        not_stored: of these, refused or left out by the import.
        stored: events of the store.
        months: month (``2026-05``) -> rows, not stored, stored.
        actions: action -> rows, not stored, stored.
        differences: the largest first.
    """

    rows: int
    not_stored: int
    stored: int
    months: Mapping[str, tuple[int, int, int]]
    actions: Mapping[str, tuple[int, int, int]]
    differences: tuple[Difference, ...] = field(default=())

    @property
    def equal(self) -> bool:
        """Whether every day and action has the same rows on both sides, once."""
        return not self.differences


def compare(
    source: Source,
    stored: Stored,
    not_stored: Mapping[str, int],
    *,
    as_stored: Callable[[str], str],
    batch: int,
    show: Callable[[int], object] = lambda _: None,
) -> Comparison:
    """
    Count both sides.

    Args:
        not_stored: rows that an import has refused or left out, by day and action, as its state has them.
        as_stored: the text of an action as events have it.
        batch: rows of the table that are read at once.
        show: told how many rows were read.
    """
    names = _Names(source, as_stored)
    table = _table(source, names, batch, show)
    known = Counter[_Place]()
    for text, rows in not_stored.items():
        day, _, action = text.partition(" ")
        known[int(day), names(action)] += rows
    store = {(tally.day, tally.action): tally for tally in _store(source, stored, table)}
    places = sorted(table.keys() | store.keys())
    months: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    actions: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    differences = []
    for place in places:
        of_table, event = table.get(place, _Tally()), store.get(place, StoredTally(*place, 0, 0, 0))
        counts = (of_table.rows, known[place], event.rows)
        for sums in (months[f"{_date(place[0]):%Y-%m}"], actions[place[1]]):
            for index, count in enumerate(counts):
                sums[index] += count
        if _differs(of_table, known[place], event):
            differences.append(Difference(_date(place[0]), place[1], *counts, event.doubled))
    differences.sort(key=lambda one: -abs(one.rows - one.not_stored - one.stored))
    rows_of_all, not_stored_of_all, stored_of_all = (
        sum(sums[index] for sums in months.values()) for index in range(3)
    )
    return Comparison(
        rows_of_all,
        not_stored_of_all,
        stored_of_all,
        months={month: tuple(sums) for month, sums in sorted(months.items())},  # type: ignore[misc]
        actions={action: tuple(sums) for action, sums in sorted(actions.items())},  # type: ignore[misc]
        differences=tuple(_with_keys(differences, source, stored, names, batch)),
    )


class _Names:
    """Texts of actions as events have them; each is found once."""

    def __init__(self, source: Source, as_stored: Callable[[str], str]) -> None:
        self._name_of = source.plan.names
        self._as_stored = as_stored
        self._known: dict[str, str] = {}

    def __call__(self, action: str) -> str:
        found = self._known.get(action)
        if found is None:
            found = self._known[action] = self._as_stored(action) or self._name_of(action)
        return found


def _table(source: Source, names: _Names, batch: int, show: Callable[[int], object]) -> dict[_Place, _Tally]:
    found: dict[_Place, _Tally] = defaultdict(_Tally)
    done = 0
    for chunk in source.days(batch):
        for key, day, action in chunk:
            tally = found[day, names(action)]
            tally.rows += 1
            tally.keys += zlib.crc32(str(key).encode())
        done += len(chunk)
        show(done)
    return dict(found)


def _store(source: Source, stored: Stored, table: Mapping[_Place, _Tally]) -> list[StoredTally]:
    overview = stored.overview()
    days = [day for day, _ in table]
    begin = min([overview.first_ns] * bool(overview.events) + [day * NS_OF_DAY for day in days], default=0)
    end = max([overview.last_ns + 1] * bool(overview.events) + [(day + 1) * NS_OF_DAY for day in days], default=0)
    if source.since is not None:
        begin = max(begin, _ns(source.since))
    if source.until is not None:
        end = min(end, _ns(source.until))
    return [tally for some in stored.tallies(begin, end) for tally in some]


def _differs(rows: _Tally, not_stored: int, event: StoredTally) -> bool:
    if event.doubled or rows.rows - not_stored != event.rows:
        return True
    # Of rows that were refused nobody knows the keys.
    return not not_stored and rows.keys != event.keys


def _with_keys(
    differences: list[Difference], source: Source, stored: Stored, names: _Names, batch: int
) -> list[Difference]:
    """With the keys that make the difference, of the largest ones."""
    looked_at = differences[:_MOST_LOOKED_AT]
    wanted = {(days_since_epoch(one.day), one.action): Counter[str]() for one in looked_at}
    if wanted:
        for chunk in source.days(batch):
            for key, day, action in chunk:
                keys = wanted.get((day, names(action)))
                if keys is not None:
                    keys[str(key)] += 1
    return [
        *(_keyed(one, wanted[days_since_epoch(one.day), one.action], stored) for one in looked_at),
        *differences[_MOST_LOOKED_AT:],
    ]


def _keyed(one: Difference, of_table: Counter[str], stored: Stored) -> Difference:
    of_store = Counter(stored.keys_of(days_since_epoch(one.day), one.action))
    return Difference(
        one.day,
        one.action,
        one.rows,
        one.not_stored,
        one.stored,
        one.doubled,
        missing=_lowest(of_table - of_store),
        surplus=_lowest(of_store - of_table),
    )


def _lowest(keys: Counter[str]) -> tuple[str, ...]:
    return tuple(sorted(keys, key=lambda key: (len(key), key))[:_MOST_KEYS])


def days_since_epoch(day: dt.date) -> int:
    """A day as tallies have it."""
    return (day - _EPOCH).days


def _date(day: int) -> dt.date:
    return _EPOCH + dt.timedelta(days=day)


def _ns(moment: dt.datetime) -> int:
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


def as_json(found: Comparison) -> dict[str, Any]:
    """For machines."""
    return {
        "equal": found.equal,
        "rows": found.rows,
        "not_stored": found.not_stored,
        "stored": found.stored,
        "months": {month: list(sums) for month, sums in found.months.items()},
        "actions": {action: list(sums) for action, sums in found.actions.items()},
        "differences": [
            {
                "day": f"{one.day}",
                "action": one.action,
                "rows": one.rows,
                "not_stored": one.not_stored,
                "stored": one.stored,
                "doubled": one.doubled,
                "missing": list(one.missing),
                "surplus": list(one.surplus),
            }
            for one in found.differences
        ],
    }
