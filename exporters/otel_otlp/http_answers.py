"""
From an answer of HTTP to what became of the batch. Pure.

Delivered is only what an OTLP server acknowledged: a 2xx status, ``Content-Type: application/x-protobuf`` and a
whole ``ExportLogsServiceResponse``. A login page comes with 200 as well. The one exception is 204, with which
Grafana Loki answers against the specification: it cannot have a body, and no page or redirect comes with it.

Refused is only what an OTLP server says of the batch, in protobuf, JSON or text, of a known length. A page with
400 is a proxy's; without a length it comes from below HTTP's handlers, or is what is left of an answer.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from otel_delivery import Answer
from otel_otlp.acknowledgement import MAX_ANSWER_BYTES, acknowledged
from otel_otlp.http_statuses import verdict_of
from otel_otlp.retry_after import retry_after_seconds

_PROTOBUF: Final = frozenset({"application/x-protobuf", "application/protobuf"})
_TOO_LARGE: Final = 413
_UNSUPPORTED: Final = 415
_NO_CONTENT: Final = 204
_SHOWN_BYTES: Final = 4096

#: What servers that expect TLS answer to plain HTTP, with status 400 (Go; nginx). The batch is not at fault.
_TLS_EXPECTED: Final = re.compile(rb"HTTP request (to an HTTPS server|was sent to HTTPS port)")

#: The Collector (Go) says both with 400, too. The first is of this batch, the second of any.
_BODY_TOO_LARGE: Final = "request body too large"
_COMPRESSION: Final = "unsupported Content-Encoding"

#: nginx refuses certificates and headers with 400 and a page, HAProxy and others what they cannot read. With 413 a
#: page does speak of the batch: the limit is one for the body.
_PROXY_REFUSES: Final = (
    "an HTML page. Something before the server refuses the request, whatever the batch. Check client certificate, "
    "OTEL_EXPORTER_OTLP_HEADERS, and host, port and path of the endpoint."
)

_NOT_A_HANDLER: Final = (
    "but no OTLP server's answer: it has no length. Check whether the server expects TLS (https://), and host and "
    "port of the endpoint."
)


@dataclass(frozen=True, slots=True)
class HTTPAnswer:
    """
    An answer as it came.

    Attributes:
        headers: names in lower case.
        body: what was read of it, as it was sent (perhaps compressed).
        fault: empty when the body is whole, else what is wrong with it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    fault: str = ""


def judge(answer: HTTPAnswer, records: int, *, accept_empty: bool = False) -> Answer:
    """
    What became of the batch.

    Args:
        records: how many were sent.
        accept_empty: take a 2xx answer without content for a success.

    The detail holds text of the server, as it came.
    """
    if 200 <= answer.status < 300:
        return _success(answer, records, accept_empty)
    verdict = verdict_of(answer.status)
    told = _told(answer)
    if answer.status == 400 and _TLS_EXPECTED.search(answer.body):
        return Answer("retry", "tls", f"HTTP 400: the server expects TLS. Set the endpoint to https://. {told}")
    if not verdict.retryable and answer.status != _TOO_LARGE and _is_page(answer):
        return Answer("retry", "not_otlp", f"HTTP {answer.status}, but no OTLP server's answer: {_PROXY_REFUSES}")
    if not verdict.retryable and answer.status != _TOO_LARGE and _unframed(answer):
        return Answer(
            "retry", "not_otlp", " ".join(filter(None, (f"HTTP {answer.status}, {_NOT_A_HANDLER}", told)))
        )
    if answer.status == 400 and _BODY_TOO_LARGE in told:
        verdict, reason = verdict_of(_TOO_LARGE), "too_large"
    elif answer.status == 400 and _COMPRESSION in told:
        verdict, reason = verdict_of(_UNSUPPORTED), "http_400"
    else:
        reason = "too_large" if answer.status == _TOO_LARGE else f"http_{answer.status}"
    detail = " ".join(filter(None, (f"HTTP {answer.status}: {verdict.why}.", verdict.hint, _place(answer), told)))
    if not verdict.retryable:
        return Answer("refused", reason, detail)
    asked = retry_after_seconds(answer.headers.get("retry-after"), answer.headers.get("date"))
    return Answer("retry", reason, detail, retry_after_seconds=asked)


def _success(answer: HTTPAnswer, records: int, accept_empty: bool) -> Answer:
    if answer.status == _NO_CONTENT:
        return Answer("delivered")
    fault = answer.fault or _unframed(answer)
    body, fault = (b"", fault) if fault else _unpacked(answer)
    if fault:
        return Answer("retry", "broken_answer", f"HTTP {answer.status}, but its body is {fault}.")
    if not body and accept_empty:
        return Answer("delivered")
    found = acknowledged(body, records) if _content_type(answer) in _PROTOBUF else None
    return found or _not_otlp(answer, body)


def _unframed(answer: HTTPAnswer) -> str:
    """What is wrong with an answer that ends where the connection does, perhaps in the middle of its headers."""
    framed = "content-length" in answer.headers or "chunked" in answer.headers.get("transfer-encoding", "").lower()
    return "" if framed else "without a length: nobody knows whether it is whole"


def _not_otlp(answer: HTTPAnswer, body: bytes) -> Answer:
    what = _content_type(answer) or "an answer without Content-Type"
    hint = "Check host, port and path of the endpoint; perhaps a proxy or a login page answers."
    if not body:
        hint += " If this server stores what it answers so, give accept_empty=True."
    detail = f"HTTP {answer.status}, but no OTLP server's answer: {what}, {len(body)} bytes. {hint}"
    return Answer("retry", "not_otlp", detail)


def _content_type(answer: HTTPAnswer) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_page(answer: HTTPAnswer) -> bool:
    return "html" in _content_type(answer)


def _unpacked(answer: HTTPAnswer) -> tuple[bytes, str]:
    """The body, and what is wrong with it; never more than the largest answer, whatever a few bytes unfold to."""
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity") or not answer.body:
        return answer.body, ""
    if encoding not in ("gzip", "x-gzip"):
        return b"", "in an encoding that was not asked for"
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        body = unpacker.decompress(answer.body, MAX_ANSWER_BYTES)
    except zlib.error:
        return b"", "no gzip, though it says so"
    if not unpacker.eof:
        return b"", "larger than any answer, or cut off"
    return (b"", "followed by something else") if unpacker.unused_data else (body, "")


def _place(answer: HTTPAnswer) -> str:
    """Where a redirect leads, without what may be secret in it."""
    location = answer.headers.get("location", "")
    if not location or not 300 <= answer.status < 400:
        return ""
    try:
        parts = urlsplit(location)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return ""
    return f"It leads to {f'{parts.scheme}://{host}' if host else ''}{parts.path}"


def _told(answer: HTTPAnswer) -> str:
    """What the server says about it: the message of a ``google.rpc.Status``, or the beginning of a text."""
    body = (b"" if answer.fault else _unpacked(answer)[0]) or answer.body
    if not body:
        return ""
    kind = _content_type(answer)
    if _is_page(answer):
        return "(An HTML page.)"
    text = _status_message(body) if kind in _PROTOBUF else body[:_SHOWN_BYTES].decode(errors="replace")
    return f"The server says: {text}" if text.strip() else ""


def _status_message(body: bytes) -> str:
    from google.protobuf.message import DecodeError
    from google.rpc.status_pb2 import Status

    try:
        message: str = Status.FromString(body).message
    except DecodeError:
        return ""
    return message
