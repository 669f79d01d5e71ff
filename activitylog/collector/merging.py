"""Several files as one, as the Collector merges several ``--config``."""

from __future__ import annotations

from activitylog.collector.value import Value


def merged(first: dict[str, Value], second: dict[str, Value]) -> dict[str, Value]:
    """Mappings merge; lists, texts, and a key without a value replace what the first one has."""
    result = dict(first)
    for key, value in second.items():
        result[key] = merge(result[key], value) if key in result else value
    return result


def merge_into(target: dict[str, Value], second: dict[str, Value]) -> None:
    """As :func:`merged`, in place: for mappings that nobody else has."""
    for key, value in second.items():
        there = target.get(key)
        if there is not None and isinstance(there.data, dict) and isinstance(value.data, dict):
            merge_into(there.data, value.data)
        else:
            target[key] = value


def merge(first: Value, second: Value) -> Value:
    """As :func:`merged`, for any values."""
    if isinstance(first.data, dict) and isinstance(second.data, dict):
        return Value(merged(first.data, second.data), first.place)
    return second
