"""clickhouse-connect as it is, over the socket."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import io
import threading
import uuid
import zlib
from collections.abc import Iterator
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from clickhouse_connect.driver.external import ExternalData

from activitylog.server.compression import lz4, zstd
from tests.activitylog.server.conftest import Http


@pytest.fixture
def connect(http_request: Http) -> Iterator[Any]:
    """Makes clients in the test's database."""
    clients = []

    def make(**options: Any) -> Any:
        server = http_request.server
        client = clickhouse_connect.get_client(
            host=server.host,
            port=server.port,
            database=http_request.database,
            username="any",
            password="one",
            **options,
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


class TestQueries:
    def test_negotiates_block_info(self, connect: Any):
        """The server honours client_protocol_version, as the client finds out when it connects."""
        assert connect().protocol_version == 54405

    def test_values_and_parameters(self, connect: Any):
        """Values of many types come back as they are; parameters go as they are."""
        query = "SELECT {s:String}, {n:Nullable(Int32)}, {a:Array(String)}, {t:DateTime64(3, 'UTC')}, {u:UUID}"
        when = datetime.datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.UTC)
        values = {"s": "it's\t\\ü\n", "n": None, "a": ["x", "y'"], "t": when, "u": uuid.UUID(int=5)}
        row = connect(tz_mode="aware").query(query, parameters=values).result_rows[0]
        assert row == tuple(values.values())

    def test_settings(self, connect: Any):
        """A setting of one query stays with it."""
        client = connect()
        assert client.query("SELECT getSetting('max_threads')", settings={"max_threads": 1}).result_rows == [(1,)]
        assert client.command("SELECT getSetting('max_block_size')") != 1

    @pytest.mark.parametrize("compress", [False, "gzip", "deflate", "lz4", "zstd"])
    def test_many_rows(self, connect: Any, compress: Any):
        """A result of several blocks is whole, under each compression."""
        client = connect(compress=compress)
        rows = client.query("SELECT number, toString(number) FROM numbers(200000)").result_columns
        assert (sum(rows[0]), rows[1][-1]) == (19999900000, "199999")

    def test_columns_without_rows(self, connect: Any):
        """LIMIT 0 tells names and types."""
        result = connect().query("SELECT 1 AS a, 'x' AS b LIMIT 0")
        assert (result.column_names, [kind.name for kind in result.column_types]) == (
            ("a", "b"),
            ["UInt8", "String"],
        )

    def test_numpy_and_arrow(self, connect: Any):
        """The other shapes of a result work, too."""
        client = connect()
        assert client.query_np("SELECT number AS n FROM numbers(3)").tolist() == [[0], [1], [2]]
        assert client.query_arrow("SELECT number AS n FROM numbers(3)").to_pydict() == {"n": [0, 1, 2]}
        assert client.query_df("SELECT number AS n FROM numbers(3)").n.tolist() == [0, 1, 2]

    def test_forms(self, connect: Any):
        """Parameters that are too long for a URL go in a form."""
        client = connect(form_encode_query_params=True)
        assert client.query("SELECT length({a:String})", parameters={"a": "x" * 100_000}).result_rows == [
            (100_000,)
        ]

    def test_session_by_default(self, connect: Any):
        """With the client's own session id temporary tables last."""
        client = connect(autogenerate_session_id=True)
        client.command("CREATE TEMPORARY TABLE t (a UInt8)")
        client.insert("t", [[1], [2]])
        assert client.query("SELECT sum(a) FROM t").result_rows == [(3,)]

    def test_external_data_is_refused(self, connect: Any):
        """What is not served says so."""
        data = ExternalData(file_name="t.csv", fmt="CSV", structure="a UInt8", data=b"1")
        with pytest.raises(DatabaseError, match="External tables are not served"):
            connect().query("SELECT * FROM t", external_data=data)

    def test_async_client(self, http_request: Http):
        """The asynchronous client works alike."""

        async def run() -> Any:
            server = http_request.server
            async with await clickhouse_connect.get_async_client(host=server.host, port=server.port) as client:
                return (await client.query("SELECT 1 + 1")).result_rows

        assert asyncio.run(run()) == [(2,)]


class TestErrors:
    @pytest.mark.parametrize(
        ("query", "code", "name"),
        [
            ("SELECT * FROM nope", 60, "UNKNOWN_TABLE"),
            ("SELEC 1", 62, "SYNTAX_ERROR"),
            ("SELECT nope", 47, "UNKNOWN_IDENTIFIER"),
        ],
    )
    def test_code_and_name(self, connect: Any, query: str, code: int, name: str):
        """An error arrives with its code and name."""
        with pytest.raises(DatabaseError) as caught:
            connect().query(query)
        assert (caught.value.code, caught.value.name) == (code, name)

    @pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
    def test_late_errors_are_noticed(self, connect: Any, compress: Any):
        """An error behind rows that were sent already ends the stream with its text."""
        client = connect(compress=compress)
        query = "SELECT number, throwIf(number = 300000), randomString(20) FROM numbers(400000)"
        with (
            pytest.raises(StreamFailureError, match="Code: 395"),
            client.query_column_block_stream(query) as stream,
        ):
            assert sum(len(block[0]) for block in stream) < 300_000


class TestInserts:
    @pytest.mark.parametrize("compress", [False, "gzip", "lz4", "zstd"])
    def test_columns(self, connect: Any, compress: Any):
        """A batch by columns arrives whole, under each compression."""
        client = connect(compress=compress)
        client.command(
            "CREATE TABLE t (a UInt64, s LowCardinality(String), m Map(String, String)) ENGINE = MergeTree "
            "ORDER BY a"
        )
        columns = [
            list(range(10_000)),
            [f"s{n % 9}" for n in range(10_000)],
            [{"k": str(n)} for n in range(10_000)],
        ]
        summary = client.insert("t", columns, column_names=["a", "s", "m"], column_oriented=True)
        assert summary.written_rows == 10_000
        assert list(client.query("SELECT * FROM t ORDER BY a").result_columns) == columns

    @pytest.mark.parametrize("compression", [None, "gzip", "lz4", "zstd", "deflate"])
    def test_raw(self, connect: Any, compression: str | None):
        """Rows in a file go as they are, the statement in the URL."""
        pack: dict[str | None, Any] = {
            None: bytes,
            "gzip": gzip.compress,
            "lz4": lz4("frame").compress,
            "zstd": zstd().compress,
            "deflate": zlib.compress,
        }
        client = connect()
        client.command("CREATE TABLE t (a UInt64) ENGINE = Memory")
        rows = io.BytesIO(pack[compression](b"1\n2\n3\n"))
        client.raw_insert("t", ["a"], rows, fmt="CSV", compression=compression)
        assert client.command("SELECT sum(a) FROM t") == 6

    def test_arrow(self, connect: Any):
        """Arrow tables go in, too."""
        import pyarrow as pa

        client = connect()
        client.command("CREATE TABLE t (a Int64) ENGINE = Memory")
        client.insert_arrow("t", pa.table({"a": [1, 2, 3]}))
        assert client.command("SELECT sum(a) FROM t") == 6

    def test_clients_at_the_same_time(self, connect: Any):
        """Several clients insert and read at once; no row is lost or doubled."""
        client = connect()
        client.command("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
        failed: list[Exception] = []

        def work(number: int) -> None:
            try:
                for at in range(10):
                    own = clients[number]
                    own.insert("t", [[number * 1000 + at * 100 + n] for n in range(100)])
                    own.query("SELECT count() FROM t")
            except Exception as error:  # noqa: BLE001 - shown by the assertion
                failed.append(error)

        clients = [connect() for _ in range(6)]
        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert client.query("SELECT count(), uniqExact(a) FROM t").result_rows == [(6000, 6000)]
