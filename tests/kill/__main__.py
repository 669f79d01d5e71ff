"""
The long form of the kill matrix, by one command::

    python -m tests.kill [--limit N] [--workers N] [--only TEXT]

It ends with 0 when every cell was killed as asked for, and nothing was lost or doubled in any.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.kill import matrix
from tests.kill.backend import served
from tests.kill.worker import Cell


def main() -> int:
    """Run the cells and print what was counted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else "")
    parser.add_argument("--limit", type=int, default=10_000, help="run so many cells at most")
    parser.add_argument("--workers", type=int, default=2, help="cells at the same time")
    parser.add_argument("--only", default="", help="cells with this text in their name")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kill-") as folder, served(Path(folder) / "store") as (url, client):
        every = [*matrix.cells(url, Path(folder), seed=options.seed), *matrix.embedded_cells(Path(folder))]
        chosen = [cell for cell in every if options.only in cell.tenant]
        with ThreadPoolExecutor(options.workers) as pool:
            failed = list(pool.map(lambda cell: attempt(cell, client), chosen[: options.limit]))
    say(f"{len(failed)} kills in {time.monotonic() - began:.0f} s: {dict(totals)}; failed: {sum(failed)}")
    return int(any(failed))


totals: Counter[str] = Counter()
_asking = threading.Lock()


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def attempt(cell: Cell, client: Any) -> bool:
    """Run one cell; True when something is wrong, which is printed."""
    began = time.monotonic()
    try:
        matrix.run(cell)
        if cell.url.startswith("chdb:"):
            counted = matrix.recover(cell)
        else:
            matrix.drain(cell)
            with _asking:
                counted = matrix.count(client, cell)
    except Exception as error:  # noqa: BLE001 - the other cells run all the same
        say(f"FAILED {cell.tenant} nth={cell.nth}: {type(error).__name__}: {error}")
        return True
    totals.update(acknowledged=counted.acknowledged, lost=counted.lost, doubled=counted.doubled)
    word = "ok    " if counted.exact else "WRONG "
    say(f"{word} {time.monotonic() - began:5.1f} s  {cell.tenant} nth={cell.nth}  {counted}")
    return not counted.exact


if __name__ == "__main__":
    sys.exit(main())
