"""``activitylog sql``: one statement, and its rows."""

from __future__ import annotations

import re
import sys
from typing import Final

import click

from activitylog.cli.answer import Shape, print_answer, shape_options
from activitylog.cli.rows import select
from activitylog.cli.store_option import choose_store, existing_store, note_store, open_store, url_option
from activitylog.exceptions import QueryError
from activitylog.store.statement import READ_WORDS, classify

_OWN_FORMAT: Final = re.compile(r"\bFORMAT\s+\w+\s*$", re.IGNORECASE)


@click.command(short_help="Run one SQL statement.")
@click.argument("statement")
@url_option
@click.option("-p", "--param", "parameters", multiple=True, metavar="NAME=VALUE", help="Value of {NAME:Type}.")
@click.option("--write", is_flag=True, help="Allow a statement that changes something; shows no rows.")
@shape_options
def sql(*, statement: str, url: str | None, parameters: tuple[str, ...], write: bool, shape: Shape) -> None:
    """
    Run STATEMENT, or standard input (-), and show its rows.

    It only reads unless --write is given. Events are in the table activity_events:

    \b
      activitylog sql "SELECT EventName, count() FROM activity_events GROUP BY 1 ORDER BY 2 DESC"
      activitylog sql "SELECT * FROM activity_events WHERE ActorId = {who:String}" -p who=42 --json
    """
    text = statement_text(sys.stdin.read() if statement == "-" else statement)
    store = choose_store(url) if write else existing_store(url)
    client = open_store(store)
    try:
        if write:
            client.command(text, parameters=pairs(parameters))
            click.echo("done", err=True)
            return
        refuse_what_writes(text)
        rows = select(client, text, pairs(parameters))
        if shape is Shape.TABLE:
            note_store(store)
        print_answer(rows, shape)
    finally:
        client.close()


def statement_text(text: str) -> str:
    """
    One statement, without the semicolon at its end.

    Raises:
        QueryError: it is empty, or says by itself in which format it answers.
    """
    text = text.strip().rstrip(";").rstrip()
    if not text:
        raise QueryError("There is no statement.", hint='Write one, such as activitylog sql "SELECT 1".')
    if _OWN_FORMAT.search(text):
        raise QueryError("The statement has a FORMAT of its own.", hint="Leave it out; use --json or --csv.")
    return text


def refuse_what_writes(text: str) -> None:
    """
    The engine's readonly setting lets through what writes outside of tables: OUTFILE, INSERT INTO FUNCTION, KILL.

    Raises:
        QueryError: the statement is not one that only reads.
    """
    statement = classify(text.encode(), complete=True)
    if statement is None or statement.more:
        raise QueryError("There is more than one statement.", hint="Send one at a time.")
    if statement.first_word not in READ_WORDS:
        raise QueryError(
            f"A statement that reads does not begin with {statement.first_word}.",
            hint="It begins with SELECT, WITH, SHOW, DESCRIBE, EXISTS or EXPLAIN. Add --write to change anything.",
        )
    if statement.writes or statement.file_clause:
        raise QueryError(
            f"`activitylog sql` only reads, and {statement.file_clause or 'INSERT'} writes.",
            hint="Add --write to change anything.",
        )


def pairs(texts: tuple[str, ...]) -> dict[str, str]:
    """
    The values of ``-p NAME=VALUE``.

    Raises:
        QueryError: one without ``=``.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise QueryError(f"-p {text!r} has no '='.", hint="Write -p NAME=VALUE, such as -p actor=42.")
        found[name.strip()] = value
    return found
