"""The clients that this package offers for tests."""

from __future__ import annotations

import pytest

from otel_clickhouse import RetryableError, encode_logs
from otel_clickhouse.testing import FailingClient, InMemoryClient
from tests.otel_clickhouse.records import record

BLOCK = encode_logs([record({"n": 1}), record({"n": 2})])


class TestInMemoryClient:
    def test_rows_by_table(self):
        """Rows are dictionaries, for all tables or for one."""
        client = InMemoryClient()
        client.insert("a", BLOCK)
        client.insert("b", encode_logs([record({"n": 3})]))
        assert [row["LogAttributes"] for row in client.rows()] == [{"n": "1"}, {"n": "2"}, {"n": "3"}]
        assert [row["LogAttributes"] for row in client.rows("b")] == [{"n": "3"}]

    def test_statements_are_kept(self):
        """A test can see what would have been run."""
        client = InMemoryClient()
        assert client.command("SELECT 1", {"max_threads": 1}) == ""
        assert client.statements == ["SELECT 1"]


class TestFailingClient:
    def test_follows_its_script_and_then_succeeds(self):
        """An exception, a lost answer, a success, and all that comes after."""
        client = FailingClient([RetryableError("one"), (RetryableError("two"), True), None])
        for message in ("one", "two"):
            with pytest.raises(RetryableError, match=message):
                client.insert("t", BLOCK)
        client.insert("t", BLOCK)
        client.insert("t", BLOCK)
        assert (len(client.attempts), len(client.blocks)) == (4, 3)
