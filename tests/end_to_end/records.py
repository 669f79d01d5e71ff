"""Log records of every kind, as anybody's OpenTelemetry could send them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from activitylog.event import FIELDS
from otel_clickhouse.anyvalue import as_text

START: Final = (
    1_767_225_600_000_000_000  # 2026-01-01; a partition is a month, and many of them in one insert are slow
)
UUID_TEXT: Final = "0190163d-8694-739b-aea5-966c26f8ad91"


def record(
    number: int, attributes: Mapping[str, Any] | None = None, body: Any = None, **more: Any
) -> ReadableLogRecord:
    """A record whose span id is its number: rows come back in the order of the records."""
    resource = Resource(more.pop("resource", {"service.name": "shop"}))
    scope = InstrumentationScope("tests", "1.0", None, more.pop("scope", None))
    record = LogRecord(
        timestamp=more.pop("timestamp", START + number),
        body=body,
        attributes=dict(attributes or {}),
        event_name=more.pop("event_name", "order.placed"),
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        **more,
    )
    record.span_id = number + 1
    return ReadableLogRecord(log_record=record, resource=resource, instrumentation_scope=scope)


_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
_NUMBER_TEXTS = st.sampled_from(
    ["007", "1e3", "-5", "65535", "65536", " 7", "7 ", "+7", "1.50", "0", "1", "00", "-0", "1.", ".5", "1E+2",
     "0.25", "18446744073709551615", "18446744073709551616", "99999999999999999999", "1e400", "1e308", "5e-324",
     "0.0000005", "18446744073709.551615", "NaN", "inf", "0x10", "1_000", "٣", "7\n", "success", "", "true",
     "2.5e-7", "1e21", "1e+21"]
)  # fmt: skip
ODD_UUIDS: Final = [
    UUID_TEXT.upper(), UUID_TEXT.replace("-", ""), UUID_TEXT.replace("-", "").upper(), UUID_TEXT + " ",
    " " + UUID_TEXT, UUID_TEXT + "x", "{" + UUID_TEXT + "}", UUID_TEXT.replace("-", "", 1), UUID_TEXT[:-1] + "g",
    UUID_TEXT[:-1], UUID_TEXT.replace("-", "_"), "0" * 32, "00000000-0000-0000-0000-000000000000", "İ" * 18,
    "z" * 36, "z" * 32, "-" * 36, "",
]  # fmt: skip
_UUID_TEXTS = st.one_of(st.uuids().map(str), st.sampled_from(ODD_UUIDS))
_SCALARS = st.one_of(
    _TEXT,
    _NUMBER_TEXTS,
    st.sampled_from(["user", "org", "7", "\x01", "\x02", "a\x02b", "é", "'", "\\", "\\x01", "\n"]),
    st.booleans(),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.integers(min_value=-2, max_value=70_000),
    st.floats(),
    st.floats(min_value=0, max_value=1e6),
    st.integers(0, 10**9).map(lambda microseconds: microseconds / 1_000_000),
    st.binary(max_size=6),
    _UUID_TEXTS,
)
_VALUES = st.one_of(
    _SCALARS, st.lists(_SCALARS, max_size=3), st.dictionaries(_TEXT, _SCALARS, max_size=3), st.none()
)
_TYPED_NAMES = [field.attribute for field in FIELDS]
_ACTOR_NAMES = ["user.id", "activity.actor.type", "activity.actor.id"]
_ATTRIBUTES = st.dictionaries(
    st.one_of(st.sampled_from(_ACTOR_NAMES), st.sampled_from(_TYPED_NAMES), _TEXT.filter(bool)),
    _VALUES,
    max_size=10,
)
_ODD_ATTRIBUTES = st.dictionaries(
    st.one_of(st.sampled_from(["service.name", "a/b", "host.name"]), _TEXT.filter(bool)), _VALUES, max_size=4
).map(lambda attributes: {name: value for name, value in attributes.items() if value is not None})


@st.composite
def records(draw: st.DrawFn) -> list[ReadableLogRecord]:
    resource, scope = draw(_ODD_ATTRIBUTES), draw(_ODD_ATTRIBUTES)
    return [
        record(
            number,
            attributes := draw(_ATTRIBUTES),
            draw(_bodies(attributes)),
            resource=resource,
            scope=scope,
            timestamp=START + draw(st.integers(min_value=0, max_value=10**15)),
            event_name=draw(_TEXT),
        )
        for number in range(draw(st.integers(min_value=1, max_value=20)))
    ]


def _bodies(attributes: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Bodies that hold the ids of the record, none to several times, between texts and marks."""
    ids = [as_text(value) for name, value in attributes.items() if name.endswith("id") and value is not None]
    parts = st.one_of(_TEXT, st.sampled_from(["\x01", "\x02", "\x1a", " did it to ", *ids]))
    return st.one_of(st.lists(parts, max_size=7).map("".join), _VALUES)
