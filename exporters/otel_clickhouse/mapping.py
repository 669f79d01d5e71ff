"""
Which column takes what: the plain data that a user writes, and its checks.

Every log record has the same OpenTelemetry fields; they always go to the columns of :data:`RECORD_COLUMNS`. The
rest is the user's choice, given as plain data (:func:`parse_mapping` shows the shape and checks it)::

    plain data ──parse_mapping──> TableMapping ──compile_layout──> Layout, which the encoder reads

Without a mapping the table is the Collector's ``otel_logs`` (:data:`OTEL_LOGS`), where no attribute has a column
of its own.

Rules of a typed column, which lose nothing:

* The first attribute of the mapping that is present takes a column; an attribute that is None is absent. Where two
  with the same column are present, both stay in the map as well.
* ``implies`` settles other columns, when the attribute's text is not empty and nothing took them before.
* A column takes a value only if it can hold it; otherwise it keeps its default, which means "absent".
* The attribute leaves the map of other attributes only if its column prints back exactly its text, does not
  hold its default, every implied column holds what is implied, and ``unless`` does not hold. Where two present
  attributes want one column, both stay in the map.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, cast

from otel_clickhouse.exceptions import ConfigurationError
from otel_clickhouse.holders import COLUMN_TYPES, is_default

AttributesFormat = Literal["map", "json"]

_EMPTY: Final[Mapping[str, str]] = MappingProxyType({})
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_NAME_RULE: Final = "a letter or '_', then letters, digits and '_', at most 128"

#: Columns for the fields that every log record has, as the Collector's exporter names them.
RECORD_COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Timestamp": "DateTime64(9)",
        "TraceId": "String",
        "SpanId": "String",
        "TraceFlags": "UInt8",
        "SeverityText": "String",
        "SeverityNumber": "UInt8",
        "ServiceName": "String",
        "ResourceSchemaUrl": "String",
        "ScopeSchemaUrl": "String",
        "ScopeName": "String",
        "ScopeVersion": "String",
        "EventName": "String",
    }
)


@dataclass(frozen=True, slots=True)
class AttributeColumn:
    """
    One attribute and the column that may take its value.

    Attributes:
        attribute: name of the log record's attribute.
        type: ClickHouse type of the column's values (its storage type may wrap it, as LowCardinality does).
        default: what the column holds when no attribute took it.
        scale: the column holds the attribute's number times this, rounded.
        implies: values of other columns that this attribute settles.
        unless: when all these columns hold these values, readers do not find the attribute in its column.
    """

    attribute: str
    column: str
    type: str = "String"
    default: str | int | float = ""
    scale: int = 1
    implies: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    unless: Mapping[str, str] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class BodyColumn:
    """The record's body. ``marks`` maps a one-character mark to the column whose text it stands for, in order."""

    column: str
    marks: Mapping[str, str] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class AttributesColumn:
    """Attributes of the resource or the scope: a ``map``, or ``json`` text as ClickHouse's toJSONString has it."""

    column: str
    format: AttributesFormat = "map"


@dataclass(frozen=True, slots=True)
class TableMapping:
    """A whole table: see :func:`parse_mapping`."""

    attributes: tuple[AttributeColumn, ...] = ()
    other_attributes: str = "LogAttributes"
    body: BodyColumn = BodyColumn("Body")
    resource: AttributesColumn = AttributesColumn("ResourceAttributes")
    scope: AttributesColumn = AttributesColumn("ScopeAttributes")


#: The Collector's table: 16 columns, no attribute with a column of its own.
OTEL_LOGS: Final = TableMapping()


def parse_mapping(data: Mapping[str, Any]) -> TableMapping:
    """
    Check a mapping given as plain data.

    ::

        {
          "attributes": {                      # in the order in which they may take a shared column
            "user.id": {"column": "ActorId", "type": "String", "default": "",
                        "implies": {"ActorType": "user"}},
            "activity.actor.type": {"column": "ActorType", "unless": {"ActorType": "user"}},
            "activity.duration": {"column": "DurationUs", "type": "UInt64", "default": 0, "scale": 1000000},
          },
          "other_attributes": "Attributes",    # Map column for the rest
          "body": {"column": "Body", "marks": {"\\x01": "ActorId"}},        # marks are optional
          "resource": {"column": "Resource", "format": "json"},            # or "map"
          "scope": {"column": "ScopeAttrs", "format": "json"},
        }

    Raises:
        ConfigurationError: what was given, and what is accepted.
    """
    _check_keys("columns", data, {"attributes", "other_attributes", "body", "resource", "scope"})
    attributes = _mapping_of("columns['attributes']", data.get("attributes", {}))
    mapping = TableMapping(
        attributes=tuple(_attribute(name, spec) for name, spec in attributes.items()),
        other_attributes=_name(
            "columns['other_attributes']", data.get("other_attributes", OTEL_LOGS.other_attributes)
        ),
        body=_body(data.get("body", {"column": OTEL_LOGS.body.column})),
        resource=_attributes_column("resource", data.get("resource", {"column": OTEL_LOGS.resource.column})),
        scope=_attributes_column("scope", data.get("scope", {"column": OTEL_LOGS.scope.column})),
    )
    check_mapping(mapping)
    return mapping


def check_mapping(mapping: TableMapping) -> None:
    """
    Check what single entries do not show: columns that exist, are distinct, and agree where they are shared.

    Raises:
        ConfigurationError: what was given, and what is accepted.
    """
    by_column: dict[str, AttributeColumn] = {}
    for spec in mapping.attributes:
        first = by_column.setdefault(spec.column, spec)
        if (spec.type, spec.default, spec.scale) != (first.type, first.default, first.scale):
            raise ConfigurationError(
                f"The attributes {first.attribute!r} and {spec.attribute!r} share the column {spec.column} "
                "with another type, default or scale.",
                hint="Give both the same, or each its own column.",
            )
    _check_distinct(mapping, by_column)
    texts = {name for name, spec in by_column.items() if spec.type == "String"}
    for spec in mapping.attributes:
        for word, condition in (("implies", spec.implies), ("unless", spec.unless)):
            _check_texts(f"{word!r} of the attribute {spec.attribute!r}", condition, texts)
    _check_texts("'marks' of the body", {column: mark for mark, column in mapping.body.marks.items()}, texts)


def _check_distinct(mapping: TableMapping, typed: Iterable[str]) -> None:
    seen = set(RECORD_COLUMNS)
    others = (mapping.other_attributes, mapping.body.column, mapping.resource.column, mapping.scope.column)
    for column in (*typed, *others):
        if column in seen:
            raise ConfigurationError(
                f"The column {column!r} has two uses.",
                hint=f"The record's fields take {', '.join(RECORD_COLUMNS)}; each other use needs a column.",
            )
        seen.add(column)


def _check_texts(where: str, condition: Mapping[str, str], texts: set[str]) -> None:
    for column in condition:
        if column not in texts:
            raise ConfigurationError(
                f"{where} names the column {column!r}, which no attribute of type String takes.",
                hint=f"Accepted: {', '.join(sorted(texts)) or 'none yet'}.",
            )


def _attribute(name: object, data: object) -> AttributeColumn:
    where = f"the attribute {name!r}"
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"The name of {where} is not a text of at least one character.")
    spec = _mapping_of(where, data)
    _check_keys(where, spec, {"column", "type", "default", "scale", "implies", "unless"})
    kind = spec.get("type", "String")
    if kind not in COLUMN_TYPES:
        raise ConfigurationError(
            f"The type {kind!r} of {where} is unknown.", hint=f"Accepted: {', '.join(COLUMN_TYPES)}."
        )
    scale = spec.get("scale", 1)
    if type(scale) is not int or scale < 1 or (scale > 1 and not kind.startswith("UInt")):
        raise ConfigurationError(
            f"The scale {scale!r} of {where} cannot be used with the type {kind}.",
            hint="Accepted: a whole number from 1 on, above 1 only with UInt8 to UInt64.",
        )
    default = spec.get("default", COLUMN_TYPES[kind])
    if not is_default(kind, default):
        raise ConfigurationError(
            f"The default {default!r} of {where} is not a value of {kind}.",
            hint=f"Accepted: a value such as {COLUMN_TYPES[kind]!r}.",
        )
    return AttributeColumn(
        attribute=name,
        column=_name(f"'column' of {where}", spec.get("column")),
        type=kind,
        default=default,
        scale=scale,
        implies=_texts(f"'implies' of {where}", spec.get("implies", _EMPTY)),
        unless=_texts(f"'unless' of {where}", spec.get("unless", _EMPTY)),
    )


def _body(data: object) -> BodyColumn:
    spec = _mapping_of("columns['body']", data)
    _check_keys("columns['body']", spec, {"column", "marks"})
    marks = _texts("columns['body']['marks']", spec.get("marks", _EMPTY))
    for mark in marks:
        if len(mark) != 1 or not "\x01" <= mark <= "\x1f" or mark == "\x1a":
            raise ConfigurationError(
                f"The mark {mark!r} of the body cannot be used.",
                hint="Accepted: one control character from \\x01 to \\x1f, but \\x1a, which stands in for marks.",
            )
    return BodyColumn(_name("'column' of columns['body']", spec.get("column")), marks)


def _attributes_column(part: str, data: object) -> AttributesColumn:
    where = f"columns[{part!r}]"
    spec = _mapping_of(where, data)
    _check_keys(where, spec, {"column", "format"})
    form = spec.get("format", "map")
    if form not in ("map", "json"):
        raise ConfigurationError(f"The format {form!r} of {where} is unknown.", hint="Accepted: 'map', 'json'.")
    return AttributesColumn(_name(f"'column' of {where}", spec.get("column")), cast("AttributesFormat", form))


def _mapping_of(where: str, data: object) -> Mapping[Any, Any]:
    if not isinstance(data, Mapping):
        raise ConfigurationError(f"{where} is {data!r}.", hint="Accepted: a mapping.")
    return data


def _check_keys(where: str, data: Mapping[Any, Any], accepted: set[str]) -> None:
    unknown = [key for key in data if key not in accepted]
    if unknown:
        raise ConfigurationError(
            f"{where} has the unknown key {unknown[0]!r}.", hint=f"Accepted: {', '.join(sorted(accepted))}."
        )


def _name(where: str, value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ConfigurationError(f"{where} is {value!r}.", hint=f"Accepted: {_NAME_RULE}.")
    return value


def _texts(where: str, data: object) -> Mapping[str, str]:
    texts = _mapping_of(where, data)
    for key, value in texts.items():
        if not isinstance(key, str) or not isinstance(value, str) or not value:
            raise ConfigurationError(
                f"{where} has {key!r}: {value!r}.", hint="Accepted: texts that are not empty."
            )
    return MappingProxyType(dict(texts))
