"""The parts: are they all there and whole, are there too many, are the batches too small?"""

# ruff: noqa: S608 - names are quoted, values are parameters or literals; what is shown is not run here
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from activitylog.store.doctor.commands import changing, literal, name, path, reading
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Check, Skip, Verdict, error, ok, plural, warning, worst
from activitylog.store.watch.inserts import Inserts, inserts

_SHOWN: Final = 10
#: Left over by replication or by a restart, and of no use to anybody; their rows are in other parts.
_HARMLESS: Final = frozenset({"ignored", "clone", "tmp-fetch", "deleting", "attaching"})


def ask_detached(examined: Examined) -> list[dict[str, Any]]:
    """Detached parts of the database, the newest first."""
    return examined.database.rows(
        "SELECT table, name, ifNull(reason, '') AS reason, bytes_on_disk AS bytes, path "
        "FROM system.detached_parts WHERE database = currentDatabase() ORDER BY modification_time DESC, name"
    )


def judge_detached(rows: Sequence[dict[str, Any]]) -> Verdict:
    """A broken part is a loss until it is repaired; what was detached by hand is missing from every answer."""
    broken = [row for row in rows if "broken" in row["reason"] or row["reason"] in ("unexpected", "noquorum")]
    by_hand = [row for row in rows if not row["reason"]]
    others = [row for row in rows if row not in broken and row["reason"] not in ("", *_HARMLESS)]
    problems = []
    if broken:
        problems.append(
            error(
                f"{plural(len(broken), 'part is broken and was', 'parts are broken and were')} set aside",
                *(
                    f"{row['table']}: {row['name']} ({row['reason']}, {row['bytes']:,} bytes)"
                    for row in broken[:_SHOWN]
                ),
                *_more(len(broken)),
                do=(
                    f"ls -l {path(broken[0]['path'])}",
                    "# Restore the rows from a backup, a replica or an archive; then drop what was set aside:",
                    *(_drop(row) for row in broken[:_SHOWN]),
                ),
            )
        )
    if by_hand:
        problems.append(
            warning(
                f"the rows of {plural(len(by_hand), 'detached part')} are in no answer",
                *(f"{row['table']}: {row['name']} ({row['bytes']:,} bytes)" for row in by_hand[:_SHOWN]),
                *_more(len(by_hand)),
                do=(
                    *(
                        changing(f"ALTER TABLE {name(row['table'])} ATTACH PART {literal(row['name'])}")
                        for row in by_hand[:_SHOWN]
                    ),
                    "# or, when their rows are elsewhere:",
                    _drop(by_hand[0]),
                ),
            )
        )
    if others:
        problems.append(
            warning(
                f"{plural(len(others), 'part was', 'parts were')} set aside",
                *(f"{row['table']}: {row['name']} ({row['reason']})" for row in others[:_SHOWN]),
                do=(_drop(others[0]),),
            )
        )
    if problems:
        return worst(*problems)
    return ok(f"none; {plural(len(rows), 'leftover')} of no use" if rows else "none")


def _more(count: int) -> tuple[str, ...]:
    return (f"and {count - _SHOWN} more",) if count > _SHOWN else ()


def _drop(row: dict[str, Any]) -> str:
    return changing(
        f"ALTER TABLE {name(row['table'])} DROP DETACHED PART {literal(row['name'])} "
        "SETTINGS allow_drop_detached = 1"
    )


DETACHED: Final = Check(
    "detached_parts",
    "Detached parts",
    "What is detached is in no answer. The server does that by itself to a part that it cannot read, and goes on.",
    ask_detached,
    judge_detached,
)


def ask_checksums(examined: Examined) -> list[dict[str, Any]]:
    """Have the server read every part and compare it with its checksums."""
    if not examined.deep:
        raise Skip("reads everything that is stored; --deep does it")
    found = []
    for table in examined.database.ours:
        found += [{"table": table, **row} for row in examined.database.checked_parts(table)]
    return found


def judge_checksums(rows: Sequence[dict[str, Any]]) -> Verdict:
    """Every part has to be what its checksums say."""
    bad = [row for row in rows if not row["is_passed"]]
    if not bad:
        return ok(f"{plural(len(rows), 'part is', 'parts are')} what their checksums say")
    return error(
        f"{plural(len(bad), 'part is', 'parts are')} damaged",
        *(f"{row['table']}: {row['part_path']}: {' '.join(row['message'].split())[:200]}" for row in bad[:_SHOWN]),
        *_more(len(bad)),
        do=(
            "# Copy what can be read of each, take it out, and restore the rest from a backup or an archive:",
            *(
                changing(f"ALTER TABLE {name(row['table'])} DETACH PART {literal(row['part_path'])}")
                for row in bad[:_SHOWN]
            ),
            "dmesg --level err,warn | tail -50",
        ),
    )


CHECKSUMS: Final = Check(
    "checksums",
    "Checksums of the parts",
    "A damaged part fails every question that reads it, and every merge: its partition is never merged again.",
    ask_checksums,
    judge_checksums,
)


@dataclass(frozen=True, slots=True)
class PartCount:
    """Active parts of a partition; the number at which inserts are slowed down, and at which they are refused."""

    table: str
    partition: str
    parts: int
    delay_at: int
    throw_at: int


def ask_part_counts(examined: Examined) -> list[PartCount]:
    """The partitions with the most parts."""
    rows = examined.database.rows(
        "SELECT table, partition, count() AS parts FROM system.parts "
        "WHERE active AND database = currentDatabase() GROUP BY table, partition_id, partition "
        "ORDER BY parts DESC, table, partition LIMIT 100"
    )
    return [
        PartCount(
            row["table"],
            row["partition"],
            row["parts"],
            int(examined.table_setting(row["table"], "parts_to_delay_insert") or 1000),
            int(examined.table_setting(row["table"], "parts_to_throw_insert") or 3000),
        )
        for row in rows
    ]


def judge_part_counts(counts: Sequence[PartCount]) -> Verdict:
    """Half of the number at which inserts are slowed down is too many."""
    slowed = [item for item in counts if item.delay_at and item.parts >= item.delay_at]
    many = [item for item in counts if item.delay_at and item.delay_at > item.parts >= item.delay_at / 2]
    if not slowed and not many:
        most = max((item.parts for item in counts), default=0)
        return ok(f"at most {most} in a partition")
    items = slowed or many
    first = items[0]
    say = error if slowed else warning
    what = "inserts are slowed down" if slowed else f"inserts are slowed down from {first.delay_at:,} on"
    return say(
        f"{first.table} has {first.parts:,} parts in partition {first.partition}: {what}, and refused from "
        f"{first.throw_at:,} on",
        *(f"{item.table}, partition {item.partition}: {item.parts:,} parts" for item in items[1:_SHOWN]),
        do=(
            "# Send larger batches, less often: 10,000 to 100,000 rows and about one insert a second "
            "(ACTIVITYLOG_MAX_EXPORT_BATCH_SIZE, ACTIVITYLOG_SCHEDULE_DELAY_MILLIS).",
            changing(f"SYSTEM START MERGES {name(first.table)}"),
            reading("SELECT * FROM system.merges"),
            changing(f"OPTIMIZE TABLE {name(first.table)}"),
        ),
    )


PARTS: Final = Check(
    "part_counts",
    "Parts in a partition",
    "Each insert makes a part, and merging has to keep up. When it does not, the server slows inserts down, then "
    "refuses them.",
    ask_part_counts,
    judge_part_counts,
)


def ask_partitions(examined: Examined) -> list[dict[str, Any]]:
    """Partitions of each table, and its partition key."""
    rows = examined.database.rows(
        "SELECT table, uniqExact(partition_id) AS partitions, count() AS parts FROM system.parts "
        "WHERE active AND database = currentDatabase() GROUP BY table ORDER BY partitions DESC, table"
    )
    tables = examined.database.tables
    return [{**row, "key": tables[row["table"]].partition_key if row["table"] in tables else ""} for row in rows]


def judge_partitions(rows: Sequence[dict[str, Any]]) -> Verdict:
    """A thousand in a table is where a start, a merge and a question begin to feel them."""
    many = [row for row in rows if row["partitions"] > 1000]
    if not many:
        most = max((row["partitions"] for row in rows), default=0)
        return ok(f"at most {most} in a table")
    first = many[0]
    return warning(
        f"{first['table']} has {first['partitions']:,} partitions (by {first['key'] or 'nothing'})",
        *(f"{row['table']}: {row['partitions']:,} partitions" for row in many[1:]),
        do=(
            reading(
                "SELECT partition, sum(rows) FROM system.parts WHERE active AND database = currentDatabase() "
                f"AND table = {literal(first['table'])} GROUP BY partition ORDER BY partition"
            ),
            "# Drop or archive partitions that nobody needs, or make them longer ([store] partition_by).",
        ),
    )


PARTITIONS: Final = Check(
    "partition_counts",
    "Partitions of a table",
    "Parts of two partitions are never merged: many partitions are many parts for ever, and slow starts.",
    ask_partitions,
    judge_partitions,
)


def ask_batches(examined: Examined) -> Inserts:
    """Rates and batch sizes of the table of events."""
    examined.require_events()
    return inserts(examined.database)


def judge_batches(found: Inserts) -> Verdict:
    """Small batches are harmless while there are few."""
    if found.average_batch_rows is None:
        return ok("nothing was inserted yet")
    where = "in the last 24 h" if found.batch_source == "part_log" else "in the partition that was written last"
    text = f"{found.average_batch_rows:,.0f} rows a batch, {plural(found.batches, 'batch', 'batches')} {where}"
    if found.average_batch_rows >= 1000 or found.batches < 300:
        return ok(text)
    return warning(
        text,
        do=(
            "# Events of one process: raise ACTIVITYLOG_SCHEDULE_DELAY_MILLIS (how long a batch waits to fill).",
            "# Many processes with few events each: let them send to a Collector, whose sending_queue.batch "
            "(min_size 8192, flush_timeout 1s or more) makes large batches of small ones.",
        ),
    )


BATCHES: Final = Check(
    "batches",
    "Size of batches",
    "Small inserts cost as much as large ones, and each makes a part that has to be merged: below 1,000 rows most "
    "of the server's work is merging.",
    ask_batches,
    judge_batches,
)
