"""
How whoever keeps batches and whoever sends them talk to each other, and what every sender needs.

    from otel_delivery import Answer

    class MyExporter(LogRecordExporter):
        def deliver(self, records, *, token, first_attempt_ns) -> Answer: ...

An exporter with such a method (:class:`DeliversBatches`) gives definite answers, and a keeper of batches, such as
``otel_spool``, repeats a batch until it has one. The modules beside it are for exporters: waits that can be ended,
losses that are counted, log lines that do not come back as records. Needs the OpenTelemetry SDK only.
"""

from otel_delivery.answer import Answer, Status
from otel_delivery.delivers_batches import DeliversBatches

__all__ = ["Answer", "DeliversBatches", "Status"]
