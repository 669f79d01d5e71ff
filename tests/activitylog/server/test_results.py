"""What comes back: formats, headers, errors, compression."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import zlib
from typing import Any

import pytest

from activitylog.server.blocks import decode_blocks
from activitylog.server.compression import lz4, zstd
from tests.activitylog.server.conftest import Http

DECOMPRESSORS = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "zstd": zstd().decompress,
    "lz4": lz4("frame").decompress,
}


class TestFormats:
    @pytest.mark.parametrize(
        ("query", "body", "content_type"),
        [
            ("SELECT 1 AS a, 'x' AS b", "1\tx\n", "text/tab-separated-values; charset=UTF-8"),
            ("SELECT 1 AS a FORMAT JSONEachRow", '{"a":1}\n', "application/x-ndjson; charset=UTF-8"),
            ("SELECT 1 AS a FORMAT CSVWithNames", '"a"\n1\n', "text/csv; charset=UTF-8; header=present"),
            ("SELECT 1 AS a FORMAT Native", "\x01\x01\x01a\x05UInt8\x01", "application/octet-stream"),
            ("SELECT 1 AS a FORMAT RowBinary", "\x01", "application/octet-stream"),
            ("SELECT 1 AS a FORMAT Values", "(1)", "text/plain; charset=UTF-8"),
            ("SELECT 'a' AS a FORMAT XML", None, "application/xml; charset=UTF-8"),
            ("SHOW TABLES FROM default LIKE 'no' FORMAT CSV", "", "text/csv; charset=UTF-8; header=absent"),
            ("EXISTS nope", "0\n", "text/tab-separated-values; charset=UTF-8"),
        ],
    )
    def test_body_and_type(self, http_request: Http, query: str, body: str | None, content_type: str):
        """Each format has ClickHouse's bytes and Content-Type."""
        answer = http_request(query)
        assert answer.headers["content-type"] == content_type
        assert body is None or answer.text == body

    def test_json_is_whole(self, http_request: Http):
        """A format with a head and a foot is one document, however many blocks it has."""
        answer = http_request("SELECT number FROM numbers(200000) FORMAT JSON SETTINGS max_block_size = 1000")
        document = json.loads(answer.body)
        assert (document["rows"], document["data"][-1]) == (200000, {"number": 199999})

    def test_parquet_is_whole(self, http_request: Http):
        """Binary documents, too."""
        answer = http_request("SELECT number FROM numbers(200000) FORMAT Parquet")
        assert (answer.body[:4], answer.body[-4:]) == (b"PAR1", b"PAR1")

    def test_totals(self, http_request: Http):
        """WITH TOTALS writes what ClickHouse writes."""
        query = "SELECT number % 2 AS k, count() FROM numbers(10) GROUP BY k WITH TOTALS ORDER BY k"
        assert http_request(query).text == "0\t5\n1\t5\n\n0\t10\n"

    def test_array_of_rows(self, http_request: Http):
        """A setting that gives JSONEachRow a head and a foot is honoured over all blocks."""
        settings: dict[str, Any] = {"output_format_json_array_of_rows": 1, "max_block_size": 1}
        answer = http_request("SELECT number FROM numbers(3) FORMAT JSONEachRow", **settings)
        assert json.loads(answer.body) == [{"number": 0}, {"number": 1}, {"number": 2}]

    def test_default_format(self, http_request: Http):
        """default_format and the header serve queries without FORMAT; FORMAT wins."""
        assert http_request("SELECT 1 AS a", default_format="JSONEachRow").text == '{"a":1}\n'
        assert http_request("SELECT 1 AS a", headers={"X-ClickHouse-Format": "CSVWithNames"}).text == '"a"\n1\n'
        assert http_request("SELECT 1 AS a FORMAT CSV", default_format="JSON").text == "1\n"

    def test_no_rows(self, http_request: Http):
        """A result without rows is empty, and still names its format."""
        answer = http_request("SELECT 1 WHERE 0 FORMAT Native")
        assert (answer.body, answer.headers["x-clickhouse-format"]) == (b"", "Native")

    def test_statement_without_result(self, http_request: Http):
        """What returns nothing names no format."""
        answer = http_request("CREATE TABLE t (a Int8) ENGINE = Memory")
        assert (answer.status, answer.body, "x-clickhouse-format" in answer.headers) == (200, b"", False)

    def test_unknown_format(self, http_request: Http):
        """The engine's error for it, in each way of making a result."""
        for query in ("SELECT 1 FORMAT Nope", "SHOW TABLES FORMAT Nope"):
            assert http_request(query).headers["x-clickhouse-exception-code"] == "73"

    def test_a_format_is_a_name(self, http_request: Http):
        """A default format cannot carry SQL."""
        for query in ("SELECT 1", "SHOW TABLES"):
            answer = http_request(query, default_format="JSON; DROP TABLE t")
            assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (404, "73")


class TestHeaders:
    def test_of_a_result(self, http_request: Http):
        """The headers that clients read are there."""
        answer = http_request("SELECT sum(number) FROM numbers(1000)", query_id="my-id")
        summary = json.loads(answer.headers["x-clickhouse-summary"])
        assert (summary["read_rows"], summary["result_rows"]) == ("1000", "1")
        assert int(summary["elapsed_ns"]) > 0
        assert answer.headers["x-clickhouse-query-id"] == "my-id"
        assert answer.headers["x-clickhouse-format"] == "TabSeparated"
        assert answer.headers["x-clickhouse-timezone"] == http_request("SELECT serverTimezone()").text.strip()
        assert answer.headers["x-clickhouse-server-display-name"]

    def test_query_id_is_made_and_clean(self, http_request: Http):
        """Without one a query gets an id; a given one cannot break the headers."""
        assert len(http_request("SELECT 1").headers["x-clickhouse-query-id"]) == 36
        assert http_request("SELECT 1", query_id="a\r\nX-Evil: 1").headers["x-clickhouse-query-id"] == "aX-Evil: 1"

    def test_summary_of_an_insert(self, http_request: Http):
        """The rows that were written are counted."""
        http_request("CREATE TABLE t (a UInt64) ENGINE = Memory")
        for body in ("INSERT INTO t VALUES (1), (2), (3)", "INSERT INTO t SELECT number FROM numbers(3)"):
            assert json.loads(http_request(body).headers["x-clickhouse-summary"])["written_rows"] == "3"


class TestErrors:
    @pytest.mark.parametrize(
        ("query", "status", "code", "name"),
        [
            ("SELEC 1", 400, 62, "SYNTAX_ERROR"),
            ("", 400, 62, "SYNTAX_ERROR"),
            ("SELECT 'a", 400, 62, "SYNTAX_ERROR"),
            ("SELECT 1; SELECT 2", 400, 62, "SYNTAX_ERROR"),
            ("SELECT * FROM nope", 404, 60, "UNKNOWN_TABLE"),
            ("SELECT nope", 404, 47, "UNKNOWN_IDENTIFIER"),
            ("SELECT nope(1)", 404, 46, "UNKNOWN_FUNCTION"),
            ("SELECT * FROM nope.nope", 404, 81, "UNKNOWN_DATABASE"),
            ("SELECT {a:String}", 500, 456, "UNKNOWN_QUERY_PARAMETER"),
            ("SELECT throwIf(1)", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
            ("SELECT 1 INTO OUTFILE 'x'", 500, 358, "INTO_OUTFILE_NOT_ALLOWED"),
            ("INSERT INTO t FROM INFILE 'x' FORMAT CSV", 501, 48, "NOT_IMPLEMENTED"),
            ("INSERT INTO nope VALUES (1)", 404, 60, "UNKNOWN_TABLE"),
        ],
    )
    def test_code_status_and_line(self, http_request: Http, query: str, status: int, code: int, name: str):
        """An exception has ClickHouse's status, header and line."""
        answer = http_request(query)
        assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (status, str(code))
        assert answer.text.startswith(f"Code: {code}. DB::Exception: ")
        assert f" ({name}) (version " in answer.text
        assert answer.text.endswith(")\n")

    def test_a_late_error_is_told_in_the_body(self, http_request: Http):
        """After the head was sent, the body breaks off behind an exception with the tag of the headers."""
        connection = http_request.connection()
        connection.request("POST", "/", "SELECT number, throwIf(number = 3000000) FROM numbers(4000000)")
        response = connection.getresponse()
        assert response.status == 200
        with pytest.raises(http.client.IncompleteRead) as caught:
            response.read()
        connection.close()
        tag = response.headers["X-ClickHouse-Exception-Tag"].encode()
        rows, block = caught.value.partial.split(b"\r\n__exception__\r\n" + tag + b"\r\n")
        assert rows.startswith(b"0\t0\n1\t0\n")
        parts = re.fullmatch(rb"(.*\n)(\d+) " + tag + rb"\r\n__exception__\r\n", block, re.DOTALL)
        assert parts is not None
        assert parts[1].startswith(b"Code: 395. DB::Exception: ")
        assert int(parts[2]) == len(parts[1])

    def test_waiting_for_the_end_gives_late_errors_their_status(self, http_request: Http):
        """With wait_end_of_query=1 nothing is sent before the result is known."""
        answer = http_request(
            "SELECT number, throwIf(number = 3000000) FROM numbers(4000000)", wait_end_of_query=1
        )
        assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (500, "395")


class TestResponses:
    @pytest.mark.parametrize("encoding", DECOMPRESSORS)
    @pytest.mark.parametrize("rows", [1, 500_000])
    def test_compressed(self, http_request: Http, encoding: str, rows: int):
        """A result, short or streamed, comes in the encoding that the client accepts."""
        query = f"SELECT number FROM numbers({rows}) FORMAT CSV"
        answer = http_request(query, enable_http_compression=1, headers={"Accept-Encoding": encoding})
        assert answer.headers["content-encoding"] == encoding
        plain = DECOMPRESSORS[encoding](answer.body)
        assert plain == b"".join(b"%d\n" % number for number in range(rows))

    def test_only_when_asked(self, http_request: Http):
        """enable_http_compression=0 turns it off whatever the client accepts."""
        answer = http_request("SELECT 1", enable_http_compression=0, headers={"Accept-Encoding": "gzip"})
        assert answer.body == b"1\n"

    @pytest.mark.parametrize("method", ["LZ4", "ZSTD"])
    def test_compressed_blocks(self, http_request: Http, method: str):
        """compress=1 answers in ClickHouse's own blocks, errors included."""
        asked: dict[str, Any] = {"compress": 1, "network_compression_method": method}
        answer = http_request("SELECT number FROM numbers(3)", **asked)
        assert b"".join(decode_blocks([answer.body])) == b"0\n1\n2\n"
        error = b"".join(decode_blocks([http_request("SELEC 1", **asked).body]))
        assert error.startswith(b"Code: 62.")

    def test_errors_are_compressed_too(self, http_request: Http):
        """An error has the encoding that its headers say."""
        answer = http_request("SELEC 1", enable_http_compression=1, headers={"Accept-Encoding": "gzip"})
        assert gzip.decompress(answer.body).startswith(b"Code: 62.")

    def test_short_results_keep_the_connection(self, http_request: Http):
        """Answers with a length leave the connection open for the next query."""
        connection = http_request.connection()
        for number in range(3):
            connection.request("POST", "/", f"SELECT {number}")
            response = connection.getresponse()
            assert (response.read(), response.will_close) == (b"%d\n" % number, False)
        connection.close()
