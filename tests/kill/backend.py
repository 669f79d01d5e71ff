"""The store that survives the kills: ``activitylog serve`` in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SERVE = """
import sys
from activitylog.server import serve
serve(sys.argv[1], port=0, ready=lambda url: print(url, flush=True))
"""


@contextmanager
def served(store: Path) -> Iterator[tuple[str, Any]]:
    """A migrated store behind HTTP, as its URL and a client of it; ended on the way out."""
    import clickhouse_connect

    from activitylog.store import apply

    process = subprocess.Popen([sys.executable, "-c", _SERVE, str(store)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        client = clickhouse_connect.get_client(dsn=url)
        apply(client)
        yield url, client
        client.close()
    finally:
        process.kill()
        process.wait(60)
        if process.stdout is not None:
            process.stdout.close()
