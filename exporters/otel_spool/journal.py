"""
What became of the events of a folder: which batches were frozen, and which events need not be sent any more.

The journal is a file of frames (:mod:`otel_spool.frame`) whose payloads are JSON::

    FROZEN   {"t": token, "r": [[first, last], ...], "ns": time}   before a batch is sent for the first time
    SPLIT    {"t": token}                                          it was refused: its halves are sent instead
    SETTLED  {"t": token} or {"r": [[first, last], ...]}           delivered, or given up and counted
             {"s": segment, "n": events}                           a segment was given up with so many, counted
             {..., "lost": {reason: events}}                       with any of these: so many of them were given up
             {"damaged": 1}                                        an earlier reader found entries damaged
    LOST     {reason: events}                                      were given up (their numbers are settled, too)
    TOLD     {reason: events}                                      somebody was told of these losses

What settles events also says how many of them are lost: between two entries the process may be killed. ``LOST``
alone is what a file that is written anew says of all of them. The first versions wrote it behind each entry
instead, which is read in the same way; a reader of theirs leaves ``"lost"`` out, and so does not tell of it.

The ranges of a frozen batch are in the batch's order. A process that finds the folder later sends exactly these
events again, in this order, with this token. When the file has grown it is written anew with what still matters,
beside the old one, and renamed over it.

The state in memory is always right. Where the file could not follow it (a full disk beyond the reserve, a failing
one), it is *behind*, and the next entry writes it anew as a whole.
"""

from __future__ import annotations

import errno
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from otel_spool.filesystem import AppendFile, FileSystem
from otel_spool.frame import Damage, Kind, pack, scan
from otel_spool.ranges import Range, Ranges
from otel_spool.reserve import NAME as RESERVE
from otel_spool.reserve import Reserve

NAME: Final = "journal"
_NEW_NAME: Final = "journal.new"
#: All files that a journal has in its folder.
FILES: Final = (NAME, _NEW_NAME, RESERVE)
_COMPACT_BYTES: Final = 256 * 1024

#: Reason -> how many events were given up for it.
Lost = Mapping[str, int]
NOTHING_LOST: Final[Lost] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Frozen:
    """
    A batch that was, or was about to be, sent.

    Attributes:
        token: its deduplication token.
        ranges: numbers of its events, in its order.
        first_attempt_ns: when, in nanoseconds since the epoch.
    """

    token: str
    ranges: tuple[Range, ...]
    first_attempt_ns: int


class Journal:
    """
    The journal of one folder, in memory and on disk. Not thread-safe: its folder's lock protects it.

    Args:
        folder: where the file is.

    Attributes:
        pending: batches without an answer, by token, in the order in which they were frozen.
        split: tokens of batches that are sent in halves.
        settled: numbers of the events that need not be sent any more.
        given_up: segment -> events in it that were given up, and counted.
        untold: reason -> events that were given up, of which nobody was told.
        damaged: entries were lost: nobody can say what was sent before.
        behind: the file does not say all that the memory does.
        released: the files are somebody else's by now: nothing is written any more.
    """

    def __init__(self, filesystem: FileSystem, folder: Path, seed: int) -> None:
        self._filesystem = filesystem
        self._folder = folder
        self._seed = seed
        self._file: AppendFile | None = None
        self._size = 0
        self._compacted_size = 0
        self._named = False
        self.reserve = Reserve(filesystem, folder)
        self.pending: dict[str, Frozen] = {}
        self.split: set[str] = set()
        self.settled = Ranges()
        self.given_up: dict[int, int] = {}
        self.untold: Counter[str] = Counter()
        self.damaged = False
        self.behind = False
        self.released = False

    def load(self) -> None:
        """Read what is there, and begin the file anew."""
        if self.read():
            self.rewrite()

    def read(self) -> bool:
        """
        Read what is there, and change nothing; entries that are damaged are as if they had not been written.

        Returns:
            Whether there is a file.
        """
        try:
            data = self._filesystem.read(self._folder / NAME)
        except FileNotFoundError:
            return False
        for found in scan(data, self._seed):
            if isinstance(found, Damage):
                self.damaged = self.damaged or not found.cut
                continue
            try:
                self._apply(found.kind, json.loads(found.payload))
            except (ValueError, KeyError, TypeError, AttributeError):
                self.damaged = True
        return True

    def freeze(self, frozen: Frozen) -> bool:
        """Note a batch before its first attempt. False when that could not be written."""
        return self._note(Kind.FROZEN, _entry(frozen))

    def mark_split(self, token: str) -> bool:
        """Note that a batch is sent in halves from now on."""
        return self._note(Kind.SPLIT, {"t": token})

    def settle_batch(self, token: str, lost: Lost = NOTHING_LOST) -> bool:
        """Note that all events of a frozen batch need not be sent any more, and which of them are lost."""
        return self._settle({"t": token}, lost)

    def settle(self, ranges: Iterable[Range], lost: Lost = NOTHING_LOST) -> bool:
        """Note that these events need not be sent any more, and which of them are lost."""
        return self._settle({"r": [list(pair) for pair in ranges]}, lost)

    def give_up(self, segment: int, events: int, lost: Lost = NOTHING_LOST) -> bool:
        """Note that a segment is removed with so many events that were not sent, and why."""
        return self._settle({"s": segment, "n": events}, lost)

    def _settle(self, entry: dict[str, Any], lost: Lost) -> bool:
        return self._note(Kind.SETTLED, entry | ({"lost": dict(lost)} if lost else {}))

    def tell(self) -> None:
        """Note that somebody was told of all losses so far."""
        if self.untold:
            self._note(Kind.TOLD, dict(self.untold))

    def sync(self) -> None:
        """
        Have the file on the medium. May be called without the folder's lock.

        Raises:
            OSError: it may not be there.
        """
        self._filesystem.sync_file(self._folder / NAME)
        if not self._named:
            self._filesystem.sync_folder(self._folder)
            self._named = True

    def compact_if_grown(self) -> None:
        """Write the file anew when it has grown."""
        if self.released:
            return
        if self._size > max(_COMPACT_BYTES, 2 * self._compacted_size):
            self.rewrite()
        self.reserve.keep()

    def check(self) -> None:
        """Write the file anew if somebody has removed it."""
        with suppress(OSError):
            if self._file is not None and NAME not in self._filesystem.names(self._folder):
                self.rewrite()

    def rewrite(self) -> bool:
        """Write the file anew, with what still matters. False when the disk does not take it."""
        if self.released:
            return False
        try:
            self._replace(self._state())
        except OSError as error:
            if not self.reserve.spend(error):
                self.behind = True
                return False
            return self.rewrite()
        return True

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()

    def release(self) -> None:
        """Close the file, for good: an answer may come when the folder is another process's."""
        self.released = True
        self.close()

    def _apply(self, kind: int, entry: dict[str, Any]) -> None:
        if kind == Kind.SETTLED:
            lost = _losses(entry.get("lost", {}))  # before anything changes: it may be damaged
            self._apply_settled(entry)
            self.untold.update(lost)
        elif kind == Kind.FROZEN:
            ranges = tuple((int(first), int(last)) for first, last in entry["r"])
            self.pending[entry["t"]] = Frozen(entry["t"], ranges, int(entry["ns"]))
        elif kind == Kind.SPLIT:
            self.split.add(entry["t"])
        elif kind == Kind.LOST:
            self.untold.update(_losses(entry))
        elif kind == Kind.TOLD:
            self.untold.subtract(_losses(entry))
            self.untold = +self.untold

    def _apply_settled(self, entry: dict[str, Any]) -> None:
        if "t" in entry:
            frozen = self.pending.pop(entry["t"], None)
            if frozen is not None:
                self.settled.update(frozen.ranges)
                self.split = {token for token in self.split if not _is_part(token, frozen.token)}
        elif "s" in entry:
            self.given_up[int(entry["s"])] = int(entry["n"])
        elif "damaged" in entry:
            self.damaged = True
        else:
            self.settled.update((int(first), int(last)) for first, last in entry["r"])

    def _note(self, kind: Kind, entry: dict[str, Any]) -> bool:
        self._apply(kind, entry)
        if self.released:
            return False
        if self.behind:
            return self.rewrite()
        frame = self._frame(kind, entry)
        try:
            self._append(frame)
        except OSError as error:
            self.close()
            self.reserve.spend(error)
            return self.rewrite()
        return True

    def _frame(self, kind: Kind, entry: dict[str, Any]) -> bytes:
        return pack(kind, 0, json.dumps(entry, separators=(",", ":")).encode("ascii"), self._seed)

    def _append(self, frame: bytes) -> None:
        if self._file is None:
            self._file = self._filesystem.open_append(self._folder / NAME)
        _write_whole(self._file, frame)
        self._size += len(frame)

    def _state(self) -> bytes:
        frames = [self._frame(Kind.SETTLED, {"r": [list(pair) for pair in self.settled]})]
        frames += [self._frame(Kind.SETTLED, {"s": segment, "n": n}) for segment, n in self.given_up.items()]
        frames += [self._frame(Kind.FROZEN, _entry(frozen)) for frozen in self.pending.values()]
        frames += [self._frame(Kind.SPLIT, {"t": token}) for token in sorted(self.split)]
        frames += [self._frame(Kind.SETTLED, {"damaged": 1})] if self.damaged else []
        frames += [self._frame(Kind.LOST, dict(self.untold))] if self.untold else []
        return b"".join(frames)

    def _replace(self, data: bytes) -> None:
        new = self._folder / _NEW_NAME
        with suppress(FileNotFoundError):
            self._filesystem.unlink(new)
        file = self._filesystem.open_append(new)
        try:
            _write_whole(file, data)
            file.sync()
            if self.released:
                raise OSError(errno.EBADF, "a signal handler has let go of the folder meanwhile")
            self._filesystem.rename(new, self._folder / NAME)
        except OSError:
            with suppress(OSError):
                file.close()
            with suppress(OSError):
                self._filesystem.unlink(new)
            raise
        self.close()
        self._file, self._size, self._compacted_size = file, len(data), len(data)
        self.behind = self._named = False
        with suppress(OSError):  # where that matters, ``sync`` tries it again
            self._filesystem.sync_folder(self._folder)
            self._named = True


def _entry(frozen: Frozen) -> dict[str, Any]:
    ranges = [list(pair) for pair in frozen.ranges]
    return {"t": frozen.token, "r": ranges, "ns": frozen.first_attempt_ns}


def _losses(entry: dict[str, Any]) -> dict[str, int]:
    return {reason: int(events) for reason, events in entry.items()}


def _write_whole(file: AppendFile, data: bytes) -> None:
    if file.write(data) != len(data):
        raise OSError(errno.ENOSPC, "a write was cut short")


def _is_part(token: str, whole: str) -> bool:
    return token == whole or token.startswith(f"{whole}/")


def events_in(frozen: Iterable[Frozen]) -> Ranges:
    """The numbers of all events of these batches."""
    return Ranges(pair for batch in frozen for pair in batch.ranges)
