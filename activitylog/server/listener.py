"""
The socket: waitress around the application, started and ended from any thread.

waitress reads a request's body to its end before the application sees it (in memory up to 512 KiB, then in a
file), so a body that never ends well never reaches the engine. Results go out through buffers that wait for a
slow reader at 16 MiB. It decodes chunked bodies and answers ``Expect: 100-continue``.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Any

from activitylog.exceptions import StoreUnavailableError
from activitylog.server.app import Application
from activitylog.server.engine import Engine

MAX_HEADER_BYTES = 2 << 20
MAX_CONNECTIONS = 1000
RECEIVED_BYTES = 256 << 10
CLOSE_SECONDS = 10.0


class Server:
    """
    A running server. Made by :func:`activitylog.server.start_server`; a context manager that closes it.

    Attributes:
        host: the address that it is bound to.
        port: the port that it is bound to.
    """

    def __init__(
        self, engine: Engine, application: Application, *, host: str, port: int, threads: int, max_body_bytes: int
    ) -> None:
        self._engine = engine
        self._application = application
        self._closing = threading.Lock()
        self._closed = False
        self._sockets: dict[int, Any] = {}
        self._waitress = _bind(
            application, self._sockets, (host, port), threads=threads, limit=max_body_bytes, version=engine.version
        )
        self.host, self.port = host, int(self._waitress.effective_port)
        self._loop = threading.Thread(target=self._run, name="activitylog-serve", daemon=True)
        self._loop.start()

    @property
    def http_url(self) -> str:
        """``http://HOST:PORT``, for HTTP clients and browsers."""
        return f"http://{self._reachable}:{self.port}"

    @property
    def url(self) -> str:
        """``clickhouse://HOST:PORT/default``, for ``activitylog.configure`` and the commands."""
        return f"clickhouse://{self._reachable}:{self.port}/default"

    @property
    def _reachable(self) -> str:
        """The address for a client on this machine, also when the server listens on all of them."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104
        return f"[{host}]" if ":" in host else host

    def close(self) -> None:
        """Take no more requests, let those that run finish (10 s), close the engine. May be called twice."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._waitress.trigger.pull_trigger(self._waitress.accepting_ends)
        self._waitress.task_dispatcher.shutdown(cancel_pending=True, timeout=CLOSE_SECONDS)
        self._waitress.trigger.pull_trigger(self._close_sockets)
        self._loop.join(CLOSE_SECONDS)
        if self._waitress.task_dispatcher.threads:
            self._engine.cancel_queries()  # the process must not end under a query that runs
        # Whoever waited for a slow reader until now has lost its socket.
        self._waitress.task_dispatcher.shutdown(cancel_pending=True, timeout=CLOSE_SECONDS)
        self._waitress.trigger.close()
        self._application.sessions.close()
        self._engine.close()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            self._waitress.asyncore.loop(timeout=1, map=self._sockets, use_poll=True)

    def _close_sockets(self) -> None:
        # Not the trigger: other threads write to it until the end, and its descriptor may be somebody else's then.
        for channel in list(self._sockets.values()):
            if channel is not self._waitress.trigger:
                channel.close()
        self._sockets.clear()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _bind(
    application: Application,
    sockets: dict[int, Any],
    address: tuple[str, int],
    *,
    threads: int,
    limit: int,
    version: str,
) -> Any:
    try:
        from waitress.adjustments import Adjustments

        from activitylog.server.channel import Listener
    except ImportError as error:
        raise StoreUnavailableError(
            "waitress is not installed.", hint="Run: pip install 'activitylog[embedded]'"
        ) from error
    adjustments = Adjustments(
        threads=threads,
        ident="activitylog",
        max_request_body_size=limit + 1,
        max_request_header_size=MAX_HEADER_BYTES,
        channel_request_lookahead=1,
        recv_bytes=RECEIVED_BYTES,
        connection_limit=MAX_CONNECTIONS,
        log_socket_errors=False,
        asyncore_use_poll=True,
    )
    listening = _listen(*address)
    about = (listening.family, listening.type, listening.proto, listening.getsockname())
    listener = Listener(application, sockets, _sock=listening, adj=adjustments, sockinfo=about, bind_socket=False)
    listener.engine_version = version
    return listener


def _listen(host: str, port: int) -> socket.socket:
    """Bound before waitress starts its threads, so that a port that is taken leaves nothing behind."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise StoreUnavailableError(
            f"Cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}.",
            hint="Choose another port with --port, or 0 for any that is free.",
        ) from error
