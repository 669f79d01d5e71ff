"""``activitylog demo``: an imagined service's activity through the real pipeline, and what it tells."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from activitylog.cli.answer import print_line
from activitylog.cli.demo_folder import own_folder
from activitylog.cli.demo_service import DAYS, SERVICE_NAME, generate
from activitylog.cli.errors import FAILED, PARTLY
from activitylog.cli.progress import progress
from activitylog.cli.query import chart_of, show
from activitylog.cli.rows import select
from activitylog.cli.sending import Delivery, Sending
from activitylog.cli.store_option import Store, open_store, require_engine
from activitylog.cli.tables import print_title
from activitylog.cli.visible import visible
from activitylog.queries import question
from activitylog.url import DestinationURL

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_NEXT: Final = """
Ask more:
  export ACTIVITYLOG_URL={url}
  activitylog query                               the questions there are
  activitylog query actor-timeline --actor 1001
  activitylog query trace-or-request              everything in one request
  activitylog tail --outcome denied
  activitylog stats
  activitylog sql "SELECT TenantId, count() FROM activity_events GROUP BY 1"
Or bring your own:
  activitylog ingest access.log --url ./mine
"""
#: Name of the question, its parameters, and the columns that are shown.
_QUESTIONS: Final[tuple[tuple[str, dict[str, Any], tuple[str, ...]], ...]] = (
    ("event-counts", {"limit": 8}, ("event", "events")),
    ("failures-by-route", {"limit": 6}, ("route", "failures", "denials", "common_error")),
    ("top-actors", {"limit": 5, "actor_type": "user"}, ("tenant", "actor", "events")),
    ("actor-timeline", {"actor_type": "service", "limit": 4}, ("time", "actor", "event", "message")),
)


@click.command(short_help="See the whole way of an event, with nothing but this command.")
@click.option("--events", type=click.IntRange(min=1), default=50_000, show_default=True, help="How many.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same activity.")
@click.option("--dir", "folder", default="activitylog-demo", show_default=True, help="Where the store is made.")
def demo(*, events: int, seed: int, folder: str) -> int:
    """
    Send the last two weeks of an imagined chat service through the whole pipeline, and ask about them.

    No network, no server: the embedded ClickHouse engine keeps the events in a folder. The demo makes that folder
    and makes it anew each time; one that it did not make it leaves alone.
    """
    require_engine()
    path = own_folder(Path(folder).expanduser().absolute())
    store = Store(DestinationURL("chdb", "chdb", path=str(path)), "--url")
    delivery = _fill(store, events, seed)
    sys.stdout.write(
        f"{delivery.delivered:,} events of the last {DAYS} days went through the whole pipeline "
        f"in {delivery.seconds:,.1f} s ({delivery.per_second:,.0f} a second).\n"
    )
    for reason, count in delivery.dropped.items():
        sys.stdout.write(f"{count:,} were dropped: {reason}\n")
    if not delivery.delivered:
        return FAILED
    client = open_store(store)
    try:
        _ask(client)
    finally:
        client.close()
    sys.stdout.write(_NEXT.format(url=visible(str(store.url))))
    return PARTLY if delivery.dropped else 0


def _fill(store: Store, events: int, seed: int) -> Delivery:
    with (
        Sending(store, service_name=SERVICE_NAME) as sending,
        progress("a chat service's two weeks", events) as show,
    ):
        for number, event in enumerate(generate(events, seed=seed, end_ns=time.time_ns()), 1):
            sending.emit(event)
            if sending.is_time_to_tell:
                show(number, f"{number:,} events")
        return sending.finish(show, done=events)


def _ask(client: Client) -> None:
    """A few questions whose answers show what the activity has in it."""
    hours = question("events-by-hour")
    sys.stdout.write("\n")
    print_title(f"{hours.title}, {DAYS} days")
    chart = chart_of(hours)
    if chart is not None:
        print_line(select(client, hours.sql, hours.values({"limit": DAYS * 24})), chart)
    for name, given, columns in _QUESTIONS:
        sys.stdout.write("\n")
        show(client, question(name), given, only=columns)
