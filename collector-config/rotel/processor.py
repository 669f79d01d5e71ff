"""
A log processor for Rotel, run by the Python inside it (``--otlp-with-logs-processor FILE``).

Rotel's insert has no column for a record's name, and prints values otherwise than the Collector does: lists and
maps as OTLP's JSON, bytes as hexadecimal, ``1.0`` where the Collector says ``1``. So the name, also an empty one,
travels as an attribute, and every value leaves here as the Collector's text for it (``otel_clickhouse.anyvalue``).

Standard library only. Nothing may be raised or kept: Rotel ends when a processor raises, or still holds a record.
"""

from __future__ import annotations

import json
from base64 import b64encode
from math import isfinite
from typing import Any

#: What the landing table takes the name from. Without it the whole batch is refused.
NAME = "activity.event.name"


def process_logs(resource_logs: Any) -> None:
    """Change the records of one resource in place."""
    if resource_logs.resource is not None:
        _print_attributes(resource_logs.resource.attributes)
    for scope_logs in resource_logs.scope_logs:
        if scope_logs.scope is not None:
            _print_attributes(scope_logs.scope.attributes)
        for record in scope_logs.log_records:
            _print_record(record)


def _print_record(record: Any) -> None:
    from rotel_sdk.open_telemetry.common.v1 import KeyValue  # type: ignore[import-not-found]

    found = _print_attributes(record.attributes)
    if NAME in found:
        found[NAME].value.string_value = record.event_name
    else:
        record.attributes.append(KeyValue.new_string_value(NAME, record.event_name))
    if not record.time_unix_nano:
        record.time_unix_nano = record.observed_time_unix_nano
    body = _read(record.body)
    if body is not None and not isinstance(body, str):
        record.body.string_value = text(body)


def _print_attributes(attributes: Any) -> dict[str, Any]:
    """
    Put texts for values, in the order of the keys.

    Returns:
        The attributes by their keys. Those without a value are gone, as they would be behind the exporter.
    """
    found: dict[str, Any] = {}
    for attribute in attributes:
        value = _read(attribute.value)
        if value is None:
            continue
        if not isinstance(value, str):
            attribute.value.string_value = text(value)
        found[attribute.key] = attribute
    for at, key in enumerate(sorted(found)):
        attributes[at] = found[key]
    for at in reversed(range(len(found), len(attributes))):
        del attributes[at]
    return found


def _read(any_value: Any) -> Any:
    """A value of Rotel's as one of Python's."""
    try:
        value = any_value.value
    except BaseException:  # noqa: BLE001 - Rotel panics where there is no value, and a panic is no Exception
        return None
    kind = type(value).__name__
    if kind == "ArrayValue":
        return [_read(item) for item in value]
    if kind == "KeyValueList":
        return {item.key: _read(item.value) for item in value}
    return bytes(value) if kind == "list" else value


def text(value: Any) -> str:
    """The Collector's text for a value that is not None; empty for what JSON cannot hold."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, float) and not isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[repr(value)]
    try:
        return _json(value)
    except ValueError:
        return ""


def _json(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(key)}:{_json(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, bytes):
        return f'"{b64encode(value).decode()}"' if value else "null"
    if isinstance(value, float):
        return _float(value)
    quoted = json.dumps(value, ensure_ascii=False)
    return quoted.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _float(number: float) -> str:
    """As Go and ECMAScript print it: an exponent below 1e-6 and from 1e21 on."""
    if not isfinite(number):
        raise ValueError(number)
    shown = repr(number)
    if "e" not in shown:
        return shown.removesuffix(".0")
    mantissa, _, exponent = shown.partition("e")
    if not -7 < int(exponent) < 21:
        return f"{mantissa}e{int(exponent):+d}"
    sign, digits = "-" * mantissa.startswith("-"), mantissa.lstrip("-").replace(".", "")
    if int(exponent) < 0:
        return f"{sign}0.{'0' * (-int(exponent) - 1)}{digits}"
    return sign + digits.ljust(int(exponent) + 1, "0")
