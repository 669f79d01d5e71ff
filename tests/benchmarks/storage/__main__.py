"""``python -m tests.benchmarks.storage``: see the package's documentation."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

from activitylog.store import connect
from tests.benchmarks.storage.report import markdown
from tests.benchmarks.storage.run import Plan, run, stage
from tests.benchmarks.storage.tables import DAY, MONTH, PEERS


def main(arguments: list[str] | None = None) -> int:
    """Run, print the report, and write the figures if asked."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="activitylog-storage-") as scratch:
        folder = options.store or Path(scratch)
        url = f"chdb://{folder.resolve()}"
        client = connect(url)
        try:
            events = stage(client, url, options.events, seed=options.seed, files=options.data)
            peers = tuple(options.peer or ("otel_logs", "clickstack"))
            plan = Plan(events, options.batch, options.rounds, peers, MONTH if options.data else DAY)
            result = run(
                client,
                plan,
                data=", ".join(path.name for path in options.data) or f"generated, seed {options.seed}",
            )
        finally:
            client.close()
    print(markdown(result, plan.peers))  # noqa: T201
    if options.out:
        options.out.write_text(json.dumps(dataclasses.asdict(result), indent=1, default=sorted) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.storage", description=__doc__)
    parser.add_argument("--events", type=int, default=500_000, help="how many generated events")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--data", type=Path, nargs="*", default=[], help="files to ingest instead (NDJSON, access log)"
    )
    parser.add_argument("--batch", type=int, default=50_000, help="rows an insert")
    parser.add_argument("--rounds", type=int, default=7, help="times that each question is asked")
    parser.add_argument("--peer", action="append", choices=sorted(PEERS), help="beside whom (several times)")
    parser.add_argument("--store", type=Path, help="a folder that is kept; default: one that is deleted")
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
