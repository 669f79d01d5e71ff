"""How many events went where: the counters, and the numbers that users see."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType


class Counter:
    """A count that any thread, and a signal handler inside any thread, may increase and read without a lock."""

    __slots__ = ("_steps", "increment")

    def __init__(self) -> None:
        self._steps = itertools.count()
        #: Adds one, in one atomic step of the interpreter; returns the count before it.
        self.increment = self._steps.__next__

    def value(self) -> int:
        """The count."""
        return int(repr(self._steps)[len("count(") : -1])  # the one way to read it without taking a step


class ReasonCounters:
    """Counts by reason, of events that were lost."""

    def __init__(self) -> None:
        self._counters: dict[str, Counter] = {}

    def increment(self, reason: str) -> None:
        """One event more was lost for ``reason``."""
        counter = self._counters.get(reason) or self._counters.setdefault(reason, Counter())
        counter.increment()

    def values(self) -> dict[str, int]:
        """The counts above zero, by reason."""
        return {reason: n for reason, counter in list(self._counters.items()) if (n := counter.value())}


@dataclass(frozen=True, slots=True)
class Loss:
    """Events that a destination gave up."""

    producer: str | None
    """Whose they were: None for this process's own, empty where nobody knows."""
    reason: str
    events: int


@dataclass(frozen=True, slots=True)
class DestinationStats:
    """
    What became of the events that were handed to one destination.

    ``accepted = delivered + queued + taken_over + sum(dropped.values())``: with a spool whenever it is asked for,
    without one whenever nothing is on its way.
    """

    accepted: int = 0
    """Events that were handed to it. Each is in ``emitted`` (or ``counted``) of the process when ``emit`` returns:
    ``accepted`` is ahead by the events that are inside ``emit``."""

    delivered: int = 0
    """Events that the exporter reported as delivered."""
    queued: int = 0
    """Events that wait or are being sent, those on disk included."""
    dropped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Events that were lost, by reason: ``queue_full``, ``shutdown``, ``reentrant`` (emitted by an exporter),
    ``export_error``, ``export_failed``, with a spool ``spool_full``, ``expired`` and ``corrupt``, and the
    exporter's own reasons."""
    spooled: int = 0
    """Of those that wait, how many are on disk, and survive the process."""
    taken_over: int = 0
    """Events that this process could not deliver (an embedded store that another one has open) and left on disk,
    and that another one has settled since."""
    recovered: int = 0
    """Events that dead processes left on disk and this one delivered; they are in no other number."""
    recovered_dropped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Events that dead processes left and this one had to give up, by reason."""
    retries: int = 0
    """Attempts that ended without a definite answer, with a spool."""
    spool_bytes: int = 0
    """Of this process's events on disk."""
    queue_bytes: int = 0
    """Of events that wait in memory, with a spool."""
    in_queue: int = 0
    """Of those that wait, how many are in memory, on disk as well or not."""
    oldest_unsent_ns: int | None = None
    """When the oldest file with unsent events was begun, in nanoseconds since the epoch."""
    degraded: str = ""
    """Why events are not written to disk at the moment, though there is a spool; empty when they are."""


@dataclass(frozen=True, slots=True)
class RuleStats:
    """The rules in force, and what went wrong with them."""

    rules: tuple[str, ...] = ()
    """Their names, in their order."""
    match_errors: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """By rule: how often a callable of the application raised; the rule then does not match."""
    reloads: int = 0
    """How often the rules file was read again and put in force."""
    reload_error: str = ""
    """What is wrong with the rules file since then; empty when nothing is."""


@dataclass(frozen=True, slots=True)
class Stats:
    """
    The process's events since ``configure`` (and since the fork, in a forked child).

    Every call of ``emit`` is in ``emitted``, ``held``, ``rolled_up`` or ``dropped``.
    """

    emitted: int = 0
    """Events that went through the chain to OpenTelemetry."""
    dropped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Events that ended before that: by a rule (``drop``, ``sample``, ``budget``), ``filtered`` (by
    ``DropEvent``), ``error``, ``not_configured``, ``disabled``, ``shutdown``, ``interrupted``
    (``KeyboardInterrupt`` and the like in the chain), ``reentrant`` (emitted by a signal handler in the midst
    of a decision)."""
    held: int = 0
    """Events that wait in the windows of budgets and roll-ups."""
    rolled_up: int = 0
    """Events that were folded into another one."""
    counted: int = 0
    """Records of exact counts, and seals, that were sent beside the events; the destinations' numbers contain
    them."""
    sanitized: int = 0
    """Emitted events of which something was changed or cut."""
    destinations: Mapping[str, DestinationStats] = field(default_factory=lambda: MappingProxyType({}))
    """By the destination's URL, without its password. Empty for a ``LoggerProvider`` of the application."""
    rules: RuleStats = field(default_factory=RuleStats)


@dataclass(frozen=True, slots=True)
class FlushResult:
    """What ``flush`` and ``shutdown`` achieved, summed over the destinations since ``configure``."""

    complete: bool
    """True when nothing was left waiting within the time."""
    delivered: int = 0
    queued: int = 0
    """Events that still wait, or that ``shutdown`` left on disk."""
    dropped: int = 0
    spooled: int = 0
    """Of those that wait, how many are on disk: another process, or the next one, sends them."""


def result_of(destinations: Sequence[DestinationStats], *, held: int) -> FlushResult:
    """
    The sums over all destinations.

    Args:
        held: events that wait in windows, and are at no destination yet.
    """
    queued = held + sum(counts.queued for counts in destinations)
    return FlushResult(
        complete=queued == 0,
        delivered=sum(counts.delivered for counts in destinations),
        queued=queued,
        dropped=sum(sum(counts.dropped.values()) for counts in destinations),
        spooled=sum(counts.spooled for counts in destinations),
    )


def losses_of(destinations: Sequence[DestinationStats]) -> dict[str, int]:
    """Events that were lost, by reason, over all destinations."""
    total: dict[str, int] = {}
    for counts in destinations:
        for reason, count in counts.dropped.items():
            total[reason] = total.get(reason, 0) + count
    return total
