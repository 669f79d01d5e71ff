"""
What a status of HTTP means for a batch. Pure: one table, with a reason in each row.

The specification has four statuses tried again (429, 502, 503, 504) and the batch dropped at all others. That
loses events at each wrong password, redirect and deployment. Here only what speaks of the batch itself is refused;
what an operator can put right, or what may pass, is tried again: an attempt too many costs time, one too few
costs events.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple


class Verdict(NamedTuple):
    """
    What to do about an answer that is no success.

    Attributes:
        retryable: whether the same batch comes again.
        why: what the answer means.
        hint: what an operator can do about it.
    """

    retryable: bool
    why: str
    hint: str = ""


def _again(why: str, hint: str = "") -> Verdict:
    return Verdict(True, why, hint)


def _never(why: str, hint: str = "") -> Verdict:
    return Verdict(False, why, hint)


_REDIRECT: Final = "Set the endpoint to the final address; redirects are not followed."
_CREDENTIALS: Final = "Check the credentials in OTEL_EXPORTER_OTLP_HEADERS."
_PATH: Final = "Check host, port and path of the endpoint; OTLP's path is /v1/logs."

STATUSES: Final[Mapping[int, Verdict]] = MappingProxyType(
    {
        # The batch is at fault: the same one is refused again. (With 400 and 422 a page is a proxy's.)
        400: _never("the server cannot read the batch"),
        413: _never("the batch is too large for the server"),
        422: _never("the server cannot take what the batch says"),
        # The way there is at fault, and an operator can put it right while the batch waits.
        300: _again("the server redirects", _REDIRECT),
        301: _again("the server redirects", _REDIRECT),
        302: _again("the server redirects", _REDIRECT),
        303: _again("the server redirects", _REDIRECT),
        304: _again("a cache answers", "Send past the cache: it answers what only a server can."),
        305: _again("the server redirects", _REDIRECT),
        307: _again("the server redirects", _REDIRECT),
        308: _again("the server redirects", _REDIRECT),
        401: _again("credentials are missing, wrong or expired", _CREDENTIALS),
        402: _again("the account is not paid"),
        403: _again("the credentials do not allow it", _CREDENTIALS),
        404: _again("nothing is at this path", _PATH),
        405: _again("something else is at this path", _PATH),
        406: _again("something else is at this path", _PATH),
        407: _again("the proxy wants credentials", "Give them in HTTPS_PROXY or HTTP_PROXY."),
        410: _again("nothing is at this path any more", _PATH),
        411: _again("something between does not pass on the length", _PATH),
        415: _again("the server does not take protobuf, or not in gzip", "Check path and compression."),
        421: _again("the request came to another server", _PATH),
        426: _again("the server wants TLS, or another version of HTTP", "Try https:// in the endpoint."),
        431: _again("the headers are too large", "Check OTEL_EXPORTER_OTLP_HEADERS."),
        451: _again("a law forbids it"),
        # It passes.
        408: _again("the server waited too long for the batch"),
        409: _again("the server is at odds with another request"),
        423: _again("the server is locked"),
        425: _again("the server wants it later"),
        429: _again("the server is asked too often"),
        500: _again("the server failed"),
        502: _again("a proxy got no answer"),
        503: _again("the server is not ready"),
        504: _again("a proxy waited too long"),
        507: _again("the server's disk is full", "Free space on the server's disk."),
        511: _again("the network wants a login first"),
    }
)  # fmt: skip

_UNKNOWN: Final = _again("it is not known what the server means")


def verdict_of(status: int) -> Verdict:
    """What to do about a status that is no success; the unknown is tried again."""
    return STATUSES.get(status, _again("the server failed") if status >= 500 else _UNKNOWN)
