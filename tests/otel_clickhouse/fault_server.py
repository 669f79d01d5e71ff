"""A server that behaves badly on purpose, over a real socket: as much of ClickHouse's HTTP as the driver needs."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

#: What to do with an insert. "ok"; "reset" before anything is done; "hang" until the server is closed; "slow":
#: read it a little at a time; an HTTP status; ("exception", code, name) as ClickHouse answers; an
#: :class:`Answering`. With a store behind the server: "commit, reset" and "commit, hang" when it is stored, or
#: ("commit", an answer).
Step = Any


class Answering(NamedTuple):
    """
    An answer of any kind.

    Attributes:
        missing: what follows the body: so many bytes that are promised and never come. Then the connection closes,
            or nothing happens until the server is closed.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    by_clickhouse: bool = False
    missing: int = 0
    hangs: bool = False


class Insert(NamedTuple):
    """An insert as it arrived."""

    token: str
    settings: dict[str, str]
    body_bytes: int


class FaultServer:
    """
    Listens on a port of the loopback interface.

    Args:
        script: one step for each insert, in turn; then all are "ok".
        port: 0 for a free one.
        store: host and port of a ClickHouse to which goes what is done; without it nothing is stored.

    Attributes:
        inserts: what arrived with a token, whatever became of it; all else is answered as by an idle server.
        arrived: is released once for each insert.
        question: what is answered to whatever is no insert; None for what is true.
        asked: and to which of them: what they hold.
    """

    def __init__(self, script: Iterable[Step] = (), store: tuple[str, int] | None = None, port: int = 0) -> None:
        self._store = store
        self.inserts: list[Insert] = []
        self.arrived = threading.Semaphore(0)
        self.question: Answering | None = None
        self.asked = b""
        self._steps = iter(script)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """Where it listens, as a DSN."""
        return self.url_of("logs")

    def url_of(self, database: str) -> str:
        """Where it listens, as a DSN of that database."""
        return f"clickhouse://reader:s3cr3t-canary@127.0.0.1:{self.port}/{database}"

    def close(self) -> None:
        """Stop listening, and end what hangs."""
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _take_step(self) -> Step:
        with self._lock:
            return next(self._steps, "ok")

    def _note(self, insert: Insert) -> None:
        self.inserts.append(insert)
        self.arrived.release()

    def _pass_on(self, request: BaseHTTPRequestHandler, body: bytes) -> Answering:
        """Have the store do it; its answer."""
        assert self._store is not None
        left_out = ("host", "transfer-encoding", "content-length", "connection")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in left_out}
        connection = http.client.HTTPConnection(*self._store, timeout=60)
        try:
            connection.request(request.command, request.path, body, headers)
            answer = connection.getresponse()
            kept = {
                name: value
                for name, value in answer.getheaders()
                if name.lower().startswith(("x-clickhouse", "content-encoding", "content-type"))
            }
            return Answering(answer.status, answer.read(), kept)
        finally:
            connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                if not query.get("insert_deduplication_token"):
                    return self._answer_question(_read_body(self))
                step = server._take_step()
                slowly = _slow_reader(self, lambda: server._closing.wait(0.01)) if step == "slow" else None
                body = _read_body(self, slowly)
                server._note(Insert(query["insert_deduplication_token"], query, len(body)))
                self._act(step, body)
                return None

            do_GET = do_POST  # noqa: N815 - http.server's name

            def _answer_question(self, body: bytes) -> None:
                if server.question is not None and server.asked in body:
                    return self._send(server.question)
                if server._store is None:
                    return self._answer(200, b"26.9.2.1\tUTC\n" if b"version()" in body else b"")
                return self._send(server._pass_on(self, body))

            def _act(self, step: Step, body: bytes) -> None:
                if isinstance(step, str) and step.startswith("commit, "):
                    server._pass_on(self, body)
                    step = step.removeprefix("commit, ")
                elif isinstance(step, tuple) and step[0] == "commit":
                    server._pass_on(self, body)
                    step = step[1]
                if step == "hang":
                    server._closing.wait()
                elif step == "reset":
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.connection.close()
                    self.close_connection = True
                elif isinstance(step, int):
                    self._answer(step, b"not now")
                elif isinstance(step, Answering):
                    self._send(step)
                elif isinstance(step, tuple):
                    _, code, name = step
                    text = f"Code: {code}. DB::Exception: said the server. ({name}) (version 26.9.2.1)"
                    self._answer(500, text.encode(), {"X-ClickHouse-Exception-Code": str(code)})
                elif server._store is not None:
                    self._send(server._pass_on(self, body))
                else:
                    self._answer(200, b"")

            def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
                self._send(Answering(status, body, headers or {}, by_clickhouse=True))

            def _send(self, answer: Answering) -> None:
                self.send_response(answer.status)
                known = {"X-ClickHouse-Query-Id": "q"} if answer.by_clickhouse else {}
                for name, value in {**known, **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body) + answer.missing))
                self.end_headers()
                self.wfile.write(answer.body)
                if answer.hangs:
                    server._closing.wait()
                self.close_connection = answer.missing > 0

            def finish(self) -> None:
                try:
                    super().finish()
                except (OSError, ValueError):
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                """Silence."""

        return Handler


def _read_body(handler: BaseHTTPRequestHandler, read: Callable[[int], bytes] | None = None) -> bytes:
    read = read or handler.rfile.read
    if handler.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return read(int(handler.headers.get("Content-Length", 0)))
    body = b""
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        body += read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body


def _slow_reader(handler: BaseHTTPRequestHandler, pause: Callable[[], object]) -> Callable[[int], bytes]:
    """Reads a little at a time, with pauses, through a small buffer: the sender has to wait."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def read(size: int) -> bytes:
        pieces = []
        for start in range(0, size, 1024):
            pause()
            pieces.append(handler.rfile.read(min(1024, size - start)))
        return b"".join(pieces)

    return read
