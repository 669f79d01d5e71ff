"""``verify`` and its words: what is missing, what is there twice, what explains it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activitylog.exceptions import QueryError
from activitylog.queries import sentences, verify
from activitylog.store import apply
from activitylog.store_settings import parse_store
from tests.activitylog.queries.rows import at, put, row

_DAY = "2026-03-01"
_ID = "01890a5d-ac96-774b-bcce-b302099a805"


def numbered(client: Any, producer: str, *numbers: int, day: str = _DAY) -> None:
    """An event a second."""
    put(client, *(row(f"{day} 10:00:{n % 60:02}", "a.b", Producer=producer, Seq=n) for n in numbers))


def lost(
    client: Any, producer: str, reason: str, count: int, seq: int, destination: str = "", day: str = _DAY
) -> None:
    """A counter of losses, as a process writes it; without a number as another one does for it."""
    counter = {
        "Minute": f"{day} 10:00:00",
        "Producer": producer,
        "Seq": seq,
        "Rule": destination,
        "Reason": reason,
        "EventCount": count,
    }
    put(client, counter, table="activity_counters")


def counted(client: Any, producer: str, *numbers: int, day: str) -> None:
    """Exact counts, which have numbers of the same sequence."""
    counter = {"Minute": f"{day} 10:00:00", "EventName": "a.b", "Reason": "rule", "EventCount": 3}
    put(client, *({**counter, "Producer": producer, "Seq": n} for n in numbers), table="activity_counters")


def days_ago(days: float) -> str:
    """A date."""
    return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d}"


def archived(client: Any, action: str, rows: int, day: str, at_: str = "2026-06-01 00:00:00") -> None:
    """The record that archiving writes."""
    record = {
        "Time": at_, "Action": action, "Partition": "202603", "Folder": "/a", "Piece": f"{day}-x",
        "RowCount": rows, "MinTime": f"{day}T00:00:00Z", "MaxTime": f"{day}T23:59:59Z",
    }  # fmt: skip
    put(client, record, table="activity_archives")


class TestVerify:
    """``verify``."""

    def test_an_empty_store(self, empty_store: Any) -> None:
        """There is nothing to be incomplete."""
        found = verify(empty_store, until=at("2026-05-01"))
        assert (found.complete, found.producers, found.rows) == (True, (), 0)
        assert sentences(found) == [
            "Complete: nothing is missing, nothing is there twice (0 events of 0 producers).",
            "There is no numbered row before 2026-05-01 00:00:00 UTC.",
        ]

    def test_complete(self, empty_store: Any) -> None:
        """All numbers once, events of others beside them, and what nobody can know."""
        numbered(empty_store, "p1", 1, 3)
        lost(empty_store, "p1", "", 7, 2)
        put(empty_store, row(f"{_DAY} 11:00", "c.d"))
        found = verify(empty_store, until=at("2026-05-01"))
        assert found.complete
        assert sentences(found) == [
            "Complete: nothing is missing, nothing is there twice (3 events of 1 producer).",
            "1 event without a producer or number, from others than this package: whether those are all, rows do "
            "not say.",
            "Looked at rows before 2026-05-01 00:00:00 UTC. What a producer numbered after its newest row is not "
            "known from rows: the newest of all is of 2026-03-01 10:00:03 UTC, from p1, whose highest number is "
            "3. Its process's stats() and spool say what is yet to come.",
        ]

    def test_missing_and_doubled(self, empty_store: Any) -> None:
        """The numbers by name, the worst producer first."""
        numbered(empty_store, "p1", 1, 2, 3, 3, 3, 7)
        numbered(empty_store, "p2", 1, 5)
        numbered(empty_store, "p3", 1, 2)
        found = verify(empty_store)
        assert not found.complete
        lines = [
            (one.producer, one.missing_ranges, one.repeated_numbers, one.unexplained) for one in found.producers
        ]
        assert lines == [("p1", ((4, 6),), ((3, 3),), 3), ("p2", ((2, 4),), (), 3), ("p3", (), (), 0)]
        assert sentences(found)[0] == (
            "Not complete: 6 numbers of 2 producers are missing without a reason; 2 rows of 1 producer too many "
            "by their numbers (10 events of 3 producers)."
        )

    @pytest.mark.parametrize(("numbers", "complete"), [((1, 2), True), ((1, 2, 2), False), ((1, 3), False)])
    def test_either_is_enough(self, empty_store: Any, numbers: tuple[int, ...], complete: bool) -> None:
        """Twice is as wrong as not at all."""
        numbered(empty_store, "p1", *numbers)
        found = verify(empty_store)
        assert (found.producers[0].complete, found.complete) == (complete, complete)

    def test_event_ids(self, empty_store: Any) -> None:
        """Rows of others have an id at least; rows without one are none."""
        put(empty_store, *[row(f"{_DAY} 10:00", "a.b", EventId=f"{_ID}1")] * 3)
        put(empty_store, row(f"{_DAY} 10:00", "a.b", EventId=f"{_ID}2"), *[row(f"{_DAY} 10:00", "a.b")] * 2)
        found = verify(empty_store)
        assert (found.repeated_ids, found.surplus_rows, found.example_ids) == (1, 2, (f"{_ID}1",))
        assert sentences(found)[0] == "Not complete: 2 rows too many by 1 event id (6 events of 0 producers)."

    def test_rows_of_the_last_minute(self, empty_store: Any) -> None:
        """Their neighbours may be on their way. A number that is with them is none that is missing."""
        now = datetime.now(UTC)
        for number, age in ((1, 300), (3, 200), (2, 5), (9, 1)):
            time = (now - timedelta(seconds=age)).strftime("%Y-%m-%d %H:%M:%S")
            put(empty_store, row(time, "a.b", Producer="p1", Seq=number))
        found = verify(empty_store)
        assert [(one.last_seq, one.missing) for one in found.producers] == [(3, 0)]
        assert [one.missing for one in verify(empty_store, until=now + timedelta(minutes=1)).producers] == [5]

    def test_a_range(self, empty_store: Any) -> None:
        """Both ends count for events, ids and numbers alike."""
        numbered(empty_store, "p1", 1, 2, 2)
        numbered(empty_store, "p1", 5, 6, day="2026-03-02")
        found = verify(empty_store, since=at("2026-03-02"), until=at("2026-03-03"))
        assert (found.rows, [(one.first_seq, one.missing, one.repeated) for one in found.producers]) == (
            2, [(5, 0, 0)],
        )  # fmt: skip
        assert verify(empty_store, until=at("2026-03-02")).producers[0].repeated_numbers == ((2, 2),)

    @pytest.mark.parametrize("day", ["1999-12-31", "2026-02-01", "2026-12-01", "2200-01-01"])
    @pytest.mark.parametrize("since", [None, at("2026-03-01")])
    def test_a_number_with_another_time(self, empty_store: Any, day: str, since: datetime | None) -> None:
        """A wrong clock, an import, a time in the future: it is there, whatever it says when it was."""
        numbered(empty_store, "p1", 1, 3)
        numbered(empty_store, "p1", 2, day=day)
        found = verify(empty_store, since=since, until=at("2026-03-02"))
        assert (found.complete, [one.missing for one in found.producers]) == (True, [0])


class TestExplained:
    """What a gap is set against."""

    def test_counted_by_the_producer_itself(self, empty_store: Any) -> None:
        """So many numbers as it has lost, of that producer only."""
        numbered(empty_store, "p1", 1, 4)
        numbered(empty_store, "p2", 1, 4)
        lost(empty_store, "p1", "queue_full", 1, 5)
        lost(empty_store, "p1", "shutdown", 1, 6)
        found = verify(empty_store)
        assert [(one.producer, one.counted, one.unexplained) for one in found.producers] == [
            ("p2", 0, 2), ("p1", 2, 0),
        ]  # fmt: skip
        assert dict(found.producers[1].lost) == {"queue_full": 1, "shutdown": 1}
        assert sentences(found)[1] == (
            "Counted as lost after they were numbered: queue_full 1, shutdown 1. That explains 2 missing numbers."
        )

    def test_of_several_destinations_the_one_that_lost_most(self, empty_store: Any) -> None:
        """Each counts what it loses of the same events: an event that both lost explains one number, not two."""
        numbered(empty_store, "p1", 1, 6)
        lost(empty_store, "p1", "expired", 2, 7, "clickhouse://h:8123/a")
        lost(empty_store, "p1", "expired", 2, 8, "otlp://c:4317")
        lost(empty_store, "p1", "queue_full", 1, 9, "otlp://c:4317")
        found = verify(empty_store)
        (one,) = found.producers
        assert (one.missing, one.counted, one.unexplained, one.destination) == (4, 3, 1, "otlp://c:4317")
        assert dict(one.lost) == {"expired": 2, "queue_full": 1}
        assert {name: dict(reasons) for name, reasons in one.losses.items()} == {
            "clickhouse://h:8123/a": {"expired": 2},
            "otlp://c:4317": {"expired": 2, "queue_full": 1},
        }
        assert sentences(found)[1] == (
            "Counted as lost after they were numbered, by otlp://c:4317: expired 2, queue_full 1. That explains 3 "
            "missing numbers."
        )

    def test_of_this_store_where_its_name_is_known(self, empty_store: Any) -> None:
        """What another one lost is no reason then. A producer without such losses may go another way."""
        numbered(empty_store, "p1", 1, 6)
        lost(empty_store, "p1", "expired", 1, 7, "clickhouse://h:8123/a")
        lost(empty_store, "p1", "queue_full", 9, 8, "otlp://c:4317")
        numbered(empty_store, "p2", 1, 3)
        lost(empty_store, "p2", "queue_full", 1, 4, "otlp://c:4317")
        found = verify(empty_store, name="clickhouse://h:8123/a")
        assert [(one.producer, one.destination, one.counted, one.unexplained) for one in found.producers] == [
            ("p1", "clickhouse://h:8123/a", 1, 3), ("p2", "otlp://c:4317", 1, 0),
        ]  # fmt: skip
        assert sentences(found)[1:3] == [
            "Counted as lost after they were numbered, by clickhouse://h:8123/a: expired 1. That explains 1 "
            "missing number.",
            "Counted as lost after they were numbered, by otlp://c:4317: queue_full 1. That explains 1 missing "
            "number.",
        ]

    def test_more_missing_than_counted(self, empty_store: Any) -> None:
        """The rest has no reason; more losses than gaps are of the end that nobody sees."""
        numbered(empty_store, "p1", 1, 6)
        lost(empty_store, "p1", "expired", 3, 7)
        (one,) = verify(empty_store).producers
        assert (one.missing, one.counted, one.unexplained, one.complete) == (4, 3, 1, False)
        lost(empty_store, "p1", "expired", 30, 8)
        found = verify(empty_store)
        assert (found.producers[0].counted, found.complete) == (4, True)
        assert sentences(found)[0] == (
            "Complete: each of 4 missing numbers is explained, nothing is there twice (2 events of 1 producer)."
        )

    def test_what_a_rule_dropped_is_no_loss(self, empty_store: Any) -> None:
        """Counters of events are of before the number was given."""
        numbered(empty_store, "p1", 1, 3)
        counter = {"Minute": f"{_DAY} 10:00:00", "EventName": "a.b", "Producer": "p1", "Reason": "rule", "Seq": 4}
        put(empty_store, {**counter, "EventCount": 1}, table="activity_counters")
        assert verify(empty_store).producers[0].unexplained == 1

    def test_what_was_delivered_later_is_no_loss(self, empty_store: Any) -> None:
        """Refused events that arrived after all explain nothing that is missing now; others that were lost do."""
        here = "clickhouse://h:8123/a"
        numbered(empty_store, "p1", 1, 2, 3, 7)
        lost(empty_store, "p1", "permanent", 3, 8, here)
        lost(empty_store, "p1", "redelivered", 2, 0, here)
        lost(empty_store, "p1", "redelivered", 1, 0, here)
        found = verify(empty_store)
        (one,) = found.producers
        assert (one.missing, one.counted, one.unexplained, one.redelivered) == (3, 0, 3, 3)
        assert dict(one.lost) == {"permanent": 3}
        assert sentences(found)[1] == (
            f"Counted as lost after they were numbered, by {here}: permanent 3; 3 events that had been refused "
            "were delivered later. That explains 0 missing numbers."
        )
        lost(empty_store, "p1", "expired", 2, 9, here)
        assert [(one.counted, one.unexplained) for one in verify(empty_store).producers] == [(2, 1)]

    def test_the_destination_that_lost_most_is_one_that_did_not_get_it_later(self, empty_store: Any) -> None:
        """Five refused of which five arrived are fewer than one that expired."""
        numbered(empty_store, "p1", 1, 3)
        lost(empty_store, "p1", "permanent", 5, 4, "otlp://c:4317")
        lost(empty_store, "p1", "redelivered", 5, 0, "otlp://c:4317")
        lost(empty_store, "p1", "expired", 1, 5, "otlp://d:4317")
        (one,) = verify(empty_store).producers
        assert (one.destination, one.counted, one.unexplained) == ("otlp://d:4317", 1, 0)

    def test_what_had_no_number_is_no_gap(self, empty_store: Any) -> None:
        """Of a dead process, what was undecided and is lost: no number is missing for it."""
        numbered(empty_store, "p1", 1, 4)
        lost(empty_store, "p1", "undecided", 50, 0)
        lost(empty_store, "p1", "expired", 1, 0)
        (one,) = verify(empty_store).producers
        assert (one.counted, one.unexplained, dict(one.lost)) == (1, 1, {"expired": 1})

    def test_archived(self, empty_store: Any) -> None:
        """As many as have left; none once they are restored."""
        numbered(empty_store, "p1", 3, 4)
        numbered(empty_store, "p2", 2)
        archived(empty_store, "archived", 2, "2026-02-28")
        found = verify(empty_store)
        assert [(one.producer, one.removed, one.unexplained) for one in found.producers] == [
            ("p2", 0, 1), ("p1", 2, 0),
        ]  # fmt: skip
        assert sentences(found)[1] == (
            "2 missing numbers may be of events that left on purpose: 2 events from before 2026-02-28 23:59 UTC "
            "left for an archive."
        )
        archived(empty_store, "restored", 2, "2026-02-28", "2026-06-02 00:00:00")
        assert [one.removed for one in verify(empty_store).producers] == [0, 0]

    def test_an_archive_from_before_a_producer_holds_only_its_beginning(self, empty_store: Any) -> None:
        """A gap behind its first row is newer than anything that left."""
        numbered(empty_store, "p1", 1, 4)
        archived(empty_store, "archived", 50, "2026-02-01")
        assert verify(empty_store).producers[0].unexplained == 2

    @pytest.mark.parametrize(("days", "unexplained"), [(30, 0), (32, 2)])
    def test_an_archive_is_no_excuse_for_new_producers(
        self, empty_store: Any, days: int, unexplained: int
    ) -> None:
        """However much it took: whose first row is far younger did not begin among it."""
        archived(empty_store, "archived", 10_000_000, "2026-02-01")
        numbered(empty_store, "p1", 3, 4, day=f"{at('2026-02-01') + timedelta(days=days):%Y-%m-%d}")
        assert [one.unexplained for one in verify(empty_store).producers] == [unexplained]

    def test_erased(self, empty_store: Any) -> None:
        """An erasure leaves gaps anywhere; only so many as it erased, and only once it is finished."""
        numbered(empty_store, "p1", 1, 5)
        erasure = {
            "Erasure": "01890a5d-ac96-774b-bcce-b302099a8051", "State": "begun", "At": "2026-04-01 00:00:00",
            "BegunAt": "2026-04-01 00:00:00", "TableRows": {"activity_events": 2},
        }  # fmt: skip
        put(empty_store, erasure, table="activity_erasures")
        assert verify(empty_store).producers[0].unexplained == 3
        put(empty_store, {**erasure, "State": "finished"}, table="activity_erasures")
        found = verify(empty_store)
        assert (found.producers[0].removed, found.producers[0].unexplained) == (2, 1)
        assert str(found.removals[0]) == "2 events from before 2026-04-01 00:00 UTC were erased"

    @pytest.mark.parametrize(("age_days", "unexplained"), [(12, 0), (1, 0), (-1, 0)])
    def test_retention_takes_the_beginning(self, migrated_client: Any, age_days: int, unexplained: int) -> None:
        """Of a producer whose rows reach back to where rows are dropped; never what is in between."""
        apply(migrated_client, parse_store({"retention_days": 100}))
        migrated_client.command("SYSTEM STOP TTL MERGES activity_events")
        day = f"{datetime.now(UTC) - timedelta(days=100 - age_days):%Y-%m-%d}"
        numbered(migrated_client, "p1", 7, 8, day=day)
        found = verify(migrated_client)
        assert [(one.missing, one.unexplained) for one in found.producers] == [(6, unexplained)]
        numbered(migrated_client, "p1", 10, day=day)
        assert [one.unexplained for one in verify(migrated_client).producers] == [unexplained + 1]

    def test_retention_is_no_excuse_for_new_producers(self, migrated_client: Any) -> None:
        """Whose first row is far younger than what retention has reached."""
        apply(migrated_client, parse_store({"retention_days": 100}))
        numbered(migrated_client, "p1", 7, day=f"{datetime.now(UTC) - timedelta(days=20):%Y-%m-%d}")
        assert [one.unexplained for one in verify(migrated_client).producers] == [6]

    def test_short_retention_is_no_excuse_either(self, migrated_client: Any) -> None:
        """Of 16 days it is two that a producer may have been silent."""
        apply(migrated_client, parse_store({"retention_days": 16}))
        now = datetime.now(UTC)
        for producer, age_hours in (("p1", 15 * 24), ("p2", 13 * 24)):
            time = f"{now - timedelta(hours=age_hours):%Y-%m-%d %H:%M:%S}"
            put(migrated_client, row(time, "a.b", Producer=producer, Seq=7))
        found = {one.producer: one.unexplained for one in verify(migrated_client).producers}
        assert found == {"p1": 0, "p2": 6}

    def test_retention_leaves_counters(self, migrated_client: Any) -> None:
        """They are older than any event, and the numbers between them were events; behind them none may lack."""
        apply(migrated_client, parse_store({"retention_days": 80}))
        migrated_client.command("SYSTEM STOP TTL MERGES activity_events")
        for number, age in ((2, 300), (4, 200), (6, 100), (9, 60)):
            counted(migrated_client, "p1", number, day=days_ago(age))
        numbered(migrated_client, "p1", 7, day=days_ago(79))
        numbered(migrated_client, "p1", 10, day=days_ago(1))
        found = verify(migrated_client)
        assert [(one.missing, one.removed, one.unexplained) for one in found.producers] == [(4, 3, 1)]
        numbered(migrated_client, "p1", 8, day=days_ago(70))
        assert verify(migrated_client).complete

    def test_retention_has_taken_all_events(self, migrated_client: Any) -> None:
        """What is before an old counter may have left; what is before a new one only has not."""
        apply(migrated_client, parse_store({"retention_days": 80}))
        counted(migrated_client, "p1", 3, day=days_ago(200))
        counted(migrated_client, "p1", 5, day=days_ago(71))
        found = verify(migrated_client)
        assert [(one.missing, one.removed, one.unexplained) for one in found.producers] == [(3, 3, 0)]
        counted(migrated_client, "p1", 8, day=days_ago(60))
        assert [one.unexplained for one in verify(migrated_client).producers] == [2]

    def test_a_silence_between_old_counters_and_the_first_event(self, migrated_client: Any) -> None:
        """Longer than an eighth of the days: what is missing behind the counters did not leave by retention."""
        apply(migrated_client, parse_store({"retention_days": 80}))
        counted(migrated_client, "p1", 3, day=days_ago(200))
        numbered(migrated_client, "p1", 6, day=days_ago(20))
        found = verify(migrated_client)
        assert [(one.missing, one.removed, one.unexplained) for one in found.producers] == [(4, 2, 2)]

    @pytest.mark.parametrize(("seq", "age", "unexplained"), [(2, 200, 2), (0, 200, 2), (11, 1, 0), (0, 1, 0)])
    def test_losses_from_before_retention_are_of_what_it_took(
        self, migrated_client: Any, seq: int, age: int, unexplained: int
    ) -> None:
        """New gaps are explained by what was counted as lost since; old ones may have left anyway."""
        apply(migrated_client, parse_store({"retention_days": 80}))
        migrated_client.command("SYSTEM STOP TTL MERGES activity_events")
        counted(migrated_client, "p1", 4, day=days_ago(150))
        numbered(migrated_client, "p1", 6, 7, day=days_ago(79))
        numbered(migrated_client, "p1", 10, day=days_ago(1))
        lost(migrated_client, "p1", "expired", 2, seq, day=days_ago(age))
        found = verify(migrated_client)
        assert [one.unexplained for one in found.producers] == [unexplained]

    def test_what_was_delivered_since_is_of_what_was_lost_since(self, migrated_client: Any) -> None:
        """Old losses whose gaps retention may have taken are no others that it could be of."""
        apply(migrated_client, parse_store({"retention_days": 80}))
        lost(migrated_client, "p1", "permanent", 1, 2, day=days_ago(200))
        counted(migrated_client, "p1", 3, day=days_ago(150))
        numbered(migrated_client, "p1", 4, 6, day=days_ago(1))
        lost(migrated_client, "p1", "permanent", 1, 7, day=days_ago(1))
        lost(migrated_client, "p1", "redelivered", 1, 0, day=days_ago(1))
        (one,) = verify(migrated_client).producers
        assert (one.missing, one.removed, one.counted, one.unexplained) == (2, 1, 0, 1)

    def test_losses_explain_what_cannot_have_left(self, empty_store: Any) -> None:
        """The beginning is in an archive, and what was lost behind it was counted."""
        archived(empty_store, "archived", 10, "2026-02-28")
        numbered(empty_store, "p1", 11, 14)
        lost(empty_store, "p1", "expired", 2, 15)
        (one,) = verify(empty_store).producers
        assert (one.counted, one.removed, one.unexplained) == (2, 10, 0)


_BEFORE, _AFTER = "2026-02-20", "2026-03-10"
_RANGE = {"since": at(_DAY), "until": at("2026-03-02")}


def in_range(client: Any, **other: datetime) -> tuple[int, int, int]:
    """Of one producer: missing, counted, unexplained."""
    range_: dict[str, Any] = {**(other or _RANGE)}
    (one,) = verify(client, **range_).producers
    return one.missing, one.counted, one.unexplained


class TestLossesAroundARange:
    """Losses are counts: those of numbers outside of a range explain nothing in it."""

    def test_losses_of_earlier_numbers(self, empty_store: Any) -> None:
        """They were reported before the range began."""
        numbered(empty_store, "p1", 1, 4, day=_BEFORE)
        lost(empty_store, "p1", "spool_full", 2, 5, day=_BEFORE)
        numbered(empty_store, "p1", 6, 9)
        assert in_range(empty_store) == (2, 0, 2)
        assert in_range(empty_store, since=at(_DAY)) == (2, 0, 2)
        assert in_range(empty_store, until=at("2026-03-02")) == (4, 2, 2)

    @pytest.mark.parametrize("first", [1, 3])
    def test_losses_of_earlier_numbers_that_were_told_later(self, empty_store: Any, first: int) -> None:
        """A gap before the range needs them, at the beginning of a producer as well."""
        numbered(empty_store, "p1", first, 5, day=_BEFORE)
        numbered(empty_store, "p1", 6, 9)
        lost(empty_store, "p1", "spool_full", 3, 10)
        assert in_range(empty_store) == (2, 0, 2)
        lost(empty_store, "p1", "spool_full", 1, 11)
        assert in_range(empty_store) == (2, 1, 1)

    def test_losses_of_much_earlier_numbers(self, migrated_client: Any) -> None:
        """More than three days before the range, where the first event that is near is not the first one."""
        apply(migrated_client, parse_store({"retention_days": 80}))
        migrated_client.command("SYSTEM STOP TTL MERGES activity_events")
        numbered(migrated_client, "p1", 1, day=days_ago(79))
        numbered(migrated_client, "p1", 4, 7, day=days_ago(71))
        lost(migrated_client, "p1", "expired", 2, 8, day=days_ago(70))
        assert in_range(migrated_client, since=at(days_ago(72))) == (2, 0, 2)

    def test_losses_of_the_range_that_were_told_later(self, empty_store: Any) -> None:
        """Nothing else is missing, so they are of it."""
        numbered(empty_store, "p1", 1, day=_BEFORE)
        numbered(empty_store, "p1", 2, 5)
        lost(empty_store, "p1", "expired", 2, 6, day=_AFTER)
        assert in_range(empty_store) == (2, 2, 0)

    def test_losses_of_later_numbers(self, empty_store: Any) -> None:
        """Gaps behind the range need what was told behind it, and nothing that was told before."""
        numbered(empty_store, "p1", 1, 4)
        lost(empty_store, "p1", "expired", 1, 5)
        numbered(empty_store, "p1", 6, 9, day=_AFTER)
        lost(empty_store, "p1", "expired", 2, 10, day=_AFTER)
        assert in_range(empty_store) == (2, 1, 1)
        lost(empty_store, "p1", "expired", 1, 11, day=_AFTER)
        assert in_range(empty_store) == (2, 2, 0)

    def test_what_is_on_its_way_needs_no_losses(self, empty_store: Any) -> None:
        """Where nobody says until when, numbers of the last minute are not missing yet."""
        now = datetime.now(UTC)
        for number, age in ((1, 300), (4, 200), (9, 1)):
            time = (now - timedelta(seconds=age)).strftime("%Y-%m-%d %H:%M:%S")
            put(empty_store, row(time, "a.b", Producer="p1", Seq=number))
        lost(empty_store, "p1", "expired", 2, 10, day=f"{now + timedelta(days=1):%Y-%m-%d}")
        assert in_range(empty_store, since=now - timedelta(days=1)) == (2, 2, 0)

    @pytest.mark.parametrize(("day", "counted"), [(_BEFORE, 0), (_DAY, 2), (_AFTER, 2)])
    def test_losses_of_a_dead_process(self, empty_store: Any, day: str, counted: int) -> None:
        """Who found its events tells of them, without a number: it is by its time that it is of earlier ones."""
        numbered(empty_store, "p1", 1, 2, day=_BEFORE)
        numbered(empty_store, "p1", 3, 6)
        lost(empty_store, "p1", "expired", 2, 0, day=day)
        assert in_range(empty_store) == (2, counted, 2 - counted)

    def test_gaps_around_it_that_left_on_purpose_need_none(self, empty_store: Any) -> None:
        """An erasure took what is missing before the range."""
        numbered(empty_store, "p1", 1, 4, day=_BEFORE)
        numbered(empty_store, "p1", 5, 8)
        lost(empty_store, "p1", "expired", 2, 9)
        assert in_range(empty_store) == (2, 0, 2)
        erasure = {
            "Erasure": "01890a5d-ac96-774b-bcce-b302099a8051", "State": "finished", "At": "2026-02-25 00:00:00",
            "BegunAt": "2026-02-25 00:00:00", "TableRows": {"activity_events": 2},
        }  # fmt: skip
        put(empty_store, erasure, table="activity_erasures")
        assert in_range(empty_store) == (2, 2, 0)

    @pytest.mark.parametrize(("refused", "expired"), [(_BEFORE, 2), (_DAY, 0)])
    def test_what_was_delivered_later(self, empty_store: Any, refused: str, expired: int) -> None:
        """Is taken off the losses that no gap is left of: earlier ones, and of the range what remains."""
        report, other = (3, 8) if refused == _BEFORE else (8, 3)
        numbered(empty_store, "p1", 1, 2, day=_BEFORE)
        lost(empty_store, "p1", "permanent", 2, report, day=refused)
        numbered(empty_store, "p1", other, day=_DAY if other == 8 else _BEFORE)
        numbered(empty_store, "p1", 4, 7)
        lost(empty_store, "p1", "redelivered", 2, 0, day=_AFTER)
        lost(empty_store, "p1", "expired", expired, 9)
        assert in_range(empty_store) == (2, expired, 2 - expired)

    def test_an_empty_range(self, empty_store: Any) -> None:
        """Is no question that could have a good answer."""
        said = r"between since \(2026-06-01 .* and until \(2026-05-01 .* a since that is before until"
        with pytest.raises(QueryError, match=said):
            verify(empty_store, since=at("2026-06-01"), until=at("2026-05-01"))
        with pytest.raises(QueryError):
            verify(empty_store, since=datetime.now(UTC))
