"""The tables: are they what this version needs, does the landing table lead anywhere, is nothing counted twice?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from activitylog.exceptions import SchemaError
from activitylog.store.claims import CLAIMS_TABLE
from activitylog.store.columns import EVENTS_TABLE, INGEST_TABLE
from activitylog.store.differences import Difference
from activitylog.store.doctor.commands import APPLY, changing, name, reading
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Check, Skip, Verdict, error, ok, plural, warning, worst
from activitylog.store.schema import diff

_TARGET: Final = re.compile(
    r"CREATE MATERIALIZED VIEW \S+(?: UUID '[^']*')?(?: ON CLUSTER \S+)? TO (?:(`[^`]+`|\w+)\.)?(`[^`]+`|\w+)"
)
_ASKED_WINDOW: Final = 10_000


def ask_schema(examined: Examined) -> list[Difference] | SchemaError:
    """Compare the database with the files; a database that another version made cannot be compared."""
    try:
        return diff(examined.database.client, examined.settings)
    except SchemaError as refused:
        return refused


def judge_schema(found: list[Difference] | SchemaError) -> Verdict:
    """Every difference is an error: something that this version relies on is not there."""
    if isinstance(found, SchemaError):
        return error(found.message, do=(f"# {found.hint}",) if found.hint else ())
    if not found:
        return ok("as this version needs it")
    return error(
        f"{plural(len(found), 'difference')} from what this version needs",
        *(str(difference) for difference in found),
        # What apply does not repair says so itself.
        do=(APPLY,) if any(not difference.advice for difference in found) else (),
    )


SCHEMA: Final = Check(
    "schema",
    "Schema",
    "Events that cannot be stored as the table stands wait, and are dropped at the deadline; missing views "
    "leave their roll-ups without rows.",
    ask_schema,
    judge_schema,
)


@dataclass(frozen=True, slots=True)
class ViewFacts:
    """A materialized view: the table it reads from, and the (database, table) it writes to."""

    name: str
    source: str
    target: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Landing:
    """The views that read from the landing table, and the names that the table of events has on this server."""

    views: tuple[ViewFacts, ...]
    events: frozenset[str]


def ask_landing(examined: Examined) -> Landing | None:
    """The views that read from the landing table; None without such a table."""
    database = examined.database
    if not database.holds(EVENTS_TABLE):
        raise Skip(f"there is no table {EVENTS_TABLE}")
    if not database.holds(INGEST_TABLE):
        return None
    views = tuple(views_of(examined, [database.local(INGEST_TABLE)]))
    return Landing(views, frozenset({EVENTS_TABLE, database.events}))


def judge_landing(landing: Landing | None) -> Verdict:
    """One of them has to write to the table of events."""
    if landing is None:
        return error(f"there is no table {INGEST_TABLE}: a Collector's inserts are refused", do=(APPLY,))
    if any(view.target[1] in landing.events for view in landing.views):
        return ok(f"{INGEST_TABLE} leads to {EVENTS_TABLE}")
    return error(
        f"no view takes rows from {INGEST_TABLE} to {EVENTS_TABLE}: what a Collector inserts is lost",
        *(f"{view.name} writes to {'.'.join(view.target)}" for view in landing.views),
        do=(
            reading("SELECT table FROM system.detached_tables WHERE database = currentDatabase()"),
            changing(f"ATTACH TABLE {INGEST_TABLE}_mv"),
            f"# or, when it is not detached but gone: {APPLY}",
        ),
    )


LANDING: Final = Check(
    "landing",
    "Landing table",
    "The landing table keeps nothing: without its view an insert succeeds and its rows are gone, with no error.",
    ask_landing,
    judge_landing,
)


@dataclass(frozen=True, slots=True)
class Window:
    """
    How many inserts a table remembers.

    Attributes:
        role: ``events``, ``claims``, or the view that writes to it.
        window: blocks it remembers; None where the engine has no memory for them.
        seconds: how long, on replicated engines.
    """

    table: str
    role: str
    engine: str
    window: int | None
    seconds: int | None = None


def ask_windows(examined: Examined) -> list[Window]:
    """
    The table of events and the target of every view, a user's own included, in the order of the chain; and that of
    claims, in which the window is the lock.
    """
    events = examined.require_events()
    found = [_window(examined, events, "events")]
    seen = {events}
    landing = examined.database.local(INGEST_TABLE)
    for view in views_of(examined, [table for table in (landing, events) if examined.database.holds(table)]):
        target = examined.database.local(view.target[1])
        if target not in seen and target in examined.database.tables:
            seen.add(target)
            found.append(_window(examined, target, view.name))
    if examined.database.holds(CLAIMS_TABLE):
        found.append(_window(examined, CLAIMS_TABLE, "claims"))
    return found


def _window(examined: Examined, table: str, role: str) -> Window:
    facts = examined.database.tables[table]
    if not facts.keeps_rows:
        return Window(table, role, facts.engine, None)
    if facts.is_replicated:
        return Window(
            table,
            role,
            facts.engine,
            _number(examined.table_setting(table, "replicated_deduplication_window")),
            _number(examined.table_setting(table, "replicated_deduplication_window_seconds")),
        )
    return Window(
        table, role, facts.engine, _number(examined.table_setting(table, "non_replicated_deduplication_window"))
    )


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def judge_windows(windows: Sequence[Window]) -> Verdict:
    """A window of 0 is an error, a small one a warning."""
    problems = [problem for window in windows if (problem := _window_problem(window))]
    if problems:
        return worst(*problems)
    return ok(f"{plural(len(windows), 'table remembers its', 'tables remember their')} inserts")


def _window_problem(window: Window) -> Verdict | None:
    what = window.table if window.role in ("events", "claims") else f"{window.table} (filled by {window.role})"
    if window.window is None:
        if window.engine == "Null":
            return None
        return warning(f"{what} has the engine {window.engine}, which counts a batch twice that is sent twice")
    setting = (
        "replicated_deduplication_window" if window.seconds is not None else "non_replicated_deduplication_window"
    )
    change = f"ALTER TABLE {name(window.table)} MODIFY SETTING"
    repair = (changing(f"{change} {setting} = {_ASKED_WINDOW}"),)
    if window.window == 0:
        return error(f"{what} remembers no inserts: {setting} is 0", do=repair)
    if window.window < 100:
        return warning(f"{what} remembers only {window.window} inserts: {setting} is small", do=repair)
    if window.seconds is not None and window.seconds < 600:
        return warning(
            f"{what} forgets inserts after {window.seconds} s",
            do=(changing(f"{change} {setting}_seconds = 3600"),),
        )
    return None


WINDOWS: Final = Check(
    "windows",
    "Deduplication windows",
    "A batch whose answer got lost is sent again. A table without a window stores it twice, and a roll-up without "
    "one counts it twice while the table behind it does not.",
    ask_windows,
    judge_windows,
)


def views_of(examined: Examined, sources: Sequence[str]) -> list[ViewFacts]:
    """The materialized views that read from these tables, in order."""
    tables = examined.database.tables
    pairs = [(view, source) for source in sources for view in tables[source].views]
    # Older servers do not have target_*; they have the uuid, and CREATE names the target.
    created = {
        (row["database"], row["name"]): row
        for row in examined.database.rows(
            "SELECT database, name, create_table_query, uuid, COLUMNS('^target_(database|table)$') "
            "FROM system.tables WHERE engine = 'MaterializedView' AND name IN {names:Array(String)}",
            names=[view[1] for view, _ in pairs],
        )
    }
    return [ViewFacts(view[1], source, _target(created[view])) for view, source in pairs if view in created]


def _target(row: Mapping[str, Any]) -> tuple[str, str]:
    if row.get("target_table"):
        return row["target_database"], row["target_table"]
    found = _TARGET.match(row["create_table_query"])
    if found is None:
        return row["database"], f".inner_id.{row['uuid']}"
    return (found[1] or row["database"]).strip("`"), found[2].strip("`")
