"""Which exporter gets which record, and what becomes of the counts of two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult

from activitylog.counters_place import CountersPlace
from activitylog.event import COUNTER_EVENT_NAME
from activitylog.exceptions import SchemaError
from activitylog.provider import AccountedExporter, Interruptible, ReportsLosses
from activitylog.routing import AccountableExporter, CountersApart, SettledParts
from otel_delivery import Answer
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


DELIVERED = Answer("delivered")
DOWN = Answer("retry", "no_answer", "down", 3.0)
REFUSED = Answer("refused", "violated_constraint", "no")


def _deliver(exporter: CountersApart, records: Sequence[ReadableLogRecord], first: int | None = None) -> Answer:
    return exporter.deliver(records, token="b-1", first_attempt_ns=first)


class TestDeliver:
    """Batches that somebody keeps until all of them is settled."""

    def test_events_first_then_counters(self) -> None:
        """Both under the batch's token; each record goes one way."""
        events, counters = Half(), Half()
        exporter = CountersApart(events=events, counters=counters)
        assert _deliver(exporter, MIXED, 5) == DELIVERED
        assert (events.attempts, counters.attempts) == ([(EVENTS, "b-1", 5)], [(COUNTERS, "b-1", 5)])

    def test_one_kind_alone(self) -> None:
        """The other half hears nothing."""
        events, counters = Half(), Half()
        exporter = CountersApart(events=events, counters=counters)
        assert [_deliver(exporter, EVENTS), _deliver(exporter, COUNTERS)] == [DELIVERED, DELIVERED]
        assert (len(events.attempts), len(counters.attempts)) == (1, 1)

    @pytest.mark.parametrize("answer", [DOWN, REFUSED, Answer("elsewhere", "forked_embedded")])
    def test_events_that_are_not_delivered(self, answer: Answer) -> None:
        """The answer is that of the whole batch: nothing of it is stored, counters neither."""
        events, counters = Half(), Half()
        events.answers = [answer]
        assert _deliver(CountersApart(events=events, counters=counters), MIXED) == answer
        assert counters.attempts == []

    def test_events_are_not_sent_again(self) -> None:
        """While their counters wait; the next batch's are, and a batch of the same token after the end."""
        events, counters = Half(), Half()
        counters.answers = [DOWN, DOWN]
        exporter = CountersApart(events=events, counters=counters)
        assert [_deliver(exporter, MIXED) for _ in range(3)] == [DOWN, DOWN, DELIVERED]
        assert (len(events.attempts), len(counters.attempts)) == (1, 3)
        exporter.deliver(MIXED, token="b-2", first_attempt_ns=None)
        _deliver(exporter, MIXED)
        assert [token for _, token, _ in events.attempts] == ["b-1", "b-2", "b-1"]

    def test_indices_are_those_of_the_batch(self) -> None:
        """What either half leaves out is named by its place in the whole."""
        events, counters = Half(), Half()
        events.answers = [Answer("delivered", "unchecked", rejected={1: "encode", 2: "reentrant"})]
        counters.answers = [DOWN, Answer("delivered", rejected={1: "encode"}, rejected_unknown=2)]
        exporter = CountersApart(events=events, counters=counters)
        assert _deliver(exporter, MIXED) == DOWN
        rejected = {2: "encode", 4: "reentrant", 3: "encode"}
        expected = Answer("delivered", "unchecked", rejected=rejected, rejected_unknown=2)
        assert _deliver(exporter, MIXED) == expected

    def test_counters_alone_are_refused_as_a_whole(self) -> None:
        """Nothing is stored: whoever keeps the batch halves it."""
        counters = Half()
        counters.answers = [REFUSED]
        assert _deliver(CountersApart(events=Half(), counters=counters), COUNTERS) == REFUSED

    def test_counters_that_are_refused_when_the_events_are_stored(self) -> None:
        """The batch cannot be called refused: they go in pieces, and the one that is to blame is left out."""
        events, counters = Half(), Half()
        counters.answers = [REFUSED, DELIVERED, REFUSED]
        exporter = CountersApart(events=events, counters=counters)
        expected = Answer("delivered", rejected={3: "violated_constraint: no"})
        assert _deliver(exporter, MIXED) == expected
        assert [(len(records), token) for records, token, _ in counters.attempts] == [
            (2, "b-1"),
            (1, "b-1/0"),
            (1, "b-1/1"),
        ]

    def test_pieces_that_wait(self) -> None:
        """Those that are stored are not sent again, nor is the whole, which might be taken by now."""
        events, counters = Half(), Half()
        counters.answers = [REFUSED, DELIVERED, DOWN]
        exporter = CountersApart(events=events, counters=counters)
        assert [_deliver(exporter, MIXED), _deliver(exporter, MIXED)] == [DOWN, DELIVERED]
        assert [token for _, token, _ in counters.attempts] == ["b-1", "b-1/0", "b-1/1", "b-1/1"]
        assert len(events.attempts) == 1

    def test_no_place_for_counters(self) -> None:
        """They are given up by name, and count in the answer, not twice."""
        counters = Half()
        exporter = CountersApart(events=Half(), counters=counters, place=Store(LACKS).place())
        assert _deliver(exporter, MIXED) == Answer(
            "delivered", rejected={1: "no_counters_table", 3: "no_counters_table"}
        )
        assert _deliver(exporter, COUNTERS).rejected == {0: "no_counters_table", 1: "no_counters_table"}
        assert (counters.attempts, exporter.dropped()) == ([], {})

    def test_a_place_that_goes_away(self) -> None:
        """After counters that were not delivered it is looked for again."""
        counters, store = Half(), Store(None, LACKS)
        counters.answers = [DOWN]
        exporter = CountersApart(events=Half(), counters=counters, place=store.place())
        assert [_deliver(exporter, COUNTERS).status for _ in range(2)] == ["retry", "delivered"]
        assert (store.asked, len(counters.attempts)) == (2, 1)

    def test_many_unfinished_batches(self) -> None:
        """What is remembered is bounded; a batch that was forgotten is sent again, and its token knows."""
        parts = SettledParts()
        for number in range(5_000):
            parts.keep(str(number), DELIVERED)
        assert [parts.get(str(number)) for number in (0, 903, 904, 4_999)] == [None, None, DELIVERED, DELIVERED]

    @given(
        st.lists(st.booleans(), min_size=1, max_size=12),
        st.lists(st.sampled_from(["delivered", "retry", "refused"]), max_size=12),
        st.lists(st.sampled_from(["delivered", "retry", "refused"]), max_size=12),
    )
    @example([False, True, True], ["delivered"], ["refused", "delivered", "retry", "delivered"])
    def test_every_record_is_settled_once(
        self, kinds: list[bool], of_events: list[str], of_counters: list[str]
    ) -> None:
        """In the end each record is stored once or left out by name, or all are refused and none is stored."""
        events, counters = Ledger(of_events), Ledger(of_counters)
        exporter = CountersApart(events=events, counters=counters)
        records = [
            record({"n": n}, event_name=COUNTER_EVENT_NAME if counter else "page.viewed")
            for n, counter in enumerate(kinds)
        ]
        for _ in range(40):
            answer = _deliver(exporter, records)
            if answer.status != "retry":
                break
        stored = sorted(events.stored + counters.stored)
        if answer.status == "refused":
            assert stored == []
        else:
            assert answer.status == "delivered"
            assert sorted([*stored, *answer.rejected]) == [*range(len(records))]


class Ledger(Half):
    """Stores what it says that it has delivered."""

    def __init__(self, statuses: list[Any]) -> None:
        super().__init__()
        self.answers = [Answer(status) for status in statuses]
        self.stored: list[int] = []

    def deliver(self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None) -> Answer:
        answer = super().deliver(records, token=token, first_attempt_ns=first_attempt_ns)
        if answer.status == "delivered":
            numbers: list[Any] = [(one.log_record.attributes or {})["n"] for one in records]
            self.stored += numbers
        return answer


if TYPE_CHECKING:

    def _conformance(half: GatedExporter, both: CountersApart) -> tuple[AccountableExporter, AccountableExporter]:
        return half, both
