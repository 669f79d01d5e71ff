"""
Group commit: many threads that wait for the medium share one sync.

Whoever comes first syncs; those who wrote before it began and waited meanwhile find that it was done for them,
too.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable


class GroupCommit:
    """
    Args:
        sync: has everything that was written before the call on the medium when it returns; may be called by two
            threads at once.
    """

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._lock = threading.Lock()
        self._inside: set[int] = set()
        self._next = itertools.count(1).__next__
        self._issued = 0
        self._done = 0

    def commit(self) -> None:
        """
        Return when what this thread has written is on the medium.

        Raises:
            OSError: the sync that was to cover it failed.
        """
        ticket = self._issued = self._next()
        me = threading.get_ident()
        if me in self._inside:
            self._sync()  # a signal handler, in the midst of this thread's own commit: it must not wait for itself
            return
        self._inside.add(me)
        try:
            with self._lock:
                if self._done < ticket:
                    covered = self._issued
                    self._sync()
                    self._done = max(self._done, covered)
        finally:
            self._inside.discard(me)
