"""
Throughput and CPU per event of the ways into ClickHouse, end to end into the same engine, in one run.

::

    python -m tests.benchmarks.collector [--events 200000] [--rounds 3] [--requests 60]

A service emits as fast as it is let, into ``activitylog serve``: directly, through a gateway, through agent and
gateway, and through Rotel; each way in turn, and the table has the medians. CPU is user and system time of each
process per event. Then the Collectors alone, with ready requests and nothing that makes them: what one core of a
Collector takes. Engine, Collectors and service share this machine's cores; compare within a table.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.collector.loads import requests, send
from tests.collector.deployment import behind, count, deployed
from tests.collector.otelcol import Otelcol
from tests.collector.rotel import LANDING, rotel
from tests.serving import ServedStore
from tests.waiting import wait_until

_ROOT: Final = Path(__file__).parents[3]
_BATCHES: Final = {"BATCH_FLUSH": "2s"}


@dataclass(frozen=True, slots=True)
class Running:
    """What stands between service and store."""

    url: str
    pids: Mapping[str, int]


@contextmanager
def _directly(store: ServedStore, folder: Path) -> Iterator[Running]:
    yield Running(store.url, {})


@contextmanager
def _through_a_gateway(store: ServedStore, folder: Path) -> Iterator[Running]:
    with Otelcol(["gateway.yaml"], folder / "gateway", environment=behind(store, **_BATCHES)) as gateway:
        yield Running(f"otlp://{gateway.grpc}", {"gateway": gateway.pid})


@contextmanager
def _through_agent_and_gateway(store: ServedStore, folder: Path) -> Iterator[Running]:
    with deployed(store, folder, environment=_BATCHES) as deployment:
        agent, gateway = deployment.agent, deployment.gateway
        yield Running(f"otlp://{agent.grpc}", {"agent": agent.pid, "gateway": gateway.pid})


@contextmanager
def _through_rotel(store: ServedStore, folder: Path) -> Iterator[Running]:
    client = store.client()
    for statement in LANDING:
        client.command(statement)
    client.close()
    with rotel(store.url, folder) as running:
        yield Running(f"otlp://127.0.0.1:{running.grpc}", {"rotel": running.process.pid})


WAYS: Final[dict[str, Callable[[ServedStore, Path], Any]]] = {
    "direct": _directly,
    "gateway": _through_a_gateway,
    "agent + gateway": _through_agent_and_gateway,
    "rotel": _through_rotel,
}
#: The Collectors alone: their files, and what differs in their environment.
ALONE: Final[dict[str, tuple[Sequence[str], dict[str, str]]]] = {
    "gateway": (("gateway.yaml",), {}),
    "gateway, QUEUE_FSYNC=false": (("gateway.yaml",), {"QUEUE_FSYNC": "false"}),
    "gateway, unbatched": (("gateway.yaml", "overlays/unbatched.yaml"), {}),
    "gateway, sampling 100 %": (("gateway.yaml", "overlays/sampling.yaml"), {"SAMPLING_PERCENTAGE": "100"}),
    "gateway, sampling 10 %": (("gateway.yaml", "overlays/sampling.yaml"), {"SAMPLING_PERCENTAGE": "10"}),
}


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid: int) -> float:
    """The most memory that a process has had, MiB (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@contextmanager
def _store(folder: Path) -> Iterator[tuple[ServedStore, Any]]:
    from activitylog.store import apply

    with ServedStore(folder / "store") as store:
        client = store.client()
        apply(client)
        yield store, client


def end_to_end(way: str, events: int) -> dict[str, float]:
    """One service by one way: events a second until all are in the table, and microseconds of CPU per event."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _store(folder) as (store, client), WAYS[way](store, folder) as running:
            pids = {"engine": store.pid, **running.pids}
            before = {part: cpu_seconds(pid) for part, pid in pids.items()}
            begun = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "tests.benchmarks.collector.loads", running.url, str(folder / "spool"),
                 str(events)],
                cwd=_ROOT, capture_output=True, text=True, check=True,
            )  # fmt: skip
            service = json.loads(done.stdout)
            wait_until(lambda: count(client) >= events, 600)
            seconds = time.perf_counter() - begun
            figures = {part: (cpu_seconds(pid) - before[part]) / events * 1e6 for part, pid in pids.items()}
            assert count(client) == events
    return {"events/s": events / seconds, "service": service["cpu"] / events * 1e6, **figures}


def alone(name: str, made: list[Any], times: int) -> dict[str, float]:
    """One Collector before the engine: microseconds of its CPU per event that it takes in, and its peak memory."""
    files, environment = ALONE[name]
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        with (
            _store(folder) as (store, _),
            Otelcol(files, folder / "gateway", environment=behind(store, **_BATCHES, **environment)) as collector,
        ):
            before, engine, begun = cpu_seconds(collector.pid), cpu_seconds(store.pid), time.perf_counter()
            events = send(collector.grpc, made, times)
            taken = time.perf_counter() - begun
            wait_until(lambda: collector.metric("otelcol_exporter_queue_size") == 0, 600)
            return {
                "taken/s": events / taken,
                "collector": (cpu_seconds(collector.pid) - before) / events * 1e6,
                "engine": (cpu_seconds(store.pid) - engine) / events * 1e6,
                "MiB": peak_mib(collector.pid),
            }


def agent_alone(made: list[Any], times: int) -> dict[str, float]:
    """An agent before a gateway."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        with _store(folder) as (store, _), deployed(store, folder, environment=_BATCHES) as deployment:
            agent = deployment.agent
            before, begun = cpu_seconds(agent.pid), time.perf_counter()
            events = send(agent.grpc, made, times)
            taken = time.perf_counter() - begun
            wait_until(lambda: agent.metric("otelcol_exporter_queue_size") == 0, 600)
            return {
                "taken/s": events / taken,
                "collector": (cpu_seconds(agent.pid) - before) / events * 1e6,
                "engine": float("nan"),
                "MiB": peak_mib(agent.pid),
            }


def table(title: str, rows: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """Print the medians."""
    columns = list(dict.fromkeys(column for runs in rows.values() for run in runs for column in run))
    print(f"\n{title}\n{'':28}" + "".join(f"{column:>14}" for column in columns))  # noqa: T201
    for name, runs in rows.items():
        values = [[run[column] for run in runs if column in run] for column in columns]
        shown = [f"{statistics.median(found):14,.1f}" if found else f"{'':14}" for found in values]
        print(f"{name:28}" + "".join(shown), flush=True)  # noqa: T201


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=60, help="of 8,192 events, for the Collectors alone")
    given = parser.parse_args()
    ways: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(given.rounds):
        for way, runs in ways.items():
            runs.append(end_to_end(way, given.events))
    table(f"One service, {given.events:,} events, medians of {given.rounds}; CPU in us an event", ways)
    made = requests(10)
    size = sum(request.ByteSize() for request in made) / len(made) / 8_192
    collectors: dict[str, list[dict[str, float]]] = {name: [] for name in (*ALONE, "agent")}
    for _ in range(given.rounds):
        for name, runs in collectors.items():
            runs.append(
                agent_alone(made, given.requests) if name == "agent" else alone(name, made, given.requests)
            )
    table(f"Collectors alone, requests of 8,192 events of {size:.0f} bytes of OTLP", collectors)


if __name__ == "__main__":
    main()
