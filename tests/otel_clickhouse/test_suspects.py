"""A value that cannot be written tells of itself, or of the mapping: the one event is refused, or none at all."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord

from otel_clickhouse import BlockRefusedError, ClickHouseLogExporter, Columns, connect, encode_logs
from otel_clickhouse.insert_settings import INSERT_SETTINGS
from otel_clickhouse.layout import compile_layout
from otel_clickhouse.mapping import parse_mapping
from otel_clickhouse.testing import FailingClient
from otel_delivery import Answer
from otel_delivery.answer import SUSPECT
from otel_spool import SpooledLogRecordProcessor
from tests.otel_clickhouse.records import ACTOR_COLUMNS, FULL_RECORD, record
from tests.otel_clickhouse.stores import Store, new_store
from tests.waiting import wait_until

ACTORS = compile_layout(parse_mapping(ACTOR_COLUMNS))
_TOKENS = itertools.count(1)

#: A type that a mapping can only call String -> a value that it takes, one that it does not, and what is told.
TYPES = {
    "IPv6": ("::1", "unknown", "cannot_parse_ipv6"),
    "IPv4": ("10.0.0.1", "", "cannot_parse_ipv4"),
    "Enum8('INFO' = 1)": ("INFO", "WEIRD", "unknown_element_of_enum"),
    "DateTime64(3)": ("2026-01-01 00:00:00", "yesterday", "cannot_parse_datetime"),
}


def of(value: str) -> ReadableLogRecord:
    """A record whose value goes into the column."""
    return record({"log.record.uid": str(uuid.uuid4()), "activity.actor.type": value})


@pytest.fixture(params=["chdb", pytest.param("http", marks=pytest.mark.server)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """The embedded engine, or a server across a socket."""
    request.getfixturevalue("_chdb_engine")
    with new_store(request.getfixturevalue("chdb_url" if request.param == "chdb" else "server_url")) as made:
        yield made


@pytest.fixture
def make(exporter_for: Callable[..., ClickHouseLogExporter]) -> Callable[[Store], ClickHouseLogExporter]:
    """A process of its own, as far as an exporter remembers anything."""
    return lambda store: exporter_for(store.url, table="events", columns=ACTOR_COLUMNS)


def retype(store: Store, column: str) -> None:
    """Give the column another type, empty as the table is."""
    store.admin.command("DROP TABLE view")
    store.admin.command(f"ALTER TABLE events ADD COLUMN Kind {column}, DROP COLUMN ActorType")
    store.admin.command("ALTER TABLE events RENAME COLUMN Kind TO ActorType")


def deliver(exporter: ClickHouseLogExporter, *records: ReadableLogRecord) -> tuple[str, str]:
    """One attempt, with a token of its own."""
    answer = exporter.deliver(records, token=f"s-{next(_TOKENS)}", first_attempt_ns=None)
    return answer.status, answer.reason


def count(store: Store) -> int:
    """How many rows there are."""
    return int(store.admin.command("SELECT count() FROM events"))


@pytest.mark.parametrize("column", TYPES)
class TestTypes:
    def test_a_value_that_does_not_turn_into_the_type(self, store, make, column):
        """It waits until the table has taken another; from then on such a one is refused."""
        good, bad, reason = TYPES[column]
        retype(store, column)
        exporter, poison = make(store), of(bad)
        assert deliver(exporter, poison) == ("retry", SUSPECT)
        assert deliver(exporter, of(good)) == ("delivered", "")
        assert deliver(exporter, poison) == ("refused", reason)
        assert deliver(exporter, of(good), of(bad)) == ("refused", reason)
        assert count(store) == 1

    def test_the_first_batch_of_a_process(self, store, make, column):
        """It is halved, whoever is to blame: a half that is taken tells."""
        good, bad, reason = TYPES[column]
        retype(store, column)
        exporter, batch = make(store), [of(bad), of(good), of(good)]
        assert deliver(exporter, *batch) == ("refused", reason)
        assert deliver(exporter, batch[0]) == ("retry", SUSPECT)
        assert deliver(exporter, *batch[1:]) == ("delivered", "")
        assert deliver(exporter, batch[0]) == ("refused", reason)

    def test_in_front_of_a_spool(self, store, make, column, tmp_path):
        """What comes behind it arrives, and it becomes a letter."""
        good, bad, _ = TYPES[column]
        retype(store, column)
        provider, spool = spooled(make(store), tmp_path)
        try:
            emit(provider, of(bad))
            wait_until(lambda: spool.stats().retries)
            emit(provider, of(good))
            wait_until(lambda: sum(spool.stats().dropped.values()) == 1)
            assert (spool.stats().delivered, spool.stats().spooled, count(store)) == (1, 0, 1)
        finally:
            provider.shutdown()


def spooled(exporter: ClickHouseLogExporter, folder: Path) -> tuple[LoggerProvider, SpooledLogRecordProcessor]:
    """A pipeline with a spool."""
    spool = SpooledLogRecordProcessor(exporter, folder, schedule_delay_millis=5)
    provider = LoggerProvider()
    provider.add_log_record_processor(spool)
    return provider, spool


def emit(provider: LoggerProvider, given: ReadableLogRecord) -> None:
    """Send a record down the pipeline."""
    provider.get_logger("shop").emit(attributes=dict(given.log_record.attributes or {}))


def test_a_part_that_is_there(store, make):
    """Rows of the same batch that an earlier process has stored tell as well."""
    retype(store, "IPv6")
    batch = [of("::1"), of("unknown")]
    settings = {**INSERT_SETTINGS, "insert_deduplication_token": "t"}
    client = connect(store.url)
    client.insert("events", encode_logs(batch[:1], ACTORS), settings)
    client.close()
    answer = make(store).deliver(batch, token="t", first_attempt_ns=1)
    assert (answer.status, [*answer.rejected], count(store)) == ("delivered", [1], 1)


class TestDriver:
    @pytest.mark.parametrize(
        ("column", "values"),
        [("ScopeName", ["x", b"x"]), ("Timestamp", [object(), 1]), ("HttpStatus", [2**70, 1])],
        ids=["TypeError", "AttributeError", "DataError"],
    )
    def test_a_value_that_it_cannot_write(self, store, column, values):
        """Whatever it raises, it speaks of the block; nothing of that is stored, and the next one is."""
        columns = encode_logs([of("a"), of("b")], ACTORS)
        data = [
            values if name == column else cells for name, cells in zip(columns.names, columns.data, strict=True)
        ]
        client = connect(store.url)
        with pytest.raises(BlockRefusedError) as refused:
            client.insert("events", Columns(columns.names, columns.types, data), INSERT_SETTINGS)
        assert (refused.value.code, refused.value.perhaps_all, count(store)) == ("unwritable", True, 0)
        client.insert("events", columns, INSERT_SETTINGS)
        client.close()
        assert count(store) == 2

    def test_a_driver_that_cannot_write_at_all(self, exporter_for):
        """No event is given up for that."""
        error = BlockRefusedError("no", code="unwritable", perhaps_all=True)
        script: list[Any] = [error, error, None, error, BlockRefusedError("no", code="c")]
        client = FailingClient(script)
        exporter = exporter_for(client=lambda: client, create_schema=False)
        batches = [[FULL_RECORD], [FULL_RECORD] * 2, [FULL_RECORD], [FULL_RECORD], [FULL_RECORD]]
        answers = [exporter.deliver(batch, token=str(n), first_attempt_ns=None) for n, batch in enumerate(batches)]
        assert answers == [
            Answer("retry", SUSPECT, "no"),
            Answer("refused", "unwritable", "no"),
            Answer("delivered"),
            Answer("refused", "unwritable", "no"),
            Answer("refused", "c", "no"),
        ]
