"""
One deadline over all that a thread does on its sockets: connect, TLS, send, wait for the answer, read it.

A socket's own timeout begins anew with each call, so a server that sends a byte every nine seconds holds a client
with a timeout of ten for days, in the middle of a header line. These sockets have, at each call, what is left of
the time that :func:`deadline` gave the thread. Only the resolver's answer is waited for as long as it likes.
"""

from __future__ import annotations

import errno
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from otel_otlp.exceptions import NoAnswerError

_thread = threading.local()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let the socket calls of this thread take so many seconds in all."""
    _thread.ends = time.monotonic() + seconds
    try:
        yield
    finally:
        del _thread.ends


def remaining_seconds() -> float:
    """
    What is left for this thread.

    Raises:
        TimeoutError: nothing.
    """
    remaining: float = getattr(_thread, "ends", 0.0) - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("no answer in time")
    return remaining


class _WithDeadline:
    """Each call has what is left of the thread's time."""

    def recv(self, *args: Any) -> bytes:
        self.settimeout(remaining_seconds())  # type: ignore[attr-defined]
        return super().recv(*args)  # type: ignore[misc,no-any-return]

    def recv_into(self, *args: Any) -> int:
        self.settimeout(remaining_seconds())  # type: ignore[attr-defined]
        return super().recv_into(*args)  # type: ignore[misc,no-any-return]

    def send(self, *args: Any) -> int:
        self.settimeout(remaining_seconds())  # type: ignore[attr-defined]
        return super().send(*args)  # type: ignore[misc,no-any-return]

    def sendall(self, *args: Any) -> None:
        self.settimeout(remaining_seconds())  # type: ignore[attr-defined]
        super().sendall(*args)  # type: ignore[misc]


class DeadlineSocket(_WithDeadline, socket.socket):
    """A socket under the thread's deadline."""


class DeadlineSSLSocket(_WithDeadline, ssl.SSLSocket):
    """A TLS socket under the thread's deadline; ``SSLContext.sslsocket_class`` makes them."""

    def send(self, *args: Any) -> int:
        try:
            return super().send(*args)
        except ssl.SSLEOFError as error:
            # So a server closes that refuses a batch before it has read it (413). Unlike after this error, urllib3
            # reads after a broken pipe what the server said before.
            raise BrokenPipeError(errno.EPIPE, "the server closed the connection") from error


def connect(host: str, port: int) -> DeadlineSocket:
    """
    Connect to the first address of a host that takes it. One that does not answer leaves time for the others.

    Raises:
        NoAnswerError: none takes it, or the name is unknown.
    """
    found = "it has no address"
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NoAnswerError("unavailable", f"The host's name is not resolved: {error}") from error
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = DeadlineSocket(family, kind, protocol)
        try:
            sock.settimeout(remaining_seconds() / (len(addresses) - index))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(address)
            sock.settimeout(remaining_seconds())  # for the TLS handshake
        except OSError as error:
            sock.close()
            found = str(error) or type(error).__name__
        else:
            return sock
    raise NoAnswerError("unavailable", f"Not connected: {found}")
