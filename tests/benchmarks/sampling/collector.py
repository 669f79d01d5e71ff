"""
What it costs to drop in the Collector instead of in ``emit``.

::

    python -m tests.benchmarks.sampling.collector /path/to/otelcol --events 200000 --rounds 3

The Collector needs the OTLP receiver, the probabilistic sampler and the nop exporter. It listens on loopback and
is ended by its process id. A client process makes events of 20,000 sessions and sends them over OTLP/gRPC; 1 % is
kept, by the Collector (by the session, or by the id of the trace: a trace an event) or by our rule (by the
session, or by single events). Then the Collector only takes what comes.

CPU is user and system time of both processes, from the first event to the end of the flush, without starting. The
Collector's own metrics must say that nothing was lost on the way.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SHARE: Final = 0.01
_SESSIONS: Final = 20_000
_WAIT_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Way:
    """
    One way.

    Attributes:
        client: ``opentelemetry`` or ``activitylog``.
        rule_by: the unit of our rule; empty: no rule.
        collector_by: ``session``, ``trace`` or empty: the Collector passes everything on.
    """

    name: str
    client: str
    rule_by: str = ""
    collector_by: str = ""


WAYS: Final = (
    Way("opentelemetry, collector drops by session", "opentelemetry", collector_by="session"),
    Way("opentelemetry, collector drops by trace", "opentelemetry", collector_by="trace"),
    Way("activitylog, collector drops by session", "activitylog", collector_by="session"),
    Way("activitylog, emit drops by session", "activitylog", rule_by="session"),
    Way("activitylog, emit drops by event", "activitylog", rule_by="event"),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of one run, microseconds an event, and how many records the Collector took and passed on."""

    client: float
    collector: float
    accepted: int
    passed: int


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _configuration(way: Way, port: int, metrics_port: int) -> dict[str, Any]:
    source = (
        {"attribute_source": "record", "from_attribute": "session.id"}
        if way.collector_by == "session"
        else {"attribute_source": "traceID"}
    )
    reader = {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": metrics_port}}}}
    sampler = {"sampling_percentage": 100 * SHARE, "hash_seed": 7, **source}
    return {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}"}}}},
        "processors": {"probabilistic_sampler": sampler} if way.collector_by else {},
        "exporters": {"nop": {}},
        "service": {
            "telemetry": {"logs": {"level": "error"}, "metrics": {"level": "normal", "readers": [reader]}},
            "pipelines": {
                "logs": {
                    "receivers": ["otlp"],
                    "processors": ["probabilistic_sampler"] if way.collector_by else [],
                    "exporters": ["nop"],
                }
            },
        },
    }


@contextmanager
def running(binary: Path, way: Way, port: int, metrics_port: int) -> Iterator[int]:
    """A Collector; gives its process id, and ends it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "collector.json"
        file.write_text(json.dumps(_configuration(way, port, metrics_port)))
        process = subprocess.Popen([str(binary), "--config", str(file)])
        try:
            _wait_for(port)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_WAIT_SECONDS)


def _wait_for(port: int) -> None:
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing listens on port {port}")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _metric(port: int, name: str) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    found = re.findall(rf"^{name}\w*(\{{[^}}]*\}})? ([0-9.e+]+)$", text, re.MULTILINE)
    return round(sum(float(value) for labels, value in found if 'sampled="false"' not in labels))


def measure(binary: Path, way: Way, events: int) -> Cost:
    """
    One run.

    Raises:
        AssertionError: the Collector did not get what was sent.
    """
    port, metrics_port = _free_port(), _free_port()
    with running(binary, way, port, metrics_port) as pid:
        before = cpu_seconds(pid)
        arguments = ["--client", way.client, "--by", _by(way), "--port", str(port), "--events", str(events)]
        said = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.sampling.collector", *arguments],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        client = float(said.split()[-1])
        collector = cpu_seconds(pid) - before
        accepted = _metric(metrics_port, "otelcol_receiver_accepted_log_records")
        passed = _metric(metrics_port, "otelcol_processor_probabilistic_sampler_count_logs_sampled")
    assert way.rule_by or accepted == events, (way, accepted)
    return Cost(1e6 * client / events, 1e6 * collector / events, accepted, passed)


def _by(way: Way) -> str:
    """What the client does by: its rule's unit, or the traces that it has to make."""
    return way.collector_by if way.client == "opentelemetry" else way.rule_by


def client(kind: str, by: str, port: int, events: int) -> float:
    """CPU seconds of this process for so many events."""
    send = _opentelemetry(port, with_trace=by == "trace") if kind == "opentelemetry" else _activitylog(port, by)
    started = time.process_time()
    send(events)
    return time.process_time() - started


def _opentelemetry(port: int, *, with_trace: bool) -> Any:
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

    ids = RandomIdGenerator()

    def trace() -> Any:
        span = SpanContext(ids.generate_trace_id(), ids.generate_span_id(), is_remote=False)
        return set_span_in_context(NonRecordingSpan(span))

    provider = LoggerProvider(shutdown_on_exit=False)
    exporter = OTLPLogExporter(endpoint=f"http://127.0.0.1:{port}", insecure=True)
    provider.add_log_record_processor(
        BatchLogRecordProcessor(exporter, max_queue_size=1_000_000, max_export_batch_size=8_192)
    )
    logger = provider.get_logger("bench")

    def send(events: int) -> None:
        for number in range(events):
            logger.emit(
                timestamp=time.time_ns(),
                context=trace() if with_trace else None,
                severity_number=SeverityNumber.INFO,
                event_name="message.sent",
                attributes={
                    "user.id": str(number % 5_000),
                    "activity.object.type": "message",
                    "activity.object.id": str(number),
                    "activity.tenant.id": "acme",
                    "session.id": f"s-{number % _SESSIONS}",
                    "channel": "general",
                    "length": 312,
                    "pinned": True,
                    "ratio": 0.5,
                },
            )
        provider.force_flush(120_000)
        provider.shutdown()

    return send


def _activitylog(port: int, by: str) -> Any:
    import activitylog

    rules = [{"match": "message.*", "sample": SHARE, "by": by}] if by else None
    activitylog.configure(f"otlp://127.0.0.1:{port}", service_name="bench", overflow="block", rules=rules)

    def send(events: int) -> None:
        for number in range(events):
            activitylog.emit(
                "message.sent",
                actor=("user", number % 5_000),
                object=("message", number),
                tenant="acme",
                session=f"s-{number % _SESSIONS}",
                channel="general",
                length=312,
                pinned=True,
                ratio=0.5,
            )
        result = activitylog.flush(120)
        assert result.complete
        assert not result.dropped
        activitylog.shutdown()

    return send


def main(arguments: list[str] | None = None) -> int:
    """Measure all ways in turn, again and again, and print the medians."""
    options = _parser().parse_args(arguments)
    if options.client:
        sys.stdout.write(f"{client(options.client, options.by, options.port, options.events)}\n")
        return 0
    found: dict[str, list[Cost]] = {way.name: [] for way in WAYS}
    for _ in range(options.rounds):
        for way in WAYS:
            found[way.name].append(measure(options.binary, way, options.events))
    sys.stdout.write("\n".join(_table(found, options.events)) + "\n")
    return 0


def _table(found: dict[str, list[Cost]], events: int) -> Iterator[str]:
    medians = {
        name: (
            statistics.median(cost.client for cost in costs),
            statistics.median(cost.collector for cost in costs),
        )
        for name, costs in found.items()
    }
    least = sum(medians["activitylog, emit drops by session"])
    yield f"| {events:,} events, 1 % kept | client | collector | both, CPU us/event | ratio | sent | passed on |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, (own, other) in medians.items():
        last = found[name][-1]
        yield (
            f"| {name} | {own:.2f} | {other:.2f} | {own + other:.2f} | {(own + other) / least:.1f} x "
            f"| {last.accepted:,} | {last.passed:,} |"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.sampling.collector", description=__doc__)
    parser.add_argument("binary", type=Path, nargs="?", help="a Collector")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--client", choices=["opentelemetry", "activitylog"], help=argparse.SUPPRESS)
    parser.add_argument("--by", default="", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
