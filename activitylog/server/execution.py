"""
Running one statement: on whose handle, under which settings, and in which of three ways its result is made.

- A SELECT in a format whose pieces can be joined is streamed from the engine.
- A SELECT in another format (JSON, Parquet, Pretty) is written by the engine into a temporary file first.
- Everything else returns little and is held in memory.

An INSERT's rows are decompressed into a temporary file, which the engine reads when all of them are there.
"""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from activitylog.server.compression import CHUNK_BYTES
from activitylog.server.engine import Engine, Handle, Statistics, quote
from activitylog.server.errors import ServerError
from activitylog.server.formats import DEFAULT_FORMAT, content_type, in_pieces
from activitylog.server.native import Chunk, for_revision
from activitylog.server.request import Request
from activitylog.server.session import Sessions
from activitylog.store.statement import READ_WORDS, Statement, classify

MAX_QUERY_BYTES = 64 << 20
DEFAULT_QUERY_BYTES = 256 << 10
_FORMAT_NAME = re.compile(r"[A-Za-z0-9_]+")
PLAIN_TEXT = "text/plain; charset=UTF-8"
_FIRST_READ_BYTES = 16 << 10


@dataclass(frozen=True, slots=True)
class Result:
    """
    What a statement gives.

    Attributes:
        pieces: the bytes of the result.
        statistics: what it read and wrote so far.
        content_type: of ``pieces``.
        format: its name; empty for a statement without rows.
    """

    pieces: Iterable[bytes]
    statistics: Callable[[], Statistics]
    content_type: str = PLAIN_TEXT
    format: str = ""


class Execution:
    """
    One statement of one request.

    Args:
        engine: opens handles.
        sessions: keep handles.
        request: the statement, its data and settings.
        resources: takes what must live until the result was sent.
    """

    def __init__(self, engine: Engine, sessions: Sessions, request: Request, resources: ExitStack) -> None:
        self._engine = engine
        self._sessions = sessions
        self._request = request
        self._resources = resources

    def run(self) -> Result:
        """
        Run it.

        Raises:
            ServerError: it is refused, or failed before its first rows.
        """
        stream = self._request.stream()
        statement, head = read_statement(stream, self._query_limit())
        self._refuse(statement)
        handle = self._resources.enter_context(self._sessions.use(self._request.options))
        self._prepare(handle, statement)
        if statement.kind == "insert":
            data = itertools.chain((head[statement.data_offset :],), stream)
            done = handle.insert(statement.sql, statement.format or "Values", data)
            return Result((), lambda: done)
        if statement.kind == "select":
            return self._select(handle, statement)
        return self._other(handle, statement)

    def _query_limit(self) -> int:
        given = self._request.settings.get("max_query_size", "")
        return min(int(given), MAX_QUERY_BYTES) if given.isdigit() and int(given) else DEFAULT_QUERY_BYTES

    def _refuse(self, statement: Statement) -> None:
        if statement.kind == "empty":
            raise ServerError(62, "Syntax error: failed at position 1 (end of query): Empty query")
        if statement.more:
            raise ServerError(62, "Syntax error (Multi-statements are not allowed): send one statement a request")
        if statement.file_clause == "INTO OUTFILE":
            raise ServerError(358, "INTO OUTFILE is not allowed")
        if statement.file_clause:
            raise ServerError(48, f"INSERT with {statement.file_clause} is not served: send the rows as the body")
        reads = statement.first_word in READ_WORDS and not statement.writes
        if self._request.method != "POST" and not reads:
            raise ServerError(164, "Cannot execute query in readonly mode: only POST may change anything")

    def _prepare(self, handle: Handle, statement: Statement) -> None:
        """Set the request's database and settings; in a session, for this request only."""
        request = self._request
        if request.option("session_id"):
            if statement.first_word in ("SET", "USE"):
                handle.altered = True
                return
            for undo in handle.undoing(request.settings, database=bool(request.database)):
                self._resources.callback(handle.run, undo)
        elif request.method != "POST":
            handle.set({"readonly": "2"})
        if request.database:
            handle.use(request.database)
        handle.set(request.settings)
        if statement.kind == "insert":  # parameters may stand in the statement and among its VALUES
            handle.set({f"param_{name}": value for name, value in request.parameters.items()})

    def _select(self, handle: Handle, statement: Statement) -> Result:
        name = self._format_name(statement)
        special = statement.totals or "extremes" in self._request.settings
        special = special or "output_format_json_array_of_rows" in self._request.settings
        if not in_pieces(name, totals=special or b"array_of_rows" in statement.sql):
            return self._spooled(handle, statement, name)
        stream = handle.stream(statement.sql, name, self._request.parameters)
        if stream is None:
            return self._other(handle, statement)
        self._resources.callback(stream.close)
        return Result(self._written(stream, name), lambda: stream.statistics, content_type(name), name)

    def _format_name(self, statement: Statement) -> str:
        name = statement.format or self._request.default_format or DEFAULT_FORMAT
        if not _FORMAT_NAME.fullmatch(name):
            raise ServerError(73, f"Unknown format {name}")
        return name

    def _spooled(self, handle: Handle, statement: Statement, name: str) -> Result:
        """Have the engine write the result into a file, for formats that have a beginning and an end."""
        folder = Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="activitylog-serve-")))
        target = folder / "result"
        start, end = statement.format_span or (len(statement.sql), len(statement.sql))
        into = f"\nINTO OUTFILE {quote(str(target))} TRUNCATE FORMAT {name} ".encode()
        sql = statement.sql[:start] + into + statement.sql[end:]
        _, statistics = handle.run(sql, name, self._request.parameters)
        return Result(_file_chunks(target), lambda: statistics, content_type(name), name)

    def _other(self, handle: Handle, statement: Statement) -> Result:
        name = self._format_name(statement)
        data, statistics = handle.run(statement.sql, name, self._request.parameters)
        returns = bool(data) or (statement.first_word in READ_WORDS - {"SET", "USE"} and not statement.writes)
        pieces = self._written([Chunk(data, -1)] if data else [], name)
        shown = name if returns else ""
        return Result(pieces, lambda: statistics, content_type(shown) if shown else PLAIN_TEXT, shown)

    def _written(self, chunks: Iterable[Chunk], name: str) -> Iterator[bytes]:
        if name == "Native":
            return for_revision(chunks, self._request.revision)
        return (chunk.data for chunk in chunks)


def read_statement(stream: Iterator[bytes], limit: int) -> tuple[Statement, bytes]:
    """
    Read from a request's stream until its statement is known.

    Args:
        stream: the query and its data; it is left at the first byte that was not needed.
        limit: the most bytes that a statement may have.

    Returns:
        The statement, and what was read.

    Raises:
        ServerError: the statement is longer than ``limit``.
    """
    head = bytearray()
    tried = 0
    for chunk in stream:
        head += chunk
        if len(head) >= max(_FIRST_READ_BYTES, 2 * tried):
            statement = classify(bytes(head[: limit + CHUNK_BYTES]), complete=False)
            if statement is not None:
                return statement, bytes(head)
            tried = len(head)
        if len(head) > limit:
            raise ServerError(62, f"Syntax error: Max query size exceeded (max_query_size = {limit})")
    statement = classify(bytes(head), complete=True)
    if statement is None or (statement.kind != "insert" and len(statement.sql) > limit):
        raise ServerError(62, f"Syntax error: Max query size exceeded (max_query_size = {limit})")
    return statement, bytes(head)


def _file_chunks(path: Path) -> Iterator[bytes]:
    if not path.exists():
        return
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
