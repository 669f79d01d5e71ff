"""A store in a process of its own, that Collectors can reach."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.collector.otelcol import built
from tests.serving import ServedStore


@pytest.fixture(scope="session")
def otelcol() -> None:
    """The Collector is there; without Go the test is left out, and fails in CI."""
    built()


@pytest.fixture(scope="session")
def served_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedStore]:
    """``activitylog serve`` with all migrations applied, shared by the run: tests make databases of their own."""
    from activitylog.store import apply

    with ServedStore(tmp_path_factory.mktemp("served") / "store") as store:
        client = store.client()
        apply(client)
        client.close()
        yield store
