"""
A client for each export that is under way, kept for the next one.

Exports come from the processor's worker, from threads that call ``force_flush``, and with a simple processor from
every thread that logs. A client must not serve two of them at a time, and threads come and go; so a client
belongs to an export while it lasts, and not to a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from otel_clickhouse.client import Client
from otel_clickhouse.exceptions import ExporterError, RetryableError


class ClientPool:
    """
    Clients of one process, made when they are needed. Thread-safe; not to be used on after a fork.

    Args:
        connect: makes a client.
        prepare: called once with the first client, before anybody gets it; again when it raised.
    """

    def __init__(self, connect: Callable[[], Client], prepare: Callable[[Client], None] | None) -> None:
        self._connect = connect
        self._prepare = prepare
        self._preparing = threading.Lock()
        self._lock = threading.Lock()
        self._idle: list[Client] = []
        self._closed = False

    @contextmanager
    def lease(self) -> Iterator[Client]:
        """
        A client that nobody else uses in the meantime.

        Raises:
            RetryableError: ``prepare`` failed: what it misses may be there next time.
            PermanentError: ``prepare`` said so.
        """
        with self._lock:
            client = self._idle.pop() if self._idle else None
        client = client or self._connect()
        try:
            self._prepare_once(client)
            yield client
        finally:
            self._give_back(client)

    def close(self) -> None:
        """Close the clients; those in use when they come back. Idempotent."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for client in idle:
            client.close()

    def _prepare_once(self, client: Client) -> None:
        with self._preparing:
            if self._prepare is None:
                return
            try:
                self._prepare(client)
            except ExporterError:
                raise
            except Exception as error:
                raise RetryableError(f"The table is not prepared: {type(error).__name__}: {error}") from error
            self._prepare = None

    def _give_back(self, client: Client) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(client)
                return
        client.close()
