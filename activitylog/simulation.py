"""
What rules would have kept of past events, and how well the counts of what is kept tell the true ones.

Events run in the order of their times through the real rules, sampler and roll-up, with a clock that follows them
and nothing behind: no store, no thread. Sampling is a matter of luck, so it is done again and again, each draw
with a key and chances of its own, and the draws are compared with the truth, which is known here::

    events ──> taken by a rule that draws ──> draw 1 (the deployment's key), draw 2, ... ──> estimates, errors
           └─> taken by any other rule    ──> once: the same in every draw

An estimate is what SQL computes from rows: the sum of weight times count, its standard error by the draws (single
events, or whole units), and whether to trust it (the view ``activity_estimates_by_unit`` has the same rules).
"""

from __future__ import annotations

import dataclasses
import json
import random
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Final, NamedTuple

from structlog.typing import EventDict

from activitylog.counters import count_of
from activitylog.estimates import Estimate, Tally
from activitylog.exceptions import ConfigurationError, shown
from activitylog.processors import Sanitize, add_timestamp, name_attributes, name_entities, name_error
from activitylog.rollup import RollUp
from activitylog.rules import Rule, RuleSet
from activitylog.rules.reading import name_of, unit_reader
from activitylog.sampling import Sampler, Verdict
from activitylog.sampling.verdict import DRY_RUN, RULE, THRESHOLD, UNIT, WEIGHT, earlier_weight

#: ``progress(done, total)``, in events times draws.
Progress = Callable[[int, int], None]

_METHOD: Final = "info"
#: The pipeline's ticker looks this often whether a window is over.
_TICK_NS: Final = 500_000_000
_MARKS: Final = (WEIGHT, RULE, THRESHOLD, UNIT, DRY_RUN)
#: Events of each name whose length is measured.
_MEASURED: Final = 200
_PROGRESS_EVERY: Final = 4_096
_CHAIN: Final = (add_timestamp, name_entities, name_error, name_attributes, Sanitize())


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """
    What one rule did in the first draw.

    Attributes:
        number: its place among the rules, from 1; 0 for events that no rule takes.
        name: of the rule.
        events: that it took; ``events = rows + folded + sum(dropped.values())``.
        rows: that are stored.
        folded: events that became part of another row.
        dropped: events by reason: ``drop``, ``sample``, ``budget``.
        least_rows, most_rows: over all draws.
        heaviest: the largest weight of a row; 0 without rows.
        without_unit: events that have none of the unit by which the rule keeps or drops.
    """

    number: int
    name: str
    events: int
    rows: int
    folded: int
    dropped: Mapping[str, int]
    least_rows: int
    most_rows: int
    heaviest: float
    without_unit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NameOutcome:
    """
    One event name: the truth, the estimate of the first draw, and how all draws scatter.

    Attributes:
        event: the name; empty for all together.
        events: how many there were, by their own counts.
        left_out: of them, dropped by a rule with ``drop``: no estimate is meant to know them.
        rows: that are stored in the first draw.
        estimate: what the rows of the first draw say about ``events - left_out``.
        bias: the mean of all draws' estimates, less the truth.
        deviation: standard deviation of the draws' estimates around their mean.
        covered: draws whose 95 % interval holds the truth.
        trusted: draws whose estimate says of itself that it may be trusted.
    """

    event: str
    events: int
    left_out: int
    rows: int
    estimate: Estimate
    bias: float
    deviation: float
    covered: int
    trusted: int

    @property
    def truth(self) -> int:
        """What the estimates are about."""
        return self.events - self.left_out

    @property
    def error(self) -> float:
        """Of the first draw's estimate."""
        return self.estimate.total - self.truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """
    The result.

    Attributes:
        draws: how many there were.
        first_ns, last_ns: times of the first and the last event, nanoseconds since the epoch; 0 without events.
        rules: each rule in its order, then (number 0) the events that none takes.
        names: by the number of their events, the most frequent first.
        total: all names together.
        bytes_before: of all events, as JSON without compression: measured on some of each name.
        bytes_after: of the rows, from the same measure.
    """

    draws: int
    first_ns: int
    last_ns: int
    rules: tuple[RuleOutcome, ...]
    names: tuple[NameOutcome, ...]
    total: NameOutcome
    bytes_before: int
    bytes_after: int


def simulate(
    events: Iterable[Mapping[str, Any]],
    rules: Sequence[Rule],
    *,
    key: bytes,
    draws: int = 20,
    seed: int = 1,
    progress: Progress | None = None,
) -> Simulation:
    """
    Run events through rules.

    Args:
        events: keywords of ``emit``, the name under ``event`` and integer nanoseconds under ``timestamp``; in any
            order. All of them are held in memory.
        rules: checked rules. A dry run is taken for real: to see what it would keep is what this is for.
        key: of the first draw; the others have keys of their own.
        draws: how often chance is tried, 1 or more.
        seed: the same seed gives the same draws.
        progress: is told how far it is.

    Raises:
        ConfigurationError: ``draws`` is below 1.
    """
    if draws < 1:
        raise ConfigurationError(f"draws is {draws}.", hint="Give 1 or more; 20 show how the counts scatter.")
    ruleset = RuleSet([dataclasses.replace(rule, dry_run=False) for rule in rules])
    past = _Past(events, ruleset)
    tell = _Telling(progress, past.work(draws))
    once = _Draw(ruleset, past, key=key, chance=random.Random(seed))  # noqa: S311 - draws a sample
    once.run(past.fixed, tell)
    tallies = []
    for number in range(draws):
        chance = random.Random(f"{seed}/{number}")  # noqa: S311 - draws a sample
        draw = _Draw(ruleset, past, key=key if number == 0 else _key(seed, number), chance=chance)
        draw.run(past.drawn, tell)
        draw.add(once)
        tallies.append(draw)
    return _Summary(past, ruleset, tallies).simulation()


def _key(seed: int, number: int) -> bytes:
    return blake2b(f"{seed}/{number}".encode(), digest_size=32).digest()


class _Event(NamedTuple):
    """One past event."""

    time_ns: int
    values: dict[str, Any]
    name: str
    amount: int
    rule: int


def _draws(rule: Rule) -> bool:
    """Whether chance has a part in what becomes of its events."""
    return rule.sample is not None or rule.target_per_second is not None or rule.max_per_second is not None


def _time_of(values: Mapping[str, Any]) -> int:
    time_ns = values.get("timestamp")
    if type(time_ns) is int:
        return time_ns
    raise ConfigurationError(
        f"An event {shown(values.get('event'))} has no time: its timestamp is {shown(time_ns)}.",
        hint="Give integer nanoseconds: budgets and windows follow the times of the events.",
    )


class _Past:
    """The events, sorted, with what is the same in every draw."""

    def __init__(self, events: Iterable[Mapping[str, Any]], rules: RuleSet) -> None:
        self.fixed: list[_Event] = []
        self.drawn: list[_Event] = []
        self.amounts: Counter[str] = Counter()
        self.taken: Counter[int] = Counter()
        self.without_unit: Counter[int] = Counter()
        self._sizes: dict[str, list[int]] = {}
        self._chained: dict[int, EventDict] = {}
        self._units = {index: unit_reader(rule.by) for index, rule in enumerate(rules.rules) if rule.by != "event"}
        drawing = frozenset(index for index, rule in enumerate(rules.rules) if _draws(rule))
        for values in events:
            event = self._read(dict(values), rules)
            (self.drawn if event.rule in drawing else self.fixed).append(event)
        # Stable: events of one time stay in the order in which they were written.
        self.fixed.sort(key=attrgetter("time_ns"))
        self.drawn.sort(key=attrgetter("time_ns"))

    def _read(self, values: dict[str, Any], rules: RuleSet) -> _Event:
        rule = rules.find(_METHOD, values)
        name = name_of(values) or ""
        event = _Event(_time_of(values), values, name, count_of(values), rule)
        self.taken[rule] += 1
        self.amounts[name] += event.amount
        unit = self._units.get(rule)
        if unit is not None and unit(values) is None:
            self.without_unit[rule] += 1
        sizes = self._sizes.setdefault(name, [])
        if len(sizes) < _MEASURED:
            sizes.append(len(json.dumps(values, default=str, separators=(",", ":"))))
        return event

    def work(self, draws: int) -> int:
        """How many decisions there are to make."""
        return len(self.fixed) + draws * len(self.drawn)

    def span(self) -> tuple[int, int]:
        """Times of the first and the last event."""
        ends = [part[place].time_ns for part in (self.fixed, self.drawn) if part for place in (0, -1)]
        return min(ends, default=0), max(ends, default=0)

    def mean_size(self, name: str) -> float:
        """Bytes of an event of this name."""
        return statistics.fmean(self._sizes.get(name) or [0])

    def chained(self, event: _Event) -> EventDict:
        """The event behind the chain: a copy of its own."""
        found = self._chained.get(id(event.values))
        if found is None:
            found = dict(event.values)
            for processor in _CHAIN:
                found = processor(None, _METHOD, found)
            self._chained[id(event.values)] = found
        return dict(found)


class _Telling:
    """Tells the progress, now and then."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def __call__(self, events: int) -> None:
        self._done += events
        if self._progress is not None:
            self._progress(self._done, self._total)


class _Draw:
    """One run of the events, by one key and one sequence of chances."""

    def __init__(self, rules: RuleSet, past: _Past, *, key: bytes, chance: random.Random) -> None:
        self._past = past
        self._now_ns = past.span()[0]
        self._sampler = Sampler(rules, key=key, settle=self._settle, clock=self._clock, generator=chance)
        self._rollup = RollUp(self._release, clock=self._clock)
        self._numbers = {rule.name: index for index, rule in enumerate(rules.rules)}
        self.tallies: dict[str, Tally] = {}
        self.total = Tally()
        self.dropped: Counter[tuple[int, str]] = Counter()
        self.left_out: Counter[str] = Counter()
        self.rows: Counter[int] = Counter()
        self.kept: Counter[int] = Counter()
        self.heaviest: dict[int, float] = {}

    def _clock(self) -> int:
        return self._now_ns

    def run(self, events: Sequence[_Event], tell: Callable[[int], None]) -> None:
        """Take all of them, then end what waits."""
        decide, tick_at, untold = self._sampler.decide, 0, 0
        for event in events:
            self._now_ns = event.time_ns
            if event.time_ns >= tick_at:
                self._sampler.tick()
                self._rollup.tick()
                tick_at = event.time_ns - event.time_ns % _TICK_NS + _TICK_NS
            values = dict(event.values)
            decided = decide(_METHOD, values)
            if decided.__class__ is Verdict:
                self._decided(event, values, decided)
            else:
                decided.place((event, values))  # type: ignore[union-attr]
            untold += 1
            if untold == _PROGRESS_EVERY:
                tell(untold)
                untold = 0
        self._sampler.cut()
        self._rollup.cut()
        tell(untold)

    def _settle(self, payload: Any, verdict: Verdict) -> None:
        """What a budget held."""
        event, values = payload
        if not verdict.reason:
            verdict.mark(values)
        self._decided(event, values, verdict)

    def _decided(self, event: _Event, values: EventDict, verdict: Verdict) -> None:
        if verdict.reason:
            self.dropped[event.rule, verdict.reason] += 1
            if verdict.reason == "drop":
                self.left_out[event.name] += event.amount
            return
        self.kept[event.rule] += 1
        if verdict.rollup is None:
            self._store(event.rule, event.name, event.amount, values)
            return
        chained = self._past.chained(event)
        chained.update((mark, values[mark]) for mark in _MARKS if mark in values)
        self._rollup.add(verdict.rollup, _METHOD, chained, event.name)

    def _release(self, _method_name: str, event_dict: EventDict, name: str) -> None:
        """What leaves the roll-up: a row."""
        rule = self._numbers[event_dict[RULE]]
        self._store(rule, name, event_dict.get("activity.count", 1), event_dict)

    def _store(self, rule: int, name: str, amount: int, row: EventDict) -> None:
        weight = earlier_weight(row)
        self.rows[rule] += 1
        if weight > self.heaviest.get(rule, 0.0):
            self.heaviest[rule] = weight
        tally = self.tallies.get(name)
        if tally is None:
            tally = self.tallies[name] = Tally()
        by = row.get(UNIT, "")
        unit = (by, unit_reader(by)(row) or "") if by else None
        tally.add(weight, amount, unit)
        self.total.add(weight, amount, unit)

    def add(self, other: _Draw) -> None:
        """Add the outcome of other events to this one's."""
        for name, tally in other.tallies.items():
            self.tallies.setdefault(name, Tally()).add_all(tally)
        self.total.add_all(other.total)
        for mine, theirs in (
            (self.dropped, other.dropped),
            (self.left_out, other.left_out),
            (self.rows, other.rows),
            (self.kept, other.kept),
        ):
            mine.update(theirs)  # type: ignore[arg-type]
        self.heaviest.update(other.heaviest)


class _Summary:
    """The draws, side by side."""

    def __init__(self, past: _Past, rules: RuleSet, draws: Sequence[_Draw]) -> None:
        self._past = past
        self._rules = rules.rules
        self._draws = draws
        self._left_out = draws[0].left_out

    def simulation(self) -> Simulation:
        past, first = self._past, self._draws[0]
        names = [self._name(name) for name, _ in past.amounts.most_common()]
        first_ns, last_ns = past.span()
        return Simulation(
            draws=len(self._draws),
            first_ns=first_ns,
            last_ns=last_ns,
            rules=tuple(self._rule(index) for index in (*range(len(self._rules)), -1)),
            names=tuple(names),
            total=self._outcome(
                "", past.amounts.total(), first.left_out.total(), [draw.total for draw in self._draws]
            ),
            bytes_before=round(sum(past.mean_size(name) * events for name, events in past.amounts.items())),
            bytes_after=round(sum(past.mean_size(outcome.event) * outcome.rows for outcome in names)),
        )

    def _rule(self, index: int) -> RuleOutcome:
        first = self._draws[0]
        rows = [draw.rows[index] for draw in self._draws]
        return RuleOutcome(
            number=index + 1,
            name="" if index < 0 else self._rules[index].name,
            events=self._past.taken[index],
            rows=rows[0],
            folded=first.kept[index] - rows[0],
            dropped={reason: count for (rule, reason), count in first.dropped.items() if rule == index},
            least_rows=min(rows),
            most_rows=max(rows),
            heaviest=first.heaviest.get(index, 0.0),
            without_unit=self._past.without_unit[index],
        )

    def _name(self, name: str) -> NameOutcome:
        none = Tally()
        tallies = [draw.tallies.get(name, none) for draw in self._draws]
        return self._outcome(name, self._past.amounts[name], self._left_out[name], tallies)

    @staticmethod
    def _outcome(name: str, events: int, left_out: int, tallies: Sequence[Tally]) -> NameOutcome:
        truth = events - left_out
        estimates = [tally.estimate() for tally in tallies]
        totals = [estimate.total for estimate in estimates]
        return NameOutcome(
            event=name,
            events=events,
            left_out=left_out,
            rows=tallies[0].rows,
            estimate=estimates[0],
            bias=statistics.fmean(totals) - truth,
            deviation=statistics.stdev(totals) if len(totals) > 1 else 0.0,
            covered=sum(estimate.covers(truth) for estimate in estimates),
            trusted=sum(estimate.trust != "no" for estimate in estimates),
        )
