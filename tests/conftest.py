"""Fixtures that every test folder shares. One embedded engine serves the whole run: chDB allows one path only."""

from __future__ import annotations

import itertools
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
