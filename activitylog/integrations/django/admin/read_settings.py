"""What ``ACTIVITYLOG`` says about reading: ``read_url`` and ``read_timeout_seconds``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from activitylog.exceptions import ConfigurationError, shown
from activitylog.settings import load_settings
from activitylog.url import DestinationURL, parse

#: How long a page waits for an answer of the store, unless it is set.
READ_TIMEOUT_SECONDS: Final = 5.0
_READABLE: Final = frozenset({"clickhouse", "chdb"})


def read_url(given: Mapping[str, Any]) -> DestinationURL:
    """
    Which store the admin reads.

    Args:
        given: the settings dict ``ACTIVITYLOG``. Its ``read_url``, of a user that may only read, or else the first
            of the destinations that can be read.

    Raises:
        ConfigurationError: there is none, or it is no URL of ClickHouse or chDB.
    """
    if given.get("read_url") is not None:
        return readable_url(given["read_url"])
    for url in load_settings({"url": given.get("url")}).url:
        if url.kind in _READABLE:
            return url
    raise ConfigurationError(
        "Events go to no store that can be read from here.", hint=f"Set ACTIVITYLOG['read_url']. {_ACCEPTED}"
    )


_ACCEPTED: Final = (
    "Accepted: clickhouse://user:password@host:8123/database, clickhouses:// (TLS), chdb:///abs/dir."
)


def readable_url(value: Any) -> DestinationURL:
    """
    Check the setting ``read_url``.

    Raises:
        ConfigurationError: it is no URL of ClickHouse or chDB.
    """
    url = value if isinstance(value, DestinationURL) else parse(value)
    if url.kind in _READABLE:
        return url
    raise ConfigurationError(f"read_url: {url} can be sent to, not read.", hint=_ACCEPTED)


def read_timeout_seconds(given: Mapping[str, Any]) -> float:
    """
    How long a page waits for an answer of the store.

    Args:
        given: the settings dict ``ACTIVITYLOG``.

    Raises:
        ConfigurationError: its ``read_timeout_seconds`` is no number of seconds above 0.
    """
    value = given.get("read_timeout_seconds")
    return READ_TIMEOUT_SECONDS if value is None else timeout_seconds(value)


def timeout_seconds(value: Any) -> float:
    """
    Check the setting ``read_timeout_seconds``.

    Raises:
        ConfigurationError: it is no number of seconds above 0.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf:
        return float(value)
    raise ConfigurationError(f"read_timeout_seconds: expected seconds above 0, got {shown(value)}.")
