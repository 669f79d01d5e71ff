"""What is sent is what OpenTelemetry's own encoder writes, and a bad record takes no other with it."""

from __future__ import annotations

import copy
import datetime as dt
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_clickhouse.anyvalue import as_text
from otel_otlp.request import encode_request
from tests.otel_clickhouse.records import FULL_RECORD, record
from tests.otel_otlp.records import UNENCODABLE, batch, deliver
from tests.strategies import Hostile, HostileMapping, any_text

_SURROGATE: Final = "caf\udce9.txt"


def _nested(leaves: st.SearchStrategy[Any], keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
        max_leaves=6,
    )


_plain = st.one_of(
    st.text(max_size=9),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.binary(max_size=9),
    st.none(),
    st.booleans(),
)
_odd = st.one_of(
    _plain,
    any_text(),
    st.sampled_from([2**63, -(2**63) - 1, 2**70, Decimal("1.50"), dt.date(2024, 2, 29), {3}, _SURROGATE]),
)
_records = st.builds(
    lambda attributes, body, resource, scope, scope_attributes: record(
        attributes,
        body=body,
        resource=Resource({"service.name": resource}),
        scope=InstrumentationScope(scope, attributes=scope_attributes),
    ),
    st.one_of(st.none(), st.dictionaries(st.text(max_size=3), _nested(_plain, st.text(max_size=3)), max_size=3)),
    st.one_of(_nested(_plain, st.text(max_size=3)), st.just(Hostile())),
    st.sampled_from(["shop", "bank"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from([None, {"version": 1}, {"version": 2, "beta": True}]),
)


def encodable(one: Any) -> bool:
    """By the stock encoder's own word."""
    try:
        encode_logs([one]).SerializeToString()
    except Exception:  # noqa: BLE001 - it raises anything
        return False
    return True


def logs(payload: bytes) -> Any:
    """The logs of the only resource."""
    (found,) = ExportLogsServiceRequest.FromString(payload).resource_logs
    return found


def arrived(value: Any) -> Any:
    """A value as a server reads it, without the order of mappings."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [arrived(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return mapping(value.kvlist_value.values)
    return getattr(value, kind) if kind else None


def mapping(pairs: Any) -> dict[str, Any]:
    """Attributes as a server reads them."""
    return {pair.key: arrived(pair.value) for pair in pairs}


def wanted(value: Any) -> Any:
    """What is to arrive: the value, or the text that ClickHouse's exporter would store for it."""
    if isinstance(value, list):
        return [*map(wanted, value)]
    if isinstance(value, dict):
        return {as_text(key): wanted(item) for key, item in value.items()}
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    return value if value is None or isinstance(value, (float, bytes)) else as_text(value)


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

    @given(st.dictionaries(any_text(), _nested(_odd, any_text()), max_size=3), _nested(_odd, any_text()))
    def test_what_protobuf_cannot_hold_is_sent_as_text(self, attributes, body):
        """As ClickHouse's exporter stores it, at any depth, beside a good record; what was given stays."""
        good, odd = record({"a": 1}), record(attributes, body=body)
        before = repr((attributes, body))
        request = encode_request([good, odd])
        assert (request.records, request.rejected) == (2, {})
        first, second = logs(request.payload).scope_logs[0].log_records
        assert first == logs(encode_logs([good]).SerializeToString()).scope_logs[0].log_records[0]
        assert repr(mapping(second.attributes)) == repr(wanted(attributes))
        assert repr(arrived(second.body)) == repr(wanted(body))
        assert repr((attributes, body)) == before
        assert encode_request([good, odd]) == request

    def test_the_rest_of_a_record(self):
        """Resource, scope and the short texts; nothing else of the record changes."""
        resource = Resource({"host.name": _SURROGATE, "big": 2**64}, "https://a/\ud800")
        scope = InstrumentationScope(_SURROGATE, "1\ud800", "https://b/\ud800", {"file": _SURROGATE, "ok": 1})
        attributes = BoundedAttributes(2, {"gone": 0, "ok": True, "file": _SURROGATE}, immutable=False)
        log_record = copy.copy(FULL_RECORD.log_record)
        log_record.attributes = attributes
        log_record.severity_text = log_record.event_name = _SURROGATE
        request = encode_request([ReadableLogRecord(log_record, resource, scope)] * 2)
        assert (request.records, request.rejected) == (2, {})
        found = logs(request.payload)
        (of_scope,) = found.scope_logs
        one, other = of_scope.log_records
        assert mapping(found.resource.attributes) == {"host.name": "caf\ufffd.txt", "big": str(2**64)}
        assert (found.schema_url, of_scope.schema_url) == ("https://a/\ufffd", "https://b/\ufffd")
        assert (of_scope.scope.name, of_scope.scope.version) == ("caf\ufffd.txt", "1\ufffd")
        assert mapping(of_scope.scope.attributes) == {"file": "caf\ufffd.txt", "ok": 1}
        assert (one.severity_text, one.event_name) == ("caf\ufffd.txt", "caf\ufffd.txt")
        assert (mapping(one.attributes), one.dropped_attributes_count) == (
            {"ok": True, "file": "caf\ufffd.txt"},
            1,
        )
        assert one == other
        full = logs(encode_logs([FULL_RECORD]).SerializeToString()).scope_logs[0].log_records[0]
        for name in ("severity_text", "event_name", "attributes", "dropped_attributes_count"):
            one.ClearField(name)
            full.ClearField(name)
        assert one == full
        assert log_record.attributes is attributes
        assert (attributes["file"], log_record.event_name, scope.name) == (_SURROGATE,) * 3

    def test_only_one_of_two_resources(self):
        """An attribute that is missing is found wherever it is; equal ones count once."""
        resources = [Resource({"host.name": name, "a": 1}) for name in ("web-1", "web-1", _SURROGATE)]
        scopes = [InstrumentationScope("s", attributes={"v": v}) for v in (1, 1, 2)]
        records = [record({"n": 1}, resource=resource, scope=scope) for resource in resources for scope in scopes]
        found = ExportLogsServiceRequest.FromString(encode_request(records).payload).resource_logs
        names = [mapping(one.resource.attributes)["host.name"] for one in found]
        assert names == ["web-1", "caf\ufffd.txt"]
        assert [len(one.log_records) for two in found for one in two.scope_logs] == [4, 2, 2, 1]
        good = records[:6]
        assert encode_request(good).payload == encode_logs(good).SerializeToString()

    @pytest.mark.parametrize("place", ["attributes", "body"])
    def test_no_attribute_is_lost_in_silence(self, place):
        """However deep a value is: it arrives, or its record is named. So is one without an end."""
        endless: list[Any] = []
        endless.append(endless)
        values: list[Any] = [endless, Hostile(), {Hostile(): 1}, HostileMapping(), [10**5000]]
        for depth in (1, 10, 30, 60, 120, 200, 300, 330, 400, 600):
            value: Any = "the needle"
            for _ in range(depth):
                value = {"k": value}
            values.append(value)
        for value in values:
            fields = {"attributes": {"ok": 1, "deep": value}} if place == "attributes" else {"body": value}
            request = encode_request([record(**fields), record()])
            whole = b"the needle" in request.payload
            assert (request.records, [*request.rejected]) == ((2, []) if whole else (1, [0]))

    def test_the_encoder_is_silent_while_exporting(self, serve, http_exporter, caplog):
        """Its traceback would be exported, fail and be logged again; other threads hear it as before."""
        server = serve()
        assert deliver(http_exporter(server.url), [record({"file": _SURROGATE})]).status == "delivered"
        assert caplog.records == []
        encode_logs([record({"file": _SURROGATE})])
        assert len(caplog.records) == 1

    def test_why(self):
        """The reason has no value in it, which may be secret, and is one printable line."""
        hostile = [record(body=Hostile()), record({"pw": Hostile()}), record(timestamp=-1), record(trace_id=-1)]
        rejected = encode_request(hostile).rejected
        assert rejected[0] == rejected[1] == "cannot be encoded: RuntimeError: no text"
        assert rejected[2] == "cannot be encoded: ValueError: Value out of range: -1"
        assert rejected[3] == "cannot be encoded: OverflowError: can't convert negative int to unsigned"
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
