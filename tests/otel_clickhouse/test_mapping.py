"""The mapping as plain data: what is accepted, and what a user reads when it is not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from otel_clickhouse.exceptions import ConfigurationError
from otel_clickhouse.layout import OTEL_LOGS_LAYOUT, compile_layout
from otel_clickhouse.mapping import AttributeColumn, parse_mapping
from tests.otel_clickhouse.records import ACTOR_COLUMNS


class TestParseMapping:
    def test_nothing_given_is_the_collectors_table(self):
        """An empty mapping has the 16 columns of otel_logs."""
        assert sorted(compile_layout(parse_mapping({})).names) == [
            "Body", "EventName", "LogAttributes", "ResourceAttributes", "ResourceSchemaUrl", "ScopeAttributes",
            "ScopeName", "ScopeSchemaUrl", "ScopeVersion", "ServiceName", "SeverityNumber", "SeverityText",
            "SpanId", "Timestamp", "TraceFlags", "TraceId",
        ]  # fmt: skip
        assert compile_layout(parse_mapping({})).names == OTEL_LOGS_LAYOUT.names

    def test_defaults_of_an_attribute(self):
        """A column is text, empty by default, unscaled and unconditional."""
        mapping = parse_mapping({"attributes": {"user.id": {"column": "UserId"}}})
        assert mapping.attributes == (AttributeColumn("user.id", "UserId", "String", "", 1, {}, {}),)

    @pytest.mark.parametrize(
        ("type_name", "default"),
        [("UUID", "00000000-0000-0000-0000-000000000000"), ("UInt16", 0), ("UInt64", 0), ("Float64", 0.0)],
    )
    def test_each_type_has_a_default(self, type_name, default):
        """What stands for "absent" need not be spelled out."""
        mapping = parse_mapping({"attributes": {"a": {"column": "A", "type": type_name}}})
        assert mapping.attributes[0].default == default

    def test_the_input_is_not_kept(self):
        """Changing the data afterwards changes nothing."""
        data = copy.deepcopy(dict(ACTOR_COLUMNS))
        mapping = parse_mapping(data)
        data["attributes"]["user.id"]["implies"]["ActorType"] = "changed"
        assert mapping == parse_mapping(ACTOR_COLUMNS)


def _with(**changes: Any) -> dict[str, Any]:
    return {**ACTOR_COLUMNS, **changes}


class TestMistakes:
    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (
                {"attribute": {}},
                "columns has the unknown key 'attribute'. "
                "Accepted: attributes, body, other_attributes, resource, scope.",
            ),
            ({"attributes": ["user.id"]}, "columns['attributes'] is ['user.id']. Accepted: a mapping."),
            (
                {"attributes": {"user.id": {"column": "UserId", "typ": "String"}}},
                "the attribute 'user.id' has the unknown key 'typ'. "
                "Accepted: column, default, implies, scale, type, unless.",
            ),
            (
                {"attributes": {"user.id": {}}},
                "'column' of the attribute 'user.id' is None. "
                "Accepted: a letter or '_', then letters, digits and '_', at most 128.",
            ),
            (
                {"attributes": {"user.id": {"column": "a`; DROP TABLE x"}}},
                "'column' of the attribute 'user.id' is 'a`; DROP TABLE x'. "
                "Accepted: a letter or '_', then letters, digits and '_', at most 128.",
            ),
            (
                {"attributes": {"n": {"column": "N", "type": "Int8"}}},
                "The type 'Int8' of the attribute 'n' is unknown. "
                "Accepted: String, UUID, UInt8, UInt16, UInt32, UInt64, Float64.",
            ),
            (
                {"attributes": {"n": {"column": "N", "type": "UInt8", "default": 256}}},
                "The default 256 of the attribute 'n' is not a value of UInt8. Accepted: a value such as 0.",
            ),
            (
                {"attributes": {"n": {"column": "N", "type": "Float64", "default": 1}}},
                "The default 1 of the attribute 'n' is not a value of Float64. Accepted: a value such as 0.0.",
            ),
            (
                {"attributes": {"n": {"column": "N", "scale": 1000}}},
                "The scale 1000 of the attribute 'n' cannot be used with the type String. "
                "Accepted: a whole number from 1 on, above 1 only with UInt8 to UInt64.",
            ),
            (
                {"attributes": {"n": {"column": "N", "implies": {"M": ""}}}},
                "'implies' of the attribute 'n' has 'M': ''. Accepted: texts that are not empty.",
            ),
            (
                {"attributes": {"n": {"column": "N", "unless": {"M": "x"}}}},
                "'unless' of the attribute 'n' names the column 'M', which no attribute of type String takes. "
                "Accepted: N.",
            ),
            (
                {"attributes": {"a": {"column": "N"}, "b": {"column": "N", "default": "-"}}},
                "The attributes 'a' and 'b' share the column N with another type, default or scale. "
                "Give both the same, or each its own column.",
            ),
            (
                {"body": {"column": "Body", "marks": {"x": "ActorId"}}},
                "The mark 'x' of the body cannot be used. Accepted: one control character from \\x01 to \\x1f, "
                "but \\x1a, which stands in for marks.",
            ),
            (
                {"body": {"column": "Body", "marks": {"\x01": "ActorId"}}},
                "'marks' of the body names the column 'ActorId', which no attribute of type String takes. "
                "Accepted: none yet.",
            ),
            (
                {"resource": {"column": "R", "format": "yaml"}},
                "The format 'yaml' of columns['resource'] is unknown. Accepted: 'map', 'json'.",
            ),
            (
                {"attributes": {"": {"column": "A"}}},
                "The name of the attribute '' is not a text of at least one character.",
            ),
        ],
    )
    def test_says_what_was_given_and_what_is_accepted(self, data, message):
        """A wrong mapping fails at once, and the message is enough to mend it."""
        with pytest.raises(ConfigurationError) as raised:
            parse_mapping(data)
        assert str(raised.value) == message

    @pytest.mark.parametrize(
        "changes",
        [
            {"other_attributes": "ActorId"},
            {"other_attributes": "Resource"},
            {"body": {"column": "Timestamp"}},
            {"scope": {"column": "Resource"}},
        ],
    )
    def test_a_column_has_one_use(self, changes):
        """Two uses of a column would overwrite each other."""
        with pytest.raises(ConfigurationError, match="has two uses"):
            parse_mapping(_with(**changes))
