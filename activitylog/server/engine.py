"""
The embedded engine behind the server, and handles to it.

One engine, one path a process; any number of handles. A handle has settings, a current database and temporary
tables of its own, costs 0.1 ms to open, and does one thing at a time. So each request opens its own and
closes it: nothing that a request sets can reach another one. Sessions keep theirs. The engine lives as long
as one handle is open; this one's own keeps it.
"""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from activitylog.server.errors import ServerError, from_engine, without_file
from activitylog.server.native import Chunk
from activitylog.server.opening import connect, prepare_folder
from activitylog.store.statement import from_file

_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
DEFAULT_DATABASE = "default"
_NOT_STREAMABLE = "Streaming query is not supported"


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a statement read and wrote, for X-ClickHouse-Summary."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0


def quote(text: str) -> str:
    """``text`` as a string literal of SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def quote_name(name: str) -> str:
    """``name`` as an identifier of SQL."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def _statistics(result: Any) -> Statistics:
    return Statistics(
        read_rows=result.storage_rows_read(),
        read_bytes=result.storage_bytes_read(),
        written_rows=result.rows_written(),
        written_bytes=result.bytes_written(),
        result_rows=result.rows_read(),
    )


class Handle:
    """
    One handle to the engine. Not for two threads at once; errors are :class:`ServerError`.

    Attributes:
        altered: SET or USE statements were run on it; until then all is as in a new one.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.altered = False

    def set(self, settings: Mapping[str, str]) -> None:
        """Set settings for this handle, all or none."""
        for name in settings:
            if not _SETTING_NAME.match(name):
                raise ServerError(115, f"Unknown setting {quote(name)}")
        if settings:
            self.run("SET " + ", ".join(f"{name} = {quote(value)}" for name, value in settings.items()))

    def undoing(self, settings: Iterable[str], *, database: bool) -> list[str]:
        """The statements that bring settings, and the database if asked, back to what they are now."""
        names = [name for name in settings if _SETTING_NAME.match(name)]
        if not self.altered:
            unset = [f"SET {', '.join(f'{name} = DEFAULT' for name in names)}"] if names else []
            return unset + ([f"USE {quote_name(DEFAULT_DATABASE)}"] if database else [])
        undo = self._resetting(names) if names else []
        if database:
            current = self.run("SELECT currentDatabase()", "TabSeparatedRaw")[0].decode().removesuffix("\n")
            undo.append(f"USE {quote_name(current)}")
        return undo

    def _resetting(self, names: list[str]) -> list[str]:
        wanted = ", ".join(quote(name) for name in names)
        rows = self.run(
            f"SELECT name, value, changed FROM system.settings WHERE name IN ({wanted})",  # noqa: S608 - quoted
            "TabSeparatedRaw",
        )[0]
        undo = []
        for line in rows.decode().splitlines():
            name, value, changed = line.split("\t")
            # A value that is an expression, as 'auto(4)', is shown with its quotes.
            literal = value if value.startswith("'") else quote(value)
            undo.append(f"SET {name} = {literal if changed == '1' else 'DEFAULT'}")
        return undo

    def use(self, database: str) -> None:
        """Change the current database."""
        self.run(f"USE {quote_name(database)}")

    def run(
        self, sql: str | bytes, format_name: str = "TabSeparated", parameters: Mapping[str, str] | None = None
    ) -> tuple[bytes, Statistics]:
        """Run a statement and hold its whole result."""
        text = sql.encode("utf-8", "surrogateescape") if isinstance(sql, str) else sql
        try:
            result = self._connection.query(text, format_name, params=dict(parameters or {}))
            return result.bytes() or b"", _statistics(result)
        except RuntimeError as error:
            raise from_engine(error) from None

    def stream(self, sql: bytes, format_name: str, parameters: Mapping[str, str]) -> Stream | None:
        """Start a SELECT; None for a statement that the engine does not stream."""
        try:
            return Stream(self._connection.send_query(sql, format_name, params=dict(parameters)))
        except RuntimeError as error:
            if _NOT_STREAMABLE in str(error):
                return None
            raise from_engine(error) from None

    def insert(self, sql: bytes, format_name: str, chunks: Iterable[bytes]) -> Statistics:
        """
        Insert rows from ``chunks``: nothing, unless all of them come.

        They go by way of a file. chDB's streaming insert reports errors of the format only: where a constraint, a
        view, a full disk or too many parts kept the rows out, it says that they are written.
        """
        with tempfile.TemporaryDirectory(prefix="activitylog-serve-") as folder:
            rows = Path(folder) / "rows"
            with rows.open("wb") as file:
                file.writelines(chunks)
            try:
                _, done = self.run(from_file(sql, format_name, str(rows)))
            except ServerError as error:
                raise without_file(error) from None
        return replace(done, read_rows=done.written_rows, read_bytes=done.written_bytes, result_rows=0)

    def close(self) -> None:
        """Close the handle; its temporary tables go with it."""
        self._connection.close()


class Stream:
    """The chunks of a running SELECT, each a block's rows in the asked format."""

    def __init__(self, result: Any) -> None:
        self._result = result
        self.statistics = Statistics()

    def __iter__(self) -> Iterator[Chunk]:
        rows = 0
        while True:
            try:
                piece = self._result.fetch()
            except RuntimeError as error:
                raise from_engine(error) from None
            if piece is None:
                return
            rows += piece.rows_read()
            self.statistics = Statistics(piece.storage_rows_read(), piece.storage_bytes_read(), result_rows=rows)
            yield Chunk(piece.bytes(), piece.rows_read())

    def close(self) -> None:
        """Stop the query, if it still runs."""
        with suppress(RuntimeError):
            self._result.cancel()


class Engine:
    """
    The embedded engine at ``path`` (a folder, created when missing) or in memory.

    Raises:
        StoreLockedError: another process has the folder open.
        StoreUnavailableError: it cannot be opened, or this process has another folder open.
    """

    def __init__(self, path: str) -> None:
        prepare_folder(path)
        self._path = path
        self._lock = threading.Lock()
        self._own: Handle | None = Handle(connect(path))
        row = self._own.run(
            "SELECT version(), timezone(), displayName(), "
            "(SELECT value FROM system.settings WHERE name = 'enable_http_compression')"
        )[0]
        self.version, self.timezone, self.display_name, compressing = row.decode().rstrip("\n").split("\t")
        self.compresses_by_default = compressing == "1"

    def open(self) -> Handle:
        """A new handle; the caller closes it."""
        with self._lock:
            if self._own is None:
                raise ServerError(236, "The server is shutting down", status=503)
            return Handle(connect(self._path))

    def cancel_queries(self) -> None:
        """Ask every query that runs in the engine to end; the requests they belong to get an error."""
        with self._lock, suppress(ServerError):
            if self._own is not None:
                self._own.run("KILL QUERY WHERE 1 ASYNC")

    def close(self) -> None:
        """Close the engine's own handle. The folder is free once all handles are closed. May be called twice."""
        with self._lock:
            own, self._own = self._own, None
        if own is not None:
            own.close()
