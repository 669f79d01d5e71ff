"""``python -m tests.benchmarks.sampling``: see the package's documentation."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

from activitylog.store import apply, connect
from tests.benchmarks.sampling.plans import plans
from tests.benchmarks.sampling.records import read
from tests.benchmarks.sampling.report import markdown
from tests.benchmarks.sampling.run import study


def main(arguments: list[str] | None = None) -> int:
    """Run, print the report, and write all figures if asked."""
    options = _parser().parse_args(arguments)
    studies = []
    with tempfile.TemporaryDirectory(prefix="activitylog-sampling-") as folder:
        url = f"chdb://{folder}"
        client = connect(url)
        try:
            apply(client)
            for path in options.files:
                records = read(path)
                found = study(client, url, records, plans(records), draws=options.draws, tell=_tell)
                studies.append(found)
        finally:
            client.close()
    for found in studies:
        print(markdown(found))  # noqa: T201
    if options.out:
        options.out.write_text(json.dumps([dataclasses.asdict(found) for found in studies]) + "\n")
    return 0


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.sampling", description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="NDJSON or access log, plain or gzip")
    parser.add_argument("--draws", type=int, default=10, help="how often each plan is tried")
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
