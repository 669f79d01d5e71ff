"""Each test breaks a real store in one way and sees exactly the finding that it should."""

from __future__ import annotations

import re
import shlex
import time
from datetime import date
from threading import Event, Thread
from typing import Any

import clickhouse_connect
import pytest

from activitylog.store import apply, backfill, claims, migrations, missing
from activitylog.store.doctor import Examined, Finding, Severity
from activitylog.store.doctor.examination import run
from activitylog.store.doctor.times import CLOCK
from activitylog.store.watch import Database
from activitylog.store_settings import StoreSettings

pytestmark = pytest.mark.slow

NOW = "now64(9) - INTERVAL 600 SECOND"


def insert(
    client: Any, columns: str, values: str, rows: int = 1, table: Any = "activity_events", **settings: Any
) -> None:
    """Rows of a table; ``number`` counts them."""
    client.command(f"INSERT INTO {table} ({columns}) SELECT {values} FROM numbers({rows})", settings=settings)


def only(found: dict[str, Finding], name: str) -> Finding:
    """The one problem that there is."""
    assert list(found) == [name], {name: finding.found for name, finding in found.items()}
    return found[name]


def _sql(command: str) -> str:
    """The statement in a command that is shown."""
    return next(word for word in shlex.split(command) if " " in word)


class TestTables:
    def test_dropped_view(self, store: Any, problems: Any) -> None:
        """Without the landing table's view a Collector's rows are lost in silence: an error."""
        store.command("DROP TABLE activity_events_ingest_mv")
        found = problems(store)
        assert set(found) == {"schema", "landing"}
        assert found["landing"].severity is Severity.ERROR
        assert found["landing"].details[0].startswith("activity_counters_mv writes to ")

    def test_detached_view(self, store: Any, problems: Any) -> None:
        """A view that is detached does not work either, and the command that brings it back does."""
        store.command("DETACH TABLE activity_events_ingest_mv")
        found = problems(store)
        assert "landing" in found
        assert 'activitylog sql --write "ATTACH TABLE activity_events_ingest_mv"' in found["landing"].do[1]
        store.command("ATTACH TABLE activity_events_ingest_mv")
        assert problems(store) == {}

    def test_missing_landing_table(self, store: Any, problems: Any) -> None:
        """Without the landing table a Collector's inserts are refused."""
        store.command("DROP TABLE activity_events_ingest")
        found = problems(store)
        assert (
            found["landing"].found == "there is no table activity_events_ingest: a Collector's inserts are refused"
        )

    def test_altered_column(self, store: Any, problems: Any) -> None:
        """A column of another type is a difference of the schema."""
        store.command("ALTER TABLE activity_events MODIFY COLUMN HttpStatus UInt32")
        finding = only(problems(store), "schema")
        assert finding.details[0].startswith("activity_events.HttpStatus is UInt32")

    def test_newer_schema(self, store: Any, problems: Any) -> None:
        """A database that a newer version made is said to be one."""
        store.command(
            "INSERT INTO activity_schema_migrations (number, name, checksum) VALUES (9000, 'later', 'x')"
        )
        finding = only(problems(store), "schema")
        assert finding.found.startswith("The database has the schema step 9000 (later)")

    @pytest.mark.parametrize(
        ("table", "role"),
        [
            ("activity_events_hourly", "activity_events_hourly (filled by activity_events_hourly_mv)"),
            ("activity_counters", "activity_counters (filled by activity_counters_mv)"),
            (
                "activity_events_actor_daily",
                "activity_events_actor_daily (filled by activity_events_actor_daily_mv)",
            ),
            ("activity_claims", "activity_claims"),
        ],
    )
    def test_window_of_a_target(self, store: Any, problems: Any, table: str, role: str) -> None:
        """A target whose window is 0 would count a repeated batch twice."""
        store.command(f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 0")
        finding = problems(store)["windows"]
        assert (finding.severity, finding.found) == (
            Severity.ERROR,
            f"{role} remembers no inserts: non_replicated_deduplication_window is 0",
        )
        assert finding.do[0].startswith(
            f'activitylog sql --write "ALTER TABLE {table} MODIFY SETTING '
            'non_replicated_deduplication_window = 10000" --url chdb://'
        )

    def test_window_of_the_table(self, store: Any, problems: Any) -> None:
        """The table's own window, too; the schema's check knows of that one."""
        store.command("ALTER TABLE activity_events MODIFY SETTING non_replicated_deduplication_window = 0")
        assert "windows" in problems(store)

    def test_view_of_the_users_own(self, store: Any, problems: Any) -> None:
        """A view that somebody added counts like ours: its target has no window unless it is given one."""
        store.command("CREATE TABLE mine (day Date, n UInt64) ENGINE = SummingMergeTree ORDER BY day")
        store.command(
            "CREATE MATERIALIZED VIEW mine_mv TO mine AS SELECT toDate(Timestamp) AS day, count() AS n "
            "FROM activity_events GROUP BY day"
        )
        finding = only(problems(store), "windows")
        assert (
            finding.found
            == "mine (filled by mine_mv) remembers no inserts: non_replicated_deduplication_window is 0"
        )

    def test_view_with_a_table_inside(self, store: Any, problems: Any) -> None:
        """A view without TO keeps its rows in a hidden table, which is found."""
        store.command(
            "CREATE MATERIALIZED VIEW inner_mv ENGINE = SummingMergeTree ORDER BY day AS "
            "SELECT toDate(Timestamp) AS day, count() AS n FROM activity_events GROUP BY day"
        )
        finding = only(problems(store), "windows")
        assert finding.found.startswith(".inner")
        assert "`.inner" in finding.do[0]


class TestSettings:
    @pytest.mark.parametrize(
        ("name", "value", "severity", "words"),
        [
            (
                "materialized_views_ignore_errors",
                1,
                Severity.ERROR,
                "an insert whose view fails succeeds without it",
            ),
            ("insert_deduplicate", 0, Severity.ERROR, "a batch that is sent again is stored again"),
            ("deduplicate_insert", "disable", Severity.ERROR, "a batch that is sent again is stored again"),
            (
                "deduplicate_blocks_in_dependent_materialized_views",
                0,
                Severity.WARNING,
                "our inserts say 1, but what a Collector sends again counts twice in roll-ups",
            ),
        ],
    )
    def test_breaks_a_promise(
        self, store: Any, problems: Any, name: str, value: Any, severity: Severity, words: str
    ) -> None:
        """A profile's value that breaks exactly-once inserts is named."""
        store.set_client_setting(name, value)
        finding = only(problems(store), "settings")
        assert finding.severity is severity
        assert finding.found.startswith(name)
        assert finding.found.endswith(words)

    def test_little_memory(self, store: Any, problems: Any) -> None:
        """A query that may use 200 MB is said to be short of memory."""
        store.set_client_setting("max_memory_usage", 200_000_000)
        finding = only(problems(store), "memory")
        assert finding.found == "a query may use only 0.19 GiB"


class TestParts:
    def test_detached_partition(self, store: Any, problems: Any) -> None:
        """Parts that are detached are named, and the first command that is shown brings the rows back."""
        names = [
            row[0]
            for row in store.query(
                "SELECT name FROM system.parts "
                "WHERE active AND database = currentDatabase() AND table = 'activity_events'"
            ).result_rows
        ]
        for name in names:
            store.command(f"ALTER TABLE activity_events DETACH PART '{name}'")
        finding = problems(store)["detached_parts"]
        assert finding.severity is Severity.WARNING
        assert finding.found.endswith(" are in no answer")
        assert {detail.split(" ")[1] for detail in finding.details} == set(names)
        for command in finding.do[: len(names)]:
            store.command(_sql(command))
        assert problems(store) == {}
        assert store.query("SELECT count() FROM activity_events").result_rows == [(1000,)]

    def test_too_many_parts(self, store: Any, problems: Any) -> None:
        """At half of the number that slows inserts down it is a warning, at that number an error."""
        store.command("SYSTEM STOP MERGES activity_events")
        store.command("ALTER TABLE activity_events MODIFY SETTING parts_to_delay_insert = 10")
        for number in range(6):
            insert(store, "Timestamp, EventName, Seq", f"now64(9), 'a', {number}")
        finding = only(problems(store), "part_counts")
        assert finding.severity is Severity.WARNING
        assert "inserts are slowed down from 10 on, and refused from 3,000 on" in finding.found
        store.command("ALTER TABLE activity_events MODIFY SETTING parts_to_delay_insert = 6")
        assert problems(store)["part_counts"].severity is Severity.ERROR

    def test_too_many_partitions(self, store: Any, problems: Any) -> None:
        """A thousand months of counters are too many partitions."""
        store.command(
            "INSERT INTO activity_counters (Minute, EventName) "
            "SELECT addMonths(toDateTime('1971-01-01', 'UTC'), number), 'a' FROM numbers(1001)",
            settings={"max_partitions_per_insert_block": 0},
        )
        finding = only(problems(store), "partition_counts")
        assert finding.found == "activity_counters has 1,001 partitions (by toYYYYMM(Minute))"

    def test_small_batches(self, store: Any, problems: Any) -> None:
        """Three hundred inserts of ten rows into one partition, merged or not, are small batches."""
        for view in ("activity_events_hourly_mv", "activity_events_actor_daily_mv"):
            store.command(f"DETACH TABLE {view}")
        blocks = {"max_block_size": 10, "min_insert_block_size_rows": 0, "min_insert_block_size_bytes": 0}
        insert(store, "Timestamp, EventName", f"{NOW}, 'a'", 3000, max_insert_block_size=10, **blocks)
        store.command("OPTIMIZE TABLE activity_events FINAL")
        finding = problems(store)["batches"]
        assert finding.severity is Severity.WARNING
        assert finding.found.endswith("in the partition that was written last")
        assert int(finding.found.split(" rows")[0]) in range(9, 20)


class TestUpkeep:
    def test_parts_that_should_be_gone(self, store: Any, problems: Any) -> None:
        """A part whose newest row is older than the TTL, and which is still there."""
        store.command("SYSTEM STOP TTL MERGES activity_events")
        insert(store, "Timestamp, EventName", "toDateTime64('2020-01-31 10:00:00', 9, 'UTC'), 'a'", 5)
        store.command(
            "ALTER TABLE activity_events MODIFY TTL toDateTime(Timestamp) + toIntervalDay(90)",
            settings={"materialize_ttl_after_modify": 0},
        )
        finding = only(problems(store), "retention")
        assert finding.severity is Severity.ERROR
        assert finding.found.startswith("1 part of activity_events should be gone: the oldest is from ")
        assert finding.found.endswith("kept are 90")
        assert finding.details[0].endswith(": 5 rows up to 2020-01-31 10:00")

    def test_retention_that_is_not_the_settings(self, store: Any, problems: Any) -> None:
        """The settings ask for 400 days and the table keeps for ever: what is shown repairs it."""
        settings = StoreSettings(retention_days=400)
        finding = problems(store, settings=settings)["retention"]
        assert finding.found == "activity_events has no retention, and the settings say 400 days"
        assert finding.do[0].startswith("activitylog schema apply --url chdb://")
        apply(store, settings)
        assert problems(store, settings=settings) == {}

    def test_retention_by_rows(self, store: Any, problems: Any) -> None:
        """A TTL that rewrites parts for single rows is a warning."""
        store.command("ALTER TABLE activity_events MODIFY TTL toDateTime(Timestamp) + toIntervalDay(90)")
        store.command("ALTER TABLE activity_events MODIFY SETTING ttl_only_drop_parts = 0")
        found = problems(store)
        assert found.keys() == {"retention", "schema"}
        assert found["retention"].severity is Severity.WARNING

    def test_failing_mutation(self, store: Any, problems: Any) -> None:
        """A mutation that fails is shown with its reason, and the command that ends it does."""
        store.command(
            "ALTER TABLE activity_events UPDATE SeverityNumber = toUInt8(throwIf(Seq = 5)) WHERE 1",
            settings={"mutations_sync": 0},
        )
        _wait(
            store,
            "SELECT count() FROM system.mutations WHERE database = currentDatabase() AND latest_fail_reason != ''",
        )
        finding = only(problems(store), "mutations")
        assert finding.found == "1 mutation fails, and is tried again and again"
        assert "UPDATE SeverityNumber" in finding.details[0]
        assert "throwIf" in finding.details[1]
        store.command(_sql(finding.do[0]))
        assert problems(store) == {}


def _wait(client: Any, sql: str) -> None:
    """Until a number is above 0."""
    deadline = time.monotonic() + 30
    while not client.query(sql).result_rows[0][0]:
        assert time.monotonic() < deadline, sql


class TestTimes:
    @pytest.mark.parametrize(
        ("off", "severity", "words"),
        [
            (3600.0, Severity.ERROR, "the server's clock is N s behind this machine's"),
            (-5.0, Severity.WARNING, "the server's clock is N s ahead of this machine's"),
            (1.0, Severity.OK, "this machine and the server agree to 2 s"),
        ],
    )
    def test_clock(self, store: Any, off: float, severity: Severity, words: str) -> None:
        """A machine whose clock is wrong, against the real server's."""
        examined = Examined(database=Database(store), clock=lambda: time.time() + off)
        finding = run(CLOCK, examined)
        assert finding.severity is severity
        assert re.sub(r"[\d,]+\.\d", "N", finding.found) == words

    def test_events_of_the_future(self, store: Any, problems: Any) -> None:
        """An event of the year 2099 is found, and does not hide what the newest days are."""
        insert(store, "Timestamp, EventName", "toDateTime64('2099-05-01 00:00:00', 9, 'UTC'), 'a'", 3)
        finding = only(problems(store), "event_times")
        assert finding.found == "3 events are dated in the future, up to 2099-05-01 00:00:00 UTC"

    def test_events_of_1970(self, store: Any, problems: Any) -> None:
        """A time of 0 is found."""
        insert(store, "Timestamp, EventName", "toDateTime64('1970-01-01 00:00:00', 9, 'UTC'), 'a'")
        finding = only(problems(store), "event_times")
        assert finding.found == "1 event is dated before 2000, from 1970-01-01 00:00:00 UTC on"


class TestCompleteness:
    @pytest.mark.parametrize("rollup", ["activity_events_hourly", "activity_events_actor_daily"])
    def test_rows_that_a_view_missed(self, store: Any, problems: Any, rollup: str) -> None:
        """What was inserted while a view was away is missing in its roll-up, and found."""
        store.command(f"DETACH TABLE {rollup}_mv")
        insert(store, "Timestamp, EventName, ActorId", "now64(9) - INTERVAL 1 DAY, 'a', 'x'", 40)
        store.command(f"ATTACH TABLE {rollup}_mv")
        finding = only(problems(store), "rollups")
        assert finding.severity is Severity.ERROR
        assert finding.found == "the roll-ups lack 40 rows on 1 day"
        assert finding.details[0].startswith(f"{rollup} counts ")

    def test_future_events_hide_nothing(self, store: Any, problems: Any) -> None:
        """The newest days are those up to today, whatever an event says of 2099."""
        insert(store, "Timestamp, EventName", "toDateTime64('2099-05-01 00:00:00', 9, 'UTC'), 'a'")
        store.command("DETACH TABLE activity_events_hourly_mv")
        insert(store, "Timestamp, EventName", "now64(9) - INTERVAL 1 DAY, 'a'", 4)
        store.command("ATTACH TABLE activity_events_hourly_mv")
        found = problems(store)
        assert set(found) == {"event_times", "rollups"}
        assert found["rollups"].found == "the roll-ups lack 4 rows on 1 day"

    @pytest.mark.slow
    def test_inserts_under_way_are_no_miss(self, store: Any, chdb_url: str) -> None:
        """While rows come in, table and roll-ups are not counted at one moment; nothing is missed all the same."""
        ended = Event()

        def write() -> None:
            client = clickhouse_connect.get_client(dsn=chdb_url, database=store.database)
            number = 0
            while not ended.wait(0.05):
                number += 1
                insert(client, "Timestamp, EventName, ActorId, Seq", f"now64(9), 'a', 'x', {number}", 100)
            client.close()

        writer = Thread(target=write)
        writer.start()
        try:
            found = [missing(store, settled=True) for _ in range(25)]
        finally:
            ended.set()
            writer.join()
        assert [days for days in found if days] == []

    def test_old_days_only_when_thorough(self, store: Any, problems: Any) -> None:
        """A miss of long ago is found with deep."""
        store.command("DETACH TABLE activity_events_hourly_mv")
        insert(store, "Timestamp, EventName", "toDateTime64('2001-05-01 00:00:00', 9, 'UTC'), 'a'", 2)
        store.command("ATTACH TABLE activity_events_hourly_mv")
        assert problems(store) == {}
        finding = only(problems(store, deep=True), "rollups")
        assert finding.details == ("activity_events_hourly counts 0 of 2 rows of 2001-05-01",)

    def test_dropped_rows_are_no_miss(self, store: Any, problems: Any) -> None:
        """Rows that an archive took from the table stay counted, and that is right."""
        store.command("TRUNCATE TABLE activity_events")
        insert(store, "Timestamp, EventName", f"{NOW}, 'a'", 3)
        insert(
            store,
            "Action, MinTime, MaxTime",
            "'archived', '2000-01-01T00:00:00Z', '2100-01-01T00:00:00Z'",
            table="activity_archives",
        )
        assert problems(store) == {}

    def test_rows_that_count_twice(self, store: Any, problems: Any) -> None:
        """A day of which a roll-up counts more than there is, and of which no row is known to have left."""
        insert(store, "Timestamp, EventName", "now64(9) - INTERVAL 1 DAY, 'a'", 4)
        insert(
            store, "Hour, EventName, RowCount", "now() - INTERVAL 1 DAY, 'a', 5", table="activity_events_hourly"
        )
        finding = only(problems(store), "surplus")
        assert finding.severity is Severity.WARNING
        assert finding.found == "the roll-ups count 5 rows more than there are on 1 day"
        day = finding.details[0].rpartition(" ")[2]
        assert finding.do[0].startswith(f"activitylog schema backfill --day {day} --url ")
        assert backfill(store, exactly=[date.fromisoformat(day)]) == []
        assert problems(store) == {}

    @pytest.mark.parametrize(
        "gone", ["erased", "ALTER TABLE activity_events DELETE", "DELETE FROM activity_events"]
    )
    def test_rows_that_may_have_left(self, store: Any, problems: Any, gone: str) -> None:
        """What an erasure or a statement took stays counted; nobody can say which days that were."""
        insert(
            store, "Hour, EventName, RowCount", "now() - INTERVAL 1 DAY, 'a', 5", table="activity_events_hourly"
        )
        if gone == "erased":
            insert(store, "State, At", "'finished', now64(3)", table="activity_erasures")
        else:
            store.command(f"{gone} WHERE EventName = 'none'")
        assert problems(store) == {}

    def test_a_repair_that_was_cut_off(self, store: Any, problems: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who was killed while it repaired is named, with the days, until somebody finishes them."""
        with monkeypatch.context() as patch:
            patch.setattr(claims, "LEASE_SECONDS", 0.001)
            hold = claims.take(store, claims.ROLLUPS, claims.Patience())
            assert hold is not None
            hold.renew([claims.Begun("activity_events_hourly", date(2026, 3, 1), 5)])
        finding = only(problems(store), "repairs")
        assert finding.severity is Severity.ERROR
        assert re.fullmatch(r"process \d+ on .* ended at .* UTC while it repaired roll-ups", finding.found)
        assert finding.details == ("begun: activity_events_hourly of 2026-03-01",)
        assert backfill(store) == []
        assert problems(store) == {}

    def test_duplicates(self, store: Any, problems: Any) -> None:
        """An event that is stored twice is found, with one id to look at."""
        insert(
            store, "Timestamp, EventName, EventId", f"{NOW}, 'a', toUUID('0190163d-8694-739b-aea5-966c26f8ad91')"
        )
        insert(
            store,
            "Timestamp, EventName, EventId, Seq",
            f"{NOW}, 'a', toUUID('0190163d-8694-739b-aea5-966c26f8ad91'), 0",
            2,
        )
        finding = only(problems(store), "duplicates")
        assert finding.found.startswith("1 event is stored more than once: 2 rows too many (")
        assert finding.details == ("one of them: 0190163d-8694-739b-aea5-966c26f8ad91",)
        assert len(store.query(_sql(finding.do[0])).result_rows) == 3

    def test_gap(self, store: Any, problems: Any) -> None:
        """Numbers 8 to 10 of a producer are missing: so are three events, and the command shows where."""
        insert(store, "Timestamp, EventName, Producer, Seq", f"{NOW}, 'a', 'bb', number + 1", 7)
        insert(store, "Timestamp, EventName, Producer, Seq", f"{NOW}, 'a', 'bb', number + 11", 3)
        finding = only(problems(store), "sequences")
        assert finding.found == "3 events are missing by the sequence numbers of 1 producer"
        assert finding.details == ("producer bb: 3 of the numbers 1 to 13",)
        assert [row[:2] for row in store.query(_sql(finding.do[0])).result_rows] == [(8, 10)]

    def test_erased_numbers(self, store: Any, problems: Any) -> None:
        """Whoever erased somebody is told so where the numbers are missed."""
        insert(store, "Timestamp, EventName, Producer, Seq", f"{NOW}, 'a', 'bb', number * 2 + 1", 2)
        for state, at in (("begun", "now64(3)"), ("finished", "now64(3)"), ("finished", "now64(3) - 3 * 86400")):
            store.command(
                f"INSERT INTO activity_erasures (State, At, TableRows) SELECT '{state}', {at}, "
                "map('activity_events', 1, 'activity_events_actor_daily', 5)"
            )
        assert only(problems(store), "sequences").details == (
            "producer bb: 1 of the numbers 1 to 3",
            "1 row was erased since then: numbers are missing for good",
        )

    def test_numbers_elsewhere_are_no_gap(self, store: Any, problems: Any) -> None:
        """A number that counters have, or an event of another day, is not missing."""
        insert(store, "Timestamp, EventName, Producer, Seq", f"{NOW}, 'a', 'cc', number * 2 + 1", 3)
        insert(store, "Timestamp, EventName, Producer, Seq", "toDateTime64('2020-01-01', 9, 'UTC'), 'a', 'cc', 2")
        store.command(
            "INSERT INTO activity_counters (Minute, EventName, Producer, Seq) VALUES (now(), 'a', 'cc', 4)"
        )
        assert problems(store) == {}


class TestAlteredViews:
    def test_a_batch_around_a_restart(self, store: Any, problems: Any) -> None:
        """
        What an altered view writes is remembered under another name until the engine restarts: a batch that is
        sent before that and again after it counts twice in the hourly roll-up. The finding's command corrects it.
        """
        token = {"insert_deduplication_token": "t", "deduplicate_blocks_in_dependent_materialized_views": 1}
        step = next(step for step in migrations() if "ALTER TABLE activity_events_hourly_mv" in step.sql)
        store.command(step.sql.rstrip().rstrip(";"))
        time = "toStartOfDay(now()) - INTERVAL 12 HOUR"
        insert(store, "Timestamp, EventName", f"{time}, 'twice'", 5, insert_deduplicate=1, async_insert=0, **token)
        store.command("DETACH TABLE activity_events_hourly_mv")  # as a restart does
        store.command("ATTACH TABLE activity_events_hourly_mv")
        insert(store, "Timestamp, EventName", f"{time}, 'twice'", 5, insert_deduplicate=1, async_insert=0, **token)
        assert store.command("SELECT count() FROM activity_events WHERE EventName = 'twice'") == 5
        counted = "SELECT sum(RowCount) FROM activity_events_hourly WHERE EventName = 'twice'"
        assert store.command(counted) == 10
        finding = only(problems(store), "surplus")
        day = re.search(r"--day (\d{4}-\d\d-\d\d)", finding.do[0])
        assert day is not None
        backfill(store, exactly=[date.fromisoformat(day[1])])
        assert store.command(counted) == 5
        assert problems(store) == {}
