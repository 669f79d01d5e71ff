"""Frozen dataclasses of the library as rows for tables, and as plain data for ``--json``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from activitylog.cli.rows import Column, Rows


def rows_of(items: Sequence[Any], names: Sequence[str]) -> Rows:
    """These attributes of each item as a row; the types are those of the first one that has a value."""
    columns = []
    for name in names:
        values = (getattr(item, name) for item in items)
        columns.append(Column(name, _type(next((value for value in values if value is not None), ""))))
    return Rows(tuple(columns), iter([[plain(getattr(item, name)) for name in names] for item in items]))


def _type(value: Any) -> str:
    if isinstance(value, datetime):
        return "DateTime64"
    if isinstance(value, int):
        return "Int64"
    return "Float64" if isinstance(value, float) else "String"


def plain(value: Any) -> Any:
    """What JSON has: times in ISO 8601 and UTC, fields of dataclasses by name, numbers as they are."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
