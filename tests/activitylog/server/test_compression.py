"""HTTP content encodings: what goes in comes out, in bounded pieces, and damage is told."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activitylog.server.compression import CHUNK_BYTES, ENCODINGS, choose, decode, encode
from activitylog.server.errors import ServerError

chunks = st.lists(st.binary(max_size=2000), max_size=8)


def packed(encoding: str, data: bytes) -> bytes:
    return b"".join(encode(encoding, [data]))


class TestRoundTrip:
    @pytest.mark.parametrize("encoding", ENCODINGS)
    @settings(deadline=None)
    @given(data=chunks, step=st.integers(1, 500))
    def test_any_chunks_in_any_cut(self, encoding: str, data: list[bytes], step: int):
        """Encoding in any pieces and decoding in any pieces gives the same bytes."""
        sent = b"".join(encode(encoding, data))
        pieces = [sent[at : at + step] for at in range(0, len(sent), step)]
        assert b"".join(decode(encoding, pieces)) == b"".join(data)

    @pytest.mark.parametrize("encoding", ENCODINGS)
    def test_several_streams_are_one(self, encoding: str):
        """Compressed files put one after the other decode to their contents put one after the other."""
        assert b"".join(decode(encoding, [packed(encoding, b"one ") + packed(encoding, b"two")])) == b"one two"

    def test_no_encoding(self):
        """Without Content-Encoding the body is what it is."""
        assert list(decode("", [b"a", b"b"])) == [b"a", b"b"]
        assert list(encode(None, [b"a", b"b"])) == [b"a", b"b"]

    def test_the_standard_library_reads_ours(self):
        """gzip is gzip, deflate is zlib."""
        assert gzip.decompress(packed("gzip", b"rows")) == b"rows"
        assert zlib.decompress(packed("deflate", b"rows")) == b"rows"


class TestBounds:
    @pytest.mark.parametrize("encoding", ENCODINGS)
    def test_a_bomb_comes_in_pieces(self, encoding: str):
        """A body that expands a hundredfold never makes a piece larger than a chunk."""
        bomb = b"".join(encode(encoding, [bytes(1 << 20)] * 20))
        sizes = [len(piece) for piece in decode(encoding, [bomb])]
        assert sum(sizes) == 20 << 20
        assert max(sizes) <= CHUNK_BYTES


class TestDamage:
    @pytest.mark.parametrize(("encoding", "code"), [("gzip", 354), ("deflate", 354), ("zstd", 561), ("lz4", 617)])
    def test_garbage_and_cuts_are_told(self, encoding: str, code: int):
        """Each decoder reports damage under ClickHouse's code for it."""
        sent = packed(encoding, bytes(range(256)) * 40)
        for damaged in (b"this is not compressed", sent[: len(sent) // 2]):
            with pytest.raises(ServerError) as caught:
                list(decode(encoding, [damaged]))
            assert caught.value.code == code

    def test_unknown_encoding_names_the_known(self):
        """The error says what is accepted."""
        with pytest.raises(ServerError, match="accepted are zstd, lz4, gzip, deflate") as caught:
            decode("br", [])
        assert caught.value.code == 89


class TestChoice:
    @pytest.mark.parametrize(
        ("accepted", "chosen"),
        [
            ("lz4,zstd,gzip,deflate", "zstd"),
            ("gzip, deflate, br, zstd", "zstd"),
            ("gzip;q=0.5, deflate", "gzip"),
            ("gzip;q=0, deflate", "deflate"),
            ("br", None),
            ("", None),
        ],
    )
    def test_the_servers_first_that_is_accepted(self, accepted: str, chosen: str | None):
        """Of what the client takes the server picks by its own order; nothing is sent that was not named."""
        assert choose(accepted) == chosen
