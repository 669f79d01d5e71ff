"""Records to columns: the Collector's table, typed columns, and what nobody expects in an attribute."""

from __future__ import annotations

import copy
import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import SeverityNumber
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import TraceFlags

from otel_clickhouse.anyvalue import as_text
from otel_clickhouse.encoder import encode_logs
from otel_clickhouse.layout import OTEL_LOGS_LAYOUT, compile_layout
from otel_clickhouse.mapping import parse_mapping
from tests.otel_clickhouse.records import ACTOR_COLUMNS, FULL_RECORD, RESOURCE, SCOPE, TIME_NS, record

ACTORS = compile_layout(parse_mapping(ACTOR_COLUMNS))
_UID = "01900000-0000-7000-8000-00000000000f"


class Unprintable:
    """A value of the kind that takes a whole batch with it elsewhere."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Nanoseconds:
    """An integer as numpy has them."""

    def __index__(self) -> int:
        return TIME_NS


def row(given: Any, layout: Any = ACTORS) -> dict[str, Any]:
    """The one row of a record, column name -> value."""
    columns = encode_logs([given], layout)
    assert columns.skipped == {}
    return dict(zip(columns.names, (column[0] for column in columns.data), strict=True))


def typed(attributes: dict[Any, Any]) -> dict[str, Any]:
    """The typed columns of a record that are not at their defaults, and its map."""
    cells = row(record(attributes))
    defaults = row(record({}))
    names = ("EventId", "ActorId", "ActorType", "ObjectId", "Outcome", "EventCount", "DurationUs", "HttpStatus")
    changed = {name: cells[name] for name in (*names, "SampleWeight") if cells[name] != defaults[name]}
    return changed | ({"map": cells["Attributes"]} if cells["Attributes"] else {})


class TestCollectorsTable:
    def test_a_full_record(self):
        """Each field is where the Collector's exporter puts it."""
        columns = encode_logs([FULL_RECORD])
        assert dict(zip(columns.names, columns.data, strict=True)) == {
            "Timestamp": [1_764_000_000_123_456_789],
            "TraceId": ["0af7651916cd43dd8448eb211c80319c"],
            "SpanId": ["00f067aa0ba902b7"],
            "TraceFlags": [1],
            "SeverityText": ["INFO"],
            "SeverityNumber": [9],
            "ServiceName": ["shop"],
            "Body": ["order 7 was paid"],
            "ResourceSchemaUrl": ["https://example.org/schema"],
            "ResourceAttributes": [{"host.name": "web-1", "service.name": "shop"}],
            "ScopeSchemaUrl": ["https://example.org/scope"],
            "ScopeName": ["shop.orders"],
            "ScopeVersion": ["1.2"],
            "ScopeAttributes": [{}],
            "LogAttributes": [{"order.id": "7", "paid": "true"}],
            "EventName": ["order.paid"],
        }
        assert columns.rows == 1

    def test_an_empty_record(self):
        """What is absent is empty or zero."""
        empty = record(None, resource=Resource({}), scope=None, trace_flags=None, trace_id=None, span_id=None)
        assert row(empty, OTEL_LOGS_LAYOUT) == {
            "Timestamp": 1_764_000_000_123_456_789,
            "TraceId": "",
            "SpanId": "",
            "TraceFlags": 0,
            "SeverityText": "",
            "SeverityNumber": 0,
            "ServiceName": "",
            "Body": "",
            "ResourceSchemaUrl": "",
            "ResourceAttributes": {},
            "ScopeSchemaUrl": "",
            "ScopeName": "",
            "ScopeVersion": "",
            "ScopeAttributes": {},
            "LogAttributes": {},
            "EventName": "",
        }

    def test_an_empty_batch(self):
        """No records are no rows, in all columns."""
        columns = encode_logs([])
        assert (columns.rows, len(columns.names), len(columns.data)) == (0, 16, 16)

    @pytest.mark.parametrize(
        ("timestamp", "observed", "expected"), [(5, 7, 5), (None, 7, 7), (0, 7, 7), (None, None, 0), (-5, 7, -5)]
    )
    def test_the_time_observed_stands_in_for_the_time(self, timestamp, observed, expected):
        """A record without a time of its own has the time at which it was observed."""
        given = record({}, timestamp=timestamp, observed_timestamp=observed)
        assert row(given)["Timestamp"] == expected

    def test_several_resources_and_scopes_in_one_batch(self):
        """Each row has the resource and the scope of its own record."""
        other = Resource({"service.name": "mail", "numbers": (1, 2)})
        scope = InstrumentationScope("mail", attributes={"b": 1, "a": 0.5})
        columns = encode_logs([record({}), record({}, resource=other, scope=scope), record({}, scope=None)])
        by_name = dict(zip(columns.names, columns.data, strict=True))
        assert by_name["ServiceName"] == ["shop", "mail", "shop"]
        assert by_name["ResourceAttributes"][1] == {"numbers": "[1,2]", "service.name": "mail"}
        assert by_name["ScopeName"] == ["shop.orders", "mail", ""]
        assert by_name["ScopeAttributes"] == [{}, {"a": "0.5", "b": "1"}, {}]

    def test_map_keys_are_sorted(self):
        """Equal attributes make equal rows, whatever the order in which they were set."""
        attributes = row(record({"b": 1, "a": 2, "é": 3, "Z": 4}))["Attributes"]
        assert list(attributes) == ["Z", "a", "b", "é"]

    def test_attributes_that_are_none_are_absent(self):
        """None says nothing, in the map as in a typed column."""
        assert typed({"a": None, "user.id": None, "activity.count": None}) == {}

    def test_the_records_own_attributes_stay(self):
        """Encoding takes nothing out of the application's dictionaries."""
        plain = {"user.id": "7", "b": 1, "a": Ellipsis}
        bounded = BoundedAttributes(attributes={"user.id": "7", "b": 1}, immutable=False)
        encode_logs([record(plain), record(bounded)], ACTORS)
        assert plain == {"user.id": "7", "b": 1, "a": Ellipsis}
        assert dict(bounded) == {"user.id": "7", "b": 1}

    def test_more_records_than_a_slice(self):
        """Rows keep the order of the batch, beyond the size of the encoder's slices."""
        columns = encode_logs([record({"n": n, "user.id": str(n)}) for n in range(1_300)], ACTORS)
        by_name = dict(zip(columns.names, columns.data, strict=True))
        assert by_name["ActorId"] == [str(n) for n in range(1_300)]
        assert by_name["Attributes"][1_299] == {"n": "1299"}


class TestTypedColumns:
    @pytest.mark.parametrize(
        ("attributes", "expected"),
        [
            ({"log.record.uid": _UID}, {"EventId": _UID}),
            ({"log.record.uid": _UID.upper()}, {"EventId": _UID, "map": {"log.record.uid": _UID.upper()}}),
            (
                {"log.record.uid": _UID.replace("-", "")},
                {"EventId": _UID, "map": {"log.record.uid": _UID.replace("-", "")}},
            ),
            ({"log.record.uid": "no uuid"}, {"map": {"log.record.uid": "no uuid"}}),
            ({"log.record.uid": _UID + "\n"}, {"map": {"log.record.uid": _UID + "\n"}}),
            ({"activity.count": 3}, {"EventCount": 3}),
            ({"activity.count": "3"}, {"EventCount": 3}),
            ({"activity.count": 3.0}, {"EventCount": 3}),
            ({"activity.count": 1}, {"map": {"activity.count": "1"}}),
            ({"activity.count": "003"}, {"EventCount": 3, "map": {"activity.count": "003"}}),
            ({"activity.count": True}, {"map": {"activity.count": "true"}}),
            ({"activity.count": -3}, {"map": {"activity.count": "-3"}}),
            ({"activity.count": 2**64 - 1}, {"EventCount": 2**64 - 1}),
            ({"activity.count": 2**64}, {"map": {"activity.count": "18446744073709551616"}}),
            ({"activity.count": "٣"}, {"map": {"activity.count": "٣"}}),
            ({"http.response.status_code": 65_535}, {"HttpStatus": 65_535}),
            ({"http.response.status_code": 65_536}, {"map": {"http.response.status_code": "65536"}}),
            ({"activity.duration": 0.0123}, {"DurationUs": 12_300}),
            ({"activity.duration": 2}, {"DurationUs": 2_000_000}),
            ({"activity.duration": "0.5"}, {"DurationUs": 500_000}),
            ({"activity.duration": 0.1234567}, {"DurationUs": 123_457, "map": {"activity.duration": "0.1234567"}}),
            ({"activity.duration": 1e-7}, {"map": {"activity.duration": "1e-7"}}),
            ({"activity.duration": -1.5}, {"map": {"activity.duration": "-1.5"}}),
            ({"activity.duration": math.nan}, {"map": {"activity.duration": "NaN"}}),
            ({"activity.duration": math.inf}, {"map": {"activity.duration": "Infinity"}}),
            ({"activity.duration": 1e300}, {"map": {"activity.duration": "1e+300"}}),
            ({"activity.sample.weight": 20}, {"SampleWeight": 20.0}),
            ({"activity.sample.weight": 3.3333333333333335}, {"SampleWeight": 3.3333333333333335}),
            ({"activity.sample.weight": "1.50"}, {"SampleWeight": 1.5, "map": {"activity.sample.weight": "1.50"}}),
            ({"activity.sample.weight": 1e21}, {"SampleWeight": 1e21, "map": {"activity.sample.weight": "1e+21"}}),
            ({"activity.sample.weight": math.nan}, {"map": {"activity.sample.weight": "NaN"}}),
            ({"activity.outcome": "failure"}, {"Outcome": "failure"}),
            ({"activity.outcome": "success"}, {"map": {"activity.outcome": "success"}}),
            ({"activity.outcome": ""}, {"Outcome": ""}),
            ({"activity.object.id": ""}, {"map": {"activity.object.id": ""}}),
            ({"activity.object.id": 7}, {"ObjectId": "7"}),
            ({"activity.object.id": ["a", 1]}, {"ObjectId": '["a",1]'}),
        ],
    )
    def test_a_column_takes_what_it_can_hold_and_the_map_keeps_what_it_cannot_print(self, attributes, expected):
        """Nothing is lost: the map has every text that its column would not give back."""
        assert typed(attributes) == expected

    @pytest.mark.parametrize(
        ("attributes", "expected"),
        [
            ({"user.id": "7"}, {"ActorId": "7", "ActorType": "user"}),
            ({"user.id": 7}, {"ActorId": "7", "ActorType": "user"}),
            ({"user.id": ""}, {"map": {"user.id": ""}}),
            (
                {"activity.actor.type": "service", "activity.actor.id": "mailer"},
                {"ActorType": "service", "ActorId": "mailer"},
            ),
            ({"activity.actor.id": "mailer"}, {"ActorId": "mailer"}),
            (
                {"activity.actor.type": "user", "activity.actor.id": "7"},
                {
                    "ActorType": "user",
                    "ActorId": "7",
                    "map": {"activity.actor.id": "7", "activity.actor.type": "user"},
                },
            ),
            (
                {"activity.actor.type": "service", "user.id": "7"},
                {"ActorType": "user", "ActorId": "7", "map": {"activity.actor.type": "service"}},
            ),
            (
                {"activity.actor.id": "mailer", "user.id": "7"},
                {
                    "ActorType": "user",
                    "ActorId": "7",
                    "map": {"activity.actor.id": "mailer", "user.id": "7"},
                },
            ),
            (
                {"activity.actor.id": "mailer", "user.id": ""},
                {"map": {"activity.actor.id": "mailer", "user.id": ""}},
            ),
            ({"activity.actor.id": "mailer", "user.id": None}, {"ActorId": "mailer"}),
        ],
    )
    def test_a_shared_column_goes_to_the_first_that_is_present(self, attributes, expected):
        """The order of the mapping decides, not the order of the record."""
        assert typed(attributes) == expected

    def test_shortcuts_for_whole_batches_change_nothing(self):
        """A record among others that are alike has the row that it has alone."""
        values = ["7", "", 7, 0, 1, 0.5, 1.0, True, -1, "007", _UID, None, math.nan, [1]]
        attributes = [spec.attribute for spec in ACTORS.mapping.attributes]
        batch = [record({name: value, "user.id": 3}) for name, value in itertools.product(attributes, values)]
        for size in (1, 3, len(values), len(batch)):
            for part in (batch[start : start + size] for start in range(0, len(batch), size)):
                rows = zip(*encode_logs(part, ACTORS).data, strict=True)
                assert [*rows] == [tuple(row(one).values()) for one in part]


class TestBody:
    @pytest.mark.parametrize(
        ("body", "attributes", "template"),
        [
            ("7 paid order 9", {"user.id": "7", "activity.object.id": "9"}, "\x01 paid order \x02"),
            ("7 and 7 again", {"user.id": "7"}, "\x01 and 7 again"),
            ("nobody paid", {"user.id": "7"}, "nobody paid"),
            ("without an actor", {}, "without an actor"),
            ("order 77", {"user.id": "7", "activity.object.id": "7"}, "order \x01\x02"),
            ("marks \x01 and \x02", {"user.id": "7"}, "marks \x1a and \x1a"),
            ("\x01 7", {"user.id": "7"}, "\x1a \x01"),
            ("x\x02x 7", {"user.id": "7", "activity.object.id": "x\x02x"}, "x\x1ax \x01"),
            ("7 did it", {"user.id": "7", "activity.object.id": "\x01 did"}, "7 did it"),
            ({"text": "7"}, {"user.id": "7"}, '{"text":"\x01"}'),
            (None, {"user.id": "7"}, ""),
        ],
    )
    def test_ids_in_the_body_become_marks(self, body, attributes, template):
        """The first occurrence of each id is replaced, where putting it back gives the body again."""
        assert row(record(attributes, body=body))["BodyTemplate"] == template

    @given(
        st.text("\x01\x02\x1aab", max_size=8), st.text("\x01\x02ab", max_size=3), st.text("\x01\x02ab", max_size=3)
    )
    def test_every_template_gives_back_its_body(self, body, actor, thing):
        """Putting the ids back gives the body, with substitutes for marks of its own."""
        cells = row(record({"user.id": actor, "activity.object.id": thing}, body=body))
        restored = cells["BodyTemplate"].replace("\x01", cells["ActorId"], 1).replace("\x02", cells["ObjectId"], 1)
        assert restored == body.replace("\x01", "\x1a").replace("\x02", "\x1a")


class TestResourceAsJson:
    def test_as_clickhouse_writes_it(self):
        """The text is that of toJSONString: no spaces, slashes escaped, keys sorted."""
        given = record({}, resource=Resource({"service.name": 'a/"b"', "os": "é\u2028\x7f\n", "n": 1.5}))
        assert row(given)["Resource"] == '{"n":"1.5","os":"é\\u2028\x7f\\n","service.name":"a\\/\\"b\\""}'
        assert row(given)["ServiceName"] == 'a/"b"'

    def test_empty_attributes_are_an_empty_text(self):
        """Where there is nothing to say there is no JSON."""
        cells = row(record({}, resource=Resource({})))
        assert (cells["Resource"], cells["ScopeAttrs"]) == ("", "")


class TestValuesThatNobodyExpects:
    def test_surrogates_in_every_text(self):
        """Characters that UTF-8 cannot hold are replaced, wherever they are."""
        bad = "a\ud800"
        given = record(
            {"user.id": bad, "other": bad, bad: 1, "nested": [bad]},
            body=bad,
            event_name=bad,
            severity_text=bad,
            resource=Resource({"service.name": bad}, bad),
            scope=InstrumentationScope(bad, bad, bad, {bad: bad}),
        )
        for layout in (ACTORS, compile_layout(parse_mapping({}))):
            text = repr(list(row(given, layout).values()))
            assert "\\ud800" not in text
            assert text.count("a\ufffd") >= 12

    @pytest.mark.parametrize(
        "changes",
        [
            {"attributes": {"a": Unprintable()}},
            {"attributes": {"user.id": Unprintable()}},
            {"attributes": {"activity.count": Unprintable()}},
            {"attributes": {3: 4}},
            {"body": Unprintable()},
            {"timestamp": 1.5},
            {"timestamp": 2**63},
            {"timestamp": "now"},
            {"trace_id": "0af7"},
            {"trace_id": 2**128},
            {"span_id": -1},
            {"event_name": b"bytes"},
            {"scope": InstrumentationScope(b"bytes")},  # type: ignore[arg-type]
            {"scope": InstrumentationScope("shop", "1", b"bytes")},  # type: ignore[arg-type]
            {"resource": Resource({}, b"bytes")},  # type: ignore[arg-type]
            {"severity_text": 9},
            {"severity_number": "INFO"},
            {"trace_flags": "01"},
        ],
    )
    def test_a_record_that_cannot_be_written_does_not_take_its_batch_with_it(self, changes):
        """The others are encoded, in order, and the one that is left out is told."""
        bad = record(**{"attributes": {}, **changes})
        columns = encode_logs([record({"n": 1}), bad, record({"n": 2}), bad], ACTORS)
        assert columns.data[columns.names.index("Attributes")] == [{"n": "1"}, {"n": "2"}]
        assert {len(column) for column in columns.data} == {2}
        assert [*columns.skipped] == [1, 3]
        assert columns.skipped[1].startswith("a record cannot be written as text (")

    @pytest.mark.parametrize("fields", [{}, {"timestamp": None}])
    def test_a_time_that_is_an_integer_of_another_kind(self, fields):
        """The driver takes Python's own for nanoseconds, and nothing else."""
        given = record({}, **{"timestamp": Nanoseconds(), "observed_timestamp": Nanoseconds(), **fields})
        (time,) = encode_logs([given]).data[0]
        assert (type(time), time) == (int, TIME_NS)

    def test_a_value_that_contains_itself(self):
        """It is left out, and the others arrive."""
        endless: dict[str, Any] = {}
        endless["self"] = endless
        columns = encode_logs([record({"a": endless}), record({})])
        assert (columns.rows, columns.skipped) == (1, {0: "a record cannot be written as text (RecursionError)"})

    @pytest.mark.parametrize(
        ("number", "expected"),
        [(SeverityNumber.ERROR, 17), (9, 9), (None, 0), (300, 44), (SeverityNumber.TRACE, 1)],
    )
    def test_severity_numbers(self, number, expected):
        """The enumeration and plain numbers are accepted; a UInt8 is what there is room for."""
        assert row(record({}, severity_number=number))["SeverityNumber"] == expected

    def test_trace_flags_beyond_a_byte(self):
        """Only the low byte is defined."""
        assert row(record({}, trace_flags=TraceFlags(0x1FF)))["TraceFlags"] == 255


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
_VALUES = st.recursive(_SCALARS, lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=5)
_NAMES = st.sampled_from([spec.attribute for spec in ACTORS.mapping.attributes]) | st.text(min_size=1)


class TestNothingIsLost:
    @pytest.mark.slow
    @given(st.dictionaries(_NAMES, _VALUES, max_size=8))
    def test_every_attribute_is_in_the_map_or_printed_by_its_column(self, attributes):
        """Map and columns together give back the text of every attribute."""
        cells = row(record(attributes, resource=RESOURCE))
        for name, value in attributes.items():
            if value is None:
                continue
            text, clean = as_text(value), as_text(name)
            spec = next((s for s in ACTORS.mapping.attributes if s.attribute == name), None)
            if clean in cells["Attributes"]:
                assert cells["Attributes"][clean] == text or name != clean  # two names may become one
            else:
                assert spec is not None
                held = cells[spec.column]
                assert as_text(held / spec.scale if spec.scale > 1 else held) == text


_CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda cells: st.lists(cells, max_size=3) | st.dictionaries(st.text(), cells, max_size=3),
    max_leaves=5,
)


_KEYS = st.sampled_from([*ACTOR_COLUMNS["attributes"], "x", "y"])


class TestRepetition:
    @pytest.mark.slow
    @given(
        st.lists(
            st.tuples(st.dictionaries(st.sampled_from([*ACTOR_COLUMNS["attributes"], "x", "y"]), _CELLS), _CELLS)
        ),
        st.sampled_from([ACTORS, OTEL_LOGS_LAYOUT]),
    )
    def test_the_same_records_give_the_same_block(self, values, layout):
        """In another process, too: from copies, whose attributes come in another order."""
        batch = [record(attributes, body=body, timestamp=n + 1) for n, (attributes, body) in enumerate(values)]
        copies = [
            record(
                dict(reversed(copy.deepcopy(attributes).items())),
                body=copy.deepcopy(body),
                timestamp=n + 1,
                resource=copy.deepcopy(RESOURCE),
                scope=copy.deepcopy(SCOPE),
            )
            for n, (attributes, body) in enumerate(values)
        ]
        assert encode_logs(copies, layout) == encode_logs(batch, layout)
