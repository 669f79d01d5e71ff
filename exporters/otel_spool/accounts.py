"""
What became of the events of a spool, told apart by whose they were: this process's own, or those of dead ones.

Own are the events of its folder, and of folders that it could not deliver and left to others: what those do with
them it learns only by seeing a folder gone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial

from otel_spool.delivery import Outcome
from otel_spool.folder import Folder
from otel_spool.ledger import Ledger, Loss
from otel_spool.stats import Counts, CountsOf


class Accounts:
    """
    The counts of one spool. Its lock protects them.

    Args:
        current: the folder that this process writes to.
        reporting: somebody asks for losses: a folder stays until they were told.

    Attributes:
        own: of this process's events.
        recovered: of those of dead processes.
        left: name of each folder that was left to others, and how many unsent events of ours are in it.
        taken_over: events of such folders that another process has settled.
    """

    def __init__(self, current: Callable[[], Folder | None], *, reporting: bool) -> None:
        self._current = current
        self._reporting = reporting
        self._ledger = Ledger()
        self.own = Counts(partial(self._ledger.note, None))
        self.recovered = Counts()
        self.left: dict[str, int] = {}
        self.taken_over = 0

    def of(self, folder: Folder) -> Counts | CountsOf:
        """Where the events of a folder count."""
        if folder is self._current() or folder.path.name in self.left:
            return self.own
        return CountsOf(self.recovered, partial(self._ledger.note, folder.label))

    def lose(self, folder: Folder, reason: str, events: int) -> None:
        """Count events that are given up. The folder's journal says so where it says that they are settled."""
        if events > 0:
            self.of(folder).drop(reason, events)
            self._come_back(folder, events)

    def settle(self, folder: Folder, outcome: Outcome, lost: Mapping[str, int]) -> None:
        """Count a definite answer about events of a folder, ``lost`` of which never will be delivered."""
        count(self.of(folder), outcome, lost)
        self._come_back(folder, outcome.delivered + len(outcome.refused) + outcome.unknown)

    def _come_back(self, folder: Folder, events: int) -> None:
        """These are settled by this very process, though it had left them to others."""
        if folder.path.name in self.left:
            self.left[folder.path.name] -= events

    def leave(self, folder: Folder, events: int) -> None:
        """Let go of a folder of ours, with so many unsent events."""
        if events:
            self.left[folder.path.name] = events
        self.let_go(folder, None)

    def see_gone(self, there: Collection[str], among: Collection[str]) -> None:
        """Of folders that were left, those ``among`` which are not ``there`` any more were settled by others."""
        for name in set(among).difference(there):
            self.taken_over += self.left.pop(name)

    def adopt(self, folder: Folder) -> None:
        """Take in the losses of which nobody was told."""
        if self._reporting:
            for reason, events in folder.journal.untold.items():
                self._ledger.note(folder.label, reason, events)

    def let_go(self, folder: Folder, label: str | None) -> None:
        """Close a folder. Whoever has it next tells of the losses of which nobody was told."""
        untold = self.has_untold(folder)
        if untold:
            self._ledger.withdraw(label, folder.journal.untold)
        folder.close(keep=untold)

    def has_untold(self, folder: Folder) -> bool:
        """Whether a folder has to stay because nobody was told of its losses."""
        return self._reporting and bool(folder.journal.untold)

    def take_losses(self) -> list[Loss]:
        """Losses since the last time, to be told by the caller: nobody else will."""
        return self._ledger.take()


def count(counts: Counts | CountsOf, outcome: Outcome, lost: Mapping[str, int]) -> None:
    """Count a definite answer."""
    counts.deliver(outcome.delivered)
    for reason, events in lost.items():
        counts.drop(reason, events)
