"""A proxy that speaks HTTP/2 and no gRPC: as much of it as a client's call sees, over a real socket."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Final

_PREFACE_BYTES: Final = 24
_DATA, _HEADERS, _SETTINGS, _PING = 0, 1, 4, 6
_ACK = _END_STREAM = 0x1
_END_HEADERS: Final = 0x4


class HTTP2Server:
    """
    Answers each call with a status of HTTP and a page, before it has read the call's body.

    Attributes:
        calls: how many there were.
    """

    def __init__(self, status: int) -> None:
        self.calls = 0
        self._status = status
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """Stop listening, and end all connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(10)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                self._connections.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.sendall(_frame(_SETTINGS, 0, 0))
            for kind, flags, stream, payload in _frames(connection):
                if kind in (_SETTINGS, _PING) and not flags & _ACK:
                    connection.sendall(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
                elif kind == _HEADERS:
                    self.calls += 1
                    status = b"\x08\x03%d" % self._status  # a literal, with the name of entry 8: ":status"
                    content_type = b"\x0f\x10\x09text/html"  # of entry 31
                    connection.sendall(_frame(_HEADERS, _END_HEADERS, stream, status + content_type))
                    connection.sendall(_frame(_DATA, _END_STREAM, stream, b"<html>"))


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def _frames(connection: socket.socket) -> Iterator[tuple[int, int, int, bytes]]:
    with connection.makefile("rb") as reader:
        reader.read(_PREFACE_BYTES)
        while len(head := reader.read(9)) == 9:
            yield head[3], head[4], int.from_bytes(head[5:]), reader.read(int.from_bytes(head[:3]))
