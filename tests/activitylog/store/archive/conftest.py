"""Stores with events of early 2024, on the embedded engine and across a socket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from activitylog.store import connect
from activitylog.store.archive import Outcome, create, file_engine

#: All of 2024, and nothing later.
NEW_YEAR: Final = datetime(2025, 1, 1, tzinfo=UTC)

#: ``{rows}`` events, one in ten minutes from ``{start}`` on, with all that is hard to keep.
_FILL: Final = """
INSERT INTO activity_events (Timestamp, EventName, TenantId, ActorType, ActorId, ObjectType, ObjectId, EventId,
    SampleWeight, Seq, BodyTemplate, Attributes)
SELECT toDateTime64({start:String}, 9, 'UTC') + INTERVAL number * 600 SECOND + INTERVAL number NANOSECOND,
    ['page.viewed', 'order.placed'][number % 2 + 1], ['', 'acme'][number % 2 + 1], 'user', toString(number % 7),
    'order', toString(number), toUUID('00000000-0000-7000-8000-000000000000'), [1, nan, -0.0, 2.5][number % 4 + 1],
    18446744073709551615 - number, '\\x01 placed \\x02', map('b', unhex('ff00'), 'a', '')
FROM numbers({rows:UInt64})
"""


def insertion(table: str) -> str:
    """The statement that fills a table, with ``{start:String}`` and ``{rows:UInt64}``."""
    return _FILL.replace("INTO activity_events ", f"INTO {table} ")


def fill(client: Any, start: str = "2024-01-30 00:00:00", rows: int = 500) -> None:
    """Insert events: by default 288 of January and 212 of February 2024."""
    client.command(_FILL, parameters={"start": start, "rows": rows})


def count(client: Any, table: str = "activity_events") -> int:
    return int(client.command(f"SELECT count() FROM {table}"))


def events(client: Any, table: str = "activity_events") -> list[tuple[Any, ...]]:
    """Every stored column of every row as the bytes of RowBinary, in order: equal lists are equal tables."""
    names = client.query(
        "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String} "
        "AND default_kind != 'ALIAS' ORDER BY position",
        parameters={"table": table},
    ).result_rows
    columns = ", ".join(name for (name,) in names)
    return sorted(
        client.query(f"SELECT hex(formatRow('RowBinary', {columns})) AS row FROM {table} ORDER BY row").result_rows
    )


def archive(client: Any, folder: Path, **options: Any) -> list[Outcome]:
    """Archive all of 2024."""
    return list(create(client, folder, before=NEW_YEAR, **options))


@pytest.fixture(scope="package", autouse=True)
def _one_engine() -> Iterator[None]:
    """Each test opens the engine of its own accord; they share one process."""
    with file_engine():
        yield


@pytest.fixture(params=["embedded", "server"])
def store(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A client on a store without events: in this process, then across a socket."""
    embedded = request.getfixturevalue("migrated_client")
    if request.param == "embedded":
        yield embedded
        return
    base = request.getfixturevalue("server_url").rpartition("/")[0]
    client = connect(f"{base}/{embedded.database}")
    yield client
    client.close()


@pytest.fixture
def embedded_store(migrated_client: Any) -> Any:
    """A client on an embedded store without events."""
    return migrated_client


@pytest.fixture
def archived(embedded_store: Any, tmp_path: Path) -> Path:
    """A folder with January and February 2024, in files of at most 100 rows; the store is empty."""
    fill(embedded_store)
    archive(embedded_store, tmp_path / "to", rows_per_file=100)
    return tmp_path / "to"
