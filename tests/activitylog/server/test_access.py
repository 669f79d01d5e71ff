"""Which requests are let in: processes on this machine are, pages of other sites are not."""

from __future__ import annotations

import pytest

from activitylog.server.access import check, is_loopback
from activitylog.server.errors import ServerError
from tests.activitylog.server.conftest import Http


class TestHost:
    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1:8123",
            "localhost",
            "LOCALHOST:1",
            "[::1]:8123",
            "192.168.1.7:8123",
            "laptop",
            "app.localhost",
            "laptop.local",
            "host.docker.internal:8123",
            "",
            "store.example.com:8123",
        ],
    )
    def test_own_names_are_served(self, host: str):
        """Addresses, names without dots, private suffixes, and what was allowed."""
        check({"HTTP_HOST": host}, {"store.example.com"})

    @pytest.mark.parametrize(
        "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8123", "[", "a.b:x"]
    )
    def test_other_names_are_refused(self, host: str):
        """A page that points its own name here (DNS rebinding) gets nothing."""
        with pytest.raises(ServerError, match="allowed_hosts") as caught:
            check({"HTTP_HOST": host}, ())
        assert (caught.value.code, caught.value.status) == (497, 403)


class TestPages:
    @pytest.mark.parametrize(
        "headers",
        [
            {"HTTP_ORIGIN": "https://evil.example"},
            {"HTTP_ORIGIN": "null"},
            {"HTTP_ORIGIN": "http://127.0.0.1:9999"},
            {"HTTP_SEC_FETCH_SITE": "cross-site"},
            {"HTTP_SEC_FETCH_SITE": "same-site"},
        ],
    )
    def test_other_sites_are_refused(self, headers: dict[str, str]):
        """What a browser sends for a page of another site is refused, with or without an Origin."""
        with pytest.raises(ServerError) as caught:
            check({"HTTP_HOST": "127.0.0.1:8123", **headers}, ())
        assert caught.value.status == 403

    @pytest.mark.parametrize(
        "headers",
        [
            {"HTTP_ORIGIN": "http://127.0.0.1:8123"},
            {"HTTP_SEC_FETCH_SITE": "none"},
            {"HTTP_SEC_FETCH_SITE": "same-origin"},
        ],
    )
    def test_the_address_bar_and_own_pages_are_served(self, headers: dict[str, str]):
        """Somebody who types the address, and a page of the server itself, are let in."""
        check({"HTTP_HOST": "127.0.0.1:8123", **headers}, ())


class TestThroughTheSocket:
    def test_a_page_cannot_insert(self, http_request: Http):
        """A page that POSTs text/plain changes nothing and learns nothing."""
        http_request("CREATE TABLE t (a Int8) ENGINE = Memory")
        headers = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
        answer = http_request("INSERT INTO t VALUES (1)", headers=headers)
        assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (403, "497")
        assert "access-control-allow-origin" not in answer.headers
        assert http_request("SELECT count() FROM t").text == "0\n"

    def test_no_answer_may_be_embedded(self, http_request: Http):
        """Browsers are told to keep answers from other sites and not to guess their type."""
        answer = http_request(query="SELECT 1")
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("192.168.1.7", False),
        ("a.b", False),
    ],
)
def test_is_loopback(host: str, loopback: bool):
    """Says whether the network can reach a server that is bound there."""
    assert is_loopback(host) is loopback
