"""What is sent is what OpenTelemetry's own encoder writes, and a bad record takes no other with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_otlp.request import encode_request
from tests.otel_clickhouse.records import FULL_RECORD, record
from tests.otel_otlp.records import UNENCODABLE, batch, deliver
from tests.strategies import Hostile

_values = st.recursive(
    st.one_of(st.text(max_size=9), st.integers(-(2**70), 2**70), st.floats(), st.binary(max_size=9), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)
_records = st.builds(
    lambda body, resource, scope: record(
        {"order.id": 7},
        body=body,
        resource=Resource({"service.name": resource}),
        scope=InstrumentationScope(scope),
    ),
    st.one_of(_values, st.just(Hostile()), st.just("\ud800")),
    st.sampled_from(["shop", "bank"]),
    st.sampled_from(["a", "b", "\udfff"]),
)


def encodable(one: Any) -> bool:
    """By the stock encoder's own word."""
    try:
        encode_logs([one]).SerializeToString()
    except Exception:  # noqa: BLE001 - it raises anything
        return False
    return True


class TestEncodeRequest:
    @given(st.lists(_records, max_size=6))
    def test_the_good_ones_are_encoded_as_the_stock_encoder_does(self, records):
        """Those that it cannot encode are named, and the others are its bytes; the same again at each attempt."""
        request = encode_request(records)
        kept = [one for one in records if encodable(one)]
        assert request.payload == encode_logs(kept).SerializeToString()
        assert request.records == len(kept)
        assert [index for index, one in enumerate(records) if not encodable(one)] == sorted(request.rejected)
        assert encode_request(records) == request

    def test_why(self):
        """The reason has no value in it, which may be secret, and is one printable line."""
        rejected = encode_request([record(body=Hostile()), record(body={"pw": object()}), UNENCODABLE]).rejected
        assert rejected[0] == "cannot be encoded: RuntimeError: no text"
        assert rejected[1] == "cannot be encoded: Exception: Invalid type <class 'object'>"
        assert rejected[2].startswith("cannot be encoded: ValueError: ") or "UnicodeEncodeError" in rejected[2]
        assert all(why.isprintable() for why in rejected.values())


class TestOverTheWire:
    @pytest.mark.parametrize("compression", ["none", "gzip"])
    def test_the_bytes_are_the_stock_exporters(self, serve, http_exporter, compression):
        """Body, method, path and the headers that OTLP asks for."""
        import gzip

        server = serve()
        records = [FULL_RECORD, *batch()]
        deliver(http_exporter(server.url, compression=compression), records)
        (request,) = server.requests
        body = gzip.decompress(request.body) if compression == "gzip" else request.body
        assert body == encode_logs(records).SerializeToString()
        assert request.line == "POST /v1/logs HTTP/1.1"
        assert request.headers["content-type"] == "application/x-protobuf"
        assert request.headers.get("content-encoding") == ("gzip" if compression == "gzip" else None)
        assert "expect" not in request.headers
        assert "transfer-encoding" not in request.headers

    def test_the_same_bytes_as_the_stock_exporter_sends(self, serve, http_exporter):
        """Side by side, on the same server."""
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

        server = serve()
        records = [FULL_RECORD, *batch()]
        stock: Any = OTLPLogExporter(server.url)
        stock.export(records)
        stock.shutdown()
        deliver(http_exporter(server.url), records)
        assert server.bodies[0] == server.bodies[1]

    def test_over_grpc(self, serve_grpc, grpc_exporter):
        """The same message."""
        server = serve_grpc()
        records = [FULL_RECORD, *batch()]
        deliver(grpc_exporter(server.url), records)
        assert server.bodies == [encode_logs(records).SerializeToString()]

    def test_a_bad_record_takes_no_other_with_it(self, serve, http_exporter):
        """It is named by its place in the batch, and the others are stored."""
        server = serve()
        answer = deliver(http_exporter(server.url), [*batch(2), UNENCODABLE, *batch(2)])
        assert (answer.status, server.stored, list(answer.rejected)) == ("delivered", 4, [2])

    def test_nothing_but_bad_records(self, serve, http_exporter):
        """There is nothing to send; all are named."""
        server = serve()
        answer = deliver(http_exporter(server.url), [UNENCODABLE, UNENCODABLE])
        assert (answer.status, list(answer.rejected), server.requests) == ("delivered", [0, 1], [])

    @pytest.mark.slow
    @pytest.mark.parametrize("compression", ["none", "gzip"])
    def test_a_repeat_from_another_process_is_the_same_bytes(self, serve, compression):
        """After a crash, too: neither the process nor the time is in them."""
        import subprocess
        import sys

        code = (
            "from tests.otel_otlp.records import *; import sys; from otel_otlp import OTLPHTTPLogExporter as E;"
            "e = E(sys.argv[1], compression=sys.argv[2]); print(deliver(e, [*batch(9), UNENCODABLE]).status)"
        )
        server = serve()
        for _ in range(2):
            run = [sys.executable, "-c", code, server.url, compression]
            said = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True).stdout
            assert said == "delivered\n"
        assert len(server.bodies) == 2
        assert len(set(server.bodies)) == 1
