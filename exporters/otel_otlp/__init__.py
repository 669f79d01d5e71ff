"""
OpenTelemetry logs over OTLP, with definite answers: delivered, refused, or to be sent again.

    from otel_otlp import OTLPHTTPLogExporter

    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPHTTPLogExporter("http://localhost:4318/v1/logs")))

or, without code, ``OTEL_LOGS_EXPORTER=otel_otlp_http`` (``otel_otlp_grpc``) and ``OTEL_EXPORTER_OTLP_ENDPOINT``.
Importing this package imports the OpenTelemetry SDK, and neither gRPC nor urllib3.
"""

from otel_otlp.exceptions import ConfigurationError, ExporterError
from otel_otlp.exporter import OTLPExporter
from otel_otlp.grpc_exporter import OTLPGRPCLogExporter
from otel_otlp.http_exporter import OTLPHTTPLogExporter

__all__ = [
    "ConfigurationError",
    "ExporterError",
    "OTLPExporter",
    "OTLPGRPCLogExporter",
    "OTLPHTTPLogExporter",
]
