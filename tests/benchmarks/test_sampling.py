"""The study of sampling, on records made here: it runs, and what it asserts on its way is true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.sampling.judging import summarize
from tests.benchmarks.sampling.plans import Plan, plans
from tests.benchmarks.sampling.records import read
from tests.benchmarks.sampling.report import markdown
from tests.benchmarks.sampling.run import study

pytestmark = pytest.mark.slow

EVENTS = 1_200


@pytest.fixture
def client(chdb_url: str, _chdb_engine: Any) -> Iterator[Any]:
    """A client of a store with its tables; they are dropped afterwards."""
    from activitylog.store import apply, connect

    found = connect(chdb_url)
    apply(found)
    yield found
    for table in ("activity_events", "activity_events_hourly", "activity_events_actor_daily", "activity_counters"):
        found.command(f"TRUNCATE TABLE {table}")
    found.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Twelve hundred records of two names and fifty actors, ten of one request, within a day."""
    path = tmp_path / "made.ndjson"
    path.write_text("".join(f"{json.dumps(_record(number))}\n" for number in range(EVENTS)))
    return path


def _record(number: int) -> dict[str, Any]:
    return {
        "ts": 1_700_000_000 + 60 * (number // 10),
        "action": "file.added" if number % 3 else "file.deleted",
        "actor": f"dev-{number // 10 % 50}",
        "request_id": f"r-{number // 10}",
        "target_id": f"f-{number}",
        "extension": "py",
    }


def test_every_plan_runs(client: Any, chdb_url: str, file: Path) -> None:
    """Counters are exact, and the product's answers are those of the study, under every plan; all is printed."""
    records = read(file)
    found = study(client, chdb_url, records, plans(records), draws=1, tell=lambda _: None)
    assert (found.events, found.actors) == (EVENTS, 50)
    text = markdown(found)
    assert all(outcome.plan.name in text for outcome in found.outcomes)


def test_covers(client: Any, chdb_url: str, file: Path) -> None:
    """Of single events, nine of ten intervals hold the truth, or more; and the errors are the stated ones."""
    plan = Plan("20 % by event", [{"name": "study", "match": "*", "sample": 0.2}])
    found = study(client, chdb_url, read(file), [plan], draws=20, tell=lambda _: None)
    names = next(one for one in summarize(found.outcomes[0].draws) if one.question == "event name")
    assert names.covered is not None
    assert names.covered >= 80
    assert names.z_deviation is not None
    assert 0.6 < names.z_deviation < 1.6
