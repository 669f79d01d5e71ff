"""Without code: OTEL_LOGS_EXPORTER=clickhouse, and the SDK does the rest."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from otel_clickhouse import ClickHouseLogExporter

_APPLICATION = """
    import logging
    from opentelemetry.sdk._configuration import _OTelSDKConfigurator

    _OTelSDKConfigurator().configure()

    from opentelemetry import _logs
    from opentelemetry._logs import SeverityNumber

    logger = _logs.get_logger("shop.orders", "1.2")
    for number in range(1_000):
        logger.emit(
            body=f"order {number} was paid",
            event_name="order.paid",
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            attributes={"order.id": number, "lines": ["a", 1]},
        )
"""

_READER = """
    import sys
    from otel_clickhouse import connect
    client = connect(sys.argv[1])
    print(*client.command(
        "SELECT count(), uniqExact(LogAttributes['order.id']), any(ServiceName), any(ScopeName), any(EventName), "
        "any(SeverityText), any(LogAttributes['lines']), min(Body), countIf(abs(ObservedAge) < 600) "
        "FROM (SELECT *, Timestamp - now() AS ObservedAge FROM otel_logs)"
    ), sep="\\n")
    client.close()
"""


def _python(code: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


class TestEntryPoint:
    def test_is_named_clickhouse(self):
        """The name that OTEL_LOGS_EXPORTER takes."""
        (found,) = importlib.metadata.entry_points(group="opentelemetry_logs_exporter", name="clickhouse")
        assert found.load() is ClickHouseLogExporter


class TestSubprocess:
    @pytest.mark.slow
    def test_rows_of_a_process_that_knows_only_opentelemetry(self, tmp_path: Path):
        """Records of a process that never heard of this package are rows of otel_logs when it has ended."""
        dsn = f"chdb://{tmp_path}/store"
        _python(
            _APPLICATION,
            OTEL_LOGS_EXPORTER="clickhouse",
            OTEL_TRACES_EXPORTER="none",
            OTEL_METRICS_EXPORTER="none",
            OTEL_EXPORTER_CLICKHOUSE_DSN=dsn,
            OTEL_SERVICE_NAME="shop",
        )
        assert _python(_READER, dsn).splitlines() == [
            "1000", "1000", "shop", "shop.orders", "order.paid", "INFO", '["a",1]', "order 0 was paid", "1000"
        ]  # fmt: skip
