"""
What makes a success: a whole ``ExportLogsServiceResponse``. Its ``partial_success`` is looked at.

The stock exporters do not look: ten records sent, five refused, and nobody hears of it.
"""

from __future__ import annotations

from typing import Final

from otel_delivery import Answer

#: The most that is read of an answer, unpacked; gRPC's own default for a message.
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024


def acknowledged(body: bytes, records: int) -> Answer | None:
    """
    What a success says, or None when the body is no ``ExportLogsServiceResponse``.

    Args:
        records: how many were sent; a server cannot refuse more.

    A client must not send a partly refused batch again (specification, "Partial Success"): it is delivered, but
    for so many records, of which the answer does not say which. Without a number the message is a warning.
    """
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

    try:
        response = ExportLogsServiceResponse.FromString(body)
    except DecodeError:
        return None
    partial = response.partial_success
    rejected = min(max(partial.rejected_log_records, 0), records)
    if rejected:
        detail = f"The server refused {rejected} of {records} records: {partial.error_message}"
        return Answer("delivered", "partial_success", detail, rejected_unknown=rejected)
    if partial.error_message:
        return Answer("delivered", "warning", f"The server warns: {partial.error_message}")
    return Answer("delivered")
