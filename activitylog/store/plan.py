"""
What ``schema apply`` does: decided first, as a list of steps with their statements, then run.

1. Steps of the files that the database lacks, in order, each recorded when it is done.
2. Repairs: an index, a column, a window or a view that the recorded steps made and that is not there or stale.
3. What the settings ask for: columns of the application's own, storage policy, TTL.

The steps need no lock, and ClickHouse has none that a killed process would let go:

- Each statement may be run again (``IF NOT EXISTS``, ``MODIFY``), from any number of machines at once, and a
  step is recorded only after all of it was done. After a kill anywhere, applying again goes on.
- Of two at once, the slower one looks before each step whether it was recorded meanwhile. Where it looked just
  too early it does the step again, to no effect; but an old ``MODIFY QUERY`` after a newer one would make a view
  stale. So only the last one of each view is ever run, and those before it are recorded as done.
- An ALTER of a view would leave it where repeated batches are not recognised until the engine restarts
  (:mod:`activitylog.store.view_names`). So a view that is yet to be made is made with its last query, and one that
  is there is renamed away and back after the ALTER, while writers are kept out.
- A view over the table of events sees the rows from then on. What was there before is the work of ``fill``,
  which is called after the view was made and before the step is recorded: a crash in between leads to another
  call.

Filling adds rows, so one process at a time does it, by a claim that expires when its holder is killed
(:mod:`activitylog.store.claims`); the others wait, and go on when the step is recorded. The table of claims is a
step like the others, but is made before the first view is filled; so are columns that later steps add, of the
table of events and of what is filled.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from activitylog.exceptions import SchemaError, StoreBusyError
from activitylog.store.claims import CLAIMS_TABLE, Claim, Patience
from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.definitions import (
    Definition,
    adds_columns,
    alters_view,
    changed_object,
    creates_table,
    creates_view,
    definitions,
    is_superseded,
    renamed_views,
)
from activitylog.store.differences import (
    Difference,
    definition_differences,
    deployment_difference,
    rendered,
    setting_differences,
)
from activitylog.store.filling import backfill
from activitylog.store.migrations import (
    Migration,
    create_record,
    migrations,
    pending,
    record_statement,
    records_steps,
)
from activitylog.store.rendering import partition_by, statements
from activitylog.store.rollups import Missing
from activitylog.store.snapshot import Snapshot
from activitylog.store.view_names import gates_left, renamed, renamed_back, writers_kept_out
from activitylog.store_settings import StoreSettings
from activitylog.visible import visible

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_log: Final = logging.getLogger("activitylog")

#: Rows that are summed up before the first batch of a process goes out: half a second a roll-up. Two million took
#: eight seconds, and a process gives its last events ten.
_ROWS_BEFORE_A_BATCH: Final = 200_000
#: And for so long a batch waits for somebody else who fills.
_SECONDS_BEFORE_A_BATCH: Final = 3.0

#: Fills the target of a new view over ``activity_events`` with the rows that were there before the view. Called
#: with a client and the view; perhaps again after a crash, perhaps by two processes at once, perhaps where the
#: target is full already: it must add only what is missing.
Fill = Callable[["Client", Definition], object]


def fill_rollup(client: Client, view: Definition, *, patience: Patience | None = None) -> None:
    """
    Give the view's target the rows that were there before, unless somebody else has done so and recorded the step.

    What others keep it from is left to ``schema backfill``, and said.

    Raises:
        StoreBusyError: somebody else still fills when patience ends.
    """
    patience = patience or Patience(waiting=_log_waiting)
    making = [step for step in pending(client) if creates_view(step) and changed_object(step) == view.name]
    if making:
        patience = replace(patience, wanted=lambda: making[0] in pending(client))
    for day in backfill(client, targets=[view.target], left=_log_left, patience=patience):
        _log.warning(
            "activitylog: %s, since others insert into that day. Run: activitylog schema backfill",
            visible(str(day)),
        )


def fill_small_rollup(client: Client, view: Definition) -> None:
    """
    As :func:`fill_rollup`, where it takes no longer than a batch may wait; else say how it is done.

    Of several processes that begin at once one fills and the others see the step recorded. Where somebody else is
    at work for longer, or was killed at it, events go first: the view counts what comes, and the rest can be had
    later.
    """
    rows = int(str(client.command(f"SELECT count() FROM {EVENTS_TABLE}")))  # noqa: S608 - a name of ours
    reason = f"up to {rows:,}"
    if rows <= _ROWS_BEFORE_A_BATCH:
        try:
            fill_rollup(client, view, patience=Patience(seconds=_SECONDS_BEFORE_A_BATCH))
        except StoreBusyError as busy:
            reason = busy.message
        else:
            return
    _log.warning(
        "activitylog: %s begins with the rows of now and lacks those before (%s). Run: activitylog schema "
        "backfill",
        view.target,
        reason,
    )


def _log_waiting(claim: Claim) -> None:
    _log.info("activitylog: waiting: roll-ups are being repaired by %s", visible(str(claim)))


def _log_left(day: Missing) -> None:
    _log.warning(
        "activitylog: %s, perhaps some of them twice: its repair was cut off, and rows have left it since",
        visible(str(day)),
    )


@dataclass(frozen=True, slots=True)
class Step:
    """
    One thing to do.

    Attributes:
        name: of the file without its ending, or of what is changed.
        statements: to be run in order, each safe to run again.
        migration: the file, when it is one: recorded after the statements.
        fills: the view whose target is to be filled after the statements, if there is one.
        alone: whether writers are kept out while the statements run.
    """

    name: str
    statements: tuple[str, ...]
    migration: Migration | None = None
    fills: Definition | None = None
    alone: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def sql(self) -> tuple[str, ...]:
        """Every statement that the step runs, its record included."""
        return (*self.statements, record_statement(self.migration)) if self.migration else self.statements


def create_database(name: str, settings: StoreSettings | None = None) -> list[str]:
    """The statements that make a database on this deployment."""
    from clickhouse_connect.driver.binding import quote_identifier

    return statements(f"CREATE DATABASE IF NOT EXISTS {quote_identifier(name)}", settings or StoreSettings())


def plan(client: Client | None, settings: StoreSettings | None = None) -> list[Step]:
    """
    What is to be done so that the database is what this version, and these settings, need. Only reads.

    Args:
        client: None for a database that is not there yet.
        settings: those of the deployment; None leaves alone what settings decide.

    Raises:
        SchemaError: the database was made by a newer version, or by other files of the same numbers; or it is one
            of a cluster and the settings name none, or the other way round.
    """
    snapshot = Snapshot(client) if client is not None else None
    rendering = _as_made(settings or StoreSettings(), snapshot)
    missing = pending(client) if client is not None else list(migrations())
    if snapshot is not None and (missing or settings is not None):
        _check_deployment(snapshot, rendering)
    made = _made_views(missing, snapshot)
    steps = [_migration_step(migration, rendering, missing, made) for migration in missing]
    if steps and (client is None or not records_steps(client)):
        first = steps[0]
        steps[0] = Step(first.name, (*create_record(rendering), *first.statements), first.migration, first.fills)
    changing = {changed_object(migration) for migration in missing}
    repairs = [
        _repair(difference, rendering)
        for difference in _differences(snapshot, settings, changing)
        if difference.repair
    ]
    left = [
        Step("a gate that was left behind", _rendered([sql], rendering))
        for sql in gates_left(snapshot.objects if snapshot is not None else {})
    ]
    return _before_filling(steps, missing, rendering) + repairs + left


def _made_views(missing: list[Migration], snapshot: Snapshot | None) -> set[str]:
    """The materialized views that are made now, for the first time."""
    there = snapshot.objects if snapshot is not None else {}
    return {name for step in missing if creates_view(step) and (name := changed_object(step)) not in there}


def _before_filling(steps: list[Step], missing: list[Migration], settings: StoreSettings) -> list[Step]:
    """
    The steps, each that fills a roll-up with what filling needs, where its own step is yet to come.

    That is the table of claims, and columns: the view's query is that of now, and names what later steps add.
    """
    claims = _statements_of(CLAIMS_TABLE, missing, settings)
    return [
        replace(step, statements=(*claims, *_with_columns(step, _columns_for(step.fills, missing, settings))))
        if step.fills
        else step
        for step in steps
    ]


def _with_columns(step: Step, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Columns before the view that names them, and after the table that has them."""
    before = step.migration is not None and creates_view(step.migration)
    return (*columns, *step.statements) if before else (*step.statements, *columns)


def _columns_for(view: Definition, missing: list[Migration], settings: StoreSettings) -> tuple[str, ...]:
    adding = [migration for migration in missing if adds_columns(migration)]
    return tuple(sql for table in (EVENTS_TABLE, view.target) for sql in _statements_of(table, adding, settings))


def _statements_of(name: str, steps: list[Migration], settings: StoreSettings) -> tuple[str, ...]:
    """What is run for the steps that create or change this."""
    found = (step for step in steps if changed_object(step) == name)
    return tuple(sql for step in found for sql in statements(step.sql, settings))


def apply(client: Client, settings: StoreSettings | None = None, *, fill: Fill | None = fill_rollup) -> list[Step]:
    """
    Bring the client's current database up to date.

    Args:
        settings: those of the deployment; None leaves alone what settings decide.
        fill: fills the target of a view that was made now; None leaves it to begin with the next row.

    Returns:
        What was done now; empty when there was nothing to do.

    Raises:
        SchemaError: the database was made by a newer version, or by other files of the same numbers (nothing was
            done); or a column that the settings ask for is there with another type (all else was done).
        clickhouse_connect.driver.exceptions.DatabaseError: a statement was refused. What was done before it is
            kept, and recorded; applying again continues with it.
    """
    done = [step for step in plan(client, settings) if _run(client, step, fill)]
    if settings is not None and settings.columns:
        _check_columns(client, settings)
    return done


def _run(client: Client, step: Step, fill: Fill | None) -> bool:
    """Do one step, unless somebody else did meanwhile."""
    if step.migration is not None and step.migration not in pending(client):
        return False
    with writers_kept_out(client) if step.alone else nullcontext():
        for statement in step.statements:
            client.command(statement)
    if step.fills is not None and fill is not None:
        fill(client, step.fills)
    if step.migration is not None:
        client.command(record_statement(step.migration))
    return True


def _migration_step(
    migration: Migration, settings: StoreSettings, missing: list[Migration], made: Collection[str]
) -> Step:
    name = changed_object(migration)
    if is_superseded(migration, migrations()) or (alters_view(migration) and name in made):
        return Step(str(migration), (), migration)
    if alters_view(migration):
        return _altering(str(migration), name, (migration.sql,), settings, migration)
    if views := renamed_views(migration):
        there = [view for view in views if view not in made]
        run = _rendered([renamed(*there)] if there else [], settings)
        return Step(str(migration), run, migration, alone=bool(run))
    to_come = {changed_object(other) for other in missing if creates_view(other)}
    fills = None
    if creates_view(migration):
        fills = _filled(name)
    elif creates_table(migration):
        fills = _filled(target=name, to_come=to_come)
    return Step(str(migration), _rendered([_made(migration, missing, made)], settings), migration, fills)


def _made(migration: Migration, missing: list[Migration], made: Collection[str]) -> str:
    """The statement of a step; of one that makes a view that later steps alter, with the query of the last one."""
    name = changed_object(migration)
    altered = any(alters_view(other) and changed_object(other) == name for other in missing)
    if altered and name in made and creates_view(migration):
        return next(view for view in definitions() if view.name == name).create
    return migration.sql


def _altering(
    name: str, view: str, repair: Iterable[str], settings: StoreSettings, migration: Migration | None = None
) -> Step:
    """A view that is there gets another query, and keeps its name."""
    run = _rendered([renamed_back(view), *repair, renamed(view)], settings)
    return Step(name, run, migration, _filled(view) if migration is None else None, alone=True)


def _repair(difference: Difference, settings: StoreSettings) -> Step:
    where = difference.where
    view = next((one for one in definitions() if one.name == where and one.kind == "materialized view"), None)
    if view is not None and difference.found:
        return _altering(where, where, difference.repair, settings)
    back = _rendered([renamed_back(where)], settings) if view is not None else ()
    return Step(where, (*back, *rendered(difference, settings)), fills=_filled(where))


def _rendered(texts: Iterable[str], settings: StoreSettings) -> tuple[str, ...]:
    return tuple(sql for text in texts for sql in statements(text, settings))


def _filled(name: str = "", target: str = "", to_come: Collection[str] = ()) -> Definition | None:
    """The view of this name, or over this target and there already, if it sums up the table of events."""
    views = (view for view in definitions() if view.kind == "materialized view" and view.reads(EVENTS_TABLE))
    return next(
        (view for view in views if view.name == name or (view.target == target and view.name not in to_come)), None
    )


def _differences(
    snapshot: Snapshot | None, settings: StoreSettings | None, changing: set[str]
) -> list[Difference]:
    """What is to be repaired. What steps are about to change is left to them."""
    found = []
    for definition in definitions():
        actual = snapshot.objects.get(definition.name) if snapshot is not None else None
        if snapshot is not None and definition.name not in changing:
            found += definition_differences(definition, actual, snapshot)
        if settings is not None and (actual is not None or definition.name in changing):
            found += setting_differences(definition, actual, settings, snapshot)
    return found


def _as_made(settings: StoreSettings, snapshot: Snapshot | None) -> StoreSettings:
    """The settings with the partitions that the store has: a table that is made later is cut as the others are."""
    events = snapshot.objects.get(EVENTS_TABLE) if snapshot is not None else None
    made = partition_by(events.partition_by) if events is not None else None
    return replace(settings, partition_by=made) if made is not None else settings


def _check_deployment(snapshot: Snapshot, settings: StoreSettings) -> None:
    """No statement for one server is right on a cluster, nor the other way round."""
    for definition in definitions():
        actual = snapshot.objects.get(definition.name)
        other = deployment_difference(definition, actual, settings) if actual is not None else None
        if other is not None:
            raise SchemaError(
                f"{other.where} is {other.found}; by [store] cluster it should be {other.expected}.",
                hint=f"{other.advice[:1].upper()}{other.advice[1:]}.",
            )


def _check_columns(client: Client, settings: StoreSettings) -> None:
    """Say so where a column of the settings is there and is something else."""
    snapshot = Snapshot(client)
    events = next(definition for definition in definitions() if definition.name == EVENTS_TABLE)
    for difference in setting_differences(events, snapshot.objects.get(EVENTS_TABLE), settings, snapshot):
        if difference.where.startswith(f"{EVENTS_TABLE}.") and not difference.repair:
            raise SchemaError(
                f"The column {difference.where} is {difference.found}; [store.columns] of the settings says "
                f"{difference.expected}.",
                hint=f"{difference.advice[:1].upper()}{difference.advice[1:]}.",
            )
