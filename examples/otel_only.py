"""
OpenTelemetry logs into ClickHouse, with nothing of activitylog.

    python examples/otel_only.py

writes to the embedded engine in a temporary folder. With OTEL_EXPORTER_CLICKHOUSE_DSN set it writes to the server
that it names, such as clickhouse://user:password@localhost:8123/default.
"""

from __future__ import annotations

import os
import tempfile

from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from otel_clickhouse import ClickHouseLogExporter, connect


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        dsn = os.environ.get("OTEL_EXPORTER_CLICKHOUSE_DSN", f"chdb://{folder}/store")
        emit_orders(dsn)
        print_orders(dsn)


def emit_orders(dsn: str) -> None:
    """What an application does: a provider, a processor, the exporter, and records."""
    exporter = ClickHouseLogExporter(dsn)
    provider = LoggerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = provider.get_logger("shop.orders")
    for number in range(1, 1_001):
        logger.emit(
            event_name="order.paid" if number % 10 else "order.refused",
            severity_number=SeverityNumber.INFO if number % 10 else SeverityNumber.WARN,
            body=f"order {number} of customer {number % 7}",
            attributes={"order.id": number, "customer.id": number % 7, "amount": number * 1.25},
        )
    provider.shutdown()  # writes what is queued
    print(f"Dropped: {dict(exporter.dropped()) or 'nothing'}")


def print_orders(dsn: str) -> None:
    """What an analyst does: attributes are a map of texts."""
    client = connect(dsn)
    question = """
        SELECT EventName, count() AS orders, sum(toFloat64(LogAttributes['amount'])) AS amount
        FROM otel_logs
        WHERE ServiceName = 'shop' AND Timestamp > now() - INTERVAL 1 HOUR
        GROUP BY EventName ORDER BY EventName FORMAT PrettySpaceNoEscapes
    """
    print(client.command(question))
    client.close()


if __name__ == "__main__":
    main()
