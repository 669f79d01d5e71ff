"""
What a status of gRPC means for a batch. Pure: one table, with a reason in each row.

The specification has seven codes tried again and the batch dropped at all others. As with HTTP, only what speaks
of the batch itself is refused here. ``RESOURCE_EXHAUSTED`` says two things: "not now" (a full queue, a quota; with
``RetryInfo`` or, from most servers, without) is tried again; "the message is too large" is refused, so that who
sends can halve the batch. Without ``RetryInfo`` only the text tells them apart, and some servers say it with
``OUT_OF_RANGE``. A proxy says it in HTTP: 413, as nginx above its ``client_max_body_size`` of 1 MiB. grpc makes an
``UNKNOWN`` of it, with a text of its own. All other statuses of HTTP are tried again, whatever code grpc makes of
them: a proxy judges credentials, paths and headers, not what the batch says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from otel_delivery import Answer
from otel_otlp.acknowledgement import MAX_ANSWER_BYTES
from otel_otlp.http_statuses import Verdict
from otel_otlp.retry_after import bounded

_CREDENTIALS: Final = "Check the credentials in OTEL_EXPORTER_OTLP_HEADERS."
_PORT: Final = "Check host and port of the endpoint; OTLP's gRPC port is 4317, 4318 is its HTTP port."

CODES: Final[Mapping[str, Verdict]] = MappingProxyType(
    {
        "INVALID_ARGUMENT": Verdict(False, "the server cannot take what the batch says"),
        # The specification's: it passes.
        "CANCELLED": Verdict(True, "the request was cancelled"),
        "DEADLINE_EXCEEDED": Verdict(True, "no answer in time"),
        "ABORTED": Verdict(True, "the server is at odds with another request"),
        "OUT_OF_RANGE": Verdict(True, "the server wants it later"),
        "UNAVAILABLE": Verdict(True, "nobody answers, or the server is not ready"),
        "DATA_LOSS": Verdict(True, "the server lost something"),
        "RESOURCE_EXHAUSTED": Verdict(True, "the server is short of something"),
        # An operator can put it right while the batch waits.
        "UNAUTHENTICATED": Verdict(True, "credentials are missing, wrong or expired", _CREDENTIALS),
        "PERMISSION_DENIED": Verdict(True, "the credentials do not allow it", _CREDENTIALS),
        "UNIMPLEMENTED": Verdict(True, "the server takes no logs", _PORT),
        "NOT_FOUND": Verdict(True, "something on the server is missing", _PORT),
        "FAILED_PRECONDITION": Verdict(True, "the server is not set up for it"),
        # Nobody knows what it means: a proxy's answer, a broken connection, an error inside the server.
        "ALREADY_EXISTS": Verdict(True, "it is not known what the server means"),
        "INTERNAL": Verdict(True, "the server failed, or the connection broke"),
        "UNKNOWN": Verdict(True, "the server failed, or it is no gRPC server", _PORT),
    }
)  # fmt: skip

#: grpc (C, Go, JS), grpc-java, tonic, .NET.
_TOO_LARGE: Final = re.compile(
    r"larger than max|message (size )?exceeds (the )?maximum|exceeds (the )?maximum (\w+ )?message size"
    r"|message length too large|message too large",
    re.IGNORECASE,
)
#: What this side takes: one more than anybody's default, to be known again in grpc's own error.
ANSWER_LIMIT: Final = MAX_ANSWER_BYTES + 1
#: grpc's words when the *answer* is too large for this side: what became of the batch is not known.
_THIS_SIDE: Final = re.compile(rf"CLIENT:|vs\. {ANSWER_LIMIT}\b")
#: grpc's own words for an answer that has no status of gRPC.
_HTTP_TOO_LARGE: Final = re.compile(r"Received http2 header with status: 413\b")
_SAYS_SIZE: Final = frozenset({"RESOURCE_EXHAUSTED", "OUT_OF_RANGE"})

_DETAILS: Final = "grpc-status-details-bin"
_RETRY_INFO: Final = "google.rpc.retryinfo-bin"


def judge(code: str, message: str, trailers: Iterable[tuple[str, str | bytes]]) -> Answer:
    """
    What became of the batch.

    Args:
        code: the name of the status code.
        message: what the server says about it; it is in the detail, as it came.
        trailers: of the answer; ``RetryInfo`` may be in them.
    """
    delay = _retry_delay(trailers)
    if delay is None and _is_too_large(code, message):
        return Answer("refused", "too_large", f"{code}: the batch is too large for the server. {_told(message)}")
    verdict = CODES.get(code, CODES["UNKNOWN"])
    detail = " ".join(filter(None, (f"{code}: {verdict.why}.", verdict.hint, _told(message))))
    reason = f"grpc_{code.lower()}"
    if not verdict.retryable:
        return Answer("refused", reason, detail)
    return Answer("retry", reason, detail, retry_after_seconds=delay)


def _is_too_large(code: str, message: str) -> bool:
    if code == "UNKNOWN":
        return _HTTP_TOO_LARGE.match(message) is not None
    return code in _SAYS_SIZE and bool(_TOO_LARGE.search(message)) and not _THIS_SIDE.search(message)


def _told(message: str) -> str:
    return f"The server says: {message}" if message.strip() else ""


def _retry_delay(trailers: Iterable[tuple[str, str | bytes]]) -> float | None:
    """The delay of a ``RetryInfo``: in the status' details, where the specification puts it, or by itself."""
    from google.protobuf.message import DecodeError
    from google.rpc.error_details_pb2 import RetryInfo
    from google.rpc.status_pb2 import Status

    found = RetryInfo()
    for name, value in trailers:
        if not isinstance(value, bytes):
            continue
        try:
            if name == _RETRY_INFO:
                found.ParseFromString(value)
            elif name == _DETAILS:
                for one in Status.FromString(value).details:
                    one.Unpack(found)
        except DecodeError:
            continue
    if not found.HasField("retry_delay"):
        return None
    return bounded(found.retry_delay.seconds + found.retry_delay.nanos / 1e9)
