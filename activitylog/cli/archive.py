"""``activitylog archive``: old partitions as Parquet files, and back."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from activitylog.cli.answer import Shape, print_answer, shape_options
from activitylog.cli.dataclass_rows import plain
from activitylog.cli.errors import EXIT_CODES, FAILED, PARTLY
from activitylog.cli.progress import progress
from activitylog.cli.query import show
from activitylog.cli.rows import Column, Rows, select
from activitylog.cli.sql import pairs, refuse_what_writes, statement_text
from activitylog.cli.store_option import existing_store, note_store, open_store, url_option
from activitylog.cli.tables import print_json
from activitylog.cli.visible import visible
from activitylog.exceptions import ConfigurationError
from activitylog.store.columns import EVENTS_TABLE

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from activitylog.store.archive import Archive, Checked, Outcome, Partition

_AGE: Final = re.compile(r"([0-9]{1,5}) ?([dwy])")
_DAYS: Final = {"d": 1, "w": 7, "y": 365}
_folder = click.argument("folder", type=click.Path(path_type=Path))
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a piece.")
_take_over = click.option(
    "--take-over", is_flag=True, help="Finish what a killed run of another machine left. That machine is gone."
)
_EXAMPLES: Final = f"""\b
Examples:
  activitylog archive create --older-than 400d --to /backup/activity      (a cron job; safe to repeat)
  activitylog archive list /backup/activity
  activitylog archive verify /backup/activity
  activitylog archive query /backup/activity "SELECT EventName, count() FROM archive GROUP BY 1"
  activitylog archive restore /backup/activity --partition 202403

{EXIT_CODES}
"""  # noqa: S608 - text for people


@click.group(short_help="Move old events into Parquet files, ask them there, bring them back.", epilog=_EXAMPLES)
def archive() -> None:
    """
    Old partitions as Parquet files.

    A folder of archives has a folder for each partition, with a manifest that holds counts and checksums. Any tool
    that reads Parquet reads the files. Roll-ups and counters stay in the database: charts go on to show the old
    times.
    """


@archive.command(epilog=_EXAMPLES)
@url_option
@click.option("--before", metavar="DATE", help="Partitions whose newest event is older: 2025-01-01, in UTC.")
@click.option("--older-than", metavar="AGE", help="The same by age: 90d, 26w, 2y (of 365 days).")
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True, help="The folder of archives.")
@click.option("--keep", is_flag=True, help="Leave the rows in the table, too.")
@click.option("--dry-run", is_flag=True, help="Show which partitions, and do nothing.")
@click.option(
    "--rows-per-file",
    type=click.IntRange(1),
    default=1_000_000,
    show_default=True,
    help="At most, where possible.",
)
@_take_over
@_json
def create(
    *,
    url: str | None,
    before: str | None,
    older_than: str | None,
    folder: Path,
    keep: bool,
    dry_run: bool,
    rows_per_file: int,
    take_over: bool,
    as_json: bool,
) -> int:
    """
    Move whole partitions from the table into Parquet files.

    A partition leaves the table only when its files were read back by another engine and hold the same rows, by
    count and checksum. Rows that arrive meanwhile, or later, stay; a later run makes a second piece of them. A run
    that was killed is finished by running it again. Disk full, damaged, changed: the table keeps its rows.
    """
    from activitylog.store import archive as archives

    limit = _limit(before, older_than)
    store = existing_store(url)
    client = open_store(store)
    try:
        if not as_json:
            note_store(store)
        if dry_run:
            return _show_plan(archives.partitions(client, before=limit), as_json=as_json)
        with progress("archiving", None) as tell:
            outcomes = archives.create(
                client,
                folder,
                before=limit,
                keep=keep,
                rows_per_file=rows_per_file,
                take_over=take_over,
                progress=lambda partition, rows: tell(
                    rows, f"{partition.id}: {rows:,} of {partition.rows:,} rows"
                ),
            )
            return _show_outcomes(outcomes, as_json=as_json)
    finally:
        client.close()


def _limit(before: str | None, older_than: str | None) -> datetime:
    if (before is None) == (older_than is None):
        raise click.UsageError("Give one of --before and --older-than.", click.get_current_context())
    if older_than is not None:
        age = _AGE.fullmatch(older_than.strip())
        if age is None:
            raise ConfigurationError(f"--older-than is {older_than!r}.", hint="Accepted: 90d, 26w, 2y.")
        return datetime.now(UTC) - timedelta(days=int(age[1]) * _DAYS[age[2]])
    try:
        given = datetime.fromisoformat(str(before))
    except ValueError:
        raise ConfigurationError(
            f"--before is {before!r}.", hint="Accepted: 2025-01-01, or with a time."
        ) from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def _show_plan(plan: Sequence[Partition], *, as_json: bool) -> int:
    sharded = as_json or any(one.shard for one in plan)
    values = [
        [
            *([one.shard] if sharded else []),
            one.id,
            one.rows,
            one.bytes,
            plain(one.min_time),
            plain(one.max_time),
        ]
        for one in plan
    ]
    columns: tuple[tuple[str, str], ...] = (
        *((("shard", "UInt32"),) if sharded else ()),
        ("partition", "String"),
        ("rows", "UInt64"),
        ("bytes", "UInt64"),
        ("from", "DateTime"),
        ("to", "DateTime"),
    )
    if as_json:
        columns, values = (*columns, ("action", "String")), [[*line, "would be archived"] for line in values]
    print_answer(_rows(columns, values), Shape.JSON if as_json else Shape.TABLE, title="would be archived")
    return 0


def _show_outcomes(outcomes: Iterator[Outcome], *, as_json: bool) -> int:
    done = failed = 0
    for outcome in outcomes:
        failed += outcome.action == "failed"
        done += outcome.action != "failed"
        if as_json:
            print_json(asdict(outcome))
        else:
            sys.stdout.write(_sentence(outcome) + "\n")
        sys.stdout.flush()
    if not done and not failed and not as_json:
        sys.stdout.write("nothing to do: no partition is that old\n")
    if failed:
        click.echo(f"hint: {failed} of {done + failed} partitions stayed in the table", err=True)
    return (PARTLY if done else FAILED) if failed else 0


def _sentence(outcome: Outcome) -> str:
    name = visible(outcome.partition) + (f" of shard {outcome.shard}" if outcome.shard else "")
    if outcome.action == "failed":
        return f"{name} failed: {visible(outcome.reason)}"
    how = "" if outcome.written else " (the files were there already)"
    return (
        f"{name} {outcome.action}: {outcome.rows:,} rows, {outcome.bytes:,} bytes in "
        f"{', '.join(outcome.pieces)}{how}"
    )


@archive.command(name="list")
@_folder
@shape_options
def list_(*, folder: Path, shape: Shape) -> None:
    """Show the pieces in FOLDER, as their manifests describe them. Needs no store; nothing is checked."""
    from activitylog.store.archive import archives

    values = [
        [
            piece.name,
            piece.manifest.partition,
            piece.manifest.rows,
            piece.manifest.bytes,
            len(piece.manifest.files),
            piece.manifest.min_time,
            piece.manifest.max_time,
            piece.manifest.made_at,
        ]
        for piece in archives(folder)
    ]
    names = ("piece", "partition", "rows", "bytes", "files", "from", "to", "made")
    types = ("String", "String", "UInt64", "UInt64", "UInt64", "DateTime64(9)", "DateTime64(9)", "DateTime")
    print_answer(_rows(tuple(zip(names, types, strict=True)), values), shape)


@archive.command()
@_folder
@_json
def verify(*, folder: Path, as_json: bool) -> int:
    """
    Check the pieces in FOLDER: bytes by SHA-256, then rows by count and checksum. Needs no store.

    Exit code 1 when anything is wrong.
    """
    from activitylog.store.archive import verify as check

    damaged = 0
    for checked in check(folder):
        damaged += bool(checked.problems)
        if as_json:
            known = asdict(checked)
            print_json({"piece": known.pop("name"), **known})
        else:
            _show_checked(checked)
        sys.stdout.flush()
    return FAILED if damaged else 0


def _show_checked(checked: Checked) -> None:
    if not checked.problems:
        sys.stdout.write(f"{visible(checked.name)} ok: {checked.rows:,} rows, {checked.bytes:,} bytes\n")
    for problem in checked.problems:
        sys.stdout.write(f"{visible(checked.name)} damaged: {visible(problem)}\n")


@archive.command()
@_folder
@url_option
@click.option("--partition", "partitions", multiple=True, metavar="ID", help="Only this one; may be repeated.")
@click.option("--into", default=EVENTS_TABLE, metavar="TABLE", help="Another table, beside; made if need be.")
@_take_over
@_json
def restore(
    *,
    folder: Path,
    url: str | None,
    partitions: tuple[str, ...],
    into: str,
    take_over: bool,
    as_json: bool,
) -> None:
    """
    Bring the pieces in FOLDER back into the table.

    Each is checked, loaded into a table beside, compared, and moved in as a whole. Roll-ups have kept counting
    these events and are not touched. What is in the table already is refused. The archive stays.
    """
    from activitylog.store import archive as archives

    chosen = archives.choose(archives.archives(folder), partitions, folder)
    store = existing_store(url)
    client = open_store(store)
    try:
        if not as_json:
            note_store(store)
        total = sum(piece.manifest.rows for piece in chosen)
        with progress("restoring", total) as tell:
            before = 0
            for piece in chosen:
                done = archives.restore(
                    client, piece, into=into, take_over=take_over, progress=_from(before, piece.name, tell)
                )
                before += done.rows
                if as_json:
                    print_json(asdict(done))
                else:
                    sys.stdout.write(
                        f"{visible(done.piece)} restored: {done.rows:,} rows into {visible(done.table)}\n"
                    )
        _note_erasures(client, chosen)
    finally:
        client.close()


def _note_erasures(client: Client, pieces: Sequence[Archive]) -> None:
    """An archive that was out of reach of an erasure brings back what was erased."""
    from activitylog.store.subjects.record import finished_since

    oldest = min((datetime.fromisoformat(piece.manifest.made_at) for piece in pieces), default=None)
    later = finished_since(client, oldest) if oldest else 0
    if later:
        click.echo(
            f"note: erasures finished since these archives were made: {later}. Where an archive was out of reach "
            "then, what was erased is back: run those erasures again.",
            err=True,
        )


def _from(before: int, name: str, tell: Any) -> Any:
    return lambda rows: tell(before + rows, name)


@archive.command()
@_folder
@click.argument("statement")
@click.option("--partition", "partitions", multiple=True, metavar="ID", help="Only this one; may be repeated.")
@click.option("-p", "--param", "parameters", multiple=True, metavar="NAME=VALUE", help="Value of {NAME:Type}.")
@shape_options
def query(
    *,
    folder: Path,
    statement: str,
    partitions: tuple[str, ...],
    parameters: tuple[str, ...],
    shape: Shape,
) -> None:
    """
    Ask the files in FOLDER, where they are; STATEMENT is a SELECT or the name of a question. Needs no store.

    The table is called archive, and activity_events, with the columns of the table of events, those of
    OpenTelemetry (Body, LogAttributes, ...) included. A limit on Timestamp opens only the files that it needs.
    """
    from activitylog.queries import questions
    from activitylog.store.archive import open_archives

    text = statement_text(sys.stdin.read() if statement == "-" else statement)
    asked = questions().get(text)
    values: dict[str, Any] = pairs(parameters)
    if asked is not None:
        values = asked.values(values)
    else:
        refuse_what_writes(text)
    client: Client = open_archives(folder, partitions=partitions)
    try:
        if asked is not None:
            show(client, asked, values, shape)
        else:
            print_answer(select(client, text, values), shape)
    finally:
        client.close()


def _rows(columns: Sequence[tuple[str, str]], values: Sequence[Sequence[Any]]) -> Rows:
    return Rows(tuple(Column(name, type_) for name, type_ in columns), iter(values))
