"""
How a result goes back: with a length where it is small or was asked for whole, else in pieces as the engine
makes them.

Up to BUFFER_BYTES are gathered first. A result that ends within them has a Content-Length, an error within
them has its status. What is larger starts with status 200, and an error after that is told as ClickHouse
tells it: a block that begins with ``__exception__`` and the tag of the header X-ClickHouse-Exception-Tag, and
a body that breaks off, so that a client that knows nothing of tags notices, too.
"""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

from activitylog.server.compression import CHUNK_BYTES, encode
from activitylog.server.engine import Statistics
from activitylog.server.errors import ServerError

BUFFER_BYTES = 1 << 20
SPOOL_MEMORY_BYTES = 4 << 20


class BrokenResultError(Exception):
    """Ends a body before its end, so that the client sees it cut. The client was told why in the body."""


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent back."""

    status: int
    headers: list[tuple[str, str]]
    body: Iterable[bytes]


def summary(statistics: Statistics, elapsed_ns: int) -> str:
    """The value of X-ClickHouse-Summary: all numbers are strings, as ClickHouse writes them."""
    numbers = {**asdict(statistics), "total_rows_to_read": statistics.read_rows, "elapsed_ns": elapsed_ns}
    return json.dumps({name: str(value) for name, value in numbers.items()}, separators=(",", ":"))


def exception_tag() -> str:
    """Sixteen letters that no result contains."""
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(16))


def exception_block(tag: str, line: str) -> bytes:
    """What is sent in place of the rest of a result."""
    message = line.encode("utf-8", "replace") + b"\n"
    end = f"{len(message)} {tag}\r\n__exception__\r\n".encode()
    return f"\r\n__exception__\r\n{tag}\r\n".encode() + message + end


class ResultBody:
    """
    The body of a result: its beginning is gathered at once, the rest is made while it is sent.

    Args:
        pieces: what the engine makes.
        encoding: the content encoding, or None.
        everything: gather all of it, in a file where it is large (``wait_end_of_query=1``).
        error_block: what to send for an error after the head.

    Attributes:
        length: bytes of the whole body, None when it did not end within the gathered part.

    Raises:
        ServerError: the result failed within the gathered part.
    """

    def __init__(
        self,
        pieces: Iterable[bytes],
        *,
        encoding: str | None,
        everything: bool,
        error_block: Callable[[ServerError], bytes],
    ) -> None:
        self._error_block = error_block
        self._sending = self._broken = False
        self._stream = encode(encoding, self._guarded(pieces))
        # Lives until the body was sent: closed in close().
        self._file = tempfile.SpooledTemporaryFile(SPOOL_MEMORY_BYTES)  # noqa: SIM115
        try:
            self.length = self._gather(everything)
        except BaseException:
            self.close()
            raise

    def _gather(self, everything: bool) -> int | None:
        size = 0
        for piece in self._stream:
            size += self._file.write(piece)
            if size > BUFFER_BYTES and not everything:
                self._file.seek(0)
                return None
        self._file.seek(0)
        return size

    def _guarded(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        try:
            yield from pieces
        except ServerError as error:
            if not self._sending:
                raise
            self._broken = True
            yield self._error_block(error)

    def __iter__(self) -> Iterator[bytes]:
        self._sending = True
        while chunk := self._file.read(CHUNK_BYTES):
            yield chunk
        if self.length is None:
            yield from self._stream
        if self._broken:
            raise BrokenResultError

    def close(self) -> None:
        """Remove the file, stop what makes the rest."""
        self._stream.close()
        self._file.close()
