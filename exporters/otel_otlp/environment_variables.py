"""
The variables of OpenTelemetry's specification for OTLP exporters; arguments of the exporters go before them.

For each there is one for logs (``OTEL_EXPORTER_OTLP_LOGS_...``), which goes before the general one:

======================================  ========================================================================
``OTEL_EXPORTER_OTLP_ENDPOINT``          where; see :mod:`otel_otlp.endpoint`
``OTEL_EXPORTER_OTLP_HEADERS``           ``name=value,name=value``, values percent-encoded
``OTEL_EXPORTER_OTLP_TIMEOUT``           how long one attempt may take; see :func:`timeout_seconds`. Default: 10
``OTEL_EXPORTER_OTLP_COMPRESSION``       ``none`` (the default) or ``gzip``
``OTEL_EXPORTER_OTLP_CERTIFICATE``       a PEM file of the authorities to trust
``OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`` a PEM file, with
``OTEL_EXPORTER_OTLP_CLIENT_KEY``        its key
``OTEL_EXPORTER_OTLP_INSECURE``          ``true``: gRPC without TLS, where the endpoint has no scheme
======================================  ========================================================================

A variable that is empty counts as not set.
"""

from __future__ import annotations

import os
from typing import Final

from otel_otlp.exceptions import ConfigurationError

DEFAULT_TIMEOUT_SECONDS: Final = 10.0
DEFAULT_RETRY_DEADLINE_SECONDS: Final = 30.0

_MILLISECONDS_FROM: Final = 1000


def logs_text(name: str) -> str:
    """``OTEL_EXPORTER_OTLP_LOGS_<name>``, or an empty text."""
    return os.environ.get(f"OTEL_EXPORTER_OTLP_LOGS_{name}", "").strip()


def general_text(name: str) -> str:
    """``OTEL_EXPORTER_OTLP_<name>``, or an empty text."""
    return os.environ.get(f"OTEL_EXPORTER_OTLP_{name}", "").strip()


def text(name: str) -> str:
    """The variable for logs, else the general one, else an empty text."""
    return logs_text(name) or general_text(name)


def timeout_seconds(argument: float | None) -> float:
    """
    How long one attempt may take: the argument, in seconds, else the variable.

    The specification says milliseconds, OpenTelemetry's Python SDK says seconds, and both are in use. From 1000
    on the number is taken for milliseconds: nobody lets an attempt take a quarter of an hour.

    Raises:
        ConfigurationError: it is not a number above zero.
    """
    if argument is not None:
        return positive_seconds("timeout_seconds", argument)
    given = text("TIMEOUT")
    if not given:
        return DEFAULT_TIMEOUT_SECONDS
    try:
        number = float(given)
    except ValueError:
        number = 0.0
    number = positive_seconds("OTEL_EXPORTER_OTLP_TIMEOUT", number, given)
    return number / 1000 if number >= _MILLISECONDS_FROM else number


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


def gzip(given: str | None) -> bool:
    """
    Whether to compress: as given, else as the variable says.

    Raises:
        ConfigurationError: neither ``none`` nor ``gzip``.
    """
    name = (given or text("COMPRESSION") or "none").lower()
    if name not in ("none", "gzip"):
        raise ConfigurationError(f"The compression {name!r} is unknown.", hint="Accepted: none, gzip.")
    return name == "gzip"


def insecure() -> bool:
    """
    Whether gRPC goes without TLS where the endpoint does not say.

    Raises:
        ConfigurationError: neither ``true`` nor ``false``.
    """
    given = text("INSECURE").lower()
    if given not in ("", "true", "false"):
        raise ConfigurationError(f"OTEL_EXPORTER_OTLP_INSECURE is {given!r}.", hint="Accepted: true, false.")
    return given == "true"
