"""
Delivering what dead processes left on disk, without emitting anything: for a command, or a job of the machine.

A process that starts does the same by itself, for its own destinations. What is lost for good in the course of it
is reported into the destination, as a pipeline does (:mod:`activitylog.losses`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from activitylog.destinations import check_free, exporter_builder
from activitylog.event import REDELIVERED
from activitylog.exceptions import ConfigurationError
from activitylog.identity import Producer
from activitylog.logger_provider import resource_of
from activitylog.losses import loss_attributes, reason_code
from activitylog.output import NO_TRACE, CleanLogRecord, RenderLogRecord
from activitylog.settings import Settings
from activitylog.spooling import keeps_events, spool_folder, spool_options
from activitylog.url import DestinationURL

if TYPE_CHECKING:
    from otel_spool import Drained, Loss

ENDS_WITH_THE_PROCESS: Final = (
    "forgets events with their process: what is on disk for it is delivered by the next one that has it as its "
    "destination"
)


def can_deliver(url: DestinationURL) -> bool:
    """Whether what is delivered there by a command is somewhere: not where events end with the process."""
    return keeps_events(url) or url.kind == "console"


def drain(
    url: DestinationURL,
    settings: Settings,
    *,
    timeout_seconds: float = 60.0,
    letters: bool = False,
    progress: Callable[[int], object] = lambda _: None,
) -> Drained:
    """
    Deliver what dead processes left for a destination.

    Args:
        letters: send what the destination refused before, too.
        progress: told now and then how many events have a definite answer.

    Returns:
        What was delivered, given up and left.

    Raises:
        ConfigurationError: events end there with the process, or something that it needs is not installed.
        StoreLockedError: another process has the embedded store open; it delivers what dead ones left by itself.
        otel_spool.FolderError: the spool's folder belongs to another user.
        OSError: it cannot be made.
    """
    from otel_spool import Drain

    if not can_deliver(url):
        raise ConfigurationError(f"{url} {ENDS_WITH_THE_PROCESS}.")
    check_free(url)
    build = exporter_builder(url, settings)
    found = Drain(
        build,
        spool_folder(url, settings),
        options=spool_options(settings),
        max_records=settings.max_export_batch_size,
    )
    producer = Producer()
    found.spool.label_events(producer.name)
    report = _Report(str(url), producer, settings)
    return found.run(
        timeout_seconds, letters=letters, progress=progress, report=report, redelivered=report.redelivered
    )


class _Report:
    """Records of losses, as the pipeline of a process would emit them."""

    def __init__(self, destination: str, producer: Producer, settings: Settings) -> None:
        self._destination = destination
        self._render = RenderLogRecord(producer)
        self._resource = resource_of(settings)
        self._scope = InstrumentationScope("activitylog")

    def __call__(self, losses: Sequence[Loss]) -> Sequence[ReadWriteLogRecord]:
        return [self._record(loss.label, reason_code(loss.reason), loss.events) for loss in losses]

    def redelivered(self, records: Sequence[ReadableLogRecord]) -> Sequence[ReadWriteLogRecord]:
        """What takes back the losses of these; what has no number is no gap in a sequence."""
        attributes = (record.log_record.attributes or {} for record in records)
        producers = Counter(str(of.get("activity.producer", "")) for of in attributes if of.get("activity.seq"))
        return [self._record(producer, REDELIVERED, events) for producer, events in producers.items()]

    def _record(self, producer: str | None, reason: str, events: int) -> ReadWriteLogRecord:
        found = loss_attributes(self._destination, reason, events, time.time_ns())
        if producer is None:
            record = self._render.record("info", found, NO_TRACE)
        else:
            record = self._render.about(producer, found)
        return CleanLogRecord(record, self._resource, self._scope)
