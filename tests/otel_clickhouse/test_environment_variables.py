"""Settings from the environment, and arguments before them."""

from __future__ import annotations

import pytest

from otel_clickhouse import ClickHouseLogExporter, ConfigurationError
from otel_clickhouse import environment_variables as env


class TestVariables:
    def test_the_exporter_needs_no_argument(self):
        """The SDK calls it without any."""
        assert repr(ClickHouseLogExporter()) == (
            "ClickHouseLogExporter('http://localhost:8123/default', table='`otel_logs`')"
        )

    def test_all_of_them(self, monkeypatch):
        """Each setting has a variable."""
        monkeypatch.setenv("OTEL_EXPORTER_CLICKHOUSE_DSN", "clickhouses://me:s3cr3t@db/logs")
        monkeypatch.setenv("OTEL_EXPORTER_CLICKHOUSE_TABLE", "app.logs")
        monkeypatch.setenv("OTEL_EXPORTER_CLICKHOUSE_CREATE_SCHEMA", "false")
        monkeypatch.setenv("OTEL_EXPORTER_CLICKHOUSE_TIMEOUT", "2.5")
        monkeypatch.setenv("OTEL_EXPORTER_CLICKHOUSE_RETRY_DEADLINE", "60")
        assert repr(ClickHouseLogExporter()) == (
            "ClickHouseLogExporter('clickhouses://me:***@db/logs', table='`app`.`logs`')"
        )
        assert env.boolean(env.OTEL_EXPORTER_CLICKHOUSE_CREATE_SCHEMA, True) is False
        assert env.seconds(env.OTEL_EXPORTER_CLICKHOUSE_TIMEOUT, 10.0) == 2.5
        assert env.seconds(env.OTEL_EXPORTER_CLICKHOUSE_RETRY_DEADLINE, 30.0) == 60.0

    def test_arguments_go_before_the_environment(self, monkeypatch):
        """What the code says is meant."""
        monkeypatch.setenv("OTEL_EXPORTER_CLICKHOUSE_DSN", "not a dsn")
        monkeypatch.setenv("OTEL_EXPORTER_CLICKHOUSE_TABLE", "not a table")
        monkeypatch.setenv("OTEL_EXPORTER_CLICKHOUSE_TIMEOUT", "soon")
        exporter = ClickHouseLogExporter("chdb://memory", table="t", timeout_seconds=1)
        assert repr(exporter) == "ClickHouseLogExporter('chdb://memory', table='`t`')"

    def test_empty_is_not_set(self, monkeypatch):
        """As the OpenTelemetry specification has it."""
        for name in ("DSN", "TABLE", "CREATE_SCHEMA", "TIMEOUT", "RETRY_DEADLINE"):
            monkeypatch.setenv(f"OTEL_EXPORTER_CLICKHOUSE_{name}", " ")
        assert repr(ClickHouseLogExporter()).startswith("ClickHouseLogExporter('http://localhost:8123/default'")

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            (
                "TIMEOUT",
                "10s",
                "OTEL_EXPORTER_CLICKHOUSE_TIMEOUT is '10s'. Accepted: a number of seconds above 0.",
            ),
            ("TIMEOUT", "-1", "OTEL_EXPORTER_CLICKHOUSE_TIMEOUT is '-1'. Accepted: a number of seconds above 0."),
            (
                "RETRY_DEADLINE",
                "nan",
                "OTEL_EXPORTER_CLICKHOUSE_RETRY_DEADLINE is 'nan'. Accepted: a number of seconds above 0.",
            ),
            (
                "CREATE_SCHEMA",
                "maybe",
                "OTEL_EXPORTER_CLICKHOUSE_CREATE_SCHEMA is 'maybe'. "
                "Accepted: true, 1, yes, on, false, 0, no, off.",
            ),
        ],
    )
    def test_wrong_values_name_the_variable(self, monkeypatch, name, value, message):
        """The message leads to the place to mend."""
        monkeypatch.setenv(f"OTEL_EXPORTER_CLICKHOUSE_{name}", value)
        with pytest.raises(ConfigurationError) as raised:
            ClickHouseLogExporter()
        assert str(raised.value) == message

    @pytest.mark.parametrize("value", ["TRUE", "True", "1", "yes", "on"])
    def test_true_in_many_forms(self, monkeypatch, value):
        """People write it as they are used to."""
        monkeypatch.setenv("OTEL_EXPORTER_CLICKHOUSE_CREATE_SCHEMA", value)
        assert env.boolean(env.OTEL_EXPORTER_CLICKHOUSE_CREATE_SCHEMA, False) is True
