"""
What waits on this machine for the store: events of dead processes, what was refused, and whether the place holds.

These checks look at files, not at the database, and at this machine only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from activitylog.store.doctor.commands import path as shell_path
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import AnyCheck, Check, Skip, Verdict, ok, plural, warning, worst

if TYPE_CHECKING:
    from otel_spool import SpoolStatus

_MIB: Final = 1 << 20
#: File systems that are gone when the machine, or the container, is.
_PASSING: Final = {
    "tmpfs": "is in memory: what is in it is gone when the machine restarts",
    "ramfs": "is in memory: what is in it is gone when the machine restarts",
    "overlay": "is of the container: what is in it goes with the container",
    "overlayfs": "is of the container: what is in it goes with the container",
}
_NEARLY_FULL: Final = 0.8
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class SpoolPlace:
    """
    Where a spool is.

    Attributes:
        file_system: its type; empty where the system does not say.
        bytes: that the spool takes.
        max_bytes: that it may take.
        free_bytes: what the disk has left; None when it does not say.
    """

    directory: Path
    file_system: str
    bytes: int
    max_bytes: int
    free_bytes: int | None


def spool_checks(directory: Path, max_bytes: int) -> tuple[AnyCheck, ...]:
    """
    The checks of the spool of one store.

    Args:
        directory: of the spool; it need not be there.
        max_bytes: that the settings give it.
    """
    look = _looking(directory)
    return (
        Check(
            "spool_left",
            "Events that wait on this machine",
            "They were emitted and are not in the store: no answer knows of them.",
            lambda _: look(),
            judge_left,
        ),
        Check(
            "spool_place",
            "The spool's place",
            "What is emitted while the store is away waits there: as long as the place lasts, and as it has room.",
            lambda examined: ask_place(examined, look(), max_bytes),
            judge_place,
        ),
    )


def _looking(directory: Path) -> Callable[[], SpoolStatus]:
    found: list[SpoolStatus] = []

    def look_once() -> SpoolStatus:
        from otel_spool import look

        if not directory.is_dir():
            raise Skip("there is no spool for this store on this machine")
        if not found:
            found.append(look(directory))
        return found[0]

    return look_once


def judge_left(seen: SpoolStatus) -> Verdict:
    """Whatever no running process will see to."""
    problems = [*_orphans(seen), *_letters(seen), *_damage(seen)]
    if problems:
        return worst(*problems)
    waiting = f"{plural(seen.events, 'event waits', 'events wait')} for its process" if seen.events else "nothing"
    return ok(waiting)


def _orphans(seen: SpoolStatus) -> list[Verdict]:
    if not seen.orphaned:
        return []
    found = f"dead processes left {plural(seen.orphaned, 'event')}"
    return [warning(found, do=("activitylog spool drain --url URL",))]


def _letters(seen: SpoolStatus) -> list[Verdict]:
    if not seen.letters:
        return []
    reasons = (f"{reason}: {events:,}" for reason, events in seen.letters.items())
    return [
        warning(
            f"the store has refused {plural(sum(seen.letters.values()), 'event')} for good",
            *reasons,
            do=(
                f"activitylog spool inspect {shell_path(str(seen.directory / 'dead'))}",
                "# When the reason is mended:",
                "activitylog spool drain --dead-letters --url URL",
            ),
        )
    ]


def _damage(seen: SpoolStatus) -> list[Verdict]:
    damaged = sum(folder.damages for folder in seen.folders)
    unreadable = sum(folder.state == "unreadable" for folder in seen.folders)
    if not (seen.quarantined or damaged or unreadable):
        return []
    parts = [
        f"{plural(seen.quarantined, 'piece')} in quarantine" if seen.quarantined else "",
        f"{plural(damaged, 'damaged piece')} in segments" if damaged else "",
        f"{plural(unreadable, 'unreadable folder')}" if unreadable else "",
    ]
    return [
        warning(
            f"something of the spool cannot be read: {', '.join(filter(None, parts))}",
            do=(
                f"activitylog spool inspect {shell_path(str(seen.directory))}",
                f"# Nothing reads {shell_path(str(seen.directory / 'quarantine'))} again; remove it when you have "
                "seen it, and look at the disk.",
            ),
        )
    ]


def ask_place(_: Examined, seen: SpoolStatus, max_bytes: int) -> SpoolPlace:
    """Look at the file system and the room."""
    return SpoolPlace(
        directory=seen.directory,
        file_system=file_system_of(seen.directory),
        bytes=seen.bytes,
        max_bytes=max_bytes,
        free_bytes=seen.free_bytes,
    )


def judge_place(place: SpoolPlace) -> Verdict:
    """It should outlive the process by more than a restart, and have room for an outage."""
    problems = []
    why = _PASSING.get(place.file_system)
    if why is not None:
        problems.append(
            warning(
                f"the file system of {place.directory} ({place.file_system}) {why}",
                do=("# Set spool_directory to a folder on a disk, or on a volume of the container.",),
            )
        )
    if place.bytes > _NEARLY_FULL * place.max_bytes:
        problems.append(
            warning(
                f"the spool is {place.bytes / place.max_bytes:.0%} full: {_mib(place.bytes)} of "
                f"{_mib(place.max_bytes)}",
                do=("activitylog spool status", "# Raise spool_max_bytes, if the disk has room."),
            )
        )
    left = max(0, place.max_bytes - place.bytes)
    if place.free_bytes is not None and place.free_bytes < left:
        problems.append(
            warning(
                f"the disk has {_mib(place.free_bytes)} left, and the spool may take {_mib(left)} more",
                do=(f"df -h {shell_path(str(place.directory))}", "# Make room, or lower spool_max_bytes."),
            )
        )
    if problems:
        return worst(*problems)
    return ok(
        f"{place.directory} ({place.file_system or 'unknown'}), {_mib(place.bytes)} of {_mib(place.max_bytes)}"
    )


def file_system_of(path: Path, mounts: str | None = None) -> str:
    """
    The type of the file system that a path is on; empty where the system does not say.

    Args:
        mounts: the text of ``/proc/self/mountinfo``.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text(errors="replace")
        except OSError:
            return ""
    real = os.path.realpath(path)
    best, found = -1, ""
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        columns = fields.split()
        if len(columns) < 5 or not rest:
            continue
        point = _OCTAL.sub(lambda octal: chr(int(octal[1], 8)), columns[4])
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:  # of two on one place the later one is on top
            best, found = len(point), rest.split()[0]
    return found


def _mib(size: float) -> str:
    return f"{size / _MIB:,.1f} MiB"
