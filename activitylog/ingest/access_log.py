r"""
Access logs of Apache and nginx: one answered request a line.

Read are the common log format, the combined one (nginx writes it by default), nginx's ``main`` (combined and
``"$http_x_forwarded_for"``), and Apache's ``vhost_combined`` (the virtual host and its port in front)::

    [host:port ]address identity user [17/May/2015:10:05:03 +0000]
        "request line" status size[ "referrer" "user agent"[ "forwarded"]]

Inside quotes ``\"``, ``\\``, ``\n`` and the like, and ``\xhh`` are undone, as both servers write them.
Bytes that are not UTF-8 stay visible as ``\xhh``. A request line that is none (a TLS handshake sent to
port 80, a scanner's bytes) is still a request that the server answered: the event has it whole as
``http.request.line``. A line that does not have the form, a quote that is never closed, is rejected.

| in the line | in the event |
|---|---|
| remote user, else address | actor ``user``, else actor ``client`` |
| address | ``client.address`` |
| request line | ``http.request.method``, ``url.path``, ``url.query``, ``network.protocol.version`` |
| a target with a host in it | ``url.full``, too |
| status | ``http.response.status_code``, and the outcome |
| size, unless ``-`` | ``http.response.body.size`` |
| referrer, user agent, unless ``-`` | ``http.request.header.referer``, ``user_agent.original`` |
| forwarded, unless ``-`` | ``http.request.header.x-forwarded-for`` |
| virtual host, port | ``server.address``, ``server.port`` |
| identity, unless ``-`` | ``client.identity`` |

The outcome is ``denied`` for 401 and 403, else ``failure`` from 400 on, else ``success``. Paths and
queries stay as the client sent them, percent signs included.

Quantifiers are possessive or bounded, so the time for a line grows with its length and no faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

from activitylog.ingest.fields import Event
from activitylog.ingest.lines import Rejected, excerpt

#: Event name of a line of an access log.
REQUEST_SERVED: Final = "request.served"

_QUOTED: Final = rb'"((?:[^"\\]|\\.)*+)"'
_START: Final = re.compile(
    rb"(?:([^\s:]++):(\d{1,5}) (?=\S+ \S))?+(\S++) (\S++) (.{0,256}?) "
    rb"\[(\d\d/[A-Za-z]{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
)
_REST: Final = re.compile(
    _QUOTED + rb" (\d{3}) (\d{1,19}|-)(?: " + _QUOTED + rb" " + _QUOTED + rb"(?: " + _QUOTED + rb")?+)?+ *+"
)
_REQUEST: Final = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,31}) (\S++)(?: HTTP/(\d(?:\.\d)?))?")
_ESCAPE: Final = re.compile(rb'\\(?:x([0-9A-Fa-f]{2})|(["\\abfnrtv]))')
_ESCAPED: Final = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), 1
    )
}


def read_access_log(
    lines: Iterable[tuple[int, bytes | Rejected]], *, event: str = REQUEST_SERVED, tenant: str | None = None
) -> Iterator[tuple[int, Event | Rejected]]:
    """
    Turn lines into events.

    Args:
        lines: ``(number, line)``, as :class:`activitylog.ingest.Lines` gives them.
        event: name of the events.
        tenant: whose they are.

    Yields:
        ``(number, event)``, or ``(number, Rejected)`` for each line that is none. Never raises for what
        stands in a line.
    """
    for number, line in lines:
        if isinstance(line, Rejected):
            yield number, line
            continue
        try:
            request = _parse(line)
        except ValueError as error:
            yield number, Rejected(str(error), excerpt(line))
            continue
        request["event"] = event
        if tenant is not None:
            request["tenant"] = tenant
        yield number, request


def looks_like_access_log(line: bytes) -> bool:
    """Whether a line begins as a line of an access log does."""
    return _START.match(line) is not None


def _parse(line: bytes) -> Event:
    start = _START.match(line)
    if start is None:
        raise ValueError("not the beginning of an access log line: address identity user [time]")
    rest = _REST.fullmatch(line, start.end())
    if rest is None:
        raise ValueError(_what_is_missing(line[start.end() :]))
    host, port, address, identity, user, time = start.groups()
    request, status, size, referrer, agent, forwarded = rest.groups()
    client = _text(address)
    event: Event = {
        "timestamp": _time_ns(time),
        "actor": ("client", client) if user in _NOBODY else ("user", _text(user)),
        "outcome": _outcome(int(status)),
        "client.address": client,
    }
    _add_request_line(event, _unescaped(request))
    event["http.response.status_code"] = int(status)
    if size != b"-":
        event["http.response.body.size"] = int(size)
    for name, value in (
        ("http.request.header.referer", referrer),
        ("user_agent.original", agent),
        ("http.request.header.x-forwarded-for", forwarded),
    ):
        if value and value != b"-":
            event[name] = _unescaped(value)
    if identity != b"-":
        event["client.identity"] = _text(identity)
    if host:
        event["server.address"], event["server.port"] = _text(host), int(port)
    return event


_NOBODY: Final = frozenset({b"-", b"", b'""'})


def _what_is_missing(rest: bytes) -> str:
    if not re.match(_QUOTED, rest):
        return "the quote around the request line is missing or never closed"
    if not re.match(_QUOTED + rb" \d{3} (?:\d{1,19}|-)(?: |$)", rest):
        return "no status and size after the request line"
    if rest.count(b'"') % 2:
        return "a quote is never closed: the line was cut off"
    return "something else than a quoted referrer and user agent after the size"


def _add_request_line(event: Event, request: str) -> None:
    match = _REQUEST.fullmatch(request)
    if match is None:
        if request and request != "-":
            event["http.request.line"] = request
        return
    method, target, version = match.groups()
    event["http.request.method"] = method
    if "://" in target[:12]:
        event["url.full"] = target
        host_and_path = target.split("://", 1)[1]
        target = host_and_path[at:] if (at := host_and_path.find("/")) >= 0 else "/"
    path, mark, query = target.partition("?")
    event["url.path"] = path
    if mark and query:
        event["url.query"] = query
    if version:
        event["network.protocol.version"] = version


def _outcome(status: int) -> str:
    if status in (401, 403):
        return "denied"
    return "failure" if status >= 400 else "success"


def _unescaped(value: bytes) -> str:
    if b"\\" in value:
        value = _ESCAPE.sub(_plain, value)
    return _text(value)


def _plain(match: re.Match[bytes]) -> bytes:
    code, letter = match.groups()
    return bytes((int(code, 16),)) if code else _ESCAPED.get(letter, letter)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


@lru_cache(maxsize=4096)
def _time_ns(time: bytes) -> int:
    """Nanoseconds of ``17/May/2015:10:05:03 +0000``."""
    month = _MONTHS.get(time[3:6].title())
    if month is None:
        raise ValueError(f"there is no month {_text(time[3:6])!r}")
    offset = timedelta(hours=int(time[22:24]), minutes=int(time[24:26]))
    try:
        zone = timezone(-offset if time[21:22] == b"-" else offset)
        moment = datetime(
            int(time[7:11]),
            month,
            int(time[:2]),
            int(time[12:14]),
            int(time[15:17]),
            int(time[18:20]),
            tzinfo=zone,
        )
        seconds = int(moment.timestamp())
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the time {_text(time)!r} is no date of the calendar: {error}") from None
    if not 0 < seconds < 9_223_372_036:
        raise ValueError(f"the time {_text(time)!r} is out of range: times from 1970 to 2262 can be stored")
    return seconds * 10**9
