"""
What arrives when parts of a deployment are killed, away or full: a real service, agent, gateway and store.

As a program it runs every fault and prints what arrived and what came twice::

    python -m tests.collector.faults [--events 120000] [--rate 4000] [--seconds 60] [--kills 12] [--only NAME ...]

It ends with 0 when every event arrived at least once (but for the faults that OPERATORS.md says lose events), and
what it has against duplicates removed them. Faults of a full disk need the right to mount one.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.collector.deployment import Deployment, deployed
from tests.collector.otelcol import Otelcol
from tests.serving import ServedStore
from tests.waiting import wait_until

_ROOT: Final = Path(__file__).parents[2]
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Load:
    """How much is emitted, and how often or long the fault happens."""

    events: int = 120_000
    rate: int = 4_000
    seconds: float = 60.0
    kills: int = 12
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of the events.

    Attributes:
        emitted: ``emit`` returned True for so many.
        rows: in ``activity_events``.
        distinct: different ``EventId`` among them.
        counted: events that the hourly roll-up counts.
        said: what happened meanwhile, for a person.
    """

    emitted: int
    rows: int
    distinct: int
    counted: int
    said: str

    @property
    def doubled(self) -> int:
        """Rows too many."""
        return self.rows - self.distinct

    @property
    def lost(self) -> int:
        """Events that are not there."""
        return self.emitted - self.distinct


#: Does harm to what runs until it is told that the emitting has ended; returns what it did.
Harm = Callable[[Deployment, Load, threading.Event], str]


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One way to suffer.

    Attributes:
        gateway: its configuration files.
        environment: what agent and gateway read.
        disk_mib: the gateway's queue is on a file system of its own of this size; 0: it is not.
        loses: OPERATORS.md says that events are lost.
        payload: characters that each event has more.
    """

    harm: Harm
    gateway: Sequence[str] = ("gateway.yaml",)
    environment: Mapping[str, str] = field(default_factory=dict)
    disk_mib: int = 0
    loses: bool = False
    payload: int = 0


def _nothing(deployment: Deployment, load: Load, ended: threading.Event) -> str:
    return "nothing happened"


def _pauses(load: Load) -> Iterator[float]:
    """Seconds between kills, so that they fall into the time of emitting."""
    rng = random.Random(load.seed)
    for _ in range(load.kills):
        yield rng.uniform(0.5, 1.5) * load.events / load.rate / (load.kills + 1)


def _killing(part: str, of: Callable[[Deployment], Otelcol | ServedStore]) -> Harm:
    """Kill a part now and then; it comes back at once."""

    def harm(deployment: Deployment, load: Load, ended: threading.Event) -> str:
        for seconds in _pauses(load):
            ended.wait(seconds)
            of(deployment).kill()
            of(deployment).start()
            deployment.store.wait()
        return f"{part} killed {load.kills} times"

    return harm


_kill_gateway: Final = _killing("gateway", lambda deployment: deployment.gateway)
_kill_agent: Final = _killing("agent", lambda deployment: deployment.agent)
_kill_store: Final = _killing("ClickHouse", lambda deployment: deployment.store)


def _store_away(deployment: Deployment, load: Load, ended: threading.Event) -> str:
    ended.wait(load.events / load.rate / 4)
    deployment.store.kill()
    threading.Event().wait(load.seconds)
    waiting = deployment.gateway.metric("otelcol_exporter_queue_size")
    deployment.store.start()
    deployment.store.wait()
    return f"ClickHouse away for {load.seconds:.0f} s; {waiting:,.0f} events waited in the gateway"


def _restarted_while_away(deployment: Deployment, load: Load, ended: threading.Event) -> str:
    ended.wait(load.events / load.rate / 4)
    deployment.store.kill()
    deployment.gateway.kill()
    deployment.gateway.start()
    threading.Event().wait(load.seconds / 4)
    deployment.store.start()
    deployment.store.wait()
    return f"ClickHouse away for {load.seconds / 4:.0f} s, the gateway killed and started meanwhile"


def _until_refused(deployment: Deployment, load: Load, ended: threading.Event) -> str:
    ended.wait(load.events / load.rate / 4)
    deployment.store.kill()
    gateway, agent = deployment.gateway, deployment.agent
    wait_until(lambda: gateway.metric("otelcol_exporter_enqueue_failed_log_records") > 0, 600)
    threading.Event().wait(load.seconds / 4)
    failed = gateway.metric("otelcol_exporter_enqueue_failed_log_records")
    waiting = gateway.metric("otelcol_exporter_queue_size"), agent.metric("otelcol_exporter_queue_size")
    deployment.store.start()
    deployment.store.wait()
    return (
        f"ClickHouse away until the gateway's queue was full: {failed:,.0f} times an event refused; "
        f"{waiting[0]:,.0f} waited in the gateway, {waiting[1]:,.0f} in the agent"
    )


_UNBATCHED: Final = ("gateway.yaml", "overlays/unbatched.yaml")

FAULTS: Final[dict[str, Fault]] = {
    "none": Fault(_nothing),
    "gateway-killed": Fault(_kill_gateway),
    "agent-killed": Fault(_kill_agent),
    "clickhouse-killed": Fault(_kill_store),
    "clickhouse-away": Fault(_store_away),
    "gateway-restarted-in-an-outage": Fault(_restarted_while_away),
    "gateway-queue-full": Fault(_until_refused, environment={"QUEUE_BYTES": str(2 * _MIB)}, disk_mib=16),
    "gateway-disk-full": Fault(_store_away, disk_mib=12, loses=True, payload=1_000),
    "unbatched-gateway-killed": Fault(_kill_gateway, _UNBATCHED),
    "unbatched-agent-killed": Fault(_kill_agent, _UNBATCHED),
    "unbatched-clickhouse-killed": Fault(_kill_store, _UNBATCHED),
}


def suffer(fault: Fault, load: Load, folder: Path) -> tuple[Outcome, Outcome]:
    """
    Emit, do harm meanwhile, and wait until all has arrived and nothing is on the way any more.

    Returns:
        What became of it, and what is there after the duplicates were removed.

    Raises:
        AssertionError: it did not arrive within ten minutes.
    """
    from activitylog.store import apply

    with ServedStore(folder / "store") as store:
        client = store.client()
        apply(client)
        with (
            _disk(folder / "disk", fault.disk_mib) as enlarge,
            deployed(
                store,
                folder,
                gateway=fault.gateway,
                environment=fault.environment,
                queue_directory=folder / "disk" / "queue",
            ) as deployment,
            _emitting(deployment, load, folder, fault.payload) as emitter,
        ):
            ended = threading.Event()
            said: list[str] = []
            harming = threading.Thread(target=lambda: said.append(fault.harm(deployment, load, ended)))
            harming.start()
            line, _ = emitter.communicate(timeout=1800)
            ended.set()
            harming.join(900)
            assert said, "the harm failed: see above"
            result = json.loads(line)
            assert result["complete"], result
            emitted = result["emitted"] - result["refused"]
            if fault.loses:
                enlarge()
            wait_until(lambda: (fault.loses or _distinct(client) >= emitted) and _idle(deployment), 600)
            outcome = _outcome(client, emitted, " ".join(said))
        return outcome, without_duplicates(client, store.url)


@contextmanager
def _disk(folder: Path, mib: int) -> Iterator[Callable[[], None]]:
    """A file system of so many MiB; gives what makes it larger."""
    folder.mkdir()
    if not mib:
        yield lambda: None
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", folder], check=True)

    def enlarge() -> None:
        subprocess.run(["mount", "-o", "remount,size=1g", folder], check=True)

    try:
        yield enlarge
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def _emitting(deployment: Deployment, load: Load, folder: Path, payload: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.collector.emitter", f"otlp://{deployment.agent.grpc}", str(folder / "spool"),
         str(load.events), str(load.rate), str(payload)],
        cwd=_ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(60)


def _distinct(client: Any) -> int:
    return int(str(client.command("SELECT uniqExact(EventId) FROM activity_events")))


def _idle(deployment: Deployment) -> bool:
    """Nothing waits in a queue any more: what is still to come twice has come."""
    queues = (deployment.gateway, deployment.agent)
    return all(collector.metric("otelcol_exporter_queue_size") == 0 for collector in queues)


def _outcome(client: Any, emitted: int, said: str) -> Outcome:
    rows, distinct = client.query("SELECT count(), uniqExact(EventId) FROM activity_events").first_row
    counted = int(str(client.command("SELECT sum(EventCount) FROM activity_events_hourly")))
    return Outcome(emitted, rows, distinct, counted, said)


def without_duplicates(client: Any, url: str) -> Outcome:
    """What is there after the two commands that OPERATORS.md has against duplicates."""
    (month,) = client.query("SELECT DISTINCT toString(toYYYYMM(Timestamp)) FROM activity_events").first_row
    client.command(f"OPTIMIZE TABLE activity_events PARTITION ID '{month}' FINAL DEDUPLICATE")
    days = client.query("SELECT DISTINCT toDate(Timestamp) FROM activity_events").result_rows
    for (day,) in days:
        command = [sys.executable, "-m", "activitylog", "schema", "backfill", "--url", url, "--day", f"{day}"]
        subprocess.run(command, check=True, capture_output=True, cwd=_ROOT)
    return _outcome(client, 0, "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the faults, and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    defaults = Load()
    parser.add_argument("--events", type=int, default=defaults.events)
    parser.add_argument("--rate", type=int, default=defaults.rate, help="a second")
    parser.add_argument("--seconds", type=float, default=defaults.seconds, help="of ClickHouse being away")
    parser.add_argument("--kills", type=int, default=defaults.kills)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS))
    given = parser.parse_args(arguments)
    load = Load(given.events, given.rate, given.seconds, given.kills, given.seed)
    print(f"{load.events:,} events at {load.rate:,} a second")  # noqa: T201
    wrong = 0
    for name in given.only:
        with tempfile.TemporaryDirectory() as folder:
            outcome, after = suffer(FAULTS[name], load, Path(folder))
        fault = FAULTS[name]
        right = (outcome.lost == 0 or fault.loses) and (after.doubled, after.counted) == (0, after.distinct)
        wrong += not right
        line = (
            f"{name:32} lost {outcome.lost:,}, doubled {outcome.doubled:,}, roll-up {outcome.counted:,}; "
            f"deduplicated {after.rows:,} rows, roll-up {after.counted:,}; {outcome.said}"
        )
        print(line if right else f"{line}  WRONG", flush=True)  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
