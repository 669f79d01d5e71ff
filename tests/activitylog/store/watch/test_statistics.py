"""The picture of a real store, by numbers that were put into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activitylog.store.columns import COUNTERS_TABLE
from activitylog.store.watch import Database, Statistics, TableFacts, pulse, statistics
from activitylog.store.watch.asking import HOURLY_TABLE

#: Ten days up to an hour and a bit ago, one event every 864 seconds, of three names.
FILL = """
INSERT INTO activity_events (Timestamp, EventName, TenantId, ActorType, ActorId)
SELECT now64(9) - toIntervalSecond(864 * (1002 - number)), if(number % 4 = 0, 'a.rare', 'b.often'),
       'tenant' || toString(number % 3), 'user', toString(number % 7)
FROM numbers(1000)
"""


@pytest.fixture
def store(migrated_client: Any) -> Any:
    migrated_client.command(FILL)
    return migrated_client


@pytest.fixture
def found(store: Any) -> Statistics:
    return statistics(store, columns=True, partitions=True)


class TestStatistics:
    """``statistics``: everything at once."""

    def test_events(self, found: Statistics) -> None:
        """Rows, range, actors and tenants."""
        assert found.events is not None
        assert (found.events.events, found.events.actors, found.events.tenants) == (1000, 7, 3)
        assert found.events.oldest is not None
        assert found.events.newest is not None
        span = found.events.newest - found.events.oldest
        assert span.total_seconds() == pytest.approx(864 * 999)

    def test_bytes_add_up(self, found: Statistics) -> None:
        """Bytes an event are the bytes of table and roll-ups by rows, and nothing else."""
        assert found.events is not None
        by_table = {size.table: size for size in found.tables}
        raw = by_table["activity_events"].bytes
        rollups = sum(
            by_table[name].bytes for name in (HOURLY_TABLE, "activity_events_actor_daily", COUNTERS_TABLE)
        )
        assert found.events.table_bytes_per_event == raw / 1000
        assert found.events.rollup_bytes_per_event == rollups / 1000
        assert found.events.bytes_per_event == pytest.approx((raw + rollups) / 1000)
        assert found.events.rollup_share == rollups / raw

    def test_small_parts_are_one_line(self, found: Statistics) -> None:
        """Parts that keep their columns together tell only their sum; nothing is made up for a column."""
        kinds = {item.kind for item in found.columns}
        assert "small parts" in kinds
        assert "column" not in kinds

    def test_columns_of_large_parts(self, store: Any) -> None:
        """Of parts with a file a column, each column has its bytes, and with all else they are the table's."""
        store.command("ALTER TABLE activity_events MODIFY SETTING min_bytes_for_wide_part = 0")
        store.command("OPTIMIZE TABLE activity_events FINAL")
        found = statistics(store, columns=True)
        by_name = {item.what: item for item in found.columns if item.kind == "column"}
        assert "(columns of small parts)" not in {item.what for item in found.columns}
        assert by_name["Timestamp"].uncompressed_bytes == 8000
        assert by_name["ActorId"].bytes > 0
        assert "idx_actor" in {item.what for item in found.columns if item.kind == "index"}
        total = next(size.bytes for size in found.tables if size.table == "activity_events")
        assert sum(item.bytes for item in found.columns) == pytest.approx(total, rel=0.05)

    def test_partitions(self, found: Statistics) -> None:
        """Each partition with its rows and range; together they are the table."""
        ours = [item for item in found.partitions if item.table == "activity_events"]
        assert sum(item.rows for item in ours) == 1000
        assert all(item.oldest is not None and item.newest is not None for item in ours)
        assert found.events is not None
        assert found.events.oldest is not None
        assert ours[0].oldest == found.events.oldest.replace(microsecond=0)

    def test_partitions_only_when_asked(self, store: Any) -> None:
        """They may be many."""
        found = statistics(store)
        assert (found.columns, found.partitions) == ((), ())

    def test_growth(self, found: Statistics) -> None:
        """A hundred rows a day, by the events' own times, because there is no part log."""
        assert found.growth is not None
        assert (found.growth.source, found.growth.by_arrival_day) == ("event_times", None)
        assert found.growth.rows_per_day_7 == pytest.approx(100, abs=1)
        assert sum(day.rows for day in found.growth.by_event_day) == 1000

    def test_inserts(self, found: Statistics) -> None:
        """One insert of a thousand rows; what is not known is said to be by events' times."""
        assert found.inserts is not None
        assert (found.inserts.source, found.inserts.batch_source) == ("event_times", "block_numbers")
        assert found.inserts.rows_24h == 97
        assert found.inserts.rows_per_second_24h == 97 / 86_400
        assert found.inserts.batches in (1, 2)

    def test_average_batch_survives_merges(self, store: Any) -> None:
        """Block numbers tell the size of batches after their parts were merged."""
        for number in range(9):
            store.command(
                "INSERT INTO activity_events (Timestamp, EventName, Seq) "
                f"SELECT now64(9), 'a', {number} FROM numbers(50)"
            )
        store.command("OPTIMIZE TABLE activity_events FINAL")
        found = statistics(store).inserts
        assert found is not None
        assert found.batches == 10
        assert found.average_batch_rows is not None
        assert 45 < found.average_batch_rows < 146

    def test_dropped_partition(self, store: Any) -> None:
        """A partition that was just dropped is no batch of no rows, and no part."""
        store.command(
            "INSERT INTO activity_events (Timestamp, EventName) SELECT '2020-01-05', 'a' FROM numbers(50)"
        )
        store.command("ALTER TABLE activity_events DROP PARTITION 202001")
        found = statistics(store)
        assert found.inserts is not None
        assert found.inserts.average_batch_rows is not None
        assert found.inserts.average_batch_rows > 100
        parts = store.query(
            "SELECT count() FROM system.parts WHERE active AND rows > 0 AND database = "
            "currentDatabase() AND table = 'activity_events'"
        ).result_rows[0][0]
        assert {size.table: size for size in found.tables}["activity_events"].parts == parts

    def test_top_events(self, store: Any, found: Statistics) -> None:
        """From the roll-up, and by a scan when it is asked for: the same numbers."""
        assert [(item.event, item.events, item.percent) for item in found.top_events] == [
            ("b.often", 750, 75.0),
            ("a.rare", 250, 25.0),
        ]
        assert found.top_events_source == "rollup"
        scanned = statistics(store, scan=True)
        assert (scanned.top_events, scanned.top_events_source) == (found.top_events, "events")

    def test_disk(self, found: Statistics) -> None:
        """The disk that the table is on."""
        (disk,) = found.disks
        assert disk.name == "default"
        assert disk.free_bytes is not None
        assert disk.total_bytes is not None
        assert 0 < disk.free_bytes < disk.total_bytes

    def test_retention(self, store: Any) -> None:
        """With a TTL the size levels off."""
        store.command("ALTER TABLE activity_events MODIFY TTL toDateTime(Timestamp) + toIntervalDay(90)")
        found = statistics(store).forecast
        assert found is not None
        assert (found.retention_days, found.full_on) == (90, None)
        assert found.levels_off_bytes is not None

    def test_mutations(self, store: Any) -> None:
        """One that is not done is counted."""
        store.command("SYSTEM STOP MERGES activity_events")
        store.command("ALTER TABLE activity_events DELETE WHERE ActorId = '1'", settings={"mutations_sync": 0})
        assert statistics(store).mutations.pending == 1

    def test_empty_tables(self, migrated_client: Any) -> None:
        """A store without a row has numbers, too."""
        found = statistics(migrated_client, columns=True, partitions=True)
        assert found.events is not None
        assert (found.events.events, found.events.oldest, found.events.bytes_per_event) == (0, None, 0)
        assert found.inserts is not None
        assert found.inserts.average_batch_rows is None

    def test_without_our_tables(self, chdb_client: Any) -> None:
        """Another database's tables are listed, and nothing is said of events."""
        chdb_client.command("CREATE TABLE other (a UInt8) ENGINE = MergeTree ORDER BY a")
        found = statistics(chdb_client, columns=True)
        assert [size.table for size in found.tables] == ["other"]
        assert (found.events, found.inserts, found.growth, found.forecast) == (None, None, None, None)

    def test_without_rollups(self, store: Any) -> None:
        """An older schema has none: the table answers, and what only a roll-up knows is unknown."""
        for name in ("activity_events_hourly", "activity_events_actor_daily"):
            store.command(f"DROP TABLE {name}_mv")
            store.command(f"DROP TABLE {name}")
        found = statistics(store)
        assert found.events is not None
        assert (found.events.actors, found.events.tenants) == (None, None)
        assert found.top_events_source == "events"
        assert found.growth is not None
        assert sum(day.rows for day in found.growth.by_event_day) == 1000

    @pytest.mark.server
    def test_over_http(self, store: Any, server_url: str) -> None:
        """The same numbers over HTTP."""
        from activitylog.store import connect

        store.command("OPTIMIZE TABLE activity_schema_migrations FINAL")  # else it is merged between the two
        client = connect(f"{server_url.rpartition('/')[0]}/{store.database}")
        try:
            over_http, direct = statistics(client, columns=True), statistics(store, columns=True)
        finally:
            client.close()
        assert over_http.events == direct.events
        assert (over_http.tables, over_http.columns) == (direct.tables, direct.columns)
        assert over_http.top_events == direct.top_events


@pytest.fixture
def part_log(store: Any) -> Iterator[Any]:
    """The embedded engine keeps no part log: a table of the columns that the server's has, with recorded rows."""
    store.command(
        "CREATE TABLE system.part_log (event_type Enum8('NewPart' = 1, 'MergeParts' = 2, 'RemovePart' = 4), "
        "event_date Date, event_time DateTime, database LowCardinality(String), table LowCardinality(String), "
        "rows UInt64) ENGINE = Memory"
    )
    store.command(
        "INSERT INTO system.part_log SELECT 'NewPart', toDate(now() - age), now() - age, currentDatabase(), "
        "'activity_events', rows FROM values('age UInt32, rows UInt64', (10, 600), (1800, 3000), (80000, 5040), "
        "(172800, 20000), (259200, 10000))"
    )
    store.command(
        "INSERT INTO system.part_log "
        "SELECT 'MergeParts', today(), now(), currentDatabase(), 'activity_events', 99999"
    )
    store.command("INSERT INTO system.part_log SELECT 'NewPart', today(), now(), 'another', 'activity_events', 77")
    yield store
    store.command("DROP TABLE system.part_log SYNC")


class TestPartLog:
    """Where the server keeps a part log, it is known when rows were written."""

    def test_rates_and_batches(self, part_log: Any) -> None:
        """Rows of new parts of our table, not of merges and not of another database's."""
        found = statistics(part_log)
        assert found.inserts is not None
        assert (found.inserts.source, found.inserts.batch_source) == ("part_log", "part_log")
        assert (found.inserts.rows_per_second_now, found.inserts.rows_1h) == (10.0, 3600)
        assert (found.inserts.rows_24h, found.inserts.batches) == (8640, 3)
        assert found.inserts.average_batch_rows == 2880
        assert (found.merges.done, found.merges.done_source) == (1, "part_log")

    def test_growth_by_arrival(self, part_log: Any) -> None:
        """What was imported counts on the day on which it came in, whatever its events' times are."""
        growth = statistics(part_log).growth
        assert growth is not None
        assert growth.source == "part_log"
        assert growth.by_arrival_day is not None
        assert sum(day.rows for day in growth.by_arrival_day) == 38_640
        assert growth.rows_per_day_7 is not None
        assert growth.rows_per_day_7 >= 10_000


class TestReadsLittle:
    def test_no_scan_of_the_events(self, store: Any) -> None:
        """Unless asked, no column of the table is read but for the newest day's times."""
        store.command(
            "INSERT INTO activity_events (Timestamp, EventName) SELECT '2020-01-01', 'x' FROM numbers(200000)"
        )
        parts = (
            "SELECT path FROM system.parts WHERE active AND database = currentDatabase() AND partition = '202001'"
        )
        (path,) = (row[0] for row in store.query(f"{parts} AND table = 'activity_events'").result_rows)
        for data in Path(path).glob("*.bin"):
            data.write_bytes(b"torn")
        store.command("SYSTEM DROP MARK CACHE")
        store.command("SYSTEM DROP UNCOMPRESSED CACHE")
        found = statistics(store, columns=True, partitions=True)
        assert found.events is not None
        assert found.events.events == 201_000


class TestPulse:
    def test_rate(self, store: Any) -> None:
        """Two looks make the rate at which rows came in."""
        database = Database(store)
        earlier = pulse(database)
        store.command("INSERT INTO activity_events (Timestamp, EventName) SELECT now64(9), 'a' FROM numbers(500)")
        now = pulse(database)
        assert (earlier.rows, now.rows) == (1000, 1500)
        seconds = (now.at - earlier.at).total_seconds()
        assert now.rows_per_second(earlier) == pytest.approx(500 / seconds)
        assert earlier.rows_per_second(earlier) == 0


class TestTableFacts:
    """What is read from a table's engine, as servers print it."""

    @pytest.mark.parametrize(
        ("engine", "days"),
        [
            ("MergeTree ORDER BY a SETTINGS index_granularity = 8192", None),
            ("MergeTree ORDER BY a TTL toDateTime(Timestamp) + toIntervalDay(400) SETTINGS b = 1", 400),
            ("MergeTree ORDER BY a TTL toDate(Timestamp) + toIntervalMonth(2)", 62),
            (
                "MergeTree ORDER BY a TTL x + toIntervalDay(30) TO VOLUME 'c', x + toIntervalDay(90) SETTINGS b",
                90,
            ),
            ("MergeTree ORDER BY a TTL x + toIntervalDay(30) TO VOLUME 'cold' SETTINGS b = 1", None),
            ("MergeTree ORDER BY a TTL x + toIntervalDay(7) DELETE", 7),
        ],
    )
    def test_retention(self, engine: str, days: float | None) -> None:
        """Only a TTL that drops rows is a retention."""
        assert TableFacts("t", "MergeTree", engine).retention_days == days

    def test_setting(self) -> None:
        """A table's own settings, and no part of another one's name."""
        facts = TableFacts(
            "t", "MergeTree", "MergeTree ORDER BY a SETTINGS replicated_window = 7, storage_policy = 'x'"
        )
        assert (facts.setting("replicated_window"), facts.setting("storage_policy")) == ("7", "x")
        assert facts.setting("window") is None

    def test_distributed(self, store: Any) -> None:
        """Behind a Distributed table the local one holds the rows."""
        database = Database(store)
        tables = database.tables | {
            "activity_events": TableFacts(
                "activity_events", "Distributed", "Distributed('main', 'logs', 'activity_events_local', rand())"
            )
        }
        database.__dict__["tables"] = tables
        assert database.events == "activity_events_local"
