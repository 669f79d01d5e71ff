"""
An engine that reads and writes Parquet files: chDB in memory, in a process of its own.

Of its own, because a process can open one embedded store only, and may have it open; and because nothing that a
damaged file does to the engine should happen to the program that checks it. Requests and answers are JSON, a line
each; an answer is ``{"rows": [...]}`` or ``{"error": "..."}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import IO, Any, Final

from activitylog.exceptions import ArchiveError, StoreError

_PROGRAM: Final = "from activitylog.store.archive.file_engine import serve; serve()"
#: What the engine must not do to values on their way into a file and back.
_SETTINGS: Final = {
    "output_format_json_quote_64bit_integers": 0,
    "output_format_parquet_compression_method": "zstd",
    "output_format_parquet_row_group_size": 131_072,
    "input_format_parquet_allow_missing_columns": 0,
    "engine_file_truncate_on_insert": 0,
    "session_timezone": "UTC",
}


class FileEngine:
    """The engine; :func:`file_engine` opens it. May be used by several threads."""

    def __init__(self) -> None:
        if find_spec("chdb") is None:
            raise StoreError(
                "Archives are read with the embedded engine, which is not installed (chDB, about 900 MB).",
                hint="Run: pip install 'activitylog[embedded]'. Only this machine needs it, not the server.",
            )
        self._lock = threading.Lock()
        self._process = subprocess.Popen(  # noqa: S603 - this Python, our program
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[list[Any]]:
        """
        Run a statement.

        Returns:
            Its rows; none for a statement that has none. Bytes that are no UTF-8 are U+FFFD in them.

        Raises:
            ArchiveError: the engine refuses it, or died of it.
        """
        request = json.dumps({"sql": sql, "parameters": dict(parameters or {})}, default=str)
        line = self._ask(request.encode() + b"\n")
        if not line:
            raise ArchiveError(f"The engine that reads Parquet files died (exit code {self._process.wait()}).")
        answer = json.loads(line)
        if "error" in answer:
            raise ArchiveError(f"ClickHouse says: {answer['error']}")
        found: list[list[Any]] = answer["rows"]
        return found

    def _ask(self, request: bytes) -> bytes:
        with self._lock:
            try:
                _of(self._process.stdin).write(request)
                _of(self._process.stdin).flush()
                return _of(self._process.stdout).readline()
            except BrokenPipeError:
                return b""

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            _of(self._process.stdin).close()
        self._process.wait()
        _of(self._process.stdout).close()


@contextmanager
def file_engine() -> Iterator[FileEngine]:
    """
    The engine, for as long as the ``with`` block lasts. Blocks within each other share one: whoever works on many
    archives opens it around all of them, and pays once for the second that it takes to start.

    Raises:
        StoreError: the embedded engine is not installed.
    """
    engine = _enter()
    try:
        yield engine
    finally:
        _leave(engine)


_lock: Final = threading.Lock()
_users: Final[dict[FileEngine, int]] = {}


def _enter() -> FileEngine:
    with _lock:
        engine = next((one for one in _users if one.alive), None) or FileEngine()
        _users[engine] = _users.get(engine, 0) + 1
        return engine


def _leave(engine: FileEngine) -> None:
    with _lock:
        _users[engine] -= 1
        if _users[engine] == 0:
            del _users[engine]
            engine.close()


def _of(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise AssertionError("opened with pipes")
    return stream


def serve() -> None:
    """Answer requests on standard input until it ends. What it writes is its owner's alone."""
    from activitylog.store.client import connect

    os.umask(0o077)
    client = connect("chdb://memory")
    for line in sys.stdin.buffer:
        request = json.loads(line)
        sys.stdout.buffer.write(json.dumps(_answer(client, **request)).encode() + b"\n")
        sys.stdout.buffer.flush()


def _answer(client: Any, sql: str, parameters: dict[str, Any]) -> dict[str, Any]:
    from clickhouse_connect.driver.exceptions import ClickHouseError

    try:
        content = client.raw_query(sql, parameters=parameters, settings=_SETTINGS, fmt="JSONCompactEachRow")
    except ClickHouseError as error:
        return {"error": str(error).split(", Stack trace")[0].partition("\n")[0][:500]}
    return {"rows": [json.loads(row.decode("utf-8", "replace")) for row in content.split(b"\n") if row]}
