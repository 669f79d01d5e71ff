"""The otel_logs table, and table names in SQL."""

from __future__ import annotations

import pytest

from otel_clickhouse.client import connect
from otel_clickhouse.exceptions import ConfigurationError
from otel_clickhouse.layout import OTEL_LOGS_LAYOUT
from otel_clickhouse.schema import create_otel_logs, otel_logs_sql, quoted_table


class TestQuotedTable:
    @pytest.mark.parametrize(
        ("name", "quoted"),
        [("otel_logs", "`otel_logs`"), ("logs.otel_logs", "`logs`.`otel_logs`"), ("_1", "`_1`"), ("A" * 128,) * 2],
    )
    def test_plain_names(self, name, quoted):
        """A table, with or without its database."""
        assert quoted_table(name) == (f"`{name}`" if quoted == name else quoted)

    @pytest.mark.parametrize(
        "name", ["", "a.b.c", "a b", "a`; DROP TABLE x", "1a", "a.", ".a", "ä", "a\n", "A" * 129, None]
    )
    def test_everything_else_is_refused(self, name):
        """A name is never a way into SQL."""
        with pytest.raises(ConfigurationError, match="cannot be used"):
            quoted_table(name)


class TestOtelLogs:
    def test_has_the_columns_of_the_encoder(self, chdb_client):
        """Each column that is written exists, in a type that the written one fits."""
        chdb_client.command(otel_logs_sql("`otel_logs`"))
        described = chdb_client.query("DESCRIBE TABLE otel_logs").result_rows
        types = {name: kind.replace("LowCardinality(String)", "String") for name, kind, *_ in described}
        assert types == dict(zip(OTEL_LOGS_LAYOUT.names, OTEL_LOGS_LAYOUT.types, strict=True))

    def test_is_created_once_and_kept(self, chdb_client, chdb_url):
        """A second call, or a second process, changes nothing."""
        client = connect(f"{chdb_url}?database={chdb_client.database}")
        create_otel_logs(client, "`logs`")
        client.command("INSERT INTO logs (Body) VALUES ('kept')")
        create_otel_logs(client, "`logs`")
        assert client.command("SELECT Body FROM logs") == "kept"
        client.close()

    def test_remembers_tokens(self, chdb_client):
        """A plain MergeTree would not, and repeated inserts would double."""
        chdb_client.command(otel_logs_sql("`otel_logs`"))
        assert "non_replicated_deduplication_window = 10000" in chdb_client.command("SHOW CREATE TABLE otel_logs")

    def test_a_time_filter_skips_what_it_can(self, chdb_client):
        """The primary key ends before Timestamp, and so a filter by time prunes by the hour."""
        chdb_client.command(otel_logs_sql("`otel_logs`"))
        chdb_client.command(
            "INSERT INTO otel_logs (Timestamp, ServiceName) "
            "SELECT toDateTime64('2026-01-01 00:00:00', 9) + number, 'shop' FROM numbers(100_000)"
        )
        plan = chdb_client.query(
            "EXPLAIN indexes = 1 SELECT count() FROM otel_logs "
            "WHERE Timestamp >= '2026-01-01 12:00:00' AND Timestamp < '2026-01-01 13:00:00'"
        ).result_rows
        granules = [line.split()[-1].split("/") for (line,) in plan if "Granules" in line]
        read, of = map(int, granules[-1])
        assert read <= 2 < 10 < of
