"""``activitylog catalogue update``: the file, brought up to date, with what people have written into it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from activitylog.cli.catalogue_sources import Gathered, Wanted, gather, sources_options
from activitylog.cli.errors import EXIT_CODES
from activitylog.cli.tables import print_json
from activitylog.cli.visible import visible
from activitylog.exceptions import ActivityLogError, ConfigurationError

if TYPE_CHECKING:
    from activitylog.catalogue import Catalogue

_EXAMPLES: Final = f"""\b
Examples:
  activitylog catalogue update catalogue.json
  activitylog catalogue update catalogue.json --import myapp.events
  activitylog catalogue update catalogue.json --dry-run
  activitylog catalogue update catalogue.json --prune --days 90

{EXIT_CODES}
"""
_SHOWN: Final = 20


@click.command(short_help="Make the file, or bring it up to date.", epilog=_EXAMPLES)
@click.argument("file")
@sources_options
@click.option("--prune", is_flag=True, help="Forget what neither classes nor the newest --days of the store have.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="What changed, as one JSON document.")
def update(*, file: str, wanted: Wanted, prune: bool, dry_run: bool, as_json: bool) -> None:
    """
    Write the events that classes declare and those that the store has into FILE, a catalogue in JSON.

    What people have written into it stays: documentation, owners, a type or `required` where no class says
    otherwise. So do events and attributes that are not seen this time, unless --prune is given. A type becomes
    wider where values do not fit it. Without --import, what the file knows of classes stays as it is.
    """
    from activitylog.catalogue import Catalogue, dumps, load, save
    from activitylog.catalogue import update as updated

    path = Path(file)
    before = load(path) if path.exists() else Catalogue()
    gathered = gather(wanted, older=not prune, quiet=as_json)
    _refuse_conflicts(gathered)
    after = updated(before, gathered.catalogue(only_recent=prune), gathered.sources, prune=prune)
    if not after.entries and not before.entries:
        raise ConfigurationError(
            "There are no events: nothing was written.", hint="`activitylog demo` makes some; see also --import."
        )
    is_new = not path.exists()
    changed = is_new or dumps(before) != dumps(after)
    if changed and not dry_run:
        try:
            save(after, path)
        except OSError as error:
            raise ActivityLogError(f"{file} cannot be written: {error.strerror}.") from error
    _report(file, _changes(before, after), wanted, dry_run=dry_run, is_new=is_new, as_json=as_json)


def _refuse_conflicts(gathered: Gathered) -> None:
    conflicts = gathered.declared.conflicts if gathered.declared else ()
    if conflicts:
        raise ConfigurationError(
            f"{conflicts[0]}. Nothing was written.",
            hint="Give one of them another name, or another version: @activitylog.event(name, version=...).",
        )


def _changes(before: Catalogue, after: Catalogue) -> dict[str, list[str]]:
    """Titles of events, by what became of them."""
    from activitylog.catalogue import Catalogue, dumps

    old = {entry.key: entry for entry in before.entries}
    new = {entry.key: entry for entry in after.entries}
    text = {key: dumps(Catalogue((entry,))) for key, entry in old.items()}
    return {
        "new": [entry.title for key, entry in new.items() if key not in old],
        "changed": [
            entry.title for key, entry in new.items() if key in old and text[key] != dumps(Catalogue((entry,)))
        ],
        "forgotten": [entry.title for key, entry in old.items() if key not in new],
    }


def _report(
    file: str, changes: dict[str, list[str]], wanted: Wanted, *, dry_run: bool, is_new: bool, as_json: bool
) -> None:
    if as_json:
        print_json({"file": file, "written": not dry_run and (is_new or any(changes.values())), **changes})
        return
    counts = ", ".join(f"{len(titles)} {what}" for what, titles in changes.items() if titles)
    sys.stdout.write(
        f"{visible(file)}: {counts or 'nothing has changed'}{' (nothing was written)' if dry_run else ''}\n"
    )
    for what, titles in changes.items():
        _print_titles(what, titles)
    if is_new and not dry_run:
        for line in (
            "Fill in doc and owner where they are empty, and commit it. In CI:",
            f"  activitylog catalogue check {file}{wanted.options}",
        ):
            click.secho(visible(line), err=True, dim=True)


def _print_titles(what: str, titles: Sequence[str]) -> None:
    for title in titles[:_SHOWN]:
        sys.stdout.write(f"  {what:<9}  {visible(title)}\n")
    if len(titles) > _SHOWN:
        sys.stdout.write(f"  {what:<9}  and {len(titles) - _SHOWN} more; --json names all\n")
