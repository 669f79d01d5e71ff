"""``activitylog export``: what a person may ask for."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, cast

import click

from activitylog.cli.errors import EXIT_CODES, PARTLY
from activitylog.cli.store_option import existing_store, open_store, url_option
from activitylog.cli.subject_options import subject_options
from activitylog.cli.visible import ascii_json, visible
from activitylog.exceptions import QueryError
from activitylog.store.subjects.export import Exported, Wanted, export_file
from activitylog.store.subjects.export import export as export_events
from activitylog.store.subjects.export_formats import ExportFormat
from activitylog.store.subjects.subject import subject

_EPILOG: Final = f"""\b
Examples:
  activitylog export --actor user:42 --to user-42.ndjson
  activitylog export --actor user:42 --mentions --archive /archives/activity --to user-42.ndjson
  activitylog export --actor user:42 --format parquet --to user-42.parquet
  activitylog export --object order:A-17 --since 2026-01-01 --to - | jq .EventName

{EXIT_CODES} The code is 3 when an archive that the database has a record of is not on this machine.
"""


@click.command(short_help="Write all events of a person, an object or a tenant into a file.", epilog=_EPILOG)
@url_option
@subject_options
@click.option("--since", metavar="TIME", help="From this time on (UTC): 2026-01-31 or 2026-01-31T12:00:00.")
@click.option("--until", metavar="TIME", help="Before this time (UTC).")
@click.option("--mentions", is_flag=True, help="Also events of others that name it by type and id.")
@click.option(
    "--archive",
    "archives",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="A folder of archives. Those that the database has a record of are read anyway.",
)
@click.option("--format", "form", type=click.Choice(["ndjson", "parquet"]), default="ndjson", show_default=True)
@click.option("--to", "target", required=True, metavar="FILE", help="Where to write; - is standard output.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def export(
    *,
    url: str | None,
    actor: str | None,
    object_: str | None,
    tenant: str | None,
    since: str | None,
    until: str | None,
    mentions: bool,
    archives: tuple[Path, ...],
    form: ExportFormat,
    target: str,
    force: bool,
) -> int:
    """
    Write all events of an actor, an object or a tenant, in the order of time.

    A line of NDJSON is one event, with OpenTelemetry's names. Only the owner of the file can read it; it is there
    whole or not at all. Number of events and SHA-256 of the file come on standard error. A terminal (--to -)
    gets what is not ASCII as an escape.
    """
    wanted = Wanted(
        subject=subject(actor=actor, object_=object_, tenant=tenant),
        format=form,
        about=mentions,
        since=_time("--since", since),
        until=_time("--until", until),
        archives=archives,
    )
    client = open_store(existing_store(url))
    try:
        if target == "-":
            exported = export_events(client, wanted, _standard_output(form))
            sys.stdout.buffer.flush()
        else:
            exported = export_file(client, wanted, Path(target), force=force)
    finally:
        client.close()
    return _say(exported)


def _standard_output(form: ExportFormat) -> BinaryIO:
    """Standard output; for a terminal what is not ASCII is escaped, which in JSON says the same."""
    if not sys.stdout.isatty():
        return sys.stdout.buffer
    if form != "ndjson":
        raise QueryError(f"{form} is nothing for a terminal.", hint="Name a file, or send it into a pipe.")
    return cast(BinaryIO, _AsciiLines())


class _AsciiLines:
    """Takes whole lines of JSON."""

    def write(self, line: bytes) -> int:
        sys.stdout.buffer.write(ascii_json(line.decode()).encode("ascii"))
        return len(line)

    def flush(self) -> None:
        sys.stdout.buffer.flush()


def _say(exported: Exported) -> int:
    click.echo(f"{exported.events:,} events, {exported.bytes:,} bytes, SHA-256 {exported.sha256}", err=True)
    for path in exported.missing:
        click.echo(f"not read: the archive {visible(str(path))} is recorded and not on this machine", err=True)
    return PARTLY if exported.missing else 0


def _time(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise QueryError(
            f"{option} {text!r} is no time.", hint="Write 2026-01-31 or 2026-01-31T12:00:00."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
