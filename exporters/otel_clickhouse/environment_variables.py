"""
Settings from the environment: each with its name, unit and default. Arguments of the exporter go before them.
"""

from __future__ import annotations

import os
from typing import Final

from otel_clickhouse.exceptions import ConfigurationError

OTEL_EXPORTER_CLICKHOUSE_DSN: Final = "OTEL_EXPORTER_CLICKHOUSE_DSN"
"""Where the rows go, see :mod:`otel_clickhouse.dsn`. Default: ``http://localhost:8123/default``."""

OTEL_EXPORTER_CLICKHOUSE_TABLE: Final = "OTEL_EXPORTER_CLICKHOUSE_TABLE"
"""The table, or ``database.table``. Default: ``otel_logs``."""

OTEL_EXPORTER_CLICKHOUSE_CREATE_SCHEMA: Final = "OTEL_EXPORTER_CLICKHOUSE_CREATE_SCHEMA"
"""Whether the table is created when it does not exist: ``true`` (the default) or ``false``."""

OTEL_EXPORTER_CLICKHOUSE_TIMEOUT: Final = "OTEL_EXPORTER_CLICKHOUSE_TIMEOUT"
"""Seconds that one attempt may wait for the server. Default: 10."""

OTEL_EXPORTER_CLICKHOUSE_RETRY_DEADLINE: Final = "OTEL_EXPORTER_CLICKHOUSE_RETRY_DEADLINE"
"""Seconds after which a batch gets no further attempt. Default: 30."""

OTEL_EXPORTER_CLICKHOUSE_PRESENCE_CHECK_AFTER: Final = "OTEL_EXPORTER_CLICKHOUSE_PRESENCE_CHECK_AFTER"
"""
Seconds after a batch's first attempt from which on it is looked for before it is sent again. Default: 300.

A table remembers 10,000 inserts where nothing else is said, which is 1,000 seconds at ten inserts a second; on
Replicated engines the default is an hour, too. 300 seconds leave room for three times as many inserts.
"""

DEFAULT_DSN: Final = "http://localhost:8123/default"
DEFAULT_TABLE: Final = "otel_logs"
DEFAULT_CREATE_SCHEMA: Final = True
DEFAULT_TIMEOUT_SECONDS: Final = 10.0
DEFAULT_RETRY_DEADLINE_SECONDS: Final = 30.0
DEFAULT_PRESENCE_CHECK_AFTER_SECONDS: Final = 300.0

_BOOLEANS: Final = {"true": True, "1": True, "yes": True, "on": True,
                    "false": False, "0": False, "no": False, "off": False}  # fmt: skip


def text(name: str, default: str) -> str:
    """The variable's text; the default when it is not set, or empty (as the OpenTelemetry specification says)."""
    return os.environ.get(name, "").strip() or default


def boolean(name: str, default: bool) -> bool:
    """
    The variable as true or false.

    Raises:
        ConfigurationError: it is neither.
    """
    given = text(name, "")
    if not given:
        return default
    if given.lower() not in _BOOLEANS:
        raise ConfigurationError(f"{name} is {given!r}.", hint=f"Accepted: {', '.join(_BOOLEANS)}.")
    return _BOOLEANS[given.lower()]


def seconds(name: str, default: float) -> float:
    """
    The variable as a number of seconds above zero.

    Raises:
        ConfigurationError: it is not.
    """
    given = text(name, "")
    if not given:
        return default
    try:
        number = float(given)
    except ValueError:
        number = 0.0
    return positive_seconds(name, number, given)


def positive_seconds(name: str, number: float, given: object = None) -> float:
    """
    The number, if it is a finite number of seconds above zero.

    Raises:
        ConfigurationError: it is not; ``given`` is what the message shows instead of the number.
    """
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 < number < float("inf"):
        shown = number if given is None else given
        raise ConfigurationError(f"{name} is {shown!r}.", hint="Accepted: a number of seconds above 0.")
    return float(number)
