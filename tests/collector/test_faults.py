"""What OPERATORS.md promises when something is killed, away or full: tests.collector.faults, but shorter."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest
from opentelemetry.sdk._logs.export import LogRecordExportResult

from otel_otlp import OTLPGRPCLogExporter
from tests.collector.deployment import behind, count, deployed, wait_for_rows
from tests.collector.faults import FAULTS, Load, suffer
from tests.collector.otelcol import Otelcol
from tests.end_to_end.gate import Gate
from tests.end_to_end.records import record
from tests.leaving_out import leave_out
from tests.serving import ServedStore
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("otelcol")]

_LOAD = Load(events=12_000, rate=4_000, seconds=4, kills=3)
#: Where each request is one block for ever, the store knows it again whatever was killed.
_STORED_ONCE = {"none", "clickhouse-killed", "unbatched-gateway-killed", "unbatched-clickhouse-killed"}


@pytest.fixture
def may_mount(tmp_path: Path) -> None:
    """Some tests need a small disk."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        leave_out(f"a small file system cannot be mounted: {done.stderr.strip()}")
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if not fault.loses])
def test_every_event_arrives(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """At least once, and after the documented query exactly once, in the table and in the roll-up."""
    if FAULTS[name].disk_mib:
        request.getfixturevalue("may_mount")
    outcome, after = suffer(FAULTS[name], _LOAD, tmp_path)
    assert outcome.lost == 0
    assert (after.rows, after.distinct, after.counted) == (outcome.emitted,) * 3
    if name in _STORED_ONCE:
        assert (outcome.doubled, outcome.counted) == (0, outcome.emitted)


def _emit(agent: Otelcol, folder: Path, events: int) -> int:
    """Events of a kilobyte, all of which the agent has taken."""
    import activitylog

    activitylog.configure(f"otlp://{agent.grpc}", service_name="t", spool_directory=str(folder / "spool"))
    for number in range(events):
        activitylog.emit("message.sent", actor=("user", number % 7), text=f"{number}" * 200)
    result = activitylog.shutdown()
    assert result.complete
    return events


@pytest.mark.parametrize(
    ("more", "copies"),
    [
        pytest.param("", 1, id="as it is shipped"),
        pytest.param("deduplicate_insert: disable", 3, id="where nothing is known again"),
    ],
)
def test_inserts_whose_answers_are_lost(tmp_path: Path, more: str, copies: int) -> None:
    """A block that comes again is stored once, and counted once: its first two answers do not arrive."""
    from activitylog.store import apply

    attempts: Counter[str] = Counter()

    def lost_twice(request: str) -> bool | None:
        if "INSERT INTO" not in request:
            return None
        attempts["insert"] += 1
        return None if attempts["insert"] % 3 == 0 else False

    changed = tmp_path / "changed.yaml"
    changed.write_text(f"exporters: {{clickhouse: {{connection_params: {{{more}}}}}}}\n")
    with ServedStore(tmp_path / "store") as store:
        client = store.client()
        apply(client)
        gate = Gate(store.port, after=lost_twice)
        files: list[str | Path] = ["gateway.yaml", "overlays/unbatched.yaml", changed]
        environment = behind(store, CLICKHOUSE_ENDPOINT=f"http://127.0.0.1:{gate.port}")
        try:
            with Otelcol(files, tmp_path / "gateway", environment=environment) as gateway:
                emitted = _emit(gateway, tmp_path, 500)
                wait_until(lambda: gateway.metric("otelcol_exporter_sent_log_records") == emitted)
        finally:
            gate.close()
        assert attempts["insert"] == 3
        counted = client.command("SELECT sum(EventCount) FROM activity_events_hourly")
        assert (count(client), int(str(counted))) == (emitted * copies,) * 2


def test_started_while_the_store_was_away(tmp_path: Path) -> None:
    """
    A gateway that started in an outage delivers events under their names, without anybody doing anything.

    Its exporter did not see the column EventName, and leaves it out until it is restarted. A record of others that
    has no name stops nobody.
    """
    from activitylog.store import apply

    with ServedStore(tmp_path / "store") as store:
        client = store.client()
        apply(client)
        store.kill()
        with deployed(store, tmp_path) as deployment:
            assert "schema detection failed" in deployment.gateway.said()
            emitted = _emit(deployment.agent, tmp_path, 100)
            exporter = OTLPGRPCLogExporter(f"http://{deployment.agent.grpc}")
            assert exporter.export([record(0, event_name="")]) is LogRecordExportResult.SUCCESS
            exporter.shutdown()
            store.start()
            client = store.client()
            wait_for_rows(client, emitted + 1)
        copies = "countIf(mapContains(LogAttributes, 'activity.event.name'))"
        rows = client.query(f"SELECT EventName, count(), {copies} FROM activity_events GROUP BY 1").result_rows
        assert sorted(tuple(row) for row in rows) == [("", 1, 0), ("message.sent", emitted, 0)]


def test_started_so_without_the_copy_of_the_name(tmp_path: Path) -> None:
    """Without gateway.yaml's statement nothing is stored under no name: it waits until the restart."""
    from activitylog.store import apply

    plain = tmp_path / "plain.yaml"
    plain.write_text("service: {pipelines: {logs: {processors: [memory_limiter]}}}\n")
    with ServedStore(tmp_path / "store") as store:
        client = store.client()
        apply(client)
        store.kill()
        with deployed(store, tmp_path, gateway=("gateway.yaml", str(plain))) as deployment:
            emitted = _emit(deployment.agent, tmp_path, 100)
            store.start()
            client = store.client()
            wait_until(lambda: "No EventName" in deployment.gateway.said(), 120)
            assert client.command("SELECT count() FROM activity_events") == 0
            deployment.gateway.stop()
            deployment.gateway.start()
            wait_for_rows(client, emitted)
        rows = client.query("SELECT EventName, count() FROM activity_events GROUP BY 1").result_rows
        assert [tuple(row) for row in rows] == [("message.sent", emitted)]
