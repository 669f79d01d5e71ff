"""Planted faults in the numbers of sampled events, and exactly the finding that each should have."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from activitylog.store.doctor import Examined, Finding
from activitylog.store.doctor.examination import run
from activitylog.store.doctor.finding import AnyCheck
from activitylog.store.doctor.sampled import KEPT, UNCOUNTED, WEIGHTS
from activitylog.store.watch import Database

#: Two hours ago: by then all rows have arrived.
PAST = "now64(9) - INTERVAL 2 HOUR"


def put(client: Any, table: str, columns: str, values: str, rows: int = 1) -> None:
    """Rows; ``number`` counts them."""
    client.command(f"INSERT INTO {table} ({columns}) SELECT {values} FROM numbers({rows})")


def count(
    client: Any, events: int, *, time: str = PAST, seq: int = 1000, reason: str = "", times: int = 1
) -> None:
    """What the producer ``p`` says that it kept, or why not."""
    values = f"toStartOfMinute({time}), 'viewed', 'p', {seq}, {events}, '{reason}'"
    put(client, "activity_counters", "Minute, EventName, Producer, Seq, EventCount, Reason", values, times)


def events(client: Any, rows: int, *, time: str = PAST, weight: str = "1", producer: str = "p") -> None:
    """Rows of that producer, of two events each."""
    columns = "Timestamp, EventName, Producer, Seq, EventCount, SampleWeight, ServiceName"
    put(
        client,
        "activity_events",
        columns,
        f"{time}, 'viewed', '{producer}', number + 1, 2, {weight}, 'shop'",
        rows,
    )


def found(client: Any, check: AnyCheck) -> Finding:
    """What one check says."""
    return run(check, Examined(database=Database(client)))


class TestKept:
    def test_all_here(self, migrated_client: Any) -> None:
        """Events after roll-up are what is compared, and counters that came twice count once."""
        events(migrated_client, 5)
        count(migrated_client, 10, times=2)
        count(migrated_client, 90, seq=1001, reason="sample")
        finding = found(migrated_client, KEPT)
        assert (finding.is_problem, finding.found) == (False, "every event that was counted as kept is here")

    def test_lost_on_the_way(self, migrated_client: Any) -> None:
        """Kept, counted and not here: so many, whose, and where to look; the command runs."""
        events(migrated_client, 5)
        count(migrated_client, 13)
        finding = found(migrated_client, KEPT)
        assert finding.found == "3 events of 1 producer were counted as kept and are not here"
        assert finding.details == ("producer p: 13 kept, 10 here, most of it viewed",)
        sql = next(word for word in shlex.split(finding.do[0]) if " " in word)
        assert [row[1:] for row in migrated_client.query(sql).result_rows] == [("viewed", 13)]

    @pytest.mark.parametrize("time", ["now64(9) - INTERVAL 30 MINUTE", "now64(9) - INTERVAL 3 DAY"])
    def test_not_looked_at(self, migrated_client: Any, time: str) -> None:
        """Rows of the last hour may be on their way; what is older than a day was looked at before."""
        events(migrated_client, 5)
        count(migrated_client, 100, time=time)
        assert not found(migrated_client, KEPT).is_problem

    def test_times_of_the_application(self, migrated_client: Any) -> None:
        """An import counts now what happened years ago, and nothing of it is missing."""
        events(migrated_client, 5, time="toDateTime64('2020-02-01 00:00:00', 9, 'UTC')")
        events(migrated_client, 1, producer="other")
        count(migrated_client, 10)
        assert not found(migrated_client, KEPT).is_problem

    def test_producers_without_counters(self, migrated_client: Any) -> None:
        """Nobody said how many there should be."""
        events(migrated_client, 5, producer="other")
        assert not found(migrated_client, KEPT).is_problem


class TestWeights:
    @pytest.mark.parametrize("weight", ["0.05", "-1", "0", "nan", "inf"])
    def test_no_weight(self, migrated_client: Any, weight: str) -> None:
        """The share that is kept, instead of its inverse; what is no number; all the same fault."""
        events(migrated_client, 4, weight="20")
        events(migrated_client, 2, weight=weight)
        finding = found(migrated_client, WEIGHTS)
        assert "2 rows of 1 event since" in finding.found
        assert finding.details == ("viewed: 2 rows",)
        sql = next(word for word in shlex.split(finding.do[0]) if " " in word)
        assert [row[:4] for row in migrated_client.query(sql).result_rows] == [("shop", "p", "", 2)]

    def test_weights(self, migrated_client: Any) -> None:
        """1 and more is one."""
        events(migrated_client, 3)
        events(migrated_client, 3, weight="1.5")
        assert not found(migrated_client, WEIGHTS).is_problem


class TestUncounted:
    def test_no_counters(self, migrated_client: Any) -> None:
        """Sampled rows of a process that sends no counters, by its service."""
        events(migrated_client, 3, weight="20")
        events(migrated_client, 3, weight="20", producer="q")
        count(migrated_client, 6)
        finding = found(migrated_client, UNCOUNTED)
        assert finding.found == "1 producer sent sampled rows and no exact counters: activity_totals lacks them"
        assert finding.details == ("shop: 3 sampled rows of 1 producer",)
        assert finding.do[0] == "activitylog schema apply --url URL"

    def test_nothing_sampled(self, migrated_client: Any) -> None:
        """Whoever keeps everything needs no counters, and a process that just began has sent none yet."""
        events(migrated_client, 3)
        events(migrated_client, 3, weight="20", producer="new", time="now64(9) - INTERVAL 5 MINUTE")
        assert not found(migrated_client, UNCOUNTED).is_problem


@pytest.mark.parametrize("check", [KEPT, WEIGHTS, UNCOUNTED])
def test_without_events(migrated_client: Any, check: AnyCheck) -> None:
    """An empty store is skipped, in words."""
    assert found(migrated_client, check).found == "there are no events"
