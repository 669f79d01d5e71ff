"""What an application sets for its requests, checked."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, TypedDict

from activitylog.event import EVENT_NAME_PATTERN, EVENT_NAME_RULE, MAX_EVENT_NAME_LENGTH
from activitylog.exceptions import ConfigurationError, shown
from activitylog.integrations.http.addresses import Trusts, nobody, trusts

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
        client_address_header: where they say it; empty for nowhere.
        request_id_header: where a proxy or the client says the request's id; empty for nowhere.
        omit: attributes of :data:`ATTRIBUTES` that events are not to have.
        request_event: name of an event that is emitted when a request is done; None for none.
    """

    trusted: Trusts = nobody
    client_address_header: str = "X-Forwarded-For"
    request_id_header: str = "X-Request-ID"
    omit: frozenset[str] = frozenset()
    request_event: str | None = None


class GivenHTTPOptions(TypedDict, total=False):
    """What :func:`http_options` takes, for those who hand it on."""

    trusted_proxies: Any
    client_address_header: str | None
    request_id_header: str | None
    omit: Iterable[str] | str | None
    request_event: str | None


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
            raise unknown_option(key, _READERS)
        if value is not None:
            values["trusted" if key == "trusted_proxies" else key] = reader(value, key)
    return HTTPOptions(**values)


def unknown_option(key: str, known: Iterable[str]) -> ConfigurationError:
    """The error that says so, and which option is near."""
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
    return ConfigurationError(f"There is no option {key!r}.", hint=hint)


def asked(value: Any, key: str) -> Callable[..., Any] | None:
    """
    Check an option that is called for each request or event (``actor``, ``tenant``, ...); None stays None.

    Raises:
        ConfigurationError: it cannot be called, or only from ``async def``, where events are not emitted from.
    """
    if value is None:
        return None
    if not callable(value):
        raise ConfigurationError(f"{key}: expected a function, got {shown(value)}.")
    if inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(getattr(value, "__call__", None)):  # noqa: B004
        raise ConfigurationError(
            f"{key}: expected a function, got a coroutine function.",
            hint="It is called when an event is emitted, which never waits; find the value before, and hand it to "
            "activitylog.integrations.http.bind_request().",
        )
    return value  # type: ignore[no-any-return]


def _header(value: Any, key: str) -> str:
    if isinstance(value, str) and (value == "" or _HEADER.fullmatch(value)):
        return value
    raise ConfigurationError(f"{key}: expected the name of a header, got {shown(value)}.")


def _address_header(value: Any, key: str) -> str:
    name = _header(value, key)
    if name.lower() == "forwarded":
        raise ConfigurationError(
            f"{key}: the header Forwarded (RFC 7239) is not read.",
            hint="Have the proxy send X-Forwarded-For, or a header that holds nothing but the address.",
        )
    return name


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


_READERS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "trusted_proxies": lambda value, _key: trusts(value),
    "client_address_header": _address_header,
    "request_id_header": _header,
    "omit": _omitted,
    "request_event": _event_name,
}
