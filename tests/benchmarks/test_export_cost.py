"""
What exporting costs the worker: encoding a batch, beside the stock OTLP encoder, and inserting it into chDB.

    pytest tests/benchmarks/test_export_cost.py --benchmark-enable --benchmark-columns=median,iqr

Times are for a batch of 8,192 records; divide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs as encode_otlp
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from activitylog.chain import processor_chain
from activitylog.event import DEFAULT_LIMITS
from activitylog.identity import Producer
from activitylog.output import RenderLogRecord
from activitylog.store import EVENTS_TABLE, apply, column_mapping
from otel_clickhouse.encoder import encode_logs
from otel_clickhouse.layout import OTEL_LOGS_LAYOUT, compile_layout
from otel_clickhouse.mapping import parse_mapping

ROWS = 8192
TYPED = compile_layout(parse_mapping(column_mapping()))


@pytest.fixture(scope="module")
def batch() -> Sequence[ReadableLogRecord]:
    """Records of a chat service, made by the real chain."""
    chain: list[Any] = [*processor_chain(DEFAULT_LIMITS), RenderLogRecord(Producer())]
    resource = Resource.create({"service.name": "chat", "deployment.environment.name": "bench"})
    scope = InstrumentationScope("activitylog", "0")

    def record(number: int) -> ReadableLogRecord:
        passed: Any = {
            "event": ("message.sent", "message.read", "file.uploaded")[number % 3],
            "actor": ("user", number * 7 % 900),
            "object": ("message", number),
            "target": ("channel", number % 40),
            "tenant": f"tenant-{number % 12}",
            "session": f"session-{number % 700}",
            "duration": number % 1000 / 1e4,
            "request": {
                "http.request.method": "POST",
                "http.route": "/channels/{id}/messages",
                "http.response.status_code": 201,
                "client.address": f"10.0.{number % 200}.7",
            },
            "channel": "general",
            "length": number % 500,
            "pinned": number % 50 == 0,
        }
        for processor in chain:
            passed = processor(None, "info", passed)
        return ReadableLogRecord(log_record=passed[0][0], resource=resource, instrumentation_scope=scope)

    return [record(number) for number in range(ROWS)]


@pytest.mark.benchmark(group="encode 8,192 records", min_rounds=7)
class TestEncode:
    def test_typed_columns(self, benchmark: Any, batch: Any) -> None:
        """Into the columns of activity_events."""
        assert benchmark(encode_logs, batch, TYPED).rows == ROWS

    def test_otel_logs_columns(self, benchmark: Any, batch: Any) -> None:
        """Into the Collector's columns."""
        assert benchmark(encode_logs, batch, OTEL_LOGS_LAYOUT).rows == ROWS

    @pytest.mark.slow
    def test_stock_otlp(self, benchmark: Any, batch: Any) -> None:
        """OpenTelemetry's own protobuf encoder."""
        assert benchmark(lambda: encode_otlp(batch).SerializeToString())


@pytest.mark.benchmark(group="insert 8,192 rows into chDB", min_rounds=7)
class TestInsert:
    def test_typed_columns(self, benchmark: Any, batch: Any, chdb_client: Any) -> None:
        """The whole way from columns to the table, indexes included."""
        apply(chdb_client)
        columns = encode_logs(batch, TYPED)
        context = chdb_client.create_insert_context(
            EVENTS_TABLE, columns.names, column_type_names=columns.types, column_oriented=True, data=columns.data
        )

        def insert() -> None:
            context.data = columns.data
            chdb_client.insert(context=context)

        benchmark(insert)
        assert chdb_client.command(f"SELECT count() % {ROWS} FROM {EVENTS_TABLE}") == 0
