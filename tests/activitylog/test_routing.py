"""Which exporter gets which record, and what becomes of the counts of two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult

from activitylog.event import COUNTER_EVENT_NAME
from activitylog.provider import AccountedExporter, Interruptible, ReportsLosses
from activitylog.routing import AccountableExporter, CountersApart
from tests.exporters_for_tests import GatedExporter, ScriptedExporter
from tests.otel_clickhouse.records import record

SUCCESS, FAILURE = LogRecordExportResult.SUCCESS, LogRecordExportResult.FAILURE
EVENTS = [record({"n": n}, event_name="page.viewed") for n in range(3)]
COUNTERS = [record({"n": n}, event_name=COUNTER_EVENT_NAME) for n in range(2)]
MIXED = [EVENTS[0], COUNTERS[0], EVENTS[1], COUNTERS[1], EVENTS[2]]


class Half(ScriptedExporter):
    """One of the two, which keeps the batch itself and what else it is told."""

    def __init__(self, *script: object) -> None:
        super().__init__(*script)
        self.given: list[Sequence[ReadableLogRecord]] = []
        self.flushes: list[int] = []
        self.interrupts = 0

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        self.given.append(batch)
        return super().export(batch)

    def interrupt(self) -> None:
        self.interrupts += 1

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        self.flushes.append(timeout_millis)
        return not self.script


class TestRouting:
    def test_a_batch_without_counters_is_not_copied(self) -> None:
        """The very batch goes on, and nobody else hears of it."""
        events, counters = Half(), Half()
        assert CountersApart(events=events, counters=counters).export(EVENTS) is SUCCESS
        assert events.given[0] is EVENTS
        assert counters.given == []

    def test_a_batch_is_split_in_order(self) -> None:
        """Every record goes one way, by its name."""
        events, counters = Half(), Half()
        assert CountersApart(events=events, counters=counters).export(MIXED) is SUCCESS
        assert (events.given, counters.given) == ([EVENTS], [COUNTERS])

    def test_counters_alone(self) -> None:
        """A quiet process sends no empty batches of events."""
        events, counters = Half(), Half()
        assert CountersApart(events=events, counters=counters).export(COUNTERS) is SUCCESS
        assert (events.given, counters.given) == ([], [COUNTERS])


class TestLosses:
    @pytest.mark.parametrize(
        ("events", "counters", "result", "dropped", "delivered"),
        [
            ((), ({"deadline": 2},), FAILURE, {"deadline": 2}, 3),
            (({"deadline": 1, "encode": 1},), (), FAILURE, {"deadline": 1, "encode": 1}, 3),
            (({"deadline": 3},), ({"deadline": 1},), FAILURE, {"deadline": 4}, 1),
        ],
    )  # fmt: skip
    def test_each_half_counts_its_own(
        self,
        events: tuple[object, ...],
        counters: tuple[object, ...],
        result: LogRecordExportResult,
        dropped: dict[str, int],
        delivered: int,
    ) -> None:
        """What one half loses is no loss of the other, and the sums are those of the batch."""
        exporter = CountersApart(events=Half(*events), counters=Half(*counters))
        accounted = AccountedExporter(lambda: exporter, "test")
        assert accounted.export(MIXED) is result
        assert exporter.dropped() == dropped == accounted.lost
        assert accounted.delivered == delivered

    def test_counters_go_on_without_the_events(self) -> None:
        """A table that refuses events does not cost the exact totals, nor the other way round."""
        events, counters = Half({"permanent": 3}), Half()
        CountersApart(events=events, counters=counters).export(MIXED)
        assert counters.batches == [COUNTERS]


class TestBoth:
    def test_what_is_told_reaches_both(self) -> None:
        """Interrupt and shutdown; neither half is left waiting or open."""
        halves = Half(), Half()
        exporter = CountersApart(events=halves[0], counters=halves[1])
        exporter.interrupt()
        exporter.shutdown()
        assert [(half.interrupts, half.shutdowns) for half in halves] == [(1, 1), (1, 1)]

    @pytest.mark.parametrize("busy", [0, 1])
    def test_flushed_when_both_are(self, busy: int) -> None:
        """One half that is not idle is enough for no, and the time is that of both together."""
        halves = [Half(), Half()]
        exporter = CountersApart(events=halves[0], counters=halves[1])
        assert exporter.force_flush(500)
        halves[busy].script = ["more"]
        assert not exporter.force_flush(500)
        assert halves[0].flushes == [500, 500]
        assert all(0 <= millis <= 500 for millis in halves[1].flushes)

    def test_it_reports_and_can_be_interrupted(self) -> None:
        """The pipeline asks for both by these protocols."""
        exporter = CountersApart(events=GatedExporter(), counters=GatedExporter())
        assert isinstance(exporter, ReportsLosses)
        assert isinstance(exporter, Interruptible)


if TYPE_CHECKING:

    def _conformance(half: GatedExporter, both: CountersApart) -> tuple[AccountableExporter, AccountableExporter]:
        return half, both
