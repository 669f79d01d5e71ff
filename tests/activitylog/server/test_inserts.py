"""Rows that go in: formats, compressed and chunked bodies, damage, limits, one part for one batch."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

import pytest

from activitylog.server.blocks import encode_blocks
from activitylog.server.compression import lz4, zstd
from tests.activitylog.server.conftest import Http

COMPRESSORS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd().compress,
    "lz4": lz4("frame").compress,
}


class TestInserts:
    @pytest.fixture(autouse=True)
    def _table(self, http_request: Http) -> None:
        http_request("CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")

    def rows(self, http_request: Http) -> str:
        return http_request("SELECT * FROM t ORDER BY a FORMAT CSV").text

    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("Values", b"(1, 'x'), (2, upper('y'))"),
            ("JSONEachRow", b'{"a":1,"s":"x"}\n{"a":2,"s":"Y"}'),
            ("CSV", b"1,x\n2,Y\n"),
            ("RowBinary", b"\x01\0\0\0\0\0\0\0\x01x\x02\0\0\0\0\0\0\0\x01Y"),
            ("Native", b"\x02\x02\x01a\x06UInt64\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01s\x06String\x01x\x01Y"),
        ],
    )
    def test_formats(self, http_request: Http, name: str, data: bytes):
        """Rows come in each format, behind the statement or beside it."""
        assert http_request(f"INSERT INTO t FORMAT {name}\n".encode() + data).status == 200
        assert self.rows(http_request) == '1,"x"\n2,"Y"\n'
        http_request("TRUNCATE TABLE t")
        assert http_request(data, query=f"INSERT INTO t (a, s) FORMAT {name}").status == 200
        assert self.rows(http_request) == '1,"x"\n2,"Y"\n'

    @pytest.mark.parametrize("encoding", COMPRESSORS)
    def test_compressed(self, http_request: Http, encoding: str):
        """The body, statement included, may have any content encoding."""
        body = COMPRESSORS[encoding](b"INSERT INTO t VALUES (1, 'x')")
        assert http_request(body, headers={"Content-Encoding": encoding}).status == 200
        assert self.rows(http_request) == '1,"x"\n'

    def test_chunked(self, http_request: Http):
        """A body of unknown length is taken in chunks."""

        def body() -> Iterator[bytes]:
            yield b"INSERT INTO t FORMAT JSONEachRow\n"
            for number in range(1000):
                yield b'{"a":%d,' % number
                yield b'"s":"x"}\n'

        # http.client sends an iterator in chunks.
        assert http_request(body(), method="POST").status == 200
        assert http_request("SELECT count(), sum(a) FROM t").text == "1000\t499500\n"

    def test_compressed_blocks(self, http_request: Http):
        """decompress=1 takes ClickHouse's own blocks, as clickhouse-go sends them."""
        for method in ("LZ4", "ZSTD", "NONE"):
            body = b"".join(encode_blocks([b"INSERT INTO t VALUES ", b"(1, 'x')"], method))
            assert http_request(body, decompress=1).status == 200
        assert http_request("SELECT count() FROM t").text == "3\n"

    def test_bad_rows(self, http_request: Http):
        """A row that cannot be read is the client's error, and nothing is inserted."""
        answer = http_request('INSERT INTO t FORMAT JSONEachRow {"a":1,"s":"x"} {"a":"zzz"}')
        assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (400, "27")
        assert self.rows(http_request) == ""

    @pytest.mark.parametrize(
        ("target", "code"),
        [("constrained", "469"), ("computed", "6"), ("viewed", "395")],
    )
    @pytest.mark.parametrize("form", ["VALUES (1, 'x')", "SETTINGS async_insert = 0 FORMAT CSV\n1,x\n"])
    def test_rows_that_the_table_does_not_take(self, http_request: Http, target: str, code: str, form: str):
        """A constraint, a default that throws, a view that throws: the client is told."""
        for sql in (
            "CREATE TABLE constrained (a UInt8, s String, CONSTRAINT c CHECK s != 'x') "
            "ENGINE = MergeTree ORDER BY a",
            "CREATE TABLE computed (a UInt8, s String, n UInt8 DEFAULT toUInt8(s)) ENGINE = MergeTree ORDER BY a",
            "CREATE TABLE viewed (a UInt8, s String) ENGINE = MergeTree ORDER BY a",
            "CREATE MATERIALIZED VIEW view ENGINE = Memory AS SELECT throwIf(s = 'x') AS n FROM viewed",
        ):
            assert http_request(sql).status == 200
        answer = http_request(f"INSERT INTO {target} (a, s) {form}")
        assert (answer.status >= 400, answer.headers["x-clickhouse-exception-code"]) == (True, code)

    def test_the_message_names_no_file(self, http_request: Http):
        """By which way the rows got into the engine is no concern of the client's."""
        answer = http_request("INSERT INTO t VALUES (1")
        assert answer.text == (
            "Code: 62. DB::Exception: Expected ',' after the value of column `a` of type UInt64 here: 1: While "
            f"executing ValuesBlockInputFormat. (SYNTAX_ERROR) (version {self.version(http_request)})\n"
        )

    @staticmethod
    def version(http_request: Http) -> str:
        return http_request("SELECT version()").text.strip()

    @pytest.mark.parametrize("encoding", COMPRESSORS)
    def test_a_cut_body_inserts_nothing(self, http_request: Http, encoding: str):
        """A compressed body that ends in the middle is an error and leaves no rows."""
        body = COMPRESSORS[encoding](
            b"INSERT INTO t FORMAT CSV\n" + b"".join(b"%d,x\n" % n for n in range(10_000))
        )
        answer = http_request(body[:-4], headers={"Content-Encoding": encoding})
        assert answer.status == 500
        assert http_request("SELECT count() FROM t").text == "0\n"

    def test_one_request_is_one_part(self, http_request: Http):
        """A batch of some MB becomes one part, so that one deduplication token covers it."""
        body = b"INSERT INTO t FORMAT CSV\n" + b"".join(b"%d,%s\n" % (n, b"x" * 30) for n in range(100_000))
        assert http_request(body).status == 200
        query = "SELECT rows FROM system.parts WHERE database = currentDatabase() AND active"
        assert http_request(query).text == "100000\n"

    def test_token_deduplicates(self, http_request: Http):
        """The same batch under the same token is stored once."""
        http_request(
            "CREATE TABLE d (a UInt64) ENGINE = MergeTree ORDER BY a "
            "SETTINGS non_replicated_deduplication_window = 10"
        )
        for token in ("one", "one", "two"):
            http_request("INSERT INTO d VALUES (1)", insert_deduplication_token=token, async_insert=0)
        assert http_request("SELECT count() FROM d").text == "2\n"

    def test_too_large(self, http_request: Http):
        """A body over the limit is 413 and says the limit."""
        answer = http_request(b"INSERT INTO t FORMAT CSV\n" + b" " * 8_000_000)
        assert answer.status == 413
        assert "(8000000 bytes)" in answer.text
        assert answer.headers["x-clickhouse-exception-code"] == "229"


class TestRefused:
    """An insert that the engine does not make is not answered with 200, whatever it is that fails."""

    @pytest.mark.parametrize(
        ("create", "code"),
        [
            ("CREATE TABLE t (a UInt64, CONSTRAINT c CHECK a > 5) ENGINE = MergeTree ORDER BY a", "469"),
            (
                "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS parts_to_throw_insert = 1",
                "252",
            ),
        ],
        ids=["constraint", "parts"],
    )
    def test_by_the_table(self, http_request: Http, create: str, code: str):
        """A constraint; too many parts: the first insert is stored, the second one is not, and says so."""
        http_request(create)
        answers = [http_request(f"INSERT INTO t VALUES ({number})") for number in (1, 1)]
        assert answers[-1].status != 200
        assert answers[-1].headers["x-clickhouse-exception-code"] == code
        stored = sum(answer.status == 200 for answer in answers)
        assert http_request("SELECT count() FROM t FORMAT CSV").text == f"{stored}\n"

    @pytest.mark.parametrize("engine", ["MergeTree ORDER BY a", "Null"])
    def test_by_a_view(self, http_request: Http, engine: str):
        """A view that fails behind the table: behind a Null table its rows would be nowhere."""
        http_request(f"CREATE TABLE t (a UInt64) ENGINE = {engine}")
        http_request("CREATE TABLE u (a UInt64) ENGINE = MergeTree ORDER BY a")
        http_request("CREATE MATERIALIZED VIEW v TO u AS SELECT a + throwIf(a > 5, 'no') AS a FROM t")
        assert http_request("INSERT INTO t VALUES (1)").status == 200
        answer = http_request('INSERT INTO t FORMAT JSONEachRow\n{"a": 7}')
        assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (500, "395")
        assert http_request("SELECT count() FROM u FORMAT CSV").text == "1\n"

    def test_settings_of_its_own(self, http_request: Http):
        """Between the columns and the format, as the statement has them."""
        http_request("CREATE TABLE t (a UInt64, `SETTINGS` String) ENGINE = MergeTree ORDER BY a")
        sql = "INSERT INTO t (a, `SETTINGS`) SETTINGS async_insert = 0 FORMAT JSONEachRow\n"
        assert http_request(sql + '{"a": 1, "SETTINGS": "x"}').status == 200
        assert http_request("SELECT * FROM t FORMAT CSV").text == '1,"x"\n'
