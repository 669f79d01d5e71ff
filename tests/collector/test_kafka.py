"""Gateways with Kafka between them: every event arrives, whoever is killed."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.collector.deployment import behind
from tests.collector.kafka import kafka
from tests.collector.otelcol import Otelcol
from tests.serving import ServedStore
from tests.waiting import wait_until

_ROOT = Path(__file__).parents[2]
_EVENTS = 40_000


@pytest.mark.slow
@pytest.mark.usefixtures("otelcol")
def test_through_kafka(tmp_path: Path) -> None:
    """Service -> gateway -> Kafka -> writer -> store, while gateway and writer are killed three times each."""
    from activitylog.store import apply

    with kafka(tmp_path) as broker, ServedStore(tmp_path / "store") as store:
        client = store.client()
        apply(client)
        environment = behind(store, KAFKA_BROKER=broker)
        with (
            Otelcol(
                ["gateway.yaml", "overlays/to-kafka.yaml"], tmp_path / "in", environment=environment
            ) as gateway,
            Otelcol(
                ["gateway.yaml", "overlays/from-kafka.yaml"], tmp_path / "out", environment=environment
            ) as writer,
        ):
            command = ["-m", "tests.collector.emitter", f"otlp://{gateway.grpc}", str(tmp_path / "spool")]
            emitter = subprocess.Popen(
                [sys.executable, *command, str(_EVENTS), "5000", "0"], cwd=_ROOT, stdout=subprocess.PIPE, text=True
            )

            def stored() -> int:
                return int(str(client.command("SELECT uniqExact(EventId) FROM activity_events")))

            def has_stored(least: float) -> bool:
                return stored() >= least

            for share in (0.1, 0.3, 0.5):
                wait_until(partial(has_stored, _EVENTS * share), 120)
                for collector in (gateway, writer):
                    collector.kill()
                    collector.start()
            line, _ = emitter.communicate(timeout=300)
            assert json.loads(line)["complete"]
            wait_until(lambda: stored() == _EVENTS, 240)
            rows = client.query("SELECT DISTINCT EventName, ServiceName FROM activity_events").result_rows
            assert [tuple(row) for row in rows] == [("message.sent", "emitter")]
            assert gateway.metric("otelcol_exporter_send_failed_log_records") == 0
