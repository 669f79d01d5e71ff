"""Where the data lies: the folder of an embedded store, the disks, the memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from activitylog.store.client import holder
from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.doctor.commands import path, reading
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Check, Skip, Verdict, error, ok, plural, warning, worst
from activitylog.store.watch.growth import Forecast
from activitylog.store.watch.statistics import forecast_of
from activitylog.store.watch.upkeep import Disk, disks

_GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Folder:
    """
    The folder of an embedded store.

    Attributes:
        mode: permission bits.
        owner: user id of its owner.
        user: user id of this process.
        writable: whether this user may write in it, and its file system is not read-only.
        holder: process that has it locked; this one, when all is well.
        process: this process.
    """

    path: str
    mode: int
    owner: int
    user: int
    writable: bool
    holder: int | None
    process: int


def ask_folder(examined: Examined) -> Folder:
    """Look at the folder."""
    folder = examined.folder
    if folder is None:
        raise Skip("only an embedded store has a folder")
    found = folder.stat()
    read_only = bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    return Folder(
        path=str(folder),
        mode=stat.S_IMODE(found.st_mode),
        owner=found.st_uid,
        user=os.geteuid(),
        writable=os.access(folder, os.W_OK) and not read_only,
        holder=holder(folder),
        process=os.getpid(),
    )


def judge_folder(folder: Folder) -> Verdict:
    """It should be ours alone, and writable. The files in it are readable for everybody who gets into it."""
    place = path(folder.path)
    problems = []
    if not folder.writable:
        problems.append(
            error(f"{folder.path} cannot be written to", do=(f"ls -ld {place}", f"findmnt --target {place}"))
        )
    if folder.holder not in (folder.process, None):
        problems.append(error(f"another process ({folder.holder}) holds the lock of {folder.path}"))
    if folder.mode & 0o077:
        who = "everybody" if folder.mode & 0o005 else "its group"
        problems.append(
            warning(
                f"{folder.path} (mode {folder.mode:04o}) is open to {who} on this machine",
                do=(f"chmod 700 {place}",),
            )
        )
    if folder.owner != folder.user:
        problems.append(
            warning(
                f"{folder.path} belongs to user {folder.owner}, and this is user {folder.user}: files that are "
                "written now cannot be read by the owner's processes",
                do=(f"sudo -u '#{folder.owner}' activitylog doctor --url URL",),
            )
        )
    return worst(*problems) if problems else ok(f"{folder.path} (mode {folder.mode:04o}), locked by this process")


FOLDER: Final = Check(
    "folder",
    "Folder and lock",
    "The store holds what people did: who can enter the folder can read all of it. One process at a time uses it.",
    ask_folder,
    judge_folder,
)


def ask_disk_state(examined: Examined) -> list[dict[str, Any]]:
    """All disks of the server."""
    return examined.database.rows("SELECT name, path, is_read_only, is_broken FROM system.disks ORDER BY name")


def judge_disk_state(rows: Sequence[dict[str, Any]]) -> Verdict:
    """A disk that is broken or read-only refuses inserts and merges."""
    problems = []
    for row in rows:
        if row["is_broken"]:
            problems.append(error(f"the disk {row['name']} is broken", do=_look(row["path"])))
        elif row["is_read_only"]:
            problems.append(error(f"the disk {row['name']} is read-only", do=_look(row["path"])))
    return worst(*problems) if problems else ok(f"{plural(len(rows), 'disk')}, writable")


def _look(place: str) -> tuple[str, ...]:
    return (f"findmnt --target {path(place)}", "dmesg --level err,warn | tail -50")


DISK_STATE: Final = Check(
    "disk_state",
    "Disks work",
    "Inserts are refused on such a disk, and parts on it may be missing from answers.",
    ask_disk_state,
    judge_disk_state,
)


@dataclass(frozen=True, slots=True)
class Room:
    """Disks and the forecast; None when nothing can be said of the day."""

    disks: tuple[Disk, ...]
    forecast: Forecast | None
    today: date


def ask_room(examined: Examined) -> Room:
    """Free space now and the growth of the last days."""
    database = examined.database
    found = disks(database)
    if not found:
        raise Skip("the server does not show its disks to this user")
    today = database.row("SELECT today() AS today")["today"]
    return Room(found, forecast_of(database) if database.holds(EVENTS_TABLE) else None, today)


def judge_room(room: Room) -> Verdict:
    """Nearly full now, or full soon."""
    problems = [problem for disk in room.disks if (problem := _disk_problem(disk))]
    full_on = room.forecast.full_on if room.forecast else None
    if full_on is not None and full_on - room.today <= timedelta(days=30):
        days = (full_on - room.today).days
        say = error if days <= 7 else warning
        problems.append(
            say(f"at the rate of the last days the disk is full on {full_on} ({days} days)", do=_MAKE_ROOM)
        )
    if problems:
        return worst(*problems)
    free = "; ".join(f"{disk.name}: {_free(disk)}" for disk in room.disks)
    return ok(f"{free}; {room.forecast.says}" if room.forecast else free)


_MAKE_ROOM: Final = (
    "activitylog stats --partitions --columns --url URL",
    "# Give the events a retention ([store] retention_days), archive old partitions, or add space.",
)


def _disk_problem(disk: Disk) -> Verdict | None:
    if disk.free_bytes is None or not disk.total_bytes:
        return None
    used = 1 - disk.free_bytes / disk.total_bytes
    text = f"the disk {disk.name} ({disk.path}) is {used:.0%} full: {_free(disk)}"
    if used >= 0.95:
        return error(text, do=_MAKE_ROOM)
    return warning(text, do=_MAKE_ROOM) if used >= 0.85 else None


def _free(disk: Disk) -> str:
    if disk.free_bytes is None:
        return "no limit"
    return f"{disk.free_bytes / _GIB:,.1f} GiB free"


ROOM: Final = Check(
    "disk_room",
    "Room on the disk",
    "A merge needs as much room as its parts have. When that is gone parts pile up, then inserts are refused, and "
    "events wait in their processes until they are dropped.",
    ask_room,
    judge_room,
)


@dataclass(frozen=True, slots=True)
class Memory:
    """
    Bytes.

    Attributes:
        server_limit: for the whole server; 0: none.
        query_limit: for one query; 0: none.
        used: by the server now.
    """

    server_limit: int
    query_limit: int
    used: int


def ask_memory(examined: Examined) -> Memory:
    """The limits, and what is used."""
    database = examined.database
    limit = database.row("SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'")
    query = database.row("SELECT value FROM system.settings WHERE name = 'max_memory_usage'")
    used = database.row("SELECT value FROM system.metrics WHERE metric = 'MemoryTracking'")
    return Memory(int(limit.get("value", 0)), int(query.get("value", 0)), max(int(used.get("value", 0)), 0))


def judge_memory(memory: Memory) -> Verdict:
    """A server needs some room for merges, a query some for a day of events."""
    problems = []
    if memory.server_limit and memory.used > 0.9 * memory.server_limit:
        problems.append(
            error(
                f"the server uses {_gib(memory.used)} of the {_gib(memory.server_limit)} that it may",
                do=(
                    reading(
                        "SELECT query_id, user, formatReadableSize(memory_usage), query FROM system.processes "
                        "ORDER BY memory_usage DESC LIMIT 5"
                    ),
                ),
            )
        )
    if 0 < memory.server_limit < _GIB:
        problems.append(
            warning(
                f"the server may use only {_gib(memory.server_limit)}",
                do=("# Raise max_server_memory_usage, or give the container more memory.",),
            )
        )
    if 0 < memory.query_limit < _GIB // 2:
        problems.append(
            warning(
                f"a query may use only {_gib(memory.query_limit)}",
                do=("# Raise max_memory_usage in the user's profile.",),
            )
        )
    limit = _gib(memory.server_limit) if memory.server_limit else "no limit"
    return worst(*problems) if problems else ok(f"{_gib(memory.used)} used, {limit} allowed")


def _gib(size: int) -> str:
    return f"{size / _GIB:,.2f} GiB"


MEMORY: Final = Check(
    "memory",
    "Memory",
    "Merges and inserts that find no memory fail, and are tried again and again.",
    ask_memory,
    judge_memory,
)
