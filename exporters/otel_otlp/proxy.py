"""
The proxy that ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` ask for.

Their URLs hold passwords, and urllib3 quotes in its errors what it cannot parse: it gets them without.
"""

from __future__ import annotations

import urllib.request
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from otel_otlp.endpoint import Endpoint, basic_authorization
from otel_otlp.exceptions import NoAnswerError


@dataclass(frozen=True, slots=True)
class Proxy:
    """
    A checked proxy.

    Attributes:
        url: without user and password.
        authorization: the header that they mean, or empty.
    """

    url: str
    authorization: str = field(default="", repr=False)


def environment_proxy(endpoint: Endpoint) -> Proxy | None:
    """
    What the environment says about the endpoint.

    Raises:
        NoAnswerError: its proxy cannot be used. The message does not repeat it.
    """
    scheme, _, rest = endpoint.shown.partition("://")
    if urllib.request.proxy_bypass(rest.partition("/")[0]):
        return None
    proxies = urllib.request.getproxies()
    text = proxies.get(scheme) or proxies.get("all")
    if not text:
        return None
    return _checked(text if "://" in text else f"http://{text}")


def _checked(text: str) -> Proxy:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises when it is not a port
    except ValueError:  # its text may quote a part of the password
        raise _refused() from None
    behind = parts.path + parts.query + parts.fragment
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in behind:
        raise _refused()  # a '/', '?' or '#' in a password makes a host of the user
    return Proxy(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", basic_authorization(parts))


def _refused() -> NoAnswerError:
    accepted = "http://host:port, http://user:password@host:port with both percent-encoded"
    return NoAnswerError("unavailable", f"The environment's proxy cannot be used. Accepted: {accepted}.")
