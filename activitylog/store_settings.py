"""
The table ``[store]`` of the settings: how the store's tables are made and kept on this deployment.

::

    [store]
    partition_by = "week"          # "day", "week" or "month": what is dropped, moved and archived as one piece
    retention_days = 400           # older parts are dropped (unset: kept for ever)
    rollup_retention_days = 1200   # those of roll-ups and counters (unset: kept for ever)
    cold_after_days = 30           # older parts move to another volume ...
    cold_volume = "cold"           # ... of the storage policy
    storage_policy = "tiered"
    cluster = "main"               # ON CLUSTER, Replicated engines and Distributed tables

    [store.columns]                # attributes of the application's own that become typed, indexed columns
    "order.id" = "String"

Both sides read it: the chain, to know where attributes go; the store, to make the tables. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from activitylog.event import FIELDS
from activitylog.exceptions import ConfigurationError, check_table

PartitionBy = Literal["day", "week", "month"]

#: Types that a column of the application's own may have.
COLUMN_TYPES: Final = (
    "String",
    "LowCardinality(String)",
    "UInt64",
    "Int64",
    "Float64",
    "Bool",
    "UUID",
    "DateTime64(6, 'UTC')",
)
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_ASCII: Final = re.compile(r"[\x20-\x7e]+")
_WORD: Final = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """What ``[store]`` says. Made by :func:`parse_store`, or in code, where nothing is checked."""

    partition_by: PartitionBy = "month"
    """What one partition of the tables of events is. Fixed when the tables are made."""
    retention_days: int | None = None
    """Age at which parts of the table of events are dropped."""
    rollup_retention_days: int | None = None
    """Age at which parts of the roll-ups and of the counters are dropped; not less than :attr:`retention_days`."""
    cold_after_days: int | None = None
    """Age at which parts move to :attr:`cold_volume`."""
    cold_volume: str | None = None
    """Volume of :attr:`storage_policy` for old parts."""
    storage_policy: str | None = None
    """Policy of the server's configuration; its default without."""
    cluster: str | None = None
    """Cluster of the server's configuration; one server without."""
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """ClickHouse type by attribute, see :func:`column_name`."""


def column_name(attribute: str) -> str:
    """The column of an attribute: ``order.id`` -> ``OrderId``, ``cart_total`` -> ``CartTotal``."""
    return "".join(word[0].upper() + word[1:] for word in _WORD.findall(attribute))


def parse_store(table: Any) -> StoreSettings:
    """
    Check the table ``[store]``.

    Raises:
        ConfigurationError: a key that nobody knows, or a value that cannot be used; without the place it is from.
    """
    if isinstance(table, StoreSettings):
        return table
    check_table("store", table, _READERS)
    values = {key: _READERS[key](key, value) for key, value in table.items()}
    settings = StoreSettings(**values)
    _check_tiers(settings)
    return settings


def _check_tiers(settings: StoreSettings) -> None:
    cold, kept = settings.cold_after_days, settings.retention_days
    if (cold is None) != (settings.cold_volume is None):
        raise ConfigurationError(
            "cold_after_days and cold_volume belong together, and one is missing.", hint="Give both or none."
        )
    if cold is not None and kept is not None and cold >= kept:
        raise ConfigurationError(
            f"cold_after_days ({cold}) is not less than retention_days ({kept}).",
            hint="Parts would be dropped before they move.",
        )
    rollups = settings.rollup_retention_days
    if rollups is not None and (kept is None or rollups < kept):
        raise ConfigurationError(
            f"rollup_retention_days ({rollups}) is less than retention_days ({kept or 'for ever'}).",
            hint="Roll-ups last at least as long as the events that they sum up.",
        )


def _one_of(*accepted: str) -> Any:
    def read(key: str, value: Any) -> str:
        if value in accepted:
            return str(value)
        raise ConfigurationError(f"{key} is {value!r}.", hint=f"Accepted: {', '.join(accepted)}.")

    return read


def _days(key: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 36_500:
        return value
    raise ConfigurationError(f"{key} is {value!r}.", hint="Accepted: a whole number of days from 1 to 36,500.")


def _identifier(key: str, value: Any) -> str:
    if isinstance(value, str) and _IDENTIFIER.fullmatch(value):
        return value
    raise ConfigurationError(
        f"{key} is {value!r}.", hint="Accepted: a letter or '_', then letters, digits and '_', at most 128."
    )


def _columns(key: str, value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f"{key} is not a table.", hint='Write [store.columns] and a line "order.id" = "String".'
        )
    ours = {known.attribute: known.column for known in FIELDS if known.column}
    taken: dict[str, str] = {}
    for attribute, kind in value.items():
        if isinstance(kind, Mapping):
            raise ConfigurationError(
                f"{attribute!r} is a table, not a type.",
                hint=f'Write the attribute in quotes: "{attribute}.{next(iter(kind), "id")}" = "String".',
            )
        if kind not in COLUMN_TYPES:
            raise ConfigurationError(
                f"the type of the column for {attribute!r} is {kind!r}.",
                hint=f"Accepted: {', '.join(COLUMN_TYPES)}.",
            )
        if attribute in ours:
            raise ConfigurationError(
                f"{attribute!r} has the column {ours[attribute]} already.", hint="Leave it out of [store.columns]."
            )
        name = column_name(attribute) if isinstance(attribute, str) and _ASCII.fullmatch(attribute) else ""
        if not _IDENTIFIER.fullmatch(name):
            raise ConfigurationError(
                f"{attribute!r} gives no name for a column.",
                hint="Accepted: printing ASCII characters, of which the first letter or digit is a letter.",
            )
        other = _RESERVED.get(name.lower()) or taken.get(name.lower())
        if other:
            raise ConfigurationError(
                f"{attribute!r} gives the column {name}, which {other} has.", hint="Rename the attribute."
            )
        taken[name.lower()] = repr(attribute)
    return MappingProxyType(dict(value))


#: Columns that the table has beside those of :data:`~activitylog.event.FIELDS`, in lower case. Grafana changes its
#: SQL where there is a TimestampTime.
_RECORD_COLUMNS: Final = (
    "Timestamp",
    "TimestampTime",
    "TraceId",
    "SpanId",
    "TraceFlags",
    "SeverityText",
    "SeverityNumber",
    "ServiceName",
    "ResourceSchemaUrl",
    "ScopeSchemaUrl",
    "ScopeName",
    "ScopeVersion",
    "EventName",
    "Body",
    "BodyTemplate",
    "Attributes",
    "LogAttributes",
    "Resource",
    "ResourceAttributes",
    "ScopeAttrs",
    "ScopeAttributes",
    "SampleBy",
)
_RESERVED: Final[Mapping[str, str]] = MappingProxyType(
    {name.lower(): "the table itself" for name in _RECORD_COLUMNS}
    | {known.column.lower(): repr(known.attribute) for known in FIELDS if known.column}
)
_READERS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "partition_by": _one_of("day", "week", "month"),
        "retention_days": _days,
        "rollup_retention_days": _days,
        "cold_after_days": _days,
        "cold_volume": _identifier,
        "storage_policy": _identifier,
        "cluster": _identifier,
        "columns": _columns,
    }
)
