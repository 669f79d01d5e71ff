"""A server that behaves badly on purpose, over a real socket: as much of ClickHouse's HTTP as the driver needs."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

#: What to do with an insert: "ok", "reset" (before the answer), "hang" (until the server is closed), an HTTP
#: status, or ("exception", code, name) as ClickHouse answers.
Step = str | int | tuple[str, int, str]


class Insert(NamedTuple):
    """An insert as it arrived."""

    token: str
    settings: dict[str, str]
    body_bytes: int


class FaultServer:
    """
    Listens on a free port of the loopback interface.

    Args:
        script: one step for each insert, in turn; then all are "ok".

    Attributes:
        inserts: what arrived with a token, whatever became of it; all else is answered as by an idle server.
        arrived: is released once for each insert.
    """

    def __init__(self, script: Iterable[Step] = ()) -> None:
        self.inserts: list[Insert] = []
        self.arrived = threading.Semaphore(0)
        self._steps = iter(script)
        self._closing = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
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
        return f"clickhouse://reader:s3cr3t-canary@127.0.0.1:{self.port}/logs"

    def close(self) -> None:
        """Stop listening, and end what hangs."""
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _take(self, insert: Insert) -> Step:
        self.inserts.append(insert)
        step = next(self._steps, "ok")
        self.arrived.release()
        return step

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                body = _read_body(self)
                if not query.get("insert_deduplication_token"):
                    return self._answer(200, b"26.9.2.1\tUTC\n" if b"version()" in body else b"")
                step = server._take(Insert(query["insert_deduplication_token"], query, len(body)))
                self._act(step)
                return None

            def _act(self, step: Step) -> None:
                if step == "hang":
                    server._closing.wait()
                elif step == "reset":
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.connection.close()
                    self.close_connection = True
                elif isinstance(step, int):
                    self._answer(step, b"not now")
                elif isinstance(step, tuple):
                    _, code, name = step
                    text = f"Code: {code}. DB::Exception: said the server. ({name}) (version 26.9.2.1)"
                    self._answer(500, text.encode(), {"X-ClickHouse-Exception-Code": str(code)})
                else:
                    self._answer(200, b"")

            def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in {"X-ClickHouse-Query-Id": "q", **(headers or {})}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def finish(self) -> None:
                try:
                    super().finish()
                except (OSError, ValueError):
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                """Silence."""

        return Handler


def _read_body(handler: BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
    body = b""
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body
