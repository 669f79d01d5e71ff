"""Access logs of Apache and nginx."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.ingest import Lines, Rejected, read_access_log

COMMON = b'83.149.9.216 - - [17/May/2015:10:05:03 +0000] "GET /a/b.png?w=5&h= HTTP/1.1" 200 203023'
COMMON_EVENT = {
    "event": "request.served",
    "timestamp": 1431857103_000000000,
    "actor": ("client", "83.149.9.216"),
    "outcome": "success",
    "client.address": "83.149.9.216",
    "http.request.method": "GET",
    "url.path": "/a/b.png",
    "url.query": "w=5&h=",
    "network.protocol.version": "1.1",
    "http.response.status_code": 200,
    "http.response.body.size": 203023,
}


def read_one(line: bytes) -> object:
    [(_, result)] = read_access_log(Lines(io.BytesIO(line)))
    return result


def request(line: bytes) -> dict[str, object]:
    result = read_one(b'::1 - - [17/May/2015:10:05:03 +0000] "' + line + b'" 200 -')
    assert isinstance(result, dict)
    known = {"event", "timestamp", "actor", "outcome", "client.address", "http.response.status_code"}
    return {key: value for key, value in result.items() if key not in known}


class TestForms:
    def test_common(self) -> None:
        """The common log format."""
        assert read_one(COMMON) == COMMON_EVENT

    def test_combined(self) -> None:
        """The combined format, which nginx writes by default, adds referrer and user agent."""
        assert read_one(COMMON + b' "http://x/?q=1" "Mozilla/5.0 (\\"quoted\\")"') == COMMON_EVENT | {
            "http.request.header.referer": "http://x/?q=1",
            "user_agent.original": 'Mozilla/5.0 ("quoted")',
        }

    def test_dashes_are_absent(self) -> None:
        """A dash means that there was nothing."""
        assert read_one(COMMON + b' "-" "-"') == COMMON_EVENT

    def test_forwarded_for(self) -> None:
        """nginx's packaged format has the forwarded address behind the user agent."""
        assert read_one(COMMON + b' "-" "-" "10.0.0.1, 10.0.0.2"') == COMMON_EVENT | {
            "http.request.header.x-forwarded-for": "10.0.0.1, 10.0.0.2"
        }

    def test_virtual_host(self) -> None:
        """Apache's vhost_combined has the host and its port in front."""
        assert read_one(b"www.example.org:443 " + COMMON + b' "-" "-"') == COMMON_EVENT | {
            "server.address": "www.example.org",
            "server.port": 443,
        }

    def test_ipv6_client_is_no_virtual_host(self) -> None:
        """An address with colons is the client's."""
        result = read_one(COMMON.replace(b"83.149.9.216", b"::1"))
        assert result == COMMON_EVENT | {"actor": ("client", "::1"), "client.address": "::1"}

    def test_remote_user_is_the_actor(self) -> None:
        """A user who logged in is the actor, also one with a space in the name; the address stays."""
        result = read_one(COMMON.replace(b"- -", b"ident ada lovelace"))
        assert result == COMMON_EVENT | {"actor": ("user", "ada lovelace"), "client.identity": "ident"}

    @pytest.mark.parametrize(
        ("zone", "seconds"), [(b"+0000", 0), (b"+0200", -7200), (b"-0330", 12600), (b"+0545", -20700)]
    )
    def test_zone(self, zone: bytes, seconds: int) -> None:
        """The time is turned to UTC."""
        result = read_one(COMMON.replace(b"+0000", zone))
        assert isinstance(result, dict)
        assert result["timestamp"] == (1431857103 + seconds) * 10**9

    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            (b"101", "success"),
            (b"304", "success"),
            (b"401", "denied"),
            (b"403", "denied"),
            (b"404", "failure"),
            (b"499", "failure"),
            (b"503", "failure"),
        ],
    )
    def test_outcome(self, status: bytes, outcome: str) -> None:
        """401 and 403 are denied, other errors failures."""
        result = read_one(COMMON.replace(b" 200 ", b" " + status + b" "))
        assert isinstance(result, dict)
        assert result["outcome"] == outcome


class TestRequestLines:
    def test_whole_url(self) -> None:
        """A proxy's request keeps the whole URL beside its path."""
        assert request(b"GET http://example.org/x?y HTTP/1.0") == {
            "http.request.method": "GET",
            "url.full": "http://example.org/x?y",
            "url.path": "/x",
            "url.query": "y",
            "network.protocol.version": "1.0",
        }

    def test_old_request_without_a_version(self) -> None:
        """HTTP 0.9 has a method and a path."""
        assert request(b"GET /") == {"http.request.method": "GET", "url.path": "/"}

    @pytest.mark.parametrize(
        ("line", "text"),
        [
            (rb"\x16\x03\x01\x02", "\x16\x03\x01\x02"),
            (rb"\xff\xc3\xa9", "\\xffé"),
            (b"GET /a b HTTP/1.1", "GET /a b HTTP/1.1"),
            (b"\xffraw", "\\xffraw"),
        ],
    )
    def test_what_is_no_request_is_kept_whole(self, line: bytes, text: str) -> None:
        """Bytes that are no request are an event with the line as it came, escapes undone."""
        assert request(line) == {"http.request.line": text}

    @pytest.mark.parametrize("line", [b"-", b""])
    def test_no_request_at_all(self, line: bytes) -> None:
        """A connection that sent nothing (408) is an event without a request."""
        assert request(line) == {}


class TestMalformed:
    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (b"garbage", "not the beginning of an access log line"),
            (COMMON.replace(b"May", b"Mai"), "there is no month 'Mai'"),
            (COMMON.replace(b"17/", b"32/"), "no date of the calendar"),
            (COMMON.replace(b"2015", b"1950"), "out of range"),
            (COMMON[:60], "the quote around the request line is missing or never closed"),
            (COMMON.replace(b"200", b"2x0"), "no status and size after the request line"),
            (COMMON + b' "-" "Mozilla (+http://goo', "a quote is never closed: the line was cut off"),
            (COMMON + b" - -", "something else than a quoted referrer and user agent after the size"),
        ],
    )
    def test_reasons(self, line: bytes, reason: str) -> None:
        """Each way in which a line is not of the form has its reason."""
        result = read_one(line)
        assert isinstance(result, Rejected)
        assert reason in result.reason

    @pytest.mark.parametrize(
        "line", [b"[" * 200_000, b"a " * 200_000, COMMON + b' "' + b"\\" * 400_000, b'"' * 200_000]
    )
    def test_hostile_lines_take_no_longer_than_their_length(self, line: bytes) -> None:
        """Lines made to send a pattern into backtracking are rejected in less than a second of work."""
        started = time.thread_time()
        assert isinstance(read_one(line), Rejected)
        assert time.thread_time() - started < 1

    @given(st.binary(max_size=300))
    def test_any_bytes_give_events_or_rejections(self, content: bytes) -> None:
        """No bytes whatever raise."""
        results = [result for _, result in read_access_log(Lines(io.BytesIO(content)))]
        assert all(isinstance(result, (dict, Rejected)) for result in results)

    @given(st.binary(max_size=120))
    def test_any_bytes_as_a_request_line_never_raise(self, content: bytes) -> None:
        """No request line whatever raises."""
        line = b'::1 - - [17/May/2015:10:05:03 +0000] "' + content + b'" 400 0'
        for _, result in read_access_log(Lines(io.BytesIO(line))):
            assert isinstance(result, (dict, Rejected))


def escaped(text: str) -> bytes:
    """As nginx writes a value: quotes, backslashes, control and other non-ASCII bytes as hex."""
    return b"".join(
        b"\\x%02X" % byte if byte in b'"\\' or not 32 <= byte < 127 else bytes((byte,)) for byte in text.encode()
    )


word = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Z", "Cc")), min_size=1, max_size=20)
text = st.text(st.characters(codec="utf-8"), max_size=40)


class TestRoundTrip:
    @given(
        address=st.ip_addresses(),
        seconds=st.integers(1, 4_000_000_000),
        method=st.sampled_from(["GET", "POST", "PROPFIND", "M-SEARCH"]),
        path=word,
        query=word,
        status=st.integers(100, 599),
        size=st.none() | st.integers(0, 10**15),
        referrer=text,
        agent=text,
    )
    def test_a_generated_line_gives_back_its_values(
        self, address, seconds, method, path, query, status, size, referrer, agent
    ) -> None:
        """Whatever a server writes, with its escapes, comes back as it was."""
        path = "/" + path.replace("?", "")
        when = datetime.fromtimestamp(seconds, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000").encode()
        line = b'%s - - [%s] "%s %s?%s HTTP/2.0" %d %s "%s" "%s"' % (
            str(address).encode(),
            when,
            method.encode(),
            escaped(path),
            escaped(query),
            status,
            b"-" if size is None else b"%d" % size,
            escaped(referrer) or b"-",
            escaped(agent) or b"-",
        )
        event = read_one(line)
        assert isinstance(event, dict)
        expected = {
            "event": "request.served",
            "timestamp": seconds * 10**9,
            "actor": ("client", str(address)),
            "outcome": "denied" if status in (401, 403) else "failure" if status >= 400 else "success",
            "client.address": str(address),
            "http.request.method": method,
            "url.path": path,
            "url.query": query,
            "network.protocol.version": "2.0",
            "http.response.status_code": status,
        }
        if size is not None:
            expected["http.response.body.size"] = size
        if referrer not in ("", "-"):
            expected["http.request.header.referer"] = referrer
        if agent not in ("", "-"):
            expected["user_agent.original"] = agent
        assert event == expected
