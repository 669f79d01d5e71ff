"""
The ``file_storage`` extension behind a queue: a disk that keeps what it was given, and does not fill up unseen.

Defaults are those of extension/storage/filestorage/factory.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from activitylog.collector.examined import Examined
from activitylog.collector.finding import Check, Problem, error, example, warning
from activitylog.collector.queue import Queue, queue_of, sized_example
from activitylog.collector.value import Setting

#: Bytes of the file for one byte of the queue, at most: 1.1 to 2.0 were measured, the more for larger requests.
_OVERHEAD: Final = 3.0
#: Folders that are empty after the machine, or the container, began anew.
_FLEETING: Final = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/var/run")  # noqa: S108 - names, nothing is written


@dataclass(frozen=True, slots=True)
class Storage:
    """An extension that keeps queues."""

    id: str
    setting: Setting
    queues: tuple[Queue, ...]

    @property
    def path(self) -> tuple[str, str]:
        """Where it is configured."""
        return ("extensions", self.id)

    def __str__(self) -> str:
        return ".".join(self.path)


def _queues(examined: Examined) -> list[Queue]:
    found = (queue_of(exporter, examined) for exporter in examined.destinations)
    return [queue for queue in found if queue.enabled]


def _storages(examined: Examined) -> list[Storage]:
    queues = _queues(examined)
    return [
        Storage(key, setting, tuple(queue for queue in queues if queue.storage.strip() == key.strip()))
        for key, setting in examined.configuration.at("extensions").items()
        if key.strip() in {queue.storage.strip() for queue in queues}
        and key.split("/")[0].strip() == "file_storage"
    ]


def _used_storages(examined: Examined) -> set[str]:
    return {storage.id.strip() for storage in _storages(examined)}


def judge_fsync(storage: Storage) -> Iterator[Problem]:
    """Acknowledged, and not on the disk yet."""
    setting = storage.setting.at("fsync")
    if not setting.flag(False):
        state = "is false" if setting.is_set else "is not set, and false by default"
        yield warning(setting, state, *example((*storage.path, "fsync"), "true"))


FSYNC: Final = Check(
    "file_storage.fsync",
    "Queue that survives a power cut",
    "The queue outlives the process in any case. When the machine stops, what was acknowledged a moment before "
    "may be missing, and the file may be damaged. It costs a sync of the disk for each request.",
    _storages,
    judge_fsync,
    str,
)


def judge_directory(storage: Storage) -> Iterator[Problem]:
    """A folder that does not last."""
    setting = storage.setting.at("directory")
    directory = setting.text("/var/lib/otelcol/file_storage")
    folder = PurePosixPath("/", *(part for part in PurePosixPath(directory).parts if part not in ("/", "..")))
    below = next((place for place in _FLEETING if folder.is_relative_to(place)), None)
    if directory.startswith("/") and below:
        yield error(
            setting,
            f"is below {below}, which is empty after a restart of the machine or container",
            *example((*storage.path, "directory"), "/var/lib/otelcol/queue"),
        )


DIRECTORY: Final = Check(
    "file_storage.directory",
    "Folder of the queue",
    "What waits there was acknowledged to its senders, and is nowhere else.",
    _storages,
    judge_directory,
    str,
)


def judge_bounded(queue: Queue) -> Iterator[Problem]:
    """A queue whose size says nothing about the disk."""
    if queue.sizer != "bytes":
        setting = queue.setting.at("sizer")
        state = "is not bytes" if setting.is_set else "is not set, and requests by default"
        yield warning(
            setting,
            f"{state}: queue_size does not say how much of the disk the queue takes",
            "# And a volume of at least three times that size:",
            *sized_example(queue, 10737418240),
        )


BOUNDED: Final = Check(
    "queue.sizer",
    "Queue that fits onto its disk",
    "A full queue refuses events, and their senders keep them. A full disk loses events that were acknowledged: "
    "the queue cannot write down what it takes out, and drops it.",
    lambda examined: [queue for queue in _queues(examined) if queue.storage.strip() in _used_storages(examined)],
    judge_bounded,
    str,
)


def judge_max_size(storage: Storage) -> Iterator[Problem]:
    """A limit of the file that works as a full disk does."""
    setting = storage.setting.at("max_size")
    limit = setting.number(0)
    if limit > 0 and not all(_fits(queue, limit) for queue in storage.queues):
        yield error(
            setting,
            f"is {limit:,.0f}, which the queue can reach",
            "# Bound the queue itself:",
            *(line for queue in storage.queues for line in sized_example(queue, limit / _OVERHEAD)),
        )


def _fits(queue: Queue, limit: float) -> bool:
    size = queue.setting.at("queue_size").number(1000)
    return queue.sizer == "bytes" and size * _OVERHEAD <= limit


MAX_SIZE: Final = Check(
    "file_storage.max_size",
    "Limit of the queue's file",
    "At its limit the file loses events that were acknowledged, as on a full disk: the queue cannot write down "
    "what it takes out, and drops it. The queue's own size refuses before that.",
    _storages,
    judge_max_size,
    str,
)


def judge_recreate(storage: Storage) -> Iterator[Problem]:
    """A damaged queue that nobody misses."""
    setting = storage.setting.at("recreate")
    if setting.flag(False):
        yield warning(
            setting,
            "is true: a damaged queue is put aside as *.backup and the Collector begins with an empty one",
            "# Watch the folder for files named *.backup, or let it stop instead:",
            *example((*storage.path, "recreate"), "false"),
        )


RECREATE: Final = Check(
    "file_storage.recreate",
    "Damaged queues",
    "What was in the damaged file is not delivered, and nothing but a line in the log says so.",
    _storages,
    judge_recreate,
    str,
)


def judge_compaction(storage: Storage) -> Iterator[Problem]:
    """A file that never gives anything back."""
    compaction = storage.setting.at("compaction")
    if compaction.at("on_start").flag(False) or compaction.at("on_rebound").flag(False):
        return
    directory = storage.setting.at("directory").text("/var/lib/otelcol/file_storage")
    shown = directory if all(char.isalnum() or char in "/._-" for char in directory) else "/var/lib/otelcol/queue"
    yield warning(
        compaction,
        "has neither on_start nor on_rebound: the file never shrinks",
        *example((*storage.path, "compaction"), ("on_rebound: true", f"directory: {shown}")),
    )


COMPACTION: Final = Check(
    "file_storage.compaction",
    "Room on the disk",
    "After an outage the file keeps the size that it had at its worst, on disk and in memory, which it is mapped "
    "to.",
    _storages,
    judge_compaction,
    str,
)

CHECKS: Final = (BOUNDED, DIRECTORY, FSYNC, MAX_SIZE, RECREATE, COMPACTION)
