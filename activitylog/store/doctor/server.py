"""The server around the tables: what this user may do, and what the server keeps for itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.doctor.commands import changing, name
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Check, Skip, Verdict, error, ok, plural, warning

_GRANT: Final = re.compile(r"GRANT (.+) ON (\S+) TO ", re.DOTALL)
_ROLE: Final = re.compile(r"GRANT ([^ ]+(?:, [^ ]+)*) TO ")
#: More than a writer needs, wherever it is granted.
_TOO_MUCH: Final = frozenset({"ALL", "ALTER", "DROP", "TRUNCATE", "SYSTEM", "ACCESS MANAGEMENT", "CREATE USER"})


@dataclass(frozen=True, slots=True)
class Access:
    """
    Attributes:
        grants: as ``SHOW GRANTS`` prints them.
        writes: whether an application writes as this user.
    """

    user: str
    database: str
    grants: tuple[str, ...]
    writes: bool


def ask_access(examined: Examined) -> Access:
    """Ask for the current user's grants."""
    if examined.embedded:
        raise Skip("the embedded engine has no users: who can read the folder can do everything")
    database = examined.database
    who = database.row("SELECT currentUser() AS user, currentDatabase() AS database")
    rows = database.rows("SHOW GRANTS")
    return Access(
        who["user"], who["database"], tuple(str(next(iter(row.values()))) for row in rows), examined.writes
    )


def judge_access(access: Access) -> Verdict:
    """An application's user inserts, and does nothing else."""
    pairs = [(found[1], found[2]) for grant in access.grants if (found := _GRANT.match(grant))]
    roles = [found[1] for grant in access.grants if " ON " not in grant and (found := _ROLE.match(grant))]
    inserts = any(_has(rights, {"INSERT", "ALL"}) and _covers(where, access.database) for rights, where in pairs)
    too_much = sorted(
        {right for rights, where in pairs if where != "system.*" for right in _rights(rights)} & _TOO_MUCH
    )
    kinds = sorted({right for rights, _ in pairs for right in _rights(rights)})
    kinds += [f"the role {role}" for role in roles]
    text = f"{access.user}: {', '.join(kinds[:8])}{' and more' if len(kinds) > 8 else ''}"
    if not access.writes:
        return ok(text)
    if not inserts and not roles:
        return error(
            f"applications write as {access.user}, who may not insert into {EVENTS_TABLE}",
            do=(changing(f"GRANT INSERT ON {name(access.database)}.{EVENTS_TABLE} TO {name(access.user)}"),),
        )
    if too_much:
        return warning(
            f"applications write as {access.user}, who may do more than insert: {', '.join(too_much)}",
            *access.grants[:5],
            do=(
                "# Give applications a user of their own that may only insert:",
                changing("CREATE USER activitylog_writer IDENTIFIED WITH sha256_password BY '...'"),
                changing(f"GRANT INSERT ON {name(access.database)}.{EVENTS_TABLE} TO activitylog_writer"),
            ),
        )
    return ok(text)


def _rights(text: str) -> list[str]:
    """``SELECT(a, b), INSERT`` -> ``SELECT``, ``INSERT``."""
    return [right.strip() for right in re.sub(r"\([^)]*\)", "", text).split(",") if right.strip()]


def _has(text: str, wanted: set[str]) -> bool:
    return not wanted.isdisjoint(_rights(text))


def _covers(where: str, database: str) -> bool:
    plain = where.replace("`", "")
    return plain in ("*.*", f"{database}.*", f"{database}.{EVENTS_TABLE}", f"{database}.activity_*")


ACCESS: Final = Check(
    "access",
    "What this user may do",
    "Whoever gets hold of an application's password can do with the events what its user may do.",
    ask_access,
    judge_access,
)


def ask_system_logs(examined: Examined) -> list[dict[str, Any]]:
    """The server's own log tables with their size, the largest first."""
    return examined.database.rows(
        "SELECT name, engine_full, ifNull(total_bytes, 0) AS bytes, ifNull(total_rows, 0) AS rows "
        "FROM system.tables WHERE database = 'system' AND engine LIKE '%MergeTree' ORDER BY bytes DESC, name"
    )


def judge_system_logs(rows: Sequence[dict[str, Any]]) -> Verdict:
    """A gigabyte without an end is worth a line."""
    endless = [row for row in rows if " TTL " not in row["engine_full"] and row["bytes"] >= 1 << 30]
    if not endless:
        total = sum(row["bytes"] for row in rows)
        return ok(
            f"{plural(len(rows), 'table')}, {total / (1 << 30):,.1f} GiB" if rows else "this server keeps none"
        )
    return warning(
        f"{plural(len(endless), 'log table of the server grows', 'log tables of the server grow')} without an end",
        *(f"system.{row['name']}: {row['bytes'] / (1 << 30):,.1f} GiB, {row['rows']:,} rows" for row in endless),
        do=(
            *(
                changing(f"ALTER TABLE system.{name(row['name'])} MODIFY TTL event_date + INTERVAL 30 DAY")
                for row in endless[:5]
            ),
            "# And in the server's configuration, for the next table: <ttl>event_date + INTERVAL 30 DAY</ttl>",
        ),
    )


SYSTEM_LOGS: Final = Check(
    "system_logs",
    "Log tables of the server",
    "They share the disk with the events, and by default nothing ever deletes from them.",
    ask_system_logs,
    judge_system_logs,
)


def ask_own_warnings(examined: Examined) -> list[str]:
    """What the server says about itself."""
    return [row["message"] for row in examined.database.rows("SELECT message FROM system.warnings")]


def judge_own_warnings(messages: Sequence[str]) -> Verdict:
    """They are passed on; most servers have some, so they are no problem by themselves."""
    return ok(f"{plural(len(messages), 'warning')} of its own" if messages else "none", *messages)


OWN_WARNINGS: Final = Check(
    "server_warnings",
    "What the server says about itself",
    "The server looks at its own configuration and machine.",
    ask_own_warnings,
    judge_own_warnings,
)
