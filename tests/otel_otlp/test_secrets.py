"""Headers hold credentials: nothing that is printed, logged or answered has them."""

from __future__ import annotations

import logging
import pickle

import pytest

from tests.otel_otlp.fault_server import answer
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


def test_user_and_password_of_the_url(serve, http_exporter, printed):
    """They are sent as the server expects them, and hidden, in each of their forms."""
    server = serve(answer(401, f"me:{CANARY} {CANARY} bWU6dDBwc2VjcmV0LWNhbmFyeQ==".encode()))
    exporter = http_exporter(server.url.replace("http://", f"http://me:{CANARY}@"))
    detail = deliver(exporter, batch()).detail
    assert server.requests[0].headers["authorization"] == "Basic bWU6dDBwc2VjcmV0LWNhbmFyeQ=="
    assert detail.endswith("The server says: *** *** ***")
    assert CANARY not in printed() + repr(exporter)


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
