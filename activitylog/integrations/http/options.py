"""What an application sets for its requests, checked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from activitylog.event import EVENT_NAME_PATTERN, EVENT_NAME_RULE, MAX_EVENT_NAME_LENGTH
from activitylog.exceptions import ConfigurationError, shown
from activitylog.integrations.http.addresses import Trusts, trusts

#: What a request says; any of it can be left out.
ATTRIBUTES: Final = (
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "url.path",
    "client.address",
    "user_agent.original",
    "session.id",
    "activity.request.id",
)
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@dataclass(frozen=True, slots=True)
class HTTPOptions:
    """
    How requests are read; make it by :func:`http_options`, which checks.

    Attributes:
        trusted: which proxies may say whom they were asked by; by default none.
        client_address_header: where they say it.
        request_id_header: where a proxy or the client says the request's id; empty for nowhere.
        omit: attributes of :data:`ATTRIBUTES` that events are not to have.
        request_event: name of an event that is emitted when a request is done; None for none.
    """

    trusted: Trusts = lambda _address, _hops: False
    client_address_header: str = "X-Forwarded-For"
    request_id_header: str = "X-Request-ID"
    omit: frozenset[str] = frozenset()
    request_event: str | None = None


#: Names of the settings.
HTTP_OPTIONS: Final = (
    "trusted_proxies",
    *(field.name for field in fields(HTTPOptions) if field.name != "trusted"),
)


def http_options(**given: Any) -> HTTPOptions:
    """
    Check what is set for requests.

    Args:
        given: any of :data:`HTTP_OPTIONS`; None is as if it were absent. ``trusted_proxies`` is what
            :func:`activitylog.integrations.http.addresses.trusts` reads.

    Raises:
        ConfigurationError: no such option, or a value that cannot be used.
    """
    values: dict[str, Any] = {}
    for key, value in given.items():
        reader = _READERS.get(key)
        if reader is None:
            near = difflib.get_close_matches(key, _READERS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(_READERS)}."
            raise ConfigurationError(f"There is no option {key!r}.", hint=hint)
        if value is not None:
            values["trusted" if key == "trusted_proxies" else key] = reader(value, key)
    return HTTPOptions(**values)


def _header(value: Any, key: str) -> str:
    if value == "" or (isinstance(value, str) and _HEADER.fullmatch(value)):
        return str(value)
    raise ConfigurationError(f"{key}: expected the name of a header, got {shown(value)}.")


def _omitted(value: Any, key: str) -> frozenset[str]:
    names = [value] if isinstance(value, str) else value
    if isinstance(names, Iterable) and not isinstance(names, (bytes, Mapping)):
        names = list(names)
        unknown = [name for name in names if name not in ATTRIBUTES]
        if not unknown:
            return frozenset(names)
        value = unknown[0]
    raise ConfigurationError(
        f"{key}: {shown(value)} is nothing that a request says.", hint=f"There are: {', '.join(ATTRIBUTES)}."
    )


def _event_name(value: Any, key: str) -> str:
    if isinstance(value, str) and len(value) <= MAX_EVENT_NAME_LENGTH and EVENT_NAME_PATTERN.fullmatch(value):
        return value
    raise ConfigurationError(f"{key}: {shown(value)} is no event name.", hint=f"Write {EVENT_NAME_RULE}.")


_READERS: Final = {
    "trusted_proxies": lambda value, _key: trusts(value),
    "client_address_header": _header,
    "request_id_header": _header,
    "omit": _omitted,
    "request_event": _event_name,
}
