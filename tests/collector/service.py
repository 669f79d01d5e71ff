"""
A service with activitylog, or with OpenTelemetry alone, as a process of its own, with variables of its own.

As a program it does what the lines of its standard input say, and answers each with one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

_ROOT: Final = Path(__file__).parents[2]


class Service:
    """
    A process that emits events through activitylog.

    Args:
        url: where to.
        folder: for its spool and its log; one that comes after it there finds what it left.
        variables: of its environment; it has no others of OpenTelemetry, and no proxy.
    """

    def __init__(self, url: str, folder: Path, variables: Mapping[str, object]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "log"
        own = {"ACTIVITYLOG_SPOOL_DIRECTORY": folder / "spool", "ACTIVITYLOG_SCHEDULE_DELAY_MILLIS": 100}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, "activitylog", url],
                cwd=_ROOT,
                env=environment({**own, **variables}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def _ask(self, **what: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self.said()
        found: dict[str, Any] = json.loads(answer)
        return found

    def emit(self, name: str, events: int, **attributes: object) -> None:
        """Emit so many events."""
        self._ask(emit=name, events=events, attributes=attributes)

    def stats(self) -> dict[str, Any]:
        """What it says of its destination."""
        return self._ask()

    def said(self) -> str:
        """All that it wrote to its log."""
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """SIGKILL. Idempotent."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exception_type: type[BaseException] | None, exception: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.kill()


def environment(variables: Mapping[str, object]) -> dict[str, str]:
    """This process's, with the variables and without those that would speak with them."""
    told = ("OTEL_", "ACTIVITYLOG_")
    mine = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(told) and not name.lower().endswith("_proxy")
    }
    return mine | {name: str(value) for name, value in variables.items()}


def run(kind: str, name: str, records: int, variables: Mapping[str, object]) -> dict[str, Any]:
    """
    Send records in a process of its own that has OpenTelemetry alone.

    Args:
        kind: of the exporter, as ``OTEL_LOGS_EXPORTER`` has it, or ``auto``: OpenTelemetry configures itself.
        name: of the records' event.

    Returns:
        The result and, by reason, what the exporter dropped.
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__, kind, name, str(records)],
        cwd=_ROOT,
        env=environment(variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "said": done.stderr}


def _activitylog(url: str) -> None:
    from dataclasses import asdict

    import activitylog

    activitylog.configure(url, service_name="service")
    for line in sys.stdin:
        asked = json.loads(line)
        for number in range(asked.get("events", 0)):
            activitylog.emit(asked["emit"], actor=f"user:{number}", **asked["attributes"])
        (stats,) = activitylog.stats().destinations.values()
        values = {name: value for name, value in asdict(stats).items() if name != "oldest_unsent_ns"}
        sys.stdout.write(json.dumps(values) + "\n")
        sys.stdout.flush()


def _exporter(kind: str, name: str, records: int) -> None:
    from tests.otel_clickhouse.records import record

    (found,) = entry_points(group="opentelemetry_logs_exporter", name=kind)
    exporter = found.load()()
    result = exporter.export([record({"order.id": number}, event_name=name) for number in range(records)])
    exporter.shutdown()
    sys.stdout.write(json.dumps({"result": result.name, "dropped": dict(exporter.dropped())}))


def _by_itself(name: str, records: int) -> None:
    from opentelemetry._logs import LogRecord, get_logger_provider
    from opentelemetry.sdk._configuration import _OTelSDKConfigurator

    _OTelSDKConfigurator().configure()  # type: ignore[no-untyped-call]
    provider: Any = get_logger_provider()
    for number in range(records):
        provider.get_logger("shop").emit(LogRecord(event_name=name, attributes={"order.id": number}))
    flushed = provider.force_flush()
    provider.shutdown()
    sys.stdout.write(json.dumps({"result": "SUCCESS" if flushed else "FAILURE", "dropped": {}}))


if __name__ == "__main__":
    match sys.argv[1:]:
        case "activitylog", url:
            _activitylog(url)
        case "auto", name, records:
            _by_itself(name, int(records))
        case kind, name, records:
            _exporter(kind, name, int(records))
