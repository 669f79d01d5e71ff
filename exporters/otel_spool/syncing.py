"""From the page cache to the medium: what has to be synced, and what becomes of it when that fails."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from otel_spool.commit import GroupCommit
from otel_spool.filesystem import FileSystem
from otel_spool.log import SpoolLog
from otel_spool.segment import Segment

#: With these the medium was not even asked.
_NOT_TRIED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EACCES, errno.EPERM})


class NotSyncedError(OSError):
    """
    Events that are written, and perhaps not on the medium.

    Attributes:
        segments: in which they are.
    """

    def __init__(self, failed: Mapping[Segment, OSError]) -> None:
        super().__init__(*next(iter(failed.values())).args)
        self.segments = frozenset(failed)


class Syncing:
    """
    Syncs the segments of one spool, for all threads that wait. Thread-safe.

    Args:
        directory: of the spool.
        doubt: told of a segment that could not be synced: nothing more is to be written to it.
    """

    def __init__(
        self, filesystem: FileSystem, directory: Path, log: SpoolLog, doubt: Callable[[Segment], None]
    ) -> None:
        self._filesystem = filesystem
        self._directory = directory
        self._log = log
        self._doubt = doubt
        self._named = False
        self._unsynced: set[Segment] = set()
        self._commit = GroupCommit(self._sync_all)

    def note(self, segment: Segment) -> None:
        """Something was written to this segment that is to be synced."""
        self._unsynced.add(segment)

    def make_durable(self, segment: Segment) -> bool:
        """
        Have what is in a segment on the medium before this returns, together with what other threads wait for.

        Returns:
            Whether it is there, as far as the system says.
        """
        self._unsynced.add(segment)
        try:
            self.sync()
        except NotSyncedError as error:
            return segment not in error.segments
        return not segment.unsyncable

    def sync(self) -> None:
        """
        Have everything on the medium that asks for it.

        Raises:
            NotSyncedError: some of it is not.
        """
        try:
            self._commit.commit()
        except NotSyncedError as error:
            # Not where it fails: others wait there, perhaps with the spool's lock, or that of a logging handler.
            for segment in error.segments:
                if segment.unsyncable:
                    self._doubt(segment)
            self._log.tell("sync", "events are written, but not synced: %s", error)
            raise

    def _sync_all(self) -> None:
        failed: dict[Segment, OSError] = {}
        while (segment := _any_of(self._unsynced)) is not None:
            try:
                self._sync(segment)
            except OSError as error:
                failed[segment] = error
        for segment, why in failed.items():
            if why.errno in _NOT_TRIED:
                self._unsynced.add(segment)
            else:
                segment.unsyncable = True
        if failed:
            raise NotSyncedError(failed)

    def _sync(self, segment: Segment) -> None:
        try:
            self._filesystem.sync_file(segment.path)
            if not segment.named:
                self._filesystem.sync_folder(segment.path.parent)
                self._filesystem.sync_folder(self._directory)
                self._sync_above()
                segment.named = True
        except FileNotFoundError:
            if not segment.removed:
                segment.unsyncable = True  # somebody else has removed it

    def _sync_above(self) -> None:
        """Once: the spool itself may be new, and folders above it as well. Of others that we may not open, no."""
        if not self._named:
            for folder in self._directory.parents:
                with suppress(OSError):
                    self._filesystem.sync_folder(folder)
            self._named = True


def _any_of(segments: set[Segment]) -> Segment | None:
    """Take one out; None when there is none left, other threads may be taking as well."""
    try:
        return segments.pop()
    except KeyError:
        return None
