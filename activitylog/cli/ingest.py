"""``activitylog ingest``: a log file, line by line, through the whole pipeline into the store."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import click

from activitylog.cli.errors import EXIT_CODES, FAILED, INTERRUPTED, PARTLY
from activitylog.cli.progress import progress
from activitylog.cli.reading import Reading, Readings, as_call, reading_options
from activitylog.cli.sending import Delivery, Sending
from activitylog.cli.store_option import choose_store, url_option
from activitylog.exceptions import IngestError
from activitylog.ingest import Lines, Rejected, Source, open_source

_EPILOG: Final = f"""\b
Examples:
  activitylog ingest changes.ndjson.gz
  activitylog ingest --map actor=login --map event=kind events.ndjson
  zcat access.log.*.gz | activitylog ingest --format access --tenant shop -

{EXIT_CODES} A line that is rejected is shown with its number and reason and never stops the work: the code is
then 3, and 1 when no line at all arrived or the numbers do not add up. Blank lines are no lines.
"""


@dataclass
class _Tally:
    """What was read."""

    lines: int = 0
    rejected: int = 0
    shown: list[tuple[int, Rejected]] = field(default_factory=list)
    trouble: str | None = None
    interrupted: bool = False

    def reject(self, number: int, rejected: Rejected, most: int) -> None:
        self.rejected += 1
        if len(self.shown) < most:
            self.shown.append((number, rejected))


@click.command(epilog=_EPILOG, short_help="Send a log file (NDJSON, access log) through the pipeline.")
@click.argument("file")
@url_option
@reading_options
@click.option("--service-name", help="service.name of the events  [default: the settings', else 'ingest'].")
@click.option("--dry-run", is_flag=True, help="Show the first events (10, or --limit) and send nothing.")
@click.option(
    "--show-rejected", type=click.IntRange(min=0), default=10, show_default=True, help="How many are shown."
)
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON document.")
def ingest(
    *,
    file: str,
    url: str | None,
    reading: Reading,
    service_name: str | None,
    dry_run: bool,
    show_rejected: int,
    as_json: bool,
) -> int:
    """
    Send FILE, or standard input (-), through the whole pipeline into the store.

    FILE is newline-delimited JSON, or an access log of Apache or nginx (common, combined, with virtual
    host); plain or gzip. What no word of the event takes stays an attribute under its own name. Times are
    seconds, ms, us or ns by their size, or ISO 8601, in UTC where no zone is given.

    Nothing is sampled: an import is history, and the rules of the settings are for what happens now
    (`activitylog rules simulate` shows what they would have kept). Redaction does apply.
    """
    with open_source(file) as source:
        lines = Lines(source.stream)
        form, readings = reading.readings(lines)
        if dry_run:
            return _dry_run(readings if reading.limit else islice(readings, 10), as_json)
        store = choose_store(url, any_destination=True)
        tally = _Tally()
        with Sending(store, service_name=service_name or _service_name()) as sending:
            delivery = _send(readings, source, sending, tally, show_rejected=show_rejected)
    report = _report(file, form, str(store.url), lines=lines, tally=tally, delivery=delivery)
    _print_report(report, tally, as_json)
    if tally.trouble:
        raise IngestError(tally.trouble, hint="What was read before was sent; see the numbers above.")
    return _exit_code(report, tally)


def _service_name() -> str:
    from activitylog.settings import load_settings

    return load_settings().service_name or "ingest"


def _send(readings: Readings, source: Source, sending: Sending, tally: _Tally, *, show_rejected: int) -> Delivery:
    with progress("ingest", source.size) as show:
        try:
            for number, event in readings:
                tally.lines += 1
                if isinstance(event, Rejected):
                    tally.reject(number, event, show_rejected)
                    continue
                sending.emit(event)
                if sending.is_time_to_tell:
                    show(source.position(), f"{tally.lines:,} lines")
        except IngestError as error:
            tally.trouble = error.message
        except KeyboardInterrupt:
            tally.interrupted = True
        delivery = sending.finish(show, done=source.position())
        tally.interrupted = tally.interrupted or sending.interrupted
        return delivery


def _report(file: str, form: str, url: str, *, lines: Lines, tally: _Tally, delivery: Delivery) -> dict[str, Any]:
    dropped = sum(delivery.dropped.values())
    return {
        "file": file,
        "format": form,
        "url": url,
        "lines": tally.lines,
        "blank": lines.blank,
        "delivered": delivery.delivered,
        "rejected": tally.rejected,
        "dropped": dropped,
        "dropped_by_reason": dict(delivery.dropped),
        "sanitized": delivery.sanitized,
        "balanced": tally.lines == delivery.delivered + tally.rejected + dropped,
        "seconds": round(delivery.seconds, 3),
        "events_per_second": round(delivery.per_second),
        "rejections": [
            {"line": number, "reason": rejected.reason, "text": rejected.excerpt}
            for number, rejected in tally.shown
        ],
    }


def _print_report(report: dict[str, Any], tally: _Tally, as_json: bool) -> None:
    from activitylog.cli.tables import plain_table, print_json, print_table, print_title
    from activitylog.cli.visible import visible

    for number, rejected in tally.shown:
        click.echo(
            f"line {number:,} rejected: {visible(rejected.reason)}\n    {visible(rejected.excerpt)}", err=True
        )
    if tally.rejected > len(tally.shown):
        click.echo(f"and {tally.rejected - len(tally.shown):,} more rejected lines", err=True)
    if as_json:
        print_json(report)
        return
    print_title(f"{report['file']} -> {report['url']}")
    table = plain_table(heading=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in report["dropped_by_reason"].items())
    blank = f"and {report['blank']:,} blank ones" if report["blank"] else ""
    for name, value, note in (
        ("lines read", report["lines"], blank),
        (
            "delivered",
            report["delivered"],
            f"{report['events_per_second']:,} events/s, {report['seconds']:,.1f} s",
        ),
        ("rejected", report["rejected"], ""),
        ("dropped", report["dropped"], reasons),
        *([("changed", report["sanitized"], "values cut or repaired")] if report["sanitized"] else []),
    ):
        table.add_row(name, f"{value:,}", visible(note))
    print_table(table)
    sign = "=" if report["balanced"] else "is not"
    sys.stdout.write(
        f"{report['lines']:,} lines {sign} {report['delivered']:,} delivered + {report['rejected']:,} rejected "
        f"+ {report['dropped']:,} dropped\n"
    )


def _exit_code(report: dict[str, Any], tally: _Tally) -> int:
    if tally.interrupted:
        return INTERRUPTED
    if not report["balanced"] or (report["lines"] and not report["delivered"]):
        return FAILED
    return PARTLY if report["rejected"] or report["dropped"] else 0


def _dry_run(readings: Readings, as_json: bool) -> int:
    from activitylog.cli.tables import print_json
    from activitylog.cli.visible import visible

    rejected = 0
    for number, event in readings:
        if isinstance(event, Rejected):
            rejected += 1
            click.echo(f"line {number:,} rejected: {visible(event.reason)}", err=True)
        elif as_json:
            print_json(event)
        else:
            sys.stdout.write(f"line {number:,}: {visible(as_call(event))}\n")
    return PARTLY if rejected else 0
