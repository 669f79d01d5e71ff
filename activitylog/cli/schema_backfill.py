"""``activitylog schema backfill``: rows that the roll-ups lack."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterable
from dataclasses import asdict

import click

from activitylog.cli.claims import patience
from activitylog.cli.errors import FAILED
from activitylog.cli.store_option import existing_store, note_store, open_store, url_option
from activitylog.cli.tables import print_json
from activitylog.cli.visible import visible
from activitylog.store import Missing
from activitylog.store import backfill as insert_missing
from activitylog.store import missing as find_missing

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@url_option
@click.option("--since", type=_DAY, help="Leave out earlier days.")
@click.option(
    "--day",
    "days",
    type=_DAY,
    multiple=True,
    help="Make this day agree in every sum, and even where a roll-up counts more than there is.",
)
@click.option("--dry-run", is_flag=True, help="List what is missing, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def backfill(
    *, url: str | None, since: dt.datetime | None, days: tuple[dt.datetime, ...], dry_run: bool, as_json: bool
) -> int:
    """
    Give the roll-ups the rows that they lack.

    They lack rows that were there before their view was made (`schema apply` fills those) and batches on which a
    view failed. What is missing is inserted; nothing is rewritten, and running it twice is harmless. Days whose
    rows expired, were archived or erased keep their counts, unless they are named with --day. One process at a
    time repairs; what a killed one has begun is finished. Exit code 1 when a day does not agree yet, because
    others insert into it.

    \b
        activitylog schema backfill --dry-run
        activitylog schema backfill --day 2026-05-01
    """
    store = existing_store(url)
    client = open_store(store)
    first = since.date() if since else None
    repaired: list[Missing] = []
    try:
        if dry_run:
            repaired = find_missing(client, since=first)
            unsettled: list[Missing] = []
        else:
            exactly = {day.date() for day in days}
            unsettled = insert_missing(
                client,
                since=first,
                exactly=exactly,
                repaired=repaired.append,
                left=_print_left,
                patience=patience(),
            )
    finally:
        client.close()
    if as_json:
        print_json({"url": str(store.url), "missing": _objects(repaired), "unsettled": _objects(unsettled)})
    else:
        note_store(store)
        _print(repaired, unsettled, dry_run=dry_run)
    return FAILED if unsettled else 0


def _objects(days: Iterable[Missing]) -> list[dict[str, object]]:
    return [asdict(day) for day in days]


def _print_left(day: Missing) -> None:
    click.echo(
        f"left as it is: {day}, perhaps some of them twice; its repair was cut off, and rows have left it since",
        err=True,
    )


def _print(repaired: list[Missing], unsettled: list[Missing], *, dry_run: bool) -> None:
    for day in repaired:
        sys.stdout.write(f"{visible(str(day))}\n")
    if not repaired:
        sys.stdout.write("nothing is missing\n")
    elif not dry_run:
        sys.stdout.write(f"repaired: {len(repaired) - len(unsettled):,} of {len(repaired):,}\n")
    for day in unsettled:
        click.echo(visible(f"does not agree yet: {day.target} of {day.day}; run this again"), err=True)
