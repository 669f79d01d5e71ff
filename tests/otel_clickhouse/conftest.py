"""Fixtures of this folder."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from otel_clickhouse.exporter import ClickHouseLogExporter
from tests.otel_clickhouse.fault_server import FaultServer, Step


@pytest.fixture(autouse=True)
def _no_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests say themselves what is set."""
    for name in ("DSN", "TABLE", "CREATE_SCHEMA", "TIMEOUT", "RETRY_DEADLINE"):
        monkeypatch.delenv(f"OTEL_EXPORTER_CLICKHOUSE_{name}", raising=False)


@pytest.fixture
def serve_faults() -> Iterator[Callable[..., FaultServer]]:
    """Start servers that do to each insert what the steps say."""
    servers: list[FaultServer] = []

    def serve(*steps: Step) -> FaultServer:
        servers.append(FaultServer(steps))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


@pytest.fixture
def exporter_for() -> Iterator[Callable[..., ClickHouseLogExporter]]:
    """Make exporters that are shut down at the end."""
    exporters: list[ClickHouseLogExporter] = []

    def make(*args: object, **kwargs: object) -> ClickHouseLogExporter:
        exporters.append(ClickHouseLogExporter(*args, **kwargs))  # type: ignore[arg-type]
        return exporters[-1]

    yield make
    for exporter in exporters:
        exporter.shutdown()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The lines that the exporter logged so far."""
    caplog.set_level(logging.DEBUG)
    return lambda: [one.getMessage() for one in caplog.records if one.name == "otel_clickhouse"]
