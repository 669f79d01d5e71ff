"""What became of events, in numbers that add up at every moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class SpoolStats:
    """
    The counts of one spool since the process (or the forked child) began.

    ``accepted = delivered + spooled + in_memory + taken_over + sum(dropped.values())``, whenever it is asked for.
    What dead processes left is counted apart, in ``recovered``.
    """

    accepted: int = 0
    """Events that came in."""
    delivered: int = 0
    """Events that the backend has for certain."""
    spooled: int = 0
    """Events on disk that are not delivered yet, those that are in the queue as well included."""
    in_memory: int = 0
    """Events that wait in memory only: the disk did not take them."""
    dropped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Events that were given up, by reason: ``spool_full``, ``expired``, ``queue_full`` (neither disk nor memory
    took it), ``reentrant`` (emitted by the export itself), ``corrupt``, ``vanished``
    (somebody removed the file), ``shutdown`` (in memory only at the end), ``undecided`` (a dead process only held
    it, whatever became of it then),
    and those of the exporter (64 of them, then ``other``), whose events are in the dead letters."""
    taken_over: int = 0
    """Events that this process could not deliver and left on disk, and that another one has settled: it delivered
    them, or counted them as given up."""
    recovered: int = 0
    """Events of dead processes that this one delivered."""
    recovered_dropped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Events of dead processes that this one gave up, by reason."""
    retries: int = 0
    """Attempts that ended without a definite answer."""
    spool_bytes: int = 0
    """Of this process's segments, on disk."""
    queue_bytes: int = 0
    """Of events that wait in memory."""
    queued: int = 0
    """Events that wait in memory, on disk or not."""
    oldest_unsent_ns: int | None = None
    """When the oldest segment with unsent events was begun, in nanoseconds since the epoch."""
    degraded: str = ""
    """Why events are not written to disk at the moment; empty when they are."""
    worker_restarts: int = 0
    """How often the batch processor's thread was found dead and replaced."""
    quarantined: int = 0
    """Pieces of files that could not be read and were put aside."""


class Counts:
    """
    Delivered and dropped, by reason. The spool's lock protects it.

    Args:
        note: told of each loss.
    """

    def __init__(self, note: Callable[[str, int], object] = lambda _reason, _events: None) -> None:
        self._note = note
        self.delivered = 0
        self.dropped: dict[str, int] = {}

    def deliver(self, events: int) -> None:
        """Count events as delivered."""
        self.delivered += events

    def drop(self, reason: str, events: int = 1) -> None:
        """Count events as given up."""
        if events:
            self.dropped[reason] = self.dropped.get(reason, 0) + events
            self._note(reason, events)

    def total(self) -> int:
        """All of them."""
        return self.delivered + sum(self.dropped.values())


class CountsOf:
    """A part of other counts: those of one folder, whose losses are noted under its label."""

    def __init__(self, whole: Counts, note: Callable[[str, int], object]) -> None:
        self._whole = whole
        self._note = note

    def deliver(self, events: int) -> None:
        """Count events as delivered."""
        self._whole.deliver(events)

    def drop(self, reason: str, events: int = 1) -> None:
        """Count events as given up."""
        if events:
            self._whole.drop(reason, events)
            self._note(reason, events)
