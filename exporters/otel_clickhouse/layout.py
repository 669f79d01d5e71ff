"""
A mapping compiled for the encoder: all columns in order, and which attributes own a column or compete for one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from otel_clickhouse.holders import Holder, holder
from otel_clickhouse.mapping import OTEL_LOGS, RECORD_COLUMNS, AttributeColumn, TableMapping

_MAP_TYPE: Final = "Map(String, String)"


@dataclass(frozen=True, slots=True)
class Owner:
    """An attribute whose column no other attribute sets."""

    attribute: str
    column: str
    default: Any
    holder: Holder


@dataclass(frozen=True, slots=True)
class Rival:
    """
    An attribute whose column others may set, or that settles other columns, or that is conditional.

    Attributes:
        implies, unless: pairs of a column and its text, see :class:`otel_clickhouse.mapping.AttributeColumn`.
        plain_when_alone: without its rivals, ``unless`` cannot hold.
    """

    attribute: str
    column: str
    default: Any
    holder: Holder
    implies: tuple[tuple[str, str], ...]
    unless: tuple[tuple[str, str], ...]
    plain_when_alone: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """
    A mapping as the encoder needs it.

    Attributes:
        names, types: of all columns, in the order in which the encoder gives them.
        owners, rivals: attributes with a column; rivals in the mapping's order.
        text_columns: those of owners and rivals that are of type String.
    """

    mapping: TableMapping
    names: tuple[str, ...]
    types: tuple[str, ...]
    owners: tuple[Owner, ...]
    rivals: tuple[Rival, ...]
    text_columns: tuple[str, ...]


def compile_layout(mapping: TableMapping) -> Layout:
    """Put the columns in order, and tell attributes that own their column from those that compete for one."""
    types = _column_types(mapping)
    shared = _shared_columns(mapping.attributes)
    defaults = {spec.column: spec.default for spec in mapping.attributes}
    owners, rivals = [], []
    for spec in mapping.attributes:
        if spec.column in shared or spec.implies or spec.unless:
            rivals.append(_rival(spec, defaults))
        else:
            owners.append(Owner(spec.attribute, spec.column, spec.default, holder(spec.type, spec.scale)))
    return Layout(
        mapping=mapping,
        names=tuple(types),
        types=tuple(types.values()),
        owners=tuple(owners),
        rivals=tuple(rivals),
        text_columns=tuple({spec.column: None for spec in mapping.attributes if spec.type == "String"}),
    )


def _rival(spec: AttributeColumn, defaults: dict[str, Any]) -> Rival:
    settled = {spec.column, *spec.implies}
    plain = not spec.unless or any(
        column not in settled and defaults[column] != text for column, text in spec.unless.items()
    )
    return Rival(
        attribute=spec.attribute,
        column=spec.column,
        default=spec.default,
        holder=holder(spec.type, spec.scale),
        implies=tuple(spec.implies.items()),
        unless=tuple(spec.unless.items()),
        plain_when_alone=plain,
    )


def _column_types(mapping: TableMapping) -> dict[str, str]:
    types = dict(RECORD_COLUMNS)
    types |= {spec.column: spec.type for spec in mapping.attributes}
    types[mapping.body.column] = "String"
    for part in (mapping.resource, mapping.scope):
        types[part.column] = _MAP_TYPE if part.format == "map" else "String"
    types[mapping.other_attributes] = _MAP_TYPE
    return types


def _shared_columns(specs: Iterable[AttributeColumn]) -> set[str]:
    """Columns that more than one attribute can set, by its value or by implication."""
    seen: set[str] = set()
    shared: set[str] = set()
    for spec in specs:
        for column in (spec.column, *spec.implies):
            (shared if column in seen else seen).add(column)
    return shared


#: The layout of the Collector's ``otel_logs``.
OTEL_LOGS_LAYOUT: Final = compile_layout(OTEL_LOGS)
