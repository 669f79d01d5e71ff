"""Questions that read a roll-up answer as the rows do: whatever the range, the tenant and the sampling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from activitylog.queries import ask
from tests.activitylog.queries.rows import put, row

_START: Final = datetime(2026, 3, 1, 21, tzinfo=UTC)
_MINUTES: Final = 3 * 24 * 60
_RANGE: Final = (
    "Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')} "
    "AND ({tenant:String} = '' OR TenantId = {tenant:String})"
)
_WEIGHTED: Final = "sum(SampleWeight * EventCount)"

#: What each question answers, asked of the rows alone.
_OF_ROWS: Final = {
    "event-counts": f"SELECT EventName, count(), {_WEIGHTED} AS n, min(Timestamp), max(Timestamp) "
    f"FROM activity_events WHERE {_RANGE} GROUP BY EventName ORDER BY n DESC, EventName",
    "outcomes": f"SELECT Outcome, count(), {_WEIGHTED} AS n, round(100 * n / sum(n) OVER (), 2) "
    f"FROM activity_events WHERE {_RANGE} GROUP BY Outcome ORDER BY n DESC, Outcome",
    "events-by-hour": "SELECT toDateTime64(toStartOfHour(Timestamp), 0, 'UTC') AS hour, count(), "
    f"{_WEIGHTED} FROM activity_events WHERE {_RANGE} GROUP BY hour ORDER BY hour WITH FILL STEP INTERVAL 1 HOUR",
    "failures-by-hour": "SELECT toDateTime64(toStartOfHour(Timestamp), 0, 'UTC') AS hour, "
    "sumIf(SampleWeight * EventCount, Outcome = 'failure') AS f, "
    "sumIf(SampleWeight * EventCount, Outcome = 'denied') AS d, "
    f"{_WEIGHTED} AS n, round(100 * (f + d) / n, 2) AS percent "
    f"FROM activity_events WHERE {_RANGE} GROUP BY hour ORDER BY hour WITH FILL STEP INTERVAL 1 HOUR",
    "volume": f"SELECT toDate(Timestamp) AS day, count(), {_WEIGHTED} FROM activity_events "
    f"WHERE {_RANGE} GROUP BY day ORDER BY day WITH FILL STEP INTERVAL 1 DAY",
    "unique-actors-per-day": "SELECT toDate(Timestamp) AS day, uniqExact(TenantId, ActorType, ActorId), "
    f"{_WEIGHTED} FROM activity_events WHERE {_RANGE} AND ActorId != '' GROUP BY day "
    "ORDER BY day WITH FILL STEP INTERVAL 1 DAY",
    "durations": "SELECT EventName, HttpRoute, count(), sum(DurationUs) / 1e6 AS total, "
    "round(avg(DurationUs) / 1000, 3), max(DurationUs) / 1000 FROM activity_events "
    f"WHERE {_RANGE} AND DurationUs > 0 GROUP BY EventName, HttpRoute ORDER BY total DESC, EventName, HttpRoute",
}


@pytest.fixture(scope="module")
def sampled(_question_database: Any) -> Any:
    """Three days of a few hundred events, some sampled and rolled up, with hours and days without any."""
    for table in ("activity_events", "activity_events_hourly", "activity_events_actor_daily"):
        _question_database.command(f"TRUNCATE TABLE {table}")
    random = Random(3)
    rows = []
    for _ in range(400):
        minute = random.choice([random.randrange(600), random.randrange(2000, _MINUTES)])
        time = _START + timedelta(minutes=minute, seconds=random.choice([0, 0, 59.999]))
        rows.append(
            row(
                f"{time:%Y-%m-%d %H:%M:%S.%f}",
                random.choice(["a", "b", "c"]),
                random.choice(["", "ann", "ben", "cid"]),
                TenantId=random.choice(["", "acme"]),
                Outcome=random.choice(["success", "success", "failure", "denied"]),
                SampleWeight=random.choice([1.0, 2.0, 4.0]),
                EventCount=random.choice([1, 1, 3]),
                DurationUs=random.choice([0, 1_000, 2_500]),
                HttpRoute=random.choice(["", "/x"]),
            )
        )
    put(_question_database, *rows)
    return _question_database


#: On the hour, or anywhere.
_times = st.one_of(
    st.integers(-2, _MINUTES // 60 + 2).map(lambda hour: _START + timedelta(hours=hour)),
    st.integers(-60, _MINUTES + 60).map(lambda minute: _START + timedelta(minutes=minute)),
    st.integers(0, _MINUTES * 60_000).map(lambda millis: _START + timedelta(milliseconds=millis)),
)

_lengths = st.one_of(
    st.integers(0, 75).map(lambda hours: timedelta(hours=hours)),
    st.integers(-5, _MINUTES).map(lambda minutes: timedelta(minutes=minutes)),
)


class TestEqualToTheRows:
    """The same answer, from the roll-up and from the rows."""

    @pytest.mark.parametrize("name", _OF_ROWS)
    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
    )
    @example(since=_START + timedelta(hours=1), length=timedelta(hours=5), tenant="")
    @example(since=_START + timedelta(hours=3), length=timedelta(hours=48), tenant="acme")
    @given(since=_times, length=_lengths, tenant=st.sampled_from(["", "acme", "nobody"]))
    def test_any_range(self, sampled: Any, name: str, since: datetime, length: timedelta, tenant: str) -> None:
        """Whole hours from the roll-up and the ends from the rows are all the rows, each once."""
        until = since + length
        values = {
            "since": f"{since:%Y-%m-%d %H:%M:%S.%f}",
            "until": f"{until:%Y-%m-%d %H:%M:%S.%f}",
            "tenant": tenant,
        }
        expected = sampled.query(_OF_ROWS[name], parameters=values, tz_mode="aware").result_rows
        answer = ask(sampled, name, limit=1000, **values)
        assert answer.rows == [tuple(line) for line in expected]

    @pytest.mark.parametrize("name", ["events-by-hour", "failures-by-hour", "volume", "unique-actors-per-day"])
    @pytest.mark.parametrize("limit", [1, 2, 5, 70])
    def test_the_newest(self, sampled: Any, name: str, limit: int) -> None:
        """With a limit it is the end of the whole series, gaps included."""
        for until in ("2026-03-03 00:00", "2026-03-02 09:30", "2026-03-04 20:59"):
            whole = ask(sampled, name, until=until, limit=1000).rows
            assert ask(sampled, name, until=until, limit=limit).rows == whole[-limit:]


class TestCorrections:
    """A roll-up row with a negative count takes away what was counted."""

    def test_a_name_that_is_gone(self, empty_store: Any) -> None:
        """What adds up to no rows is not told of."""
        put(empty_store, row("2026-03-01 10:00", "kept", "ann"))
        key = {"TenantId": "", "EventName": "erased", "Outcome": "success", "HttpRoute": ""}
        for count in (2, -2):
            put(
                empty_store,
                {"Hour": "2026-03-01 10:00:00", **key, "RowCount": count, "EventCount": count, "Weighted": count},
                table="activity_events_hourly",
            )
        assert [line[0] for line in ask(empty_store, "event-counts").rows] == ["kept"]
        assert [line[0] for line in ask(empty_store, "new-events").rows] == ["kept"]
        assert [line[:2] for line in ask(empty_store, "outcomes").rows] == [("success", 1)]
        assert ask(empty_store, "events-by-hour").rows[0][1:] == (1, 1.0)
