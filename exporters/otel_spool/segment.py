"""
A segment: one file of events, appended to until it is sealed, removed when all its events are settled.

Its name is ``<number>.<lane>.seg``. It begins with a header, and holds the sources of its own events, so that it
can be read alone. Lanes keep the important apart from the rest, so that the rest can be dropped without reading
anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from otel_spool.codec import Source, decode_source
from otel_spool.exceptions import CorruptError
from otel_spool.filesystem import AppendFile, FileSystem
from otel_spool.frame import EVENT_KINDS, Damage, Frame, Kind, pack, scan
from otel_spool.ranges import Range
from otel_spool.replacement import unpack_replacing

#: Events that are dropped first when the spool is full, and those that are dropped last.
ORDINARY: Final = 0
IMPORTANT: Final = 1
LANES: Final = (ORDINARY, IMPORTANT)
#: Events about which nothing is decided yet: not sent while their process lives, and never dropped.
HELD: Final = 2
#: As what those count that are given up, whatever the reason: nobody had decided that they are sent.
UNDECIDED: Final = "undecided"

_NAME: Final = re.compile(r"([0-9]{8})\.([012])\.seg")


def segment_name(number: int, lane: int) -> str:
    """The name of a segment's file."""
    return f"{number:08d}.{lane}.seg"


def parse_name(name: str) -> tuple[int, int] | None:
    """Number and lane of a segment's file; None for another file."""
    match = _NAME.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None


def header(seed: int, created_ns: int, pid: int, label: str = "") -> bytes:
    """The first frame of a file; the label says whose events these are, in the words of who writes them."""
    about = {"created_ns": created_ns, "pid": pid} | ({"label": label} if label else {})
    return pack(Kind.HEADER, seed, json.dumps(about).encode("ascii"), 0)


@dataclass(slots=True, eq=False)
class Segment:
    """
    What is known of a segment.

    Attributes:
        size: bytes that are good.
        events: how many were written.
        settled: how many of them need not be sent any more.
        frozen: batches with events of it that were frozen and have no answer yet.
        deferred: they are on disk only, for the backlog; otherwise they are in the batch processor's queue, too.
        sealed: no further event will be written.
        taken: the backlog is sending them.
        named: its name in the folder is on the medium.
        unsyncable: the system could not bring it to the medium once; after that nobody can say what is there.
        measured: ``events`` is known: we wrote the file, or have read it.
        removed: the file was removed, or somebody else did that.
        sources: those that need not be written until the file has grown beyond ``sources_until``.
    """

    path: Path
    number: int
    lane: int
    created_ns: int
    size: int = 0
    events: int = 0
    settled: int = 0
    frozen: int = 0
    deferred: bool = False
    sealed: bool = False
    taken: bool = False
    named: bool = False
    unsyncable: bool = False
    measured: bool = False
    removed: bool = False
    file: AppendFile | None = None
    sources: set[int] = field(default_factory=set)
    sources_until: int = 0

    @property
    def unsettled(self) -> int:
        """Events that must be sent."""
        return self.events - self.settled

    def append(self, frame: bytes) -> None:
        """
        Write one frame whole, or leave the file as it was.

        Raises:
            OSError: it was not written. Where even cutting the file back failed, readers find the torn frame.
        """
        file = self.file
        if file is None:
            raise OSError("the segment is sealed")
        if file.write(frame) != len(frame):
            file.truncate(self.size)
            raise OSError("a write was cut short: the disk is full, or a limit was reached")
        self.size += len(frame)

    def close(self) -> None:
        """Close the file; it stays."""
        file, self.file = self.file, None
        if file is not None:
            with suppress(OSError):
                file.close()


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is in a file."""

    number: int
    kind: int
    payload: bytes
    replaces: tuple[Range, ...] = ()


class Contents:
    """
    The contents of a segment's file.

    Attributes:
        events: in the order of the file.
        damages: pieces that are no frames.
        created_ns: from the header; 0 when it cannot be read.
    """

    def __init__(self, data: bytes, seed: int) -> None:
        self.events: list[StoredEvent] = []
        self.damages: list[Damage] = []
        self.created_ns = 0
        self._numbers: set[int] = set()
        self._sources: dict[int, bytes] = {}
        self._decoded: dict[int, Source] = {}
        for found in scan(data, seed):
            if isinstance(found, Damage):
                self.damages.append(found)
            else:
                self._take(found)

    def _take(self, frame: Frame) -> None:
        if frame.kind in EVENT_KINDS:
            self._add(StoredEvent(frame.number, frame.kind, frame.payload))
        elif frame.kind == Kind.REPLACING:
            with suppress(CorruptError):  # its checksum is right: a later version wrote it
                self._add(StoredEvent(frame.number, *unpack_replacing(frame.payload)))
        elif frame.kind == Kind.SOURCE:
            self._sources[frame.number] = frame.payload
        elif frame.kind == Kind.HEADER:
            self.created_ns = _created_ns(frame.payload)

    def _add(self, event: StoredEvent) -> None:
        if event.number not in self._numbers:  # else it is one in the text of an event, behind damage
            self._numbers.add(event.number)
            self.events.append(event)

    def source(self, number: int) -> Source:
        """
        The resource and scope of this number.

        Raises:
            CorruptError: they are not there, or not readable.
        """
        if number not in self._decoded:
            payload = self._sources.get(number)
            if payload is None:
                raise CorruptError(f"The resource of an event (number {number}) is damaged.")
            self._decoded[number] = decode_source(payload)
        return self._decoded[number]


def _created_ns(about: bytes) -> int:
    try:
        return int(json.loads(about)["created_ns"])
    except (ValueError, KeyError, TypeError):
        return 0


def seed_of(data: bytes) -> int | None:
    """The folder's seed from a file's header, when that is readable."""
    first = next(iter(scan(data[:4096], 0)), None)
    return first.number if isinstance(first, Frame) and first.kind == Kind.HEADER else None


def segments_in(filesystem: FileSystem, folder: Path) -> Iterator[tuple[Path, int, int]]:
    """Path, number and lane of the segments of a folder, by number."""
    for name in filesystem.names(folder):
        parsed = parse_name(name)
        if parsed is not None:
            yield folder / name, *parsed
