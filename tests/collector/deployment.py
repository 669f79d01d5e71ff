"""An agent, a gateway and a store, as collector-config describes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.collector.otelcol import Otelcol
from tests.serving import ServedStore
from tests.waiting import wait_until

#: Small batches at once: what a test sends is in the table within a second.
QUICK = {"BATCH_FLUSH": "200ms"}


def behind(store: ServedStore, database: str = "default", **more: str) -> dict[str, str]:
    """What a gateway's environment says of a store."""
    return {
        "CLICKHOUSE_ENDPOINT": f"http://127.0.0.1:{store.port}",
        "CLICKHOUSE_DATABASE": database,
        **QUICK,
        **more,
    }


@dataclass(frozen=True, slots=True)
class Deployment:
    """What runs."""

    store: ServedStore
    gateway: Otelcol
    agent: Otelcol


@contextmanager
def deployed(
    store: ServedStore,
    folder: Path,
    *,
    database: str = "default",
    gateway: Sequence[str] = ("gateway.yaml",),
    agent: Sequence[str] = ("agent.yaml",),
    environment: Mapping[str, str] | None = None,
    queue_directory: Path | None = None,
) -> Iterator[Deployment]:
    """
    A gateway in front of a database, and an agent in front of it; both end on the way out.

    Args:
        gateway, agent: their configuration files.
        environment: more for both.
        queue_directory: of the gateway, elsewhere than in the folder.
    """
    more = dict(environment or {})
    with (
        Otelcol(
            gateway,
            folder / "gateway",
            environment=behind(store, database, **more),
            queue_directory=queue_directory,
        ) as first,
        Otelcol(agent, folder / "agent", environment={"GATEWAY_ENDPOINT": first.grpc, **more}) as second,
    ):
        yield Deployment(store, first, second)


def count(client: Any, database: str = "default") -> int:
    """Rows of the table of events."""
    return int(str(client.command(f"SELECT count() FROM {database}.activity_events")))


def wait_for_rows(client: Any, rows: int, database: str = "default", seconds: float = 60) -> None:
    """Until so many are there, or more."""
    wait_until(lambda: count(client, database) >= rows, seconds)
