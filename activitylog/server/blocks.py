"""
ClickHouse's own compressed blocks: the URL parameters ``decompress=1`` (request) and ``compress=1``
(response).

clickhouse-go sends and asks for them over HTTP when its compression is lz4 (the Collector's default) or zstd.
A block::

    16 bytes  CityHash128 (1.0.2) of everything below
     1 byte   method: 0x82 lz4, 0x90 zstd, 0x02 none
     4 bytes  size of what follows the checksum, these nine bytes included, little-endian
     4 bytes  size when decompressed
     n bytes  data

A client puts a whole batch into one block, so a block is held in memory; MAX_BLOCK_BYTES bounds it. Blocks
written here hold at most 1 MiB.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from activitylog.server.cityhash import fastest_city_hash_128
from activitylog.server.compression import CHUNK_BYTES, lz4, zstd
from activitylog.server.errors import ServerError

MAX_BLOCK_BYTES = 256 << 20

_HEADER = struct.Struct("<BII")
_CHECKSUM_BYTES = 16
_LZ4, _ZSTD, _NONE = 0x82, 0x90, 0x02
_METHODS = {"LZ4": _LZ4, "LZ4HC": _LZ4, "ZSTD": _ZSTD, "NONE": _NONE}


class _Reader:
    """Reads exact numbers of bytes from chunks."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = bytearray()

    def take(self, count: int) -> bytes:
        """``count`` bytes, or fewer where the stream ends."""
        while len(self._held) < count and (chunk := next(self._chunks, None)) is not None:
            self._held += chunk
        taken = bytes(memoryview(self._held)[:count])
        del self._held[:count]
        return taken


def decode_blocks(chunks: Iterable[bytes], *, verify: bool = True) -> Iterator[bytes]:
    """
    Undo ``decompress=1``.

    Args:
        chunks: compressed blocks, cut anywhere.
        verify: compare the checksums (``http_native_compression_disable_checksumming_on_decompress`` turns it
            off).

    Yields:
        The data of each block.

    Raises:
        ServerError: a checksum, method or size is wrong, or the stream ends inside a block.
    """
    reader, city_hash = _Reader(chunks), fastest_city_hash_128()
    while checksum := reader.take(_CHECKSUM_BYTES):
        header = reader.take(_HEADER.size)
        if len(checksum) < _CHECKSUM_BYTES or len(header) < _HEADER.size:
            raise ServerError(271, "The body ends inside the header of a compressed block")
        method, packed_size, plain_size = _HEADER.unpack(header)
        if not _HEADER.size <= packed_size <= MAX_BLOCK_BYTES or plain_size > MAX_BLOCK_BYTES:
            raise ServerError(
                39,
                f"A compressed block of {packed_size} bytes ({plain_size} decompressed) is over the limit of "
                f"{MAX_BLOCK_BYTES} bytes, or this is no compressed block: send smaller batches",
            )
        body = reader.take(packed_size - _HEADER.size)
        if len(body) < packed_size - _HEADER.size:
            raise ServerError(271, "The body ends inside a compressed block")
        if verify and city_hash(header + body) != checksum:
            raise ServerError(40, "Checksum doesn't match: corrupted data in a compressed block")
        yield _plain(method, body, plain_size)


def _plain(method: int, body: bytes, size: int) -> bytes:
    try:
        if method == _LZ4:
            plain: bytes = lz4("block").decompress(body, uncompressed_size=size)
        elif method == _ZSTD:
            plain = zstd().ZstdDecompressor().decompress(body, size)
        elif method == _NONE:
            plain = body
        else:
            raise ServerError(89, f"Unknown compression method 0x{method:02x}: accepted are lz4, zstd and none")
    except ServerError:
        raise
    except Exception as error:
        raise ServerError(271, f"Cannot decompress a block: {error}") from error
    if len(plain) != size:
        raise ServerError(271, f"A block has {len(plain)} bytes where its header says {size}")
    return plain


def encode_blocks(chunks: Iterable[bytes], method: str = "LZ4") -> Iterator[bytes]:
    """Apply ``compress=1`` with the method of ``network_compression_method``: LZ4, ZSTD or NONE."""
    city_hash, code = fastest_city_hash_128(), _METHODS.get(method.upper(), _LZ4)
    for chunk in chunks:
        for at in range(0, len(chunk), CHUNK_BYTES):
            plain = chunk[at : at + CHUNK_BYTES]
            packed = _packed(code, plain)
            block = _HEADER.pack(code, _HEADER.size + len(packed), len(plain)) + packed
            yield city_hash(block) + block


def _packed(code: int, plain: bytes) -> bytes:
    if code == _LZ4:
        return lz4("block").compress(plain, store_size=False)  # type: ignore[no-any-return]
    if code == _ZSTD:
        return zstd().compress(plain, level=1)  # type: ignore[no-any-return]
    return plain
