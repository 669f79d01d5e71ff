"""
The embedded engine behind ClickHouse's HTTP interface, so that several processes can use one store.

chDB lets one process at a time open a folder. :func:`serve` is that process; clickhouse-connect,
clickhouse-go over HTTP, the Collector, Grafana, curl and
``activitylog.configure("clickhouse://127.0.0.1:8123/default")`` are its clients.

There is no access control: user names and passwords are accepted and not looked at, and whoever reaches the
address can read and change everything, including files of this machine through table functions. So it binds
to loopback unless told otherwise, and refuses requests that web pages of others cause (``access.py``).

What a ClickHouse server does and this one does not, each refused with ClickHouse's code for it: external
tables, brotli, ``input()`` over the body, JSON, Dynamic and AggregateFunction columns in Native for
clickhouse-go (as text they work). Not refused but without effect: users, roles, quotas; ``query_id`` is
echoed and not known to ``KILL QUERY``; a query whose client has gone ends at its next block if it is being
streamed, else when it is done.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from activitylog.server.access import is_loopback
from activitylog.server.app import Application
from activitylog.server.engine import Engine
from activitylog.server.listener import Server
from activitylog.server.opening import engine_path

__all__ = ["DEFAULT_MAX_BODY_BYTES", "NO_ACCESS_CONTROL", "Server", "is_loopback", "serve", "start_server"]

DEFAULT_MAX_BODY_BYTES = 1 << 30
NO_ACCESS_CONTROL = (
    "There is no access control: whoever reaches this address can read and change everything. "
    "User names and passwords are ignored."
)


def start_server(
    store: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8123,
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
    threads: int = 16,
    allowed_hosts: Iterable[str] = (),
) -> Server:
    """
    Serve a store from this process, in threads, until the returned server is closed.

    Args:
        store: the folder, ``chdb:///folder``, or ``chdb://memory``. It may be open in this process already.
        host: the address to bind to.
        port: the port; 0 takes a free one.
        max_body_bytes: the largest request body, as it is sent; more is refused with status 413.
        threads: requests at the same time.
        allowed_hosts: more names under which clients may address the server (see ``access.py``).

    Raises:
        StoreLockedError: another process has the store open.
        StoreUnavailableError: the store or the port cannot be opened, or a package is missing.
        ConfigurationError: ``store`` is not one.
    """
    engine = Engine(engine_path(store))
    try:
        application = Application(engine, {name.lower() for name in allowed_hosts})
        return Server(engine, application, host=host, port=port, threads=threads, max_body_bytes=max_body_bytes)
    except BaseException:
        engine.close()
        raise


def serve(
    path_or_memory: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8123,
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
    threads: int = 16,
    allowed_hosts: Iterable[str] = (),
    ready: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
) -> None:
    """
    Serve a store until SIGINT, SIGTERM or ``stop``; requests that run then are finished first.

    Args:
        path_or_memory: as for :func:`start_server`, which also names the errors and the other settings.
        ready: called with the server's ``clickhouse://`` URL once it listens.
        stop: ends it when set.

    In the main thread SIGTERM and SIGINT end it and get their old handlers back; in another thread only
    ``stop`` does.
    """
    ended = stop or threading.Event()
    settings = {"max_body_bytes": max_body_bytes, "threads": threads}
    with (
        _ending_by_signal(ended),
        start_server(path_or_memory, host=host, port=port, allowed_hosts=allowed_hosts, **settings) as server,
    ):
        if ready is not None:
            ready(server.url)
        ended.wait()


@contextmanager
def _ending_by_signal(ended: threading.Event) -> Iterator[None]:
    """Have SIGINT and SIGTERM set ``ended``, in the main thread; elsewhere change nothing."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, lambda *_: ended.set())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
