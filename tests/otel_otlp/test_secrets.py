"""Headers hold credentials: nothing that is printed, logged or answered has them."""

from __future__ import annotations

import logging
import pickle
from urllib.parse import unquote, unquote_plus

import pytest

from tests.otel_otlp.fault_server import Step, answer
from tests.otel_otlp.grpc_server import Call
from tests.otel_otlp.records import batch, deliver

CANARY = "t0psecret-canary"
QUERY = "0ther-canary"
HEADERS = {"authorization": f"Bearer {CANARY}", "x-key": f"{CANARY}-2"}


@pytest.fixture
def printed(caplog, capfd):
    """All that was logged by anybody at any level, and written to the terminal."""
    caplog.set_level(logging.DEBUG)
    return lambda: caplog.text + "".join(capfd.readouterr()) + repr([one.__dict__ for one in caplog.records])


def test_over_http(serve, http_exporter, printed):
    """In the URL, in the query, in headers; repeated in the body, in a redirect, in the reason."""
    said = f"{CANARY} and Bearer {CANARY} and {CANARY}-2 and {QUERY}".encode()
    steps = [
        answer(status, said, {"Location": f"/{CANARY}?{CANARY}"}) for status in (302, 401, 500, 400, 401, 401)
    ]
    server = serve(*steps)
    url = server.url.replace("http://", f"http://me:{CANARY}-3@") + f"?key={QUERY}"
    exporter = http_exporter(url, headers=HEADERS, retry_deadline_seconds=0.2)
    details = [deliver(exporter, batch()).detail for _ in range(4)]
    exporter.export(batch())
    assert server.requests[0].headers["authorization"] == f"Bearer {CANARY}"
    assert f"?key={QUERY} " in server.requests[0].line
    shown = repr(details) + repr(exporter) + repr(exporter.dropped()) + printed()
    assert CANARY not in shown
    assert QUERY not in shown


@pytest.mark.parametrize(
    "query",
    [
        "key=0ther%2Fcanary%3D%3D",
        "key=0ther%2fcanary%3d%3d&other=1",
        "key=0ther/canary==",
        "key=0ther{canary}",
        "key=0ther+canary&0ther+canary",
        "0ther%2Fcanary",
    ],
)
def test_the_query_as_it_is_sent(serve, http_exporter, printed, query):
    """Servers repeat the line of the request; and what they take it for, decoded in either way."""
    server = serve()
    url = f"{server.url}?{query}"
    deliver(http_exporter(url), batch())
    sent = server.requests[0].line.split()[1].partition("?")[2]
    for said in {query, sent, unquote(sent), unquote_plus(sent), sent.partition("=")[2]}:
        there = serve(answer(404, f"Cannot POST /v1/logs?{said}".encode()))
        exporter = http_exporter(url.replace(str(server.port), str(there.port)))
        detail = deliver(exporter, batch()).detail
        assert "The server says: Cannot POST /v1/logs?" in detail
        assert "anary" not in detail + repr(exporter) + printed()


def test_user_and_password_of_the_url(serve, http_exporter, printed):
    """They are sent as the server expects them, and hidden, in each of their forms."""
    server = serve(answer(401, f"me:{CANARY} {CANARY} bWU6dDBwc2VjcmV0LWNhbmFyeQ==".encode()))
    exporter = http_exporter(server.url.replace("http://", f"http://me:{CANARY}@"))
    detail = deliver(exporter, batch()).detail
    assert server.requests[0].headers["authorization"] == "Basic bWU6dDBwc2VjcmV0LWNhbmFyeQ=="
    assert detail.endswith("The server says: *** *** ***")
    assert CANARY not in printed() + repr(exporter)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_user_and_password_of_the_proxy(serve, http_exporter, printed, monkeypatch, scheme):
    """It repeats what it was sent: in a page, and where it refuses a tunnel."""
    header = "Basic bWU6dDBwc2VjcmV0LWNhbmFyeUA="
    said = f"{header} me:{CANARY}@ {CANARY}@"
    refusal = f"HTTP/1.1 407 {said}\r\nContent-Length: {len(said)}\r\n\r\n{said}".encode()
    proxy = serve(*[Step(refusal, after="close")] * 5)
    monkeypatch.setenv(f"{scheme}_proxy", f"http://me:{CANARY}%40@127.0.0.1:{proxy.port}")
    exporter = http_exporter(f"{scheme}://collector.invalid/v1/logs", retry_deadline_seconds=0.1)
    detail = deliver(exporter, batch()).detail
    exporter.export(batch())
    assert proxy.requests[0].headers["proxy-authorization"] == header
    assert detail.endswith("*** *** ***")
    assert "407" in detail
    shown = detail + repr(exporter) + printed()
    assert CANARY not in shown
    assert header.removeprefix("Basic ") not in shown


@pytest.mark.parametrize(
    "url",
    [
        *[f"http://me:{CANARY}{end}x@127.0.0.1:1" for end in "/?#["],
        *[f"http://me:7{end}{CANARY}@127.0.0.1:1" for end in "/?#"],
        f"me:{CANARY}/x@127.0.0.1:1",
        f"http:/me:{CANARY}@127.0.0.1:1",
        f"http://me:{CANARY}@127.0.0.1:port",
        f"http://me:{CANARY}\u2100@127.0.0.1:1",
        f"http://me:{CANARY}@:1",
        f"socks5://me:{CANARY}@127.0.0.1:1",
    ],
)
def test_a_proxy_that_cannot_be_used(http_exporter, printed, monkeypatch, url):
    """No part of its URL is told: urllib3 takes the password for a port, and quotes it."""
    monkeypatch.setenv("HTTP_PROXY", url)
    exporter = http_exporter("http://collector.invalid/v1/logs", retry_deadline_seconds=0.1)
    answer = deliver(exporter, batch())
    exporter.export(batch())
    assert (answer.status, answer.reason) == ("retry", "unavailable")
    assert answer.detail == (
        "http://collector.invalid/v1/logs: The environment's proxy cannot be used. Accepted: http://host:port, "
        "http://user:password@host:port with both percent-encoded."
    )
    assert CANARY not in repr(exporter) + printed()


def test_when_nobody_answers(http_exporter, grpc_exporter, printed):
    """Errors of the libraries have the URL in them; ours have not."""
    for exporter in (
        http_exporter(
            f"http://me:{CANARY}@127.0.0.1:1/v1/logs?key={CANARY}", headers=HEADERS, retry_deadline_seconds=0.2
        ),
        grpc_exporter("http://127.0.0.1:1", headers=HEADERS, retry_deadline_seconds=0.2),
    ):
        detail = deliver(exporter, batch()).detail
        exporter.export(batch())
        assert CANARY not in detail + repr(exporter) + printed()


def test_over_grpc(serve_grpc, grpc_exporter, printed):
    """The same in a status' message."""
    server = serve_grpc(Call("UNAUTHENTICATED", f"no: {CANARY}, Bearer {CANARY}"), Call("INTERNAL", CANARY))
    exporter = grpc_exporter(server.url, headers=HEADERS, retry_deadline_seconds=0.1)
    detail = deliver(exporter, batch()).detail
    exporter.export(batch())
    assert server.metadata[0]["authorization"] == f"Bearer {CANARY}"
    assert detail.endswith("The server says: no: ***, ***")
    assert CANARY not in repr(exporter) + printed()


def test_an_exporter_is_not_written_to_disk(http_exporter):
    """Its secrets would be in the file."""
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(http_exporter(headers=HEADERS))
