"""What a cluster has seen: the same questions, asked of Distributed tables over two shards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from activitylog.attribute_types import PATTERNS
from activitylog.store.cluster import SHARDING_KEYS
from activitylog.store.seen.ask import _sql
from tests.activitylog.store.cluster_engine import ClusterEngine
from tests.activitylog.store.test_cluster import RENDERED, without_replication

pytestmark = pytest.mark.slow

_BOUNDS: Final = {
    "since": "2026-01-01 00:00:00",
    "until": "2027-01-01 00:00:00",
    "names": "[]",
    "limit": "9",
    "most": "9",
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterEngine]:
    """Two shards that are the same one: what is stored once is there twice."""
    with ClusterEngine(tmp_path_factory.mktemp("pair")) as running:
        running.run("CREATE DATABASE pair ENGINE = Atomic")
        running.run("USE pair")
        for statement in RENDERED:
            running.run(without_replication(statement))
        running.run(
            "INSERT INTO activity_events_local (Timestamp, EventName, TenantId, Seq, Attributes) SELECT "
            "toDateTime64('2026-03-01 10:00:00', 9, 'UTC') + toIntervalMinute(number), 'order.paid', "
            "concat('t', toString(number)), number, map('n', toString(number), 'activity.schema.version', '2') "
            "FROM numbers(100)"
        )
        running.run(
            "INSERT INTO activity_counters_local (Minute, EventName, EventCount, Producer, Seq) "
            "VALUES ('2026-03-01 10:00:00', 'order.paid', 100, 'p', 1)"
        )
        for table in ("activity_events", "activity_events_hourly", "activity_counters"):
            running.run(f"DROP TABLE {table} SYNC")
            running.run(
                f"CREATE TABLE {table} AS {table}_local "
                f"ENGINE = Distributed('pair', 'pair', '{table}_local', {SHARDING_KEYS[table]})"
            )
        yield running


def asked(engine: ClusterEngine, name: str, **parameters: str) -> list[list[Any]]:
    """The answer to one of the questions."""
    for key, value in parameters.items():
        escaped = value.replace("\\", "\\\\\\\\").replace("'", "\\'")
        engine.run(f"SET param_{key} = '{escaped}'")
    return engine.run(_sql(name))


def test_names_and_hours(engine: ClusterEngine) -> None:
    """Of both shards together."""
    ((event, rows, events, error, trust, first, last, reach, _, outcomes, names, _),) = asked(
        engine, "names", rows="1000", **_BOUNDS
    )
    assert (event, int(rows), events, error, trust) == ("order.paid", 200, 200.0, 0.0, "exact")
    assert (first, last, reach) == ("2026-03-01 10:00:00", "2026-03-01 11:00:00", "2026-03-01 10:00:00")
    assert ({name: int(count) for name, count in outcomes.items()}, int(names)) == ({"success": 200}, 1)
    start = _BOUNDS["since"]
    hours = asked(engine, "hours", start=start, earliest=start, rare="[0]", rare_since="[0]", **_BOUNDS)
    assert [(hour, int(rows)) for _, hour, rows, _ in hours] == [
        ("2026-03-01 11:00:00", 80),
        ("2026-03-01 10:00:00", 120),
    ]


def test_counters(engine: ClusterEngine) -> None:
    """A counter that is there twice counts once."""
    assert [(event, int(count)) for event, count, _ in asked(engine, "counters", **_BOUNDS)] == [
        ("order.paid", 100)
    ]


def test_versions_and_attributes(engine: ClusterEngine) -> None:
    """Of the hours that were chosen."""
    start = _BOUNDS["since"]
    hours = asked(engine, "hours", start=start, earliest=start, rare="[0]", rare_since="[0]", **_BOUNDS)
    sample = {"hours": "['2026-03-01 10:00:00']", "pairs": f"[{hours[1][3]}]", "steps": "[1]", "since": start}
    sample["most"] = "5"
    ((event, version, rows, *_),) = asked(engine, "versions", **sample)
    assert (event, version, int(rows)) == ("order.paid", "2", 120)
    patterns = {kind: f"^(?:{pattern})$" for kind, pattern in PATTERNS.items()}
    ((_, _, name, kind, rows, *_),) = asked(engine, "attributes", attributes="9", **sample, **patterns)
    assert (name, kind, int(rows)) == ("n", "integer", 120)
