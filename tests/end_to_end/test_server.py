"""The pipeline into a server across a real socket: as it should be, and on the worst night."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

import activitylog
from activitylog import config, store


@pytest.fixture
def database(server_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database of the test's own, which is not there yet."""
    name = f"night_{zlib.crc32(request.node.nodeid.encode())}"
    url = f"{server_url.rpartition('/')[0]}/{name}"
    yield url
    activitylog.shutdown()
    config.swap(None)
    client = store.connect(server_url)
    client.command(f"DROP DATABASE IF EXISTS {name}")
    client.close()


def count(url: str) -> int:
    """Rows of the table of events."""
    client = store.connect(url)
    try:
        return int(str(client.command("SELECT count() FROM activity_events")))
    finally:
        client.close()


@pytest.mark.server
class TestServer:
    def test_events_arrive(self, database: str) -> None:
        """The schema is applied by command, not by the service; then every event is a row."""
        client = store.connect(database, create_database=True)
        assert [str(step) for step in store.apply(client)] == [str(step) for step in store.migrations()]
        client.close()
        activitylog.configure(database, service_name="chat")
        activitylog.emit_many("user.activated", [("user", n) for n in range(1000)], actor="user:0")
        result = activitylog.shutdown()
        assert (result.complete, result.delivered, result.dropped) == (True, 1000, 0)
        assert count(database) == 1000

    def test_create_schema_makes_everything(self, database: str) -> None:
        """For a laptop: one setting instead of a command."""
        activitylog.configure(database, create_schema=True)
        activitylog.emit("page.viewed")
        assert activitylog.flush().delivered == 1
        assert count(database) == 1

    def test_a_missing_table_says_what_to_run(self, database: str, caplog: pytest.LogCaptureFixture) -> None:
        """The events wait until the deadline; the log names the command, the counts the reason."""
        client = store.connect(database, create_database=True)
        client.close()
        activitylog.configure(database, retry_deadline_seconds=0.2, durability="memory")
        with caplog.at_level(logging.WARNING, "otel_clickhouse"):
            activitylog.emit("page.viewed")
            activitylog.flush()
        (counts,) = activitylog.stats().destinations.values()
        assert counts.dropped == {"deadline": 1}
        assert "activitylog schema apply" in caplog.text

    def test_a_table_that_is_made_meanwhile_gets_the_events(self, database: str) -> None:
        """An operator who is quicker than the deadline loses nothing."""
        client = store.connect(database, create_database=True)
        activitylog.configure(database, retry_deadline_seconds=60, durability="memory")
        activitylog.emit("page.viewed")
        pipeline = config._state.pipeline
        assert pipeline is not None
        destination: Any = pipeline.destinations[0]
        exporter = destination.exporter
        with exporter.space:
            assert exporter.space.wait_for(lambda: exporter.taken, 10)
        store.apply(client)
        client.close()
        assert activitylog.flush(30).delivered == 1
        assert count(database) == 1


class TestNobodyAnswers:
    def test_events_are_counted_and_no_secret_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        """One line about it, without the password; the caller never notices."""
        activitylog.configure(
            "clickhouse://alice:topsecret@127.0.0.1:1/x", retry_deadline_seconds=0.2, durability="memory"
        )
        with caplog.at_level(logging.DEBUG):
            assert activitylog.emit("page.viewed")
            activitylog.flush()
        (name,) = activitylog.stats().destinations
        assert activitylog.stats().destinations[name].dropped == {"deadline": 1}
        assert "topsecret" not in caplog.text + name
        assert "No ClickHouse answers at 127.0.0.1:1" in caplog.text
        activitylog.shutdown()
        config.swap(None)
