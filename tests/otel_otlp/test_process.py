"""What belongs to one process: connections, locks and counts; and what an import costs."""

from __future__ import annotations

import base64
import importlib
import os
import subprocess
import sys
import threading
import traceback

import pytest

from otel_otlp.first_use import import_modules
from tests.otel_otlp.fault_server import GATED, HANG, OK
from tests.otel_otlp.records import batch, deliver
from tests.waiting import wait_until


def in_child(act) -> int:
    """Fork, act, and leave as a worker does; 0 when it returned True within 20 seconds."""
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            threading.Timer(20, os._exit, (3,)).start()
            code = 0 if act() else 1
        except BaseException:  # noqa: BLE001 - the child must not go on as a test run
            traceback.print_exc()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
class TestFork:
    def test_http(self, serve, http_exporter):
        """Parent and child have connections of their own; the child counts from zero."""
        server = serve()
        exporter = http_exporter(server.url)
        exporter._losses.add("deadline", 7)
        assert deliver(exporter, batch()).status == "delivered"
        assert in_child(lambda: deliver(exporter, batch()).status == "delivered" and exporter.dropped() == {}) == 0
        assert deliver(exporter, batch()).status == "delivered"
        assert (server.stored, server.connections) == (9, 2)
        assert exporter.dropped() == {"deadline": 7}

    def test_in_the_middle_of_an_attempt(self, serve, http_exporter):
        """Locks that another thread held are free in the child."""
        server = serve(GATED, *[OK] * 5)
        exporter = http_exporter(server.url, timeout_seconds=15)
        thread = threading.Thread(target=deliver, args=(exporter, batch()))
        thread.start()
        assert server.arrived.acquire(timeout=10)
        assert in_child(lambda: deliver(exporter, batch()).status == "delivered" and exporter.force_flush(10)) == 0
        server.gate.set()
        thread.join(20)

    @pytest.mark.slow
    def test_in_the_middle_of_the_first_import(self, tmp_path, monkeypatch):
        """The child finds the module whole, and does not wait for a thread that it does not have."""
        begun = tmp_path / "begun"
        code = f"open({str(begun)!r}, 'w').close(); import threading; threading.Event().wait(0.5); whole = True\n"
        (tmp_path / "slow_driver.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)
        thread = threading.Thread(target=import_modules, args=("slow_driver",))
        thread.start()
        wait_until(begun.exists)
        assert in_child(lambda: importlib.import_module("slow_driver").whole) == 0
        thread.join(10)

    @pytest.mark.slow
    @pytest.mark.parametrize("busy", [False, True], ids=["idle", "in the middle of a call"])
    def test_grpc(self, busy):
        """gRPC in parent and child, each with a channel of its own; the server is in a third process."""
        run = [sys.executable, "-c", _GRPC_FORK, "busy" if busy else ""]
        done = subprocess.run(run, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["parent", "child", "child", "parent", "9"]

    def test_interrupt_is_inherited(self, serve, http_exporter):
        """A process that was told to end does not begin to wait in its children."""
        server = serve(*[HANG] * 3)
        exporter = http_exporter(server.url, timeout_seconds=0.1, retry_deadline_seconds=300)
        exporter.interrupt()
        assert in_child(lambda: exporter.export(batch()) and exporter.dropped() == {"shutdown": 3}) == 0


_GRPC_FORK = """
import os, subprocess, sys, threading
from tests.otel_otlp.records import batch, deliver
from otel_otlp import OTLPGRPCLogExporter
server = subprocess.Popen([sys.executable, "-c", '''
import sys
from tests.otel_otlp.grpc_server import GRPCServer, HANG
server = GRPCServer([HANG] if sys.argv[1] else [])
print(server.port, flush=True)
if sys.argv[1]:
    server.arrived.acquire()
    print(flush=True)
sys.stdin.read()
print(server.stored, flush=True)
server.close()
''', sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
exporter = OTLPGRPCLogExporter(f"http://127.0.0.1:{int(server.stdout.readline())}", timeout_seconds=20)
thread = threading.Thread(target=deliver, args=(exporter, batch()))
if sys.argv[1]:
    thread.start()
    server.stdout.readline()
def say(who):
    answer = deliver(exporter, batch())
    print(who if answer.status == "delivered" else answer, flush=True)
if sys.argv[1]:
    print("parent", flush=True)
else:
    say("parent")
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        say("child")
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
say("parent")
if sys.argv[1]:
    thread.join()
exporter.shutdown()
stored = int(server.communicate("")[0])
print(stored - (0 if sys.argv[1] else 3))
"""


class TestImport:
    @pytest.mark.parametrize("name", ["OTLPHTTPLogExporter", "OTLPGRPCLogExporter"])
    def test_a_constructor_imports_no_driver(self, name):
        """They cost half a second, which belongs to the exporting thread and not to the application's start."""
        code = (
            f"import sys, otel_otlp; otel_otlp.{name}().shutdown();"
            "print(sorted({'grpc', 'urllib3', 'requests', 'google.protobuf', 'certifi'} & sys.modules.keys()))"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        assert run.stdout == "[]\n"


class TestProxy:
    def test_the_environments_proxy(self, serve, http_exporter, monkeypatch):
        """HTTP_PROXY with a password is used, NO_PROXY is not."""
        proxy = serve()
        monkeypatch.setenv("http_proxy", f"http://me:t0psecret@127.0.0.1:{proxy.port}")
        assert deliver(http_exporter("http://collector.invalid/v1/logs"), batch()).status == "delivered"
        assert proxy.requests[0].line == "POST http://collector.invalid/v1/logs HTTP/1.1"
        assert proxy.requests[0].headers["proxy-authorization"] == "Basic bWU6dDBwc2VjcmV0"
        monkeypatch.setenv("no_proxy", "collector.invalid")
        assert deliver(http_exporter("http://collector.invalid/v1/logs"), batch()).reason == "unavailable"

    @pytest.mark.parametrize(
        ("user_and_password", "pair"),
        [("me:p%40ss%2F%3A%23", "me:p@ss/:#"), ("m%C3%A9:p+%25", "mé:p+%"), ("me", "me:")],
    )
    def test_its_user_and_password_are_percent_encoded(
        self, serve, http_exporter, monkeypatch, user_and_password, pair
    ):
        """As in the URL of the endpoint; the proxy gets them as they are."""
        proxy = serve()
        monkeypatch.setenv("HTTP_PROXY", f"{user_and_password}@127.0.0.1:{proxy.port}")
        assert deliver(http_exporter("http://collector.invalid/v1/logs"), batch()).status == "delivered"
        sent = proxy.requests[0].headers["proxy-authorization"]
        assert base64.b64decode(sent.removeprefix("Basic ")).decode() == pair

    def test_a_netrc_file(self, serve, http_exporter, monkeypatch, tmp_path):
        """Credentials of another program do not go before ours."""
        file = tmp_path / "netrc"
        file.write_text("machine 127.0.0.1 login other password wrong\n")
        file.chmod(0o600)
        monkeypatch.setenv("NETRC", str(file))
        server = serve()
        deliver(http_exporter(server.url, headers={"Authorization": "Bearer ours"}), batch())
        assert server.requests[0].headers["authorization"] == "Bearer ours"
