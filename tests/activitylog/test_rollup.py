"""Roll-up: nothing is lost, nothing is counted twice, nothing false is stated."""

from __future__ import annotations

import datetime as dt
import math
import random
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activitylog.exceptions import ConfigurationError
from activitylog.rollup import COUNT, LAST, VARIED, RollUp
from activitylog.rules import Rule
from activitylog.sampling.verdict import RULE, WEIGHT

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
TYPING = Rule(match="message.typing", name="typing", rollup_seconds=10, rollup_sum=("length", "duration"))


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now_ns = START

    def __call__(self) -> int:
        return self.now_ns


class Out(list[tuple[str, dict[str, Any], Any]]):
    """What was released, in order."""

    def __call__(self, method_name: str, event_dict: Any, payload: Any) -> None:
        self.append((method_name, dict(event_dict), payload))

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for _, event, _ in self]

    def count(self, value: Any = None) -> int:
        """For how many events those stand that were released."""
        return sum(event.get(COUNT, 1) for event in self.events)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def out() -> Out:
    return Out()


@pytest.fixture
def rollup(out: Out, clock: Clock) -> RollUp:
    return RollUp(out, clock=clock)


def typing(at: float = 0, **attributes: Any) -> dict[str, Any]:
    """An event behind the chain, so many seconds after the start."""
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    return {"event": "message.typing", "timestamp": START + round(at * SECOND), "user.id": "1", **named}


class TestOneEventOfMany:
    def test_count_and_times(self, rollup: RollUp, out: Out) -> None:
        """One event leaves, with how many they were, and when the first and the last one was."""
        for at in (2, 0, 5.25, 1):
            rollup.add(TYPING, "info", typing(at))
        rollup.cut()
        assert out.events == [
            {
                "event": "message.typing",
                "timestamp": START,
                "user.id": "1",
                COUNT: 4,
                LAST: "2023-11-14T22:13:25.250000Z",
            }
        ]

    def test_alone(self, rollup: RollUp, out: Out) -> None:
        """An event that is alone in its window leaves as it came, with its payload."""
        rollup.add(TYPING, "warning", typing(3, length=4), "payload")
        rollup.cut()
        assert out == [("warning", typing(3, length=4), "payload")]

    def test_counts_of_their_own(self, rollup: RollUp, out: Out) -> None:
        """An event that stands for several counts as several."""
        rollup.add(TYPING, "info", typing(activity__count=5))
        rollup.add(TYPING, "info", typing())
        rollup.add(TYPING, "info", typing(activity__count=0))
        rollup.cut()
        assert [event[COUNT] for event in out.events] == [6]

    def test_what_differs_is_named_and_left_out(self, rollup: RollUp, out: Out) -> None:
        """What is not the same in all is not said of all, only that it varied."""
        rollup.add(TYPING, "info", typing(channel="a", same=[1, {"a": 2}], flag=True, one=1))
        rollup.add(TYPING, "info", typing(channel="b", same=[1, {"a": 2}], flag=1, late=2))
        rollup.add(TYPING, "info", typing(channel="a", same=[1, {"a": 2}], flag=True))
        rollup.cut()
        (event,) = out.events
        assert event["same"] == [1, {"a": 2}]
        assert not {"channel", "flag", "one", "late"} & event.keys()
        assert set(event[VARIED]) == {"channel", "flag", "one", "late"}

    def test_one_is_not_true_inside_a_list(self, rollup: RollUp, out: Out) -> None:
        """1, True and 1.0 are different values, wherever they stand."""
        rollup.add(TYPING, "info", typing(items=[1]))
        rollup.add(TYPING, "info", typing(items=[True]))
        rollup.cut()
        assert out.events[0][VARIED] == ["items"]

    def test_flags_are_united(self, rollup: RollUp, out: Out) -> None:
        """What was cut in one of them was cut."""
        rollup.add(TYPING, "info", typing(activity__sanitized=["a:truncated"]))
        rollup.add(TYPING, "info", typing(activity__sanitized=["b:type", "a:truncated"]))
        rollup.add(TYPING, "info", typing())
        rollup.cut()
        assert out.events[0]["activity.sanitized"] == ["a:truncated", "b:type"]
        assert VARIED not in out.events[0]

    def test_payload_is_kept_when_equal(self, rollup: RollUp, out: Out) -> None:
        """The payload stays when all agree on it."""
        for user, payloads in (("same", [(1, 2), (1, 2)]), ("other", [(1, 2), (3, 4), (1, 2)])):
            for payload in payloads:
                rollup.add(TYPING, "info", typing(user__id=user), payload)
        rollup.cut()
        assert [payload for _, _, payload in out] == [(1, 2), None]

    def test_no_half_of_a_trace(self, rollup: RollUp, out: Out) -> None:
        """A span id without its trace id points to nowhere."""
        rollup.add(TYPING, "info", typing(trace_id="a" * 32, span_id="b" * 16))
        rollup.add(TYPING, "info", typing(trace_id="c" * 32, span_id="b" * 16))
        rollup.cut()
        assert not {"trace_id", "span_id"} & out.events[0].keys()

    def test_rolled_up_twice(self, out: Out, clock: Clock) -> None:
        """Behind another roll-up counts, sums, the last time and what varied add up."""
        second = RollUp(out, clock=clock)
        first = RollUp(lambda method, event, payload: second.add(TYPING, method, event, payload), clock=clock)
        for at, channel in ((0, "a"), (1, "b"), (2, "c"), (3, "c")):
            first.add(TYPING, "info", typing(at, channel=channel, length=10))
            if at == 1:
                first.cut()
        first.cut()
        second.cut()
        (event,) = out.events
        assert (event[COUNT], event["length.sum"], event[VARIED]) == (4, 40, ["channel"])
        assert event[LAST] == "2023-11-14T22:13:23.000000Z"


class TestSums:
    def total(self, rollup: RollUp, out: Out, values: list[Any], name: str = "length") -> dict[str, Any]:
        for value in values:
            rollup.add(TYPING, "info", {**typing(), **({} if value is None else {name: value})})
        rollup.cut()
        return out.events[0]

    def test_integers_stay_exact(self, rollup: RollUp, out: Out) -> None:
        """Integers are summed as integers, far beyond what a float can tell apart."""
        event = self.total(rollup, out, [2**53, 1, None, 1])
        assert event["length.sum"] == 2**53 + 2
        assert type(event["length.sum"]) is int

    def test_beyond_64_bits(self, rollup: RollUp, out: Out) -> None:
        """A sum that no 64 bits hold is the nearest float."""
        assert self.total(rollup, out, [2**63 - 1, 2**63 - 1])["length.sum"] == float(2**64)

    def test_duration(self, rollup: RollUp, out: Out) -> None:
        """``duration`` is the keyword, its attribute gets the sum, in seconds."""
        event = self.total(rollup, out, [0.25, 1.5], "activity.duration")
        assert event["activity.duration.sum"] == 1.75

    @pytest.mark.parametrize("value", [True, "7", [1], math.inf, None])
    def test_what_is_no_number(self, rollup: RollUp, out: Out, value: Any) -> None:
        """What is no number is not summed, and nothing is said where there was no number at all."""
        assert self.total(rollup, out, [value, 3, value])["length.sum"] == 3
        out.clear()
        assert "length.sum" not in self.total(rollup, out, [value, value])

    def test_overflow_says_nothing(self, rollup: RollUp, out: Out) -> None:
        """A sum beyond all floats is left out rather than wrong."""
        event = self.total(rollup, out, [1.7e308, 1.7e308])
        assert "length.sum" not in event
        assert event[COUNT] == 2

    @given(
        values=st.lists(
            st.integers(-(2**63), 2**63 - 1) | st.floats(-1e300, 1e300, allow_subnormal=True),
            min_size=2,
            max_size=20,
        )
    )
    def test_any_numbers(self, values: list[Any]) -> None:
        """The sum is the number nearest to the true one, in whatever order."""
        out = Out()
        event = self.total(RollUp(out, clock=Clock()), out, values)
        exact = sum(map(Fraction, values))
        whole = all(type(value) is int for value in values) and -(2**63) <= exact < 2**63
        assert event["length.sum"] == (exact if whole else float(exact))


class TestSimilar:
    @pytest.mark.parametrize(
        "other",
        [
            {"event": "message.sent"},
            {"activity.tenant.id": "acme"},
            {"activity.outcome": "unknown"},
            {WEIGHT: 20.0},
            {RULE: "another"},
            {"activity.sample.dry_run": "drop"},
            {"user.id": "2"},
            {"user.id": None, "activity.actor.type": "bot", "activity.actor.id": "1"},
            {"activity.object.id": "9"},
            {"activity.object.ids": ["9", "8"]},
            {"activity.target.id": "9"},
        ],
        ids=lambda other: next(iter(other)),
    )
    def test_what_is_never_folded(self, rollup: RollUp, out: Out, other: dict[str, Any]) -> None:
        """Name, tenant, outcome, weight, rule and what the rule names are the same in a window."""
        for _ in range(2):
            rollup.add(TYPING, "info", typing())
            rollup.add(TYPING, "info", {**typing(), **other})
        rollup.cut()
        assert [event[COUNT] for event in out.events] == [2, 2]

    def test_severity(self, rollup: RollUp, out: Out) -> None:
        """Warnings and informations are not folded into each other."""
        for method in ("info", "warning", "info"):
            rollup.add(TYPING, method, typing())
        rollup.cut()
        assert [(method, event.get(COUNT, 1)) for method, event, _ in out] == [("info", 2), ("warning", 1)]

    def test_by_keyword_and_by_attribute(self, rollup: RollUp, out: Out) -> None:
        """``rollup_by`` takes keywords of ``emit`` and names of attributes; the actor then may differ."""
        rule = Rule(match="*", rollup_seconds=10, rollup_by=("session", "http.route"))
        for session, route, user in (("a", "/x", "1"), ("a", "/x", "2"), ("b", "/x", "1"), ("a", "/y", "1")):
            rollup.add(rule, "info", {**typing(user__id=user), "session.id": session, "http.route": route})
        rollup.cut()
        assert [event.get(COUNT, 1) for event in out.events] == [2, 1, 1]
        assert out.events[0][VARIED] == ["user.id"]

    def test_type_of_a_key(self, rollup: RollUp, out: Out) -> None:
        """1, "1" and True are different keys."""
        rule = Rule(match="*", rollup_seconds=10, rollup_by=("level",))
        for level in (1, "1", True, [1], [1]):
            rollup.add(rule, "info", typing(level=level))
        rollup.cut()
        assert [event.get(COUNT, 1) for event in out.events] == [1, 1, 1, 2]

    def test_rules_do_not_mix(self, rollup: RollUp, out: Out) -> None:
        """Events of two rules are not similar, even where everything else is; equal rules are one."""
        for rule in (TYPING, Rule(match="*", name="b", rollup_seconds=10), TYPING):
            rollup.add(rule, "info", typing())
        assert rollup.held() == 3
        rollup.cut()
        assert sorted(event.get(COUNT, 1) for event in out.events) == [1, 2]

    @pytest.mark.parametrize("count", ["3", 2.0, True, -1, 2**63])
    def test_no_count(self, rollup: RollUp, out: Out, count: Any) -> None:
        """An event whose count is no count leaves at once, unchanged."""
        rollup.add(TYPING, "info", typing(activity__count=count))
        assert out.events == [typing(activity__count=count)]

    @pytest.mark.parametrize("outcome", ["failure", "denied"])
    def test_never_rolled_up(self, rollup: RollUp, out: Out, outcome: str) -> None:
        """Outcomes that are always kept are not folded, unless the rule says so."""
        rollup.add(TYPING, "info", typing(activity__outcome=outcome))
        assert out.count() == 1
        said = Rule(match="*", rollup_seconds=10, keep=frozenset())
        rollup.add(said, "info", typing(activity__outcome=outcome))
        assert rollup.held() == 1


class TestWindow:
    def test_over_after_its_length(self, rollup: RollUp, out: Out, clock: Clock) -> None:
        """A window is over so many seconds after its first event, whatever comes meanwhile."""
        assert rollup.next_end_ns() is None
        for second in (0, 5, 9.99):
            clock.now_ns = START + round(second * SECOND)
            rollup.add(TYPING, "info", typing(second))
            rollup.tick()
        assert (out.events, rollup.held(), rollup.next_end_ns()) == ([], 3, START + 10 * SECOND)
        clock.now_ns = START + 10 * SECOND
        rollup.tick()
        assert (out.count(), rollup.held(), rollup.next_end_ns()) == (3, 0, None)

    def test_the_next_event_closes_it_too(self, rollup: RollUp, out: Out, clock: Clock) -> None:
        """Without any tick a similar event that comes later begins a new window, whatever its time."""
        for at in (0, 10, 10):
            rollup.add(TYPING, "info", typing(at))
            clock.now_ns += 10 * SECOND
        assert (out.count(), rollup.held()) == (2, 1)

    def test_an_import_is_not_folded(self, rollup: RollUp, out: Out) -> None:
        """Events that come at once and are hours apart by their own times stay apart."""
        for hour in range(3):
            rollup.add(TYPING, "info", typing(hour * 3600))
            rollup.add(TYPING, "info", typing(hour * 3600 + 1))
        rollup.cut()
        assert [event[COUNT] for event in out.events] == [2, 2, 2]

    @pytest.mark.parametrize("step", [-3600, 3600])
    def test_the_clock_is_set(self, rollup: RollUp, out: Out, clock: Clock, step: int) -> None:
        """A clock that is set forward or back by more than the window closes it."""
        rollup.add(TYPING, "info", typing())
        clock.now_ns += step * SECOND
        rollup.tick()
        assert out.count() == 1

    def test_rules_of_two_lengths(self, rollup: RollUp, out: Out, clock: Clock) -> None:
        """A long window does not hold up a short one that was opened after it."""
        rollup.add(Rule(match="*", rollup_seconds=60), "info", typing())
        rollup.add(TYPING, "info", typing())
        clock.now_ns += 10 * SECOND
        rollup.tick()
        assert (out.count(), rollup.held(), rollup.next_end_ns()) == (1, 1, START + 60 * SECOND)

    def test_too_many_windows(self, out: Out, clock: Clock) -> None:
        """Beyond the bound the oldest window is released early, and nothing is lost."""
        rollup = RollUp(out, clock=clock, max_keys=3)
        for user in range(10):
            clock.now_ns += 1
            rollup.add(TYPING, "info", typing(user__id=str(user)))
            assert rollup.held() <= 3
        assert [event["user.id"] for event in out.events] == list("0123456")
        rollup.cut()
        assert out.count() == 10

    def test_no_room_at_all(self, out: Out) -> None:
        """A bound below one window is refused, with what to do."""
        with pytest.raises(ConfigurationError, match="max_keys is 0"):
            RollUp(out, max_keys=0)


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads that take turns at nearly every step."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class TestInterruptions:
    def test_nothing_is_released_under_the_lock(self, clock: Clock) -> None:
        """Whoever is given an event may use the roll-up from another thread."""
        seen: list[int] = []

        def release(_method: str, _event: Any, _payload: Any) -> None:
            thread = threading.Thread(target=lambda: seen.append(held()), daemon=True)
            thread.start()
            thread.join(5)

        rollup = RollUp(release, clock=clock)
        held = rollup.held
        rollup.add(TYPING, "info", typing())
        rollup.cut()
        assert seen == [0]

    def test_release_may_add(self, out: Out, clock: Clock) -> None:
        """Releasing may lead to another event."""

        def release(method: str, event: Any, payload: Any) -> None:
            out(method, event, payload)
            if event["user.id"] == "1":
                add(TYPING, "info", typing(user__id="2"))

        rollup = RollUp(release, clock=clock)
        add = rollup.add
        rollup.add(TYPING, "info", typing())
        rollup.cut()
        rollup.cut()
        assert out.count() == 2

    @pytest.mark.parametrize("close", [False, True])
    def test_a_signal_inside(self, out: Out, clock: Clock, close: bool) -> None:
        """A handler that emits inside the lock gets its event out alone; one that flushes flushes all."""
        rollup = RollUp(out, clock=clock)

        class Interrupting(str):
            """A user id that is compared inside the lock."""

            def __eq__(self, other: object) -> bool:
                rollup.add(TYPING, "info", typing(user__id="handler"))
                if close:
                    rollup.cut()
                return str(self) == str(other)

            __hash__ = str.__hash__

        rollup.add(TYPING, "info", {**typing(), "note": Interrupting("x")})
        rollup.add(TYPING, "info", {**typing(), "note": Interrupting("x")})
        assert out.events[0]["user.id"] == "handler"
        assert len(out) == (2 if close else 1)
        rollup.cut()
        assert out.count() == 3

    def test_a_handler_that_ends_the_process(self, out: Out, clock: Clock) -> None:
        """A handler that flushes and raises loses at most the event that it interrupted."""
        rollup = RollUp(out, clock=clock)

        class Ending(str):
            def __eq__(self, other: object) -> bool:
                rollup.cut()
                raise SystemExit

            __hash__ = str.__hash__

        rollup.add(TYPING, "info", typing(user__id="waiting"))
        rollup.add(TYPING, "info", {**typing(), "note": Ending("x")})
        with pytest.raises(SystemExit):
            rollup.add(TYPING, "info", {**typing(), "note": Ending("y")})
        assert [event["user.id"] for event in out.events] == ["waiting", "1"]
        assert rollup.held() == 0

    def test_a_release_that_fails(self, clock: Clock, out: Out) -> None:
        """What cannot be released keeps nobody else waiting."""

        def release(method: str, event: Any, payload: Any) -> None:
            out(method, event, payload)
            if len(out) == 1:
                raise OSError("full")

        rollup = RollUp(release, clock=clock)
        for user in "abc":
            rollup.add(TYPING, "info", typing(user__id=user))
        with pytest.raises(OSError, match="full"):
            rollup.cut()
        assert (len(out), rollup.held()) == (3, 0)

    def test_threads(self, switching: None) -> None:
        """With many threads, a small bound, ticks and cuts every event is in exactly one window."""
        seen: list[tuple[int, int]] = []
        rule = Rule(match="*", name="t", rollup_seconds=0.000_2, rollup_sum=("tag",))
        each, threads = 4000, 4

        def release(_method: str, event: Any, _payload: Any) -> None:
            seen.append((event.get(COUNT, 1), event.get("tag.sum", event.get("tag", -1))))

        rollup = RollUp(release, max_keys=5)

        def work(number: int) -> None:
            chance = random.Random(number)
            for index in range(each):
                tag = number * each + index
                event = {"event": "a.b", "timestamp": START, "user.id": chance.randrange(8), "tag": tag}
                rollup.add(rule, "info", event)
                if index % 97 == 0:
                    (rollup.cut if index % 2 else rollup.tick)()

        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        rollup.cut()
        assert rollup.held() == 0
        assert sum(count for count, _ in seen) == each * threads
        assert sum(total for _, total in seen) == sum(range(each * threads))


# Every event has a bit of its own, so that the sum of a window tells who was in it.
TAGGED = Rule(match="*", name="t", rollup_seconds=10, rollup_sum=("tag",), keep=frozenset())
_steps = st.one_of(
    st.fixed_dictionaries(
        {
            "user.id": st.sampled_from(["1", "2"]),
            "activity.tenant.id": st.sampled_from(["", "acme"]),
            "at": st.integers(-15, 15),
            "note": st.sampled_from([None, "x", "y", 1, True]),
        },
        optional={COUNT: st.integers(0, 5)},
    ),
    st.floats(-30, 30).map(lambda seconds: seconds or 0.5),
    st.sampled_from(["tick", "cut"]),
)


class TestAgainstAModel:
    @settings(max_examples=200)
    @given(steps=st.lists(_steps, max_size=60), max_keys=st.sampled_from([1, 2, 100]))
    def test_any_stream(self, steps: list[Any], max_keys: int) -> None:
        """
        Whatever comes, in whatever order, with the clock set forth and back: every event is in one window.

        And each window is what is said of it: one key, not longer than its length by either clock, the sums of its
        events, what all of them have in common, and nothing else.
        """
        clock, out = Clock(), Out()
        rollup = RollUp(out, clock=clock, max_keys=max_keys)
        added: list[tuple[dict[str, Any], int]] = []
        for step in steps:
            if isinstance(step, float):
                clock.now_ns += round(step * SECOND)
            elif isinstance(step, str):
                getattr(rollup, step)()
            else:
                event = {name: value for name, value in step.items() if value is not None and name != "at"}
                event |= {"event": "a.b", "timestamp": clock.now_ns + step["at"] * SECOND, "tag": 1 << len(added)}
                added.append((dict(event), clock.now_ns))
                rollup.add(TAGGED, "info", event)
            assert rollup.held() + _members(out.events) == len(added)
        rollup.cut()
        assert rollup.held() == 0
        seen = 0
        for event in out.events:
            tags = event.get("tag.sum") or event["tag"]
            assert not seen & tags
            seen |= tags
            _check(event, [added[bit] for bit in range(len(added)) if tags >> bit & 1])
        assert seen == (1 << len(added)) - 1


def _members(events: list[dict[str, Any]]) -> int:
    return sum((event.get("tag.sum") or event["tag"]).bit_count() for event in events)


def _check(event: dict[str, Any], members: list[tuple[dict[str, Any], int]]) -> None:
    """What a released event says against what its members say."""
    if len(members) == 1:
        assert event == members[0][0]
        return
    dicts = [member for member, _ in members]
    arrivals = [at for _, at in members]
    times = [member["timestamp"] for member in dicts]
    assert all(abs(at - arrivals[0]) < 10 * SECOND for at in arrivals)
    assert max(times) - min(times) < 10 * SECOND
    assert event.pop(COUNT) == sum(member.get(COUNT, 1) for member in dicts)
    last = dt.datetime.fromtimestamp(max(times) // SECOND, dt.UTC).replace(microsecond=max(times) // 1000 % 10**6)
    assert dt.datetime.fromisoformat(event.pop(LAST)) == last
    assert event.pop("timestamp") == min(times)
    event.pop("tag.sum")
    names = {name for member in dicts for name in member} - {COUNT, "timestamp"}
    common = {name for name in names if len({repr(member.get(name)) for member in dicts}) == 1}
    assert set(event.pop(VARIED, ())) == names - common
    assert {name: repr(value) for name, value in event.items()} == {name: repr(dicts[0][name]) for name in common}
    assert {"user.id", "activity.tenant.id"} <= common
