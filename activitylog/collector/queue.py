"""
The queue of an exporter (exporterhelper's ``sending_queue`` and ``retry_on_failure``): what is acknowledged to the
sender must outlive this process, and must not be given up.

Two ways are right: a queue on disk, or nothing that acknowledges before ClickHouse has the rows (no queue, or
``wait_for_result``), which leaves the events with the sender. Defaults and rules are those of
exporterhelper/internal/queuebatch/config.go and queue_sender.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from activitylog.collector.examined import Examined
from activitylog.collector.finding import Check, Problem, error, example, warning
from activitylog.collector.pipelines import Component
from activitylog.collector.value import Setting

#: Types whose queue we know; of others only one that is written down is looked at.
_WITH_QUEUE: Final = frozenset({"clickhouse", "otlp_grpc", "otlp_http", "kafka", "load_balancing"})
_LEAST_ROWS: Final = 5_000
_BYTES_OF_A_ROW: Final = 250
_LEAST_FLUSH_SECONDS: Final = 1.0
_DEFAULT_MIN_SIZE: Final = 8192
_DEFAULT_FLUSH_SECONDS: Final = 0.2
_STORAGE: Final = "file_storage/queue"
#: Defaults of all exporters but load_balancing, where both are 0 and the pause does not grow.
GROWTH: Final = ("multiplier: 1.5", "randomization_factor: 0.5")


@dataclass(frozen=True, slots=True)
class Queue:
    """An exporter's queue, as the Collector understands what is written."""

    exporter: Component
    setting: Setting
    examined: Examined

    @property
    def enabled(self) -> bool:
        """On by default, and off by default for ``load_balancing``."""
        if self.exporter.type == "load_balancing" and not self.setting.is_set:
            return False
        return self.setting.at("enabled").flag(True)

    @property
    def acknowledges(self) -> bool:
        """Whether a sender is told that all is well before the events are delivered."""
        return self.enabled and not self.setting.at("wait_for_result").flag(False)

    @property
    def storage(self) -> str:
        """The extension that keeps it; empty when it is in memory."""
        return self.setting.at("storage").text()

    @property
    def sizer(self) -> str:
        """What its size is counted in."""
        return self.setting.at("sizer").text("requests")

    @property
    def batch(self) -> Setting:
        """The settings of its batches."""
        return self.setting.at("batch")

    @property
    def batches(self) -> bool:
        """Whether it makes batches. A key without a value turns them on, with their defaults."""
        return self.enabled and self.batch.is_set and self.batch.at("enabled").flag(True)

    @property
    def batch_sizer(self) -> str:
        """What a batch's size is counted in: the queue's, where both are written down."""
        written = self.batch.value is not None and self.batch.value.data is not None
        inherits = written and self.setting.at("sizer").is_set
        return self.batch.at("sizer").text(self.sizer if inherits else "items")

    def __str__(self) -> str:
        return str(self.exporter)


def queue_of(exporter: Component, examined: Examined) -> Queue:
    """The queue of an exporter."""
    return Queue(exporter, exporter.setting.at("sending_queue"), examined)


def _queues(examined: Examined) -> list[Queue]:
    return [
        queue_of(exporter, examined)
        for exporter in examined.destinations
        if exporter.type in _WITH_QUEUE or not exporter.setting.is_known or _has_queue(exporter)
    ]


def _has_queue(exporter: Component) -> bool:
    return any(key == "sending_queue" for key, _ in exporter.setting.items())


def _clickhouse(examined: Examined) -> list[Queue]:
    return [queue for queue in _queues(examined) if queue.exporter.type == "clickhouse"]


def sized_example(queue: Queue, size: float, *more: str) -> tuple[str, ...]:
    """A queue of so many bytes, as YAML; its batches are counted as before, and do not take over the sizer."""
    batch: tuple[str, ...] = ()
    if queue.batches and not queue.batch.at("sizer").is_set:
        batch = ("batch:", f"  sizer: {'bytes' if queue.batch_sizer == 'bytes' else 'items'}")
    return example(queue.setting.path, (*more, "sizer: bytes", f"queue_size: {size:.0f}", *batch))


def extensions_example(configuration: Setting, extension: str) -> tuple[str, ...]:
    """The extensions that are started already, and one more, as YAML."""
    started = configuration.at("service", "extensions")
    there = [name.strip() for setting, name in started.texts() if not setting.is_expanded]
    hidden = ("# And those whose names stand in ${...}:",) if len(there) < len(started.elements()) else ()
    return (*hidden, *example(started.path, f"[{', '.join(dict.fromkeys((*there, extension)))}]"))


def storage_example(queue: Queue, extension: str = _STORAGE) -> tuple[str, ...]:
    """A queue on disk, as YAML."""
    return (
        *sized_example(
            queue, 10737418240, *(() if queue.enabled else ("enabled: true",)), f"storage: {extension}"
        ),
        *example(
            ("extensions", extension),
            ("directory: /var/lib/otelcol/queue", "create_directory: true", "fsync: true"),
        ),
        *extensions_example(queue.examined.configuration, extension),
    )


def judge_storage(queue: Queue) -> Iterator[Problem]:
    """A queue in memory that acknowledges."""
    if not queue.acknowledges or queue.storage:
        return
    yield error(
        queue.setting.at("storage"),
        "is not set: the queue is in memory only",
        *storage_example(queue),
        "# Or let senders keep what is not delivered yet (their requests take longer):",
        *example((*queue.setting.path, "wait_for_result"), "true"),
    )


STORAGE: Final = Check(
    "queue.storage",
    "Queue on disk",
    "The sender was told that its events are safe, and forgot them. What waits in memory is gone when the "
    "Collector ends, is killed or runs out of memory.",
    _queues,
    judge_storage,
    str,
)


def judge_extension(queue: Queue) -> Iterator[Problem]:
    """A storage that is not there."""
    if not queue.enabled or not queue.storage:
        return
    storage, setting = queue.storage.strip(), queue.setting.at("storage")
    configuration = queue.examined.configuration
    shown = _STORAGE if setting.is_expanded else storage
    if storage not in {key.strip() for key, _ in configuration.at("extensions").items()}:
        yield error(
            setting,
            "names an extension that is not configured",
            *example(("extensions", shown), ("directory: /var/lib/otelcol/queue", "create_directory: true")),
        )
    started = configuration.at("service", "extensions")
    if storage not in {name.strip() for _, name in started.texts()}:
        yield error(
            setting,
            "names an extension that service.extensions does not list, so it is not started",
            *extensions_example(configuration, shown),
        )


EXTENSION: Final = Check(
    "queue.extension",
    "Storage of the queue",
    "A queue whose storage is not there does not start, and neither does the Collector.",
    lambda examined: [queue for queue in _queues(examined) if queue.setting.at("storage").is_set],
    judge_extension,
    str,
)


def judge_valid(queue: Queue) -> Iterator[Problem]:
    """What the Collector itself refuses."""
    if not queue.enabled:
        return
    setting = queue.setting
    if queue.storage and setting.at("wait_for_result").flag(False):
        yield error(
            setting.at("wait_for_result"),
            "is true beside storage: the Collector refuses both together",
            *example((*setting.path, "wait_for_result"), "false"),
        )
    for key, default in (("queue_size", 1000), ("num_consumers", 10)):
        if setting.at(key).number(default) <= 0:
            yield error(setting.at(key), "must be positive", *example((*setting.path, key), str(default)))
    if not queue.batches:
        return
    batch, least = queue.batch, queue.batch.at("min_size").number(_DEFAULT_MIN_SIZE)
    most, sizer = batch.at("max_size").number(0), queue.batch_sizer
    if sizer not in ("items", "bytes"):
        yield error(
            batch.at("sizer"),
            "is requests, as the queue's: batches are counted in items or bytes only",
            *example((*batch.path, "sizer"), "items"),
        )
    elif sizer == queue.sizer and least > setting.at("queue_size").number(1000):
        yield error(
            batch.at("min_size"),
            f"is {least:,.0f}, more than the queue_size of {setting.at('queue_size').number(1000):,.0f}: "
            "no batch would ever be full",
            *example((*setting.path, "queue_size"), "5000000"),
        )
    for key, size in (("min_size", least), ("max_size", most)):
        if size < 0:
            yield error(batch.at(key), "must not be negative", *example((*batch.path, key), "0"))
    if 0 < most < least:
        yield error(
            batch.at("max_size"),
            f"is {most:,.0f}, less than the min_size of {least:,.0f}",
            *example((*batch.path, "max_size"), f"{least:.0f}"),
        )


VALID: Final = Check(
    "queue.valid",
    "Settings of the queue that fit together",
    "A Collector does not start with these.",
    _queues,
    judge_valid,
    str,
)


def judge_overflow(queue: Queue) -> Iterator[Problem]:
    """Senders that are kept waiting send again."""
    if not queue.acknowledges or not queue.setting.at("block_on_overflow").flag(False):
        return
    pushed = any(
        route.receiver.type != "kafka"
        for route in queue.examined.routes
        if route.exporter.path == queue.exporter.path
    )
    if pushed:
        yield warning(
            queue.setting.at("block_on_overflow"),
            "is true: senders wait until there is room, run into their timeouts and send again",
            *example((*queue.setting.path, "block_on_overflow"), "false"),
        )


OVERFLOW: Final = Check(
    "queue.block_on_overflow",
    "A full queue refuses",
    "What is refused goes back to the sender, which keeps it and tries again. What was only late arrives twice.",
    _queues,
    judge_overflow,
    str,
)


def judge_batch(queue: Queue) -> Iterator[Problem]:
    """Each request as one insert."""
    if queue.batches:
        return
    path = (*queue.setting.path, "batch")
    if queue.enabled:
        found = "is off" if queue.batch.is_set else "is not set"
        yield warning(queue.batch, f"{found}: each request becomes one INSERT", *_batch_example(path))
    else:
        yield warning(
            queue.setting.at("enabled"),
            "is false, so there are no batches: each request becomes one INSERT",
            "# With events left to the sender until they are delivered:",
            *example(queue.setting.path, ("enabled: true", "wait_for_result: true")),
            *_batch_example(path),
        )


def _batch_example(path: tuple[str, ...]) -> tuple[str, ...]:
    return example(path, ("sizer: items", "min_size: 20000", "max_size: 50000", "flush_timeout: 2s"))


BATCH: Final = Check(
    "queue.batch",
    "Batches for ClickHouse",
    "ClickHouse makes a part of each INSERT. Hundreds a second are more than it can merge, and then it "
    "refuses. With a few dozen processes it is well without batches, and one request is one block at every "
    "attempt.",
    _clickhouse,
    judge_batch,
    str,
)


def judge_min_size(queue: Queue) -> Iterator[Problem]:
    """Small blocks."""
    if not queue.batches:
        return
    in_bytes = queue.batch_sizer == "bytes"
    setting = queue.batch.at("min_size")
    least = setting.number(_DEFAULT_MIN_SIZE)
    if 0 <= least < _LEAST_ROWS * (_BYTES_OF_A_ROW if in_bytes else 1):
        state = f"is {least:,.0f}" if setting.is_set else f"is not set: {least:,.0f}"
        yield warning(
            setting,
            f"{state}{' bytes' if in_bytes else ''}: small inserts",
            *example(queue.batch.path, ("sizer: items", "min_size: 20000", "max_size: 50000")),
        )


MIN_SIZE: Final = Check(
    "queue.batch_min_size",
    "Size of batches",
    "Small blocks are many parts, which ClickHouse merges again and again.",
    _clickhouse,
    judge_min_size,
    str,
)


def judge_max_size(queue: Queue) -> Iterator[Problem]:
    """One insert for a whole outage."""
    if not queue.batches:
        return
    setting = queue.batch.at("max_size")
    if setting.number(0) == 0:
        state = "is 0" if setting.is_set else "is not set"
        value = "50000" if queue.batch_sizer == "items" else "50000000"
        yield warning(setting, f"{state}: no limit", *example((*queue.batch.path, "max_size"), value))


MAX_SIZE: Final = Check(
    "queue.batch_max_size",
    "Limit of batches",
    "What piled up while ClickHouse was away becomes one huge INSERT, which runs into the timeout or the "
    "memory limit and is repeated as a whole.",
    _clickhouse,
    judge_max_size,
    str,
)


def judge_flush(queue: Queue) -> Iterator[Problem]:
    """Small batches when there is little to do."""
    if not queue.batches:
        return
    setting = queue.batch.at("flush_timeout")
    seconds = setting.seconds(_DEFAULT_FLUSH_SECONDS)
    if seconds <= 0:
        yield error(setting, "must be positive", *example((*queue.batch.path, "flush_timeout"), "2s"))
    elif seconds < _LEAST_FLUSH_SECONDS:
        state = "is less than a second" if setting.is_set else "is not set: 200ms"
        yield warning(setting, state, *example((*queue.batch.path, "flush_timeout"), "2s"))


FLUSH: Final = Check(
    "queue.flush_timeout",
    "Time of batches",
    "With little load each flush is a small part: five a second at 200 ms.",
    _clickhouse,
    judge_flush,
    str,
)


def judge_retry(queue: Queue) -> Iterator[Problem]:
    """What is in the queue and fails once is gone."""
    setting = queue.exporter.setting.at("retry_on_failure")
    enabled = setting.at("enabled").flag(queue.exporter.type != "load_balancing")
    if queue.acknowledges and not enabled:
        state = "is false" if setting.at("enabled").is_set else "is not set, and off by default here"
        growth = GROWTH if queue.exporter.type == "load_balancing" else ()
        yield error(
            setting.at("enabled"),
            f"{state}: what fails once is dropped",
            *example(
                setting.path,
                ("enabled: true", "initial_interval: 1s", "max_interval: 30s", *growth, "max_elapsed_time: 0s"),
            ),
        )


RETRY: Final = Check(
    "queue.retry_on_failure",
    "Repeating what failed",
    "The events are out of the sender's hands. An exporter that does not try again drops them at the first error.",
    _queues,
    judge_retry,
    str,
)


def judge_elapsed(queue: Queue) -> Iterator[Problem]:
    """Giving up after five minutes."""
    retry = queue.exporter.setting.at("retry_on_failure")
    outer = queue.exporter.type == "load_balancing"
    if not queue.acknowledges or not retry.at("enabled").flag(not outer):
        return
    setting = retry.at("max_elapsed_time")
    seconds = setting.seconds(0.0 if outer else 300.0)
    if seconds > 0:
        state = f"is {seconds:g} s" if setting.is_set else "is not set: 300 s"
        yield error(
            setting, f"{state}, and then a batch is given up", *example((*retry.path, "max_elapsed_time"), "0s")
        )


ELAPSED: Final = Check(
    "queue.max_elapsed_time",
    "Never giving up",
    "An outage that takes longer than this costs everything that was tried during it, on disk or not.",
    _queues,
    judge_elapsed,
    str,
)


def refused_intervals(retry: Setting, interval: float = 30.0) -> Problem | None:
    """What the Collector refuses of a ``retry_on_failure`` that is on; with its default of max_interval."""
    setting = retry.at("max_elapsed_time")
    elapsed, most = setting.seconds(300.0), retry.at("max_interval").seconds(interval)
    if not 0 < elapsed < most:
        return None
    return error(
        setting,
        f"is {elapsed:g} s, less than the max_interval of {most:g} s: the Collector does not start",
        *example(retry.path, ("max_interval: 2s", "max_elapsed_time: 5s")),
    )


def judge_intervals(queue: Queue) -> Iterator[Problem]:
    """Less time than a pause may take."""
    retry = queue.exporter.setting.at("retry_on_failure")
    outer = queue.exporter.type == "load_balancing"
    # Where the queue acknowledges, any time at all is too little, and another check says so.
    if queue.acknowledges or not retry.at("enabled").flag(not outer):
        return
    if not outer or retry.at("max_elapsed_time").is_set:
        refused = refused_intervals(retry, 0.0 if outer else 30.0)
        if refused:
            yield refused


INTERVALS: Final = Check(
    "queue.retry_intervals",
    "Times of repeating that fit together",
    "A Collector does not start when max_elapsed_time is less than max_interval.",
    _queues,
    judge_intervals,
    str,
)

CHECKS: Final = (
    STORAGE,
    EXTENSION,
    VALID,
    RETRY,
    ELAPSED,
    INTERVALS,
    OVERFLOW,
    BATCH,
    MIN_SIZE,
    MAX_SIZE,
    FLUSH,
)
