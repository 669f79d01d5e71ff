"""ClickHouse's compressed blocks: there and back, and every kind of damage."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activitylog.server import blocks
from activitylog.server.blocks import decode_blocks, encode_blocks
from activitylog.server.errors import ServerError

METHODS = ["LZ4", "ZSTD", "NONE"]

#: "hello" four times, as clickhouse-go's ch-go compresses it with lz4.
HELLO = bytes.fromhex("573ec55878c91d1080e9111d8b89446c821d000000140000005068656c6c6f0500b06f68656c6c6f68656c6c6f")


def error_of(data: bytes) -> int:
    with pytest.raises(ServerError) as caught:
        list(decode_blocks([data]))
    return caught.value.code


class TestRoundTrip:
    @pytest.mark.parametrize("method", METHODS)
    @settings(deadline=None)
    @given(data=st.lists(st.binary(max_size=3000), max_size=4), step=st.integers(1, 700))
    def test_any_chunks_in_any_cut(self, method: str, data: list[bytes], step: int):
        """What is written in blocks reads the same, wherever the stream is cut."""
        sent = b"".join(encode_blocks(data, method))
        pieces = [sent[at : at + step] for at in range(0, len(sent), step)]
        assert b"".join(decode_blocks(pieces)) == b"".join(data)

    def test_reads_what_clickhouse_go_writes(self):
        """A block made by another implementation is read."""
        assert list(decode_blocks([HELLO])) == [b"hello" * 4]

    def test_large_data_is_cut_into_blocks(self):
        """A block holds at most 1 MiB before compression."""
        assert len(list(encode_blocks([bytes((1 << 20) + 1)]))) == 2

    def test_an_unknown_method_name_means_lz4(self):
        """network_compression_method is the engine's to check; blocks fall back to its default."""
        assert next(encode_blocks([b"x"], "other"))[16] == 0x82


class TestDamage:
    sent = b"".join(encode_blocks([b"rows and rows " * 50]))

    @settings(deadline=None)
    @given(st.integers(0, len(sent) - 1), st.integers(1, 255))
    def test_any_changed_byte_is_noticed(self, at: int, by: int):
        """One changed byte anywhere never passes as data."""
        damaged = bytearray(self.sent)
        damaged[at] ^= by
        assert error_of(bytes(damaged)) in {39, 40, 271}

    @settings(deadline=None)
    @given(st.integers(1, len(sent) - 1))
    def test_any_cut_is_noticed(self, cut: int):
        """A stream that ends inside a block never passes as complete."""
        assert error_of(self.sent[:cut]) == 271

    def test_checksum_can_be_skipped(self):
        """As in ClickHouse a setting turns the check off."""
        damaged = b"\x00" * 16 + self.sent[16:]
        assert b"".join(decode_blocks([damaged], verify=False)) == b"rows and rows " * 50

    def test_a_block_over_the_limit_is_refused_unread(self):
        """The sizes in a header are checked before memory is taken for them."""
        header = struct.pack("<BII", 0x82, 100, blocks.MAX_BLOCK_BYTES + 1)
        assert error_of(bytes(16) + header + bytes(91)) == 39

    def test_unknown_method(self):
        """A method that is not lz4, zstd or none has ClickHouse's code for it."""
        header = struct.pack("<BII", 0x99, 9, 0)
        with pytest.raises(ServerError, match="0x99") as caught:
            list(decode_blocks([bytes(16) + header], verify=False))
        assert caught.value.code == 89
