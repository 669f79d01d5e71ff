"""
Views under their own names, so that a batch that is sent again is recognised in what they write.

The engine remembers a block of a view by the batch's token and by the view that wrote it: by the view's *name*
after it was created or renamed, or after the engine started; by its *UUID* from an ``ALTER`` of it (``MODIFY
QUERY``, ``MODIFY SQL SECURITY``, even ``MODIFY COMMENT``) until the engine restarts. From one form to the other a
repeat is not recognised, and counts twice in a roll-up. So no view is left altered: it is renamed away and back.

For a tenth of a millisecond it is nobody's view then, and an insert that begins would miss it. So writers are kept
out (:func:`writers_kept_out`) by gates. An insert asks once for the views and constraints of its tables. Either it
asked before the gates stood, and has the view; or it meets a gate, and comes again. There are two kinds:

* a constraint on each table that stores rows, which is looked at before anything of a block is stored: a refused
  block leaves nothing, in either form of a view. The exporter knows it by its name, and sends the block again;
* a view over the landing table, which can have no constraint: it refuses with TOO_MANY_PARTS what would reach no
  view. Alone it would not do: other views may have stored their part by then (measured: nearly always), in the
  form that they had, and would store it again in the other form.

A gate opens by itself after :data:`GATE_SECONDS`, however the process ended that put it up.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from activitylog.store.cluster import local_table
from activitylog.store.columns import COUNTERS_TABLE, EVENTS_TABLE, INGEST_TABLE
from activitylog.store.inserts import Inserts, cluster_of
from activitylog.store.rendering import statements
from activitylog.store_settings import StoreSettings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from activitylog.store.snapshot import Found

_log: Final = logging.getLogger("activitylog")

#: So long a gate refuses inserts at most: when the process that put it up was killed.
GATE_SECONDS: Final = 30
#: How gates are called; the exporter knows constraints by it that say nothing about a block (``verdicts.GATE``).
GATE: Final = "insert_gate_"
_GATE: Final = re.compile(rf"{GATE}(\d+)_\w+")
#: Those whose views are changed, and those that these views fill from the landing table.
_STORING: Final = (EVENTS_TABLE, COUNTERS_TABLE)
#: Inserts that had begun before the gates stood have found their views by then.
_BEGUN_SECONDS: Final = 5.0
_UNSEEN_SECONDS: Final = 0.5
#: Clocks of this machine and of servers may differ by so much; a gate that stays longer does no harm.
_MOST_SKEW_SECONDS: Final = 600


def away(view: str) -> str:
    """The name that a view has while it is renamed."""
    return f"{view}_renamed"


def renamed_back(view: str) -> str:
    """The statement that ends a renaming that was cut off; nothing where there was none."""
    return f"RENAME TABLE IF EXISTS {away(view)} TO {view}"


def renamed(*views: str) -> str:
    """The statement after which what the views write is remembered by their names."""
    ways = (f"IF EXISTS {view} TO {away(view)}, IF EXISTS {away(view)} TO {view}" for view in views)
    return f"RENAME TABLE {', '.join(ways)}"


@contextmanager
def writers_kept_out(client: Client) -> Iterator[None]:
    """
    Have every insert into the table of events and the landing table refused meanwhile, for others to come again.

    Usually for some ten milliseconds; on a cluster for as long as the servers need for eight statements.
    """
    settings = StoreSettings(cluster=cluster_of(client))
    until = _now(client) + GATE_SECONDS
    gate = f"{GATE}{until}_{secrets.token_hex(4)}"  # a name of its own, since two may change views at once
    there = _tables(client)
    storing = [table for table in _STORING if {table, local_table(table)} & there]
    landing = bool({INGEST_TABLE, local_table(INGEST_TABLE)} & there)
    try:
        for table in storing:
            _run(client, _constraint(table, gate, until), settings)
        if landing:
            _run(client, _view(gate, until), settings)
        _wait_for_begun(client)
        yield
        if _now(client) >= until:
            _log.warning(
                "activitylog: changing the views took longer than %d s: later inserts may lack in roll-ups. Run: "
                "activitylog schema backfill",
                GATE_SECONDS,
            )
    finally:
        if landing:
            _run(client, _without_view(gate), settings)
        for table in storing:
            _run(client, _without_constraint(table, gate), settings)


def _constraint(table: str, gate: str, until: int) -> str:
    return f"ALTER TABLE {table} ADD CONSTRAINT IF NOT EXISTS {gate} CHECK toUnixTimestamp(now()) >= {until}"


def _without_constraint(table: str, gate: str) -> str:
    return f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {gate}"


def _view(gate: str, until: int) -> str:
    # The setting has to be in the query: an insert has those of whoever sends it.
    return (
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS {gate} TO {EVENTS_TABLE} AS SELECT Timestamp FROM {INGEST_TABLE} "  # noqa: S608
        f"WHERE throwIf(toUnixTimestamp(now()) < {until}, 'the schema is being changed: send it again', "
        "toInt32(252)) SETTINGS allow_custom_error_code_in_throwif = 1"
    )


def _without_view(gate: str) -> str:
    return f"DROP VIEW IF EXISTS {gate}"


def _wait_for_begun(client: Client) -> None:
    """Until the inserts that saw no gate know their views."""
    inserts = Inserts(client)
    begun = inserts.under_way()
    if begun is None:
        time.sleep(_UNSEEN_SECONDS)
    else:
        inserts.wait(begun, seconds=_BEGUN_SECONDS)


def gates_left(objects: Mapping[str, Found]) -> list[str]:
    """The statements that take away those gates of killed processes in a database that opened long ago."""
    views = [_without_view(name) for name in sorted(objects) if _opened_long_ago(name)]
    return views + [
        _without_constraint(table, name)
        for table in _STORING
        if table in objects
        for name in objects[table].constraints
        if _opened_long_ago(name)
    ]


def _opened_long_ago(name: str) -> bool:
    gate = _GATE.fullmatch(name)
    return gate is not None and int(gate[1]) < time.time() - _MOST_SKEW_SECONDS


def _tables(client: Client) -> set[str]:
    return {str(name) for (name,) in client.query("SHOW TABLES").result_rows}


def _now(client: Client) -> int:
    """By the server's clock, which the gates ask."""
    return int(str(client.command("SELECT toUnixTimestamp(now())")))


def _run(client: Client, sql: str, settings: StoreSettings) -> None:
    for statement in statements(sql, settings):
        client.command(statement)
