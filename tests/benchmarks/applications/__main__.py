"""
What it costs a request to say what happened: no log, a row each, the two repairs, and activitylog, in one run.

::

    python -m tests.benchmarks.applications [--databases sqlite postgresql] [--rounds 5] [--messages 500]

The Django example behind gunicorn, on SQLite and on a PostgreSQL started for it, beside the application and a
millisecond away. A machine is faster at one time than at another, so all ways are deployed at once and get the
load in turn: first messages, one each, then round after round users who are activated and as many messages as go
through; of the rounds the table has the medians. Application, database, broker, store and load share the cores of
this machine, the store at the lowest priority: compare within a table.

In the end all events of answered requests have to be in the store, each once; otherwise it ends with an error.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.applications.deployment import WAYS, Deployment, Way, deployed
from tests.benchmarks.applications.turns import messages_in_turn
from tests.waiting import wait_until

_PATIENCE_SECONDS: Final = 300

Figures = dict[str, float]


def run(ways: Sequence[Way], database: str, given: argparse.Namespace) -> dict[str, Figures]:
    """All ways on one database: the medians of each, by its name."""
    with ExitStack() as closing:
        deployments: dict[Way, Deployment] = {}
        for way in ways:
            folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
            deployments[way] = closing.enter_context(deployed(way, database, folder, max(given.bulk)))
        rounds: dict[Way, list[Figures]] = {way: [] for way in ways}
        events: dict[Way, Counter[str]] = {way: Counter() for way in ways}

        def load(number: int, way: Way, messages: int) -> None:
            sys.stderr.write(f"{database}, round {number}: {way.name}\n")
            found = deployments[way].load(
                *("--warm-up", "0.3" if number else "3", "--messages", str(messages)),
                *("--clients", str(given.clients), "--seconds", str(given.seconds)),
                *("--repeat", "1", "--bulk", *map(str, given.bulk)),
            )
            events[way].update({"message.sent": found["sent"], "user.activated": found["activated"]})
            if number:
                rounds[way].append(_flat(found))

        for way in ways:
            load(0, way, 20)  # to warm up
        sys.stderr.write(f"{database}: messages\n")
        messages = messages_in_turn([deployment.port for deployment in deployments.values()], given.messages)
        for number in range(1, given.rounds + 1):
            for way in ways:
                load(number, way, 1)
        for way in ways:
            events[way]["message.sent"] += given.messages
        for way, deployment in deployments.items():
            for name, expected in events[way].items() if way.store else ():
                _check(deployment, name, expected)
    return {
        way.name: {**_median(rounds[way]), **_flat({"message": own})}
        for way, own in zip(ways, messages, strict=True)
    }


def _check(deployment: Deployment, name: str, expected: int) -> None:
    wait_until(lambda: deployment.events(name) >= expected, seconds=_PATIENCE_SECONDS)
    stored = deployment.events(name)
    if stored != expected:
        raise SystemExit(f"{name}: {expected} were answered, {stored} are stored")


def _flat(found: dict[str, Any]) -> Figures:
    return {
        f"{part} {figure}": value
        for part, figures in found.items()
        if isinstance(figures, dict)
        for figure, value in figures.items()
        if value is not None
    }


def _median(rounds: Sequence[Figures]) -> Figures:
    return {key: statistics.median(figures[key] for figures in rounds) for key in rounds[0]}


def table(found: dict[str, Figures], bulk: Sequence[int]) -> str:
    """Markdown."""
    columns = [
        ("message p50, ms", "message p50", "{:.2f}"),
        ("p99, ms", "message p99", "{:.2f}"),
        ("writes", "message writes", "{:.0f}"),
        *((f"activate {size:,}, ms", f"bulk_{size} p50", "{:.1f}") for size in bulk),
        *(("writes", f"bulk_{size} writes", "{:.0f}") for size in bulk[:1]),
        ("requests/s at the peak", "peak requests_per_second", "{:.0f}"),
        ("p50 there, ms", "peak p50", "{:.1f}"),
        ("p99 there, ms", "peak p99", "{:.1f}"),
    ]
    lines = ["| | " + " | ".join(title for title, *_ in columns) + " |", "|---|" + "--:|" * len(columns)]
    for way, figures in found.items():
        lines.append(f"| {way} | " + " | ".join(form.format(figures[key]) for _, key, form in columns) + " |")
    return "\n".join(lines)


def main() -> None:
    """Each way on each database, in turn, then the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql", "postgresql-1ms"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--bulk", type=int, nargs="+", default=[100, 10_000])
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long the peak of each round lasts")
    parser.add_argument("--ways", nargs="*", default=[way.name for way in WAYS])
    given = parser.parse_args()
    ways = [way for way in WAYS if way.name in given.ways]
    for database in given.databases:
        medians = run(ways, database, given)
        sys.stdout.write(f"\n{database}, medians of {given.rounds}:\n\n{table(medians, given.bulk)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
