"""The contract, as an exporter of somebody else's meets it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter

from otel_clickhouse import ClickHouseLogExporter
from otel_delivery import Answer, DeliversBatches
from otel_otlp import OTLPGRPCLogExporter, OTLPHTTPLogExporter


class Foreign:
    """Needs this package only, and not even as a base."""

    def deliver(self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None) -> Answer:
        return Answer("retry", "unavailable", retry_after_seconds=2.5)


def conforms(
    foreign: Foreign, clickhouse: ClickHouseLogExporter, http: OTLPHTTPLogExporter, grpc: OTLPGRPCLogExporter
) -> list[DeliversBatches]:
    """Never called: the type checker reads it."""
    return [foreign, clickhouse, http, grpc]


def test_an_exporter_is_known_by_its_method():
    """Those of this distribution, anybody's own; not the ones of the SDK."""
    exporters = [Foreign(), ClickHouseLogExporter(), OTLPHTTPLogExporter(), OTLPGRPCLogExporter()]
    assert [isinstance(one, DeliversBatches) for one in exporters] == [True] * 4
    assert not isinstance(ConsoleLogRecordExporter(), DeliversBatches)


def test_an_answer_says_no_more_than_it_was_told():
    """Nothing is rejected, and no wish is the server's, unless it is said."""
    assert dataclasses.astuple(dataclasses.replace(Answer("delivered"), rejected={})) == (
        "delivered", "", "", None, {}, 0,
    )  # fmt: skip


def test_an_answer_does_not_change():
    """It goes through several threads; what one leaves out of it is nobody else's."""
    answer = Answer("delivered")
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.status = "retry"  # type: ignore[misc]
    with pytest.raises(TypeError):
        answer.rejected[0] = "encode"  # type: ignore[index]
    assert dict(Answer("delivered").rejected) == {}
