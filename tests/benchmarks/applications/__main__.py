"""
What it costs a request to say what happened: no log, a row each, the two repairs, and activitylog, in one run.

::

    python -m tests.benchmarks.applications [--databases sqlite postgresql] [--rounds 3] [--messages 400]

The Django example behind gunicorn, on SQLite and on a PostgreSQL started for it; each way in turn, and the table
has the medians. Application, database, broker, store and load share this machine's cores: compare within a table.
In the end all events of answered requests have to be in the store, each once; otherwise it ends with an error.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.applications.deployment import WAYS, Way, deployed
from tests.waiting import wait_until

_PATIENCE_SECONDS: Final = 300

Figures = dict[str, float]


def run(way: Way, database: str, given: argparse.Namespace) -> Figures:
    """One way, once."""
    with tempfile.TemporaryDirectory() as name:
        with deployed(way, database, Path(name), max(given.bulk)) as deployment:
            found = deployment.load(
                *("--messages", str(given.messages), "--repeat", str(given.repeat)),
                *("--clients", str(given.clients), "--seconds", str(given.seconds)),
                *("--bulk", *map(str, given.bulk)),
            )
            if way.store:
                _check(deployment, "message.sent", found["sent"])
                _check(deployment, "user.activated", found["activated"])
        return _flat(found)


def _check(deployment: Any, name: str, expected: int) -> None:
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
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=400)
    parser.add_argument("--bulk", type=int, nargs="+", default=[100, 10_000])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--ways", nargs="*", default=[way.name for way in WAYS])
    given = parser.parse_args()
    for database in given.databases:
        rounds: dict[str, list[Figures]] = {way.name: [] for way in WAYS if way.name in given.ways}
        for number in range(given.rounds):
            for way in WAYS:
                if way.name in rounds:
                    sys.stderr.write(f"{database}, round {number + 1}: {way.name}\n")
                    rounds[way.name].append(run(way, database, given))
        medians = {name: _median(figures) for name, figures in rounds.items()}
        sys.stdout.write(f"\n{database}, medians of {given.rounds}:\n\n{table(medians, given.bulk)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
