"""
Ask the named questions from Python, as one does in a notebook: rows, a pandas data frame, an Arrow table, own SQL.

    python examples/analysis.py [URL]

Needs ``pip install 'activitylog[embedded]'``, which brings pandas and pyarrow. With the URL of a store it asks
that one; without, it makes a small one in memory.
"""

import sys
from typing import Any

from activitylog.queries import ask, ask_arrow, ask_frame, question, search
from activitylog.store import EVENTS_TABLE, apply, connect

# %% A store to ask: a shop's week, in memory
ORDERS = """
INSERT INTO {table} (Timestamp, EventName, ActorType, ActorId, Outcome, SampleWeight)
SELECT
    toDateTime64('2026-03-02 08:00:00', 9, 'UTC') + toIntervalMinute(number * 7),
    ['page.viewed', 'page.viewed', 'order.placed', 'order.paid'][1 + number % 4],
    'user',
    toString(cityHash64(intDiv(number, 4)) % (8 + intDiv(number, 36))),
    if(number % 29 = 7, 'denied', 'success'),
    if(number % 4 < 2, 10, 1)
FROM numbers(1440)
"""


def shop() -> Any:
    """A client on a store with 1,440 rows of one week; page views are sampled, one of ten."""
    client = connect("chdb://memory")
    apply(client)
    client.command(ORDERS.format(table=EVENTS_TABLE))
    return client


def main(client: Any) -> None:
    """Each step is a cell."""
    # %% Which question answers this?
    for asked in search("who was denied")[:3]:
        print(f"{asked.name}: {asked.answers}")

    # %% Rows
    for row in ask(client, "top-actors", limit=3).rows:
        print(row)

    # %% A data frame: events and their part of all, estimated from what was sampled
    frame = ask_frame(client, "estimates", days=30)
    frame["percent"] = (100 * frame["events"] / frame["events"].sum()).round(1)
    print(frame[["event", "events", "low", "high", "trust", "percent"]].to_string(index=False))

    # %% A cohort a line, a week a column
    retention = ask_frame(client, "retention", period_days=1, periods=5)
    print(retention.pivot_table(index="cohort", columns="period", values="percent").to_string())

    # %% Arrow, for Polars, DuckDB and the like
    table = ask_arrow(client, "events-by-hour", limit=24)
    print(table.num_rows, "hours:", ", ".join(table.column_names))

    # %% The SQL is yours to change: every question is one statement
    asked = question("funnel")
    sql = f"SELECT max(percent) - min(percent) AS lost FROM ({asked.sql})"  # noqa: S608 - the SQL is the package's own
    print(client.query(sql, parameters=asked.values({"first": "page.viewed", "second": "order.paid"})).result_rows)


if __name__ == "__main__":
    opened = connect(sys.argv[1]) if len(sys.argv) > 1 else shop()
    main(opened)
    opened.close()
