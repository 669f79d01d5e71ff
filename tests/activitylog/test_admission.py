"""Rules at work in a pipeline: what is sent, what is counted, what waits, and that the sums add up."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from structlog.exceptions import DropEvent

import activitylog
from activitylog import config
from activitylog.admission import Admission
from activitylog.counters import Cell
from activitylog.event import COUNTER_EVENT_NAME
from activitylog.pipeline import Pipeline
from activitylog.provider import BoundedProcessor
from activitylog.redaction import parse_redaction
from activitylog.rules import parse_rules
from activitylog.settings import Settings
from tests.exporters_for_tests import ScriptedExporter
from tests.waiting import wait_until

Cells = Counter[tuple[str, str, str]]


class Sent:
    """A pipeline into memory, in force, and what came out of it."""

    def __init__(self, *rules: Any, processors: Sequence[Any] = (), **settings: Any) -> None:
        self.exporter = ScriptedExporter()
        values = Settings(rules=parse_rules(rules), **settings)
        destination = BoundedProcessor(lambda: self.exporter, "test:", values)
        self.pipeline = Pipeline(values, destinations=[destination], processors=processors)

    @property
    def records(self) -> list[ReadableLogRecord]:
        return [record for batch in self.exporter.batches for record in batch]

    @property
    def events(self) -> list[Any]:
        """Records of activity."""
        return [r.log_record for r in self.records if r.log_record.event_name != COUNTER_EVENT_NAME]

    @property
    def counters(self) -> Cells:
        """Counted events by name, rule and reason."""
        cells: Cells = Counter()
        for record in self.records:
            log = record.log_record
            if log.event_name == COUNTER_EVENT_NAME:
                values: Mapping[str, Any] = log.attributes or {}
                rule, reason = (values.get(f"activity.{key}", "") for key in ("sample.rule", "counter.reason"))
                cells[values["activity.counter.event"], rule, reason] += values["activity.count"]
        return cells

    def stands_for(self, name: str) -> int:
        """Sum of the counts of the events with this name that were sent."""
        return sum(r.attributes.get("activity.count", 1) for r in self.events if r.event_name == name)


@contextmanager
def sent(*rules: Any, **settings: Any) -> Iterator[Sent]:
    """The pipeline in force for a block, and shut down behind it."""
    made = Sent(*rules, **settings)
    previous = config.swap(made.pipeline)
    try:
        yield made
    finally:
        config.swap(previous)
        made.pipeline.shutdown(10)


class TestDropped:
    def test_is_neither_sent_nor_lost_from_the_counts(self) -> None:
        """By rule and reason, in the statistics and in a record."""
        with sent({"match": "healthcheck.*", "drop": True}) as out:
            assert not activitylog.emit("healthcheck.passed", tenant="acme")
            assert activitylog.emit("message.sent")
            stats = activitylog.stats()
            assert (stats.emitted, stats.dropped) == (1, {"drop": 1})
        assert [event.event_name for event in out.events] == ["message.sent"]
        assert out.counters == {
            ("healthcheck.passed", "healthcheck.*", "drop"): 1,
            ("message.sent", "", ""): 1,
        }

    def test_costs_no_call_of_what_is_bound_unless_a_count_needs_it(self) -> None:
        """Callables are for events that are kept; the tenant is a dimension of the counts."""
        called: list[str] = []

        def lazily(name: str) -> Callable[[], str]:
            return lambda: called.append(name) or name  # type: ignore[func-returns-value]

        with (
            sent({"match": "a.*", "drop": True}),
            activitylog.bind(actor=lazily("user:1"), session=lazily("s"), tenant=lazily("acme")),
        ):
            activitylog.emit("a.b")
        assert called == ["acme"]

    def test_runs_no_processor_of_the_application(self) -> None:
        """The decision comes before any other work."""
        seen: list[Any] = []

        def enrich(_logger: Any, _name: str, event_dict: Any) -> Any:
            seen.append(event_dict["event"])
            return event_dict

        with sent({"match": "a.*", "drop": True}, processors=[enrich]):
            activitylog.emit("a.b")
            activitylog.emit("c.d")
        assert seen == ["c.d"]


class TestCounterRecords:
    def test_hold_the_minute_and_all_dimensions(self) -> None:
        """With producer and number, as events have them."""
        with sent({"name": "thin", "match": "a.*", "drop": True}) as out:
            activitylog.emit("a.b", tenant="acme", outcome="denied", objects=["x:1", "x:2"])
        (record,) = [r.log_record for r in out.records]
        assert record.event_name == COUNTER_EVENT_NAME
        assert record.timestamp is not None
        assert record.timestamp % 60_000_000_000 == 0
        assert time.time_ns() - record.timestamp < 120_000_000_000
        attributes = dict(record.attributes or {})
        assert attributes.pop("log.record.uid")
        assert len(str(attributes.pop("activity.producer"))) == 11
        assert attributes == {
            "activity.tenant.id": "acme",
            "activity.counter.event": "a.b",
            "activity.counter.reason": "drop",
            "activity.outcome": "denied",
            "activity.sample.rule": "thin",
            "activity.count": 2,
            "activity.seq": 1,
        }

    def test_share_the_numbers_with_the_events(self) -> None:
        """So that a gap can be seen, in whichever."""
        with sent({"match": "a.*", "drop": True}) as out:
            for _ in range(3):
                activitylog.emit("a.b")
                activitylog.emit("c.d")
        numbers = sorted(int(str((r.log_record.attributes or {})["activity.seq"])) for r in out.records)
        assert numbers == [1, 2, 3, 4, 5]

    def test_do_not_come_when_they_are_not_wanted_or_needed(self) -> None:
        """Without rules every event is a row, which is count enough."""
        for rules, settings in (([], {}), ([{"match": "a.*", "drop": True}], {"counters": False})):
            with sent(*rules, **settings) as out:
                activitylog.emit("a.b")
                activitylog.emit("c.d")
            assert not out.counters

    def test_are_in_the_statistics(self) -> None:
        """The destinations' numbers contain them."""
        with sent({"match": "a.*", "drop": True}) as out:
            activitylog.emit("a.b")
            activitylog.emit("c.d")
            activitylog.flush()
            stats = activitylog.stats()
            assert (stats.emitted, stats.counted, stats.destinations["test:"].delivered) == (1, 2, 3)
        assert len(out.records) == 3

    def test_a_name_that_is_none_is_counted_as_it_is_stored(self) -> None:
        """Kept or not."""
        with sent({"match": {"attributes": {"odd": True}}, "drop": True}) as out:
            for name in ("Bad Name", "x" * 200, None, 3):
                activitylog.emit(name)
                activitylog.emit(name, odd=True)
        stored = Counter(event.event_name for event in out.events)
        assert Counter({name: n for (name, _, reason), n in out.counters.items() if not reason}) == stored
        assert Counter({name: n for (name, _, reason), n in out.counters.items() if reason}) == stored

    def test_say_no_more_of_the_tenant_than_the_rows(self) -> None:
        """Redaction applies to them."""
        with sent(
            {"match": "a.*", "drop": True},
            redaction=parse_redaction({"drop": ["tenant"]}),
        ) as out:
            activitylog.emit("a.b", tenant="acme")
            activitylog.emit("c.d", tenant="acme")
        assert len(out.records) == 3
        assert not [r for r in out.records if "activity.tenant.id" in (r.log_record.attributes or {})]


class Outlet:
    """Keeps what an admission sends, and says how much room there is."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.reported: Cells = Counter()
        self.room = 100

    def hold(self, _method_name: str, _event_dict: Any, _trace: Any) -> Any:
        return None

    def forget(self, held: Sequence[Any]) -> None:
        pass

    def send(self, _method_name: str, event_dict: Any, _trace: Any, held: Sequence[Any] = ()) -> bool:
        self.sent.append(event_dict)
        return True

    holds = False

    def hold_count(self, _cell: Cell, _increment: int) -> Any:
        raise AssertionError("there is no spool")

    def report(self, cell: Cell, count: int, _held: Sequence[Any] = ()) -> None:
        self.reported[cell.event, cell.rule, cell.reason] += count

    def stored_name(self, name: Any) -> str:
        return str(name)

    def has_room(self, records: int) -> bool:
        return records <= self.room


class TestTick:
    """By a clock of the test's own."""

    @pytest.fixture
    def made(self) -> Iterator[tuple[Admission, Outlet, list[int]]]:
        now = [60_000_000_000 * 1_000]
        outlet = Outlet()
        rules = parse_rules([{"match": "fold.*", "rollup": "10s"}, {"match": "a.*", "drop": True}])
        admission = Admission(rules, outlet, key=b"k" * 16, clock=lambda: now[0])
        yield admission, outlet, now
        admission.close()

    def test_reports_minutes_that_are_over(self, made: tuple[Admission, Outlet, list[int]]) -> None:
        """And not the one that goes on."""
        admission, outlet, now = made
        admission.admit("info", {"event": "a.b"})
        admission.tick()
        assert not outlet.reported
        now[0] += 60_000_000_000
        admission.tick()
        assert outlet.reported == {("a.b", "a.*", "drop"): 1}

    def test_keeps_counts_until_there_is_room(self, made: tuple[Admission, Outlet, list[int]]) -> None:
        """They are few, and a lost one is a total that is wrong; but not for ever."""
        admission, outlet, now = made
        outlet.room = 0
        admission.admit("info", {"event": "a.b"})
        now[0] += 60_000_000_000
        admission.tick()
        assert not outlet.reported
        outlet.room = 1
        admission.tick()
        assert outlet.reported == {("a.b", "a.*", "drop"): 1}
        outlet.room = 0
        admission.admit("info", {"event": "a.b"})
        now[0] += 10 * 60_000_000_000
        admission.tick()
        assert outlet.reported == {("a.b", "a.*", "drop"): 2}

    def test_sends_what_a_window_has_folded(self, made: tuple[Admission, Outlet, list[int]]) -> None:
        """When the window is over."""
        admission, outlet, now = made
        for _ in range(3):
            event: dict[str, Any] = {"event": "fold.it"}
            admitted = admission.admit("info", event)
            assert admitted is not None
            assert admitted.hold("info", {**event, "timestamp": now[0]}, None)
        admission.tick()
        assert not outlet.sent
        now[0] += 10_000_000_000
        admission.tick()
        assert [event["activity.count"] for event in outlet.sent] == [3]

    def test_behind_the_end_nothing_waits(self, made: tuple[Admission, Outlet, list[int]]) -> None:
        """Nobody ticks any more: what would be folded is sent, and what is counted is reported, at once."""
        admission, outlet, now = made
        admission.close()
        for number in (1, 2):
            event: dict[str, Any] = {"event": "fold.it"}
            admitted = admission.admit("info", event)
            assert admitted is not None
            assert admitted.hold("info", {**event, "timestamp": now[0]}, None)
            assert (len(outlet.sent), admission.held()) == (number, 0)
        admission.admit("info", {"event": "a.b"})
        assert outlet.reported[("a.b", "a.*", "drop")] == 1
        assert sum(count for (name, _, _), count in outlet.reported.items() if name == "fold.it") == 2


class TestFiltered:
    def test_counts_what_an_application_drops_after_the_decision(self) -> None:
        """A processor that raises DropEvent, and one that fails."""

        def drop(_logger: Any, _name: str, event_dict: Any) -> Any:
            if event_dict.get("drop"):
                raise DropEvent
            if event_dict.get("fail"):
                raise ValueError
            return event_dict

        with sent({"match": "z.*", "drop": True}, processors=[drop]) as out:
            activitylog.emit("a.b", drop=True)
            activitylog.emit("a.b", fail=True)
            activitylog.emit("a.b")
        assert out.counters == {("a.b", "", "filtered"): 1, ("a.b", "", "error"): 1, ("a.b", "", ""): 1}


class TestGuard:
    def test_says_no_only_where_everything_is_dropped_and_counts_it(self) -> None:
        """So that the caller may leave out the work for the event."""
        rules = (
            {"match": "cursor.moved", "drop": True},
            {"match": "page.*", "drop": True, "keep": ["failure"]},
        )
        with sent(*rules) as out, activitylog.bind(tenant="acme"):
            answers = [activitylog.enabled(name) for name in ("cursor.moved", "page.viewed", "message.sent")]
            assert activitylog.stats().dropped == {"drop": 1}
        assert answers == [False, True, True]
        assert out.counters == {("cursor.moved", "cursor.moved", "drop"): 1}

    def test_says_no_when_nothing_is_sent(self) -> None:
        """Not configured, disabled or shut down: counted as emit would."""
        previous = config.swap(Pipeline(Settings(enabled=False)))
        try:
            assert not activitylog.enabled("a.b")
            assert activitylog.stats().dropped == {"disabled": 1}
        finally:
            config.swap(previous)


class TestBudget:
    RULE: ClassVar = {"name": "few", "match": "a.*", "max_per_second": 5}

    @pytest.mark.slow
    def test_what_waits_is_sent_with_its_weight_when_its_second_is_over(self) -> None:
        """Flush waits for that, and nothing is lost between."""
        with sent(self.RULE) as out:
            for _ in range(1_000):
                activitylog.emit("a.b", object="x:1")
            assert activitylog.stats().held <= 5 * 2
            assert activitylog.flush(10).complete
            stats = activitylog.stats()
            assert stats.held == 0
            assert stats.emitted + stats.dropped["budget"] == 1_000
        assert sum(event.attributes["activity.sample.weight"] for event in out.events) == pytest.approx(1_000)
        assert out.counters["a.b", "few", ""] == len(out.events)
        assert out.counters["a.b", "few", "budget"] == 1_000 - len(out.events)

    @pytest.mark.slow
    def test_flush_waits_for_the_last_of_two_seconds(self) -> None:
        """Events came in both, and the first is not settled yet when flush is called."""
        with sent(self.RULE) as out:
            wait_until(lambda: time.time() % 1 > 0.9)
            activitylog.emit("a.b")
            wait_until(lambda: time.time() % 1 < 0.5)
            activitylog.emit("a.b")
            assert activitylog.flush(10).complete
        assert len(out.events) == 2

    def test_failures_are_sent_at_once(self) -> None:
        """They neither wait nor count against the budget."""
        with sent(self.RULE) as out:
            for _ in range(50):
                activitylog.emit("a.b", outcome="failure")
            assert activitylog.stats().emitted == 50
        assert [event.attributes.get("activity.sample.weight") for event in out.events] == [None] * 50

    def test_shutdown_sends_what_waits(self) -> None:
        """Without waiting for the second's end."""
        with sent(self.RULE) as out:
            activitylog.emit("a.b")
            activitylog.shutdown()
            assert activitylog.stats().held == 0
        assert len(out.events) == 1

    @pytest.mark.slow
    def test_what_waits_has_the_trace_and_the_context_of_its_call(self) -> None:
        """Though another thread sends it, later."""
        with sent(self.RULE) as out:
            with activitylog.bind(actor=lambda: "user:7"):
                activitylog.emit("a.b", trace_id="0" * 31 + "5", span_id="0" * 15 + "6")
            activitylog.flush(10)
        (event,) = out.events
        assert (event.trace_id, event.span_id, event.attributes["user.id"]) == (5, 6, "7")

    def test_an_event_that_the_chain_rejects_leaves_its_place(self) -> None:
        """Counted as what became of it."""

        def drop(_logger: Any, _name: str, event_dict: Any) -> Any:
            raise DropEvent

        with sent(self.RULE, processors=[drop]) as out:
            activitylog.emit("a.b")
            assert activitylog.stats().held == 0
            activitylog.flush(10)
        assert out.counters == {("a.b", "few", "filtered"): 1}

    def test_a_forked_child_has_none_of_what_its_parent_holds(self) -> None:
        """It is sent once, by the parent."""
        with sent(self.RULE) as out:
            activitylog.emit("a.b")
            child = os.fork()
            if child == 0:
                held = activitylog.stats().held
                activitylog.shutdown()
                os._exit(10 * held + len(out.records))
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert len(out.events) == 1


class TestRollUp:
    RULE: ClassVar = {"name": "fold", "match": "message.typing", "rollup": "10s"}

    def test_similar_events_become_one(self) -> None:
        """Which stands for all of them."""
        with sent(self.RULE) as out:
            for _ in range(100):
                activitylog.emit("message.typing", actor="user:1", object="channel:2")
            stats = activitylog.stats()
            assert (stats.emitted, stats.held, stats.rolled_up) == (0, 100, 0)
            activitylog.flush(10)
            stats = activitylog.stats()
            assert (stats.emitted, stats.held, stats.rolled_up) == (1, 0, 99)
        (event,) = out.events
        assert event.attributes["activity.count"] == 100
        assert out.counters == {("message.typing", "fold", ""): 100}

    def test_shutdown_sends_what_waits(self) -> None:
        """Nothing is lost when the window is cut."""
        with sent(self.RULE) as out:
            activitylog.emit("message.typing")
            activitylog.emit("message.typing")
        assert out.stands_for("message.typing") == 2

    def test_failures_stay_by_themselves(self) -> None:
        """They are never folded unless the rule says so."""
        with sent(self.RULE) as out:
            for _ in range(3):
                activitylog.emit("message.typing", outcome="failure")
        assert len(out.events) == 3


class TestDryRun:
    @pytest.mark.slow
    def test_keeps_all_and_says_what_would_have_been(self) -> None:
        """For trying a rule on real traffic."""
        rules = ({"match": "a.*", "drop": True}, {"match": "b.*", "max_per_second": 1})
        with sent(*rules, dry_run=True) as out:
            activitylog.emit("a.x")
            for _ in range(10):
                activitylog.emit("b.x")
            activitylog.flush(10)
            assert activitylog.stats().emitted == 11
        labels = Counter(event.attributes["activity.sample.dry_run"] for event in out.events)
        assert labels["drop"] == 1
        assert labels["budget"] >= 8
        assert all("activity.sample.weight" not in event.attributes for event in out.events)


class TestReload:
    @staticmethod
    def write(path: Path, text: str) -> None:
        fresh = path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(path)

    def test_a_changed_file_is_in_force_and_a_bad_one_never(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What was wrong is told once, and stays in the statistics until it is right."""
        path = tmp_path / "rules.toml"
        path.write_text('[[rules]]\nmatch = "a.*"\ndrop = true\n')
        out = Sent(rules_file=path, rules_reload_seconds=1e-9)
        pipeline = out.pipeline
        admission = pipeline._admission
        assert admission is not None
        assert not pipeline.submit("info", "a.b", {})
        self.write(path, '[[rules]]\nmatch = "a.*"\nsample = 7\n')
        admission.tick()
        admission.tick()
        assert not pipeline.submit("info", "a.b", {})
        assert "sample" in pipeline.stats().rules.reload_error
        assert len([r for r in caplog.records if "stay as they were" in r.getMessage()]) == 1
        self.write(path, '[[rules]]\nmatch = "c.*"\ndrop = true\n')
        admission.tick()
        assert pipeline.submit("info", "a.b", {})
        assert not pipeline.submit("info", "c.d", {})
        stats = pipeline.stats().rules
        assert (stats.rules, stats.reloads, stats.reload_error) == (("c.*",), 1, "")
        pipeline.shutdown(10)

    def test_a_bad_file_at_the_beginning_is_an_error_of_configure(self, tmp_path: Path) -> None:
        """There is nothing to keep then."""
        path = tmp_path / "rules.toml"
        path.write_text("[[rules]]\n")
        with pytest.raises(activitylog.ConfigurationError, match="match"):
            activitylog.configure("memory:", rules_file=str(path))

    def test_no_event_is_lost_while_rules_are_replaced(self) -> None:
        """By four threads that emit, and one that replaces."""
        out = Sent({"match": "a.*", "max_per_second": 20}, max_queue_size=200_000)
        admission = out.pipeline._admission
        assert admission is not None
        done = threading.Event()

        def emit() -> None:
            for number in range(2_000):
                out.pipeline.submit("info", "a.b", {"session": str(number % 7)})

        def replace() -> None:
            for number in range(1_000_000):
                if done.is_set():
                    return
                rule = {"match": "a.*", "max_per_second": 20 + number % 2, "by": ("event", "session")[number % 2]}
                admission.replace(parse_rules([rule]))

        emitting = [threading.Thread(target=emit) for _ in range(4)]
        replacing = threading.Thread(target=replace)
        for thread in [*emitting, replacing]:
            thread.start()
        for thread in emitting:
            thread.join()
        done.set()
        replacing.join()
        out.pipeline.shutdown(10)
        stats = out.pipeline.stats()
        assert stats.held == 0
        assert stats.emitted + sum(stats.dropped.values()) == 8_000
        assert sum(out.counters.values()) == 8_000
        assert sum(n for (_, _, reason), n in out.counters.items() if not reason) == len(out.events)


class TestConservation:
    RULES = (
        {"name": "noise", "match": "noise.*", "drop": True},
        {"name": "all", "match": "pay.*", "keep": True},
        {"name": "pages", "match": "page.*", "sample": 0.1, "by": "session", "first": 1},
        {"name": "few", "match": "search.*", "max_per_second": 5, "per": "tenant"},
        {"name": "units", "match": "view.*", "max_per_second": 20, "by": "session"},
        {"name": "typing", "match": "typing.*", "rollup": "10s"},
        {"name": "keys", "match": "key.*", "target_per_second": 10, "per": "tenant"},
    )
    NAMES = ("noise.a", "pay.a", "page.a", "page.b", "search.a", "view.a", "typing.a", "key.a", "other.a")

    @pytest.mark.slow
    @pytest.mark.parametrize("threads", [1, 4])
    def test_every_event_is_somewhere_exactly_once(self, threads: int) -> None:
        """emitted = kept + dropped by reason, for each name; and what is kept is in the rows."""
        calls: Counter[str] = Counter()

        def emit(seed: int) -> None:
            draw = random.Random(seed)
            for _ in range(3_000):
                name = draw.choice(self.NAMES)
                outcome = draw.choice([None] * 8 + ["failure", "denied"])
                activitylog.emit(
                    name,
                    actor=f"user:{draw.randrange(9)}",
                    session=f"s{draw.randrange(50)}",
                    tenant=draw.choice(["acme", "globex"]),
                    outcome=outcome,
                )
                calls[name] += threads == 1

        with sent(*self.RULES, max_queue_size=100_000) as out:
            working = [threading.Thread(target=emit, args=(n,)) for n in range(threads)]
            for thread in working:
                thread.start()
            for thread in working:
                thread.join()
            activitylog.flush(10)
            stats = activitylog.stats()
            assert stats.emitted + stats.held + stats.rolled_up + sum(stats.dropped.values()) == 3_000 * threads
        by_name: Counter[str] = Counter()
        kept: Counter[str] = Counter()
        for (name, _, reason), count in out.counters.items():
            by_name[name] += count
            kept[name] += 0 if reason else count
        assert sum(by_name.values()) == 3_000 * threads
        if threads == 1:
            assert by_name == calls
        for name in self.NAMES:
            assert out.stands_for(name) == kept[name]
        failed = [e for e in out.events if e.attributes.get("activity.outcome") in ("failure", "denied")]
        assert all(event.attributes.get("activity.sample.weight", 1) == 1 for event in failed)

    @pytest.mark.slow
    def test_a_signal_handler_that_emits_or_flushes_in_the_midst_loses_nothing(self) -> None:
        """Nor does it wait for what it interrupted."""
        calls = 0

        def handle(*_: Any) -> None:
            nonlocal calls
            calls += 2
            activitylog.emit("search.a")
            activitylog.emit("typing.a")
            activitylog.flush(0)
            signal.setitimer(signal.ITIMER_REAL, 0.0005)

        with sent(*self.RULES, max_queue_size=100_000) as out:
            previous = signal.signal(signal.SIGALRM, handle)
            signal.setitimer(signal.ITIMER_REAL, 0.0005)
            try:
                for _ in range(4_000):
                    calls += 2
                    activitylog.emit("search.a")
                    activitylog.emit("typing.a")
            finally:
                signal.signal(signal.SIGALRM, signal.SIG_IGN)
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, previous)
        assert calls > 8_000 + 2 * 10
        assert sum(out.counters.values()) == calls
