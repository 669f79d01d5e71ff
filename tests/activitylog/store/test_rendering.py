"""From a file's text to what runs on a deployment."""

from __future__ import annotations

from typing import Any

import pytest

from activitylog.store import apply, diff, migrations
from activitylog.store.rendering import statements
from activitylog.store_settings import PartitionBy, StoreSettings


class TestStatements:
    """``statements``."""

    def test_defaults_change_nothing(self) -> None:
        """Without settings a file is run as it is, but for its semicolon."""
        for migration in migrations():
            assert statements(migration.sql, StoreSettings()) == [migration.sql.strip().removesuffix(";")]

    @pytest.mark.parametrize(
        ("partition_by", "key"),
        [("day", "toYYYYMMDD(Timestamp)"), ("week", "toMonday(Timestamp)"), ("month", "toYYYYMM(Timestamp)")],
    )
    def test_partitions_and_policy(self, partition_by: PartitionBy, key: str) -> None:
        """Both go into a table that is created with partitions, each once."""
        settings = StoreSettings(partition_by=partition_by, storage_policy="tiered")
        (sql,) = statements(migrations()[0].sql, settings)
        assert [line for line in sql.splitlines() if line.startswith(("PARTITION", "SETTINGS"))] == [
            f"PARTITION BY {key}",
            "SETTINGS storage_policy = 'tiered', index_granularity = 8192, ttl_only_drop_parts = 1, "
            "non_replicated_deduplication_window = 10000",
        ]

    def test_the_rest_is_left_alone(self) -> None:
        """Tables without partitions, views and changes of tables are the same on every deployment."""
        settings = StoreSettings(partition_by="day", storage_policy="tiered")
        for migration in migrations():
            if "PARTITION BY" not in migration.sql:
                assert statements(migration.sql, settings) == statements(migration.sql, StoreSettings())

    @pytest.mark.parametrize("partition_by", ["day", "week", "month"])
    def test_every_table_is_made_so(self, chdb_client: Any, partition_by: PartitionBy) -> None:
        """The engine takes it, and `diff` with the same settings finds nothing; with others it says so."""
        settings = StoreSettings(partition_by=partition_by)
        apply(chdb_client, settings)
        assert diff(chdb_client, settings) == []
        other = StoreSettings(partition_by="day" if partition_by != "day" else "week")
        found = [str(difference) for difference in diff(chdb_client, other)]
        assert len(found) == 4
        assert all("(fixed when the table was made: set partition_by to what it is" in text for text in found)
