"""A server on the run's embedded store, over a real socket, and plain HTTP requests to it."""

from __future__ import annotations

import http.client
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from activitylog.server import Server, start_server

_database_numbers = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    """A response: status, body, headers by their lower-case names."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def text(self) -> str:
        return self.body.decode()


class Http:
    """Requests to one server, each over a connection of its own, in one database."""

    def __init__(self, server: Server, database: str = "default") -> None:
        self.server = server
        self.database = database

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.server.host, self.server.port, timeout=30)

    def __call__(
        self,
        body: Any = None,
        *,
        method: str | None = None,
        path: str = "/",
        headers: Any = None,
        **parameters: Any,
    ) -> Answer:
        """POST ``body``, or GET without one; ``parameters`` go into the URL."""
        arguments = {"database": self.database, **parameters}
        connection = self.connection()
        try:
            connection.request(
                method or ("GET" if body is None else "POST"),
                f"{path}?{urlencode(arguments)}",
                body,
                headers or {},
            )
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, response.read(), names)
        finally:
            connection.close()


@pytest.fixture(scope="session")
def engine_client(_chdb_engine: Any) -> Any:
    """The client in this process that keeps the engine open, for looking at the engine from inside."""
    return _chdb_engine


@pytest.fixture(scope="session")
def open_store(chdb_url: str, engine_client: Any) -> str:
    """The run's store, which is open in this process."""
    assert engine_client is not None
    return chdb_url


@pytest.fixture(scope="session")
def server(open_store: str) -> Iterator[Server]:
    """One server for the run, beside the other users of the engine in this process."""
    with start_server(open_store, port=0, threads=4, max_body_bytes=8_000_000) as running:
        yield running


@pytest.fixture
def http_request(server: Server, engine_client: Any) -> Iterator[Http]:
    """Requests in an empty database of their own."""
    database = f"server_{next(_database_numbers)}"
    engine_client.command(f"CREATE DATABASE {database}")
    yield Http(server, database)
    engine_client.command(f"DROP DATABASE {database}")
