"""The table ``[store]``: what is accepted, and what is said about the rest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.event import FIELDS
from activitylog.exceptions import ConfigurationError
from activitylog.settings import load_settings
from activitylog.store.definitions import definitions
from activitylog.store_settings import COLUMN_TYPES, StoreSettings, column_name, parse_store


def _message(table: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse_store(table)
    return str(caught.value)


class TestParseStore:
    """``parse_store``."""

    def test_everything(self) -> None:
        """Each key with a value that it takes."""
        table = {
            "partition_by": "week",
            "retention_days": 400,
            "rollup_retention_days": 1200,
            "cold_after_days": 30,
            "cold_volume": "cold",
            "storage_policy": "tiered",
            "cluster": "main",
            "columns": {"order.id": "String"},
        }
        settings = parse_store(table)
        assert {key: getattr(settings, key) for key in table} == table
        assert parse_store(settings) is settings
        assert parse_store({}) == StoreSettings()

    @pytest.mark.parametrize(
        ("table", "said"),
        [
            ([], "expected a table, got list. Write [store]."),
            ({"retention_day": 3}, "there is no key 'retention_day'. Did you mean 'retention_days'?"),
            ({"x": 3}, "there is no key 'x'. Known: cluster, cold_after_days,"),
            ({"partition_by": "year"}, "partition_by is 'year'. Accepted: day, week, month."),
            ({"retention_days": 0}, "retention_days is 0. Accepted: a whole number of days from 1 to 36,500."),
            ({"retention_days": True}, "retention_days is True."),
            ({"retention_days": "30"}, "retention_days is '30'."),
            ({"retention_days": 36_501}, "retention_days is 36501."),
            ({"storage_policy": "a'b"}, 'storage_policy is "a\'b". Accepted: a letter or'),
            ({"cluster": "a;b"}, "cluster is 'a;b'."),
            ({"cold_after_days": 3}, "cold_after_days and cold_volume belong together, and one is missing."),
            ({"cold_volume": "cold"}, "cold_after_days and cold_volume belong together, and one is missing."),
            (
                {"cold_after_days": 30, "cold_volume": "cold", "retention_days": 30},
                "cold_after_days (30) is not less than retention_days (30).",
            ),
            (
                {"retention_days": 30, "rollup_retention_days": 29},
                "rollup_retention_days (29) is less than retention_days (30).",
            ),
            ({"rollup_retention_days": 29}, "rollup_retention_days (29) is less than retention_days (for ever)."),
        ],
    )
    def test_refused(self, table: Any, said: str) -> None:
        """The value is shown, and what is accepted."""
        assert _message(table).startswith(said)

    @pytest.mark.parametrize(
        ("columns", "said"),
        [
            ("String", "columns is not a table. Write [store.columns] and a line"),
            ({"order.id": "Int32"}, "the type of the column for 'order.id' is 'Int32'. Accepted: String,"),
            (
                {"order": {"id": "String"}},
                "'order' is a table, not a type. Write the attribute in quotes: \"order.id\"",
            ),
            ({"user.id": "String"}, "'user.id' has the column ActorId already."),
            ({"body": "String"}, "'body' gives the column Body, which the table itself has."),
            ({"timestamp.time": "String"}, "'timestamp.time' gives the column TimestampTime, which the table"),
            ({"actor_id": "String"}, "'actor_id' gives the column ActorId, which 'activity.actor.id' has."),
            (
                {"order.id": "String", "order_id": "String"},
                "'order_id' gives the column OrderId, which 'order.id' has.",
            ),
            ({"2fa": "Bool"}, "'2fa' gives no name for a column."),
            ({"...": "Bool"}, "'...' gives no name for a column."),
            ({"größe": "Bool"}, "'größe' gives no name for a column."),
            ({"a\nb": "Bool"}, "'a\\nb' gives no name for a column."),
            ({"": "Bool"}, "'' gives no name for a column."),
            ({3: "Bool"}, "3 gives no name for a column."),
            ({"x" * 129: "Bool"}, "'xxx"),
        ],
    )
    def test_columns_refused(self, columns: Any, said: str) -> None:
        """What gives no column, or one that is taken, is named."""
        assert _message({"columns": columns}).startswith(said)

    def test_known_attributes_of_the_map(self) -> None:
        """An attribute that activitylog knows and keeps in the map may be promoted; one with a column may not."""
        for known in FIELDS:
            if known.column is None:
                assert parse_store({"columns": {known.attribute: "String"}}).columns
            else:
                assert f"has the column {known.column} already" in _message(
                    {"columns": {known.attribute: "String"}}
                )

    @pytest.mark.parametrize(
        "name", [column.name for table in definitions()[:1] for column in table.columns if column.name]
    )
    def test_no_column_of_the_table_is_given_away(self, name: str) -> None:
        """Whatever column the table of events has, no attribute takes its name, in any case."""
        for attribute in (name, name.lower()):
            assert "which" in _message({"columns": {attribute: "String"}})

    @given(st.text(max_size=20), st.sampled_from(COLUMN_TYPES))
    def test_any_name(self, attribute: str, kind: str) -> None:
        """Any text is accepted with a column of letters and digits, or refused as ConfigurationError."""
        try:
            settings = parse_store({"columns": {attribute: kind}})
        except ConfigurationError:
            return
        assert settings.columns == {attribute: kind}
        assert column_name(attribute).isalnum()
        assert column_name(attribute).isascii()
        assert not column_name(attribute)[0].isdigit()

    def test_the_place_is_named(self, tmp_path: Any) -> None:
        """An error in a file says in which."""
        (tmp_path / "activitylog.toml").write_text("[store]\nretention_days = -1\n")
        with pytest.raises(ConfigurationError, match=r"store in .*activitylog.toml: retention_days is -1"):
            load_settings(environ={}, directory=tmp_path)


class TestColumnName:
    @pytest.mark.parametrize(
        ("attribute", "column"),
        [("order.id", "OrderId"), ("cart_total", "CartTotal"), ("HTTPStatus", "HTTPStatus"), ("a-b/c d", "ABCD")],
    )
    def test_words(self, attribute: str, column: str) -> None:
        """Each word with a capital, as the columns of the table are written."""
        assert column_name(attribute) == column
