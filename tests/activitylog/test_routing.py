"""Which exporter gets which record, and what becomes of the counts of two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult

from activitylog.event import COUNTER_EVENT_NAME
from activitylog.exceptions import SchemaError
from activitylog.provider import AccountedExporter, Interruptible, ReportsLosses
from activitylog.routing import AccountableExporter, CountersApart, CountersPlace
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


class Store:
    """Answers whether counters can be stored, in turn, then the last answer for good; a clock of its own."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.now = 1000.0

    def check(self) -> None:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is not None:
            raise answer

    def place(self) -> CountersPlace:
        return CountersPlace(self.check, clock=lambda: self.now)


LACKS = SchemaError("There is no view.", hint="Run: activitylog schema apply --url URL.")


class TestNoPlace:
    """A store that has no place for counters."""

    def test_given_up_at_once_and_counted(self, caplog: pytest.LogCaptureFixture) -> None:
        """Events go on, counters are lost with a reason of their own, the log has the command, once."""
        events, counters = Half(), Half()
        store = Store(LACKS)
        exporter = CountersApart(events=events, counters=counters, place=store.place())
        accounted = AccountedExporter(lambda: exporter, "test")
        assert [accounted.export(batch) for batch in (MIXED, COUNTERS, EVENTS)] == [FAILURE, FAILURE, SUCCESS]
        assert accounted.lost == exporter.dropped() == {"no_counters_table": 4}
        assert accounted.delivered == 6
        assert (events.given, counters.given) == ([EVENTS, EVENTS], [])
        assert [line.getMessage() for line in caplog.records if line.name == "activitylog"] == [
            "activitylog: exact counters are not stored, events are: There is no view. "
            "Run: activitylog schema apply --url URL."
        ]

    def test_looked_at_again_from_time_to_time(self, caplog: pytest.LogCaptureFixture) -> None:
        """After five minutes, not before; what is told again is what has changed."""
        counters, store = Half(), Store(LACKS, LACKS, SchemaError("not granted"), None)
        exporter = CountersApart(events=Half(), counters=counters, place=store.place())
        for seconds, asked in ((0, 1), (299, 1), (1, 2), (300, 3), (300, 4), (600, 4)):
            store.now += seconds
            exporter.export(COUNTERS)
            assert store.asked == asked
        assert counters.given == [COUNTERS, COUNTERS]
        assert exporter.dropped() == {"no_counters_table": 8}
        assert len(caplog.records) == 2

    def test_no_answer_is_not_no(self) -> None:
        """A server that is away may have the table: the exporter waits for it, and the next batch asks again."""
        counters, store = Half({"deadline": 2}), Store(OSError("refused"), None)
        exporter = CountersApart(events=Half(), counters=counters, place=store.place())
        assert [exporter.export(COUNTERS) for _ in range(3)] == [FAILURE, SUCCESS, SUCCESS]
        assert (store.asked, len(counters.given)) == (2, 3)
        assert exporter.dropped() == {"deadline": 2}

    def test_a_place_that_goes_away(self) -> None:
        """After a batch of counters that was lost it is asked for again: the next ones do not wait, too."""
        counters, store = Half({"deadline": 2}), Store(None, LACKS)
        exporter = CountersApart(events=Half(), counters=counters, place=store.place())
        assert [exporter.export(COUNTERS) for _ in range(3)] == [FAILURE, FAILURE, FAILURE]
        assert len(counters.given) == 1
        assert exporter.dropped() == {"deadline": 2, "no_counters_table": 4}

    def test_a_process_that_ends_does_not_look(self) -> None:
        """Each batch has one attempt then, and no question before it."""
        counters, store = Half(), Store(LACKS)
        exporter = CountersApart(events=Half(), counters=counters, place=store.place())
        exporter.interrupt()
        assert exporter.export(COUNTERS) is SUCCESS
        assert store.asked == 0


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
