"""The life cycle: before configure, twice, after shutdown, in a forked child, at the end of the process."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import textwrap
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

import activitylog
from activitylog import config
from activitylog.exceptions import ConfigurationError, StoreLockedError
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def _unconfigured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test begins without a pipeline and without settings of this checkout."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("ACTIVITYLOG_", "OTEL_")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(config, "_state", config._State())
    yield
    activitylog.shutdown()


def python(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environ},
    )


class TestBeforeConfigure:
    def test_events_are_counted_and_one_warning_says_what_to_do(self, caplog: pytest.LogCaptureFixture) -> None:
        """A forgotten configure() must be seen, and must not flood the log."""
        with caplog.at_level(logging.WARNING, "activitylog"):
            assert not activitylog.emit("a.b")
            assert not activitylog.get_logger().info("a.b")
        assert activitylog.stats().dropped == {"not_configured": 2}
        (line,) = [record.getMessage() for record in caplog.records]
        assert "configure()" in line
        assert "chdb:///abs/dir" in line

    def test_flush_and_shutdown_have_nothing_to_do(self) -> None:
        """They are safe to call."""
        assert activitylog.flush().complete
        assert activitylog.shutdown().complete


class TestConfigure:
    def test_a_logger_made_before_is_used_after(self) -> None:
        """Loggers are made at import time of modules, before configure runs."""
        log = activitylog.get_logger()
        activitylog.configure("memory:")
        assert log.info("a.b")
        assert activitylog.flush().delivered == 1

    def test_without_a_destination(self) -> None:
        """What is missing and three ways to give it."""
        with pytest.raises(ConfigurationError, match=r"No destination.*ACTIVITYLOG_URL.*activitylog\.toml"):
            activitylog.configure()

    def test_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """No argument is needed."""
        monkeypatch.setenv("ACTIVITYLOG_URL", "memory:")
        activitylog.configure()
        activitylog.emit("a.b")
        assert activitylog.flush().delivered == 1

    def test_an_unknown_setting(self) -> None:
        """A misspelt argument fails at once."""
        with pytest.raises(ConfigurationError, match="Did you mean 'max_queue_size'"):
            activitylog.configure("memory:", max_que_size=5)

    def test_twice_replaces_and_flushes_the_first(self) -> None:
        """The events of the first pipeline are sent before it ends."""
        activitylog.configure("memory:")
        first = config._state.pipeline
        assert first is not None
        activitylog.emit("a.b")
        activitylog.configure("memory:", service_name="second")
        assert first.stats().destinations["memory:"].delivered == 1
        assert activitylog.stats().emitted == 0
        assert activitylog.emit("a.b")

    def test_a_wrong_second_call_leaves_the_first_in_force(self) -> None:
        """A bad configuration never replaces a good one."""
        activitylog.configure("memory:")
        with pytest.raises(ConfigurationError):
            activitylog.configure("nonsense://")
        assert activitylog.emit("a.b")

    def test_a_wrong_call_leaves_no_threads(self, tmp_path: Path) -> None:
        """They would go on, and take over what dead processes left."""
        (tmp_path / "rules.toml").write_text("[[rules]]\nmatch = 7\n")
        before = threading.active_count()
        with pytest.raises(ConfigurationError):
            activitylog.configure(
                f"clickhouse://127.0.0.1:1/{tmp_path.name}", rules_file=str(tmp_path / "rules.toml")
            )
        wait_until(lambda: threading.active_count() <= before)

    def test_after_shutdown(self) -> None:
        """Events are counted after shutdown; configure begins anew."""
        activitylog.configure("memory:")
        activitylog.emit("a.b")
        assert activitylog.shutdown().delivered == 1
        assert not activitylog.emit("a.b")
        assert activitylog.stats().dropped == {"shutdown": 1}
        assert activitylog.shutdown().delivered == 1
        activitylog.configure("memory:")
        assert activitylog.emit("a.b")

    def test_disabled(self) -> None:
        """A kill switch that needs no destination."""
        activitylog.configure(enabled=False)
        assert not activitylog.emit("a.b")
        assert activitylog.stats().dropped == {"disabled": 1}

    def test_fan_out(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Each destination gets every event and has its own counts."""
        activitylog.configure(["memory:", "console:"], service_name="chat")
        activitylog.emit("message.sent", note="\x1b[31mred\x1b[0m")
        assert activitylog.flush().complete
        destinations = activitylog.stats().destinations
        assert {name: counts.delivered for name, counts in destinations.items()} == {"memory:": 1, "console:": 1}

    def test_the_service_is_in_the_resource(self) -> None:
        """service.name and the further attributes reach OpenTelemetry."""
        activitylog.configure(
            "memory:", service_name="chat", resource_attributes={"deployment.environment.name": "test"}
        )
        pipeline = config._state.pipeline
        assert pipeline is not None
        resource = pipeline.provider.resource.attributes  # type: ignore[attr-defined]
        assert resource["service.name"] == "chat"
        assert resource["deployment.environment.name"] == "test"

    def test_a_provider_of_the_application(self) -> None:
        """Events go through it, and it is not shut down with us."""
        exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        activitylog.configure(logger_provider=provider)
        activitylog.emit("a.b")
        activitylog.shutdown()
        provider.get_logger("app").emit(event_name="app.ended")
        assert [data.log_record.event_name for data in exporter.get_finished_logs()] == ["a.b", "app.ended"]

    def test_a_provider_that_takes_no_destination(self) -> None:
        """The API's own provider cannot be added to."""
        from opentelemetry._logs import NoOpLoggerProvider

        with pytest.raises(ConfigurationError, match="NoOpLoggerProvider"):
            activitylog.configure("memory:", logger_provider=NoOpLoggerProvider())

    def test_aflush_does_not_hold_up_the_loop(self) -> None:
        """It awaits in a thread."""
        activitylog.configure("memory:")

        async def main() -> Any:
            activitylog.emit("a.b")
            return await activitylog.aflush()

        assert asyncio.run(main()).delivered == 1

    @pytest.mark.parametrize(
        ("port", "wrong"), [("notaport", {}), ("8123", {"max_que_size": 5}), ("8123", {"overflow": "maybe"})]
    )
    def test_no_secret_in_what_is_raised(self, port: str, wrong: dict[str, Any]) -> None:
        """Reporters of errors print the values of every frame, and of the errors behind an error."""
        with pytest.raises(ConfigurationError) as caught:
            activitylog.configure("clickhouse://alice:top" + f"secret@db:{port}/x", **wrong)
        error: BaseException | None = caught.value
        while error is not None:
            frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
            for frame in frames:
                if frame.filename != __file__:
                    assert "topsecret" not in str(frame.locals)
            assert "topsecret" not in str(error)
            error = error.__cause__ or error.__context__


class TestEmbeddedStore:
    @pytest.mark.slow
    def test_a_locked_store_fails_at_configure(self, tmp_path: Path) -> None:
        """Another process has the folder open, and there is no spool to leave events in: say who has it."""
        code = f"""
            import clickhouse_connect, sys
            client = clickhouse_connect.get_client(dsn="chdb://{tmp_path}/store")
            print("open", flush=True)
            sys.stdin.read()
        """
        holder = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == "open\n"
            with pytest.raises(StoreLockedError, match=rf"{holder.pid}.*activitylog serve"):
                activitylog.configure(f"chdb://{tmp_path}/store", durability="memory")
        finally:
            holder.communicate("")

    @pytest.mark.slow
    def test_a_process_that_just_ends_has_stored_its_events(self, tmp_path: Path) -> None:
        """No flush and no shutdown are written: the end of the process does it."""
        url = f"chdb://{tmp_path}/store"
        result = python(f"""
            import activitylog
            activitylog.configure("{url}")
            activitylog.emit("message.sent", actor="user:1")
        """)
        assert (result.returncode, result.stderr) == (0, "")
        count = python(f"""
            import clickhouse_connect
            client = clickhouse_connect.get_client(dsn="{url}")
            print(client.command("SELECT count() FROM activity_events WHERE ActorId = '1'"))
        """)
        assert count.stdout == "1\n"


class TestFork:
    def test_a_fork_in_the_midst_of_an_export_refuses_nothing(self) -> None:
        """Threads of the child may have the numbers of the parent's exporting ones."""
        result = python("""
            import os, threading
            from activitylog.pipeline import Pipeline
            from activitylog.provider import BoundedProcessor
            from activitylog.settings import Settings
            from tests.exporters_for_tests import GatedExporter
            settings, exporter = Settings(schedule_delay_millis=10), GatedExporter()
            destination = BoundedProcessor(lambda: exporter, "test:", settings)
            pipeline = Pipeline(settings, destinations=[destination])
            pipeline.submit("info", "a.b", {})
            assert exporter.arrived.wait(30)
            def emit():
                for _ in range(100):
                    pipeline.submit("info", "a.b", {})
            if (child := os.fork()) == 0:
                threads = [threading.Thread(target=emit) for _ in range(8)]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
                os._exit(0 if destination.stats().dropped == {} else 1)
            exporter.gate.set()
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            pipeline.shutdown(10)
        """)
        assert result.returncode == 0, result.stderr

    def test_a_child_goes_on_with_a_producer_of_its_own(self) -> None:
        """Numbers begin at 1 again, the parent's queued events stay the parent's, nothing is counted twice."""
        result = python("""
            import os, json, activitylog
            from activitylog import config
            activitylog.configure("memory:", schedule_delay_millis=60_000)
            for _ in range(5):
                activitylog.emit("a.b", who="parent")
            def report(read_only=None):
                result = activitylog.flush()
                exporter = config._state.pipeline.destinations[0].exporter._exporter
                records = [data.log_record.attributes for data in exporter.get_finished_logs()]
                numbers = [(r["who"], r["activity.seq"]) for r in records]
                return [result.delivered, numbers, records[-1]["activity.producer"]]
            reader, writer = os.pipe()
            if os.fork() == 0:
                activitylog.emit("a.b", who="child")
                os.write(writer, json.dumps(report()).encode())
                os._exit(0)
            os.wait()
            child = json.loads(os.read(reader, 10_000))
            parent = json.loads(json.dumps(report()))
            assert child[:2] == [1, [["child", 1]]], child
            assert parent[:2] == [5, [["parent", n] for n in range(1, 6)]], parent
            assert child[2] != parent[2]
            activitylog.configure("memory:")
        """)
        assert (result.returncode, result.stderr) == (0, "")

    def test_a_child_forked_while_capturing(self) -> None:
        """The pipeline that is set aside meanwhile gets a new producer as well: ids stay unique."""
        result = python("""
            import os, activitylog
            from activitylog import config
            from activitylog.testing import capture_activities
            activitylog.configure("memory:")
            pipeline = config._state.pipeline
            before = pipeline._render._producer.name
            with capture_activities():
                pid = os.fork()
                if pid == 0:
                    os._exit(0 if pipeline._render._producer.name != before else 1)
            assert os.waitpid(pid, 0)[1] == 0
        """)
        assert (result.returncode, result.stderr) == (0, "")

    @pytest.mark.slow
    @pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
    def test_children_of_multiprocessing_send_what_is_queued(self, tmp_path: Path, method: str) -> None:
        """They end by os._exit, without atexit handlers."""
        program = tmp_path / "program.py"
        program.write_text(
            textwrap.dedent(f"""
            import multiprocessing, sys
            import activitylog

            def work():
                activitylog.configure("console:", schedule_delay_millis=60_000)
                activitylog.emit("child.worked")

            def inherited():
                activitylog.emit("child.inherited")

            if __name__ == "__main__":
                context = multiprocessing.get_context("{method}")
                activitylog.configure("console:", schedule_delay_millis=60_000)
                for target in [work] + ([inherited] if "{method}" == "fork" else []):
                    child = context.Process(target=target)
                    child.start()
                    child.join()
            """)
        )
        result = subprocess.run(
            [sys.executable, str(program)], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
        )
        assert (result.returncode, result.stderr) == (0, "")
        expected = ["child.worked", "child.inherited"] if method == "fork" else ["child.worked"]
        assert [json.loads(line)["event_name"] for line in result.stdout.splitlines()] == expected

    def test_a_child_that_configures_again(self) -> None:
        """The inherited pipeline is replaced; its queue, the parent's, is not sent."""
        result = python("""
            import os, activitylog
            activitylog.configure("memory:", schedule_delay_millis=60_000)
            activitylog.emit("a.b")
            pid = os.fork()
            if pid == 0:
                activitylog.configure("memory:")
                activitylog.emit("a.b")
                os._exit(0 if activitylog.flush().delivered == 1 else 1)
            assert os.waitpid(pid, 0)[1] == 0
            assert activitylog.flush().delivered == 1
        """)
        assert (result.returncode, result.stderr) == (0, "")


def test_importing_is_light() -> None:
    """No driver, no engine and no gRPC until they are used."""
    result = python("""
        import sys, activitylog
        activitylog.configure(["clickhouse://localhost/x", "otlp://localhost:4317", "memory:"])
        heavy = {"chdb", "clickhouse_connect", "grpc", "requests", "click", "pandas", "pyarrow", "numpy"}
        print(sorted(heavy & sys.modules.keys()))
        activitylog.configure("memory:")
    """)
    assert result.stdout == "[]\n"
