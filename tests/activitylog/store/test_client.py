"""How a store is reached, and what is said when it is not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from activitylog.exceptions import ConfigurationError, StoreError, StoreLockedError, StoreUnavailableError
from activitylog.store import check_unlocked, connect, holder
from activitylog.url import parse

_HOLD = """
import sys
from activitylog.store import connect
client = connect(sys.argv[-1])
print("open", flush=True)
sys.stdin.readline()
client.close()
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A store that another process has open: its folder and that process's id."""
    folder = tmp_path / "held"
    program = tmp_path / "hold.py"
    program.write_text(_HOLD)
    with subprocess.Popen(
        [sys.executable, program, "password=hidden", "clickhouse://ann:hidden@host", f"chdb://{folder}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield folder, process.pid
        process.communicate("\n")


class TestEmbedded:
    """``chdb:``."""

    def test_round_trip(self, chdb_url: str, chdb_client: Any) -> None:
        """A second client in the process sees what the first one wrote."""
        chdb_client.command("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
        chdb_client.command("INSERT INTO t VALUES (7)")
        client = connect(chdb_url)
        try:
            assert client.command(f"SELECT a FROM {chdb_client.database}.t") == 7
        finally:
            client.close()

    def test_parsed_url(self, chdb_url: str, chdb_client: Any) -> None:
        """A URL that is parsed already is taken as it is."""
        client = connect(parse(chdb_url), create_database=True)
        assert client.command("SELECT 1") == 1
        client.close()

    def test_another_folder(self, chdb_url: str, chdb_client: Any, tmp_path: Path) -> None:
        """The engine opens one folder a process: the error names the one that is open."""
        for url in (f"chdb://{tmp_path}", "chdb://memory"):
            with pytest.raises(StoreError) as caught:
                connect(url)
            assert caught.value.message == (
                f"{url} cannot be opened: this process has the embedded store "
                f"'{chdb_url.removeprefix('chdb://')}' open."
            )

    def test_file_in_the_way(self, tmp_path: Path) -> None:
        """A file where the folder should be is named with the system's reason."""
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreUnavailableError) as caught:
            connect(f"chdb://{tmp_path}/file")
        assert caught.value.message == f"The store in '{tmp_path}/file' cannot be opened: File exists."
        with pytest.raises(StoreUnavailableError, match="cannot be opened: Not a directory"):
            connect(f"chdb://{tmp_path}/file/below")

    @pytest.mark.slow
    def test_new_folder(self, tmp_path: Path) -> None:
        """Folders above the store are made, too, and the engine is ready in a process of its own."""
        folder = tmp_path / "a" / "b" / "store"
        program = (
            "import sys; from activitylog.store import connect; print(connect(sys.argv[1]).command('SELECT 1'))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, f"chdb://{folder}"], capture_output=True, text=True, check=True
        )
        assert (done.stdout, done.stderr) == ("1\n", "")
        assert folder.is_dir()
        assert holder(folder) is None


class TestLock:
    """One process at a time."""

    @pytest.mark.slow
    def test_other_process(self, held: tuple[Path, int]) -> None:
        """The error names the process, what it runs without its secrets, and how to share the store."""
        folder, pid = held
        assert holder(folder) == pid
        for attempt in (check_unlocked, lambda path: connect(f"chdb://{path}")):
            with pytest.raises(StoreLockedError) as caught:
                attempt(folder)
            assert caught.value.message.startswith(f"The store in '{folder}' is open in another process ({pid}: ")
            assert "hold.py" in caught.value.message
            assert "hidden" not in str(caught.value)
            assert caught.value.hint == (
                "One process at a time can open it. Stop that one, or share the store: run "
                f"`activitylog serve --url chdb://{folder}` and use its URL, clickhouse://127.0.0.1:8123/default."
            )

    def test_own_process(self, chdb_url: str, chdb_client: Any) -> None:
        """The process that has the store open may open it again."""
        folder = chdb_url.removeprefix("chdb://")
        assert holder(folder) == os.getpid()
        check_unlocked(folder)

    def test_free(self, tmp_path: Path) -> None:
        """No folder, an empty one, and one left behind by a process that is gone are free."""
        (tmp_path / "status").write_text("PID: 1\nStarted at: 2026-01-01 00:00:00\n")
        for folder in (tmp_path / "nothing", tmp_path.parent, tmp_path):
            assert holder(folder) is None
            check_unlocked(folder)


#: In no line of a test, so that tracebacks do not show it for that reason.
_PASSWORD = "s3cret"


class _Server(BaseHTTPRequestHandler):
    """Answers every request as the server's ``answer`` says."""

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        answer: tuple[int, int, str] = self.server.answer  # type: ignore[attr-defined]
        self.rfile.read(length)
        status, code, text = answer
        self.send_response(status)
        self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST  # noqa: N815 - the name that http.server looks for

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[HTTPServer]:
    """An HTTP server that refuses; set ``answer`` to (status, ClickHouse's code, text)."""
    with HTTPServer(("127.0.0.1", 0), _Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


class TestServer:
    """``clickhouse:`` and its other spellings."""

    @pytest.mark.parametrize("scheme", ["clickhouse", "clickhouses", "http", "https"])
    def test_nobody_answers(self, scheme: str) -> None:
        """A closed port is told in one line with the address and the reason."""
        port = _closed_port()
        with pytest.raises(StoreUnavailableError) as caught:
            connect(f"{scheme}://ann:{_PASSWORD}@127.0.0.1:{port}/shop")
        assert caught.value.message.startswith(f"No ClickHouse answers at 127.0.0.1:{port}: ")
        assert "Connection refused" in caught.value.message
        assert "\n" not in caught.value.message
        assert _PASSWORD not in "".join(traceback.format_exception(caught.value))

    def test_nothing_is_printed(self) -> None:
        """The driver's own log lines do not reach standard error of a process that has set up no logging."""
        program = """
import sys
from activitylog.exceptions import StoreUnavailableError
from activitylog.store import connect
try:
    connect(sys.argv[1])
except StoreUnavailableError:
    print("refused")
"""
        done = subprocess.run(
            [sys.executable, "-c", program, f"clickhouse://127.0.0.1:{_closed_port()}"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert (done.stdout, done.stderr) == ("refused\n", "")

    @pytest.mark.parametrize(
        ("code", "message", "hint"),
        [
            (516, "127.0.0.1:{port} refuses the user 'ann'.", "Check user and password of the URL."),
            (
                81,
                "127.0.0.1:{port} has no database 'shop'.",
                "Create it and its tables: activitylog schema apply --url clickhouse://ann:***@127.0.0.1:{port}/shop",
            ),
        ],
    )
    def test_refused(self, refusing: Any, code: int, message: str, hint: str) -> None:
        """Login and database have messages of their own, and the password is in none."""
        refusing.answer = (403, code, f"Code: {code}. DB::Exception: no, {_PASSWORD}. (REFUSED)")
        port = refusing.server_port
        with pytest.raises(StoreUnavailableError) as caught:
            connect(f"clickhouse://ann:{_PASSWORD}@127.0.0.1:{port}/shop")
        assert caught.value.message == message.format(port=port)
        assert caught.value.hint == hint.format(port=port)
        assert _PASSWORD not in "".join(traceback.format_exception(caught.value))

    def test_other_refusals(self, refusing: Any) -> None:
        """Any other answer is shown in its own words, but for the password."""
        refusing.answer = (500, 999, f"Code: 999. DB::Exception: broken, {_PASSWORD}. (BROKEN)")
        with pytest.raises(StoreUnavailableError) as caught:
            connect(f"http://ann:{_PASSWORD}@127.0.0.1:{refusing.server_port}")
        assert "broken, ***" in caught.value.message
        assert _PASSWORD not in "".join(traceback.format_exception(caught.value))

    def test_missing_database(self, server_url: str) -> None:
        """A database that the server lacks is an error, unless it is to be created."""
        url = server_url.rpartition("/")[0] + "/made_by_connect"
        with pytest.raises(StoreUnavailableError, match="has no database 'made_by_connect'"):
            connect(url)
        client = connect(url, create_database=True)
        try:
            assert client.command("SELECT currentDatabase()") == "made_by_connect"
            connect(url).close()
        finally:
            client.command("DROP DATABASE made_by_connect")
            client.close()


class TestWrongURL:
    """What is no store."""

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("otlp://collector:4317", "'otlp://collector:4317' can be sent to, not asked."),
            ("memory:", "'memory:' can be sent to, not asked."),
            ("chdb://relative/dir", "The destination 'chdb://...' names no folder by an absolute path."),
            ("mysql://ann:s3cret@host", "The destination 'mysql://...' begins with no known scheme."),
            ("clickhouse://ann:s3cret@host?verfy=0", "The option 'verfy' of clickhouse://host is unknown."),
        ],
    )
    def test_refused(self, url: str, message: str) -> None:
        """What was given is said without its password, and what is accepted."""
        with pytest.raises(ConfigurationError) as caught:
            connect(url)
        assert caught.value.message == message
        assert caught.value.hint
