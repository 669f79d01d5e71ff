"""
Keep a twentieth of the page views and one event for many key strokes, and still know how many there were.

    python examples/sampling.py [FOLDER]

Needs ``pip install 'activitylog[embedded]'``. The rules are in ``examples/rules.toml``.
"""

import random
import sys
import tempfile
from pathlib import Path

import clickhouse_connect

import activitylog

RULES = Path(__file__).with_name("rules.toml")


def visit(session: int, draw: random.Random) -> int:
    """A session: some pages, and somebody typing. Returns how many pages there were."""
    pages = draw.randrange(1, 12)
    with activitylog.bind(actor=f"user:{session % 40}", session=f"s-{session}", tenant="acme"):
        for page in range(pages):
            activitylog.emit("page.viewed", object=f"page:{page}")
        for _ in range(20):
            activitylog.emit("message.typing", object="channel:general", characters=draw.randrange(1, 9))
        activitylog.emit("healthcheck.passed")
    return pages


def main(folder: Path) -> None:
    """Emit, then ask for the same number three ways."""
    url = f"chdb://{folder}"
    activitylog.configure(url, service_name="chat", rules_file=str(RULES))
    draw = random.Random(7)  # noqa: S311 - a made-up crowd
    true_pages = sum(visit(session, draw) for session in range(2_000))
    activitylog.flush()
    print(activitylog.stats().dropped)

    client = clickhouse_connect.get_client(dsn=url)
    rows, weighted = client.query(
        "SELECT count(), sum(SampleWeight * EventCount) FROM activity_events WHERE EventName = 'page.viewed'"
    ).result_rows[0]
    exact = client.command("SELECT sum(EventCount) FROM activity_totals WHERE EventName = 'page.viewed'")
    print(
        f"{true_pages} page views were emitted, {rows} are rows; {weighted:.0f} by their weights, {exact} exactly"
    )
    rows, typed = client.query(
        "SELECT count(), sum(EventCount) FROM activity_events WHERE EventName = 'message.typing'"
    ).result_rows[0]
    print(f"{typed} key strokes are {rows} rows")
    client.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]).resolve())
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary) / "store")
            activitylog.shutdown()
