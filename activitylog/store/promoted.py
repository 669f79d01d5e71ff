"""
Attributes of the application's own as typed, indexed columns: the table ``[store.columns]`` of the settings.

The column is computed from the map of attributes, by the engine::

    ALTER TABLE activity_events ADD COLUMN IF NOT EXISTS `OrderId` String DEFAULT Attributes['order.id']
    CODEC(ZSTD(1))

- **Both ways in.** Writers name their columns, and this one is not among them: the direct exporter, the view
  behind the Collector and programs of an older version fill it without knowing it. An insert that runs during
  the change writes a part without the column; nothing is lost and nothing is rewritten.
- **Old rows.** A part without the column computes it when it is read, and stores it when it is merged. ``ALTER
  TABLE activity_events MATERIALIZE COLUMN "OrderId"`` does that at once, at the cost of rewriting the column for
  all rows.
- **DEFAULT, not MATERIALIZED.** Both are computed at insert when not given. But ``SELECT *`` has a DEFAULT
  column, so archives and exports do, too, and rows that come back from an archive may be inserted with it; a
  MATERIALIZED column refuses that. And a later writer may fill it itself.
- **The attribute stays in the map**, so ``LogAttributes['order.id']`` answers as before. A text that the type
  cannot hold (``'n/a'`` for a number) is 0, the nil UUID or 1970, never an error that would stop inserts: the
  map has the text, and ``mapContains(Attributes, 'order.id')`` tells 0 from absent.
- **The copy costs**, measured on two million events of 14.7 bytes of which three in five had the attribute: 5.1
  bytes an event for a random order id of 16 digits shared by a few events, and 0.7 for its index; 1.5 for a
  number up to 20,000; 0.3 for a word of three. Looking for one order took 5 ms of CPU instead of 54 by
  ``Attributes`` and 430 by ``LogAttributes``; summing the number 21 instead of 199.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from activitylog.store.definitions import ColumnDefinition, IndexDefinition
from activitylog.store_settings import StoreSettings, column_name

#: How a type is read from the text of an attribute; {} is that text. No form throws, and none depends on today's
#: date: 'best effort' would read '1' as the first of some month.
_READ: Final[Mapping[str, str]] = MappingProxyType(
    {
        "String": "{}",
        "LowCardinality(String)": "{}",
        "UInt64": "toUInt64OrZero({})",
        "Int64": "toInt64OrZero({})",
        # not NaN, which would spoil every sum
        "Float64": "ifNotFinite(toFloat64OrZero({}), 0)",
        "Bool": "{} = 'true'",
        "UUID": "toUUIDOrZero({})",
        "DateTime64(6, 'UTC')": (
            "parseDateTime64BestEffortOrZero(if(match({}, '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}'), {}, ''), 6, 'UTC')"
        ),
    }
)
_CODEC: Final[Mapping[str, str]] = MappingProxyType(
    {
        "UInt64": "CODEC(T64, ZSTD(1))",
        "Int64": "CODEC(T64, ZSTD(1))",
        "DateTime64(6, 'UTC')": "CODEC(Delta(8), ZSTD(1))",
    }
)
#: A Bool has none: no block of 8,192 rows is without either value for long.
_INDEX: Final[Mapping[str, str]] = MappingProxyType(
    {
        "String": "bloom_filter(0.01) GRANULARITY 1",
        "UUID": "bloom_filter(0.01) GRANULARITY 1",
        "LowCardinality(String)": "set(100) GRANULARITY 1",
        "UInt64": "minmax GRANULARITY 1",
        "Int64": "minmax GRANULARITY 1",
        "Float64": "minmax GRANULARITY 1",
        "DateTime64(6, 'UTC')": "minmax GRANULARITY 1",
    }
)


def promoted_columns(settings: StoreSettings) -> tuple[ColumnDefinition, ...]:
    """The columns that ``[store.columns]`` asks for, in its order."""
    return tuple(_column(attribute, kind) for attribute, kind in settings.columns.items())


def promoted_indexes(settings: StoreSettings) -> tuple[IndexDefinition, ...]:
    """The indexes on those columns."""
    names = ((column_name(attribute), kind) for attribute, kind in settings.columns.items())
    return tuple(
        IndexDefinition(f"idx_{name}", f"`{name}`", _INDEX[kind]) for name, kind in names if kind in _INDEX
    )


def _column(attribute: str, kind: str) -> ColumnDefinition:
    escaped = attribute.replace("\\", "\\\\").replace("'", "\\'")
    expression = _READ[kind].replace("{{", "{").replace("}}", "}").replace("{}", f"Attributes['{escaped}']")
    return ColumnDefinition(
        column_name(attribute), kind, "DEFAULT", expression, _CODEC.get(kind, "CODEC(ZSTD(1))")
    )
