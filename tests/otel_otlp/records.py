"""Batches for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from opentelemetry.sdk._logs import ReadableLogRecord

from otel_delivery import Answer
from otel_otlp import OTLPExporter
from tests.otel_clickhouse.records import record
from tests.otel_otlp.fault_server import FaultServer
from tests.otel_otlp.grpc_server import GRPCServer
from tests.strategies import Hostile

#: It has no text, either.
UNENCODABLE: Final = record(body=Hostile())


def batch(size: int = 3, **fields: Any) -> list[ReadableLogRecord]:
    """So many records."""
    return [record({"order.id": number}, body=f"order {number} was paid", **fields) for number in range(size)]


def deliver(exporter: OTLPExporter, records: list[ReadableLogRecord]) -> Answer:
    """One attempt, as a spool makes it."""
    return exporter.deliver(records, token="6f1c", first_attempt_ns=None)


def deliver_and_repeat(
    server: FaultServer | GRPCServer, exporter: OTLPExporter, again: OTLPExporter, *, attempts: Callable[[], int]
) -> Answer:
    """
    Deliver five records, and once more where the first answer asks for it; see that the answers are the truth.

    Args:
        server: does the first step, then is good.
        again: for the second attempt.
        attempts: how many the server has seen.

    Returns:
        The first answer. What it says is stored is; one attempt is one request, and a repeat is the same bytes.
    """
    records = batch(5)
    first = deliver(exporter, records)
    assert attempts() == 1
    stored = server.stored
    if first.status != "retry":
        assert stored == (5 - first.rejected_unknown if first.status == "delivered" else 0)
        return first
    second = deliver(again, records)
    assert (second.status, second.reason) == ("delivered", "")
    assert server.stored == stored + 5
    assert len(set(server.bodies)) == 1
    return first
