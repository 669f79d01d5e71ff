"""``activitylog catalogue``: which events there are, what they mean, and whether that is still so."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from activitylog.cli.catalogue_check import check
from activitylog.cli.catalogue_sources import Gathered, Wanted, gather, sources_options
from activitylog.cli.catalogue_update import update
from activitylog.cli.errors import EXIT_CODES
from activitylog.cli.visible import ascii_json, visible
from activitylog.exceptions import QueryError

if TYPE_CHECKING:
    from activitylog.catalogue import Catalogue

_EXAMPLES: Final = f"""\b
Examples:
  activitylog catalogue                                   what the store has
  activitylog catalogue --import myapp.events             and what classes declare
  activitylog catalogue --event 'message.*'               all that is known of these
  activitylog catalogue update catalogue.json             the file for your repository
  activitylog catalogue --from catalogue.json --markdown > CATALOGUE.md
  activitylog catalogue check catalogue.json              in CI: what differs from it

{EXIT_CODES}
"""


@click.group(
    invoke_without_command=True,
    short_help="List the events there are; check them against a file.",
    epilog=_EXAMPLES,
)
@sources_options
@click.option("--from", "file", metavar="FILE", help="Show the catalogue in this file instead.")
@click.option("--event", "globs", multiple=True, metavar="GLOB", help="All that is known of names that match.")
@click.option("--json", "as_json", is_flag=True, help="The catalogue as a JSON document.")
@click.option("--markdown", "as_markdown", is_flag=True, help="The catalogue as Markdown.")
@click.option("--figures", is_flag=True, help="Volumes, times and shares in JSON and Markdown, too.")
@click.pass_context
def catalogue(
    context: click.Context,
    /,
    *,
    wanted: Wanted,
    file: str | None,
    globs: tuple[str, ...],
    as_json: bool,
    as_markdown: bool,
    figures: bool,
) -> None:
    """
    List the events that classes declare and those that a store has: versions, volumes, attributes and their types,
    owners, documentation.

    Volumes are of all time, from the hourly roll-up, weighted where events were sampled. Attributes are those of
    about a thousand rows an event, of the newest --days (of a rare event also of older ones). An attribute without
    a class has the type that its texts can be read as.

    JSON and Markdown are sorted and without figures, to be kept in a repository; `update` makes such a file and
    keeps what people have written into it, `check` compares.
    """
    if context.invoked_subcommand is not None:
        _check_nothing_given(context)
        return
    if as_json and as_markdown:
        raise click.UsageError("Only one of --json and --markdown can be given.", context)
    if figures and not (as_json or as_markdown):
        raise click.UsageError("--figures goes with --json or --markdown.", context)
    found, gathered = _found(context, wanted, file, globs)
    if as_json:
        from activitylog.catalogue import dumps

        text = dumps(found, figures=figures)
        sys.stdout.write(ascii_json(text) if sys.stdout.isatty() else text)
    elif as_markdown:
        from activitylog.catalogue import markdown

        sys.stdout.write(markdown(found, figures=figures))
    else:
        _print(found, gathered, wanted, details=bool(globs))


catalogue.add_command(check)
catalogue.add_command(update)


def _check_nothing_given(context: click.Context) -> None:
    given = [
        parameter
        for parameter in context.command.params
        if context.get_parameter_source(str(parameter.name)) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        option = given[0].opts[0]
        raise click.UsageError(f"{option} belongs behind {context.invoked_subcommand!r}.", context)


def _found(
    context: click.Context, wanted: Wanted, file: str | None, globs: tuple[str, ...]
) -> tuple[Catalogue, Gathered | None]:
    from activitylog.catalogue import Catalogue, load

    matches = _matches(globs)
    if file is not None:
        if wanted.modules or wanted.url is not None or wanted.no_store:
            raise click.UsageError("--from FILE is instead of classes and a store.", context)
        found, gathered = load(file), None
    else:
        gathered = gather(wanted, names=matches)
        _warn(gathered)
        found = gathered.catalogue()
    if matches is not None:
        found = Catalogue(tuple(entry for entry in found.entries if matches(entry.name)))
        if not found.entries:
            raise QueryError(
                f"No event matches {', '.join(globs)}.", hint="`activitylog catalogue` lists the events there are."
            )
    return found, gathered


def _matches(globs: tuple[str, ...]) -> Callable[[str], bool] | None:
    from activitylog.rules.globs import name_test

    return name_test(globs) if globs else None


def _warn(gathered: Gathered) -> None:
    for conflict in gathered.declared.conflicts if gathered.declared else ():
        click.secho(f"warning: {visible(str(conflict))}; the first one is shown", err=True, fg="yellow")


def _print(found: Catalogue, gathered: Gathered | None, wanted: Wanted, *, details: bool) -> None:
    from activitylog.cli.catalogue_tables import print_details, print_events

    if not found.entries:
        sys.stdout.write("There are no events.\n")
        return
    if details:
        print_details(found.entries)
    else:
        print_events(found)
    if gathered is not None:
        for line in (*_notes(gathered), *_next(found, wanted, details=details)):
            click.secho(visible(line), err=True, dim=True)


def _notes(gathered: Gathered) -> list[str]:
    """What was looked at."""
    sightings = gathered.sightings
    if sightings is None:
        return [f"classes only: {gathered.no_store}"]
    lines = [
        f"attributes: of {sightings.sampled_rows:,} rows from {sightings.since:%Y-%m-%d %H:%M} to "
        f"{sightings.until:%Y-%m-%d %H:%M} (--days), and of rare events older ones",
        "volumes: of a name, whatever the version, in all hours of the roll-up",
    ]
    if sightings.unnamed_rows:
        lines.append(f"{sightings.unnamed_rows:,} rows have no name (`activitylog doctor`)")
    return lines


def _next(found: Catalogue, wanted: Wanted, *, details: bool) -> list[str]:
    """What to type next."""
    name = found.entries[0].name
    return [
        *([] if details else [f"all about one: activitylog catalogue{wanted.options} --event {name}"]),
        f"as a file to keep in your repository: activitylog catalogue update catalogue.json{wanted.options}",
    ]
