"""
Is everything that was numbered in the store, once? Per producer, with what explains a gap; and event ids.

    from activitylog.queries import sentences, verify
    from activitylog.store import connect

    found = verify(connect("clickhouse://localhost/activity"))
    print(found.complete, *sentences(found), sep="\\n")

A process draws a producer when it starts, and again after a fork, and numbers from 1 whatever it hands on: events
and counters. So a number below the newest one that is not there is something that was handed on and is not stored.
Three things explain it, in this order:

1. the producer has counted so many as lost: counters with an empty event name, a reason and a destination. Each
   event goes to each destination, and one that two have lost is counted twice; so the losses of one destination
   explain, never their sum: of this store where its name is known, else of the one that lost most. They are
   counts, not numbers. So what was refused and delivered later (``redelivered``) is taken off, what never had a
   number (``undecided``) is left out, and in a range they explain what the gaps around it leave of them;
2. rows have left on purpose (:mod:`activitylog.queries.removals`);
3. it is on its way: rows of the last :data:`SETTLE_SECONDS` are left out, and a number that came late, or with
   another time, is found all the same: it is looked for everywhere before it is called missing.

What is left is unexplained. Not known from rows: what a producer numbered behind its newest row, whether a
producer of which no row is stored ever was, and when a row arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from activitylog.event import REDELIVERED
from activitylog.exceptions import QueryError
from activitylog.queries.ask import ask
from activitylog.queries.removals import Removal, removals
from activitylog.store.columns import COUNTERS_TABLE, EVENTS_TABLE
from activitylog.store.watch.asking import Database

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Rows of so many seconds before now are left out: their neighbours may be on their way.
SETTLE_SECONDS: Final = 60.0

#: Numbers of all times, for the question's parameter ``near``.
_EVERYWHERE: Final = 301
_MOST_PRODUCERS: Final = 1_000_000
_SHOWN: Final = 100
#: Event ids that are compared at once.
_IDS_AT_ONCE: Final = 4_000_000
_MOST_PASSES: Final = 32
_SPILL: Final = {"max_bytes_before_external_group_by": 500_000_000}
_NO_LOSSES: Final[Mapping[str, int]] = MappingProxyType({})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER: Final = datetime(1900, 1, 1, tzinfo=UTC)
#: Missing numbers: before a producer's first row, before its first event and old, and all others.
_Part = Literal["head", "aged", "behind"]
_NUMBERED: Final = f"""
SELECT Producer, Seq, Timestamp AS time FROM {EVENTS_TABLE} WHERE Producer IN {{producers:Array(String)}}
UNION ALL
SELECT Producer, Seq, toDateTime64(Minute, 9, 'UTC') AS time FROM {COUNTERS_TABLE}
WHERE Producer IN {{producers:Array(String)}}
"""  # noqa: S608 - our own names
_REPEATED: Final = f"""
SELECT Producer AS producer, Seq AS seq, toUInt64(count()) AS copies FROM ({_NUMBERED})
WHERE Seq > 0 AND time >= {{since:DateTime64(9, 'UTC')}} AND time < {{until:DateTime64(9, 'UTC')}}
GROUP BY producer, seq HAVING copies > 1 ORDER BY producer, seq LIMIT {_SHOWN} BY producer
"""  # noqa: S608
_IDS: Final = f"""
SELECT toString(EventId) AS id, toUInt64(count()) AS copies FROM {EVENTS_TABLE}
WHERE Timestamp >= {{since:DateTime64(9, 'UTC')}} AND Timestamp < {{until:DateTime64(9, 'UTC')}}
    AND EventId != toUUID('00000000-0000-0000-0000-000000000000')
    AND cityHash64(EventId) % {{passes:UInt64}} = {{pass:UInt64}}
GROUP BY EventId HAVING copies > 1
"""  # noqa: S608
_ROWS: Final = f"""
SELECT count() AS rows, countIf(Producer = '' OR Seq = 0) AS unnumbered FROM {EVENTS_TABLE}
WHERE Timestamp >= {{since:DateTime64(9, 'UTC')}} AND Timestamp < {{until:DateTime64(9, 'UTC')}}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class ProducerFound:
    """
    What is stored of one producer: of one process from its start, or from a fork, to its end.

    Attributes:
        producer: eleven hexadecimal digits.
        service: that it worked for.
        first_seq: the number with which it begins: 1, or, of a verification from a time on, its lowest.
        last_seq: its newest number.
        rows: stored, events and counters.
        missing: numbers between the two that are not there.
        missing_ranges: of those, as (first, last), the lowest hundred ranges.
        gaps: how many ranges there are.
        repeated: rows beyond the first of a number.
        repeated_numbers: those numbers and how many rows each has, the lowest hundred.
        losses: what it has counted as lost after it had numbered it, by destination and reason; of a range those
            that may be of its numbers.
        destination: the one whose losses explain what is missing; empty where there is none.
        redelivered: of what that one lost, events that it had refused and took later.
        counted: missing numbers that its counted losses explain.
        aged: missing numbers that are before all events, and so old that retention may have taken them.
        removed: missing numbers that may be among rows that left on purpose.
        first: time of its oldest row.
        last: time of its newest row. What it numbered after that cannot be known.
    """

    producer: str
    service: str
    first_seq: int
    last_seq: int
    rows: int
    missing: int
    missing_ranges: tuple[tuple[int, int], ...]
    gaps: int
    repeated: int
    repeated_numbers: tuple[tuple[int, int], ...]
    losses: Mapping[str, Mapping[str, int]]
    destination: str
    redelivered: int
    counted: int
    aged: int
    removed: int
    first: datetime
    last: datetime

    @property
    def lost(self) -> Mapping[str, int]:
        """What that destination lost, by reason."""
        return self.losses.get(self.destination, _NO_LOSSES)

    @property
    def unexplained(self) -> int:
        """Missing numbers that nothing explains."""
        return self.missing - self.counted - self.removed

    @property
    def complete(self) -> bool:
        """Whether nothing is there twice, or missing without a reason."""
        return self.unexplained == 0 and self.repeated == 0


@dataclass(frozen=True, slots=True)
class Verification:
    """
    The whole.

    Attributes:
        since: producers with rows from this time on were looked at; None: all.
        until: rows before this time.
        producers: the worst first.
        rows: events.
        unnumbered: events without a producer or number, of which nobody can say whether they are all.
        repeated_ids: event ids with more than one row.
        surplus_rows: rows beyond the first of each.
        example_ids: some of those ids.
        removals: what has left on purpose.
    """

    since: datetime | None
    until: datetime
    producers: tuple[ProducerFound, ...]
    rows: int
    unnumbered: int
    repeated_ids: int
    surplus_rows: int
    example_ids: tuple[str, ...]
    removals: tuple[Removal, ...]

    @property
    def complete(self) -> bool:
        """Whether every gap is explained, and nothing is there twice."""
        return self.repeated_ids == 0 and all(producer.complete for producer in self.producers)


def verify(
    client: Client, *, since: datetime | None = None, until: datetime | None = None, name: str = ""
) -> Verification:
    """
    Look for what is missing and for what is there twice. Only reads.

    Args:
        client: as :func:`activitylog.store.connect` gives it; stays the caller's.
        since: look at producers with rows from this time on, and at their numbers from there; aware. Without it
            at all.
        until: and before this time, which is later. By default :data:`SETTLE_SECONDS` before now, by the server's
            clock.
        name: of this store where processes send to it: its URL without secrets. Of a producer that has counted
            losses under this name no others explain anything. (What it lost on its way into a Collector has the
            Collector's name, so without such losses nobody can say which ones were of this store.)

    Raises:
        QueryError: there is no store, or the engine refuses; or the range is empty.
    """
    database = Database(client)
    end = until or _server_time(database) - timedelta(seconds=SETTLE_SECONDS)
    _check_range(since, end)
    start = since or _EPOCH
    window = {"since": start, "until": end}
    known = removals(database)
    asked = {"until": end, "limit": _MOST_PRODUCERS, "ranges": _SHOWN, "retained": _retained(known)}
    asked |= {"since": since} if since else {}
    look = _Look(client, name, known, begun=since is not None, ended=until is not None)
    found = look.found(asked)
    # It takes all earlier numbers of a producer to know which of its losses are of those.
    if any(producer.unexplained or (since and producer.missing) for producer in found):
        found = look.found(asked | {"near": _EVERYWHERE})
    counts = database.row(_ROWS, **window)
    ids = _repeated_ids(client, counts["rows"], window)
    return Verification(
        since,
        end,
        tuple(sorted(_with_repeats(client, found, window), key=_worst_first)),
        int(counts["rows"]),
        int(counts["unnumbered"]),
        *ids,
        known,
    )


def _worst_first(found: ProducerFound) -> tuple[int, int, int, str]:
    return -found.unexplained, -found.repeated, -found.missing, found.producer


def _server_time(database: Database) -> datetime:
    return database.row("SELECT now64(9, 'UTC') AS now")["now"]  # type: ignore[no-any-return]


def _check_range(since: datetime | None, end: datetime) -> None:
    if since is not None and since >= end:
        raise QueryError(
            f"There is nothing between since ({since.isoformat(' ')}) and until ({end.isoformat(' ')}).",
            hint="Accepted: a since that is before until, which is a minute ago unless it is given.",
        )


def _retained(known: Sequence[Removal]) -> datetime:
    """Rows up to this time are so old that events beside them may have left by retention."""
    return max((removal.reach for removal in known if removal.kind == "retention"), default=_NEVER)


@dataclass(frozen=True, slots=True)
class _Look:
    """
    Attributes:
        name: of this store.
        begun: from a time on.
        ended: and before a time that the caller knows; else what is behind is on its way.
    """

    client: Client
    name: str
    known: Sequence[Removal]
    begun: bool
    ended: bool

    def found(self, asked: Mapping[str, Any]) -> list[ProducerFound]:
        answer = ask(self.client, "completeness", **asked)
        rows = (dict(zip(answer.columns, row, strict=True)) for row in answer.rows)
        return list(_explained(map(self._producer, rows), self.known))

    def _producer(self, row: Mapping[str, Any]) -> ProducerFound:
        losses = {destination: _Lost.of(reasons) for destination, reasons in sorted(row["losses"].items())}
        is_known = self.name and (self.name in losses or self.name in row["losses_before"])
        destination = self.name if is_known else max(losses, key=lambda one: losses[one].events_away, default="")
        values = {
            name: row[name]
            for name in (
                "producer", "service", "first_seq", "last_seq", "rows", "missing", "gaps", "repeated", "aged",
                "first", "last",
            )
        }  # fmt: skip
        return ProducerFound(
            **values,
            missing_ranges=tuple((int(first), int(last)) for first, last in row["missing_ranges"]),
            repeated_numbers=(),
            losses=MappingProxyType({name: lost.reasons for name, lost in losses.items() if lost.reasons}),
            destination=destination,
            redelivered=losses[destination].redelivered if destination in losses else 0,
            counted=max(0, min(row["missing"], self._usable(row, destination))),
            removed=0,
        )

    def _usable(self, row: Mapping[str, Any], destination: str) -> int:
        """How many of its losses may be of the numbers that were looked at: those that other gaps leave."""
        lost, earlier, later = (
            _Lost.of(row[losses].get(destination, {})) for losses in ("losses", "losses_before", "losses_after")
        )
        before = row["missing_before"]
        if self.begun and not row["left_below"]:
            before += row["lowest"] - 1
        behind = self._not_removed(row["missing_after"], row["oldest"]) if self.ended else 0
        # Earlier losses that no gap of then shows are of what was delivered later, unless retention took the gaps.
        surplus = 0 if row["left_below"] else max(0, earlier.events_away - before)
        before = self._not_removed(max(0, before - earlier.events_away), row["oldest"])
        return (
            (lost.events - min(later.events, behind))
            - before
            - max(0, lost.redelivered - surplus)
        )  # fmt: skip

    def _not_removed(self, numbers: int, oldest: datetime) -> int:
        """How many of a producer's numbers are missing though none of the rows that left were they."""
        left = (removal.rows or 0 for removal in self.known if removal.may_hold(oldest, is_head=True))
        return max(0, numbers - sum(left))


@dataclass(frozen=True, slots=True)
class _Lost:
    """What one destination lost, by reason, and how many of those events it took later."""

    reasons: Mapping[str, int]
    redelivered: int

    @classmethod
    def of(cls, reasons: Mapping[str, int]) -> _Lost:
        lost = {reason: int(events) for reason, events in sorted(reasons.items()) if reason != REDELIVERED}
        return cls(MappingProxyType(lost), int(reasons.get(REDELIVERED, 0)))

    @property
    def events(self) -> int:
        return sum(self.reasons.values())

    @property
    def events_away(self) -> int:
        return max(0, self.events - self.redelivered)


def _with_repeats(
    client: Client, found: Sequence[ProducerFound], window: Mapping[str, datetime]
) -> list[ProducerFound]:
    """With the numbers that are there twice: asked only of producers that have any."""
    doubled = [producer.producer for producer in found if producer.repeated]
    if not doubled:
        return list(found)
    numbers: dict[str, list[tuple[int, int]]] = {}
    parameters = {"producers": doubled, **window}
    for producer, seq, copies in client.query(_REPEATED, parameters=parameters, settings=_SPILL).result_rows:
        numbers.setdefault(producer, []).append((seq, copies))
    return [replace(one, repeated_numbers=tuple(numbers.get(one.producer, ()))) for one in found]


def _repeated_ids(client: Client, rows: int, window: Mapping[str, datetime]) -> tuple[int, int, tuple[str, ...]]:
    """How many ids have more than one row, how many rows are too many, and examples; so many ids at a time."""
    passes = min(_MOST_PASSES, max(1, -(-rows // _IDS_AT_ONCE)))
    ids = surplus = 0
    sql = f"SELECT count(), toInt64(sum(copies)) - count(), groupArraySorted(10)(id) FROM ({_IDS})"  # noqa: S608
    examples: list[str] = []
    for number in range(passes):
        parameters = {**window, "passes": passes, "pass": number}
        (row,) = client.query(sql, parameters=parameters, settings=_SPILL).result_rows
        ids, surplus = ids + int(row[0]), surplus + int(row[1])
        examples += row[2]
    return ids, surplus, tuple(sorted(examples)[:10])


def _explained(found: Iterable[ProducerFound], known: Sequence[Removal]) -> Iterator[ProducerFound]:
    """With the numbers that may have left on purpose; each row that left explains one number, of one producer."""
    left = [removal.rows for removal in known]
    for producer in found:
        unexplained = _not_counted(producer)
        for place, removal in enumerate(known):
            for part, numbers in unexplained.items():
                if _may_hold(removal, producer, part):
                    unexplained[part] -= _taken(left, place, numbers)
        removed = producer.missing - producer.counted - sum(unexplained.values())
        yield replace(producer, removed=removed)


def _not_counted(producer: ProducerFound) -> dict[_Part, int]:
    """Missing numbers that counted losses leave, which explain first what is least likely to have left."""
    head = 0 if producer.aged else _head(producer)
    parts: dict[_Part, int] = {
        "behind": producer.missing - head - producer.aged, "head": head, "aged": producer.aged
    }  # fmt: skip
    counted = producer.counted
    for part, numbers in parts.items():
        explained = min(counted, numbers)
        parts[part], counted = numbers - explained, counted - explained
    return parts


def _may_hold(removal: Removal, producer: ProducerFound, part: _Part) -> bool:
    if removal.kind == "retention":
        return part == "aged"
    return removal.may_hold(producer.first, is_head=part == "head")


def _taken(left: list[int | None], place: int, numbers: int) -> int:
    """So many of the rows that left here, at most as many as did."""
    room = left[place]
    if room is None:
        return numbers
    taken = min(numbers, room)
    left[place] = room - taken
    return taken


def _head(producer: ProducerFound) -> int:
    """How many numbers are missing before the first one that is there, of a producer that began with 1."""
    ranges = producer.missing_ranges
    return ranges[0][1] if ranges and ranges[0][0] == 1 and producer.first_seq == 1 else 0
