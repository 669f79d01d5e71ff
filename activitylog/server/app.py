"""
The HTTP interface: one WSGI application that answers as ClickHouse does.

    GET or POST with ``query`` or a body   the statement is run
    GET /                                  ``Ok.``
    GET /ping, /replicas_status            ``Ok.``
    another path without a query           404

Methods other than POST only read: the statement must be one that reads, and the engine runs it under
``readonly=2``.
"""

from __future__ import annotations

import logging
import time
import traceback
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

from activitylog.server.access import check
from activitylog.server.blocks import encode_blocks
from activitylog.server.compression import choose, encode
from activitylog.server.engine import Engine
from activitylog.server.errors import REASONS, ServerError
from activitylog.server.execution import Execution, Result
from activitylog.server.request import Request, read_request
from activitylog.server.response import (
    BrokenResultError,
    Response,
    ResultBody,
    exception_block,
    exception_tag,
    summary,
)
from activitylog.server.session import Sessions
from activitylog.visible import visible_lines

StartResponse = Callable[[str, list[tuple[str, str]]], Any]

_log = logging.getLogger(__name__)
_PLAIN = ("Content-Type", "text/plain; charset=UTF-8")
_FOR_BROWSERS = [("X-Content-Type-Options", "nosniff"), ("Cross-Origin-Resource-Policy", "same-origin")]
_NO_SUCH_PATH = """There is no handle {path}

/ and /ping answer Ok. while the server runs.
Send a query with POST, or read with GET /?query=...
"""


class Application:
    """
    The WSGI application over one engine.

    Args:
        engine: runs the statements.
        allowed_hosts: more names, lower case, under which the server may be addressed.
    """

    def __init__(self, engine: Engine, allowed_hosts: Collection[str] = ()) -> None:
        self._engine = engine
        self._allowed_hosts = frozenset(allowed_hosts)
        self.sessions = Sessions(engine)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        started = time.perf_counter_ns()
        resources = ExitStack()
        encoding: str | None = None
        native: str | None = None
        try:
            check(environ, self._allowed_hosts)
            request = read_request(environ)
            encoding, native = self._encodings(request)
            response = self._answer(request, encoding, native, resources, started)
        except ServerError as error:
            resources.close()
            response = self._error(error, encoding, native)
        except Exception as error:  # noqa: BLE001 - the client gets an answer, the log the traceback
            resources.close()
            _log.error("A request failed in the server itself\n%s", visible_lines(traceback.format_exc()))
            response = self._error(ServerError(1002, type(error).__name__), encoding, native)
        start_response(f"{response.status} {REASONS[response.status]}", [*response.headers, *_FOR_BROWSERS])
        return Body([] if environ["REQUEST_METHOD"] == "HEAD" else response.body, resources)

    def _encodings(self, request: Request) -> tuple[str | None, str | None]:
        """The content encoding of the response, and the method of its compressed blocks."""
        wanted = request.option("enable_http_compression", "1" if self._engine.compresses_by_default else "0")
        encoding = choose(request.header("Accept-Encoding")) if wanted not in ("0", "false") else None
        native = request.settings.get("network_compression_method", "LZ4")
        return encoding, native if request.option("compress") == "1" else None

    def _answer(
        self, request: Request, encoding: str | None, native: str | None, resources: ExitStack, started: int
    ) -> Response:
        if request.method == "OPTIONS":
            return Response(204, [("Allow", "GET, HEAD, POST, OPTIONS")], [])
        if request.method not in ("GET", "HEAD", "POST", "PUT"):
            raise ServerError(36, f"Method {request.method} is not served", status=405)
        if request.method != "POST" and not request.option("query"):
            return _without_query(request)
        execution = Execution(self._engine, self.sessions, request, resources)
        result = execution.run()
        tag = exception_tag()
        pieces = encode_blocks(result.pieces, native) if native else result.pieces
        body = ResultBody(
            pieces,
            encoding=encoding,
            everything=request.option("wait_end_of_query") == "1",
            error_block=lambda error: exception_block(tag, error.line(self._engine.version)),
        )
        resources.callback(body.close)
        headers = self._headers(request, result, tag, time.perf_counter_ns() - started)
        headers += [("Content-Length", str(body.length))] if body.length is not None else []
        headers += [("Content-Encoding", encoding)] if encoding and body.length != 0 else []
        return Response(200, headers, body)

    def _headers(self, request: Request, result: Result, tag: str, elapsed_ns: int) -> list[tuple[str, str]]:
        headers = [
            ("Content-Type", result.content_type),
            ("X-ClickHouse-Server-Display-Name", self._engine.display_name),
            ("X-ClickHouse-Query-Id", _header_text(request.option("query_id")) or str(uuid.uuid4())),
            ("X-ClickHouse-Timezone", self._engine.timezone),
            ("X-ClickHouse-Exception-Tag", tag),
            ("X-ClickHouse-Summary", summary(result.statistics(), elapsed_ns)),
        ]
        return headers + ([("X-ClickHouse-Format", result.format)] if result.format else [])

    def _error(self, error: ServerError, encoding: str | None, native: str | None) -> Response:
        pieces: Iterable[bytes] = [error.line(self._engine.version).encode("utf-8", "replace") + b"\n"]
        if native:
            pieces = encode_blocks(pieces, native)
        body = b"".join(encode(encoding, pieces))
        headers = [
            _PLAIN,
            ("Content-Length", str(len(body))),
            ("X-ClickHouse-Exception-Code", str(error.code)),
            ("X-ClickHouse-Server-Display-Name", self._engine.display_name),
        ]
        headers += [("Content-Encoding", encoding)] if encoding else []
        return Response(error.status, headers, [body])


class Body:
    """What WSGI sends, and what is let go afterwards, however it ends."""

    def __init__(self, body: Iterable[bytes], resources: ExitStack) -> None:
        self._body = body
        self._resources = resources

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except BrokenResultError:
            from waitress.channel import ClientDisconnected

            # The one exception at which waitress closes the connection and writes no traceback.
            raise ClientDisconnected from None

    def close(self) -> None:
        """Let everything go."""
        self._resources.close()


def _without_query(request: Request) -> Response:
    if request.path in ("/", "/ping", "/replicas_status"):
        text, status = "Ok.\n", 200
    else:
        text, status = _NO_SUCH_PATH.format(path=request.path), 404
    body = text.encode("utf-8", "replace")
    return Response(status, [_PLAIN, ("Content-Length", str(len(body)))], [body])


def _header_text(text: str) -> str:
    return "".join(letter for letter in text if " " <= letter <= "~")[:200]
