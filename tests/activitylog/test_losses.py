"""What destinations lose becomes counters: each loss once, in the destinations, across processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs.export import LogRecordExportResult

from activitylog.event import COUNTER_EVENT_NAME
from activitylog.losses import Deltas, LossReporter, loss_attributes, reason_code
from activitylog.pipeline import Pipeline
from activitylog.provider import BoundedProcessor
from activitylog.routing import NO_PLACE
from activitylog.settings import Settings
from activitylog.spooling import SpooledDestination
from activitylog.stats import Loss
from tests.exporters_for_tests import GatedExporter, ScriptedExporter
from tests.otel_spool.spools import Backend
from tests.waiting import wait_until

FAILURE = LogRecordExportResult.FAILURE


class Place:
    """A destination that loses what the test says."""

    def __init__(self, name: str = "there:") -> None:
        self.name = name
        self.losses: list[Loss] = []
        self.full = False

    def has_room(self, records: int) -> bool:
        return not self.full

    def take_losses(self) -> Sequence[Loss]:
        taken, self.losses = self.losses, []
        return taken


class Reported:
    """A reporter, and what it has emitted."""

    def __init__(self, *places: Place) -> None:
        self.rows: list[tuple[str, str | None, str, int]] = []
        self.reporter = LossReporter(places, self._emit, clock=lambda: 90_000_000_000)

    def _emit(self, values: dict[str, Any], producer: str | None) -> None:
        rule, reason = values["activity.sample.rule"], values["activity.counter.reason"]
        self.rows.append((rule, producer, reason, values["activity.count"]))

    def taken(self, *, final: bool = False) -> list[tuple[str, str | None, str, int]]:
        self.reporter.report(final=final)
        rows, self.rows = self.rows, []
        return rows


class TestReporter:
    def test_each_loss_is_reported_once(self) -> None:
        """By destination, producer and reason, summed."""
        place = Place()
        reported = Reported(place)
        place.losses = [Loss(None, "expired", 2), Loss(None, "expired", 1), Loss("dead", "corrupt", 5)]
        assert reported.taken() == [("there:", None, "expired", 3), ("there:", "dead", "corrupt", 5)]
        assert reported.taken() == []

    def test_what_reports_lose_begins_no_report(self) -> None:
        """As many losses as there were rows may be the rows: they wait for others, or for the end."""
        place = Place()
        reported = Reported(place)
        place.losses = [Loss(None, "queue_full", 100)]
        assert reported.taken() == [("there:", None, "queue_full", 100)]
        for _ in range(3):
            place.losses = []
            assert reported.taken() == []
        place.losses = [Loss(None, "queue_full", 1)]  # the row
        assert reported.taken() == []
        place.losses = [Loss(None, "queue_full", 7)]  # and events
        assert reported.taken() == [("there:", None, "queue_full", 8)]
        place.losses = [Loss(None, "queue_full", 1)]
        assert reported.taken() == []
        assert reported.taken(final=True) == [("there:", None, "queue_full", 1)]
        assert reported.taken(final=True) == []

    def test_rows_go_everywhere_so_they_may_be_lost_everywhere(self) -> None:
        """A row about one destination that another one loses begins no report either."""
        losing, other = Place("losing:"), Place("other:")
        reported = Reported(losing, other)
        losing.losses = [Loss(None, "expired", 5)]
        assert reported.taken() == [("losing:", None, "expired", 5)]
        other.losses = [Loss(None, "permanent", 1)]
        assert reported.taken() == []

    def test_nothing_is_taken_while_a_destination_would_block(self) -> None:
        """It is told of later."""
        place = Place()
        reported = Reported(place)
        place.losses, place.full = [Loss(None, "spool_full", 5)], True
        assert reported.taken() == []
        assert place.losses == [Loss(None, "spool_full", 5)]  # where it outlives this process
        place.full = False
        assert reported.taken() == [("there:", None, "spool_full", 5)]

    def test_a_report_is_bounded(self) -> None:
        """A hundred rows; the others come next."""
        place = Place()
        reported = Reported(place)
        place.losses = [Loss(f"producer {number}", "corrupt", 10) for number in range(250)]
        sizes = [len(reported.taken()) for _ in range(4)]
        assert sizes == [100, 100, 50, 0]

    def test_counters_without_a_place_are_no_losses_of_events(self) -> None:
        """A store that takes no counters is not told so by counters."""
        place = Place()
        place.losses = [Loss(None, NO_PLACE, 50)]
        assert Reported(place).taken(final=True) == []

    def test_reasons_are_few(self) -> None:
        """What an exporter says behind a reason is for people."""
        assert reason_code("encode: the body of order 7") == "encode"
        assert reason_code("permanent") == "permanent"
        assert reason_code("") == "unknown"
        assert len(reason_code("x" * 1000)) == 64

    def test_the_row_is_of_the_minute(self) -> None:
        """As all counters are."""
        assert loss_attributes("there:", "expired", 5, 90_000_000_001)["timestamp"] == 60_000_000_000


def test_deltas_tell_each_growth_once() -> None:
    """Of counts that only grow."""
    deltas = Deltas()
    assert deltas.of({"a": 2}) == [Loss(None, "a", 2)]
    assert deltas.of({"a": 2}) == []
    assert deltas.of({"a": 5, "b": 1}) == [Loss(None, "a", 3), Loss(None, "b", 1)]


def values_of(record: Any) -> dict[str, Any]:
    """The attributes of a record."""
    return dict(record.log_record.attributes)


def counters(records: Sequence[Any]) -> Counter[tuple[str, str]]:
    """Counted losses by destination and reason."""
    found: Counter[tuple[str, str]] = Counter()
    for record in records:
        if record.log_record.event_name == COUNTER_EVENT_NAME:
            values = values_of(record)
            assert "activity.counter.event" not in values
            key = values["activity.sample.rule"], values["activity.counter.reason"]
            found[key] += values["activity.count"]
    return found


@pytest.fixture
def made() -> Iterator[list[Pipeline]]:
    """Pipelines that are shut down at the end."""
    pipelines: list[Pipeline] = []
    yield pipelines
    for pipeline in pipelines:
        pipeline.shutdown(5)


class TestPipeline:
    def test_a_full_queue_is_a_row_without_any_rules(self, made: list[Pipeline]) -> None:
        """What was refused for want of room is counted in the destination, at the next flush."""
        exporter = GatedExporter()
        settings = Settings(max_queue_size=10, max_export_batch_size=5)
        pipeline = Pipeline(settings, destinations=[BoundedProcessor(lambda: exporter, "there:", settings)])
        made.append(pipeline)
        for _ in range(30):
            pipeline.submit("info", "a.b", {})
        exporter.gate.set()
        wait_until(lambda: pipeline.flush(5).complete)
        pipeline.flush(5)
        records = [record for batch in exporter.batches for record in batch]
        lost = pipeline.stats().destinations["there:"].dropped["queue_full"]
        assert counters(records) == {("there:", "queue_full"): lost}
        events = [r for r in records if r.log_record.event_name == "a.b"]
        assert len(events) + lost == 30

    def test_the_working_destination_tells_of_the_other(self, made: list[Pipeline]) -> None:
        """Two destinations, one of which fails: its losses are rows in the other one."""
        failing, working = ScriptedExporter(*[FAILURE] * 100), ScriptedExporter()
        settings = Settings()
        pipeline = Pipeline(
            settings,
            destinations=[
                BoundedProcessor(lambda: failing, "failing:", settings),
                BoundedProcessor(lambda: working, "working:", settings),
            ],
        )
        made.append(pipeline)
        for _ in range(7):
            pipeline.submit("info", "a.b", {})
        pipeline.flush(5)
        pipeline.flush(5)
        records = [record for batch in working.batches for record in batch]
        assert counters(records) == {("failing:", "export_failed"): 7}

    def test_sequence_numbers_and_losses_add_up(self, made: list[Pipeline]) -> None:
        """Every number of the producer is a row, or is counted as lost: what a store can be asked for."""
        exporter = ScriptedExporter(FAILURE, LogRecordExportResult.SUCCESS, FAILURE)
        settings = Settings(max_export_batch_size=10)
        pipeline = Pipeline(settings, destinations=[BoundedProcessor(lambda: exporter, "there:", settings)])
        made.append(pipeline)
        for _ in range(35):
            pipeline.submit("info", "a.b", {})
        for _ in range(3):
            pipeline.flush(5)
        records = [record for batch in exporter.batches for record in batch]
        numbers = {values_of(record)["activity.seq"] for record in records}
        assert max(numbers) - len(numbers) == sum(counters(records).values()) > 0

    def test_nobody_is_told_where_counters_are_off(self, made: list[Pipeline]) -> None:
        """``counters = false`` means these, too."""
        exporter = ScriptedExporter(FAILURE)
        settings = Settings(counters=False)
        pipeline = Pipeline(settings, destinations=[BoundedProcessor(lambda: exporter, "there:", settings)])
        made.append(pipeline)
        pipeline.submit("info", "a.b", {})
        pipeline.flush(5)
        pipeline.flush(5)
        assert exporter.batches == []

    def test_a_backend_that_refuses_everything_is_told_a_bounded_number_of_times(
        self, made: list[Pipeline], tmp_path: Path
    ) -> None:
        """Reports that are refused, too, end by themselves."""
        backend = Backend()
        settings = Settings(schedule_delay_millis=10)
        destination = SpooledDestination(lambda: backend, "there:", tmp_path / "s", "process", settings)
        pipeline = Pipeline(settings, destinations=[destination])
        made.append(pipeline)
        backend.refuses = frozenset({"None"})  # the body of all that has none
        for _ in range(5):
            pipeline.submit("info", "a.b", {})
        for _ in range(10):
            destination.flush_within(10)
            pipeline._losses.report()
        stats = pipeline.stats()
        assert stats.destinations["there:"].dropped == {"permanent": 5 + stats.counted}
        assert stats.counted == 1

    def test_a_spool_reports_by_producer(self, made: list[Pipeline], tmp_path: Path) -> None:
        """Its own losses under its own number, those of a dead process under that one's name."""
        dead = Backend()
        settings = Settings(schedule_delay_millis=10)
        first = SpooledDestination(lambda: dead, "there:", tmp_path / "s", "process", settings)
        died = Pipeline(settings, destinations=[first])
        died.shutdown(5)
        for _ in range(3):
            died.submit("info", "a.b", {"message": "too old"})
        first.shutdown_within(1)
        first._processor.spool.close()
        backend = Backend()
        old = Settings(schedule_delay_millis=10, spool_max_age_seconds=1e-9)
        second = SpooledDestination(lambda: backend, "there:", tmp_path / "s", "process", old)
        pipeline = Pipeline(old, destinations=[second])
        made.append(pipeline)
        backend.refuses = frozenset({"poison"})
        pipeline.submit("info", "a.b", {"message": "poison"})
        assert pipeline.flush(10).complete
        second._processor.spool.adopted.take()
        wait_until(lambda: pipeline.stats().destinations["there:"].recovered_dropped)
        assert pipeline.flush(10).complete
        rows = {
            values_of(record)["activity.counter.reason"]: values_of(record)
            for record in backend.records
            if record.log_record.event_name == COUNTER_EVENT_NAME
        }
        assert rows["expired"]["activity.count"] == 3
        assert rows["expired"]["activity.producer"] == died._render._producer.name
        assert "activity.seq" not in rows["expired"]
        assert rows["permanent"]["activity.producer"] == pipeline._render._producer.name
        assert rows["permanent"]["activity.seq"] > 1


_LOSE_AND_DIE = """
import os, signal, sys, activitylog
activitylog.configure(
    sys.argv[1], service_name="shop", schedule_delay_millis=60_000, spool_max_bytes=8 * 2**20,
    max_value_bytes=2**20, max_event_bytes=2**21, max_queue_size=1, max_export_batch_size=1, create_schema=False,
)
for number in range(20):
    activitylog.emit("order.paid", text="x" * 1_000_000)
print(sum(activitylog.stats().destinations[sys.argv[1]].dropped.values()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
_RECOVER = """
import json, sys, time, activitylog
from activitylog.store import connect

LOST = (
    "SELECT Producer, sum(EventCount) FROM activity_counters WHERE EventName = '' AND Reason = 'spool_full' "
    "GROUP BY Producer"
)
KEPT = "SELECT count() FROM activity_events WHERE EventName = 'order.paid'"

activitylog.configure(sys.argv[1], service_name="shop")
activitylog.emit("order.seen")
activitylog.flush(60)
client = connect(sys.argv[1])
end = time.monotonic() + 240
while time.monotonic() < end:
    activitylog.flush(60)
    lost, kept = client.query(LOST).result_rows, client.query(KEPT).result_rows
    if lost and lost[0][1] + kept[0][0] >= 20:
        break
print(json.dumps([lost, kept]))
client.close()
activitylog.shutdown(30)
"""


@pytest.mark.slow
def test_losses_of_a_killed_process_are_rows_of_the_store(tmp_path: Path) -> None:
    """It dropped events from a full spool and was killed before it told: the next one does, and it adds up."""
    environment = {**os.environ, "ACTIVITYLOG_SPOOL_DIRECTORY": str(tmp_path / "spools")}
    url = f"chdb://{tmp_path}/store"

    def ran(code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, url],
            capture_output=True, text=True, timeout=300, check=False, env=environment,
        )  # fmt: skip

    died = ran(_LOSE_AND_DIE)
    assert died.returncode == -9, died.stderr
    lost = int(died.stdout)
    assert lost > 0
    recovered = ran(_RECOVER)
    assert recovered.returncode == 0, recovered.stderr
    ((producer, counted),), ((kept,),) = json.loads(recovered.stdout)
    assert (counted, kept) == (lost, 20 - lost)
    assert len(producer) == 11
