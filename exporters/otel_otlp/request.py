"""
A batch as the bytes of one ``ExportLogsServiceRequest``, encoded by OpenTelemetry's own encoder.

Half of a surrogate pair (in a file name from ``os.fsdecode``) or an integer of 65 bits makes that encoder fail for
the whole batch; in an attribute, it logs a traceback and sends the record without. So attributes are counted: when
one is missing, or all fails, copies of the records are encoded, with texts for what protobuf cannot hold
(:mod:`otel_otlp.holdable`). A record that cannot be encoded even so is left out, and named. The same records give
the same bytes each time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from opentelemetry.sdk._logs import ReadableLogRecord

from otel_delivery.printable import one_line
from otel_otlp.first_use import import_modules
from otel_otlp.holdable import HoldableCopies
from otel_otlp.reentrancy import quiet_encoder

_ENCODER: Final = "opentelemetry.exporter.otlp.proto.common._log_encoder"

_Value = TypeVar("_Value")


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


class _AttributesMissingError(Exception):
    """The encoder left attributes out."""


def import_encoder() -> None:
    """
    Import OpenTelemetry's encoder, before records are encoded.

    Raises:
        Exception: no free file descriptor, half a package in an upgrade. No record is at fault.
    """
    import_modules(_ENCODER)
    quiet_encoder()


def encode_request(records: Sequence[ReadableLogRecord]) -> EncodedRequest:
    """
    Encode a batch, without the records that cannot be.

    Raises:
        MemoryError: not now; no record is at fault.
        Exception: records that can be encoded one by one cannot be encoded together (2 GiB).
    """
    try:
        return EncodedRequest(_serialized(records), len(records), {})
    except Exception:  # noqa: BLE001 - whatever is wrong, copies do not have it, or it is found record by record
        kept, rejected = _holdable(records)
    try:
        return EncodedRequest(_serialized(list(kept.values())), len(kept), rejected)
    except Exception:  # noqa: BLE001 - a time before 1970, say
        rejected |= {index: why for index, record in kept.items() if (why := _why_not(record))}
    left = [record for index, record in kept.items() if index not in rejected]
    return EncodedRequest(_serialized(left), len(left), rejected)


def _holdable(records: Sequence[ReadableLogRecord]) -> tuple[dict[int, ReadableLogRecord], dict[int, str]]:
    """Copies that protobuf can hold, and why there is none; both by index."""
    copies = HoldableCopies()
    kept: dict[int, ReadableLogRecord] = {}
    rejected: dict[int, str] = {}
    for index, record in enumerate(records):
        try:
            kept[index] = copies.of(record)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - values are anybody's objects, and raise anything
            rejected[index] = _told(error)
    return kept, rejected


def _serialized(records: Sequence[ReadableLogRecord]) -> bytes:
    from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs

    request = encode_logs(records)
    if _attributes_held(request) != _attributes_given(records):
        raise _AttributesMissingError("attributes are missing")
    payload: bytes = request.SerializeToString()
    return payload


def _attributes_held(request: Any) -> int:
    held = 0
    for resource_logs in request.resource_logs:
        held += len(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            held += len(scope_logs.scope.attributes)
            held += sum([len(record.attributes) for record in scope_logs.log_records])
    return held


def _attributes_given(records: Sequence[ReadableLogRecord]) -> int:
    """By the encoder's rule: equal resources are written once, and equal scopes once in each of them."""
    given = sum([len(record.log_record.attributes or ()) for record in records])
    pairs = {(id(record.resource), id(record.instrumentation_scope)): record for record in records}.values()
    resources = {id(record.resource): record.resource for record in pairs}
    scopes = [
        (record.resource, scope)
        for record in pairs
        if (scope := record.instrumentation_scope) and scope.attributes
    ]
    given += sum(len(resource.attributes) for resource in _distinct(resources.values()))
    return given + sum(len(scope.attributes or ()) for _, scope in _distinct(scopes))


def _distinct(values: Collection[_Value]) -> Collection[_Value]:
    """Equal ones once. One is not asked for its hash: a resource writes itself as JSON for that."""
    return values if len(values) < 2 else set(values)


def _why_not(record: ReadableLogRecord) -> str:
    """Why a record cannot be encoded, without its values; empty when it can."""
    try:
        _serialized([record])
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - values are anybody's objects, and raise anything
        return _told(error)
    return ""


def _told(error: Exception) -> str:
    try:
        text = str(error).partition(" of value ")[0]
    except Exception:  # noqa: BLE001 - of anybody's class
        text = ""
    return one_line(f"cannot be encoded: {type(error).__name__}: {text}")
