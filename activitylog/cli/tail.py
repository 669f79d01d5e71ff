"""``activitylog tail``: the newest events, and with ``-f`` those that come."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from activitylog.cli.rows import select
from activitylog.cli.store_option import existing_store, note_store, open_store, url_option
from activitylog.cli.tables import fitted, has_colours, has_unicode, print_json, terminal_width
from activitylog.cli.visible import visible
from activitylog.store.columns import EVENTS_TABLE

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Row = dict[str, Any]

_POLL_SECONDS: Final = 1.0
#: Events that come later than this after their own time are not seen by ``-f``.
_LATE_SECONDS: Final = 60
_MOST_AT_ONCE: Final = 10_000
_COLOURS: Final = {"failure": "red", "denied": "yellow", "unknown": "magenta"}


@click.command(short_help="Show the newest events; -f follows.")
@url_option
@click.option(
    "-n", "--lines", type=click.IntRange(1, _MOST_AT_ONCE), default=20, show_default=True, help="How many."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with events as they come, until Ctrl-C.")
@click.option("--event", metavar="GLOB", help="Names that match, such as 'message.*'.")
@click.option("--actor", metavar="ID", help="One actor: an id, or type:id.")
@click.option("--object", "object_", metavar="ID", help="One object: an id, or type:id.")
@click.option("--tenant", help="One tenant.")
@click.option("--outcome", help="One outcome: success, failure, denied, unknown.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an event, every value whole.")
def tail(
    *,
    url: str | None,
    lines: int,
    follow: bool,
    event: str | None,
    actor: str | None,
    object_: str | None,
    tenant: str | None,
    outcome: str | None,
    as_json: bool,
) -> None:
    """
    Show the newest events, the newest last; times are in UTC.

    With -f the store is asked every second; an event that arrives more than a minute after its own time is
    not seen. One process at a time can open an embedded store: to follow what another one writes, let it
    be served (`activitylog serve`), and give its URL to both.
    """
    store = existing_store(url)
    conditions = _conditions(event, actor, object_, tenant, outcome)
    client = open_store(store)
    try:
        if not as_json:
            note_store(store)
        events = _Events(client, *conditions)
        show = print_json if as_json else _print_line
        for row in events.newest(lines):
            show(row)
        if follow:
            _follow(events, show)
    finally:
        client.close()


def _follow(events: _Events, show: Callable[[Row], None]) -> None:
    """Until Ctrl-C, which is how following ends."""
    try:
        while True:
            sys.stdout.flush()
            time.sleep(_POLL_SECONDS)
            for row in events.later():
                show(row)
    except KeyboardInterrupt:
        click.echo("", err=True)


def _conditions(
    event: str | None, actor: str | None, object_: str | None, tenant: str | None, outcome: str | None
) -> tuple[str, dict[str, str]]:
    """The WHERE of what was asked for, and its parameters."""
    parts = ["1"]
    values: dict[str, str] = {}
    if event is not None:
        parts.append("EventName LIKE {event:String}")
        values["event"] = _like(event)
    for prefix, wanted, name in (("Actor", actor, "actor"), ("Object", object_, "object")):
        if wanted is not None:
            kind, _, identity = wanted.partition(":")
            parts.append(
                f"({prefix}Id = {{{name}:String}} OR ({prefix}Type = {{{name}_type:String}} "
                f"AND {prefix}Id = {{{name}_id:String}}))"
            )
            values |= {name: wanted, f"{name}_type": kind, f"{name}_id": identity}
    for column, wanted, name in (("TenantId", tenant, "tenant"), ("Outcome", outcome, "outcome")):
        if wanted is not None:
            parts.append(f"{column} = {{{name}:String}}")
            values[name] = wanted
    return " AND ".join(parts), values


def _like(glob: str) -> str:
    """A pattern of LIKE that matches what the glob matches."""
    table = {"\\": "\\\\", "%": "\\%", "_": "\\_", "*": "%", "?": "_"}
    return "".join(table.get(char, char) for char in glob)


@dataclass
class _Events:
    """The newest events, and those after the ones that were given."""

    client: Client
    where: str
    parameters: Mapping[str, str]
    seen: dict[str, str] = field(default_factory=dict)
    since: str = "1970-01-02T00:00:00.000000000Z"

    def newest(self, number: int) -> Iterator[Row]:
        """The newest ones, in the order of their time."""
        order = "ORDER BY Timestamp DESC LIMIT {tail_rows:UInt32}"
        rows = list(self._ask(order, tail_rows=number))
        yield from self._noted(reversed(rows))

    def later(self) -> Iterator[Row]:
        """Those that came since the last call, in the order of their time."""
        order = (
            "AND Timestamp > parseDateTime64BestEffort({tail_since:String}, 9, 'UTC') "
            "- toIntervalSecond({tail_late:UInt32}) ORDER BY Timestamp"
        )
        rows = self._ask(order, tail_since=self.since, tail_late=_LATE_SECONDS)
        yield from self._noted(row for row in rows if _key(row) not in self.seen)
        self._forget()

    def _ask(self, order: str, **parameters: Any) -> Iterator[Row]:
        sql = f"SELECT * EXCEPT (BodyTemplate), Body FROM {EVENTS_TABLE} WHERE {self.where} {order}"  # noqa: S608 - no word of it comes from outside
        return select(self.client, sql, {**self.parameters, **parameters}).objects()

    def _noted(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            self.seen[_key(row)] = row["Timestamp"]
            self.since = max(self.since, row["Timestamp"])
            yield row

    def _forget(self) -> None:
        """Leave out what can no longer be asked for; twice the lateness, for whole seconds' sake."""
        newest = datetime.fromisoformat(self.since)
        limit = (newest - timedelta(seconds=2 * _LATE_SECONDS)).strftime("%Y-%m-%dT%H:%M:%S")
        self.seen = {key: moment for key, moment in self.seen.items() if moment >= limit}


def _key(row: Row) -> str:
    """What makes an event one event, also when it came from somewhere that gives no ids."""
    return f"{row['EventId']} {row['Timestamp']} {row['Producer']} {row['Seq']} {row['EventName']}"


def _print_line(row: Row) -> None:
    """One event in one line: when, what, who, to what, how it ended, in words."""
    arrow = "→" if has_unicode(sys.stdout) else "->"
    object_ = _reference(row, "Object")
    target = _reference(row, "Target")
    outcome = row["Outcome"]
    words = (
        str(row["Timestamp"])[:23].replace("T", " ").rstrip("Z"),
        f"{row['EventName']:<18}",
        f"{_reference(row, 'Actor'):<14}",
        f"{arrow} {object_}" if object_ else "",
        f"{arrow} {target}" if target else "",
        f"[{row['TenantId']}]" if row["TenantId"] else "",
        " ".join(filter(None, (outcome, row["ErrorType"]))) if outcome != "success" else "",
        f'"{row["Body"]}"' if row["Body"] else "",
    )
    text = visible("  ".join(word for word in words if word).rstrip())
    width = terminal_width(sys.stdout)
    text = text if width is None else fitted(text, width)
    click.secho(text, fg=_COLOURS.get(outcome) if has_colours(sys.stdout) else None)


def _reference(row: Row, prefix: str) -> str:
    return ":".join(filter(None, (row[f"{prefix}Type"], row[f"{prefix}Id"])))
