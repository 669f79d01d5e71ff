"""What the driver asks before the first statement: who does not answer that, may later; and the way by a proxy."""

from __future__ import annotations

import os

import pytest

from tests.otel_clickhouse.fault_server import Answering
from tests.otel_clickhouse.records import ACTOR_COLUMNS, FULL_RECORD, record

_UID = "01900000-0000-7000-8000-00000000000f"
#: The first bytes of an answer: three columns, ever so many rows.
_BEGUN = b"\x03\xff\x01\x04name\x06Strin"
CANARY = "hunter2-canary"

FAULTS = {
    "cut off": (Answering(200, _BEGUN, by_clickhouse=True, missing=99), "no_answer"),
    "ended early": (Answering(200, _BEGUN, by_clickhouse=True), "no_answer"),
    "timed out": (Answering(200, _BEGUN, by_clickhouse=True, missing=99, hangs=True), "no_answer"),
    "a page": (Answering(200, b"<html><body>please log in</body></html>" * 20), "not_clickhouse"),
    "a page in Latin-1": (Answering(200, "<html>Schlüssel</html>".encode("latin-1") * 20), "not_clickhouse"),
    "not packed": (Answering(200, b"<html>" * 20, {"Content-Encoding": "lz4"}), "not_clickhouse"),
    "busy": (Answering(503, b"busy"), "http_503"),
}


@pytest.mark.parametrize("name", FAULTS)
class TestNoAnswer:
    def test_comes_again(self, serve_faults, exporter_for, name):
        """It says nothing about the batch: ``export`` tries until the deadline, ``deliver`` answers "retry"."""
        server = serve_faults()
        server.asked, (server.question, reason) = b"system.settings", FAULTS[name]
        exporter = exporter_for(server.url, create_schema=False, timeout_seconds=0.2, retry_deadline_seconds=0.1)
        exporter.export([FULL_RECORD])
        answer = exporter.deliver([FULL_RECORD], token="b-1", first_attempt_ns=None)
        assert (answer.status, answer.reason, exporter.dropped()) == ("retry", reason, {"deadline": 1})
        server.question = None
        assert exporter.deliver([FULL_RECORD], token="b-1", first_attempt_ns=None).status == "delivered"

    def test_is_no_leave_to_send_unchecked(self, serve_faults, exporter_for, name):
        """Whether an old batch is there can be asked later."""
        server = serve_faults()
        server.asked, (server.question, reason) = b"system.settings", FAULTS[name]
        exporter = exporter_for(server.url, table="events", columns=ACTOR_COLUMNS, timeout_seconds=0.2)
        answer = exporter.deliver([record({"log.record.uid": _UID})], token="b-1", first_attempt_ns=1)
        assert (answer.status, answer.reason, server.inserts) == ("retry", reason, [])


@pytest.fixture
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("_no_proxies")
class TestProxy:
    @pytest.mark.parametrize("given", ["option", "environment"])
    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize(
        "url",
        [
            *[f"http://me:{CANARY}{end}x@127.0.0.1:1" for end in "/?#["],
            *[f"http://me:7{end}{CANARY}@127.0.0.1:1" for end in "/?#"],
            f"me:{CANARY}/x@127.0.0.1:1",
            f"http://me:{CANARY}",
            f"http://me:{CANARY}@127.0.0.1:port",
            f"httpme:{CANARY}/@127.0.0.1:1",
            f"socks5://me:{CANARY}@127.0.0.1:1",
        ],
    )
    def test_that_cannot_be_used(self, exporter_for, lines, monkeypatch, url, scheme, given):
        """No part of its URL is told: urllib3 takes the password for a port, and quotes it."""
        database = "logs"
        if given == "option":
            quoted = "".join(f"%{byte:02X}" for byte in url.encode())
            database = f"logs?{scheme}_proxy={quoted}"
        else:
            monkeypatch.setenv(f"{scheme}_proxy", url)
        dsn = f"clickhouse{'s' if scheme == 'https' else ''}://db.invalid:9/{database}"
        exporter = exporter_for(dsn, create_schema=False, retry_deadline_seconds=0.1)
        answer = exporter.deliver([FULL_RECORD], token="b-1", first_attempt_ns=None)
        exporter.export([FULL_RECORD])
        assert (answer.status, answer.reason) == ("retry", f"{scheme}_proxy")
        assert answer.detail == (
            f"{dsn.partition('?')[0]}: {scheme}_proxy cannot be used. Accepted: http://host:port, https://host:port."
        )
        assert CANARY not in repr(lines()) + repr(exporter)

    @pytest.mark.parametrize("end", ["", "\\x"])
    def test_its_password(self, exporter_for, lines, monkeypatch, end):
        """The driver does not send it; where nobody listens, it is in no line."""
        monkeypatch.setenv("HTTP_PROXY", f"http://me:{CANARY}{end}@127.0.0.1:1")
        exporter = exporter_for("clickhouse://db.invalid:9/logs", create_schema=False)
        answer = exporter.deliver([FULL_RECORD], token="b-1", first_attempt_ns=None)
        assert (answer.status, answer.reason) == ("retry", "no_answer")
        assert "Connection refused" in answer.detail
        assert CANARY not in answer.detail + repr(lines())

    @pytest.mark.parametrize("given", ["option", "environment", "secure"])
    def test_is_used(self, serve_faults, exporter_for, monkeypatch, given):
        """That of the DSN, or of the environment; with TLS it is asked for a tunnel."""
        server = serve_faults()
        address = f"me:{CANARY}@127.0.0.1:{server.port}"
        dsn = "clickhouse://db.invalid:9/logs"
        if given == "option":
            dsn += f"?http_proxy={address}"
        elif given == "environment":
            monkeypatch.setenv("HTTP_PROXY", f"http://{address}")
        else:
            dsn = f"clickhouses://db.invalid:9/logs?https_proxy=http://{address}"
        answer = exporter_for(dsn, create_schema=False).deliver([FULL_RECORD], token="b-1", first_attempt_ns=None)
        if given == "secure":
            assert "Tunnel connection failed: 501" in answer.detail
        else:
            assert (answer.status, [insert.token for insert in server.inserts]) == ("delivered", ["b-1"])

    def test_is_not_used_for(self, serve_faults, exporter_for, monkeypatch):
        """``NO_PROXY`` has the say, whatever the proxy is."""
        server = serve_faults()
        monkeypatch.setenv("HTTP_PROXY", f"http://me:{CANARY}/")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        exporter = exporter_for(server.url, create_schema=False)
        assert exporter.deliver([FULL_RECORD], token="b-1", first_attempt_ns=None).status == "delivered"
