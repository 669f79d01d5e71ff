"""Reading a statement off a request's stream."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from activitylog.server.errors import ServerError
from activitylog.server.execution import read_statement


def endless(first: bytes, piece: bytes, taken: list[int]) -> Iterator[bytes]:
    yield first
    while True:
        taken.append(len(piece))
        yield piece


class TestReadStatement:
    def test_reads_no_further_than_to_the_data(self):
        """The rows of an insert stay in the stream."""
        taken: list[int] = []
        stream = endless(b"INSERT INTO t FORMAT CSV\n" + b"1\n" * 10_000, b"2\n", taken)
        statement, head = read_statement(stream, 1000)
        assert (statement.sql, taken) == (b"INSERT INTO t", [])
        assert head[statement.data_offset :] == b"1\n" * 10_000

    @pytest.mark.parametrize("first", [b"SELECT ", b"INSERT INTO t SELECT ", b"INSERT INTO t (", b"-- "])
    def test_a_statement_without_end_is_refused(self, first: bytes):
        """No more than the limit and one piece is read of a statement that goes on."""
        taken: list[int] = []
        with pytest.raises(ServerError, match="Max query size exceeded") as caught:
            read_statement(endless(first, b"x, " * 100, taken), 100_000)
        assert caught.value.code == 62
        assert sum(taken) <= 100_300

    def test_small_pieces_are_put_together(self):
        """A statement may come byte by byte."""
        text = b"INSERT INTO t FORMAT Native \r\n\x00\x01"
        statement, head = read_statement((bytes([byte]) for byte in text), 1000)
        assert (statement.format, head[statement.data_offset :]) == ("Native", b"\x00\x01")
