"""Fixtures that every test folder shares. One embedded engine serves the whole run: chDB allows one path only."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest

_database_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def chdb_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The run's embedded store, as ``chdb://<folder>``."""
    return f"chdb://{tmp_path_factory.mktemp('chdb')}"


@pytest.fixture(scope="session")
def _chdb_engine(chdb_url: str) -> Iterator[Any]:
    """Keeps the engine open for the run: it is closed with its last handle, and opening it takes a second."""
    import clickhouse_connect

    client = clickhouse_connect.get_client(dsn=chdb_url)
    yield client
    client.close()


@pytest.fixture
def chdb_client(chdb_url: str, _chdb_engine: Any) -> Iterator[Any]:
    """A clickhouse-connect client in an empty database of its own, dropped afterwards."""
    import clickhouse_connect

    database = f"test_{next(_database_numbers)}"
    _chdb_engine.command(f"CREATE DATABASE {database}")
    client = clickhouse_connect.get_client(dsn=chdb_url, database=database)
    yield client
    client.close()
    _chdb_engine.command(f"DROP DATABASE {database}")


@pytest.fixture(scope="session")
def server_url(chdb_url: str, _chdb_engine: Any) -> Iterator[str]:
    """
    A server across a real socket, as ``clickhouse://host:port/database``.

    ``CLICKHOUSE_URL`` when it is set, else ``activitylog serve`` on the run's embedded store.
    """
    given = os.environ.get("CLICKHOUSE_URL")
    if given:
        yield given
        return
    from activitylog.server import start_server

    with start_server(chdb_url.removeprefix("chdb://"), port=0) as server:
        yield server.url
