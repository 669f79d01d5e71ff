"""
The proxy that ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` ask for.

Their URLs hold passwords: see :mod:`otel_delivery.proxy_url`.
"""

from __future__ import annotations

import urllib.request
from dataclasses import dataclass, field

from otel_delivery.proxy_url import split_proxy_url, without_login
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
    parts = split_proxy_url(text)
    if parts is None:
        accepted = "http://host:port, http://user:password@host:port with both percent-encoded"
        raise NoAnswerError("unavailable", f"The environment's proxy cannot be used. Accepted: {accepted}.")
    return Proxy(without_login(parts), basic_authorization(parts))
