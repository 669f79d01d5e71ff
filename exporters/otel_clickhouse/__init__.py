"""
OpenTelemetry logs into ClickHouse: a server over HTTP, or the embedded engine.

    from otel_clickhouse import ClickHouseLogExporter

    provider.add_log_record_processor(BatchLogRecordProcessor(ClickHouseLogExporter("clickhouse://localhost:8123/logs")))

or, without code, ``OTEL_LOGS_EXPORTER=clickhouse`` and ``OTEL_EXPORTER_CLICKHOUSE_DSN``. Importing this package
imports the OpenTelemetry SDK, and no driver.
"""

from otel_clickhouse.client import Client, connect
from otel_clickhouse.encoder import Columns, encode_logs
from otel_clickhouse.exceptions import (
    BlockRefusedError,
    ConfigurationError,
    ExporterError,
    GivenUpError,
    PermanentError,
    RetryableError,
)
from otel_clickhouse.exporter import ClickHouseLogExporter
from otel_clickhouse.mapping import TableMapping, parse_mapping

__all__ = [
    "BlockRefusedError",
    "ClickHouseLogExporter",
    "Client",
    "Columns",
    "ConfigurationError",
    "ExporterError",
    "GivenUpError",
    "PermanentError",
    "RetryableError",
    "TableMapping",
    "connect",
    "encode_logs",
    "parse_mapping",
]
