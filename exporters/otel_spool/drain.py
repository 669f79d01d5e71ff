"""
Delivering what is on disk, without a pipeline: what dead processes left, and what was refused before.

It composes the backlog's half of :mod:`otel_spool.processor`. Folders of processes that live are theirs. What
cannot be delivered in time stays as it is, for the next one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter

from otel_delivery.rare_log import printable_args
from otel_delivery.waiting import Interrupt
from otel_spool.backlog import Backlog
from otel_spool.dead_letters import Letter, letter_files, note_done, offsets_done, read_letters
from otel_spool.exceptions import MissingCodecError
from otel_spool.frame import Damage, scan
from otel_spool.late_exporter import LateExporter
from otel_spool.ledger import Loss
from otel_spool.log import SpoolLog
from otel_spool.options import SpoolOptions
from otel_spool.segment import seed_of
from otel_spool.sending import new_sender
from otel_spool.spool import Spool
from otel_spool.status import look
from otel_spool.writer import NotWritten

_SECONDS_BETWEEN_LOOKS: Final = 0.2
#: Makes records of losses.
Report = Callable[[Sequence[Loss]], Sequence[ReadWriteLogRecord]]
#: Makes records that take losses back, of the events that were lost.
TakeBack = Callable[[Sequence[ReadableLogRecord]], Sequence[ReadWriteLogRecord]]
#: After the end of the time, for an attempt that is under way to end.
_GRACE_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Drained:
    """
    What came of it.

    Attributes:
        delivered: events, those that had been refused before included.
        dropped: events that were given up now, by reason; those that the backend refused are dead letters.
        refused_again: events that had been refused before, and still are.
        left: events of dead processes that are still on disk.
        left_letters: events that were refused before and had no definite answer now.
        quarantined: pieces, files or whole folders, that could not be read and were put aside now; nobody knows
            how many events are in them.
        unreadable: folders that are still there and cannot be read: another user's, for example.
        elsewhere: this process cannot deliver to that backend, another one can.
        problem: the last thing that was in the way, in words; empty when nothing was.
    """

    delivered: int = 0
    dropped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    refused_again: int = 0
    left: int = 0
    left_letters: int = 0
    quarantined: int = 0
    unreadable: int = 0
    elsewhere: bool = False
    problem: str = ""


class Drain:
    """
    Takes over what dead processes left in a spool, and delivers it.

    Args:
        exporter: as for :class:`otel_spool.SpooledLogRecordProcessor`.
        directory: of the spool.
        max_records: of a batch.

    Raises:
        FolderError: the folder belongs to another user, or is none.
        OSError: it cannot be made.
    """

    def __init__(
        self,
        exporter: LogRecordExporter | Callable[[], LogRecordExporter],
        directory: Path | str,
        *,
        options: SpoolOptions | None = None,
        max_records: int = 8_192,
    ) -> None:
        self._log = _RememberingLog()
        self.spool = spool = Spool(Path(directory), options, log=self._log)
        spool.writer.deferring = True
        self._exporter = LateExporter(exporter)
        self._interrupt = Interrupt()
        self._sender = new_sender(spool, self._exporter, interrupt=self._interrupt, log=self._log)
        self._max_records = max_records
        self._backlog = Backlog(
            spool, self._sender, max_records=max_records, turn=lambda: not self._interrupt.is_set()
        )
        self._left_letters = 0
        self._resent = _Resent()
        self._take_back: TakeBack = lambda _: ()

    def run(
        self,
        timeout_seconds: float,
        *,
        letters: bool = False,
        progress: Callable[[int], object] = lambda _: None,
        report: Report = lambda _: (),
        redelivered: TakeBack = lambda _: (),
    ) -> Drained:
        """
        Deliver, for at most ``timeout_seconds`` and the end of the attempt that is then under way. Call it once.

        Args:
            letters: send what was refused before, too.
            progress: told now and then how many events have a definite answer.
            report: makes records of losses, which are delivered as well.
            redelivered: the same of events that had been refused, and so counted as lost, and were delivered now.
        """
        self._take_back = redelivered
        thread = threading.Thread(target=self._work, args=(letters, report), name="otel-spool-drain", daemon=True)
        thread.start()
        end = time.monotonic() + timeout_seconds
        try:
            while thread.is_alive() and time.monotonic() < end:
                thread.join(min(_SECONDS_BETWEEN_LOOKS, max(0.0, end - time.monotonic())))
                progress(self._settled())
        finally:
            self._interrupt.set()
            thread.join(_GRACE_SECONDS)
            ours = {folder.path.name for folder in list(self.spool.adopted)}
            if not thread.is_alive():
                self._close(report)
        return self._drained(ours)

    def _settled(self) -> int:
        return self.spool.accounts.recovered.total() + self._resent.delivered + self._resent.refused

    def _work(self, letters: bool, report: Report) -> None:
        try:
            if letters:
                self._resend_letters()
            self._empty(report)
        except Exception as error:  # noqa: BLE001 - what is left is on disk, and the caller is told
            self._log.tell("drain", "it ended early: %s", type(error).__name__)

    def _empty(self, report: Report) -> None:
        """Until nothing is left; somebody who looked at a lock may have kept us from a folder for a moment."""
        while not self._interrupt.is_set() and not self._sender.elsewhere:
            found = self.spool.adopted.take()
            done = self._backlog.work()
            losses = self.spool.take_losses()
            self._keep_on_disk(report(losses))
            if done and not found and not losses:
                return
            self._interrupt.wait(0 if found or losses else _SECONDS_BETWEEN_LOOKS)

    def _keep_on_disk(self, records: Sequence[ReadWriteLogRecord]) -> bool:
        """Write counts down, to be delivered; False when the disk does not take one."""
        written = [not isinstance(self.spool.append(record), NotWritten) for record in records]
        if not all(written):
            self._log.tell("losses", "a count of lost events could not be written down")
        return all(written)

    def _resend_letters(self) -> None:
        files = self.spool.filesystem
        for path in letter_files(files, self.spool.directory):
            with suppress(FileNotFoundError):
                held = files.lock(path)
                if held is None:
                    continue  # a process writes to it
                try:
                    if self._resend(path):
                        files.unlink(path)
                except MissingCodecError as error:
                    self._log.tell("codec", "%s is left as it is: %s", path.name, error)
                finally:
                    held.release()

    def _resend(self, path: Path) -> bool:
        """Send those of a file's letters that are not done with; False when some are left."""
        done = offsets_done(self.spool.filesystem, path)
        letters = [one for one in read_letters(self.spool.filesystem, path) if one.offset not in done]
        for first in range(0, len(letters), self._max_records):
            part = letters[first : first + self._max_records]
            outcome = self._sender.resend([letter.record for letter in part], _token(part))
            if not outcome.complete:
                self._left_letters += len(letters) - first
                return False
            # As lost they were counted when they were refused at first.
            self._resent.delivered += outcome.delivered
            self._resent.refused += len(part) - outcome.delivered
            # Where some are refused without being named, too many losses are taken back, never too few.
            arrived = [letter.record for at, letter in enumerate(part) if at not in outcome.refused]
            if not self._keep_on_disk(self._take_back(arrived)):
                self._left_letters += len(letters) - first
                return False
            with suppress(OSError):  # else they are sent again, which a token or a look tells
                note_done(self.spool.filesystem, path, [letter.offset for letter in part])
        self._put_damages_aside(path)
        return True

    def _put_damages_aside(self, path: Path) -> None:
        data = self.spool.filesystem.read(path)
        for found in scan(data, seed_of(data) or 0):
            if isinstance(found, Damage):
                piece = data[found.offset : found.offset + found.length]
                self.spool.quarantine.keep(f"{path.name}-{found.offset}", piece)

    def _close(self, report: Report) -> None:
        self._keep_on_disk(report(self.spool.take_losses()))
        self._sender.close()
        self.spool.close()
        self._exporter.shutdown()

    def _drained(self, ours: set[str]) -> Drained:
        found = look(self.spool.directory).folders
        left = sum(folder.events for folder in found if folder.state == "orphan" or folder.name in ours)
        recovered = self.spool.accounts.recovered
        return Drained(
            delivered=recovered.delivered + self._resent.delivered,
            dropped=dict(recovered.dropped),
            refused_again=self._resent.refused,
            left=left,
            left_letters=self._left_letters,
            quarantined=self.spool.quarantine.pieces,
            unreadable=sum(folder.state == "unreadable" for folder in found),
            elsewhere=self._sender.elsewhere,
            problem=self._log.last,
        )


def _token(part: Sequence[Letter]) -> str:
    # Which letters they are, not which batch of the file: at the last time the batches may have had another size,
    # or the file no damage, and a backend that knows a token drops what comes with it, whatever that is.
    first, last = part[0], part[-1]
    return f"{first.path.stem}-{first.offset}-{last.offset}-{len(part)}"


@dataclass(slots=True)
class _Resent:
    delivered: int = 0
    refused: int = 0


class _RememberingLog(SpoolLog):
    """Keeps the last line, for who waits for the end."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""

    def tell(self, subject: str, line: str, *args: object) -> None:  # noqa: ARG002 - every line is remembered
        """Remember a line; nothing is written."""
        self.last = line % printable_args(args)
