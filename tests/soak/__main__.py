"""
The soak, by one command, bounded in time and count::

    python -m tests.soak [--seconds 300] [--rate 1000]

One process emits from beginning to end; two others are killed at random and replaced. The store is killed and
comes back, or is stopped for a while and goes on. At the end what is left is sent, and the store is asked. It ends
with 0 when nothing was lost or doubled, the counts added up at every look, and the process that lived through it
used no more and more memory and files.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from tests.kill import matrix
from tests.kill.worker import Cell
from tests.serving import ServedStore
from tests.soak.flatness import bytes_above_ceiling, slope_a_minute
from tests.soak.worker import Acknowledged

_ROOT: Final = Path(__file__).parents[2]
#: What may grow in a minute, beside what outages take (:mod:`tests.soak.flatness`): a block is of some 70 bytes.
MOST_A_MINUTE: Final = {"blocks": 30_000, "malloc": 2 * 1024 * 1024, "files": 1}


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Store(ServedStore):
    """One that has outages."""

    def go_away(self, rng: random.Random) -> str:
        """Be gone, or hang, for some seconds."""
        seconds = rng.uniform(2, 12)
        if rng.random() < 0.5:
            self.process.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            self.process.send_signal(signal.SIGCONT)
            return f"hung for {seconds:.0f} s"
        self.kill()
        time.sleep(seconds)
        self.start()
        return f"was killed, and away for {seconds:.0f} s"


class Workers:
    """The processes that emit."""

    def __init__(self, store: Store, folder: Path, rate: int, leak: int) -> None:
        self._arguments = [store.url, str(folder)]
        self._numbers = [str(rate), str(leak)]
        self._number = 0
        self.alive: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> str:
        """One more."""
        name = f"w{self._number}"
        self._number += 1
        command = [sys.executable, "-m", "tests.soak.worker", *self._arguments, name, *self._numbers]
        self.alive[name] = subprocess.Popen(command, cwd=_ROOT)
        return name

    def replace_one(self, rng: random.Random) -> str:
        """Kill one of those that may be killed; another one takes its place."""
        victim = rng.choice(sorted(self.alive.keys() - {"w0"}))
        process = self.alive.pop(victim)
        process.send_signal(rng.choice([signal.SIGKILL, signal.SIGABRT, signal.SIGTERM]))
        process.wait(60)
        return f"{victim} ended with {process.returncode}, {self.start()} begins"

    def end(self) -> None:
        """Ask all to end, and wait for it."""
        for process in self.alive.values():
            process.terminate()
        for process in self.alive.values():
            process.wait(90)

    def kill(self) -> None:
        """Leave none behind."""
        for process in self.alive.values():
            process.kill()
            process.wait(60)


def compare(client: Any, folder: Path) -> list[str]:
    """What is wrong in the store, by process."""
    question = """
        SELECT ActorId, count(), uniqExact(ObjectId), uniqExact(EventId),
            uniqExactIf(ObjectId, toUInt64(ObjectId) < {n:UInt64})
        FROM activity_events WHERE ActorId = {name:String} GROUP BY ActorId"""
    wrong, events = [], 0
    for path in sorted(folder.glob("*.acknowledged")):
        name, acknowledged = path.stem, Acknowledged.read(path)
        found = client.query(question, parameters={"name": name, "n": acknowledged}).result_rows
        _, rows, objects, ids, stored = found[0] if found else (name, 0, 0, 0, 0)
        events += rows
        if not (stored == acknowledged and rows == objects == ids):
            wrong.append(f"{name}: {acknowledged} acknowledged, {stored} of them stored, {rows} rows, {ids} ids")
    rolled_up = client.query(
        "SELECT sum(RowCount) FROM activity_events_hourly WHERE EventName = 'load.made'"
    ).result_rows[0][0]
    say(f"{events} events stored, {rolled_up} in the hourly view")
    return wrong if rolled_up == events else [*wrong, f"the view has {rolled_up} of {events}"]


def judge(folder: Path) -> list[str]:
    """What is wrong in the process that lived through it."""
    looks = [json.loads(line) for line in (folder / "w0.looks").read_text().splitlines()]
    say(f"last look: {looks[-1]}")
    wrong = [f"does not add up: {look}" for look in looks if not look["adds_up"]]
    looks = looks[:-1]  # that one is after the shutdown
    for what, most in MOST_A_MINUTE.items():
        growth = slope_a_minute(looks, what)
        say(f"{what}: {looks[-1][what]}, {growth:+.1f} a minute (at most {most})")
        if growth > most:
            wrong.append(f"{what} grow by {growth:.0f} a minute")
    residents = [look["resident"] / 1e6 for look in looks]
    above = bytes_above_ceiling(looks) / 1e6
    say(f"resident: {residents[len(looks) // 4]:.1f}, {residents[-1]:.1f} MB, at most {max(residents):.1f} MB")
    say(f"that is {-above:.1f} MB below what a queue of {max(look['queued'] for look in looks)} explains")
    say(f"threads: {min(look['threads'] for look in looks)} to {max(look['threads'] for look in looks)}")
    return wrong if above < 0 else [*wrong, f"resident is {above:.1f} MB above what outages explain"]


def soak(folder: Path, seconds: float, rate: int, leak: int, rng: random.Random) -> list[str]:
    """All of it; what is wrong at the end."""
    from activitylog.store import apply

    store = Store(folder / "store")
    workers = Workers(store, folder, rate, leak)
    try:
        apply(store.client())
        for _ in range(3):
            workers.start()
        end, kills, outages = time.monotonic() + seconds, 0, 0
        while time.monotonic() < end:
            time.sleep(rng.uniform(2, 6))
            if rng.random() < 0.3:
                say(f"the store {store.go_away(rng)}")
                outages += 1
            else:
                say(workers.replace_one(rng))
                kills += 1
        workers.end()
        say(f"{kills} kills, {outages} outages")
        began = time.monotonic()
        matrix.drain(Cell(url=store.url, folder=str(folder), tenant=""), seconds=300)
        say(f"the rest was sent in {time.monotonic() - began:.0f} s")
        return compare(store.client(), folder) + judge(folder)
    finally:
        workers.kill()
        store.kill()


def main() -> int:
    """Run it, and say what is wrong."""
    parser = argparse.ArgumentParser(description=re.sub(r"\s+", " ", __doc__ or ""))
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--rate", type=int, default=1_000, help="events a second and process")
    parser.add_argument(
        "--leak",
        type=int,
        default=0,
        help="the control: bytes a second leaked in one piece, and as many in small ones",
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and end those that it started
    logging.getLogger("clickhouse_connect").setLevel(
        logging.CRITICAL
    )  # it logs each time that nobody is there yet
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        wrong = soak(Path(folder), options.seconds, options.rate, options.leak, random.Random(options.seed))
    for line in wrong:
        say(f"WRONG {line}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
