"""Records to bytes and back: an exporter cannot tell the difference."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import OrderedDict
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import SeverityNumber
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs as encode_otlp
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import TraceFlags

from otel_clickhouse.encoder import encode_logs
from otel_spool import codec
from otel_spool.codec import decode_record, decode_source, encode_record, encode_source
from otel_spool.exceptions import CorruptError, MissingCodecError
from otel_spool.frame import Kind
from tests.otel_spool.records import RESOURCE, SCOPE, record

texts = st.text(st.characters(), max_size=20) | st.sampled_from(["\ud800", "$bytes", "$bytes'", '{"$bytes": "x"}'])
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | texts
    | st.binary(max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
sent_values = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.just(math.nan)
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(params=["msgspec", "json"], autouse=True)
def with_and_without_msgspec(request, monkeypatch):
    """Every test runs in an installation with msgspec, and in one without."""
    if request.param == "json":
        monkeypatch.setattr(codec, "_msgpack", None)
        monkeypatch.setattr(codec, "_unpack", None)
    return request.param


def _back(log: ReadableLogRecord) -> ReadableLogRecord:
    kind, payload = encode_record(log, 7)
    source = decode_source(encode_source(RESOURCE, SCOPE))
    return decode_record(kind, payload, {7: source}.__getitem__)


def _same(left, right) -> bool:
    """Equal, of one type, with NaN equal to itself and zeros of their sign; sequences of any kind."""
    if isinstance(left, float) and isinstance(right, float):
        return (math.isnan(left) and math.isnan(right)) or (
            left == right and math.copysign(1, left) == math.copysign(1, right)
        )
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(_same, left, right))
    return type(left) is type(right) and left == right


class TestRecords:
    """All fields."""

    @given(values)
    def test_any_body(self, body):
        """Whatever OpenTelemetry allows comes back, and what it does not allow, too."""
        assert _same(_back(record(body=body)).log_record.body, body)

    @given(st.dictionaries(texts, values, max_size=5))
    def test_any_attributes(self, attributes):
        """Attributes of every kind."""
        log = record()
        log.log_record.attributes = attributes
        assert _same(_back(log).log_record.attributes, attributes)

    @pytest.mark.parametrize("attributes", [None, {}, {"a": None}])
    def test_no_attributes(self, attributes):
        """Absent is not empty."""
        log = record()
        log.log_record.attributes = attributes
        assert _back(log).log_record.attributes == attributes

    @pytest.mark.parametrize(
        "fields",
        [
            {"timestamp": None, "observed_timestamp": 0, "severity_number": None, "body": None},
            {"timestamp": 0, "severity_text": "", "event_name": ""},
            {"timestamp": 2**63, "severity_text": "Fatal\ud800", "severity_number": SeverityNumber.FATAL4},
            {"event_name": "order.paid", "severity_number": SeverityNumber.UNSPECIFIED},
        ],
    )
    def test_fields(self, fields):
        """Each field, absent, empty and extreme."""
        log = record(**fields)
        found = _back(log).log_record
        expected = log.log_record
        for name in ("timestamp", "observed_timestamp", "severity_number", "severity_text", "body", "event_name"):
            assert getattr(found, name) == getattr(expected, name), name

    def test_no_observed_time(self):
        """It is not made up by the reader."""
        log = record()
        log.log_record.observed_timestamp = None  # type: ignore[assignment]
        assert _back(log).log_record.observed_timestamp is None

    @pytest.mark.parametrize(("trace_id", "span_id", "flags"), [(0, 0, 0), (2**128 - 1, 2**64 - 1, 1), (1, 1, 0)])
    def test_trace(self, trace_id, span_id, flags):
        """Ids of all their bits."""
        log = record()
        log.log_record.trace_id, log.log_record.span_id = trace_id, span_id
        log.log_record.trace_flags = TraceFlags(flags)
        found = _back(log).log_record
        assert (found.trace_id, found.span_id, found.trace_flags) == (trace_id, span_id, TraceFlags(flags))
        assert isinstance(found.trace_flags, TraceFlags)

    def test_dropped_attributes(self):
        """How many attributes were left out by a limit is known to the exporter."""
        log = record()
        log.log_record.attributes = BoundedAttributes(2, {"a": 1, "b": (1, 2), "c": 3}, immutable=False)
        found = _back(log)
        assert found.dropped_attributes == 1
        assert dict(found.log_record.attributes or {}) == {"b": (1, 2), "c": 3}

    def test_mappings_that_are_no_dict(self):
        """They come back as what they say."""
        body = MappingProxyType({"a": OrderedDict(b=[1]), "c": frozenset({3})})
        assert _back(record(body=body)).log_record.body == {"a": {"b": [1]}, "c": [3]}

    def test_values_that_are_nobodys(self):
        """An object that no format knows is its text; one that has none is not written."""

        class Point:
            def __str__(self) -> str:
                return "(1, 2)"

        class Hostile:
            def __str__(self) -> str:
                raise RuntimeError("no text")

        assert _back(record(body=[Point()])).log_record.body == ["(1, 2)"]
        with pytest.raises(RuntimeError):
            encode_record(record(body=Hostile()), 1)

    def test_a_value_in_itself(self):
        """It raises, and takes nothing down."""
        body: list[object] = []
        body.append(body)
        with pytest.raises((RecursionError, ValueError)):
            encode_record(record(body=body), 1)


class TestExporters:
    """What exporters make of it."""

    @pytest.mark.slow
    @given(
        sent_values.filter(lambda value: value is not None),
        st.dictionaries(st.text(min_size=1, max_size=20), sent_values, max_size=4),
    )
    def test_rows_and_otlp_are_the_same(self, body, attributes):
        """ClickHouse's columns and OTLP's bytes are those of the original."""
        log = record(body=body, severity_text="INFO", event_name="order.paid")
        log.log_record.attributes = attributes
        log.log_record.trace_id, log.log_record.span_id = 3, 4
        found = _back(log)
        assert encode_logs([found]) == encode_logs([log])
        assert encode_otlp([found]) == encode_otlp([log])


class TestSources:
    """Resources and scopes."""

    @pytest.mark.parametrize(
        "scope",
        [
            None,
            InstrumentationScope("shop"),
            InstrumentationScope("shop", "1", "https://example.org/s", {"a": (1, 2)}),
        ],
    )
    @pytest.mark.parametrize(
        "resource",
        [
            Resource.get_empty(),
            Resource({"service.name": "shop", "a": (True, False), "n": 1.5}, "https://example.org/r"),
        ],
    )
    def test_a_source_comes_back(self, resource, scope):
        """Attributes, names, versions and schema URLs of both."""
        assert decode_source(encode_source(resource, scope)) == (resource, scope)

    def test_no_resource(self):
        """Is the empty one."""
        assert decode_source(encode_source(None, None)) == (Resource.get_empty(), None)

    @pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b'["",[1]]', b'["",[{}]]', b"\xff", b'["$bytes",'])
    def test_garbage_is_corrupt(self, payload):
        """What is no source says so."""
        with pytest.raises(CorruptError):
            decode_source(payload)


@pytest.mark.parametrize("kind", [Kind.EVENT_JSON, Kind.EVENT_MSGPACK])
@pytest.mark.parametrize("payload", [b"", b"\x00", b'["",[1,2,3]]', b"\x93\x01\x02\x03", b"[" * 3000, b'["",{}]'])
def test_garbage_is_corrupt(kind, payload, with_and_without_msgspec):
    """What is no record says so, and raises nothing else."""
    expected = (
        MissingCodecError if (kind, with_and_without_msgspec) == (Kind.EVENT_MSGPACK, "json") else CorruptError
    )
    with pytest.raises(expected):
        decode_record(kind, payload, lambda number: (RESOURCE, SCOPE))


def test_text_that_looks_like_bytes_stays_text():
    """Bytes are marked with what the value does not have elsewhere."""
    body = [b"\x00\xff", {"$bytes": "aGk="}, {"$bytes'": "no base64"}, "$bytes''", 2**70]
    assert _back(record(body=body)).log_record.body == body


def test_without_msgspec():
    """The package is imported, and writes JSON."""
    code = (
        "import sys; sys.modules['msgspec'] = None\n"
        "from otel_spool.codec import encode_record\n"
        "from tests.otel_spool.records import record\n"
        "print(encode_record(record(), 1)[0].name)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "EVENT_JSON"
