"""One run: records are staged, loaded into each table, measured, asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from activitylog.store import EVENTS_TABLE
from tests.benchmarks.storage.activity import generate
from tests.benchmarks.storage.asking import ask
from tests.benchmarks.storage.loading import STAGE, load, stage_typed
from tests.benchmarks.storage.pack import ask_pack
from tests.benchmarks.storage.questions import QUESTIONS
from tests.benchmarks.storage.real import ingest
from tests.benchmarks.storage.report import Result
from tests.benchmarks.storage.sizes import measure_size
from tests.benchmarks.storage.subjects import subjects
from tests.benchmarks.storage.tables import DAY, PEERS, Table, ours, ours_by_landing

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: The landing table and the variants are loaded with no more than this: they are about CPU an event.
_SUBSET: Final = 500_000
_ROLLUP_VIEWS: Final = ("activity_events_hourly_mv", "activity_events_actor_daily_mv")


@dataclass(frozen=True, slots=True)
class Plan:
    """How many events, rows an insert, rounds of questions; beside which tables, and how these are partitioned."""

    events: int
    batch: int
    rounds: int
    peers: tuple[str, ...]
    unit: str = DAY


def stage(client: Client, url: str, events: int, *, seed: int = 1, files: Sequence[Path] = ()) -> int:
    """Make the staged records, generated or of files. Returns how many there are."""
    client.command(f"CREATE DATABASE IF NOT EXISTS {STAGE}")
    client.database = STAGE
    if files:
        ingest(client, url, files)
    else:
        generate(client, events, seed=seed)
    stage_typed(client)
    return int(str(client.command(f"SELECT count() FROM {STAGE}.source_typed")))


def run(client: Client, plan: Plan, *, data: str) -> Result:
    """Load, measure and ask. All tables of the questions stay; those of the variants are dropped."""
    sizes, inserts = {}, {}
    for table in (ours(), *(PEERS[name](plan.unit) for name in plan.peers)):
        inserts[table.name] = load(client, table, plan.events, batch=plan.batch)
        sizes[table.name] = measure_size(client, table, plan.events)
    few = min(plan.events, _SUBSET)
    for table in _variants(client):
        inserts[table.name] = load(client, table, few, batch=plan.batch)
        sizes[table.name] = measure_size(client, table, few)
        client.command(f"DROP DATABASE {table.name}")
    values = subjects(client)
    possible = [question for question in QUESTIONS if question.needs <= values.keys()]
    asked = [
        one
        for question in possible
        for one in ask(client, question, ("ours", *plan.peers), values, rounds=plan.rounds)
    ]
    extra = frozenset(one.name for one in QUESTIONS if one.extra)
    named = ask_pack(client, ("ours", *plan.peers), rounds=min(3, plan.rounds))
    return Result(data, plan.events, sizes, inserts, asked, extra, named)


def _variants(client: Client) -> list[Table]:
    """Ours by the other way in, without what serves questions only, and with what needs ClickHouse 26.6."""
    client.database = "ours"
    names = client.query(
        "SELECT name FROM system.data_skipping_indices WHERE database = currentDatabase() AND table = "
        "{table:String}",
        parameters={"table": EVENTS_TABLE},
    ).result_rows
    indexes = [f"ALTER TABLE {EVENTS_TABLE} DROP INDEX {name}" for (name,) in names]
    views = [f"DROP VIEW {name}" for name in _ROLLUP_VIEWS]
    return [
        ours_by_landing(),
        ours("without_rollups", *views),
        ours("without_indexes", *indexes),
        ours("without_both", *views, *indexes),
        ours(
            "with_bitpacking",
            f"ALTER TABLE {EVENTS_TABLE} MODIFY SETTING text_index_posting_list_codec = 'bitpacking'",
        ),
    ]
