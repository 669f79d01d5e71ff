"""Events through the whole pipeline, and what became of each: for ``ingest`` and ``demo``."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import activitylog
from activitylog.cli.progress import Progress
from activitylog.cli.store_option import Store, open_store, require_engine

#: Lines between two looks at the clock and the counters.
_STRIDE: Final = 512
_FLUSH_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    What became of the events that were handed to the pipeline; ``handed = delivered +
    sum(dropped.values())``.

    Attributes:
        handed: calls of ``emit``.
        delivered: events that the store has.
        dropped: events that were lost, by reason.
        sanitized: events of which something was changed or cut.
        seconds: from the first event to the end of the last flush.
    """

    handed: int
    delivered: int
    dropped: Mapping[str, int]
    sanitized: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Events delivered a second."""
        return self.delivered / self.seconds if self.seconds else 0.0


class Sending:
    """
    A pipeline for one import, without the rules of the settings; use it as a context manager.

    Args:
        store: where the events go; a server's tables have to be there, an embedded store gets its own.
        service_name: of the events.

    Raises:
        ActivityLogError: the store is locked, unreachable, or lacks its tables.
    """

    def __init__(self, store: Store, *, service_name: str) -> None:
        if store.url.kind == "clickhouse":
            _check_tables(store)
        elif store.url.kind == "chdb":
            require_engine()
        # What happened is history: a budget a second would decimate years of it that are sent within one. It is in
        # the file that is read, too: an import ends and says what arrived, and leaves nothing behind in a spool.
        activitylog.configure(
            store.url,
            service_name=service_name,
            durability="memory",
            overflow="block",
            strict=False,
            enabled=True,
            rules=[],
            counters=False,
            seals=False,
        )
        self._started = time.perf_counter()
        self._handed = 0
        #: Whether Ctrl-C ended the wait in :meth:`finish`; what was left was then sent once or given up.
        self.interrupted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        activitylog.shutdown()

    def emit(self, event: dict[str, Any]) -> None:
        """Hand one event on; waits while the queue is full."""
        self._handed += 1
        activitylog.emit(event.pop("event"), **event)

    def finish(self, show: Progress, *, done: float) -> Delivery:
        """
        Wait until everything is delivered or given up, then close the pipeline.

        Args:
            show: told ``done`` and how many events wait, again and again.
            done: where the progress stands.
        """
        try:
            while not (result := activitylog.flush(_FLUSH_SECONDS)).complete:
                show(done, f"{result.queued:,} on their way")
        except KeyboardInterrupt:
            self.interrupted = True
        activitylog.shutdown()
        seconds = time.perf_counter() - self._started
        stats = activitylog.stats()
        dropped = Counter(stats.dropped)
        for destination in stats.destinations.values():
            dropped.update(destination.dropped)
        delivered = sum(destination.delivered for destination in stats.destinations.values())
        return Delivery(self._handed, delivered, dict(dropped), stats.sanitized, seconds)

    @property
    def is_time_to_tell(self) -> bool:
        """True once in a while: often enough for a bar that moves, rarely enough to cost nothing."""
        return self._handed % _STRIDE == 0


def _check_tables(store: Store) -> None:
    from activitylog.store import check

    client = open_store(store)
    try:
        check(client)
    finally:
        client.close()
