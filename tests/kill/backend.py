"""The store that survives the kills: ``activitylog serve`` in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.serving import ServedStore


@contextmanager
def served(store: Path) -> Iterator[tuple[str, Any]]:
    """A migrated store behind HTTP, as its URL and a client of it; ended on the way out."""
    from activitylog.store import apply

    with ServedStore(store) as server:
        client = server.client()
        apply(client)
        yield server.url, client
        client.close()
