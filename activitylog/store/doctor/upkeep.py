"""What the server should do on its own: TTLs, mutations, merges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from activitylog.store.doctor.commands import APPLY, changing, literal, name, reading
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Check, Verdict, error, ok, plural, warning, worst

_SHOWN: Final = 10
#: A server looks for expired parts every few hours (merge_with_ttl_timeout); a day later they should be gone.
_GRACE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Retention:
    """
    How long the table of events keeps its rows.

    Attributes:
        days: of its TTL; None without one that drops.
        wanted_days: of the settings; None: for ever.
        drops_parts: whether it drops whole parts (``ttl_only_drop_parts``) and rewrites none.
        expired: parts whose newest row is older, as (name, newest row, rows).
        now: the server's clock.
    """

    table: str
    days: float | None
    wanted_days: int | None
    drops_parts: bool
    expired: tuple[tuple[str, datetime, int], ...]
    now: datetime


def ask_retention(examined: Examined) -> Retention:
    """The TTL, and the parts that it should have dropped."""
    table = examined.require_events()
    days = examined.database.tables[table].retention_days
    now = examined.database.row("SELECT now('UTC') AS now")["now"]
    rows = []
    if days is not None:
        rows = examined.database.rows(
            "SELECT name, max_time, rows FROM system.parts WHERE active AND database = currentDatabase() "
            "AND table = {table:String} AND max_time > 0 AND max_time < {before:DateTime('UTC')} "
            "ORDER BY max_time, name",
            table=table,
            before=now - timedelta(days=days) - _GRACE,
        )
    return Retention(
        table,
        days,
        examined.settings.retention_days,
        examined.table_setting(table, "ttl_only_drop_parts") == "1",
        tuple((row["name"], row["max_time"], row["rows"]) for row in rows),
        now,
    )


def judge_retention(found: Retention) -> Verdict:
    """Nothing that should be gone is there, and the TTL is the one that the settings ask for."""
    problems = []
    if found.expired:
        problems.append(_not_dropped(found))
    if found.wanted_days is not None and found.days != found.wanted_days:
        have = "no retention" if found.days is None else f"a retention of {found.days:g} days"
        problems.append(
            error(
                f"{found.table} has {have}, and the settings say {found.wanted_days} days",
                do=(APPLY,),
            )
        )
    if found.days is not None and not found.drops_parts:
        problems.append(
            warning(
                f"{found.table} rewrites parts to drop single rows: ttl_only_drop_parts is 0",
                do=(changing(f"ALTER TABLE {name(found.table)} MODIFY SETTING ttl_only_drop_parts = 1"),),
            )
        )
    if problems:
        return worst(*problems)
    return ok("kept for ever" if found.days is None else f"{found.days:g} days; nothing older is there")


def _not_dropped(found: Retention) -> Verdict:
    oldest = found.now - found.expired[0][1]
    return error(
        f"{plural(len(found.expired), 'part')} of {found.table} should be gone: the oldest is from "
        f"{oldest.days:,} days ago, kept are {found.days:g}",
        *(f"{name}: {rows:,} rows up to {newest:%Y-%m-%d %H:%M}" for name, newest, rows in found.expired[:_SHOWN]),
        do=(
            changing(f"SYSTEM START MERGES {name(found.table)}"),
            changing(f"SYSTEM START TTL MERGES {name(found.table)}"),
            changing(f"ALTER TABLE {name(found.table)} MATERIALIZE TTL"),
        ),
    )


RETENTION: Final = Check(
    "retention",
    "Retention (TTL)",
    "Rows that should be gone cost space, and keeping them may break a promise to the people they are about.",
    ask_retention,
    judge_retention,
)


@dataclass(frozen=True, slots=True)
class Since:
    """Rows of a system table, and the server's clock."""

    rows: Sequence[dict[str, Any]]
    now: datetime


def ask_mutations(examined: Examined) -> Since:
    """Mutations that are not done, the oldest first."""
    rows = examined.database.rows(
        "SELECT table, mutation_id, command, create_time, parts_to_do, latest_fail_reason AS failure "
        "FROM system.mutations WHERE database = currentDatabase() AND NOT is_done AND NOT is_killed "
        "ORDER BY create_time, table, mutation_id"
    )
    return Since(rows, examined.database.row("SELECT now('UTC') AS now")["now"])


def judge_mutations(found: Since) -> Verdict:
    """One that fails is tried for ever and stands before all later ones."""
    failing = [row for row in found.rows if row["failure"]]
    slow = [
        row for row in found.rows if not row["failure"] and found.now - row["create_time"] > timedelta(hours=1)
    ]
    problems = []
    if failing:
        problems.append(
            error(
                f"{plural(len(failing), 'mutation fails', 'mutations fail')}, and is tried again and again",
                *(line for row in failing[:_SHOWN] for line in _mutation(row)),
                do=tuple(_kill(row) for row in failing[:_SHOWN]),
            )
        )
    if slow:
        problems.append(
            warning(
                f"{plural(len(slow), 'mutation is', 'mutations are')} not done after an hour",
                *(line for row in slow[:_SHOWN] for line in _mutation(row)),
                do=(
                    reading("SELECT * FROM system.merges WHERE is_mutation"),
                    changing(f"SYSTEM START MERGES {name(slow[0]['table'])}"),
                ),
            )
        )
    return worst(*problems) if problems else ok(f"{len(found.rows)} under way" if found.rows else "none pending")


def _mutation(row: dict[str, Any]) -> list[str]:
    command = " ".join(row["command"].split())
    lines = [f"{row['table']}, {row['mutation_id']}: {command[:160]} ({plural(row['parts_to_do'], 'part')} to do)"]
    if row["failure"]:
        lines.append(" ".join(row["failure"].split())[:240])
    return lines


def _kill(row: dict[str, Any]) -> str:
    return changing(
        f"KILL MUTATION WHERE database = currentDatabase() AND table = {literal(row['table'])} "
        f"AND mutation_id = {literal(row['mutation_id'])}"
    )


MUTATIONS: Final = Check(
    "mutations",
    "Mutations",
    "An erasure or a change of the table is done when its mutation is; one that fails keeps later ones waiting.",
    ask_mutations,
    judge_mutations,
)


def ask_merges(examined: Examined) -> list[dict[str, Any]]:
    """Merges under way, the longest first."""
    return examined.database.rows(
        "SELECT table, result_part_name AS part, elapsed, progress, total_size_bytes_compressed AS bytes "
        "FROM system.merges WHERE database = currentDatabase() ORDER BY elapsed DESC"
    )


def judge_merges(rows: Sequence[dict[str, Any]]) -> Verdict:
    """A merge that would need a day more at its pace, or has run for six hours, is stuck."""
    stuck = [row for row in rows if (row["elapsed"] > 600 and _left(row) > 86_400) or row["elapsed"] > 21_600]
    if not stuck:
        return ok(f"{plural(len(rows), 'merge')} under way" if rows else "none under way")
    return warning(
        f"{plural(len(stuck), 'merge does', 'merges do')} not come to an end",
        *(
            f"{row['table']}, {row['part']}: {row['elapsed'] / 3600:,.1f} h, {row['progress']:.0%} of "
            f"{row['bytes'] / (1 << 30):,.1f} GiB"
            for row in stuck[:_SHOWN]
        ),
        do=(
            reading("SELECT * FROM system.merges"),
            changing(f"SYSTEM STOP MERGES {name(stuck[0]['table'])}"),
            changing(f"SYSTEM START MERGES {name(stuck[0]['table'])}"),
        ),
    )


def _left(row: dict[str, Any]) -> float:
    """Seconds that a merge needs at its pace so far."""
    progress = max(float(row["progress"]), 1e-9)
    return float(row["elapsed"]) * (1 - progress) / progress


MERGES: Final = Check(
    "merges",
    "Merges",
    "While a merge is stuck its parts stay, and so does everything that waits for it.",
    ask_merges,
    judge_merges,
)
