"""Fixtures that every test folder shares. One embedded engine serves the whole run: chDB allows one path only."""

from __future__ import annotations

import itertools
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

#: Enters a client in a database of its own, which is dropped on the way out.
MakeDatabase = Callable[[], AbstractContextManager[Any]]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what needs the run's engine, so that it can be left out."""
    if "_chdb_engine" in getattr(item, "fixturenames", ()):
        item.add_marker("engine")


@pytest.fixture(scope="session", autouse=True)
def _state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Spools of tests are not in the home of who runs them; processes that tests start inherit that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _nothing_stays_configured() -> Iterator[None]:
    """What a test configures ends with it: the next one, whichever that is, finds what this one found."""
    before = _configured()
    yield
    if _configured() and not before:
        sys.modules["activitylog.config"].install(None)


def _configured() -> bool:
    """Whether this process has a pipeline; one that has not imported ours has none."""
    config = sys.modules.get("activitylog.config")
    return config is not None and config.configured()


@pytest.fixture
def lines_of(caplog: pytest.LogCaptureFixture) -> Callable[[str], list[str]]:
    """The lines that a logger of this name wrote so far, at any level."""
    caplog.set_level(logging.DEBUG)
    return lambda name: [line.getMessage() for line in caplog.records if line.name == name]


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


@pytest.fixture(scope="session")
def _make_database(chdb_url: str, _chdb_engine: Any) -> Callable[[str], AbstractContextManager[Any]]:
    """As ``MakeDatabase``, by a statement that makes ``{database}``."""
    import clickhouse_connect

    numbers = itertools.count(1)

    @contextmanager
    def make(statement: str) -> Iterator[Any]:
        database = f"test_{next(numbers)}"
        _chdb_engine.command(statement.format(database=database))
        client = clickhouse_connect.get_client(dsn=chdb_url, database=database)
        yield client
        client.close()
        _chdb_engine.command(f"DROP DATABASE {database}")

    return make


@pytest.fixture(scope="session")
def make_migrated(_make_database: Callable[[str], AbstractContextManager[Any]], _chdb_engine: Any) -> MakeDatabase:
    """
    Makes databases to which all steps were applied, without rows.

    The steps are applied once a run; after that a backup is restored, which costs an eighth.
    """
    from activitylog.store import apply

    backup = "Memory('migrated')"
    with _make_database("CREATE DATABASE {database}") as client:
        apply(client)
        original = client.database
        _chdb_engine.command(f"BACKUP DATABASE {original} TO {backup}")
    return lambda: _make_database(f"RESTORE DATABASE {original} AS {{database}} FROM {backup}")


@pytest.fixture
def chdb_client(_make_database: Callable[[str], AbstractContextManager[Any]]) -> Iterator[Any]:
    """A clickhouse-connect client in an empty database of its own, dropped afterwards."""
    with _make_database("CREATE DATABASE {database}") as client:
        yield client


@pytest.fixture
def migrated_client(make_migrated: MakeDatabase) -> Iterator[Any]:
    """As ``chdb_client``, in a database that ``apply`` has nothing to do for: what a test changes is its own."""
    with make_migrated() as client:
        yield client


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
