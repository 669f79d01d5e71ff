"""Fixtures of this folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from otel_otlp import OTLPGRPCLogExporter, OTLPHTTPLogExporter
from tests.closed_afterwards import closed_afterwards
from tests.otel_otlp.fault_server import FaultServer
from tests.otel_otlp.grpc_server import GRPCServer
from tests.otel_otlp.http2_server import HTTP2Server


@pytest.fixture(autouse=True)
def _no_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests say themselves what is set."""
    for name in list(os.environ):
        if name.startswith("OTEL_EXPORTER_OTLP_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def serve() -> Iterator[Callable[..., FaultServer]]:
    """Start HTTP servers that do to each request what the steps say."""
    yield from closed_afterwards(lambda *steps, **values: FaultServer(steps, **values), FaultServer.close)


@pytest.fixture
def serve_grpc() -> Iterator[Callable[..., GRPCServer]]:
    """Start gRPC servers that do to each call what the steps say."""
    yield from closed_afterwards(lambda *steps, **values: GRPCServer(steps, **values), GRPCServer.close)


@pytest.fixture
def serve_http2() -> Iterator[Callable[..., HTTP2Server]]:
    """Start proxies before a gRPC server that answer themselves, with a status of HTTP."""
    yield from closed_afterwards(HTTP2Server, HTTP2Server.close)


@pytest.fixture
def http_exporter() -> Iterator[Callable[..., OTLPHTTPLogExporter]]:
    """Make exporters over HTTP that are shut down at the end."""
    yield from closed_afterwards(OTLPHTTPLogExporter, OTLPHTTPLogExporter.shutdown)


@pytest.fixture
def grpc_exporter() -> Iterator[Callable[..., OTLPGRPCLogExporter]]:
    """Make exporters over gRPC that are shut down at the end."""
    yield from closed_afterwards(OTLPGRPCLogExporter, OTLPGRPCLogExporter.shutdown)


@pytest.fixture
def lines(lines_of: Callable[[str], list[str]]) -> Callable[[], list[str]]:
    """The lines that the exporters logged so far."""
    return lambda: lines_of("otel_otlp")
