"""``activitylog query``: the named questions."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from activitylog.cli.answer import Chart, Shape, print_answer, shape_options
from activitylog.cli.errors import EXIT_CODES
from activitylog.cli.rows import select
from activitylog.cli.sql import pairs
from activitylog.cli.store_option import existing_store, note_store, open_store, url_option
from activitylog.cli.tables import fitted, print_json, print_title, terminal_width
from activitylog.cli.visible import visible, visible_lines
from activitylog.exceptions import QueryError, StoreError, StoreUnavailableError
from activitylog.queries import GROUPS, Question, client_command, estimate, find, questions, search

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Meanings of parameters that bound the time: "without since: this many days up to the newest event".
_RANGE: Final = re.compile(
    r"(?:^without (?:an? )?(?P<other>\w+): .*?)?\bthis many (?P<unit>[a-z ]+?) up to "
    r"(?P<end>the [a-z ]*newest\b( event| session)?)"
)
_EPILOG: Final = f"""\b
Examples:
  activitylog query                                  the questions there are
  activitylog query --search "who was denied"        those that answer this
  activitylog query top-actors --days 7
  activitylog query actor-timeline --actor 42 --json
  activitylog query events-by-hour --plot
  activitylog query retention --explain > mine.sql   a beginning for your own

{EXIT_CODES}
"""


@click.command(
    short_help="Ask a named question.",
    epilog=_EPILOG,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("name", required=False)
@url_option
@click.option(
    "-p", "--param", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter; --NAME VALUE too."
)
@click.option("--search", "words", metavar="WORDS", help="List the questions that answer what these words ask.")
@click.option("--explain", is_flag=True, help="Print meaning, cost and SQL, with what this store would read.")
@click.option("--plot", is_flag=True, help="Draw a series, a ranking or a heat map.")
@shape_options
@click.pass_context
def query(
    context: click.Context,
    /,
    *,
    name: str | None,
    url: str | None,
    parameters: tuple[str, ...],
    words: str | None,
    explain: bool,
    plot: bool,
    shape: Shape,
) -> None:
    """
    Ask the question NAME, or the one that begins so; without NAME list the questions there are.

    Each question has parameters with defaults, given as --NAME VALUE; --explain says what they mean. Its SQL is
    a beginning for one's own: `activitylog sql`.
    """
    given = {**pairs(parameters), **_named(context.args)}
    if plot and shape is not Shape.TABLE:
        raise click.UsageError("Only one of --plot, --json and --csv can be given.", context)
    if name is None or words is not None:
        if given or (name is not None and words is not None):
            raise QueryError(
                "There is more than a list of questions needs.", hint="`activitylog query` lists the questions."
            )
        _list(questions().values() if words is None else _found(words), shape, grouped=words is None)
        return
    asked = find(name)
    values = asked.values(given)
    if plot and asked.kind == "table":
        raise QueryError(f"{asked.name!r} answers with a table, not with a chart.", hint="Leave out --plot.")
    if explain:
        _explain(asked, given, url, shape)
        return
    store = existing_store(url)
    client = open_store(store)
    try:
        if shape is Shape.TABLE:
            note_store(store)
            _note_range(asked, values, given)
        show(client, asked, values, Shape.PLOT if plot else shape)
    finally:
        client.close()


def _named(words: Sequence[str]) -> dict[str, str]:
    """``--actor 42`` and ``--actor=42``, which click leaves over."""
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("--"):
            raise QueryError(f"{word!r} is one word too many.", hint="A parameter is given as --NAME VALUE.")
        name, equals, value = word.removeprefix("--").partition("=")
        if not equals and (value := next(rest, "")) == "":
            raise QueryError(f"--{name} has no value.", hint=f"Write --{name} VALUE.")
        found[name.replace("-", "_")] = value
    return found


def _found(words: str) -> list[Question]:
    found = search(words)
    if not found:
        raise QueryError(f"No question answers {words!r}.", hint="`activitylog query` lists the questions.")
    return found[:5]


def _list(listed: Iterable[Question], shape: Shape, *, grouped: bool) -> None:
    """The questions, a line each; by group, or in the order given."""
    listed = list(listed)
    if shape is Shape.JSON:
        for asked in listed:
            print_json(asdict(asked))
        return
    if shape is Shape.CSV:
        raise QueryError("The list of questions is no table.", hint="Use --json.")
    width = terminal_width(sys.stdout) or 10_000
    longest = max(len(asked.name) for asked in listed)
    for group, about in GROUPS.items() if grouped else (("", ""),):
        if group:
            print_title(f"{group}: {about}")
        for asked in listed:
            if not group or asked.group == group:
                line = f"  {asked.name:<{longest}}  {_first_sentence(asked.answers)}"
                sys.stdout.write(fitted(line, width) + "\n")
    click.echo(f"Parameters, meaning and cost of one: activitylog query {listed[0].name} --explain", err=True)


def _first_sentence(text: str) -> str:
    end = text.find("? ")
    return text if end < 0 else text[: end + 1]


def _explain(asked: Question, given: Mapping[str, str], url: str | None, shape: Shape) -> None:
    """The file, and as comments behind it how else to ask, and what this store would read; all of it is SQL."""
    command = client_command(asked, given)
    reads = _reads(asked, given, url)
    if shape is Shape.JSON:
        print_json({**asdict(asked), "command": command, "reads": reads})
        return
    sys.stdout.write(f"{visible_lines(asked.sql.strip())}\n\n-- {visible(command)}\n")
    for table in reads or ():
        sys.stdout.write(
            f"-- would read {table['rows']:,} rows in {table['parts']:,} parts of {visible(table['table'])}\n"
        )
    if reads == []:
        sys.stdout.write("-- would read nothing but a few values\n")


def _reads(asked: Question, given: Mapping[str, str], url: str | None) -> list[dict[str, Any]] | None:
    """What the store would read, by table; None where there is no store that can say."""
    from clickhouse_connect.driver.exceptions import DatabaseError

    try:
        store = existing_store(url)
        client = open_store(store)
    except (StoreUnavailableError, StoreError):
        if url is not None:
            raise
        return None
    try:
        return [asdict(one) for one in estimate(client, asked, given)]
    except DatabaseError as error:
        click.secho(f"no estimate: {visible(str(error).splitlines()[0][:200])}", err=True, dim=True)
        return None
    finally:
        client.close()


def _note_range(asked: Question, values: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Name on standard error the range that a parameter's default, or its value, leaves of all times."""
    for parameter in asked.parameters:
        found = _RANGE.search(parameter.meaning)
        if found is None or given.get(found["other"] or ""):
            continue
        count, unit, other = values[parameter.name], found["unit"], found["other"]
        how = f"--{parameter.name}, --{other}" if other else f"--{parameter.name}"
        length = f"{count:,} {unit.removesuffix('s') if count == 1 else unit}"
        click.secho(visible(f"range: {length} up to {found['end']} ({how})"), err=True, dim=True)
        return


def show(
    client: Client,
    asked: Question,
    given: Mapping[str, Any],
    shape: Shape = Shape.TABLE,
    *,
    only: Sequence[str] = (),
) -> None:
    """
    Ask a question and print its answer.

    Args:
        client: of the store.
        asked: the question.
        given: its parameters.
        shape: for people or for machines.
        only: the columns that are shown; all by default.

    Raises:
        QueryError: a parameter that it does not have, or a value that cannot be one.
    """
    rows = select(client, asked.sql, asked.values(given))
    print_answer(rows.only(only) if only else rows, shape, title=asked.title, chart=chart_of(asked))


def chart_of(asked: Question) -> Chart | None:
    """How the answer is drawn; None for a plain table."""
    return None if asked.kind == "table" else Chart(asked.x, asked.y, series=asked.kind == "series", z=asked.z)
