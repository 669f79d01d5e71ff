"""Roll-ups against what a query over the rows says."""

from __future__ import annotations

import datetime as dt
import re
import threading
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activitylog.exceptions import StoreBusyError
from activitylog.store import apply, claims, filling, migrations
from activitylog.store.claims import Begun
from activitylog.store.filling import backfill
from activitylog.store.rollups import Missing, missing, rollups

_DAY = dt.date(2026, 3, 1)
_COLUMNS = (
    "Timestamp", "EventName", "TenantId", "ActorType", "ActorId", "Outcome", "HttpRoute", "DurationUs",
    "EventCount", "SampleWeight", "Attributes",
)  # fmt: skip


@pytest.fixture
def store(migrated_client: Any) -> Any:
    return migrated_client


def _rows(count: int, *, day: dt.date = _DAY) -> list[list[Any]]:
    """
    Rows of three days from ``day`` on. Every third one was sampled, half of these as units; every fifth one is
    without an actor.
    """
    start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    return [
        [
            start + dt.timedelta(minutes=number * 7 % 4320),
            f"order.{('placed', 'paid', 'sent')[number % 3]}",
            f"t{number % 2}",
            "user",
            "" if number % 5 == 0 else str(number % 11),
            "failure" if number % 4 == 0 else "success",
            f"/r{number % 3}",
            number * 10,
            1 + number % 2,
            4.0 if number % 3 == 0 else 1.0,
            {"activity.sample.by": "session"} if number % 2 else {},
        ]
        for number in range(count)
    ]


def _insert(client: Any, rows: list[list[Any]]) -> None:
    client.insert("activity_events", rows, column_names=_COLUMNS)


def _without_views(client: Any, rows: list[list[Any]]) -> None:
    """Rows of a time before the views, or of a batch on which they failed."""
    for rollup in rollups():
        client.command(f"DROP TABLE {rollup.view}")
    _insert(client, rows)
    for migration in migrations():
        if any(re.search(rf"(NOT EXISTS|TABLE) {rollup.view} ", migration.sql) for rollup in rollups()):
            client.command(migration.sql)


def _expected(client: Any, target: str) -> list[Any]:
    """The roll-up as its view's query over all rows gives it."""
    select = next(rollup.select for rollup in rollups() if rollup.target == target)
    return sorted(client.query(select).result_rows)


def _actual(client: Any, target: str) -> list[Any]:
    """The roll-up as one asks it; rows that have come to nothing are none."""
    hourly = target == "activity_events_hourly"
    keys = "Hour, TenantId, EventName, Outcome, HttpRoute" if hourly else "Day, TenantId, ActorType, ActorId"
    sums = ["RowCount", "EventCount", "Weighted"]
    sums += ["Variance", "TimedCount", "DurationUs", "UnitRows"] if hourly else []
    rest = "max(MaxDurationUs)" if hourly else "min(FirstSeen), max(LastSeen)"
    return sorted(
        client.query(
            f"SELECT {keys}, {', '.join(f'sum({name})' for name in sums)}, {rest} FROM {target} GROUP BY {keys} "
            "HAVING sum(RowCount) != 0"
        ).result_rows
    )


def _assert_exact(client: Any) -> None:
    for rollup in rollups():
        assert _actual(client, rollup.target) == _expected(client, rollup.target)
    assert missing(client) == []


def _leave_begun(client: Any, target: str, days: dict[dt.date, int]) -> None:
    """Somebody took a batch for missing while it was on its way, and was killed before it took that back."""
    hold = claims.take(client, claims.ROLLUPS, claims.Patience())
    assert hold is not None
    hold.renew([Begun(target, day, rows) for day, rows in days.items()])
    for day in days:
        client.command(f"INSERT INTO {target} ({_time(target)}, TenantId, RowCount) VALUES ('{day}', 't0', 7)")


def _row_count(target: str) -> int:
    return 5 if target == "activity_events_hourly" else 4


def _time(target: str) -> str:
    return "Hour" if target == "activity_events_hourly" else "Day"


@pytest.fixture(autouse=True)
def _short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nobody waits for long for who is no more."""
    monkeypatch.setattr(claims, "LEASE_SECONDS", 0.2)


class _Refused:
    """A client whose user may not read the list of processes."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def query(self, sql: str, **options: Any) -> Any:
        if "system.processes" in sql:
            raise DatabaseError("Code: 497. DB::Exception: Not enough privileges. (ACCESS_DENIED)", code=497)
        return self._client.query(sql, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class TestRollUps:
    """What the files define."""

    def test_both(self) -> None:
        """There is one by the hour, and one by actor and day, which leaves out what has no actor."""
        assert [(rollup.view, rollup.target, rollup.condition) for rollup in rollups()] == [
            ("activity_events_hourly_mv", "activity_events_hourly", "1"),
            ("activity_events_actor_daily_mv", "activity_events_actor_daily", "events.ActorId != ''"),
        ]

    def test_views_fill_them(self, store: Any) -> None:
        """What is inserted while the views are there is counted, weighted and unweighted, without any repair."""
        _insert(store, _rows(500))
        _assert_exact(store)

    def test_literal_counts(self, store: Any) -> None:
        """Rows, events after roll-up, events before sampling, the variance of that estimate, rows of units."""
        moment = dt.datetime(2026, 3, 1, 9, 30, tzinfo=dt.UTC)
        unit = {"activity.sample.by": "session"}
        _insert(store, [[moment, "page.viewed", "t", "user", "7", "success", "/", 2_000, 3, 4.0, unit]] * 2)
        _insert(store, [[moment, "page.viewed", "t", "user", "7", "success", "/", 0, 1, 1.0, unit]])
        seen = moment.replace(tzinfo=None)  # as the driver gives times in UTC
        assert _actual(store, "activity_events_hourly") == [
            (seen.replace(minute=0), "t", "page.viewed", "success", "/", 3, 7, 25.0, 216.0, 2, 4_000, 2, 2_000)
        ]
        assert _actual(store, "activity_events_actor_daily") == [(_DAY, "t", "user", "7", 3, 7, 25.0, seen, seen)]


class TestMissing:
    """``missing``: days on which a roll-up lacks rows."""

    def test_days(self, store: Any) -> None:
        """Each day is named, with the rows that the roll-up should count and those that it counts."""
        _insert(store, _rows(10))
        rows = [row for row in _rows(40, day=_DAY + dt.timedelta(days=3)) if row[0].day == 4]
        _without_views(store, rows)
        day = dt.date(2026, 3, 4)
        with_actor = sum(1 for row in rows if row[4])
        assert missing(store) == [
            Missing("activity_events_hourly", day, len(rows), 0),
            Missing("activity_events_actor_daily", day, with_actor, 0),
        ]
        assert str(missing(store)[0]) == f"activity_events_hourly counts 0 of {len(rows)} rows of 2026-03-04"
        assert missing(store, targets=["activity_events_hourly"], since=dt.date(2026, 3, 5)) == []

    def test_rows_that_are_gone(self, store: Any) -> None:
        """A day whose rows expired, were archived or erased lacks nothing: its counts stay."""
        _insert(store, _rows(500))
        before = _actual(store, "activity_events_hourly")
        store.command("ALTER TABLE activity_events DELETE WHERE toDate(Timestamp) = '2026-03-02'")
        assert missing(store) == []
        assert backfill(store) == []
        assert _actual(store, "activity_events_hourly") == before

    def test_an_insert_under_way(self, store: Any, chdb_url: str) -> None:
        """Rows whose insert has not reached the roll-ups yet are missing at a glance, not when it is settled."""
        import clickhouse_connect

        store.command(
            "CREATE MATERIALIZED VIEW slow_mv ENGINE = MergeTree ORDER BY slept AS "
            "SELECT sleepEachRow(0.1) AS slept FROM activity_events"
        )

        def write() -> None:
            client = clickhouse_connect.get_client(dsn=chdb_url, database=store.database)
            _insert(client, _rows(20))
            client.close()

        writer = threading.Thread(target=write)
        writer.start()
        while store.command("SELECT count() FROM activity_events") == 0:
            pass  # until the table has them
        at_a_glance, settled = missing(store), missing(store, settled=True)
        writer.join()
        assert at_a_glance
        assert settled == []

    def test_far_future(self, store: Any) -> None:
        """A date that an hour's 32 bits cannot hold is not taken for a missing row."""
        store.command("INSERT INTO activity_events (Timestamp, EventName) VALUES ('2199-01-01 00:00:00', 'a.b')")
        assert [found for found in missing(store) if found.day.year > 2106] == []


class TestBackfill:
    """``backfill``: the difference, inserted."""

    def test_rows_before_the_views(self, store: Any) -> None:
        """Rows that were there before, and rows that came after, count once each."""
        _without_views(store, _rows(900))
        _insert(store, _rows(300))
        told: list[Missing] = []
        assert backfill(store, repaired=told.append) == []
        assert [(found.target, found.day.day) for found in told] == [
            (rollup.target, day) for rollup in rollups() for day in (1, 2, 3)
        ]
        _assert_exact(store)

    def test_an_upgrade_fills_them(self, chdb_client: Any) -> None:
        """A store from before the roll-ups has them after `apply`, with every row of before; cut off, too."""
        for migration in migrations()[:3]:
            chdb_client.command(migration.sql)
        _insert(chdb_client, _rows(400))

        def killed(client: Any, view: Any) -> None:
            _leave_begun(client, view.target, {_DAY: 10})
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            apply(chdb_client, fill=killed)
        _insert(chdb_client, _rows(50))
        apply(chdb_client)
        _assert_exact(chdb_client)

    def test_nothing_to_do(self, store: Any) -> None:
        """Where nothing is missing nothing is inserted."""
        _insert(store, _rows(300))
        told: list[Missing] = []
        assert backfill(store, repaired=told.append) == []
        assert told == []

    @pytest.mark.slow
    def test_the_same_loss_again_and_again(self, store: Any) -> None:
        """A repair that looks like an earlier one is not taken for that one, sent again."""
        _insert(store, _rows(60))
        for _ in range(10):
            store.command("ALTER TABLE activity_events_hourly DELETE WHERE 1 SETTINGS mutations_sync = 2")
            assert backfill(store, targets=["activity_events_hourly"]) == []
            _assert_exact(store)

    def test_a_day_between_that_has_lost_its_rows(self, store: Any) -> None:
        """Repairing its neighbours leaves the counts of a day alone whose rows are gone."""
        rows = _rows(900)
        _insert(store, rows)
        store.command("ALTER TABLE activity_events DELETE WHERE toDate(Timestamp) = '2026-03-02'")
        before = [row for row in _actual(store, "activity_events_hourly") if row[0].day == 2]
        _without_views(store, [row for row in rows if row[0].day != 2])
        assert backfill(store) == []
        assert [row for row in _actual(store, "activity_events_hourly") if row[0].day == 2] == before
        assert missing(store) == []

    def test_two_at_once(self, store: Any, chdb_url: str) -> None:
        """Two that repair the same days at the same time do not count them twice."""
        import clickhouse_connect

        _without_views(store, _rows(3_000))
        together = threading.Barrier(2)
        left: list[list[Missing]] = []

        def work() -> None:
            client = clickhouse_connect.get_client(dsn=chdb_url, database=store.database)
            together.wait()
            left.append(backfill(client))
            client.close()

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert left == [[], []]
        _assert_exact(store)

    def test_while_others_insert(self, store: Any, chdb_url: str) -> None:
        """Rows that arrive during the repair, into the days under repair, are counted once."""
        import clickhouse_connect

        _without_views(store, _rows(2_000))
        # A view that takes its time: the table has the rows long before the roll-ups have them.
        store.command(
            "CREATE MATERIALIZED VIEW slow_mv ENGINE = MergeTree ORDER BY slept AS "
            "SELECT sleepEachRow(0.03) AS slept FROM activity_events"
        )

        def write() -> None:
            client = clickhouse_connect.get_client(dsn=chdb_url, database=store.database)
            _insert(client, _rows(20))
            client.close()

        writer = threading.Thread(target=write)
        writer.start()
        while store.command("SELECT count() FROM activity_events") == 2_000:
            pass  # until the table has them
        unsettled = backfill(store)
        writer.join()
        assert unsettled == []
        _assert_exact(store)

    def test_an_actor_without_rows_who_comes_back(self, store: Any) -> None:
        """Taking back all of an actor's rows invents no time at which she was seen first."""
        row = [dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC), "a.b", "t", "user", "u", "success", "/", 0, 1, 1.0, {}]
        _insert(store, [row])
        store.command("DELETE FROM activity_events WHERE 1")
        assert backfill(store, exactly=[_DAY]) == []
        _insert(store, [[dt.datetime(2026, 3, 1, 13, tzinfo=dt.UTC), *row[1:]]])
        times = store.query(
            "SELECT sum(RowCount), toHour(min(FirstSeen)), toHour(max(LastSeen)) FROM activity_events_actor_daily"
        )
        assert times.result_rows == [(1, 12, 13)]

    @pytest.mark.slow
    def test_by_whom_may_not_see_the_inserts(self, store: Any, chdb_url: str) -> None:
        """A batch that is in the table for two seconds before it is in the roll-up counts once."""
        query = next(rollup.select for rollup in rollups() if rollup.target == "activity_events_hourly")
        slow = query.replace(" AS events", " AS events WHERE sleepEachRow(0.4) = 0", 1)
        store.command(f"ALTER TABLE activity_events_hourly_mv MODIFY QUERY {slow}")
        import clickhouse_connect

        writer = clickhouse_connect.get_client(dsn=chdb_url, database=store.database)
        inserting = threading.Thread(target=_insert, args=(writer, _rows(5)))
        inserting.start()
        while not missing(store, targets=["activity_events_hourly"]):
            assert inserting.is_alive()
        assert backfill(_Refused(store), targets=["activity_events_hourly"]) == []  # type: ignore[arg-type]
        inserting.join()
        writer.close()
        assert missing(store) == []
        assert store.command("SELECT sum(RowCount) FROM activity_events_hourly") == 5

    def test_exactly(self, store: Any) -> None:
        """A day that is named is made to agree, also where the roll-up counts too many; other days are not."""
        _insert(store, _rows(900))
        store.command(
            "ALTER TABLE activity_events DELETE WHERE toDate(Timestamp) <= '2026-03-02' AND DurationUs > 90"
        )
        assert backfill(store, exactly=[dt.date(2026, 3, 2)]) == []
        for rollup in rollups():
            expected, actual = _expected(store, rollup.target), _actual(store, rollup.target)
            sums = slice(None, -1 if rollup.target == "activity_events_hourly" else -2)
            assert [row[sums] for row in actual if row[0].day > 1] == [
                row[sums] for row in expected if row[0].day > 1
            ]
            assert [row for row in actual if row[0].day == 1] != [row for row in expected if row[0].day == 1]

    def test_rows_of_a_writer_newer_than_the_view(self, store: Any) -> None:
        """Units that an earlier view did not know are in as many rows as it counted: the day must be named."""
        before = migrations()[4].sql.partition(" AS\n")[2]
        now = next(rollup.select for rollup in rollups() if rollup.target == "activity_events_hourly")
        store.command(f"ALTER TABLE activity_events_hourly_mv MODIFY QUERY {before}")
        _insert(store, _rows(300))
        store.command(f"ALTER TABLE activity_events_hourly_mv MODIFY QUERY {now}")
        assert missing(store) == []
        assert _actual(store, "activity_events_hourly") != _expected(store, "activity_events_hourly")
        days = [dt.date(2026, 3, day) for day in (1, 2, 3)]
        for _ in range(2):
            assert backfill(store, exactly=days) == []
            _assert_exact(store)

    @pytest.mark.parametrize("target", [rollup.target for rollup in rollups()])
    def test_what_was_begun_is_finished(self, store: Any, target: str) -> None:
        """Of days that a killed one has begun what was counted twice is taken back, of others it is not."""
        _insert(store, _rows(900))
        other = _DAY + dt.timedelta(days=1)
        _leave_begun(store, target, {_DAY: 1})
        store.command(f"INSERT INTO {target} ({_time(target)}, TenantId, RowCount) VALUES ('{other}', 't0', 7)")
        assert backfill(store) == []
        assert claims.current(store, claims.ROLLUPS).begun == ()
        assert [row for row in _actual(store, target) if row[0].day == 1] == [
            row for row in _expected(store, target) if row[0].day == 1
        ]
        counted = store.command(f"SELECT sum(RowCount) FROM {target} WHERE toDate({_time(target)}) = '{other}'")
        assert counted == 7 + sum(row[_row_count(target)] for row in _expected(store, target) if row[0].day == 2)

    def test_what_was_begun_and_has_lost_rows(self, store: Any) -> None:
        """A day with fewer rows than its repair began with is left as it is, and told, once."""
        _insert(store, _rows(900))
        rows = store.command(f"SELECT count() FROM activity_events WHERE toDate(Timestamp) = '{_DAY}'")
        _leave_begun(store, "activity_events_hourly", {_DAY: rows})
        store.command(f"ALTER TABLE activity_events DELETE WHERE toDate(Timestamp) = '{_DAY}' AND DurationUs = 0")
        before = _actual(store, "activity_events_hourly")
        told: list[Missing] = []
        assert backfill(store, left=told.append) == []
        assert backfill(store, left=told.append) == []
        assert [(day.target, day.day, day.counted) for day in told] == [("activity_events_hourly", _DAY, rows + 7)]
        assert told[0].rows < rows
        assert _actual(store, "activity_events_hourly") == before

    def test_rows_that_leave_during_a_repair(self, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A partition that goes to an archive between the look and the repair takes no counts with it."""
        _insert(store, _rows(600))
        _without_views(store, _rows(30))
        before = _actual(store, "activity_events_hourly")
        insert = filling._Work._insert_difference

        def moved(*arguments: Any) -> None:
            store.command("TRUNCATE TABLE activity_events")
            insert(*arguments)

        monkeypatch.setattr(filling._Work, "_insert_difference", moved)
        told: list[Missing] = []
        backfill(store, targets=["activity_events_hourly"], left=told.append)
        assert {day.day.day for day in told} == {1}
        assert _actual(store, "activity_events_hourly") == before

    def test_a_holder_that_was_paused(self, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its difference, sent when another one has taken over what it had begun, adds nothing; it goes on."""
        _without_views(store, _rows(60))
        shape, insert = filling._Shape.difference, filling._Work._insert_difference
        others: list[Any] = []
        counted: list[Any] = []

        def difference(self: Any) -> str:
            if not others:
                others.append(claims.take(store, claims.ROLLUPS, claims.Patience()))  # when the lease is over
            return shape(self)

        def insert_difference(*arguments: Any) -> None:
            insert(*arguments)
            counted.append(_actual(store, "activity_events_hourly"))
            if len(counted) == 1:
                with others[0]:
                    pass

        monkeypatch.setattr(filling._Shape, "difference", difference)
        monkeypatch.setattr(filling._Work, "_insert_difference", insert_difference)
        assert backfill(store) == []
        assert others[0] is not None
        assert counted[0] == []
        _assert_exact(store)

    def test_while_somebody_else_is_at_work(self, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """It waits as long as it is told to, and changes nothing."""
        monkeypatch.setattr(claims, "LEASE_SECONDS", 20.0)
        _without_views(store, _rows(60))
        hold = claims.take(store, claims.ROLLUPS, claims.Patience())
        assert hold is not None
        with hold, pytest.raises(StoreBusyError):
            backfill(store, patience=claims.Patience(seconds=0))
        assert len(missing(store)) == 2
        assert backfill(store) == []
        _assert_exact(store)

    @pytest.mark.slow
    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        batches=st.lists(st.tuples(st.booleans(), st.integers(0, 8), st.integers(1, 60)), min_size=1, max_size=4)
    )
    def test_any_history(self, store: Any, batches: list[tuple[bool, int, int]]) -> None:
        """Whatever batches the views saw and whatever they missed, the roll-ups end up exact."""
        for table in ("activity_events", "activity_events_hourly", "activity_events_actor_daily"):
            store.command(f"TRUNCATE TABLE {table}")
        for seen, day, count in batches:
            rows = _rows(count, day=_DAY + dt.timedelta(days=day))
            _insert(store, rows) if seen else _without_views(store, rows)
        assert backfill(store) == []
        _assert_exact(store)
