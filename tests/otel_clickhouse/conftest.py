"""Fixtures of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from otel_clickhouse import ClickHouseLogExporter
from tests.closed_afterwards import closed_afterwards
from tests.otel_clickhouse.fault_server import FaultServer, Step


@pytest.fixture(autouse=True)
def _no_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests say themselves what is set."""
    for name in ("DSN", "TABLE", "CREATE_SCHEMA", "TIMEOUT", "RETRY_DEADLINE", "PRESENCE_CHECK_AFTER"):
        monkeypatch.delenv(f"OTEL_EXPORTER_CLICKHOUSE_{name}", raising=False)


@pytest.fixture
def serve_faults() -> Iterator[Callable[..., FaultServer]]:
    """Start servers that do to each insert what the steps say."""

    def serve(*steps: Step, store: tuple[str, int] | None = None, port: int = 0) -> FaultServer:
        return FaultServer(steps, store, port)

    yield from closed_afterwards(serve, FaultServer.close)


@pytest.fixture
def exporter_for() -> Iterator[Callable[..., ClickHouseLogExporter]]:
    """Make exporters that are shut down at the end."""
    yield from closed_afterwards(ClickHouseLogExporter, ClickHouseLogExporter.shutdown)


@pytest.fixture
def lines(lines_of: Callable[[str], list[str]]) -> Callable[[], list[str]]:
    """The lines that the exporter logged so far."""
    return lambda: lines_of("otel_clickhouse")
