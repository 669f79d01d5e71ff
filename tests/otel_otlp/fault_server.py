"""A server that behaves badly on purpose, over a real socket: as much of OTLP/HTTP as an exporter sees."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import socket
import ssl
import struct
import termios
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

PROTOBUF: Final = "application/x-protobuf"


class Request(NamedTuple):
    """A request as it arrived; names of headers in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """
    What the server does to one request.

    Attributes:
        sends: the bytes of the answer.
        stores: whether it keeps the records (all but ``refuses``) before that.
        before: ``read`` the request first, or ``unread``: leave it where it is; what the server sends has arrived
            when it closes.
        after: ``keep`` the connection, ``close`` it, ``reset`` it, ``hang`` until the server is closed.
        every_seconds: send byte by byte, with this time between them.
        gated: wait for the server's gate before the answer.
    """

    sends: bytes = b""
    stores: bool = False
    refuses: int = 0
    before: str = "read"
    after: str = "keep"
    every_seconds: float = 0.0
    gated: bool = False


def answer(
    status: int, body: bytes = b"", headers: Mapping[str, str] | None = None, *, kind: str = "", **values: Any
) -> Step:
    """A whole answer of HTTP."""
    sent = {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in sent.items() if value)]
    return Step("\r\n".join([*lines, "", ""]).encode() + body, **values)


def partial(refuses: int, message: str = "", *, stores: bool = True) -> Step:
    """A success for all records but so many."""
    success = ExportLogsPartialSuccess(rejected_log_records=refuses, error_message=message)
    body = ExportLogsServiceResponse(partial_success=success).SerializeToString()
    return answer(200, body, kind=PROTOBUF, stores=stores, refuses=refuses)


OK: Final = answer(200, kind=PROTOBUF, stores=True)
GATED: Final = answer(200, kind=PROTOBUF, stores=True, gated=True)
RESET_AT_ONCE: Final = Step(before="unread", after="reset")
RESET_BEFORE: Final = Step(after="reset")
RESET_AFTER: Final = Step(stores=True, after="reset")
CLOSE_AFTER: Final = Step(stores=True, after="close")
HANG: Final = Step(after="hang")
HANG_AFTER: Final = Step(stores=True, after="hang")
NEVER_READS: Final = Step(before="unread", after="hang")


class FaultServer:
    """
    Listens on a free port of the loopback interface.

    Args:
        script: one step for each request, in turn; then all are answered as by a good server.
        tls: makes it speak TLS.

    Attributes:
        requests: what arrived.
        stored: how many records the server keeps: the truth about what was delivered.
        arrived: is released once for each request, and for each connection that is not read.
        ended: is released once for each connection that is closed.
    """

    def __init__(self, script: Iterable[Step] = (), *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.stored = 0
        self.connections = 0
        self.arrived = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)
        self.gate = threading.Event()
        self._steps = iter(script)
        self._tls = tls
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = int(self._listener.getsockname()[1])
        self._start(self._accept)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/v1/logs"

    @property
    def bodies(self) -> list[bytes]:
        """What was posted, as it came."""
        return [request.body for request in self.requests]

    def close(self) -> None:
        """Stop listening, and end what hangs."""
        self._closing.set()
        self.gate.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._closing.is_set():
                connection = self._listener.accept()[0]
                self.connections += 1
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as stack:
            stack.callback(self.ended.release)
            stack.callback(connection.close)
            connection.settimeout(0.05)  # to look whether the server is being closed
            if self._tls is not None:
                connection.settimeout(5)
                connection = self._tls.wrap_socket(connection, server_side=True)
                stack.callback(connection.close)
                connection.settimeout(0.05)
            reader = _Reader(connection, self._closing)
            while reader.wait():
                with self._lock:
                    step = next(self._steps, OK)
                if not self._act(connection, reader, step):
                    return

    def _act(self, connection: socket.socket, reader: _Reader, step: Step) -> bool:
        """Do what the step says; whether the connection is kept."""
        if step.before == "read":
            request = _read_request(reader)
            with self._lock:
                self.requests.append(request)
                if step.stores:
                    self.stored += record_count(request) - max(step.refuses, 0)
        self.arrived.release()
        if step.gated:
            self.gate.wait()
        if step.after == "reset" and not step.sends:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        self._send(connection, step)
        if step.after == "hang":
            self._closing.wait()
        return step.after == "keep"

    def _send(self, connection: socket.socket, step: Step) -> None:
        connection.settimeout(5)
        pieces = [step.sends[i : i + 1] for i in range(len(step.sends))] if step.every_seconds else [step.sends]
        for piece in pieces:
            connection.sendall(piece)
            if step.every_seconds and self._closing.wait(step.every_seconds):
                return
        while step.before == "unread" and _unacknowledged_bytes(connection) and not self._closing.wait(0.005):
            pass
        connection.settimeout(0.05)


def _unacknowledged_bytes(connection: socket.socket) -> int:
    return int(struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)))[0])


def record_count(request: Request) -> int:
    """How many log records a request holds."""
    body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
    parsed = ExportLogsServiceRequest.FromString(body)
    return sum(len(scope.log_records) for one in parsed.resource_logs for scope in one.scope_logs)


class _Reader:
    """Reads a connection until it ends, or the server does."""

    def __init__(self, connection: socket.socket, closing: threading.Event) -> None:
        self._connection = connection
        self._closing = closing
        self._buffer = b""

    def wait(self) -> bool:
        """Wait for a first byte; False when none comes any more. The byte may stay in the kernel."""
        return bool(self._buffer) or self._more(peek=True)

    def until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            if not self._more():
                raise ValueError("the client went away")
        found, _, self._buffer = self._buffer.partition(mark)
        return found

    def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not self._more():
                raise ValueError("the client went away")
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def _more(self, *, peek: bool = False) -> bool:
        while not self._closing.is_set():
            try:
                if peek and not isinstance(self._connection, ssl.SSLSocket):
                    return bool(self._connection.recv(1, socket.MSG_PEEK))
                data = self._connection.recv(65536)
            except TimeoutError:
                continue
            self._buffer += data
            return bool(data)
        return False


def _read_request(reader: _Reader) -> Request:
    line, *fields = reader.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    return Request(line, headers, reader.exactly(int(headers.get("content-length", 0))))
