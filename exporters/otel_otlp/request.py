"""
A batch as the bytes of one ``ExportLogsServiceRequest``, encoded by OpenTelemetry's own encoder.

One record that cannot be encoded (a body with half a surrogate pair, an integer of 65 bits) makes that encoder
fail for the whole batch. Here it is left out, and named. The same records give the same bytes each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk._logs import ReadableLogRecord

from otel_delivery.printable import one_line
from otel_otlp.first_use import import_modules

_ENCODER: Final = "opentelemetry.exporter.otlp.proto.common._log_encoder"


@dataclass(frozen=True, slots=True)
class EncodedRequest:
    """
    What is sent for a batch.

    Attributes:
        payload: the serialized request.
        records: how many records it holds.
        rejected: by index in the batch, why a record was left out.
    """

    payload: bytes
    records: int
    rejected: Mapping[int, str]


def import_encoder() -> None:
    """
    Import OpenTelemetry's encoder, before records are encoded.

    Raises:
        Exception: no free file descriptor, half a package in an upgrade. No record is at fault.
    """
    import_modules(_ENCODER)


def encode_request(records: Sequence[ReadableLogRecord]) -> EncodedRequest:
    """
    Encode a batch, without the records that cannot be.

    Raises:
        MemoryError: not now; no record is at fault.
        Exception: records that can be encoded one by one cannot be encoded together (2 GiB).
    """
    try:
        return EncodedRequest(_serialized(records), len(records), {})
    except Exception:  # noqa: BLE001 - whatever is wrong, it is found record by record
        rejected = {index: why for index, record in enumerate(records) if (why := _why_not(record))}
    kept = [record for index, record in enumerate(records) if index not in rejected]
    return EncodedRequest(_serialized(kept), len(kept), rejected)


def _serialized(records: Sequence[ReadableLogRecord]) -> bytes:
    from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs

    payload: bytes = encode_logs(records).SerializeToString()
    return payload


def _why_not(record: ReadableLogRecord) -> str:
    """Why a record cannot be encoded, without its values; empty when it can."""
    try:
        _serialized([record])
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - values are anybody's objects, and raise anything
        return f"cannot be encoded: {_told(error)}"
    return ""


def _told(error: Exception) -> str:
    try:
        text = str(error).partition(" of value ")[0]
    except Exception:  # noqa: BLE001 - of anybody's class
        text = ""
    return one_line(f"{type(error).__name__}: {text}")
