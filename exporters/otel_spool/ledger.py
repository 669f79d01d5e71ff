"""
Losses of which nobody was told yet, by whose events they were.

What became of events is counted in each process, and goes with it. Who reports losses elsewhere takes them from
here, each once (:meth:`otel_spool.SpooledLogRecordProcessor.take_losses`). What a whole batch or segment loses is
also noted in the folder's journal until it was taken, so that it outlives the process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: Labels that are told apart; what further ones lose goes under none.
_MAX_LABELS: Final = 1000


@dataclass(frozen=True, slots=True)
class Loss:
    """
    Events that were given up.

    Attributes:
        label: of the folder of a dead process; None for this process's own, empty where nobody knows.
        reason: as in :class:`otel_spool.SpoolStats`.
    """

    label: str | None
    reason: str
    events: int


class Ledger:
    """The losses of one spool, as this process knows them. The spool's lock protects it."""

    def __init__(self) -> None:
        self._losses: dict[str | None, Counter[str]] = {}

    def note(self, label: str | None, reason: str, events: int) -> None:
        """Remember a loss."""
        if label is not None and label not in self._losses and len(self._losses) > _MAX_LABELS:
            label = ""
        self._losses.setdefault(label, Counter())[reason] += events

    def withdraw(self, label: str | None, losses: Mapping[str, int]) -> None:
        """Forget losses that somebody else will tell of."""
        known = self._losses.get(label, Counter())
        known.subtract({reason: min(events, known[reason]) for reason, events in losses.items()})

    def take(self) -> list[Loss]:
        """What was noted since the last time."""
        taken, self._losses = self._losses, {}
        return [
            Loss(label, reason, events)
            for label, losses in taken.items()
            for reason, events in losses.items()
            if events > 0
        ]
