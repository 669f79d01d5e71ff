"""
A destination whose events are on disk before ``emit`` returns: the spool in front of the batch processor.

Each destination has a folder of its own below the spool directory, named after its URL without secrets, so that
every process with the same destination finds what a dead one left::

    <spool_directory>/clickhouse-db.example-8123-1f0c2a9b/

Where no folder can be written there is no spool, and the log says so: events then wait in memory.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter

from activitylog.exceptions import ConfigurationError
from activitylog.settings import Settings
from activitylog.stats import DestinationStats, Loss
from activitylog.url import DestinationURL
from activitylog.visible import visible

if TYPE_CHECKING:
    from otel_spool import SpoolOptions

#: About what a record takes on disk.
_BYTES_OF_A_RECORD: Final = 1024
#: Destinations that keep events; the others print them, or forget them with the process.
_KEEPING: Final = frozenset({"chdb", "clickhouse", "otlp", "otlp+http"})
_UNUSUAL: Final = re.compile(r"[^A-Za-z0-9.-]+")

_log = logging.getLogger("activitylog")


def durability_of(url: DestinationURL, settings: Settings) -> str:
    """The level of one destination: what is set, else ``process`` for those that keep events."""
    if settings.durability is not None:
        return settings.durability
    return "process" if keeps_events(url) else "memory"


def keeps_events(url: DestinationURL) -> bool:
    """Whether a destination keeps events, longer than this process."""
    return url.kind in _KEEPING and not (url.kind == "chdb" and url.path == "memory")


def spool_directory(settings: Settings) -> Path:
    """Where spools are: what is set, else the user's folder for state, else one of this user's below /tmp."""
    if settings.spool_directory is not None:
        return settings.spool_directory
    state = os.environ.get("XDG_STATE_HOME", "")
    if state and Path(state).is_absolute():
        return Path(state) / "activitylog" / "spool"
    with suppress(RuntimeError):
        home = Path.home()
        if os.access(home, os.W_OK):
            return home / ".local" / "state" / "activitylog" / "spool"
    return Path(tempfile.gettempdir()) / f"activitylog-{os.geteuid()}" / "spool"


def spool_folder(url: DestinationURL, settings: Settings) -> Path:
    """The folder of one destination's spool. The name shows no secret, and is the same in all processes."""
    shown = str(url)
    place = url.path if url.kind == "chdb" else f"{url.host}-{url.port}"
    name = _UNUSUAL.sub("-", f"{url.kind}-{place}").strip("-")[:64]
    digest = hashlib.sha256(shown.encode()).hexdigest()[:8]
    return spool_directory(settings) / f"{name}-{digest}"


def spooled_destination(
    build: Callable[[], LogRecordExporter],
    url: DestinationURL,
    settings: Settings,
    observe: Callable[[float, int, str], object] | None = None,
) -> SpooledDestination | None:
    """
    The destination with its spool; None when events shall only wait in memory, or can only do that.

    Args:
        observe: told of each attempt to deliver: seconds, records, outcome.

    Raises:
        ConfigurationError: a spool was asked for and cannot be had.
    """
    level = durability_of(url, settings)
    if level == "memory":
        return None
    from otel_spool import SpoolError

    folder = spool_folder(url, settings)
    try:
        return SpooledDestination(
            build, str(url), folder, level, settings, adopt_at_once=url.kind != "chdb", observe=observe
        )
    except (OSError, SpoolError) as error:
        why = visible(f"{type(error).__name__}: {error}")
        if settings.durability is not None:
            raise ConfigurationError(
                f"The spool folder {folder} cannot be used ({why}).",
                hint='Set spool_directory to a folder that this user can write, or durability="memory".',
            ) from None
        _log.warning(
            "activitylog: events for %s wait in memory only, and are lost with the process: the spool folder %s "
            "cannot be used (%s). Set spool_directory to a folder that this user can write.",
            visible(str(url)),
            visible(str(folder)),
            why,
        )
        return None


def spool_options(settings: Settings, durability: str = "process") -> SpoolOptions:
    """How spools are kept."""
    from otel_spool import SpoolOptions

    return SpoolOptions(
        durability=durability,  # type: ignore[arg-type]
        max_bytes=settings.spool_max_bytes,
        max_age_seconds=settings.spool_max_age_seconds,
        overflow=_OVERFLOW[settings.overflow],  # type: ignore[arg-type]
        overflow_timeout_seconds=settings.overflow_timeout_seconds,
        report_losses=settings.counters is not False,
    )


class SpooledDestination(LogRecordProcessor):
    """
    One destination behind a spool.

    Args:
        build: makes the exporter; called in an exporting thread when the first batch is there.
        name: the destination's URL, without secrets.
        folder: of its spool.
        durability: ``process`` or ``power``.
        adopt_at_once: look for what dead processes left before the first event. Not where that would import the
            embedded engine in a process that will fork.
        observe: told of each attempt to deliver.

    Raises:
        OSError: the folder cannot be made.
        otel_spool.FolderError: it belongs to another user.
    """

    def __init__(
        self,
        build: Callable[[], LogRecordExporter],
        name: str,
        folder: Path,
        durability: str,
        settings: Settings,
        *,
        adopt_at_once: bool = True,
        observe: Callable[[float, int, str], object] | None = None,
    ) -> None:
        from otel_spool import SpooledLogRecordProcessor

        self.name = name
        self._blocks = settings.overflow == "block"
        self._processor = SpooledLogRecordProcessor(
            build,
            folder,
            options=spool_options(settings, durability),
            schedule_delay_millis=settings.schedule_delay_millis,
            max_export_batch_size=settings.max_export_batch_size,
            max_queue_size=settings.max_queue_size,
            shutdown_timeout_seconds=settings.shutdown_timeout_seconds,
            adopt_at_once=adopt_at_once,
            observe=observe or _observed_by_nobody,
        )

        self.holder = self._processor

    #: Events that come after the shutdown are written down, for the next process.
    keeps_late_events = True

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Write one record down, and have it sent."""
        self._processor.on_emit(log_record)

    def has_room(self, records: int) -> bool:
        """Whether so many records more would be taken without waiting, as far as one can tell."""
        return not self._blocks or self._processor.has_room(records * _BYTES_OF_A_RECORD)

    def begin_producer(self, name: str) -> None:
        """Whose events come from now on: whoever finds them without their process tells of their losses."""
        self._processor.label_events(name)

    def take_losses(self) -> Sequence[Loss]:
        """What was lost since the last time, of this process's events and of those that dead ones left."""
        return [Loss(loss.label, loss.reason, loss.events) for loss in self._processor.take_losses()]

    def stats(self) -> DestinationStats:
        """What became of the events so far."""
        spool = self._processor.stats()
        return DestinationStats(
            accepted=spool.accepted,
            delivered=spool.delivered,
            queued=spool.spooled + spool.in_memory,
            spooled=spool.spooled,
            dropped=dict(spool.dropped),
            taken_over=spool.taken_over,
            recovered=spool.recovered,
            recovered_dropped=dict(spool.recovered_dropped),
            retries=spool.retries,
            spool_bytes=spool.spool_bytes,
            queue_bytes=spool.queue_bytes,
            in_queue=spool.queued,
            oldest_unsent_ns=spool.oldest_unsent_ns,
            degraded=spool.degraded,
        )

    def flush_within(self, seconds: float) -> bool:
        """Send what is unsent, for at most ``seconds``; True when nothing is left."""
        return self._processor.flush(seconds).complete

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """As OpenTelemetry asks for it."""
        return self._processor.force_flush(timeout_millis)

    def interrupt(self) -> None:
        """End waits between attempts; what is unsent stays on disk."""
        self._processor.interrupt()

    def shutdown_within(self, seconds: float) -> None:
        """Send what is unsent, for at most ``seconds``; what is left is on disk, for the next process."""
        self._processor.shutdown_within(seconds)

    def shutdown(self) -> None:
        """As OpenTelemetry asks for it."""
        self._processor.shutdown()

    def reset_after_fork(self) -> None:
        """The processor has seen to itself."""


def _observed_by_nobody(seconds: float, records: int, outcome: str) -> None:
    """Nobody wants to know."""


#: What gives way in a full spool, by the setting ``overflow``.
_OVERFLOW: Final = {"drop": "drop_oldest", "drop_newest": "drop_newest", "block": "block"}
