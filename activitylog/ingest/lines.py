"""
Lines of a file or a pipe: plain or gzip by its first bytes, one at a time, each of bounded length.

Nothing here holds more than one line. A line that is too long is skipped to its end and handed out as
:class:`Rejected`, and the next line is read as if nothing had happened.
"""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final, cast

from activitylog.exceptions import IngestError

#: Longest line that is read, in bytes.
MAX_LINE_BYTES: Final = 1024 * 1024
#: How much of a rejected line is shown.
EXCERPT_BYTES: Final = 160

_GZIP_MAGIC: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Rejected:
    """
    A line that is no event.

    Attributes:
        reason: what is wrong with it, for people.
        excerpt: its beginning, as it stands in the file.
    """

    reason: str
    excerpt: str = ""


class Lines:
    """
    The lines of a stream, without their ends; blank ones are counted and left out.

    Args:
        stream: bytes, as :func:`open_source` gives them.
        max_line_bytes: longer lines come as :class:`Rejected`.

    Iterating gives ``(number, bytes | Rejected)``, numbers from 1 as an editor counts them.

    Raises:
        IngestError: while iterating, when the file cannot be read to its end (a gzip file that is cut off).
    """

    def __init__(self, stream: BinaryIO, *, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self.blank = 0
        """Lines so far that hold nothing but white space."""
        self.number = 0
        """Lines so far, all kinds."""
        self._stream = stream
        self._max_line_bytes = max_line_bytes

    def __iter__(self) -> Iterator[tuple[int, bytes | Rejected]]:
        try:
            yield from self._read()
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise IngestError(
                f"The gzip data ends or breaks after line {self.number}: {error}.",
                hint="Everything before it was read. Check the file with `gzip -t`, or fetch it again.",
            ) from None
        except OSError as error:
            raise IngestError(f"Reading stopped after line {self.number}: {error.strerror or error}.") from None

    def _read(self) -> Iterator[tuple[int, bytes | Rejected]]:
        limit = self._max_line_bytes
        readline = self._stream.readline
        while line := readline(limit + 2):
            self.number += 1
            if self.number == 1:
                line = line.removeprefix(_BOM)
            content = line.rstrip(b"\r\n")
            if len(content) > limit:
                if not line.endswith(b"\n"):
                    self._skip_to_the_end_of_the_line()
                yield self.number, Rejected(f"longer than {limit:,} bytes", excerpt(content))
            elif content.strip():
                yield self.number, content
            else:
                self.blank += 1

    def _skip_to_the_end_of_the_line(self) -> None:
        while piece := self._stream.readline(self._max_line_bytes):
            if piece.endswith(b"\n"):
                return


def excerpt(content: bytes) -> str:
    """The beginning of a line, for showing: bytes that are not UTF-8 become ``\\xff``."""
    text = content[:EXCERPT_BYTES].decode("utf-8", "backslashreplace")
    return text + "…" if len(content) > EXCERPT_BYTES else text


class Source:
    """
    An open file or pipe to read lines from.

    Attributes:
        stream: its bytes, unpacked when it was gzip.
        size: bytes of the file on disk; None for a pipe.
    """

    def __init__(self, raw: BufferedReader, size: int | None) -> None:
        packed = raw.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
        self.stream: BinaryIO = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
        self.size = size
        self._raw = raw

    def position(self) -> int:
        """Bytes of the file that were read so far, as they are on disk; 0 for a pipe."""
        return self._raw.tell() if self.size is not None else 0


@contextmanager
def open_source(path: str) -> Iterator[Source]:
    """
    Open a file to read lines from, closed at the end of the ``with`` block.

    Args:
        path: name of a file; ``-`` is standard input.

    Raises:
        IngestError: no such file, a folder, or not ours to read; with what to do next.
    """
    if path == "-":
        yield Source(cast(BufferedReader, sys.stdin.buffer), None)
        return
    try:
        raw = Path(path).open("rb")  # noqa: SIM115 - closed below; these are errors of opening only
    except FileNotFoundError:
        raise IngestError(f"There is no file {path!r}.", hint=_near(path)) from None
    except IsADirectoryError:
        raise IngestError(f"{path!r} is a folder.", hint="Give one file, or `-` for standard input.") from None
    except OSError as error:
        raise IngestError(f"Cannot open {path!r}: {error.strerror or error}.") from None
    with raw:
        status = os.fstat(raw.fileno())
        yield Source(raw, status.st_size if Path(path).is_file() else None)


def _near(path: str) -> str:
    from difflib import get_close_matches

    folder = Path(path).parent
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return f"There is no folder {str(folder)!r} either. Give the path of a file, or `-` for standard input."
    near = get_close_matches(Path(path).name, names, n=1)
    return (
        f"Did you mean {str(folder / near[0])!r}?"
        if near
        else "Give the path of a file, or `-` for standard input."
    )
