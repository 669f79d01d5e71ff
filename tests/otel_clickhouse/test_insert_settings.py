"""One batch is one block at every attempt, whatever a profile says; and what happens where it is not."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from clickhouse_connect.driver.models import SettingDef

from otel_clickhouse.client import ClickHouseClient, connect
from otel_clickhouse.encoder import Columns, encode_logs
from otel_clickhouse.exceptions import PermanentError
from otel_clickhouse.insert_settings import INSERT_SETTINGS, accepted_settings
from otel_clickhouse.layout import compile_layout
from otel_clickhouse.mapping import parse_mapping
from tests.otel_clickhouse.records import ACTOR_COLUMNS, TIME_NS, record
from tests.otel_clickhouse.stores import Store, new_store

ROWS = 20_000
#: What a profile may say; the first two cut blocks on chDB 26.9, the others do not.
PROFILES: dict[str, dict[str, Any]] = {
    "rows": {"use_strict_insert_block_limits": 1, "max_insert_block_size": 1_000},
    "bytes": {"use_strict_insert_block_limits": 1, "max_insert_block_size_bytes": 100_000},
    "not strict": {"max_insert_block_size": 1_000, "max_insert_block_size_bytes": 100_000},
    "small minimums": {"min_insert_block_size_rows": 1, "min_insert_block_size_bytes": 1},
    "threads": {"max_insert_threads": 8, "max_block_size": 1_000},
    "views": {
        "min_insert_block_size_rows_for_materialized_views": 1,
        "min_insert_block_size_bytes_for_materialized_views": 1,
        "max_block_size": 100,
    },
    "no deduplication": {"deduplicate_insert": "disable", "insert_deduplicate": 0},
    "views not deduplicated": {"deduplicate_blocks_in_dependent_materialized_views": 0},
}


def block(rows: int = ROWS) -> Columns:
    """One batch, with values of some size."""
    records = [
        record(
            {"log.record.uid": str(uuid.UUID(int=n + 1)), "activity.actor.type": f"kind-{n % 7}", "x": "x" * 100},
            timestamp=TIME_NS + n,
        )
        for n in range(rows)
    ]
    return encode_logs(records, compile_layout(parse_mapping(ACTOR_COLUMNS)))


@pytest.fixture(params=["chdb", pytest.param("http", marks=pytest.mark.server)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """On the embedded engine, and on a server across a socket."""
    request.getfixturevalue("_chdb_engine")
    with new_store(request.getfixturevalue("chdb_url" if request.param == "chdb" else "server_url")) as made:
        yield made


def parts(store: Store) -> int:
    """How many pieces the table got."""
    return int(
        store.admin.command(
            "SELECT count() FROM system.parts "
            "WHERE database = currentDatabase() AND table = 'events' AND level = 0"
        )
    )


def insert(store: Store, columns: Columns, profile: dict[str, Any], settings: dict[str, Any]) -> None:
    """Under a profile: settings of the client, as those of a profile weaker than those of the insert."""
    client = connect(store.url, settings=profile)
    try:
        client.insert("events", columns, settings)
    finally:
        client.close()


TOKEN = {"insert_deduplication_token": "b-1"}


class TestOneBlock:
    @pytest.mark.slow
    @pytest.mark.parametrize("profile", PROFILES)
    def test_whatever_the_profile_says(self, store, profile):
        """One block, and a repetition under another profile is recognised, by the view, too."""
        columns = block()
        insert(store, columns, PROFILES[profile], {**INSERT_SETTINGS, **TOKEN})
        assert parts(store) == 1
        for other in ("rows", "bytes"):
            insert(store, columns, PROFILES[other], {**INSERT_SETTINGS, **TOKEN})
        assert store.rows() == (ROWS, ROWS, ROWS)

    @pytest.mark.slow
    @pytest.mark.parametrize(("profile", "pieces"), [("rows", 20), ("bytes", 30)])
    def test_the_control(self, store, profile, pieces):
        """Without the settings the batch is cut, and its repetition is not recognised for sure."""
        insert(store, block(), PROFILES[profile], {"async_insert": 0, **TOKEN})
        assert parts(store) >= pieces


class TestAccepted:
    def test_what_an_old_server_does_not_know(self):
        """It is left out; what exactly once stands on is sent all the same."""
        sent = accepted_settings({**INSERT_SETTINGS, **TOKEN, "max_memory_usage": 1}, {})
        assert sent == {
            "async_insert": 0,
            "deduplicate_blocks_in_dependent_materialized_views": 1,
            "distributed_foreground_insert": 1,
            "throw_on_max_partitions_per_insert_block": 0,
            "insert_deduplication_token": "b-1",
            "max_memory_usage": 1,
        }

    def test_what_a_server_does_not_let_us_change(self):
        """It is the same at each attempt then, too."""
        server = {name: SimpleNamespace(readonly=name == "max_insert_threads") for name in INSERT_SETTINGS}
        assert [*INSERT_SETTINGS.keys() - accepted_settings(INSERT_SETTINGS, server).keys()] == [
            "max_insert_threads"
        ]

    def test_the_engine_knows_them_all(self, chdb_client, chdb_url):
        """None is misspelt, and all of them go out."""
        client = connect(f"{chdb_url}?database={chdb_client.database}")
        assert isinstance(client, ClickHouseClient)
        assert accepted_settings(INSERT_SETTINGS, client.driver.server_settings) == dict(INSERT_SETTINGS)
        client.close()


class TestAnotherServer:
    """The settings are those of the server that the driver connected to; another one may answer later."""

    @pytest.mark.parametrize(
        ("code", "name"),
        [
            (115, "UNKNOWN_SETTING"),
            (164, "READONLY"),
            (452, "SETTING_CONSTRAINT_VIOLATION"),
            (471, "INVALID_SETTING_VALUE"),
            (472, "READONLY_SETTING"),
        ],
    )
    def test_that_refuses_a_setting(self, serve_faults, code, name):
        """It is asked which settings it knows, and the next attempt leaves out what it does not."""
        server = serve_faults(("exception", code, name))
        client = connected_to(server.url, SettingDef("deduplicate_insert", "auto", 0))
        with pytest.raises(PermanentError, match=name):
            client.insert("t", block(1), {**INSERT_SETTINGS, **TOKEN})
        client.insert("t", block(1), {**INSERT_SETTINGS, **TOKEN})
        assert ["deduplicate_insert" in insert.settings for insert in server.inserts] == [True, False]
        client.close()

    def test_that_allows_what_was_readonly(self, serve_faults):
        """The driver sends nothing then; it, too, has to hear that the profile has changed."""
        server = serve_faults()
        client = connected_to(server.url, SettingDef("async_insert", "1", 1))
        with pytest.raises(PermanentError, match="async_insert is readonly"):
            client.insert("t", block(1), {**INSERT_SETTINGS, **TOKEN})
        client.insert("t", block(1), {**INSERT_SETTINGS, **TOKEN})
        assert [insert.settings["async_insert"] for insert in server.inserts] == ["0"]
        client.close()


def connected_to(url: str, setting: SettingDef) -> ClickHouseClient:
    """A client that takes the server for one with that setting."""
    client = connect(url)
    assert isinstance(client, ClickHouseClient)
    client.driver.server_settings = {setting.name: setting}
    return client
