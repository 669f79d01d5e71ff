"""What a store has seen: asked of a real engine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activitylog.attribute_types import PATTERNS, kind_of_text
from activitylog.event import FIELDS
from activitylog.sightings import SeenEvent
from activitylog.store import connect
from activitylog.store.seen import seen
from activitylog.store.seen.ask import _sql
from activitylog.url import parse
from otel_clickhouse.anyvalue import as_text
from tests.activitylog.queries.rows import at, put, row
from tests.conftest import MakeDatabase


def by_name(client: Any, **asked: Any) -> dict[str, SeenEvent]:
    """All events."""
    return {event.name: event for event in seen(client, **asked).events}


class TestVolumes:
    def test_an_empty_store(self, migrated_client: Any) -> None:
        """Nothing, and no error."""
        assert seen(migrated_client).events == ()

    def test_of_all_hours(self, migrated_client: Any) -> None:
        """First and last hour, rows, outcomes; without the machinery's own events and those without a name."""
        put(
            migrated_client,
            row("2026-03-01 10:15", "order.paid", "ann"),
            row("2026-03-05 11:45", "order.paid", "ben", Outcome="failure"),
            row("2026-03-05 11:50", "order.paid", "ben"),
            row("2026-03-05 11:50", "activity.sealed"),
            row("2026-03-05 11:50", ""),
        )
        found = seen(migrated_client)
        (event,) = found.events
        assert (event.name, event.rows, event.events, event.standard_error, event.trust) == (
            "order.paid", 3, 3.0, 0.0, "exact",
        )  # fmt: skip
        assert (event.first, event.last) == (at("2026-03-01 10:00"), at("2026-03-05 11:00"))
        assert event.outcomes == ("success", "failure")
        assert (found.names, found.unnamed_rows) == (1, 1)
        assert (found.since, found.until) == (at("2026-02-26 12:00"), at("2026-03-05 12:00"))

    def test_under_sampling(self, migrated_client: Any) -> None:
        """Weighted, with what was rolled up, and with the error of the estimate."""
        put(
            migrated_client,
            *(row(f"2026-03-01 10:00:{n:02}", "page.viewed", SampleWeight=10) for n in range(40)),
            row("2026-03-01 10:05", "page.viewed", Outcome="failure"),
            row("2026-03-01 10:05", "typing.seen", EventCount=12),
            *(row("2026-03-01 10:10", "rare.sampled", SampleWeight=20) for _ in range(3)),
            *(
                row("2026-03-01 10:10", "by.session", SampleWeight=2, Attributes={"activity.sample.by": "session"})
                for _ in range(900)
            ),
            row("2026-03-01 10:10", "odd.weight", SampleWeight=0.5),
        )
        found = by_name(migrated_client)
        views = found["page.viewed"]
        assert (views.rows, views.events, round(views.standard_error, 6), views.trust) == (41, 401.0, 60.0, "yes")
        assert (found["typing.seen"].events, found["typing.seen"].trust) == (12.0, "exact")
        assert (found["rare.sampled"].events, found["rare.sampled"].trust) == (60.0, "no")
        assert (found["by.session"].events, found["by.session"].trust) == (1800.0, "ask")
        assert found["odd.weight"].trust == "no"

    def test_agrees_with_the_view(self, migrated_client: Any) -> None:
        """Volume, error and trust are those of activity_estimates, for one day."""
        put(
            migrated_client,
            *(
                row(f"2026-03-01 1{n % 10}:00", f"e.{n % 4}", SampleWeight=n % 7 + 1, EventCount=n % 3 + 1)
                for n in range(300)
            ),
        )
        view = migrated_client.query(
            "SELECT EventName, RowCount, Weighted, StandardError, Trust FROM activity_estimates ORDER BY EventName"
        ).result_rows
        found = [
            (event.name, event.rows, event.events, pytest.approx(event.standard_error), event.trust)
            for event in seen(migrated_client).events
        ]
        assert view == found

    def test_events_of_which_no_row_was_kept(self, migrated_client: Any) -> None:
        """Counters know of them, exactly; and of those days only."""
        put(migrated_client, row("2026-03-10 10:00", "order.paid"))
        counters = {"Minute": "2026-03-10 10:00:00"}
        put(
            migrated_client,
            {**counters, "EventName": "health.checked", "EventCount": 90, "Reason": "drop"},
            {**counters, "EventName": "order.paid", "EventCount": 1},
            {**counters, "EventName": "", "EventCount": 5, "Reason": "queue_full"},
            {"Minute": "2026-02-01 10:00:00", "EventName": "long.ago", "EventCount": 7, "Reason": "drop"},
            table="activity_counters",
        )
        found = by_name(migrated_client)
        assert sorted(found) == ["health.checked", "order.paid"]
        health = found["health.checked"]
        assert (health.rows, health.counted, health.not_kept, health.first) == (0, 90, 90, None)
        assert (found["order.paid"].counted, found["order.paid"].not_kept) == (1, 0)

    def test_one_event_of_a_wrong_clock_is_not_the_newest(self, migrated_client: Any) -> None:
        """The days that are looked at end now, not in the next century."""
        now = datetime.now(UTC)
        put(migrated_client, row(f"{now:%Y-%m-%d %H:%M:%S}", "order.paid"), row("2090-01-01 00:00", "order.late"))
        assert seen(migrated_client).until - now < timedelta(hours=2)

    def test_where_all_are_later_it_is_this_clock_that_is_wrong(self, migrated_client: Any) -> None:
        """They are all the events there are."""
        put(migrated_client, row("2090-01-01 00:00", "order.late", Attributes={"a": "1"}))
        assert by_name(migrated_client)["order.late"].versions[0].attributes[0].name == "a"

    def test_weights_that_are_no_numbers(self, migrated_client: Any) -> None:
        """Nothing that JSON cannot hold; and nobody is to trust it."""
        put(migrated_client, row("2026-03-01 10:00", "order.paid", SampleWeight="nan", Attributes={"a": "1"}))
        event = by_name(migrated_client)["order.paid"]
        assert (event.events, event.trust, event.versions[0].attributes[0].share) == (0.0, "no", 0.0)


class TestVersions:
    def test_what_the_rows_say(self, migrated_client: Any) -> None:
        """Types of actors and things, services, columns with values, by version."""
        put(
            migrated_client,
            row("2026-03-01 10:00", "order.paid", "ann", ObjectType="order", ObjectId="1", ServiceName="shop"),
            row("2026-03-01 10:01", "order.paid", TenantId="acme", HttpRoute="/pay", ServiceName="worker"),
            row("2026-03-01 10:02", "order.paid", "ann", Attributes={"activity.schema.version": "2", "a": "x"}),
        )
        first, second = by_name(migrated_client)["order.paid"].versions
        assert (first.version, first.rows, first.services) == (None, 2, ("shop", "worker"))
        assert (first.actors, first.objects, first.targets) == (("user",), ("order",), ())
        assert first.columns == {"actor": 1, "object": 1, "tenant": 1, "http.route": 1}
        assert (first.first, first.last) == (at("2026-03-01 10:00"), at("2026-03-01 10:01"))
        assert (second.version, second.rows) == (2, 1)
        assert [attribute.name for attribute in second.attributes] == ["a"]

    def test_every_column_with_a_value_is_told_of(self) -> None:
        """A new column of the table has to be entered, unless it is the machinery's."""
        sql = _sql("versions")
        ours = {
            "EventId",
            "SampleWeight",
            "SampleRule",
            "Producer",
            "Seq",
            "ActorType",
            "ObjectType",
            "TargetType",
        }
        columns = {field.column for field in FIELDS if field.column} - ours
        assert [column for column in sorted(columns) if f"toUInt64({column} !=" not in sql] == []

    def test_rows_that_are_several_events(self, migrated_client: Any) -> None:
        """They may lack attributes."""
        put(
            migrated_client,
            row(
                "2026-03-01 10:00",
                "a.b",
                EventCount=3,
                Attributes={"activity.rollup.last": "2026-03-01T10:00:01Z"},
            ),
            row("2026-03-01 10:00", "a.b"),
        )
        assert by_name(migrated_client)["a.b"].versions[0].folded == 1


class TestAttributes:
    def test_kinds_of_values(self, migrated_client: Any) -> None:
        """What texts can be read as, since when, by whom; the most frequent first, without the machinery's own."""
        put(
            migrated_client,
            row(
                "2026-03-01 10:00",
                "a.b",
                ServiceName="shop",
                Attributes={"n": "1", "activity.odd": "x", "activity.sanitized": "x"},
            ),
            row("2026-03-01 10:01", "a.b", ServiceName="shop", Attributes={"n": "2", "http.route": "007"}),
            row("2026-03-01 10:02", "a.b", ServiceName="worker", Attributes={"n": "two"}),
            row("2026-03-01 10:03", "a.b"),
        )
        (attribute,) = by_name(migrated_client)["a.b"].versions[0].attributes
        assert (attribute.name, attribute.rows, attribute.share) == ("n", 3, 0.75)
        integer, text = attribute.kinds
        assert (integer.kind, integer.rows, integer.services) == ("integer", 2, ("shop",))
        assert (text.kind, text.rows, text.first, text.services) == (
            "text",
            1,
            at("2026-03-01 10:02"),
            ("worker",),
        )

    def test_the_share_is_one_of_events(self, migrated_client: Any) -> None:
        """A row that stands for twenty counts for twenty."""
        put(
            migrated_client,
            row("2026-03-01 10:00", "a.b", SampleWeight=19, Attributes={"page": "/"}),
            row("2026-03-01 10:01", "a.b", Outcome="failure", Attributes={"reason": "card"}),
        )
        shares = {one.name: one.share for one in by_name(migrated_client)["a.b"].versions[0].attributes}
        assert shares == {"page": 0.95, "reason": 0.05}

    @pytest.mark.slow
    def test_days_and_since(self, migrated_client: Any) -> None:
        """Of a frequent event the newest days; of a rare one older rows, unless these are not wanted."""
        put(
            migrated_client,
            row("2026-01-01 10:00", "a.rare", Attributes={"old": "1"}),
            row("2026-03-01 10:10", "b.new", Attributes={"x": "1"}),
            row("2026-03-01 10:50", "b.new", Attributes={"y": "1"}),
        )

        def names(**asked: Any) -> dict[str, list[str]]:
            return {
                name: [attribute.name for version in event.versions for attribute in version.attributes]
                for name, event in by_name(migrated_client, **asked).items()
            }

        assert names() == {"a.rare": ["old"], "b.new": ["x", "y"]}
        assert names(older=False) == {"a.rare": [], "b.new": ["x", "y"]}
        assert names(days=100, older=False) == {"a.rare": ["old"], "b.new": ["x", "y"]}
        assert names(since=at("2026-03-01 10:30"), older=False) == {"a.rare": [], "b.new": ["y"]}
        assert names(wanted=lambda name: name == "b.new") == {"b.new": ["x", "y"]}

    def test_odd_names(self, migrated_client: Any) -> None:
        """Quotes, backslashes and line ends are part of a name."""
        name, attribute = "it's\\a\nname", "a'b\\c\n"
        put(migrated_client, row("2026-03-01 10:00", name, Attributes={attribute: "1"}))
        assert by_name(migrated_client)[name].versions[0].attributes[0].name == attribute
        assert by_name(migrated_client, wanted=lambda given: given == name)[name].versions[0].rows == 1

    @pytest.mark.slow
    def test_rows_without_an_id_are_thinned_like_others(self, migrated_client: Any) -> None:
        """What a foreign collector inserts has neither id nor number."""
        migrated_client.command(
            "INSERT INTO activity_events (Timestamp, EventName, Attributes) SELECT "
            "toDateTime64('2026-03-01 10:00:00', 9, 'UTC') + toIntervalMillisecond(number), 'a.b', map('n', '1') "
            "FROM numbers(100000)"
        )
        found = seen(migrated_client)
        assert 700 < found.sampled_rows < 1300
        assert seen(migrated_client) == found

    @pytest.mark.slow
    def test_the_share_of_thinned_rows(self, migrated_client: Any) -> None:
        """A thousand rows of a hundred thousand tell it to some percent."""
        migrated_client.command(
            "INSERT INTO activity_events (Timestamp, EventName, Seq, Attributes) SELECT "
            "toDateTime64('2026-03-01 10:00:00', 9, 'UTC') + toIntervalMillisecond(number * 100), 'a.b', number, "
            "if(number % 4 = 0, map('n', '1'), map('m', 'x')) FROM numbers(100000)"
        )
        shares = {one.name: one.share for one in by_name(migrated_client)["a.b"].versions[0].attributes}
        assert shares == {"m": pytest.approx(0.75, abs=0.06), "n": pytest.approx(0.25, abs=0.06)}


@pytest.fixture(scope="class")
def engine(make_migrated: MakeDatabase) -> Iterator[Any]:
    """One database for all examples of a property."""
    with make_migrated() as client:
        yield client


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.slow
class TestPython:
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(
            st.one_of(
                st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
                st.from_regex(r"\A[-+]?[0-9]{1,22}(\.[0-9]{0,5})?([eE][-+]?[0-9]{1,3})?\Z"),
                st.datetimes().map(lambda moment: moment.isoformat()),
                st.dates().map(str),
                _JSON.map(as_text),
                st.sampled_from(
                    [
                        "NaN",
                        "-Infinity",
                        "9223372036854775808",
                        "-9223372036854775809",
                        "true",
                        "[redacted]",
                        "[1,",
                        "{}x",
                        "[]",
                        "1\n",
                        "2026-05-01\n",
                    ]
                ),
            ),
            min_size=1,
            max_size=30,
        )
    )
    def test_the_engine_reads_texts_as_python_does(self, engine: Any, texts: list[str]) -> None:
        """One rule, in two places."""
        sql = _sql("attributes")
        kinds = sql[sql.index("    multiIf(") : sql.index(" AS kind")]
        patterns = {kind: f"^(?:{pattern})$" for kind, pattern in PATTERNS.items()}
        answer = engine.query(
            f"SELECT {kinds} AS kind FROM (SELECT arrayJoin({{texts:Array(String)}}) AS text)",
            parameters={"texts": texts, **patterns},
        )
        assert [kind for (kind,) in answer.result_rows] == [kind_of_text(text) for text in texts]


@pytest.mark.slow
def test_only_the_hours_of_the_sample_are_read(migrated_client: Any) -> None:
    """The table is sorted by the hour: other hours are skipped."""
    migrated_client.command(
        "INSERT INTO activity_events (Timestamp, EventName) SELECT "
        "toDateTime64('2026-03-01 00:00:00', 9, 'UTC') + toIntervalSecond(intDiv(number, 10)), 'a.b' "
        "FROM numbers(864000) SETTINGS min_insert_block_size_rows = 1000000"
    )
    parameters: dict[str, Any] = {
        "hours": ["2026-03-01 05:00:00"], "pairs": [1], "steps": [1], "most": 5, "attributes": 5,
        "since": "1970-01-01 00:00:00", **dict.fromkeys(PATTERNS, "x"),
    }  # fmt: skip
    for name in ("versions", "attributes"):
        lines = migrated_client.query(f"EXPLAIN ESTIMATE {_sql(name)}", parameters=parameters).result_rows
        assert sum(rows for _, table, _, rows, _ in lines if table == "activity_events") < 864_000 / 10, name


def test_values_stay_in_the_store(migrated_client: Any) -> None:
    """What is said of attributes are names, kinds and counts."""
    put(migrated_client, row("2026-03-01 10:00", "a.b", Attributes={"card": "4111"}))
    assert "4111" not in str(seen(migrated_client))


@pytest.mark.slow
def test_a_store_with_too_many_names(server_url: str, migrated_client: Any) -> None:
    """Names that were made of data: those with the most rows are told, and how many there are; over HTTP, too."""
    migrated_client.command(
        "INSERT INTO activity_events (Timestamp, EventName, Seq, Attributes) SELECT "
        "toDateTime64('2026-03-01 10:00:00', 9, 'UTC') + toIntervalSecond(number * 100), "
        "concat('e.', repeat('x', 100), toString(number % 2600)), number, map('n', '1') FROM numbers(100000)"
    )
    client = connect(parse(f"{server_url.rpartition('/')[0]}/{migrated_client.database}"))
    for wanted in (None, lambda name: name.startswith("e.")):
        found = seen(client, wanted=wanted)
        assert (found.names, len(found.events)) == (2600, 2000)
        assert all(event.versions for event in found.events)
    client.close()
