"""What becomes of a batch when a gRPC server behaves badly, beside what the server really stored."""

from __future__ import annotations

import threading
import time

import grpc
import pytest

from otel_otlp.grpc_statuses import CODES
from tests.otel_otlp.fault_server import HANG as HTTP_HANG
from tests.otel_otlp.fault_server import OK as HTTP_OK
from tests.otel_otlp.fault_server import RESET_AT_ONCE
from tests.otel_otlp.grpc_server import GATED, HANG, HANG_AFTER, OK, Call, partial
from tests.otel_otlp.records import batch, deliver, deliver_and_repeat

RETRIED = sorted(CODES.keys() - {"INVALID_ARGUMENT"})
TOO_LARGE = [
    "Received message larger than max (5242880 vs. 4194304)",
    "grpc: received message larger than max (5242880 vs. 4194304)",
    "gRPC message exceeds maximum size 4194304: 5242880",
    "Received message exceeds the maximum configured message size.",
    "The request exceeds the maximum message size",
]
QUOTAS = ["request rate exceeds maximum of 100/s, retry later", "queue size exceeds maximum of 1000"]

FAULTS = [
    ("success", OK, "delivered", ""),
    ("partial", partial(2, "two are bad"), "delivered", "partial_success"),
    ("only a warning", partial(0, "deprecated"), "delivered", "warning"),
    ("refused", Call("INVALID_ARGUMENT", "bad"), "refused", "grpc_invalid_argument"),
    *[(text, Call("RESOURCE_EXHAUSTED", text), "refused", "too_large") for text in TOO_LARGE],
    ("tonic's", Call("OUT_OF_RANGE", "Error, message length too large: found 5242880 bytes"),
     "refused", "too_large"),
    *[(text, Call("RESOURCE_EXHAUSTED", text), "retry", "grpc_resource_exhausted") for text in QUOTAS],
    ("a size, and a wish", Call("RESOURCE_EXHAUSTED", TOO_LARGE[0], retry_info=5.0),
     "retry", "grpc_resource_exhausted"),
    ("a full queue", Call("RESOURCE_EXHAUSTED", "sending queue is full"), "retry", "grpc_resource_exhausted"),
    *[(code, Call(code, "no"), "retry", f"grpc_{code.lower()}") for code in RETRIED],
    ("stored, then an error", Call("UNAVAILABLE", "no", stores=True), "retry", "grpc_unavailable"),
    ("hang", HANG, "retry", "grpc_deadline_exceeded"),
    ("hang after", HANG_AFTER, "retry", "grpc_deadline_exceeded"),
    ("garbage", Call(sends=b"<html>"), "retry", "not_otlp"),
    ("huge", Call(stores=True, sends=b"\n\0" * 3_000_000), "retry", "grpc_resource_exhausted"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "status", "reason"), [fault[1:] for fault in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_fault_and_then_a_good_server(serve_grpc, grpc_exporter, step, status, reason):
    """The answer is the truth about what is stored, one attempt is one call, and a repeat is the same bytes."""
    server = serve_grpc(step)
    exporter = grpc_exporter(server.url, timeout_seconds=0.5 if step.code == "hang" else 20)
    again = grpc_exporter(server.url, timeout_seconds=20)
    answer = deliver_and_repeat(server, exporter, again, attempts=lambda: len(server.bodies))
    assert (answer.status, answer.reason) == (status, reason)


@pytest.mark.parametrize("bare", [False, True], ids=["in the details", "by itself"])
@pytest.mark.parametrize("code", ["RESOURCE_EXHAUSTED", "UNAVAILABLE"])
def test_the_servers_wish_to_wait(serve_grpc, grpc_exporter, code, bare):
    """RetryInfo, where the specification puts it and where older servers do."""
    server = serve_grpc(Call(code, "later", retry_info=2.5, bare=bare), Call(code, retry_info=1e6))
    exporter = grpc_exporter(server.url)
    asked = [deliver(exporter, batch()).retry_after_seconds for _ in range(2)]
    assert asked == [2.5, 600.0]


def test_the_servers_words(serve_grpc, grpc_exporter):
    """They are in the detail, on one line, printable."""
    server = serve_grpc(Call("UNAUTHENTICATED", "no\x1b[2J such\nkey"))
    assert deliver(grpc_exporter(server.url), batch()).detail == (
        f"{server.url}: UNAUTHENTICATED: credentials are missing, wrong or expired. Check the credentials in "
        "OTEL_EXPORTER_OTLP_HEADERS. The server says: no\\x1b[2J such key"
    )


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 408, 415, 422, 429, 431, 500, 502, 503, 504])
def test_a_proxy_refuses(serve_http2, grpc_exporter, status):
    """Whatever it is about, it is not what the batch says."""
    answer = deliver(grpc_exporter(serve_http2(status).url), batch())
    assert answer.status == "retry"
    assert answer.detail.endswith(f"Received http2 header with status: {status}")


def test_a_proxys_limit(serve_http2, grpc_exporter):
    """nginx's client_max_body_size is known by its 413, and halves are tried."""
    server = serve_http2(413)
    exporter = grpc_exporter(server.url, retry_deadline_seconds=0.2)
    answer = deliver(exporter, batch())
    assert (answer.status, answer.reason) == ("refused", "too_large")
    exporter.export(batch(2))
    assert (server.calls, exporter.dropped()) == (4, {"too_large": 2})


@pytest.mark.parametrize("step", [HTTP_OK, HTTP_HANG, RESET_AT_ONCE], ids=["HTTP/1.1", "silence", "reset"])
def test_what_listens_is_no_grpc(serve, grpc_exporter, step):
    """Not delivered, in time."""
    server = serve(*[step] * 50)
    began = time.monotonic()
    answer = deliver(grpc_exporter(f"127.0.0.1:{server.port}", insecure=True, timeout_seconds=0.7), batch())
    assert answer.status == "retry"
    assert time.monotonic() - began < 4


def test_the_first_attempt_after_an_outage_arrives(serve_grpc, grpc_exporter):
    """However often it failed before: gRPC's own waits between connections do not count."""
    server = serve_grpc()
    exporter = grpc_exporter(server.url)
    server.close()
    assert {deliver(exporter, batch()).reason for _ in range(8)} == {"grpc_unavailable"}
    again = serve_grpc(port=server.port)
    assert deliver(exporter, batch()).status == "delivered"
    assert again.stored == 3


def test_a_doubtful_channel_stays_open_for_other_calls(serve_grpc, grpc_exporter):
    """A failed call opens a new channel for later ones, and breaks none that is under way."""
    server = serve_grpc(GATED, Call("UNAVAILABLE", "no"), OK)
    exporter = grpc_exporter(server.url, timeout_seconds=20)
    slow: list[str] = []
    thread = threading.Thread(target=lambda: slow.append(deliver(exporter, batch()).status))
    thread.start()
    assert server.arrived.acquire(timeout=10)
    assert [deliver(exporter, batch()).reason for _ in range(2)] == ["grpc_unavailable", ""]
    server.gate.set()
    thread.join(20)
    assert slow == ["delivered"]


def test_headers_and_compression(serve_grpc, grpc_exporter):
    """Headers are metadata; the bytes are the same, packed on the way."""
    server = serve_grpc()
    plain, packed = (
        grpc_exporter(server.url, headers={"X-Tenant": "acme"}),
        grpc_exporter(server.url, compression="gzip"),
    )
    assert [deliver(one, batch()).status for one in (plain, packed)] == ["delivered", "delivered"]
    assert server.metadata[0]["x-tenant"] == "acme"
    assert server.bodies[0] == server.bodies[1]


def test_shutdown_ends_a_call(serve_grpc, grpc_exporter):
    """Nobody waits for a server that hangs; the batch comes again."""
    server = serve_grpc(HANG)
    exporter = grpc_exporter(server.url, timeout_seconds=30)
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(deliver(exporter, batch()).status))
    thread.start()
    assert server.arrived.acquire(timeout=10)
    exporter.shutdown()
    thread.join(10)
    assert found == ["retry"]


def test_a_real_servers_limit(serve_grpc, grpc_exporter):
    """Its own words for a batch that is too large are known; halves of it arrive."""
    server = serve_grpc(options=[("grpc.max_receive_message_length", 1500)])
    exporter = grpc_exporter(server.url)
    records = batch(8, severity_text="x" * 200)
    answer = deliver(exporter, records)
    assert (answer.status, answer.reason, server.stored) == ("refused", "too_large", 0)
    assert {deliver(exporter, half).status for half in (records[:4], records[4:])} == {"delivered"}


def test_every_code_has_a_row():
    """None is judged by accident."""
    assert CODES.keys() == {code.name for code in grpc.StatusCode} - {"OK"}
