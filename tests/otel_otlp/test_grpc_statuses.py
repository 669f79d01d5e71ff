"""What a status of gRPC means: for any, an answer, and refused only where the batch is at fault."""

from __future__ import annotations

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from otel_otlp.grpc_statuses import CODES, judge

_BROKEN = AnyMessage(type_url="type.googleapis.com/google.rpc.RetryInfo", value=b"\xff")
_trailers = st.lists(
    st.tuples(
        st.sampled_from(["grpc-status-details-bin", "google.rpc.retryinfo-bin", "other-bin", "other"]),
        st.one_of(
            st.binary(max_size=30),
            st.text(max_size=5),
            st.just(Status(details=[_BROKEN]).SerializeToString()),
            st.integers(-(2**63), 2**63 - 1).map(lambda seconds: b"\x0a\x0b\x08" + _varint(seconds)),
        ),
    ),
    max_size=3,
)


def _varint(number: int) -> bytes:
    number &= 2**64 - 1
    digits = [number >> shift & 0x7F for shift in range(0, 70, 7)]
    return bytes([digit | 0x80 for digit in digits[:-1]] + digits[-1:])


@given(st.one_of(st.sampled_from(sorted(CODES)), st.text(max_size=9)), st.text(max_size=50), _trailers)
def test_any_status_is_an_answer(code, message, trailers):
    """No exception, no delivery, and a wish to wait within bounds."""
    answer = judge(code, message, trailers)
    assert answer.status == ("refused" if code == "INVALID_ARGUMENT" else "retry")
    assert answer.retry_after_seconds is None or 0 <= answer.retry_after_seconds <= 600


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("INTERNAL", "Received http2 header with status: 413"),
        ("UNKNOWN", "Received http2 header with status: 4130"),
        ("UNKNOWN", "the collector says: Received http2 header with status: 413"),
        ("UNKNOWN", "Received message larger than max (5242880 vs. 4194304)"),
    ],
)
def test_what_only_sounds_like_a_limit(code, message):
    """Only grpc's own words, under the code that it gives them, speak of this batch."""
    assert judge(code, message, []).status == "retry"
