"""
HTTP content encodings in both directions: gzip, deflate (zlib), zstd, lz4 frames.

Everything is a stream of chunks: memory is bounded by the chunk, also for a body that expands a thousandfold.
"""

from __future__ import annotations

import importlib
import sys
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Protocol

from activitylog.server.errors import ServerError

CHUNK_BYTES = 1 << 20
ENCODINGS = ("zstd", "lz4", "gzip", "deflate")

_DECODER_ERRORS = {
    "gzip": (354, "ZLIB_INFLATE_FAILED"),
    "deflate": (354, "ZLIB_INFLATE_FAILED"),
    "zstd": (561, "ZSTD_DECODER_FAILED"),
    "lz4": (617, "LZ4_DECODER_FAILED"),
}


class Decoder(Protocol):
    """What the decompressors of bz2, lzma, zstd and lz4 have in common."""

    eof: bool
    needs_input: bool
    unused_data: bytes | None

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Decode at most ``max_length`` bytes; what does not fit is kept for the next call."""


class Encoder(Protocol):
    """A streaming compressor."""

    def compress(self, data: bytes) -> bytes:
        """Take bytes in, give what is ready."""

    def flush(self) -> bytes:
        """Give the rest and the trailer."""


class _ZlibDecoder:
    """zlib's decompressor with the interface of the others."""

    def __init__(self, window_bits: int) -> None:
        self._inner = zlib.decompressobj(window_bits)
        self._filled = False

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.eof and not self._filled

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        plain = self._inner.decompress(self._inner.unconsumed_tail + data, max(max_length, 0))
        self._filled = len(plain) == max_length
        return plain


class _Lz4Encoder:
    """The lz4 frame compressor, which wants its header asked for."""

    def __init__(self) -> None:
        self._inner = lz4("frame").LZ4FrameCompressor()
        self._header: bytes = self._inner.begin()

    def compress(self, data: bytes) -> bytes:
        header, self._header = self._header, b""
        return header + self._inner.compress(data)  # type: ignore[no-any-return]

    def flush(self) -> bytes:
        header, self._header = self._header, b""
        return header + self._inner.flush()  # type: ignore[no-any-return]


def zstd() -> Any:
    """The zstd module: Python's own from 3.14, its backport before."""
    if sys.version_info >= (3, 14):
        from compression import zstd as module
    else:
        from backports import zstd as module
    return module


def lz4(part: str) -> Any:
    """The module ``lz4.frame`` or ``lz4.block``."""
    return importlib.import_module(f"lz4.{part}")


def _decoder(encoding: str) -> Callable[[], Any]:
    match encoding:
        case "gzip":
            return lambda: _ZlibDecoder(16 + zlib.MAX_WBITS)
        case "deflate":
            return lambda: _ZlibDecoder(zlib.MAX_WBITS)
        case "zstd":
            return zstd().ZstdDecompressor  # type: ignore[no-any-return]
        case "lz4":
            return lz4("frame").LZ4FrameDecompressor  # type: ignore[no-any-return]
        case _:
            raise ServerError(
                89,
                f"Unknown compression method {encoding!r} in Content-Encoding: "
                f"accepted are {', '.join(ENCODINGS)}",
            )


def decode(encoding: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """
    Undo a request's Content-Encoding.

    Args:
        encoding: ``gzip``, ``deflate``, ``zstd``, ``lz4``; empty or ``identity`` for none.
        chunks: the body. Several compressed streams one after the other are one.

    Yields:
        Plain chunks of at most CHUNK_BYTES.

    Raises:
        ServerError: an unknown encoding at once; garbled or cut data while reading.
    """
    encoding = encoding.strip().lower().removeprefix("x-")
    if encoding in ("", "identity"):
        return iter(chunks)
    return _decoded(encoding, _decoder(encoding), chunks)


def _decoded(encoding: str, new: Callable[[], Decoder], chunks: Iterable[bytes]) -> Iterator[bytes]:
    code, name = _DECODER_ERRORS[encoding]
    decoder, started = new(), False
    for chunk in chunks:
        data = chunk
        while True:
            if decoder.eof:
                data = (decoder.unused_data or b"") + data
                decoder = new() if data else decoder
            if not data and (decoder.eof or decoder.needs_input):
                break
            try:
                plain = decoder.decompress(data, CHUNK_BYTES)
            except Exception as error:
                raise ServerError(code, f"The body is not valid {encoding}: {error}", name=name) from error
            data, started = b"", True
            if plain:
                yield plain
    if started and not decoder.eof:
        raise ServerError(code, f"The {encoding} body ends in the middle", name=name)


def choose(accepted: str) -> str | None:
    """The content encoding for a response: the first of ENCODINGS in Accept-Encoding, if any."""
    offers = set()
    for offer in accepted.split(","):
        name, _, quality = offer.partition(";")
        if quality.replace(" ", "") not in ("q=0", "q=0.0"):
            offers.add(name.strip().lower())
    return next((encoding for encoding in ENCODINGS if encoding in offers), None)


def encoder(encoding: str) -> Encoder:
    """A compressor for one of ENCODINGS, tuned for speed: the other end is on this machine."""
    match encoding:
        case "lz4":
            return _Lz4Encoder()
        case "zstd":
            return zstd().ZstdCompressor(level=1)  # type: ignore[no-any-return]
        case "gzip":
            return zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        case _:
            return zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS)


def encode(encoding: str | None, chunks: Iterable[bytes]) -> Generator[bytes]:
    """Apply a content encoding, or none, to a response; without chunks there is nothing to encode."""
    if encoding is None:
        yield from chunks
        return
    compressor, empty = encoder(encoding), True
    for chunk in chunks:
        empty = False
        if packed := compressor.compress(chunk):
            yield packed
    if not empty:
        yield compressor.flush()
