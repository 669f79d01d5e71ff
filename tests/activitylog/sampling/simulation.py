"""Populations of events, and what becomes of them in a sampler: shared by the statistical tests."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from activitylog.rules import compile_rules
from activitylog.sampling import Sampler, Ticket, Verdict

SECOND = 1_000_000_000
START = 1_700_000_000


class Clock:
    """A clock that the test moves."""

    def __init__(self, second: float = START) -> None:
        self.now_ns = round(second * SECOND)

    def __call__(self) -> int:
        return self.now_ns

    def at(self, second: float) -> None:
        """Set it to this many seconds after the start."""
        self.now_ns = round((START + second) * SECOND)


class Event(NamedTuple):
    """One event of a population."""

    second: int
    name: str
    session: str
    outcome: str = ""


@dataclass
class Outcome:
    """What a sampler made of a population."""

    emitted: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    estimate: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    kept_in_second: Counter[int] = field(default_factory=Counter)
    rows: list[tuple[Event, Verdict]] = field(default_factory=list)

    def note(self, event: Event, verdict: Verdict) -> None:
        """One event is settled."""
        if verdict.reason:
            self.dropped[event.name, verdict.reason] += 1
            return
        self.kept[event.name] += 1
        self.kept_in_second[event.second] += 1
        self.estimate[event.name] += verdict.weight
        self.rows.append((event, verdict))

    @property
    def total(self) -> float:
        """The weighted count of all."""
        return sum(self.estimate.values())


class Subject(Protocol):
    """What is put to the test: a sampler, or a naive model of one."""

    def decide(self, method_name: str, event_dict: dict[str, Any], /) -> Verdict | Ticket:
        """What becomes of an event."""

    def tick(self) -> None:
        """Half a second is over."""


Make = Callable[[int, Clock, Outcome], Subject]


def ruled(**rule: Any) -> Make:
    """Makes samplers of one rule for all events, each seed with a key and a generator of its own."""

    def make(seed: int, clock: Clock, outcome: Outcome) -> Sampler:
        return Sampler(
            compile_rules([{"match": "*", **rule}]),
            key=f"key {seed}".encode(),
            settle=outcome.note,
            clock=clock,
            generator=random.Random(seed),
        )

    return make


def run(events: Iterable[Event], make: Make, *, seed: int) -> Outcome:
    """All events through a new subject."""
    clock, outcome = Clock(), Outcome()
    subject = make(seed, clock, outcome)
    decide, second = subject.decide, -1
    for event in events:
        if event.second != second:
            second = event.second
            clock.at(second)
            subject.tick()
        outcome.emitted[event.name] += 1
        values = {"event": event.name, "session": event.session}
        if event.outcome:
            values["outcome"] = event.outcome
        decided = decide("info", values)
        if isinstance(decided, Ticket):
            decided.place(event)
        else:
            outcome.note(event, decided)
    clock.at(second + 1)
    subject.tick()
    return outcome


NAMES = ("page.viewed", "message.sent", "file.opened", "search.made")


def _sizes(total: int, windows: int, *, burst: float = 1) -> list[int]:
    """Events of each window; every fourth one may be a burst."""
    factors = [burst if window % 4 == 1 else 1 for window in range(windows)]
    return [round(total * factor / sum(factors)) for factor in factors]


def uniform(total: int = 4_000, windows: int = 4, *, burst: float = 1, seed: int = 1) -> list[Event]:
    """Sessions of five events on average, in one window each, and four names of unequal frequency."""
    dice, events = random.Random(seed), []
    for window, size in enumerate(_sizes(total, windows, burst=burst)):
        sessions = [f"{window}-{number}" for number in range(max(1, size // 5))]
        for _ in range(size):
            name = dice.choices(NAMES, (60, 25, 12, 3))[0]
            events.append(Event(window, name, dice.choice(sessions)))
    return events


def zipf(total: int = 4_000, windows: int = 4, *, units: int = 3_000, seed: int = 2) -> list[Event]:
    """Few units have most of the events, the largest one a sixth, in all windows."""
    dice, events = random.Random(seed), []
    weights = [1 / rank**1.1 for rank in range(1, units + 1)]
    for window, size in enumerate(_sizes(total, windows)):
        for unit in dice.choices(range(units), weights, k=size):
            name = dice.choices(NAMES, (60, 25, 12, 3))[0]
            events.append(Event(window, name, f"u{unit}"))
    return events


def bursty(total: int = 4_000, windows: int = 4, *, seed: int = 3) -> list[Event]:
    """Every fourth window has eight times the events."""
    return uniform(total, windows, burst=8, seed=seed)


def rare(total: int = 10_000, windows: int = 2, *, seed: int = 4) -> list[Event]:
    """One event in ten thousand has a name of its own."""
    events = uniform(total, windows, seed=seed)
    return [
        event._replace(name="account.deleted") if index % 10_000 == 5_000 else event
        for index, event in enumerate(events)
    ]


POPULATIONS = {"uniform": uniform, "zipf": zipf, "bursty": bursty, "rare": rare}


def z_of(estimates: Sequence[float], truth: float) -> float:
    """How many standard errors the mean of the estimates is from the truth; 0 when it is the truth exactly."""
    mean = sum(estimates) / len(estimates)
    variance = sum((estimate - mean) ** 2 for estimate in estimates) / (len(estimates) - 1)
    error = (variance / len(estimates)) ** 0.5
    if abs(mean - truth) <= 1e-9 * truth:
        return 0.0
    return (mean - truth) / error if error > 1e-12 * truth else float("inf")


def relative_sd(estimates: Sequence[float], truth: float) -> float:
    """Standard deviation of the estimates around the truth, as a share of it."""
    squares: float = sum((estimate - truth) ** 2 for estimate in estimates)
    return math.sqrt(squares / len(estimates)) / truth


def unbiased(events: Sequence[Event], make: Make, seeds: Iterable[int]) -> dict[str, float]:
    """
    How many standard errors the mean estimates are from the true counts: of all, and of each name.

    A name of which fewer than 20 rows were kept over all seeds is left out: nothing can be said about it.
    """
    outcomes = [run(events, make, seed=seed) for seed in seeds]
    truth = Counter(event.name for event in events)
    found = {"all": z_of([outcome.total for outcome in outcomes], len(events))}
    for name, count in truth.items():
        if sum(outcome.kept[name] for outcome in outcomes) >= 20:
            found[name] = z_of([outcome.estimate[name] for outcome in outcomes], count)
    return found
