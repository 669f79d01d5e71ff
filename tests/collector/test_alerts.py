"""
Every metric in collector-config/alerts.yaml is one that a real Collector shows, in the situation that it tells of.

When alerts fire is in alerts_test.yaml, which promtool runs; here it is run where promtool is installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.collector.deployed_files import release
from tests.collector.deployment import behind, deployed
from tests.collector.otelcol import CONFIG, Otelcol
from tests.end_to_end.records import record
from tests.serving import ServedStore, free_port
from tests.waiting import wait_until

ALERTS: Final[dict[str, Any]] = yaml.safe_load((CONFIG / "alerts.yaml").read_text())
TESTS: Final = Path(__file__).with_name("alerts_test.yaml")
EXAMPLE: Final = CONFIG.parent / "examples" / "behind_a_collector.py"
RULES: Final[list[dict[str, Any]]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]

SENT: Final = "otelcol_exporter_sent_log_records"
LOST: Final = "otelcol_exporter_send_failed_log_records"
REFUSED_BY_QUEUE: Final = "otelcol_exporter_enqueue_failed_log_records"
QUEUE: Final = "otelcol_exporter_queue_size"
CAPACITY: Final = "otelcol_exporter_queue_capacity"
REFUSED_BY_MEMORY: Final = "otelcol_processor_memory_limiter_refused_log_records"
RESOLUTIONS: Final = "otelcol_loadbalancer_num_resolutions"
#: What the tests below provoke.
PROVOKED: Final = {SENT, LOST, REFUSED_BY_QUEUE, QUEUE, CAPACITY, REFUSED_BY_MEMORY, RESOLUTIONS}


def send(to: Otelcol, events: int = 100) -> bool:
    """Send records once; whether they were taken."""
    from opentelemetry.sdk._logs.export import LogRecordExportResult

    from otel_otlp import OTLPGRPCLogExporter

    exporter = OTLPGRPCLogExporter(f"http://{to.grpc}", retry_deadline_seconds=1)
    try:
        return exporter.export([record(number) for number in range(events)]) is LogRecordExportResult.SUCCESS
    finally:
        exporter.shutdown()


def wait_for(collector: Otelcol, name: str, labels: str, value: float) -> None:
    """Until a metric is what it should be."""
    wait_until(lambda: collector.metric(name, labels) == value)


@contextmanager
def gateway(folder: Path, *files: str | Path, **environment: str) -> Iterator[Otelcol]:
    """A gateway; its ClickHouse does not answer, unless the environment names one."""
    away = {"CLICKHOUSE_ENDPOINT": f"http://127.0.0.1:{free_port()}", "BATCH_FLUSH": "100ms"}
    with Otelcol(["gateway.yaml", *files], folder, environment={**away, **environment}) as found:
        yield found


class TestRules:
    def test_metrics_are_those_that_are_provoked(self) -> None:
        """None is in the rules that no test below has seen, and none is left out."""
        expressions = " ".join(rule["expr"] for rule in RULES)
        assert set(re.findall(r"\botelcol_\w+", expressions)) == PROVOKED

    def test_each_says_what_it_is_and_what_to_do(self) -> None:
        """In one line, and in a few; with a severity."""
        for rule in RULES:
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert set(rule["annotations"]) == {"summary", "description"}
        assert len({rule["alert"] for rule in RULES}) == len(RULES)

    def test_each_has_a_case_in_which_it_fires(self) -> None:
        """In alerts_test.yaml."""
        fires = {
            re.search(r'alertname="(\w+)"', case["expr"])[1]  # type: ignore[index]
            for test in yaml.safe_load(TESTS.read_text())["tests"]
            for case in test["promql_expr_test"]
            if case["exp_samples"]
        }
        assert fires == {rule["alert"] for rule in RULES}

    def test_the_release_is_the_builders(self) -> None:
        """Names of metrics change from release to release."""
        assert f"(release {release()})" in (CONFIG / "alerts.yaml").read_text()

    @pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
    def test_promtool_agrees(self) -> None:
        """With the rules, and with when they fire."""
        for command in (f"check rules {CONFIG / 'alerts.yaml'}", f"test rules {TESTS}"):
            done = subprocess.run(["promtool", *command.split()], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
class TestMetrics:
    def test_events_that_arrive(self, otelcol: None, served_store: ServedStore, tmp_path: Path) -> None:
        """Are sent by agent and gateway, and then wait in no queue; nothing else has happened."""
        variables = {"XDG_STATE_HOME": str(tmp_path)}
        with deployed(served_store, tmp_path) as found:
            subprocess.run([sys.executable, EXAMPLE, f"otlp://{found.agent.grpc}"], env=variables, check=True)
            for collector, exporter in ((found.agent, "otlp_grpc"), (found.gateway, "clickhouse")):
                of = f'exporter="{exporter}"'
                wait_for(collector, SENT, of, 5_000)
                wait_for(collector, QUEUE, of, 0)
                assert collector.metric(CAPACITY, of) >= 2**30
                for name in (LOST, REFUSED_BY_QUEUE, REFUSED_BY_MEMORY):
                    assert collector.metric(name) == 0

    def test_a_store_that_is_away(self, otelcol: None, tmp_path: Path) -> None:
        """Fills the queue, counted in bytes; then events are refused, and none is lost."""
        with gateway(tmp_path, QUEUE_BYTES=str(2**15)) as found:
            assert found.metric(CAPACITY, 'exporter="clickhouse"') == 2**15
            wait_until(lambda: not send(found))
            assert found.metric(REFUSED_BY_QUEUE, 'exporter="clickhouse"') >= 100
            assert 2**14 < found.metric(QUEUE, 'exporter="clickhouse"') <= 2**15
            assert found.metric(SENT) == found.metric(LOST) == 0

    def test_a_file_that_takes_no_more(self, otelcol: None, tmp_path: Path) -> None:
        """As on a full disk: refused in the same metric, as there is none of the file. The size grows anyway."""
        tiny = tmp_path / "tiny.yaml"
        storage = {"max_size": 2**17, "compaction": {"on_rebound": False}}
        tiny.write_text(yaml.safe_dump({"extensions": {"file_storage/queue": storage}}))
        with gateway(tmp_path, tiny) as found:
            assert not send(found, events=2_000)
            assert found.metric(REFUSED_BY_QUEUE, 'exporter="clickhouse"') >= 2_000
            assert found.metric(QUEUE, 'exporter="clickhouse"') > 2**17
            assert "run out of available space" in found.said()

    def test_an_answer_that_is_final(self, otelcol: None, served_store: ServedStore, tmp_path: Path) -> None:
        """An agent without a token: its events are lost, and counted."""
        tokens = tmp_path / "tokens"
        tokens.write_text("the-gateways-own\n")
        environment = {"TOKENS_FILE": str(tokens)}
        files = ("gateway.yaml", "overlays/auth.yaml")
        with deployed(served_store, tmp_path, gateway=files, environment=environment) as found:
            assert send(found.agent)
            wait_until(lambda: found.agent.metric(LOST, 'exporter="otlp_grpc"') == 100)
            wait_until(lambda: found.agent.metric(QUEUE) == 0)
            wait_until(lambda: '"Exporting failed. Dropping data.' in found.agent.said())

    def test_a_limit_that_is_too_low(self, otelcol: None, served_store: ServedStore, tmp_path: Path) -> None:
        """The memory limiter refuses, and counts it."""
        low = behind(served_store, MEMORY_LIMIT_MIB="3", MEMORY_SPIKE_MIB="2")
        with Otelcol(["gateway.yaml"], tmp_path, environment=low) as found:
            wait_until(lambda: not send(found))
            assert found.metric(REFUSED_BY_MEMORY, 'processor="memory_limiter"') >= 100

    def test_a_name_that_does_not_resolve(self, otelcol: None, tmp_path: Path) -> None:
        """A load balancer counts how often it asked in vain."""
        nowhere = {"GATEWAY_HOSTNAME": "gateways.invalid"}
        with Otelcol(["load-balancer.yaml"], tmp_path, environment=nowhere) as found:
            wait_until(lambda: found.metric(RESOLUTIONS, 'success="false"') >= 1)
