"""
Everything that can be read in a spool, piece by piece, damaged files included. Nothing is changed.

    spools ─> spool ─┬─> folder ─> segment ─> events, damages
                     ├─> dead/  ─> letters, damages
                     └─> quarantine/ ─> pieces
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from opentelemetry.sdk._logs import ReadableLogRecord

from otel_spool.codec import decode_record
from otel_spool.dead_letters import FOLDER as LETTERS
from otel_spool.dead_letters import SUFFIX, letter_files, read_letters
from otel_spool.exceptions import FolderError, SpoolError
from otel_spool.filesystem import FileSystem, LocalFileSystem
from otel_spool.folder import LOCK, about_folder, is_folder_name
from otel_spool.frame import Damage, scan
from otel_spool.journal import NAME as JOURNAL
from otel_spool.journal import Journal, events_in
from otel_spool.quarantine import FOLDER as QUARANTINE
from otel_spool.ranges import Ranges
from otel_spool.segment import HELD, Contents, StoredEvent, parse_name, seed_of, segments_in
from otel_spool.status import is_held, spools_in

#: Bytes of a damaged piece that are given back.
_SHOWN_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """
    One thing in a spool.

    Attributes:
        what: ``event``, ``letter`` (an event that was refused), ``damage`` (bytes of a file that are none of
            ours), ``quarantine`` (a file that was put aside) or ``unreadable`` (one of several that this user may
            not read, or the disk does not give back; ``reason`` says why).
        path: the file.
        state: of an event: ``unsent``, ``sending`` (in a batch without a definite answer), ``undecided`` (waits in
            a window of a sampler, or is a count that goes on) or ``settled`` (need not be sent any more; the file
            goes when all are).
        number: of an event, in its folder.
        record: None where it cannot be read; ``reason`` then says why.
        reason: of a letter: why it was refused.
        detail: the same in words.
        refused_ns: when, in nanoseconds since the epoch.
        offset: in the file.
        length: bytes of a damage or of a file.
        data: the first bytes of it.
    """

    what: Literal["event", "letter", "damage", "quarantine", "unreadable"]
    path: Path
    state: str = ""
    number: int | None = None
    record: ReadableLogRecord | None = None
    reason: str = ""
    detail: str = ""
    refused_ns: int | None = None
    offset: int | None = None
    length: int | None = None
    data: bytes = b""


def pieces(path: Path, *, filesystem: FileSystem | None = None) -> Iterator[Piece]:
    """
    What is in a folder of spools, a spool, a folder of it, or a file of that.

    Raises:
        FolderError: it is none of these.
        OSError: it cannot be read.
    """
    files = filesystem or LocalFileSystem()
    if not path.is_dir():
        yield from _of_file(files, path)
    elif is_folder_name(path.name):
        yield from _of_folder(files, path)
    elif path.name == LETTERS:
        yield from _of_letter_files(files, path.parent)
    elif path.name == QUARANTINE:
        yield from _of_quarantine(files, path)
    else:
        for spool in spools_in(path):
            found = _of_spool(files, spool)
            yield from found if spool == path else _or_why(spool, found)


def _or_why(path: Path, found: Iterator[Piece]) -> Iterator[Piece]:
    """What is in one of several; where that cannot be read, the others are shown all the same."""
    try:
        yield from found
    except OSError as error:
        yield Piece(what="unreadable", path=path, reason=error.strerror or type(error).__name__)


def _of_spool(files: FileSystem, spool: Path) -> Iterator[Piece]:
    for name in files.names(spool):
        if is_folder_name(name):
            yield from _or_why(spool / name, _of_folder(files, spool / name))
    yield from _or_why(spool / LETTERS, _of_letter_files(files, spool))
    if (spool / QUARANTINE).is_dir():
        yield from _or_why(spool / QUARANTINE, _of_quarantine(files, spool / QUARANTINE))


def _of_letter_files(files: FileSystem, spool: Path) -> Iterator[Piece]:
    yield from _of_files(files, letter_files(files, spool))


def _of_files(files: FileSystem, paths: Iterable[Path]) -> Iterator[Piece]:
    for path in paths:
        with suppress(FileNotFoundError):  # delivered meanwhile
            yield from _of_file(files, path)


def _of_folder(files: FileSystem, folder: Path) -> Iterator[Piece]:
    with suppress(FileNotFoundError):
        yield from _of_files(files, [path for path, _, _ in segments_in(files, folder)])


def _of_quarantine(files: FileSystem, folder: Path) -> Iterator[Piece]:
    for name in files.names(folder):
        path = folder / name
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        yield from (_aside(files, file) for file in inside if file.name != LOCK)


def _of_file(files: FileSystem, path: Path) -> Iterator[Piece]:
    if QUARANTINE in (path.parent.name, path.parent.parent.name):
        yield _aside(files, path)
    elif parse_name(path.name):
        yield from _of_segment(files, path)
    elif path.name.endswith(SUFFIX):
        yield from _of_letters(files, path)
    else:
        raise FolderError(
            f"{path} is no file of a spool.",
            hint=f"Name a spool, a folder in it, a segment (*.seg), a file of {LETTERS}/ or of {QUARANTINE}/.",
        )


def _aside(files: FileSystem, path: Path) -> Piece:
    data = files.read(path)
    return Piece(what="quarantine", path=path, length=len(data), data=data[:_SHOWN_BYTES])


def _damage(path: Path, data: bytes, found: Damage) -> Piece:
    shown = data[found.offset : found.offset + min(found.length, _SHOWN_BYTES)]
    return Piece(what="damage", path=path, offset=found.offset, length=found.length, data=shown)


def _of_letters(files: FileSystem, path: Path) -> Iterator[Piece]:
    for letter in read_letters(files, path):
        yield Piece(
            what="letter",
            path=path,
            record=letter.record,
            reason=letter.reason,
            detail=letter.detail,
            refused_ns=letter.refused_ns,
        )
    data = files.read(path)
    damages = (found for found in scan(data, seed_of(data) or 0) if isinstance(found, Damage))
    yield from (_damage(path, data, found) for found in damages)


def _of_segment(files: FileSystem, path: Path) -> Iterator[Piece]:
    data = files.read(path)
    seed = seed_of(data)
    if seed is None:
        seed = about_folder(files, path.parent)[0] or 0
    contents = Contents(data, seed)
    state = _State(files, path, seed)
    for event in contents.events:
        yield _event(path, event, contents, state.of(event.number))
    live = is_held(path.parent / LOCK)
    yield from (_damage(path, data, found) for found in contents.damages if not (live and found.cut))


class _State:
    """What the journal says of events."""

    def __init__(self, files: FileSystem, segment: Path, seed: int) -> None:
        parsed = parse_name(segment.name)
        self._otherwise = "undecided" if parsed is not None and parsed[1] == HELD else "unsent"
        self._settled, self._sending = Ranges(), Ranges()
        if (segment.parent / JOURNAL).exists():
            journal = Journal(files, segment.parent, seed)
            journal.read()
            self._settled, self._sending = journal.settled, events_in(journal.pending.values())

    def of(self, number: int) -> str:
        if number in self._settled:
            return "settled"
        return "sending" if number in self._sending else self._otherwise


def _event(path: Path, event: StoredEvent, contents: Contents, state: str) -> Piece:
    try:
        record = decode_record(event.kind, event.payload, contents.source)
    except SpoolError as error:
        shown = event.payload[:_SHOWN_BYTES]
        return Piece(what="event", path=path, state=state, number=event.number, reason=error.message, data=shown)
    return Piece(what="event", path=path, state=state, number=event.number, record=record)
