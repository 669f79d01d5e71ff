"""Starting and ending: addresses, ports, locks, requests that run while it closes, signals."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from activitylog.exceptions import ConfigurationError, StoreUnavailableError
from activitylog.server import NO_ACCESS_CONTROL, serve, start_server
from tests.activitylog.server.conftest import Http
from tests.waiting import wait_until


class TestAddress:
    def test_urls(self, open_store: str):
        """A free port is taken, and both URLs say which; by default the network cannot reach it."""
        with start_server(open_store, port=0) as server:
            assert server.host == "127.0.0.1"
            assert server.port > 0
            assert server.url == f"clickhouse://127.0.0.1:{server.port}/default"
            with urllib.request.urlopen(f"{server.http_url}/ping") as answer:
                assert answer.read() == b"Ok.\n"

    def test_a_taken_port(self, open_store: str):
        """A port that another server has is an error that says what to do."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(StoreUnavailableError, match=f"127.0.0.1:{port}.*--port"):
                start_server(open_store, port=port)

    def test_another_path_in_this_process(self, open_store: str, tmp_path: Path):
        """One process has one engine: the error says so."""
        with pytest.raises(StoreUnavailableError, match="this process has another embedded store open"):
            start_server(tmp_path / "other", port=0)

    def test_not_a_store(self):
        """A URL of a server cannot be served."""
        with pytest.raises(ConfigurationError, match=r"chdb:///folder"):
            start_server("clickhouse://localhost/default")

    def test_a_folder_that_cannot_be(self, tmp_path: Path):
        """A file where the folder should be is told as such."""
        (tmp_path / "file").write_text("x")
        with pytest.raises(StoreUnavailableError, match="File exists"):
            start_server(tmp_path / "file")

    def test_no_access_control_is_said(self):
        """The sentence for those who start it."""
        assert "no access control" in NO_ACCESS_CONTROL


class TestClose:
    def test_twice(self, open_store: str):
        """Closing again does nothing; afterwards nobody answers, and no thread is left."""
        before = {thread for thread in threading.enumerate() if thread.name.startswith("waitress")}
        server = start_server(open_store, port=0)
        server.close()
        server.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, server.port))
        left = {
            thread for thread in threading.enumerate() if thread.name.startswith(("waitress", "activitylog-serve"))
        }
        assert {thread for thread in left - before if thread.name != "activitylog-serve"} == set()

    def test_woken_by_another_thread(self, open_store: str, monkeypatch: pytest.MonkeyPatch):
        """The loop may have closed everything before the thread that closes has written its wake-up."""
        server = start_server(open_store, port=0)
        trigger = server._waitress.trigger
        wake = trigger._physical_pull

        def late() -> None:
            wake()
            if server._close_sockets in trigger.thunks or not server._sockets:
                wait_until(lambda: not server._loop.is_alive())
                wake()

        monkeypatch.setattr(trigger, "_physical_pull", late)
        server.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            wake()

    def test_a_running_query_finishes(self, open_store: str, engine_client: Any):
        """A request that runs when the server closes gets its answer."""
        server = start_server(open_store, port=0)
        connection = Http(server).connection()
        connection.request("POST", "/", "SELECT sleep(0.5), 'done'")
        until = time.monotonic() + 5
        while not _running(engine_client, "sleep(0.5)") and time.monotonic() < until:
            pass
        server.close()
        assert connection.getresponse().read() == b"0\tdone\n"
        connection.close()

    def test_a_reader_that_left_frees_the_engine(self, open_store: str, engine_client: Any):
        """A client that goes away in the middle of a result stops the query."""
        with start_server(open_store, port=0) as server:
            connection = Http(server).connection()
            connection.request("POST", "/", "SELECT number AS left_alone FROM numbers(100000000000)")
            response = connection.getresponse()
            response.read(1000)
            assert _running(engine_client, "left_alone")
            response.close()
            connection.close()
            until = time.monotonic() + 10
            while (running := _running(engine_client, "left_alone")) and time.monotonic() < until:
                pass
            assert not running


def _running(client: Any, text: str) -> bool:
    query = (
        "SELECT count() FROM system.processes WHERE position(query, {text:String}) > 0 "
        "AND position(query, 'system.processes') = 0"
    )
    return bool(client.query(query, parameters={"text": text}).result_rows[0][0])


PROCESS = """
import sys
from activitylog.server import serve, start_server
serve(sys.argv[1], port=0, ready=lambda url: print(url, flush=True))
# Another store opens only when the first is closed; the name keeps the collector from closing it.
again = start_server(sys.argv[1], port=0)
again.close()
start_server(sys.argv[1] + "-other", port=0).close()
print("ended", flush=True)
"""


class TestProcess:
    @pytest.mark.slow
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_signal_ends_it_and_frees_the_folder(self, tmp_path: Path, number: signal.Signals):
        """A process that comes meanwhile hears who holds the store, one that comes later finds the rows."""
        store = tmp_path / "store"
        first = _start(store)
        url = first.stdout.readline().strip()  # type: ignore[union-attr]
        assert store.stat().st_mode & 0o777 == 0o700
        _post(url, "CREATE TABLE t ENGINE = MergeTree ORDER BY a AS SELECT 1 AS a")
        refused = _start(store)
        _, complaint = refused.communicate(timeout=30)
        assert f"StoreLockedError: The store in '{store}' is open in another process ({first.pid}" in complaint
        first.send_signal(number)
        printed, complaint = first.communicate(timeout=30)
        assert (printed, first.returncode) == ("ended\n", 0), complaint
        second = _start(store)
        assert _post(second.stdout.readline().strip(), "SELECT a FROM t") == "1\n"  # type: ignore[union-attr]
        second.terminate()
        second.communicate(timeout=30)

    def test_stop_event_ends_it(self, open_store: str):
        """In a thread an event ends serve()."""
        stop, started = threading.Event(), threading.Event()
        urls = []

        def ready(url: str) -> None:
            urls.append(url)
            started.set()

        thread = threading.Thread(
            target=serve, args=(open_store,), kwargs={"port": 0, "ready": ready, "stop": stop}
        )
        thread.start()
        assert started.wait(10)
        assert _post(urls[0], "SELECT 1") == "1\n"
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def _start(store: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(store)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )


def _post(url: str, query: str) -> str:
    address = url.removeprefix("clickhouse://").partition("/")[0]
    with urllib.request.urlopen(f"http://{address}/", query.encode()) as answer:
        text: str = answer.read().decode()
    return text
