"""
A durable spool in front of OpenTelemetry's batch log record processor, for any exporter.

.. code-block:: python

    provider.add_log_record_processor(SpooledLogRecordProcessor(exporter, "/var/spool/shop"))

What ``Logger.emit`` has returned from is on disk; it is sent until the backend has definitely taken or refused it,
by this process or by the next one. :mod:`otel_spool.frame` describes the files, :mod:`otel_spool.folder` their
places.
"""

from otel_spool.context import durable, gathering, replacing
from otel_spool.drain import Drain, Drained
from otel_spool.exceptions import ConfigurationError, FolderError, SpoolError
from otel_spool.inspection import Piece, pieces
from otel_spool.ledger import Loss
from otel_spool.options import SpoolOptions
from otel_spool.processor import FlushResult, Held, SpooledLogRecordProcessor
from otel_spool.stats import SpoolStats
from otel_spool.status import FolderStatus, SpoolStatus, look, spools_in

__all__ = [
    "ConfigurationError",
    "Drain",
    "Drained",
    "FlushResult",
    "FolderError",
    "FolderStatus",
    "Held",
    "Loss",
    "Piece",
    "SpoolError",
    "SpoolOptions",
    "SpoolStats",
    "SpoolStatus",
    "SpooledLogRecordProcessor",
    "durable",
    "gathering",
    "look",
    "pieces",
    "replacing",
    "spools_in",
]
