"""How many events went where: the counters, and the numbers that users see."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
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
class DestinationStats:
    """
    What became of the events that were handed to one destination.

    ``accepted = delivered + queued + sum(dropped.values())`` whenever nothing is on its way.
    """

    delivered: int = 0
    """Events that the exporter reported as delivered."""
    queued: int = 0
    """Events that wait or are being sent."""
    dropped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Events that were lost, by reason: ``queue_full``, ``shutdown``, ``reentrant`` (emitted by an exporter),
    ``export_error``, ``export_failed``, and the exporter's own reasons."""


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
    """Records of exact counts that were sent beside the events; the destinations' numbers contain them."""
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
    dropped: int = 0
