"""Replication, and what a Distributed table still has to send. Nothing of it exists on a single server."""

# ruff: noqa: S608 - names are quoted, values are parameters or literals; what is shown is not run here
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from activitylog.store.doctor.commands import changing, literal, name, reading
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Check, Skip, Verdict, error, ok, plural, warning, worst


def ask_replicas(examined: Examined) -> list[dict[str, Any]]:
    """This server's replicas of the database's tables."""
    if not any(table.engine.startswith("Replicated") for table in examined.database.tables.values()):
        raise Skip("no table of the database is replicated")
    return examined.database.rows(
        "SELECT table, is_readonly, is_session_expired, absolute_delay, queue_size, active_replicas, "
        "total_replicas, lost_part_count, last_queue_update_exception, zookeeper_exception FROM system.replicas "
        "WHERE database = currentDatabase() ORDER BY table"
    )


def judge_replicas(rows: Sequence[dict[str, Any]]) -> Verdict:
    """Read-only is an error; behind, alone, or with a long queue is a warning."""
    problems = [problem for row in rows for problem in _replica_problems(row)]
    return worst(*problems) if problems else ok(f"{plural(len(rows), 'table')} replicated, all up to date")


def _replica_problems(row: dict[str, Any]) -> list[Verdict]:
    table = row["table"]
    restart = (
        changing(f"SYSTEM RESTART REPLICA {name(table)}"),
        reading("SELECT * FROM system.zookeeper_connection"),
    )
    queue = (
        reading(
            "SELECT type, num_tries, last_exception, postpone_reason FROM system.replication_queue "
            f"WHERE table = {literal(table)} ORDER BY create_time LIMIT 20"
        ),
    )
    problems = []
    if row["is_readonly"] or row["is_session_expired"]:
        reason = row["zookeeper_exception"] or row["last_queue_update_exception"] or "no connection to Keeper"
        problems.append(
            error(f"{table} is read-only here: inserts are refused", " ".join(reason.split())[:200], do=restart)
        )
    if row["lost_part_count"]:
        problems.append(error(f"{table} lost {plural(row['lost_part_count'], 'part')} on all replicas", do=queue))
    if row["absolute_delay"] > 300:
        problems.append(warning(f"{table} is {row['absolute_delay']:,} s behind", do=queue))
    if row["queue_size"] > 100:
        problems.append(warning(f"{table} has {row['queue_size']:,} entries in its queue", do=queue))
    if row["active_replicas"] < row["total_replicas"]:
        problems.append(
            warning(
                f"{table}: {row['active_replicas']} of {row['total_replicas']} replicas are active",
                do=(reading(f"SELECT replica_is_active FROM system.replicas WHERE table = {literal(table)}"),),
            )
        )
    return problems


REPLICAS: Final = Check(
    "replication",
    "Replication",
    "A replica that is behind answers with old rows, one that is read-only refuses inserts; with one replica left "
    "the next failure is a loss.",
    ask_replicas,
    judge_replicas,
)


def ask_distribution(examined: Examined) -> list[dict[str, Any]]:
    """What Distributed tables have on disk and still have to send."""
    if not any(table.engine == "Distributed" for table in examined.database.tables.values()):
        raise Skip("the database has no Distributed table")
    return examined.database.rows(
        "SELECT table, is_blocked, error_count, data_files, data_compressed_bytes AS bytes, broken_data_files, "
        "last_exception FROM system.distribution_queue WHERE database = currentDatabase() "
        "ORDER BY table, data_path"
    )


def judge_distribution(rows: Sequence[dict[str, Any]]) -> Verdict:
    """Broken files are lost rows; errors and many files are rows that do not arrive."""
    problems = []
    for row in rows:
        table = row["table"]
        if row["broken_data_files"]:
            problems.append(
                error(
                    f"{table} set {plural(row['broken_data_files'], 'file')} of rows aside as broken",
                    " ".join(row["last_exception"].split())[:200],
                    do=(
                        reading(
                            "SELECT data_path, last_exception FROM system.distribution_queue "
                            "WHERE broken_data_files > 0"
                        ),
                    ),
                )
            )
        elif row["is_blocked"] or row["error_count"] or row["data_files"] > 100:
            problems.append(
                warning(
                    f"{table} has {plural(row['data_files'], 'file')} ({row['bytes']:,} bytes) to send",
                    *([" ".join(row["last_exception"].split())[:200]] if row["last_exception"] else []),
                    do=(
                        changing(f"SYSTEM START DISTRIBUTED SENDS {name(table)}"),
                        changing(f"SYSTEM FLUSH DISTRIBUTED {name(table)}"),
                    ),
                )
            )
    return worst(*problems) if problems else ok("nothing waits")


DISTRIBUTION: Final = Check(
    "distribution",
    "Distributed sends",
    "Rows that wait here were acknowledged, are in no answer yet, and are gone with this server's disk.",
    ask_distribution,
    judge_distribution,
)
