"""``activitylog query``: the named questions."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from activitylog.cli.answer import Chart, Shape, print_answer, shape_options
from activitylog.cli.errors import EXIT_CODES
from activitylog.cli.rows import select
from activitylog.cli.sql import pairs
from activitylog.cli.store_option import existing_store, note_store, open_store, url_option
from activitylog.cli.tables import fitted, print_json, terminal_width
from activitylog.exceptions import QueryError
from activitylog.queries import Question, question, questions

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_EPILOG: Final = f"""\b
Examples:
  activitylog query
  activitylog query top-actors
  activitylog query actor-timeline --actor 42 --json
  activitylog query actor-timeline --explain

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
@click.option("--explain", is_flag=True, help="Print the question's SQL and ask nothing.")
@shape_options
@click.pass_context
def query(
    context: click.Context,
    /,
    *,
    name: str | None,
    url: str | None,
    parameters: tuple[str, ...],
    explain: bool,
    shape: Shape,
) -> None:
    """
    Ask the question NAME; without NAME list the questions there are.

    Each question has parameters with defaults, given as --NAME VALUE. The SQL of a question (--explain) is a
    beginning for one's own: `activitylog sql`.
    """
    given = {**pairs(parameters), **_named(context.args)}
    if name is None:
        _list(shape, given)
        return
    asked = question(name)
    values = asked.values(given)
    if explain:
        sys.stdout.write(asked.sql.strip() + "\n")
        return
    store = existing_store(url)
    client = open_store(store)
    try:
        if shape is Shape.TABLE:
            note_store(store)
        show(client, asked, values, shape)
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


def _list(shape: Shape, given: Mapping[str, str]) -> None:
    """The questions there are."""
    if given:
        raise QueryError("There are parameters and no question.", hint="`activitylog query` lists the questions.")
    if shape is Shape.JSON:
        for asked in questions().values():
            print_json(asdict(asked))
        return
    width = terminal_width(sys.stdout) or 10_000
    longest = max(len(name) for name in questions())
    for name, asked in questions().items():
        parameters = " ".join(f"--{parameter.name}" for parameter in asked.parameters)
        sys.stdout.write(fitted(f"{name:<{longest}}  {asked.answers}", width) + "\n")
        sys.stdout.write(fitted(f"{'':<{longest}}  {parameters}", width) + "\n")
    click.echo("What the parameters of a question mean: activitylog query NAME --explain", err=True)


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
    return None if asked.kind == "table" else Chart(asked.x, asked.y, series=asked.kind == "series")
