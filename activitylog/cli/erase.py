"""``activitylog erase``: what would go, the erasure, the proof, and the record."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from activitylog.cli.errors import EXIT_CODES, FAILED, PARTLY
from activitylog.cli.progress import progress
from activitylog.cli.rows import Column, Rows
from activitylog.cli.store_option import Store, existing_store, note_store, open_store, url_option
from activitylog.cli.subject_options import subject_options
from activitylog.cli.tables import number, print_json, print_rows
from activitylog.cli.visible import visible
from activitylog.store.subjects.archives import ArchiveFound
from activitylog.store.subjects.erase import erase as erase_subject
from activitylog.store.subjects.mentions import MENTIONS_MODES, MentionsMode
from activitylog.store.subjects.plan import Plan, plan
from activitylog.store.subjects.proof import Proof, prove
from activitylog.store.subjects.record import Erasure, check_reason, erasures
from activitylog.store.subjects.subject import Subject, subject

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_EPILOG: Final = f"""\b
Examples:
  activitylog erase --actor user:42
  activitylog erase --actor user:42 --yes --reason "request 2026-117"
  activitylog erase --actor user:42 --archive /archives/activity --mentions erase --yes
  activitylog erase --actor user:42 --verify
  activitylog erase --list

{EXIT_CODES} The code is 3 when something that may name the subject was out of reach or is
still on disk, and 1 when its own rows are still there. What no command here can reach: backups, spools and queues
of processes and Collectors (run it again after they are empty), the server's logs.
"""
_MOST_PARTITIONS: Final = 24


@click.command(short_help="Erase a person, an object or a tenant, and prove it.", epilog=_EPILOG)
@url_option
@subject_options
@click.option(
    "--archive",
    "archives",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="A folder of archives. Those that the database has a record of are looked at anyway.",
)
@click.option(
    "--mentions",
    "mode",
    type=click.Choice(MENTIONS_MODES),
    default="keep",
    show_default=True,
    help="Rows of others that mention the subject: keep them; erase those that name it by type and id (as object, "
    "target, on whose behalf, one of many objects); text: also those with its id as a word in a text.",
)
@click.option("--reason", default="", metavar="TEXT", help="Kept in the record; must not name the subject.")
@click.option("--yes", is_flag=True, help="Erase. Without it the command only shows what would go.")
@click.option("--verify", is_flag=True, help="Look whether anything is left; change nothing.")
@click.option("--list", "list_", is_flag=True, help="List the erasures that were done.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document; with --list one a line.")
def erase(
    *,
    url: str | None,
    actor: str | None,
    object_: str | None,
    tenant: str | None,
    archives: tuple[Path, ...],
    mode: MentionsMode,
    reason: str,
    yes: bool,
    verify: bool,
    list_: bool,
    as_json: bool,
) -> int:
    """
    Show what an actor, an object or a tenant has in the store and its archives, and with --yes erase it.

    Parts of the tables are written anew without the rows; the roll-up by actor and day loses them, too. What was
    counted by the hour stays: it holds no person. Afterwards it is looked for what is left, and a record of the
    erasure is kept that does not say whose it was. An interrupted erasure is completed by running it again.
    """
    if list_ + verify + yes > 1:
        raise click.UsageError("Only one of --yes, --verify and --list can be given.", click.get_current_context())
    whom = None if list_ else subject(actor=actor, object_=object_, tenant=tenant)
    if whom is not None:
        check_reason(reason, whom)
    store = existing_store(url)
    client = open_store(store)
    try:
        if not as_json:
            note_store(store)
        if whom is None:
            return _list(client, as_json=as_json)
        work = _Work(client, store, whom, mode, archives, as_json)
        if verify:
            return work.verify()
        return work.erase(reason) if yes else work.show()
    finally:
        client.close()


@dataclass(frozen=True, slots=True)
class _Work:
    """What was asked for."""

    client: Client
    store: Store
    subject: Subject
    mode: MentionsMode
    archives: tuple[Path, ...]
    as_json: bool

    def show(self) -> int:
        """What would go."""
        planned = plan(self.client, self.subject, mode=self.mode, archives=self.archives)
        if self.as_json:
            print_json({"subject": asdict(self.subject), "plan": _plan_json(planned)})
            return 0
        _print_plan(planned)
        click.echo("nothing was changed; --yes erases these rows" if not planned.is_empty else "", err=True)
        return 0

    def erase(self, reason: str) -> int:
        """Erase, then look what is left."""
        with progress("erasing", None) as show:
            record = erase_subject(
                self.client,
                self.subject,
                mode=self.mode,
                archives=self.archives,
                reason=reason,
                progress=lambda table, parts: show(0, f"{table}: {parts:,} parts to write"),
            )
        found = self._prove()
        if self.as_json:
            erasure = _erasure_json(record) if record else None
            print_json({"subject": asdict(self.subject), "erasure": erasure, "proof": _proof_json(found)})
            return _code(found)
        sys.stdout.write(visible(_said(record)) + "\n")
        return _print_proof(found, self.subject)

    def verify(self) -> int:
        """Look what is left."""
        found = self._prove()
        if self.as_json:
            print_json({"subject": asdict(self.subject), "proof": _proof_json(found)})
            return _code(found)
        return _print_proof(found, self.subject)

    def _prove(self) -> Proof:
        return prove(self.client, self.subject, mode=self.mode, archives=self.archives, folder=self.store.folder)


def _list(client: Client, *, as_json: bool) -> int:
    found = erasures(client)
    if as_json:
        for erasure in found:
            print_json(_erasure_json(erasure))
        return 0
    _print(
        "erasures",
        {"begun": "DateTime", "finished": "DateTime", "kind": "String", "mentions": "String", "rows": "UInt64",
         "archived_rows": "UInt64", "reason": "String", "id": "String"},
        [
            (
                _iso(one.begun_at), _iso(one.finished_at), one.kind, one.mentions, sum(one.table_rows.values()),
                one.archive_rows, one.reason, str(one.id),
            )
            for one in found
        ],
    )  # fmt: skip
    return 0


def _said(record: Erasure | None) -> str:
    if record is None:
        return "There was nothing to erase."
    rows = ", ".join(f"{number(rows)} rows of {table}" for table, rows in record.table_rows.items())
    archived = f", {number(record.archive_rows)} rows of {number(record.archive_files)} archived files"
    return f"erased {rows}{archived if record.archive_files else ''} (record {record.id})"


def _print_plan(planned: Plan) -> None:
    whom = planned.subject
    within = f" in the tenant {whom.tenant!r}" if whom.tenant is not None else ""
    sys.stdout.write(visible(f"{whom.kind} {whom.name}{within}") + "\n")
    _print_tables(planned)
    _print_partitions(planned)
    _print_archives(planned.archives)
    _print(
        "rows of others that mention it",
        {"how": "String", "place": "String", "rows": "UInt64", "then": "String"},
        [(one.how, one.place, one.rows, "goes" if one.goes else "stays") for one in planned.mentions],
    )
    for type_, rows in planned.types:
        _note(f"the id has {number(rows)} rows as {type_ or 'no type'!s}, too: another {whom.kind}, or the same?")
    for path in planned.missing:
        _note(f"the archive {path} is recorded and not on this machine")


def _print_tables(planned: Plan) -> None:
    rows = []
    for table in planned.tables:
        parts = [part for part in planned.found if part.table == table]
        first = min((part.first for part in parts), default=None)
        last = max((part.last for part in parts), default=None)
        hidden = sum(part.hidden for part in parts)
        rows.append((table, planned.table_rows[table], hidden, len(parts), first, last))
    columns = {"table": "String", "rows": "UInt64", "hidden": "UInt64", "partitions": "UInt64"}
    _print("would go", columns | {"first": "DateTime", "last": "DateTime"}, rows)
    if any(row[2] for row in rows):
        _note("hidden rows: a lightweight DELETE has marked them; no question sees them, the disk holds them")


def _print_partitions(planned: Plan) -> None:
    columns = {"table": "String", "partition": "String", "rows": "UInt64", "first": "DateTime", "last": "DateTime"}
    rows = [(one.table, one.partition, one.rows, one.first, one.last) for one in planned.found]
    _print("by partition", columns, rows[:_MOST_PARTITIONS])
    if len(rows) > _MOST_PARTITIONS:
        _note(f"and {number(len(rows) - _MOST_PARTITIONS)} more; --json gives all")


def _print_archives(found: Iterable[ArchiveFound]) -> None:
    columns = {"archive": "String", "files": "UInt64", "rows": "UInt64", "mentions": "UInt64", "strays": "UInt64"}
    rows = [(str(one.path), one.files, one.rows, one.mentions, one.strays) for one in found]
    _print("in archives", columns, rows)


def _print_proof(found: Proof, whom: Subject) -> int:
    rows = ", ".join(f"{number(rows)} in {table}" for table, rows in found.rows.items())
    archived = sum(one.rows for one in found.archives)
    sys.stdout.write(f"left: {rows}, {number(archived)} in archives\n")
    for line in _left_over(found):
        _note(line)
    if found.mentions:
        kept = ", ".join(f"{number(one.rows)} {one.how} {one.place}" for one in found.mentions)
        _note(f"rows of others that mention it: {kept}")
    if found.gone:
        sys.stdout.write(f"the {whom.kind} is gone from the tables and archives that were reached\n")
    return _code(found)


def _left_over(found: Proof) -> Iterable[str]:
    """What may still name the subject, in words."""
    for pending in found.pending:
        yield f"not finished: mutation {pending}"
    for one in found.inactive:
        until = datetime.fromtimestamp(one.until, UTC).strftime("%H:%M:%S")
        where = f"{one.table} on {one.server}" if one.server else one.table
        yield f"{where}: {number(one.parts)} old parts ({number(one.bytes)} bytes) until about {until} UTC"
    if found.detached:
        yield f"{number(found.detached)} detached parts, which nobody looks into: system.detached_parts"
    for mutation in found.mutations:
        yield f"named in the text of the mutation {mutation}, which is kept until 100 newer ones are finished"
    if found.logged:
        yield f"named in {number(found.logged)} statements of system.query_log: delete them there"
    for file in found.files or ():
        yield f"named in the file {file}"
    for piece in found.archives:
        if piece.strays:
            yield f"{piece.path} has {number(piece.strays)} files of no archive, which a killed process left"
    for table, rows in found.beside.items():
        yield f"{number(rows)} rows in the table {table}, which is left alone: drop it, or delete them there"
    for path in found.missing:
        yield (
            f"the archive {path} is recorded and not on this machine, or not all of it: run this where it is, "
            "with --archive"
        )


def _code(found: Proof) -> int:
    left = any(found.rows.values()) or any(one.rows for one in found.archives) or found.pending
    if left:
        return FAILED
    return 0 if found.complete else PARTLY


def _print(title: str, columns: dict[str, str], rows: Sequence[Sequence[Any]]) -> None:
    """A table, if there are rows."""
    if rows:
        print_rows(Rows(tuple(Column(name, type_) for name, type_ in columns.items()), iter(rows)), title=title)


def _note(text: str) -> None:
    sys.stdout.write(f"  {visible(text)}\n")


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" if moment else None


def _erasure_json(one: Erasure) -> dict[str, Any]:
    return asdict(one) | {"begun_at": _iso(one.begun_at), "finished_at": _iso(one.finished_at)}


def _plan_json(planned: Plan) -> dict[str, Any]:
    document = asdict(planned) | {"tables": planned.table_rows}
    del document["subject"]
    return document


def _proof_json(found: Proof) -> dict[str, Any]:
    return asdict(found) | {"gone": found.gone, "complete": found.complete}
