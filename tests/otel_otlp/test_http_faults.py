"""What becomes of a batch when an HTTP server behaves badly, beside what the server really stored."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import socket
import time

import pytest

from tests.otel_otlp.fault_server import (
    CLOSE_AFTER,
    HANG,
    HANG_AFTER,
    NEVER_READS,
    OK,
    PROTOBUF,
    RESET_AFTER,
    RESET_AT_ONCE,
    RESET_BEFORE,
    Step,
    answer,
    partial,
)
from tests.otel_otlp.records import batch, deliver, deliver_and_repeat

BOMB = gzip.compress(b"\0" * 50_000_000)
LOGIN = answer(200, b"<html>Please log in</html>", kind="text/html; charset=utf-8")
#: What nginx answers to an expired client certificate.
NO_TLS = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
NGINX = b"<html><head><title>400 The SSL certificate error</title></head></html>"
#: The beginning of a good answer.
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"


def stored(body: bytes, encoding: str = "") -> Step:
    """The records are stored, whatever the answer is worth."""
    return answer(200, body, {"Content-Encoding": encoding}, kind=PROTOBUF, stores=True)


#: Name, what the server does, status and reason of the answer.
FAULTS = [
    ("success", OK, "delivered", ""),
    ("no content", answer(204, headers={"Content-Length": ""}, stores=True), "delivered", ""),
    ("chunked", Step(HEAD +
                     b"Transfer-Encoding: chunked\r\n\r\n2\r\n\n\0\r\n0\r\n\r\n", stores=True), "delivered", ""),
    ("packed", stored(gzip.compress(b"\n\0"), "gzip"), "delivered", ""),
    ("partial", partial(2, "two are bad"), "delivered", "partial_success"),
    ("more refused than sent", partial(99, "all are bad", stores=False), "delivered", "partial_success"),
    ("only a warning", partial(0, "deprecated"), "delivered", "warning"),
    ("a negative number", partial(-5, stores=True), "delivered", ""),
    ("reset at once", RESET_AT_ONCE, "retry", "connection_lost"),
    ("reset before", RESET_BEFORE, "retry", "connection_lost"),
    ("reset after", RESET_AFTER, "retry", "connection_lost"),
    ("closed after", CLOSE_AFTER, "retry", "connection_lost"),
    ("hang", HANG, "retry", "timeout"),
    ("hang after", HANG_AFTER, "retry", "timeout"),
    *[(f"{status}", answer(status, headers={"Location": "/login?token=abc"}), "retry", f"http_{status}")
      for status in (300, 301, 302, 303, 304, 307, 308)],
    ("302 with a bomb", answer(302, BOMB, {"Location": "/", "Content-Encoding": "gzip"}), "retry", "http_302"),
    *[(f"{status}", answer(status, b"no"), "refused", f"http_{status}") for status in (400, 422)],
    ("400 cut off", Step(b"HTTP/1.1 400 Bad\r\nContent-Length: 99\r\n\r\nno", after="close"),
     "refused", "http_400"),
    *[(f"{status} with a page", answer(status, NGINX, kind=kind), "retry", "not_otlp")
      for status in (400, 422) for kind in ("text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml")],
    ("TLS expected by nginx",
     answer(400, b"<html>The plain HTTP request was sent to HTTPS port", kind="text/html"), "retry", "tls"),
    ("TLS expected", answer(400, b"Client sent an HTTP request to an HTTPS server."), "retry", "tls"),
    ("TLS expected, as Go says it", Step(NO_TLS, before="unread", after="reset"), "retry", "tls"),
    ("400 without a length", Step(b"HTTP/1.1 400 Bad\r\n\r\nno", after="close"), "retry", "not_otlp"),
    ("400, too large", answer(400, b"http: request body too large"), "refused", "too_large"),
    ("400, compression", answer(400, b"unsupported Content-Encoding: gzip"), "retry", "http_400"),
    ("413", answer(413, b"<html>", kind="text/html"), "refused", "too_large"),
    *[(f"{status}", answer(status, b"no"), "retry", f"http_{status}")
      for status in (401, 403, 404, 405, 408, 415, 418, 429, 500, 501, 502, 503, 504, 599)],
    ("a page", LOGIN, "retry", "not_otlp"),
    ("JSON", answer(200, b"{}", kind="application/json", stores=True), "retry", "not_otlp"),
    ("empty", answer(200, stores=True), "retry", "not_otlp"),
    ("garbage", answer(200, b"<html>", kind=PROTOBUF), "retry", "not_otlp"),
    ("until the end", Step(HEAD + b"\r\n\n\0", after="close"), "retry", "broken_answer"),
    ("cut off in the headers", Step(HEAD + b"Content-Le", after="close"), "retry", "broken_answer"),
    ("cut off after a header", Step(HEAD, after="close"), "retry", "broken_answer"),
    ("cut off", Step(HEAD + b"Content-Length: 40\r\n\r\n\n\0",
                     after="close"), "retry", "broken_answer"),
    ("cut off to nothing", Step(HEAD + b"Content-Length: 40\r\n"
                                b"\r\n", after="close"), "retry", "broken_answer"),
    ("chunked, cut off", Step(HEAD +
                              b"Transfer-Encoding: chunked\r\n\r\n2\r\n\n\0\r\n", after="close"),
     "retry", "broken_answer"),
    ("headers, then silence", Step(HEAD +
                                   b"Content-Length: 2\r\n\r\n", stores=True, after="hang"),
     "retry", "broken_answer"),
    ("huge", stored(b"\n\0" * 3_000_000), "retry", "broken_answer"),
    ("bomb", stored(BOMB, "gzip"), "retry", "broken_answer"),
    ("half a gzip", stored(gzip.compress(b"\n\0")[:-4], "gzip"),
     "retry", "broken_answer"),
    ("gzip and more", stored(gzip.compress(b"\n\0") + b"x", "gzip"),
     "retry", "broken_answer"),
    ("no gzip", stored(b"\n\0", "gzip"), "retry", "broken_answer"),
    ("brotli", stored(b"\n\0", "br"), "retry", "broken_answer"),
    ("no HTTP", Step(b"220 mail.example ESMTP\r\n", after="close"), "retry", "connection_lost"),
    ("another protocol", answer(101, after="close"), "retry", "http_101"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "status", "reason"), [fault[1:] for fault in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_fault_and_then_a_good_server(serve, http_exporter, step, status, reason):
    """The answer is the truth about what is stored, one attempt is one request, and a repeat is the same bytes."""
    server = serve(step)
    exporter = http_exporter(server.url, timeout_seconds=0.5 if step.after == "hang" else 20)
    again = http_exporter(server.url, timeout_seconds=20)
    answer = deliver_and_repeat(server, exporter, again, attempts=lambda: server.connections)
    assert (answer.status, answer.reason) == (status, reason)


@pytest.mark.slow
def test_an_address_that_does_not_answer(serve, http_exporter, monkeypatch):
    """A host's other addresses get their share of the time, at each attempt."""
    server = serve()
    with socket.create_server(("127.0.0.2", 0), backlog=0) as deaf, contextlib.ExitStack() as stack:
        for _ in range(3):  # a full queue: the kernel answers no more
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        both = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
            for address in (deaf.getsockname(), ("127.0.0.1", server.port))
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
        assert deliver(http_exporter(server.url, timeout_seconds=1), batch()).status == "delivered"


def test_partial_success_says_how_many_and_what(serve, http_exporter):
    """The number and the server's words reach the answer."""
    answer = deliver(http_exporter(serve(partial(2, "two are\x1b[31m bad")).url), batch(5))
    assert answer.rejected_unknown == 2
    assert answer.detail.endswith("The server refused 2 of 5 records: two are\\x1b[31m bad")


def test_nobody_listens(http_exporter):
    """A refused connection is an answer, too."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        answer = deliver(http_exporter(f"http://127.0.0.1:{port}/v1/logs"), batch())
    assert (answer.status, answer.reason) == ("retry", "unavailable")
    assert answer.detail == f"http://127.0.0.1:{port}/v1/logs: Not connected: [Errno 111] Connection refused"


@pytest.mark.parametrize("host", ["collector.invalid", "a..b", "a" * 70 + ".invalid"])
def test_a_name_that_nobody_knows(http_exporter, host):
    """Names may come into being, so it is tried again; so is what is no name at all."""
    answer = deliver(http_exporter(f"http://{host}/v1/logs"), batch())
    assert (answer.status, answer.reason) == ("retry", "unavailable")


@pytest.mark.slow
@pytest.mark.parametrize(
    "step",
    [
        Step(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 4000, every_seconds=0.05),
        Step(
            HEAD + b"Content-Length: 4000\r\n\r\n",
            after="hang",
        ),
        Step(b"HTTP/1.1 503 No\r\nContent-Length: 4000\r\n\r\n" + b"a" * 4000, every_seconds=0.05),
        NEVER_READS,
    ],
    ids=["headers byte by byte", "no body", "a refusal byte by byte", "nothing is read"],
)
def test_one_deadline_for_all(serve, http_exporter, step):
    """However slowly a server reads or writes, an attempt takes its timeout, and encoding the batch."""
    exporter = http_exporter(serve(step).url, timeout_seconds=0.6)
    began = time.monotonic()
    answer = deliver(exporter, batch(200, severity_text="x" * 50_000))
    assert answer.status == "retry"
    assert 0.5 < time.monotonic() - began < 4


@pytest.mark.slow
@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_the_wall_clock_does_not_matter(serve, http_exporter, monkeypatch, jump):
    """A clock that is put right in the middle of an attempt neither ends it nor keeps it alive."""
    server = serve(OK, HANG)
    exporter = http_exporter(server.url, timeout_seconds=2)
    times = itertools.count(time.time(), jump)
    monkeypatch.setattr(time, "time", lambda: next(times))
    began = time.monotonic()
    assert [deliver(exporter, batch()).reason for _ in range(2)] == ["", "timeout"]
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [({"Retry-After": "7"}, 7.0), ({"Retry-After": "Sun, 06 Nov 1994 08:49:47 GMT",
                                    "Date": "Sun, 06 Nov 1994 08:49:37 GMT"}, 10.0), ({}, None)],
)  # fmt: skip
@pytest.mark.parametrize("status", [302, 429, 503])
def test_the_servers_wish_to_wait(serve, http_exporter, status, asked, seconds):
    """In seconds, or as a date by the server's own clock."""
    answer_ = deliver(http_exporter(serve(answer(status, headers=asked)).url), batch())
    assert answer_.retry_after_seconds == seconds


def test_a_redirect_is_told_and_not_followed(serve, http_exporter):
    """The detail says where it leads, without what may be a secret, and what to do."""
    other = serve()
    server = serve(answer(307, headers={"Location": f"http://me:pw@127.0.0.1:{other.port}/v1/logs?token=t0p"}))
    told = deliver(http_exporter(server.url), batch()).detail
    assert told == (
        f"{server.url}: HTTP 307: the server redirects. Set the endpoint to the final address; redirects are not "
        f"followed. It leads to http://127.0.0.1:{other.port}/v1/logs"
    )
    assert other.requests == []


def test_connections_are_kept(serve, http_exporter):
    """A hundred batches need one connection, and one that the server closed in between costs nothing."""
    server = serve(*[OK] * 49, Step(OK.sends, stores=True, after="close"))
    exporter = http_exporter(server.url)
    assert {deliver(exporter, batch()).status for _ in range(50)} == {"delivered"}
    assert server.ended.acquire(timeout=10)
    assert {deliver(exporter, batch()).status for _ in range(50)} == {"delivered"}
    assert (server.connections, server.stored) == (2, 300)


def test_an_empty_answer_where_it_is_accepted(serve, http_exporter):
    """A server that stores and says nothing can be used, when the application says so; a page is still none."""
    server = serve(answer(200, stores=True), LOGIN)
    exporter = http_exporter(server.url, accept_empty=True)
    assert [deliver(exporter, batch()).status for _ in range(2)] == ["delivered", "retry"]
    assert server.stored == 3


def test_after_shutdown(serve, http_exporter):
    """Nothing is sent, and the batch is not lost by it. Twice is as once."""
    server = serve()
    exporter = http_exporter(server.url)
    exporter.shutdown()
    exporter.shutdown()
    assert deliver(exporter, batch()).reason == "shutdown"
    assert server.requests == []
