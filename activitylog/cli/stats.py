"""``activitylog stats``: what the store holds, how it grows, and when the disk is full."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from activitylog.cli.dataclass_rows import plain, rows_of
from activitylog.cli.store_option import Store, existing_store, note_store, open_store, url_option
from activitylog.store.columns import EVENTS_TABLE

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from activitylog.store.watch import Events, Forecast, Growth, Inserts, Pulse, Statistics
    from otel_spool import SpoolStatus

_TABLES: Final = ("table", "rows", "bytes", "compression", "bytes_per_row", "parts", "partitions")
_COLUMNS: Final = ("what", "kind", "bytes", "bytes_per_row", "uncompressed_bytes")
_PARTITIONS: Final = ("table", "partition", "rows", "bytes", "parts", "oldest", "newest", "disk")
_MOST_COLUMNS: Final = 25
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
_EXAMPLES: Final = """\b
Examples:
  activitylog stats
  activitylog stats --columns              where the bytes are
  activitylog stats --watch 2              a line every two seconds
  activitylog stats --json | jq .forecast.full_on
"""


@click.command(short_help="Show what the store holds and how it grows.", epilog=_EXAMPLES)
@url_option
@click.option("--columns", is_flag=True, help="Bytes of each column and index of the events, too.")
@click.option("--partitions", is_flag=True, help="The partitions of our tables, too.")
@click.option("--scan", is_flag=True, help="Count the top events in the table itself, not in the roll-up.")
@click.option(
    "--watch",
    "seconds",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    help="Until Ctrl-C, a line every so often: rows, rows that came in a second, parts, merges.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document (with --watch one a line).")
def stats(
    *, url: str | None, columns: bool, partitions: bool, scan: bool, seconds: float | None, as_json: bool
) -> None:
    """
    Show rows, bytes and parts of each table, bytes an event, how fast rows come in, growth by day, and the day on
    which the disk is full.

    Bytes are those on disk, indexes included; compression compares column data before and after. Reads system
    tables and roll-ups, so it is quick on any number of events. What a server does not know it does not say: when
    rows were written is known where there is a system.part_log, else rates are by the events' own times.
    """
    store = existing_store(url)
    client = open_store(store)
    try:
        if not as_json:
            note_store(store)
        if seconds is not None:
            _watch(client, seconds, as_json=as_json)
        else:
            _show(client, store, as_json=as_json, columns=columns, partitions=partitions, scan=scan)
    finally:
        client.close()


def _show(client: Client, store: Store, *, as_json: bool, columns: bool, partitions: bool, scan: bool) -> None:
    from activitylog.cli.tables import print_json, print_rows
    from activitylog.store.watch import statistics

    found = statistics(client, columns=columns, partitions=partitions, scan=scan)
    if as_json:
        print_json({"url": str(store.url), **plain(found), "spool": _spool_as_json(store)})
        return
    print_rows(rows_of([table for table in found.tables if table.parts or table.rows], _TABLES), title="tables")
    if found.events is None:
        sys.stdout.write(f"There is no table {EVENTS_TABLE}; `activitylog schema apply` creates it.\n")
        return
    _print_facts([*_facts(found), *_spool_facts(store)])
    if columns:
        _print_columns(found)
    if partitions:
        print_rows(rows_of(found.partitions, _PARTITIONS), title="partitions")
    where = "" if found.top_events_source == "rollup" else " (counted in the table)"
    if sum(item.events for item in found.top_events) > found.events.events:
        where = " (of the roll-up: with what has left the table)"
    print_rows(
        rows_of(found.top_events, ("event", "events", "percent")), title=f"top events{where}", bars="events"
    )


def _print_columns(found: Statistics) -> None:
    from activitylog.cli.tables import print_rows

    shown, rest = found.columns[:_MOST_COLUMNS], found.columns[_MOST_COLUMNS:]
    print_rows(rows_of(shown, _COLUMNS), title=f"bytes of {EVENTS_TABLE}", bars="bytes")
    if rest:
        left = size(sum(item.bytes for item in rest))
        sys.stdout.write(f" and {len(rest)} smaller ones, {left}; --json has all\n")


def _print_facts(facts: Iterable[tuple[str, str]]) -> None:
    from activitylog.cli.tables import fitted, print_title, terminal_width
    from activitylog.cli.visible import visible

    width = terminal_width(sys.stdout) or 10_000
    print_title("store")
    for name, text in facts:
        sys.stdout.write(fitted(visible(f"  {name:<16}{text}"), width) + "\n")


def _spool_as_json(store: Store) -> dict[str, Any] | None:
    seen = _spool(store)
    if seen is None:
        return None
    return {
        "events": seen.events,
        "orphaned": seen.orphaned,
        "letters": sum(seen.letters.values()),
        "quarantined": seen.quarantined,
        "bytes": seen.bytes,
        "oldest_unsent_ns": seen.oldest_unsent_ns,
    }


def _spool_facts(store: Store) -> Iterator[tuple[str, str]]:
    """What waits for the store on this machine."""
    from activitylog.cli.spool import advice, unsent_words

    seen = _spool(store)
    if seen is None:
        return
    yield "on this machine", f"unsent: {unsent_words(seen)} ({size(seen.bytes)} of files)"
    for line in advice(seen, store.option):
        yield "", line


def _spool(store: Store) -> SpoolStatus | None:
    from activitylog.settings import load_settings
    from activitylog.spools import spool_of

    try:
        return spool_of(store.url, load_settings())
    except OSError:
        return None


def _facts(found: Statistics) -> Iterator[tuple[str, str]]:
    if found.events is not None:
        yield from _event_facts(found.events)
    if found.inserts is not None:
        yield from _insert_facts(found.inserts)
    merged = "" if found.merges.done is None else f", {found.merges.done:,} done {_DONE[found.merges.done_source]}"
    yield "merges", f"{found.merges.running} running ({size(found.merges.running_bytes)}){merged}"
    failing = (
        f", {found.mutations.failing} of them fail: see `activitylog doctor`" if found.mutations.failing else ""
    )
    yield "mutations", f"{found.mutations.pending} pending{failing}"
    if found.growth is not None:
        yield from _growth_facts(found.growth)
    for disk in found.disks:
        free = "no limit" if disk.free_bytes is None else f"{size(disk.free_bytes)} free"
        total = "" if not disk.total_bytes or disk.free_bytes is None else f" of {size(disk.total_bytes)}"
        yield f"disk {disk.name}", f"{free}{total} ({disk.path})"
    if found.forecast is not None:
        yield "disk full", _forecast_words(found.forecast)


_DONE: Final = {"part_log": "in the last 24 h", "events": "since the server started"}


def _event_facts(events: Events) -> Iterator[tuple[str, str]]:
    if events.oldest is None or events.newest is None:
        yield "events", "none"
        return
    span = f"{events.oldest:%Y-%m-%d %H:%M:%S} to {events.newest:%Y-%m-%d %H:%M:%S} UTC"
    yield "events", f"{events.events:,} from {span}"
    who = [(events.actors, "actor"), (events.tenants, "tenant")]
    known = [f"{count:,} {name}{'' if count == 1 else 's'}" for count, name in who if count is not None]
    whose = f"{', '.join(known)} (by the roll-ups: also of rows that have left the table)"
    yield "of", whose if known else "nobody knows: there are no roll-ups"
    yield (
        "bytes an event",
        f"{events.bytes_per_event:.1f}: table {events.table_bytes_per_event:.1f} (indexes "
        f"{events.index_bytes_per_event:.1f} of it), roll-ups {events.rollup_bytes_per_event:.1f} "
        f"({events.rollup_share:.1%} of the table)",
    )


def _insert_facts(inserts: Inserts) -> Iterator[tuple[str, str]]:
    how = (
        "as they were written"
        if inserts.source == "part_log"
        else "by the events' own times: there is no part log"
    )
    yield (
        "rows a second",
        f"{inserts.rows_per_second_now:,.1f} now, {inserts.rows_per_second_1h:,.1f} over 1 h, "
        f"{inserts.rows_per_second_24h:,.1f} over 24 h ({how})",
    )
    if inserts.average_batch_rows is not None:
        where = "in the last 24 h" if inserts.batch_source == "part_log" else "by block numbers, newest partition"
        batches = f"{inserts.batches:,} {'batch' if inserts.batches == 1 else 'batches'}"
        yield "rows a batch", f"{inserts.average_batch_rows:,.0f} ({batches}, {where})"


def _growth_facts(growth: Growth) -> Iterator[tuple[str, str]]:
    from activitylog.cli.charts import evenly, sparkline
    from activitylog.cli.tables import has_unicode

    for days, rows, size_ in (
        (7, growth.rows_per_day_7, growth.bytes_per_day_7),
        (30, growth.rows_per_day_30, growth.bytes_per_day_30),
    ):
        known = (
            "not known: no whole day yet" if rows is None or size_ is None else f"{rows:,.0f} rows, {size(size_)}"
        )
        yield f"a day, {days} days", known
    items = growth.by_event_day if growth.by_arrival_day is None else growth.by_arrival_day
    line = sparkline(
        evenly((str(item.day), float(item.rows)) for item in items), 31, unicode=has_unicode(sys.stdout)
    )
    if len(items) > 1:
        yield "by day", f"{line}  {items[0].day} to {items[-1].day}"


def _forecast_words(forecast: Forecast) -> str:
    text = forecast.says
    if forecast.full_on is not None and forecast.bytes_per_day is not None:
        text = f"on {forecast.full_on}, at {size(forecast.bytes_per_day)} a day"
    if forecast.levels_off_bytes is not None:
        text += f" at {size(forecast.levels_off_bytes)}"
    if forecast.retention_days is not None:
        text += f" (kept for {forecast.retention_days:g} days)"
    return text


def size(count: float) -> str:
    """Bytes for people: ``1.5 GiB``."""
    value = float(count)
    for unit in _UNITS:
        if abs(value) < 1024 or unit == _UNITS[-1]:
            return f"{value:,.0f} {unit}" if unit == "bytes" else f"{value:,.1f} {unit}"
        value /= 1024
    raise AssertionError


def _watch(client: Client, seconds: float, *, as_json: bool) -> None:
    """Until Ctrl-C, which is how watching ends."""
    from activitylog.cli.tables import print_json
    from activitylog.store.watch import Database, pulse

    database = Database(client)
    earlier: Pulse | None = None
    try:
        while True:
            now = pulse(database)
            rate = None if earlier is None else now.rows_per_second(earlier)
            if as_json:
                print_json({**plain(now), "rows_per_second": rate})
            else:
                _print_pulse(now, rate, heading=earlier is None)
            sys.stdout.flush()
            earlier = now
            time.sleep(seconds)
    except KeyboardInterrupt:
        click.echo("", err=True)


def _print_pulse(now: Pulse, rate: float | None, *, heading: bool) -> None:
    def line(*cells: Any) -> str:
        return "{:<10}{:>16}{:>14}{:>12}{:>8}{:>8}{:>11}\n".format(*cells)

    if heading:
        sys.stdout.write(line("UTC", "rows", "rows/s", "bytes", "parts", "merges", "mutations"))
    shown = "" if rate is None else f"{rate:,.0f}"
    sys.stdout.write(
        line(f"{now.at:%H:%M:%S}", f"{now.rows:,}", shown, size(now.bytes), now.parts, now.merges, now.mutations)
    )
