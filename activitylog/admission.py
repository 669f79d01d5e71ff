"""
What becomes of an event before it is sent: decided, counted, held where it must wait.

One object composes the parts, and the pipeline asks it on the way of each event::

    admission.admit(event)    by the rules, before any other work: None when it is dropped
    admitted.hold(event)      after the chain: True when it waits in a window, of a budget or of a roll-up
    admitted.count, .lose     how it ended otherwise: sent, or why not

Windows end by a ticker, which gives what waited to ``send``. Each event is counted exactly, before sampling, and
the counts of minutes that are over go to ``report``. Without rules there is no admission: an event costs no more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import time_ns
from typing import Any, Final, NamedTuple, Protocol, cast

from structlog.typing import EventDict

from activitylog.counter_records import CounterRecords
from activitylog.counter_records import Outlet as CountsOutlet
from activitylog.counters import Counters, count_of
from activitylog.event import EVENT_NAME_PATTERN, MAX_EVENT_NAME_LENGTH
from activitylog.rollup import RollUp
from activitylog.rules import Rule, RulesFile, compile_rules
from activitylog.rules.reading import outcome_of, tenant_of
from activitylog.rules.watch import RulesWatch
from activitylog.sampling import Sampler, Ticket, Verdict
from activitylog.stats import Counter, RuleStats
from activitylog.ticker import Ticker

#: How long windows of rules that were replaced are still looked after: threads may be on their way into one.
_RETIRED_NS: Final = 60_000_000_000
#: Names of events that are remembered.
_MAX_NAMES: Final = 4096
_MINUTE_NS: Final = 60_000_000_000
#: A window of a budget is over after a second.
_LONGEST_WAIT_SECONDS: Final = 1.5
_POLL_SECONDS: Final = 0.02
#: How long a report of another thread is waited for.
_REPORT_SECONDS: Final = 1.0

#: Why rules do not keep an event; other reasons are the pipeline's own.
_REASONS: Final = frozenset({"drop", "sample", "budget", "reentrant"})
_UNKNOWN: Final = "\0"


class Outlet(CountsOutlet, Protocol):
    """Where events and counts go."""

    def hold(self, method_name: str, event_dict: EventDict, trace: Any) -> Any | None:
        """Have an event that begins to wait written down, where that can be; None where it cannot."""

    def forget(self, held: Sequence[Any]) -> None:
        """What was written down is not to be sent."""

    def send(self, method_name: str, event_dict: EventDict, trace: Any, held: Sequence[Any] = ()) -> bool:
        """
        Send one event that waited; never raises. False when it failed, and was counted.

        Args:
            held: what was written down and this takes the place of.
        """

    def stored_name(self, name: Any) -> str:
        """What is stored of a name that is none."""


class Admitted:
    """An event on its way: what was decided about it, and where it is counted."""

    __slots__ = ("_admission", "_cell", "_ticket", "_verdict")

    def __init__(
        self, admission: Admission, cell: tuple[int, str, str, str, str], verdict: Verdict, ticket: Ticket | None
    ) -> None:
        self._admission = admission
        self._cell = cell
        self._verdict = verdict
        self._ticket = ticket

    @property
    def durable(self) -> bool:
        """Whether its rule asks for it to be on the medium before ``emit`` returns."""
        return self._verdict.durable

    def hold(self, method_name: str, event_dict: EventDict, trace: Any) -> bool:
        """Have an event wait that went through the chain, if its rule says so; it is then counted in time."""
        if self._ticket is None and self._verdict.rollup is None:
            return False
        held = self._admission.hold(method_name, event_dict, trace)
        if self._ticket is not None:
            self._ticket.place(_Held(self, method_name, event_dict, trace, held))
        elif self._verdict.rollup is not None:
            self.count("", event_dict)
            self._admission.fold(self._verdict.rollup, method_name, event_dict, trace, held)
        return True

    def lose(self, reason: str, event_dict: Any) -> None:
        """Count an event that the chain did not let through; what the chain left of it may be anything."""
        if self._ticket is not None:
            self._ticket.withdraw()
        self.count(reason, event_dict if isinstance(event_dict, dict) else {})

    def count(self, reason: str, event_dict: EventDict) -> None:
        """Count an event: sent when there is no reason, else why not."""
        self.add(reason, _amount(event_dict))

    def add(self, reason: str, amount: int) -> None:
        """Count so many events."""
        self._admission.counters.add((*self._cell, reason, amount))


class _Held(NamedTuple):
    """An event that waits for the end of a budget's window."""

    admitted: Admitted
    method_name: str
    event_dict: EventDict
    trace: Any
    held: Sequence[Any]


class _Folded:
    """What travels with an event through a roll-up: its trace, and what is written down of those it stands for."""

    __slots__ = ("held", "trace")

    def __init__(self, trace: Any, held: list[Any]) -> None:
        self.trace = trace
        self.held = held

    def merged(self, other: _Folded) -> _Folded:
        """Of one event of two: their trace when it is the same."""
        self.held += other.held
        if self.trace != other.trace:
            self.trace = None
        return self


class Admission:
    """
    The rules at work in one process.

    Args:
        rules: checked rules.
        outlet: where what waited, and the counts, go.
        key: of the decisions about whole units.
        dry_run: decide, and label instead of dropping.
        counting: whether counts are reported.
        clock: nanoseconds since the epoch.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        outlet: Outlet,
        *,
        key: bytes,
        dry_run: bool = False,
        counting: bool = True,
        clock: Callable[[], int] = time_ns,
    ) -> None:
        self._outlet = outlet
        self._key = key
        self._dry_run = dry_run
        self._clock = clock
        self.counters = Counters()
        self._records = CounterRecords(self.counters, outlet, clock=clock) if counting else None
        self._waiting = self.counters.waiting
        self._count = self._waiting.append
        self._rollup = RollUp(self._release, clock=clock, merge=_Folded.merged)
        self._rolled_up = Counter()
        self._rolled_out = Counter()
        self._retired: list[tuple[int, Sampler]] = []
        self._replacing = threading.Lock()
        self._watch: RulesWatch | None = None
        self._ticker = Ticker(self.tick)
        self._closed = False
        self._droppers: dict[str, str] = {}
        self._sampler = self._new_sampler(rules, None)
        self._decide = self._sampler.decide

    def _new_sampler(self, rules: Sequence[Rule], previous: Sampler | None) -> Sampler:
        return Sampler(
            compile_rules(rules),
            key=self._key,
            clock=self._clock,
            settle=self._settle,
            previous=previous,
            dry_run=self._dry_run,
        )

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What is in force."""
        return self._sampler.rules.rules

    def watch(self, file: RulesFile, every_seconds: float) -> None:
        """Look every so many seconds whether a rules file has changed, and follow it."""
        self._watch = RulesWatch(file, self.replace, int(every_seconds * 1e9))

    def replace(self, rules: Sequence[Rule]) -> None:
        """
        Put other rules in force, at once and for the next event; nothing that waits is lost.

        Rules that stay the same keep their budgets' state. Windows of the others go on to their end.
        """
        with self._replacing:
            previous = self._sampler
            self._sampler = self._new_sampler(rules, previous)
            self._decide = self._sampler.decide
            self._droppers = {}
            self._retired.append((self._clock() + _RETIRED_NS, previous))

    def enabled(self, name: str) -> bool:
        """False when a rule drops every event of this name; the event that is then not emitted is counted."""
        rule = self._droppers.get(name, _UNKNOWN)
        if rule is _UNKNOWN:
            rule = self._dropper(name)
        if not rule:
            return True
        self._count((self._clock(), tenant_of({}), name, "success", rule, "drop", 1))
        return False

    def admit(self, method_name: str, event_dict: EventDict, *, durable: bool = False) -> Admitted | None:
        """
        Decide about one event; None when it is dropped, and counted.

        Args:
            durable: its caller asks for it to be on the medium before ``emit`` returns.
        """
        if not self._ticker.started:
            self._ticker.start()
        name = event_dict["event"]
        # What is known of a name is looked up once: this is on the way of every event, dropped ones above all.
        dropper = self._droppers.get(name, _UNKNOWN) if name.__class__ is str else _UNKNOWN
        if dropper is _UNKNOWN:
            dropper = self._dropper(name)
            name = self._stored_name(name)
        if dropper:
            verdict, ticket, rule, reason = None, None, dropper, "drop"
        else:
            decided = self._decide(method_name, event_dict, durable=durable)
            ticket = None if decided.__class__ is Verdict else cast(Ticket, decided)
            verdict = cast(Verdict, decided) if ticket is None else ticket.verdict
            rule, reason = verdict.rule, verdict.reason
        now_ns = self._clock()
        tenant = event_dict.get("tenant")
        if tenant.__class__ is not str:
            tenant = tenant_of(event_dict)
        outcome = outcome_of(method_name, event_dict)
        if not reason:
            return Admitted(self, (now_ns, tenant, name, outcome, rule), cast(Verdict, verdict), ticket)
        count = count_of(event_dict) if "objects" in event_dict or "count" in event_dict else 1
        self._count((now_ns, tenant, name, outcome, rule, reason, count))
        if len(self._waiting) > self.counters.most_waiting:
            self.counters.when_full()
        return None

    def _dropper(self, name: Any) -> str:
        """The name of the rule that drops all events of this name, whatever else they have; empty without one."""
        if name.__class__ is not str:
            return ""
        # In this order: what rules that are being replaced say must not be remembered with the new ones.
        droppers, rules = self._droppers, self._sampler.rules
        index = -1 if self._dry_run else rules.always_dropped(name)
        rule = rules.rules[index].name if index >= 0 else ""
        if len(droppers) < _MAX_NAMES and _is_event_name(name):
            droppers[name] = rule
        return rule

    def hold(self, method_name: str, event_dict: EventDict, trace: Any) -> Sequence[Any]:
        """Have an event that begins to wait written down, where that can be."""
        held = self._outlet.hold(method_name, event_dict, trace)
        return () if held is None else (held,)

    def fold(
        self, rule: Rule, method_name: str, event_dict: EventDict, trace: Any, held: Sequence[Any] = ()
    ) -> None:
        """Have an event become part of a roll-up."""
        self._rolled_up.increment()
        self._rollup.add(rule, method_name, event_dict, _Folded(trace, list(held)))
        if self._closed:
            self._rollup.cut()

    def _stored_name(self, name: Any) -> str:
        """The event's name as the chain gives it."""
        return name if _is_event_name(name) else self._outlet.stored_name(name)

    def _settle(self, payload: Any, verdict: Verdict) -> None:
        """What waited in a budget's window: sent, or counted as dropped."""
        held: _Held = payload
        reason, amount = verdict.reason, _amount(held.event_dict)
        if not reason:
            verdict.mark(held.event_dict)
            sent = self._outlet.send(held.method_name, held.event_dict, held.trace, held.held)
            reason = "" if sent else "error"
        elif held.held:
            self._outlet.forget(held.held)
        held.admitted.add(reason, amount)

    def _release(self, method_name: str, event_dict: EventDict, folded: _Folded) -> None:
        """What was folded in a roll-up's window."""
        self._rolled_out.increment()
        self._outlet.send(method_name, event_dict, folded.trace, folded.held)

    def tick(self) -> None:
        """Do what is due: windows that are over, counts, a changed file of rules."""
        self._tick_windows()
        now = self._clock()
        if self._records is None:
            self.counters.take()
        else:
            self._records.report(now - now % _MINUTE_NS)
            self._records.write_down()
        if self._watch is not None:
            self._watch.look(now)

    def _tick_windows(self) -> None:
        self._sampler.tick()
        now = self._clock()
        for end, sampler in list(self._retired):
            sampler.tick()
            if end < now and not sampler.held():
                with suppress(ValueError):
                    self._retired.remove((end, sampler))
        self._rollup.tick()

    def flush(self, timeout_seconds: float) -> None:
        """Wait until the windows of budgets that are open now are over, a second at the most; send what waits."""
        ends = [end for sampler in self._samplers() if (end := sampler.last_end_ns()) is not None]
        if ends:
            self._wait_until(max(ends), min(timeout_seconds, _LONGEST_WAIT_SECONDS))
            self._tick_windows()
        self._rollup.cut()
        self._report_counts(min(timeout_seconds, _REPORT_SECONDS))

    def _report_counts(self, timeout_seconds: float) -> None:
        if self._records is not None:
            self._records.report(timeout_seconds=timeout_seconds)

    def _wait_until(self, end_ns: int, timeout_seconds: float) -> None:
        pause = threading.Event()
        for _ in range(int(timeout_seconds / _POLL_SECONDS)):
            if self._clock() >= end_ns:
                return
            pause.wait(_POLL_SECONDS)

    def _samplers(self) -> list[Sampler]:
        return [self._sampler, *(sampler for _, sampler in list(self._retired))]

    def close(self) -> None:
        """Send all that waits, now; events that still come are decided, and counted, without waiting."""
        self._closed = True
        self._ticker.stop()
        for sampler in self._samplers():
            sampler.cut()
        self._rollup.cut()
        self._report_counts(_REPORT_SECONDS)
        if self._records is not None:
            self.counters.most_waiting, self.counters.when_full = 0, self._records.report

    def dropped(self) -> dict[str, int]:
        """Events that the rules did not keep, by reason."""
        reasons = self.counters.reasons()
        return {reason: count for reason, count in reasons.items() if reason in _REASONS}

    def held(self) -> int:
        """Events that wait in windows."""
        return sum(sampler.held() for sampler in self._samplers()) + self._rollup.held()

    def rolled_up(self) -> int:
        """Events that were folded into another one."""
        return max(0, self._rolled_up.value() - self._rolled_out.value() - self._rollup.held())

    def stats(self) -> RuleStats:
        """What is in force, and what went wrong with it."""
        watch = self._watch
        return RuleStats(
            rules=tuple(rule.name for rule in self.rules),
            match_errors=self._sampler.rules.errors,
            reloads=watch.reloads if watch else 0,
            reload_error=watch.error if watch else "",
        )


def _is_event_name(name: Any) -> bool:
    return type(name) is str and len(name) <= MAX_EVENT_NAME_LENGTH and bool(EVENT_NAME_PATTERN.fullmatch(name))


def _amount(event_dict: EventDict) -> int:
    """How many events an event stands for, before the chain and behind it."""
    count = event_dict.get("activity.count")
    if type(count) is int:
        return count
    return count_of(event_dict) if "count" in event_dict or "objects" in event_dict else 1
