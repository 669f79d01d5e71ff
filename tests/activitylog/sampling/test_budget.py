"""Hard budgets: seconds, tickets, keys, clocks, threads, and code that comes in between."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from activitylog.exceptions import ConfigurationError
from activitylog.rules import compile_rules
from activitylog.sampling import Sampler, Ticket, Verdict, budget
from tests.activitylog.sampling.simulation import SECOND, START, Clock

Settled = list[tuple[Any, Verdict]]


class Held:
    """A sampler with one budget, its clock, and what it settled."""

    def __init__(self, clock: Callable[[], int] | None = None, **rule: Any) -> None:
        self.clock = Clock()
        self.settled: Settled = []
        self.sampler = Sampler(
            compile_rules([{"match": "*", **rule}]),
            key=b"key",
            clock=clock or self.clock,
            settle=lambda payload, verdict: self.settled.append((payload, verdict)),
            generator=random.Random(1),
        )

    def offer(self, **values: Any) -> Verdict | Ticket:
        """The decision about one event."""
        return self.sampler.decide("info", {"event": "a.b", **values})

    def emit(self, payload: Any = None, **values: Any) -> Verdict | Ticket:
        """One event, placed or settled at once."""
        decided = self.offer(**values)
        if isinstance(decided, Ticket):
            decided.place(payload)
        else:
            self.settled.append((payload, decided))
        return decided

    def at(self, second: float) -> None:
        """Move the clock, and tick."""
        self.clock.at(second)
        self.sampler.tick()

    def kept(self) -> list[Any]:
        """The payloads kept so far."""
        return [payload for payload, verdict in self.settled if not verdict.reason]

    def lost(self) -> list[Any]:
        """The payloads lost so far."""
        return [payload for payload, verdict in self.settled if verdict.reason]


class TestSeconds:
    def test_events_wait_until_their_second_is_over(self) -> None:
        """Only then is it known what each of them stands for."""
        held = Held(max_per_second=2)
        for number in range(6):
            held.emit(number)
        held.at(0.999)
        assert (held.kept(), held.sampler.held()) == ([], 2)
        assert held.sampler.last_end_ns() == (START + 1) * SECOND
        held.at(1)
        assert len(held.kept()) == 2
        assert {verdict.weight for _, verdict in held.settled if not verdict.reason} == {3.0}
        assert (held.sampler.held(), held.sampler.last_end_ns()) == (0, None)
        assert sorted(payload for payload, _ in held.settled) == list(range(6))

    def test_until_when_events_wait(self) -> None:
        """Until the last second that holds any is over, whether or not one before it was settled."""
        held = Held(max_per_second=2)
        for second in (0, 1, 2):
            held.clock.at(second)  # nobody ticks
            held.emit(second)
            assert held.sampler.last_end_ns() == (START + second + 1) * SECOND
        held.at(3)
        assert (held.kept(), held.sampler.last_end_ns()) == ([0, 1, 2], None)

    def test_a_second_within_its_budget_keeps_all_at_weight_1(self) -> None:
        """Nothing was sampled, so nothing is multiplied."""
        held = Held(max_per_second=2, by="session")
        held.emit("a", session="s")
        held.emit("b")
        held.at(1)
        assert [(payload, v.reason, v.weight) for payload, v in held.settled] == [("a", "", 1.0), ("b", "", 1.0)]

    def test_later_events_do_not_release_earlier_ones(self) -> None:
        """Their emitter has no time for that; the next tick does it."""
        held = Held(max_per_second=2)
        held.emit("early")
        held.clock.at(1)
        held.emit("late")
        assert (held.kept(), held.sampler.held()) == ([], 2)
        held.sampler.tick()
        assert (held.kept(), held.sampler.held()) == (["early"], 1)

    def test_seconds_that_nobody_ticks_are_bounded(self) -> None:
        """Beyond eight an emitter releases the oldest; nothing is lost."""
        held = Held(max_per_second=2)
        for second in range(50):
            held.clock.at(second)
            held.emit(second)
            assert held.sampler.held() <= budget.MAX_WAITING_SECONDS + 1
        held.at(50)
        assert held.kept() == list(range(50))

    @pytest.mark.parametrize("by", ["event", "session"])
    def test_a_small_step_back_of_the_clock_opens_no_second(self, by: str) -> None:
        """Else its budget would be spent twice."""
        held = Held(max_per_second=2, by=by)
        for second in (10, 9.5, 8.1, 10.2, 9, 10.9):
            held.clock.at(second)
            held.emit(second, session=str(second))
            held.sampler.tick()
        held.at(11)
        assert len(held.kept()) == 2
        assert sum(verdict.weight for _, verdict in held.settled if not verdict.reason) == pytest.approx(6, rel=1)

    @pytest.mark.parametrize("second", [-3600, 0, 7, 13, 3600])
    def test_a_jump_of_the_clock_opens_another_second(self, second: float) -> None:
        """And closes the one before, which is not held for an hour."""
        held = Held(max_per_second=2)
        held.clock.at(10)
        for _ in range(5):
            held.emit("before")
        held.at(second)
        assert held.kept() == ["before"] * 2
        for _ in range(5):
            held.emit("after")
        held.at(second + 1)
        assert Counter(held.kept()) == {"before": 2, "after": 2}

    def test_each_key_has_the_budget(self) -> None:
        """With ``per``; events without the key share one."""
        held = Held(max_per_second=2, per="tenant")
        for number in range(12):
            held.emit(number % 3, **({"tenant": f"t{number % 3}"} if number % 3 else {}))
        held.at(1)
        assert Counter(held.kept()) == {0: 2, 1: 2, 2: 2}

    def test_keys_beyond_the_bound_share_a_budget(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """So that keys made out of data fill no memory, and weights stay right."""
        monkeypatch.setattr(budget, "MAX_KEYS", 2)
        held = Held(max_per_second=2, per="tenant")
        for number in range(40):
            held.emit(number % 10, tenant=f"t{number % 10}")
        held.at(1)
        assert Counter(min(payload, 2) for payload in held.kept()) == {0: 2, 1: 2, 2: 2}
        assert sum(verdict.weight for _, verdict in held.settled if not verdict.reason) == 40


class TestTickets:
    def test_an_event_that_loses_its_place_is_settled_at_once(self) -> None:
        """By the one that takes it, outside the lock."""
        held = Held(max_per_second=1)
        for number in range(40):
            held.emit(number)
            assert held.sampler.held() == 1
            assert len(held.settled) == number
        held.at(1)
        assert len(held.kept()) == 1
        assert {verdict.reason for _, verdict in held.settled} == {"", "budget"}

    def test_a_place_that_is_lost_before_it_is_taken(self) -> None:
        """Its event is settled when it comes: the budget it has lost to."""
        held = Held(max_per_second=1)
        tickets = [decided for _ in range(40) if isinstance(decided := held.offer(), Ticket)]
        assert len(tickets) > 1
        for number, ticket in enumerate(tickets):
            ticket.place(number)
        assert held.lost() == list(range(len(tickets) - 1))
        held.at(1)
        assert held.kept() == [len(tickets) - 1]

    def test_a_place_that_is_taken_when_its_second_is_over(self) -> None:
        """Its event is settled at once, with the weight of that second."""
        held = Held(max_per_second=2)
        tickets = [held.offer() for _ in range(2)]
        for _ in range(2):
            held.clock.at(0.5)
        held.at(5)
        for ticket in tickets:
            assert isinstance(ticket, Ticket)
            ticket.place("late")
        assert [(payload, verdict.weight) for payload, verdict in held.settled] == [("late", 1.0)] * 2

    def test_a_withdrawn_event_has_arrived_all_the_same(self) -> None:
        """It keeps its place and is counted, so that the weights of others stay right."""
        held = Held(max_per_second=2)
        withdrawn = held.offer()
        assert isinstance(withdrawn, Ticket)
        withdrawn.withdraw()
        held.emit("other")
        withdrawn.place("too late")
        held.at(1)
        assert [(payload, verdict.weight) for payload, verdict in held.settled] == [("other", 1.0)]

    def test_only_the_first_place_counts(self) -> None:
        """An event is settled once."""
        held = Held(max_per_second=2)
        ticket = held.offer()
        assert isinstance(ticket, Ticket)
        for payload in ("first", "second"):
            ticket.place(payload)
        ticket.withdraw()
        held.at(1)
        ticket.place("third")
        assert held.kept() == ["first"]

    def test_a_ticket_says_whose_it_is(self) -> None:
        """The pipeline counts by rule before it knows the end."""
        ticket = Held(max_per_second=2, name="search").offer()
        assert (ticket.verdict.rule, ticket.verdict.reason) == ("search", "")  # type: ignore[union-attr]

    def test_settle_that_fails_costs_no_other_event(self) -> None:
        """It is the pipeline's, and counts its own failures."""
        held = Held(max_per_second=5)

        def settle(payload: Any, verdict: Verdict) -> None:
            held.settled.append((payload, verdict))
            raise RuntimeError("broken")

        held.sampler._budgets[0].settle = settle
        for number in range(5):
            held.emit(number)
        held.at(1)
        assert sorted(held.kept()) == list(range(5))


class TestUnits:
    def test_units_carry_the_threshold_that_they_reached(self) -> None:
        """And how many events each stands for follows from it."""
        held = Held(max_per_second=20, by="session")
        for number in range(100):
            held.emit(number, session=f"s{number}")
        held.at(1)
        verdicts = [verdict for _, verdict in held.settled if not verdict.reason]
        (threshold,) = {verdict.threshold for verdict in verdicts}
        (weight,) = {verdict.weight for verdict in verdicts}
        assert weight == 2**56 / (2**56 - int(threshold.ljust(14, "0"), 16))
        assert {verdict.by for verdict in verdicts} == {"session"}

    def test_what_is_beyond_the_head_of_a_unit_is_drawn_one_by_one(self) -> None:
        """A unit of 1,000 events: its head at weight 1, and a tenth of the budget for all others."""
        held = Held(max_per_second=40, by="session")
        for number in range(1000):
            held.emit(number, session="robot")
        held.at(1)
        weights = Counter((verdict.weight, verdict.by) for _, verdict in held.settled if not verdict.reason)
        assert weights == {(1.0, "session"): 2, (998 / 4, ""): 4}

    def test_heavy_units_share_the_stratum_of_their_own(self) -> None:
        """Its draws are by event: the unit with the largest number does not take it all."""
        held = Held(max_per_second=400, by="session")
        for number in range(2000):
            held.emit(number % 2, session=f"robot {number % 2}")
        held.at(1)
        drawn = Counter(payload for payload, verdict in held.settled if not verdict.reason and not verdict.by)
        assert drawn.total() == 40
        assert min(drawn[0], drawn[1]) > 8

    def test_a_unit_that_gave_way_does_not_come_back(self) -> None:
        """Whatever happens later in its second."""
        held = Held(max_per_second=2, by="session")
        sessions = [f"s{number}" for number in range(50)]
        for session in sessions:
            held.emit(session, session=session)
        held.at(1)
        assert len(held.kept()) == 2
        assert len(set(held.kept()) | set(held.lost())) == 50

    def test_a_budget_of_one_event_is_none_for_units(self) -> None:
        """It has no room for a unit and the stratum of heavy ones; rules refuse it, in words."""
        with pytest.raises(ConfigurationError):
            Held(max_per_second=1, by="session")


class TestEarlierStages:
    TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

    def test_an_incoming_threshold_is_not_paid_twice(self) -> None:
        """Kept at a half before and at a quarter now: a weight of 4, not of 8."""
        held = Held(sample=0.25, by="trace")
        values = {"trace_id": "f" * 32, "activity.sample.threshold": "8", "activity.sample.weight": 2.0}
        event_dict: dict[str, Any] = {"event": "a.b", **values}
        held.sampler.decide("info", event_dict)
        assert event_dict["activity.sample.weight"] == 4.0
        assert event_dict["activity.sample.threshold"] == "c"

    @pytest.mark.parametrize(("weight", "expected"), [(None, 4.0), (2.0, 4.0), (20.0, 40.0)])
    @pytest.mark.parametrize("rule", [{"sample": 0.5, "by": "trace"}, {"max_per_second": 9, "by": "trace"}])
    def test_a_higher_incoming_threshold_stays(
        self, rule: dict[str, Any], weight: float | None, expected: float
    ) -> None:
        """An equalizing stage cannot lower it; other weights of earlier stages go on to count."""
        held = Held(**rule)
        event_dict: dict[str, Any] = {"event": "a.b", "trace_id": "f" * 32, "activity.sample.threshold": "c"}
        if weight is not None:
            event_dict["activity.sample.weight"] = weight * 2 if weight == 2.0 else expected
        decided = held.sampler.decide("info", event_dict)
        if isinstance(decided, Ticket):
            decided.place(event_dict)
            held.at(1)
            ((event_dict, verdict),) = held.settled
            verdict.mark(event_dict)
        assert event_dict["activity.sample.weight"] == expected
        assert event_dict["activity.sample.threshold"] == "c"

    def test_a_threshold_that_the_trace_does_not_reach_is_erased(self) -> None:
        """No stage with the same randomness can have kept it; its weight is one of another kind."""
        held = Held(sample=0.5, by="trace")
        event_dict: dict[str, Any] = {
            "event": "a.b",
            "trace_id": self.TRACE,
            "activity.sample.threshold": "fffffff",
            "activity.sample.weight": 3.0,
        }
        unreached = dict(event_dict)
        held.sampler.decide("info", event_dict)
        assert (event_dict["activity.sample.threshold"], event_dict["activity.sample.weight"]) == ("8", 6.0)
        Held(max_per_second=9, by="trace").sampler.decide("info", unreached)
        assert "activity.sample.threshold" not in unreached

    def test_a_threshold_of_other_units_multiplies(self) -> None:
        """Only traces share their randomness with other services."""
        held = Held(sample=0.999999, by="session")
        event_dict: dict[str, Any] = {
            "event": "a.b",
            "session": "s",
            "activity.sample.threshold": "8",
            "activity.sample.weight": 2.0,
        }
        held.sampler.decide("info", event_dict)
        assert event_dict["activity.sample.weight"] == pytest.approx(2 / 0.999999)


class TestCut:
    def test_it_settles_all_at_once(self) -> None:
        """At shutdown nothing waits for the end of its second."""
        held = Held(max_per_second=2)
        for number in range(6):
            held.emit(number)
        held.sampler.cut()
        assert len(held.kept()) == 2
        assert held.sampler.held() == 0

    def test_later_events_are_decided_at_once(self) -> None:
        """At the share of the second that was cut, and within the budget of every second."""
        held = Held(max_per_second=100)
        for number in range(400):
            held.emit(number)
        held.sampler.cut()
        held.settled.clear()
        for number in range(1000):
            assert isinstance(held.emit(number), Verdict)
        assert held.kept() == []
        held.at(1)
        for number in range(200):
            held.emit(number)
        assert 20 < len(held.kept()) < 80
        assert {verdict.weight for _, verdict in held.settled if not verdict.reason} == {4.0}

    def test_it_may_be_called_again(self) -> None:
        """As a shutdown may."""
        held = Held(max_per_second=2)
        held.emit("x")
        held.sampler.cut()
        held.sampler.cut()
        assert held.kept() == ["x"]


class TestReentry:
    def test_code_that_comes_in_between_is_refused(self) -> None:
        """A signal handler that emits while its own thread is inside: no deadlock, and a reason."""
        inside: list[Verdict | Ticket] = []

        class Interrupting(Clock):
            def __call__(self) -> int:
                if not inside:
                    inside.append(held.sampler.decide("info", {"event": "a.b"}))
                    held.sampler.tick()
                    held.sampler.cut()
                return super().__call__()

        clock = Interrupting()
        held = Held(max_per_second=2, clock=clock)
        held.emit("outer")
        assert [verdict.reason for verdict in inside if isinstance(verdict, Verdict)] == ["reentrant"]
        clock.at(1)
        held.sampler.tick()
        assert held.kept() == ["outer"]

    def test_settle_may_emit(self) -> None:
        """It runs outside the lock."""
        held = Held(max_per_second=2)
        emitted: list[Verdict | Ticket] = []

        def settle(payload: Any, verdict: Verdict) -> None:
            held.settled.append((payload, verdict))
            emitted.append(held.emit("inner") if payload == "outer" else held.offer())

        held.sampler._budgets[0].settle = settle
        held.emit("outer")
        held.at(1)
        assert isinstance(emitted[0], Ticket)

    def test_a_shutdown_in_the_middle_of_a_release_finishes_it(self) -> None:
        """Each event is settled once."""
        held = Held(max_per_second=5)

        def settle(payload: Any, verdict: Verdict) -> None:
            held.settled.append((payload, verdict))
            held.sampler.cut()

        held.sampler._budgets[0].settle = settle
        for number in range(5):
            held.emit(number)
        held.at(1)
        assert sorted(held.kept()) == list(range(5))
        assert held.sampler.held() == 0


class TestThreads:
    @pytest.mark.parametrize("rule", [{}, {"by": "session"}, {"per": "tenant", "by": "session"}])
    def test_every_event_is_settled_once_and_no_second_keeps_more(self, rule: dict[str, Any]) -> None:
        """Eight emitters, a ticker, and a clock that goes on meanwhile."""
        held = Held(max_per_second=20, **rule)
        done = threading.Event()

        def emitter(thread: int) -> None:
            for number in range(2_000):
                held.emit((thread, number), session=f"s{number % 37}", tenant=f"t{thread % 2}")

        def ticker() -> None:
            second = 0
            while not done.is_set():
                second += 1
                held.at(second / 50)

        emitters = [threading.Thread(target=emitter, args=(thread,)) for thread in range(8)]
        ticking = threading.Thread(target=ticker)
        for thread in [*emitters, ticking]:
            thread.start()
        for thread in emitters:
            thread.join()
        done.set()
        ticking.join()
        held.sampler.cut()
        assert Counter(payload for payload, _ in held.settled) == Counter(
            (thread, number) for thread in range(8) for number in range(2_000)
        )
        seconds = (held.clock.now_ns - START * SECOND) // SECOND + 1
        assert 0 < len(held.kept()) <= 20 * seconds * (2 if "per" in rule else 1)
