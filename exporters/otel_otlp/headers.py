"""
The headers that are sent with each request, from the argument and from the environment.

They hold credentials, so that no error and no log line shows a value: a wrong entry is named by its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from otel_otlp import environment_variables as env
from otel_otlp.exceptions import ConfigurationError

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE: Final = re.compile(r"[\x20-\x7e\t]*")

#: Set by us, or by the protocol; another value would break the request.
_OURS: Final = frozenset({"content-type", "content-length", "content-encoding", "transfer-encoding", "host", "te"})


def resolve_headers(given: Mapping[str, str] | None) -> Mapping[str, str]:
    """
    The headers of the environment, and over them those of the argument. Names are in lower case.

    Raises:
        ConfigurationError: one cannot be sent.
    """
    headers = _from_environment(env.text("HEADERS"))
    headers |= {name.strip().lower(): value.strip() for name, value in (given or {}).items()}
    for place, (name, value) in enumerate(headers.items(), 1):
        _check(place, name, value)
    return headers


def _from_environment(text: str) -> dict[str, str]:
    """``name=value,name=value``, percent-encoded (W3C Baggage, as the specification says)."""
    headers = {}
    for place, entry in enumerate(text.split(","), 1):
        if not entry.strip():
            continue
        name, equals, value = entry.partition("=")
        if not equals:
            raise ConfigurationError(
                f"Entry {place} of OTEL_EXPORTER_OTLP_HEADERS has no '='.",
                hint="Accepted: name=value,name=value, with a comma in a value as %2C.",
            )
        headers[unquote(name).strip().lower()] = unquote(value).strip()
    return headers


def _check(place: int, name: str, value: str) -> None:
    if not _NAME.fullmatch(name) or name in _OURS:
        raise ConfigurationError(
            f"Header {place} has a name that cannot be used.",
            hint="Accepted: letters, digits and '-', but not what the protocol itself sets (Content-Type, Host).",
        )
    if not _VALUE.fullmatch(value):
        raise ConfigurationError(
            f"The value of the header {name!r} cannot be sent.", hint="Accepted: printable ASCII characters."
        )
