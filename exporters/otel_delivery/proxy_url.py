"""
The URL of a proxy. It may hold a password, and urllib3 quotes in its errors what it cannot parse: what is given to
it is checked here, and without user and password.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def split_proxy_url(text: str) -> SplitResult | None:
    """The parts of a proxy's URL; None where it cannot be used."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises when it is not a port
    except ValueError:  # its text may quote a part of the password
        return None
    behind = parts.path + parts.query + parts.fragment
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in behind:
        return None  # a '/', '?' or '#' in a password makes a host of the user
    return parts


def without_login(parts: SplitResult) -> str:
    """The proxy's URL without user and password."""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
