"""
Log records to columns. Pure, and the hot function: it runs in the worker, but the worker shares the GIL.

The batch is cut into slices, and each column of a slice is built in one pass. A record that cannot be written (a
``__str__`` that raises, a time that is not a number) spoils the pass; then the slice is tried record by record,
and encoded again without those that failed.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from types import MappingProxyType
from typing import Any, Final

from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_clickhouse.anyvalue import as_text
from otel_clickhouse.attributes import attribute_columns, clean_texts, map_of_texts
from otel_clickhouse.layout import OTEL_LOGS_LAYOUT, Layout
from otel_clickhouse.mapping import AttributesColumn, AttributesFormat

_SUBSTITUTE: Final = "\x1a"

#: The records of a slice stay in the processor's cache while their attributes are taken one by one: 8,192 at
#: once take a third longer than in slices of 512. In smaller slices the columns cost more.
_SLICE_ROWS: Final = 512


@dataclass(frozen=True, slots=True)
class Columns:
    """
    One block of a table.

    Attributes:
        names: of the columns.
        types: their ClickHouse types; the table's own may wrap them (LowCardinality).
        data: for each column its n values. Times are integer nanoseconds, maps have texts for keys and values,
            UUIDs are texts.
        skipped: why a record could not be written, by its index in the batch. It has no row.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    data: Sequence[Sequence[Any]]
    skipped: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def rows(self) -> int:
        """How many rows the block has."""
        return len(self.data[0]) if self.data else 0


def encode_logs(batch: Sequence[ReadableLogRecord], layout: Layout = OTEL_LOGS_LAYOUT) -> Columns:
    """
    Turn a batch of log records into columns.

    Args:
        batch: n records, in the order they were emitted.
        layout: of the table; the Collector's ``otel_logs`` by default.

    Returns:
        Columns with a row for each record, in order, less those in ``skipped``.

    The values are those that the Collector's clickhouseexporter would write (map keys sorted, ids in lower hex,
    empty when absent). Where the record has no time, the time it was observed stands in. Attributes that are None
    are absent. Typed columns follow the rules of :mod:`otel_clickhouse.mapping`.
    """
    columns: list[list[Any]] = [[] for _ in layout.names]
    skipped: dict[int, str] = {}
    for start in range(0, len(batch), _SLICE_ROWS):
        encoded = _encode_writable(batch[start : start + _SLICE_ROWS], layout, start, skipped)
        for column, values in zip(columns, encoded, strict=True):
            column.extend(values)
    return Columns(layout.names, layout.types, columns, skipped)


def _encode_writable(
    batch: Sequence[ReadableLogRecord], layout: Layout, start: int, skipped: dict[int, str]
) -> Sequence[Sequence[Any]]:
    try:
        return _encode(batch, layout)
    except Exception:  # noqa: BLE001 - whatever a value's __str__ raises; found again record by record
        reasons = [_why_unwritable(record, layout) for record in batch]
        skipped |= {start + index: why for index, why in enumerate(reasons) if why}
        return _encode([record for record, why in zip(batch, reasons, strict=True) if not why], layout)


def _why_unwritable(record: ReadableLogRecord, layout: Layout) -> str:
    try:
        _encode((record,), layout)
    except Exception as error:  # noqa: BLE001 - as above; counted by the exporter
        return f"a record cannot be written as text ({type(error).__name__})"
    return ""


def _encode(batch: Sequence[ReadableLogRecord], layout: Layout) -> list[Sequence[Any]]:
    records = [readable.log_record for readable in batch]
    mapping = layout.mapping
    columns: dict[str, Sequence[Any]] = {
        "Timestamp": _times([record.timestamp or record.observed_timestamp or 0 for record in records]),
        "TraceId": [record.trace_id.to_bytes(16).hex() if record.trace_id else "" for record in records],
        "SpanId": [record.span_id.to_bytes(8).hex() if record.span_id else "" for record in records],
        "TraceFlags": [(record.trace_flags or 0) & 0xFF for record in records],
        "SeverityText": clean_texts([record.severity_text or "" for record in records]),
        "EventName": clean_texts([record.event_name or "" for record in records]),
        **_described([record.severity_number for record in records], _severity, ("SeverityNumber",)),
        **_resource_columns([readable.resource for readable in batch], mapping.resource),
        **_scope_columns([readable.instrumentation_scope for readable in batch], mapping.scope),
    }
    typed, maps = attribute_columns([record.attributes for record in records], layout)
    columns |= typed
    columns[mapping.other_attributes] = maps
    marks = [(mark, typed[column]) for mark, column in mapping.body.marks.items()]
    columns[mapping.body.column] = _body_column([record.body for record in records], marks)
    return [columns[name] for name in layout.names]


def _times(times: Sequence[Any]) -> list[int]:
    """As Python's own integers: the driver knows no others. Raises for what is no time, or does not fit."""
    return array("q", times).tolist()


def _severity(number: SeverityNumber | int | None) -> tuple[int]:
    if number is None:
        return (0,)
    return ((number.value if isinstance(number, SeverityNumber) else number) & 0xFF,)


def _resource_columns(resources: Sequence[Resource], target: AttributesColumn) -> dict[str, list[Any]]:
    def describe(resource: Resource) -> tuple[str, str, Any]:
        texts = map_of_texts(resource.attributes)
        (schema_url,) = clean_texts([resource.schema_url or ""])
        return texts.get("service.name", ""), schema_url, _formatted(texts, target.format)

    return _described(resources, describe, ("ServiceName", "ResourceSchemaUrl", target.column))


def _scope_columns(
    scopes: Sequence[InstrumentationScope | None], target: AttributesColumn
) -> dict[str, list[Any]]:
    def describe(scope: InstrumentationScope | None) -> tuple[str, str, str, Any]:
        if scope is None:
            return "", "", "", _formatted({}, target.format)
        name, version, schema_url = clean_texts([scope.name or "", scope.version or "", scope.schema_url or ""])
        return name, version, schema_url, _formatted(map_of_texts(scope.attributes), target.format)

    return _described(scopes, describe, ("ScopeName", "ScopeVersion", "ScopeSchemaUrl", target.column))


def _described(
    values: Sequence[Any], describe: Callable[[Any], tuple[Any, ...]], names: tuple[str, ...]
) -> dict[str, list[Any]]:
    """Columns of what a batch has few of, such as its resources: each is described once."""
    identities = [*map(id, values)]
    distinct = dict(zip(identities, values, strict=True))
    described = {identity: describe(value) for identity, value in distinct.items()}
    if len(described) == 1:
        (row,) = described.values()
        return {name: [cell] * len(values) for name, cell in zip(names, row, strict=True)}
    rows = [described[identity] for identity in identities]
    return {name: [row[position] for row in rows] for position, name in enumerate(names)}


def _formatted(attributes: dict[str, str], form: AttributesFormat) -> Any:
    if form == "map":
        return attributes
    return _clickhouse_json(attributes) if attributes else ""


def _clickhouse_json(attributes: Mapping[str, str]) -> str:
    """The text that ClickHouse's ``toJSONString`` gives for this map."""
    pairs = ",".join(f"{_clickhouse_string(name)}:{_clickhouse_string(text)}" for name, text in attributes.items())
    return "{" + pairs + "}"


#: ClickHouse writes the hexadecimal digits of a control character in upper case.
_CONTROLS: Final = {code: f"\\u{code:04X}" for code in (0x0B, 0x0E, 0x0F, *range(0x1A, 0x20))}


def _clickhouse_string(text: str) -> str:
    quoted = _quoted(text).replace("/", "\\/")
    return quoted.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _quoted(text: str) -> str:
    if not _CONTROLS.keys() & map(ord, text):
        return encode_basestring(text)
    return f'"{"".join(_CONTROLS.get(ord(char)) or encode_basestring(char)[1:-1] for char in text)}"'


def _body_column(bodies: Sequence[Any], marks: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """
    Bodies as texts; with marks, as templates.

    Args:
        marks: each mark and the column of values that it stands for, in the order of replacement.

    In a template the first occurrence of each value is replaced by its mark. The body itself has no marks (a
    substitute character stands in), so putting the values back gives it again, unless a value has marks.
    """
    texts = clean_texts([body if type(body) is str else as_text(body) for body in bodies])
    if not marks:
        return texts
    substitutes = {ord(mark): _SUBSTITUTE for mark, _ in marks}
    if _has_mark("".join(texts), substitutes):
        texts = [text.translate(substitutes) for text in texts]
    templates = texts
    for mark, values in marks:
        templates = [
            template.replace(value, mark, 1) if value else template
            for template, value in zip(templates, values, strict=True)
        ]
    if any(_has_mark("".join(values), substitutes) for _, values in marks):
        return _undoable(templates, texts, marks)
    return templates


def _has_mark(text: str, marks: Iterable[int]) -> bool:
    return any(chr(mark) in text for mark in marks)


def _undoable(
    templates: Sequence[str], texts: Sequence[str], marks: Sequence[tuple[str, Sequence[str]]]
) -> list[str]:
    """The templates, or the text itself where putting the values back would not give it."""
    restored = list(templates)
    for mark, values in marks:
        restored = [text.replace(mark, value, 1) for text, value in zip(restored, values, strict=True)]
    return [
        template if back == text else text for template, back, text in zip(templates, restored, texts, strict=True)
    ]
