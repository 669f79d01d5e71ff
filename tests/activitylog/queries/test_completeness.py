"""The question `completeness` against a model that counts on its fingers."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activitylog.queries import ask
from tests.activitylog.queries.rows import at, put, row

_TIME = "2026-03-01 10:00:00"
#: Near each other, far apart, in the tens of thousands where bitmaps change their form, and near the ends.
_NUMBERS = st.one_of(
    st.integers(1, 60), st.integers(65_500, 65_570), st.integers(1, 10**6), st.integers(2**63 - 2, 2**64 - 2)
)
_RUNS = st.tuples(st.integers(1, 5_000), st.integers(0, 200)).map(lambda run: list(range(run[0], sum(run) + 1)))
_SEQUENCES = st.lists(st.one_of(_NUMBERS.map(lambda number: [number]), _RUNS), min_size=1, max_size=8).map(
    lambda runs: [number for run in runs for number in run]
)


def missing_by_hand(numbers: list[int], first: int) -> tuple[int, list[tuple[int, int]]]:
    """How many numbers from the first one on are missing, and their ranges."""
    ranges = [
        (before + 1, behind - 1)
        for before, behind in pairwise(sorted({first - 1, *numbers}))
        if behind > before + 1
    ]
    return sum(last - begin + 1 for begin, last in ranges), ranges


@pytest.fixture
def store(empty_store: Any) -> Any:
    """The tables, without rows."""
    return empty_store


class TestCompleteness:
    """``completeness``."""

    @given(st.dictionaries(st.sampled_from(["p1", "p2", "p3"]), _SEQUENCES, min_size=1), st.data())
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_as_counted_by_hand(self, store: Any, sequences: dict[str, list[int]], data: st.DataObject) -> None:
        """For any rows, in any order and either table: the ranges, and how many rows are too many."""
        store.command("TRUNCATE TABLE activity_events")
        store.command("TRUNCATE TABLE activity_counters")
        for producer, numbers in sequences.items():
            cut = data.draw(st.integers(0, len(numbers)))
            shuffled = data.draw(st.permutations(numbers)) if len(numbers) < 100 else numbers
            for part, table, time in (
                (shuffled[:cut], "activity_events", "Timestamp"),
                (shuffled[cut:], "activity_counters", "Minute"),
            ):
                if part:
                    rows = ({time: _TIME, "Producer": producer, "Seq": number} for number in part)
                    put(store, *rows, table=table)
        found = {line[0]: line for line in ask(store, "completeness", ranges=1000).rows}
        assert found.keys() == sequences.keys()
        for producer, numbers in sequences.items():
            missing, ranges = missing_by_hand(numbers, 1)
            line = found[producer]
            assert line[2:8] == (
                1, max(numbers), len(numbers), missing,
                sum(copies - 1 for copies in Counter(numbers).values()), len(ranges),
            )  # fmt: skip
            assert line[8] == ranges

    def test_a_row_a_producer(self, store: Any) -> None:
        """The worst first, with what they have counted as lost, each counter once."""
        for producer, numbers in (("p1", (3, 4, 7, 8, 8, 12)), ("p2", (1, 2))):
            put(store, *(row(_TIME, Producer=producer, Seq=number, ServiceName="web") for number in numbers))
        lost = {"Minute": _TIME, "Producer": "p1", "Seq": 13, "Reason": "queue_full", "EventCount": 3}
        kept = {
            "Minute": _TIME,
            "Producer": "p1",
            "Seq": 14,
            "EventName": "a.b",
            "Reason": "rule",
            "EventCount": 9,
        }
        put(store, lost, lost, kept, table="activity_counters")
        answer = ask(store, "completeness")
        assert answer.columns == (
            "producer", "service", "first_seq", "last_seq", "rows", "missing", "repeated", "gaps",
            "missing_ranges", "lost", "losses", "first", "last", "aged", "left_below", "lowest", "oldest",
            "missing_before", "missing_after", "losses_before", "losses_after",
        )  # fmt: skip
        assert [(line[0], *line[2:11]) for line in answer.rows] == [
            ("p1", 1, 14, 9, 7, 2, 3, [(1, 2), (5, 6), (9, 11)], {"queue_full": 3}, {"": {"queue_full": 3}}),
            ("p2", 1, 2, 2, 0, 0, 0, [], {}, {}),
        ]

    def test_losses_of_several_destinations(self, store: Any) -> None:
        """Each event went to each of them: what the one lost that lost most, and what each lost."""
        put(store, row(_TIME, Producer="p1", Seq=1))
        for seq, (destination, reason, count) in enumerate(
            (("clickhouse:", "expired", 2), ("otlp:", "queue_full", 4), ("clickhouse:", "permanent", 3)), 2
        ):
            lost = {"Rule": destination, "Reason": reason, "EventCount": count}
            put(store, {"Minute": _TIME, "Producer": "p1", "Seq": seq, **lost}, table="activity_counters")
        (line,) = ask(store, "completeness").rows
        assert line[9:11] == (
            {"expired": 2, "permanent": 3},
            {"clickhouse:": {"expired": 2, "permanent": 3}, "otlp:": {"queue_full": 4}},
        )

    def test_what_was_delivered_later_is_less_lost(self, store: Any) -> None:
        """The destination that lost most is the one of which most did not arrive at all."""
        put(store, row(_TIME, Producer="p1", Seq=1))
        for destination, reason, count in (("a:", "permanent", 4), ("a:", "redelivered", 2), ("b:", "expired", 3)):
            lost = {"Rule": destination, "Reason": reason, "EventCount": count}
            put(store, {"Minute": _TIME, "Producer": "p1", "Seq": 0, **lost}, table="activity_counters")
        (line,) = ask(store, "completeness").rows
        assert line[9:11] == ({"expired": 3}, {"a:": {"permanent": 4, "redelivered": 2}, "b:": {"expired": 3}})

    def test_losses_around_a_range(self, store: Any) -> None:
        """By the number of their report; without one by its minute, which a range may begin in."""
        times = {2: "09:00", 5: "11:00", 6: "12:00:30", 8: "12:10", 12: "14:00"}
        put(store, *(row(f"2026-03-01 {time}", Producer="p1", Seq=seq) for seq, time in times.items()))
        reports = ((5, "10:30", 1), (6, "12:00", 2), (7, "12:01", 4), (9, "13:00", 8),
                   (0, "11:59", 16), (0, "12:00", 32), (0, "12:59", 64), (0, "13:00", 128))  # fmt: skip
        counters = (
            {"Minute": f"2026-03-01 {time}:00", "Producer": "p1", "Seq": seq, "Reason": "expired", "EventCount": n}
            for seq, time, n in reports
        )
        put(store, *counters, table="activity_counters")
        range_ = {"since": "2026-03-01 12:00:30", "until": "2026-03-01 13:00:00"}
        answer = ask(store, "completeness", near=301, **range_)
        found = dict(zip(answer.columns, answer.rows[0], strict=True))
        sums = {name: sum(found[name][""].values()) for name in ("losses", "losses_before", "losses_after")}
        assert sums == {"losses": 4 + 8 + 32 + 64 + 128, "losses_before": 1 + 2 + 16, "losses_after": 8 + 128}
        around = {
            name: found[name] for name in ("first_seq", "last_seq", "lowest", "missing_before", "missing_after")
        }
        assert around == {"first_seq": 6, "last_seq": 8, "lowest": 2, "missing_before": 2, "missing_after": 2}

    @pytest.mark.parametrize("time", ["1900-01-01 00:00:00", "2020-01-01", "2262-04-11 23:47:15.999999999"])
    def test_looks_as_far_as_it_is_told(self, store: Any, time: str) -> None:
        """Numbers with a time near the range, or with any."""
        put(store, *(row(_TIME, Producer="p1", Seq=number) for number in (1, 3)), row(time, Producer="p1", Seq=2))
        found = [
            ask(store, "completeness", since="2026-03-01", until="2026-03-02", near=days).rows[0][5]
            for days in (3, 300, 301)
        ]
        assert found == [1, 1, 0]

    def test_from_a_time_on(self, store: Any) -> None:
        """Where a producer began is not asked then, and a number that has another time is there all the same."""
        times = {1: "10:00", 2: "10:01", 4: "12:00", 5: "09:00", 6: "12:01", 8: "12:02", 9: "15:00"}
        put(store, *(row(f"2026-03-01 {time}", Producer="p1", Seq=number) for number, time in times.items()))
        put(store, row("2026-03-01 10:00", Producer="p2", Seq=1))
        answer = ask(store, "completeness", since="2026-03-01 12:00", until="2026-03-01 13:00")
        assert [(line[0], *line[2:9]) for line in answer.rows] == [("p1", 4, 8, 3, 1, 0, 1, [(7, 7)])]
        assert answer.rows[0][11:13] == (at("2026-03-01 12:00"), at("2026-03-01 12:02"))
        answer = ask(store, "completeness", until="2026-03-01 13:00")
        assert [(line[0], *line[2:9]) for line in answer.rows] == [
            ("p1", 1, 8, 6, 2, 0, 2, [(3, 3), (7, 7)]),
            ("p2", 1, 1, 1, 0, 0, 0, []),
        ]

    def test_the_lowest_ranges(self, store: Any) -> None:
        """As many as are asked for, of a producer with many; all are counted."""
        store.command(
            "INSERT INTO activity_events (Timestamp, Producer, Seq) "
            f"SELECT toDateTime64('{_TIME}', 9, 'UTC'), 'p', 2 * number + 1 FROM numbers(100000)"
        )
        (line,) = ask(store, "completeness", ranges=3).rows
        assert line[3:9] == (199_999, 100_000, 99_999, 0, 99_999, [(2, 2), (4, 4), (6, 6)])

    @pytest.mark.slow
    def test_memory_does_not_grow_with_rows(self, own_store: Any) -> None:
        """Ten million rows of fifty producers, under a bound that their numbers alone would break."""
        for view in ("activity_events_actor_daily_mv", "activity_events_hourly_mv"):
            own_store.command(f"DROP VIEW {view}")
        own_store.command(
            "INSERT INTO activity_events (Timestamp, Producer, Seq) SELECT "
            f"toDateTime64('{_TIME}', 9, 'UTC') + toIntervalMillisecond(number), "
            "concat('p', toString(number % 50)), intDiv(number, 50) + 1 FROM numbers(10000000) "
            "WHERE number % 997 != 7"
        )
        own_store.command("SET max_memory_usage = 60000000")
        try:
            rows = ask(own_store, "completeness").rows
        finally:
            own_store.command("SET max_memory_usage = 0")
        assert (len(rows), sum(line[5] for line in rows)) == (50, 10_031)
