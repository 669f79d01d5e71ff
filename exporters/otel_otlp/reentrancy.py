"""How this package tells its own log lines from the application's; see :mod:`otel_delivery.reentrancy`."""

from __future__ import annotations

import logging
from typing import Final

from otel_delivery.reentrancy import Reentrancy

REENTRANCY: Final = Reentrancy("otel_otlp", drivers=("urllib3", "grpc"))

_ENCODER_LOGGER: Final = "opentelemetry.exporter.otlp.proto.common._internal"


def quiet_encoder() -> None:
    """Silence OpenTelemetry's encoder in threads that export: what it drops is found, and sent. Idempotent."""
    logging.getLogger(_ENCODER_LOGGER).addFilter(_said_elsewhere)


def _said_elsewhere(_record: logging.LogRecord) -> bool:
    return not REENTRANCY.is_exporting()
