"""What an answer of HTTP means: nothing but an OTLP server's acknowledgement is a delivery."""

from __future__ import annotations

import gzip
import zlib

import pytest
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceResponse,
)

from otel_otlp import OTLPHTTPLogExporter
from otel_otlp.http_answers import HTTPAnswer, judge
from otel_otlp.http_statuses import STATUSES, verdict_of
from tests.otel_otlp.fault_server import PROTOBUF, FaultServer, Step
from tests.otel_otlp.records import batch, deliver

FRAMED = {"content-length": "1", "content-type": PROTOBUF}

_responses = st.builds(
    lambda rejected, message: ExportLogsServiceResponse(
        partial_success=ExportLogsPartialSuccess(rejected_log_records=rejected, error_message=message)
    ).SerializeToString(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(max_size=20),
)
_plain = st.one_of(st.just(b""), _responses, st.binary(max_size=50), st.just(b"<html>hello</html>"))
_bodies = st.one_of(_plain, _plain.map(gzip.compress), _plain.map(zlib.compress))
_headers = st.fixed_dictionaries(
    {},
    optional={
        "content-type": st.sampled_from([PROTOBUF, f"{PROTOBUF}; x=y", "text/html", "application/json", "", ";"]),
        "content-encoding": st.sampled_from(["gzip", "x-gzip", "GZIP", "deflate", "br", "identity", ""]),
        "transfer-encoding": st.just("chunked"),
        "content-length": st.just("1"),
        "retry-after": st.one_of(st.text(max_size=40), st.integers().map(str)),
        "date": st.text(max_size=40),
        "location": st.text(max_size=40),
    },
)


def is_success(status: int, headers: dict[str, str], body: bytes) -> bool:
    """The specification's words, once more and by other means."""
    if status == 204:
        return True
    encoding = headers.get("content-encoding", "").lower()
    try:
        if body and encoding in ("gzip", "x-gzip"):
            body = gzip.decompress(body)
        ExportLogsServiceResponse.FromString(body)
    except (OSError, EOFError, zlib.error, DecodeError):
        return False
    return (
        200 <= status < 300
        and headers.get("content-type", "").split(";")[0] == PROTOBUF
        and (not body or encoding in ("gzip", "x-gzip", "identity", ""))
        and bool({"content-length", "transfer-encoding"} & headers.keys())
    )


class TestJudge:
    @pytest.mark.slow
    @settings(max_examples=500)
    @given(
        st.one_of(st.sampled_from([200, 202, 204]), st.integers(100, 999)), _headers, _bodies, st.integers(1, 9)
    )
    def test_delivered_is_what_a_server_acknowledged(self, status, headers, body, records):
        """For any answer: no exception, and delivered if and only if it is a success of OTLP."""
        found = judge(HTTPAnswer(status, headers, body), records)
        assert (found.status == "delivered") == is_success(status, headers, body)
        assert 0 <= found.rejected_unknown <= (records if found.status == "delivered" else 0)
        assert found.retry_after_seconds is None or 0 <= found.retry_after_seconds <= 600

    @given(st.sampled_from([200, 201, 302, 400, 503]), _headers, _bodies)
    def test_a_body_that_is_not_whole(self, status, headers, body):
        """It acknowledges nothing, whatever came of it; a refusal of known length stays one, but for a page."""
        found = judge(HTTPAnswer(status, headers, body, "not whole"), 3)
        framed = bool({"content-length", "transfer-encoding"} & headers.keys())
        refuses = status == 400 and framed and headers.get("content-type") != "text/html"
        assert found.status == ("refused" if refuses else "retry")

    @pytest.mark.parametrize(
        ("answer", "detail"),
        [
            (
                HTTPAnswer(400, FRAMED, Status(code=3, message="no body").SerializeToString()),
                "HTTP 400: the server cannot read the batch. The server says: no body",
            ),
            (
                HTTPAnswer(
                    400, FRAMED, Status(code=3, message="http: request body too large").SerializeToString()
                ),
                "HTTP 400: the batch is too large for the server. The server says: http: request body too large",
            ),
            (
                HTTPAnswer(400, {"connection": "close"}, b"", "not whole (reset)"),
                "HTTP 400, but no OTLP server's answer: it has no length. Check whether the server expects TLS "
                "(https://), and host and port of the endpoint.",
            ),
            (
                HTTPAnswer(400, {"content-type": "text/html"}, b"<h1>"),
                "HTTP 400, but no OTLP server's answer: an HTML page. Something before the server refuses the "
                "request, whatever the batch. Check client certificate, OTEL_EXPORTER_OTLP_HEADERS, and host, "
                "port and path of the endpoint.",
            ),
            (
                HTTPAnswer(503, {"content-type": "text/html"}, b"<h1>"),
                "HTTP 503: the server is not ready. (An HTML page.)",
            ),
            (
                HTTPAnswer(200, {"content-length": "9", "content-type": "text/html"}, b"<html>..."),
                "HTTP 200, but no OTLP server's answer: text/html, 9 bytes. Check host, port and path of the "
                "endpoint; perhaps a proxy or a login page answers.",
            ),
            (
                HTTPAnswer(200, {"content-length": "0"}, b""),
                "HTTP 200, but no OTLP server's answer: an answer without Content-Type, 0 bytes. Check host, port "
                "and path of the endpoint; perhaps a proxy or a login page answers. If this server stores what it "
                "answers so, give accept_empty=True.",
            ),
            (
                HTTPAnswer(503, {"content-encoding": "gzip"}, gzip.compress(b"busy")),
                "HTTP 503: the server is not ready. The server says: busy",
            ),
        ],
    )
    def test_details(self, answer, detail):
        """Whoever reads it knows what happened and what to do."""
        assert judge(answer, 3).detail == detail


class TestStatuses:
    def test_refused_are_only_those_that_speak_of_the_batch(self):
        """All else is tried again: a batch too often costs time, one too seldom costs events."""
        assert {status for status in range(100, 1000) if not verdict_of(status).retryable} == {400, 413, 422}

    def test_every_row_has_a_reason(self):
        """And only statuses that are no success have a row."""
        assert all(verdict.why and not 200 <= status < 300 for status, verdict in STATUSES.items())


def _http(status: int, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(
        st.binary(max_size=200),
        st.builds(_http, st.integers(100, 999), _headers, _bodies),
    )
)
def test_any_bytes_are_an_answer(bytes_sent):
    """Over a real socket, whatever a server sends: no exception, and nothing is delivered by accident."""
    server = FaultServer([Step(bytes_sent, after="close")])
    exporter = OTLPHTTPLogExporter(server.url, timeout_seconds=5)
    try:
        found = deliver(exporter, batch())
    finally:
        exporter.shutdown()
        server.close()
    acknowledges = bytes_sent.startswith(b"HTTP/1.") and (
        PROTOBUF.encode() in bytes_sent or b" 204 " in bytes_sent
    )
    assert found.status != "delivered" or acknowledges
    assert found.detail.isprintable()
