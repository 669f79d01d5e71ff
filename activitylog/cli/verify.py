"""``activitylog verify``: is everything there, once?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from activitylog.cli.dataclass_rows import plain, rows_of
from activitylog.cli.errors import FAILED
from activitylog.cli.store_option import existing_store, note_store, open_store, url_option

if TYPE_CHECKING:
    from activitylog.queries import ProducerFound, Verification

_COLUMNS: Final = (
    "producer", "service", "rows", "first_seq", "last_seq", "missing", "counted", "removed", "unexplained",
    "repeated", "last",
)  # fmt: skip
_MOST_PRODUCERS: Final = 50
_MOST_RANGES: Final = 10
_EXAMPLES: Final = """\b
Examples:
  activitylog verify
  activitylog verify --since 2026-05-01 --until 2026-05-02
  activitylog verify --json | jq '.producers[] | select(.unexplained > 0)'
"""


class _Time(click.ParamType[datetime]):
    """A time in ISO 8601; UTC where it does not say otherwise."""

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time. Write 2026-01-31 or 2026-01-31T12:00:00.", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command(short_help="Say whether everything is there, once.", epilog=_EXAMPLES)
@url_option
@click.option("--since", type=_Time(), metavar="TIME", help="Producers and numbers from this time on (UTC).")
@click.option("--until", type=_Time(), metavar="TIME", help="And before; by default until a minute ago.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def verify(*, url: str | None, since: datetime | None, until: datetime | None, as_json: bool) -> int:
    """
    List what is missing and what is there twice, per producer, and say whether the store is complete.

    Each process numbers its events without gaps, so a missing number is an event that was handed on and is not
    stored. What a process has counted as lost, with the reason, and what retention, archives or erasures took,
    explains a gap; the rest is unexplained. Of several destinations each counts what it loses; what this store
    lost counts here, where it is known by its URL, else what the one lost that lost most, which is named. Losses
    that `spool drain --dead-letters` has made good explain nothing, and with a range losses explain first what is
    missing around it. Exit code 0: complete, as far as rows can tell; 1: something is missing without a reason, or
    there twice.
    """
    from activitylog.queries import verify as look

    store = existing_store(url)
    client = open_store(store)
    try:
        if not as_json:
            note_store(store)
        found = look(client, since=since, until=until, name=str(store.url))
    finally:
        client.close()
    if as_json:
        _print_json(found)
    else:
        _print(found)
    return 0 if found.complete else FAILED


def _print_json(found: Verification) -> None:
    from activitylog.cli.tables import print_json
    from activitylog.queries import sentences

    producers = [
        {
            **plain(producer),
            "losses": {destination: dict(reasons) for destination, reasons in producer.losses.items()},
            "lost": dict(producer.lost),
            "unexplained": producer.unexplained,
            "complete": producer.complete,
        }
        for producer in found.producers
    ]
    print_json({"complete": found.complete, "words": sentences(found), **plain(found), "producers": producers})


def _print(found: Verification) -> None:
    from activitylog.cli.paragraphs import print_paragraph
    from activitylog.cli.tables import print_rows
    from activitylog.queries import sentences

    verdict, *others = sentences(found)
    print_paragraph(verdict, bold=verdict.index(":"))
    if found.producers:
        shown = found.producers[:_MOST_PRODUCERS]
        print_rows(rows_of(shown, _COLUMNS), title="")
        if len(found.producers) > len(shown):
            print_paragraph(f"{len(found.producers) - len(shown):,} more producers; --json has all.")
        _print_numbers(shown)
    for one in found.example_ids:
        print_paragraph(f"there more than once: event id {one}", "- ")
    for sentence in others:
        print_paragraph(sentence)


def _print_numbers(producers: Sequence[ProducerFound]) -> None:
    from activitylog.cli.paragraphs import print_paragraph

    for producer in producers:
        if producer.missing:
            ranges = ", ".join(_range(first, last) for first, last in producer.missing_ranges[:_MOST_RANGES])
            more = f", and {producer.gaps - _MOST_RANGES:,} ranges more" if producer.gaps > _MOST_RANGES else ""
            by = f" by {producer.destination}" if producer.destination else ""
            reasons = "".join(
                f"; counted as lost{by}: {reason} {count:,}" for reason, count in producer.lost.items()
            )
            reasons += f"; delivered later: {producer.redelivered:,}" if producer.redelivered else ""
            print_paragraph(f"{producer.producer} lacks {ranges}{more}{reasons}", "- ")
        if producer.repeated:
            shown = producer.repeated_numbers[:_MOST_RANGES]
            numbers = ", ".join(f"{seq:,} ({copies} times)" for seq, copies in shown)
            more = ", ..." if len(producer.repeated_numbers) > len(shown) else ""
            print_paragraph(f"{producer.producer} has more than once {numbers}{more}", "- ")


def _range(first: int, last: int) -> str:
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"
