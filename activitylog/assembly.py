"""A pipeline from settings: a destination for each URL, behind a spool where events can be kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from opentelemetry._logs import LoggerProvider as APILoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter
from structlog.typing import Processor

from activitylog.destinations import check_free, exporter_builder
from activitylog.exceptions import ConfigurationError
from activitylog.metrics import PipelineMetrics, process_metrics
from activitylog.pipeline import Pipeline
from activitylog.provider import BoundedProcessor, Destination
from activitylog.settings import Settings
from activitylog.spooling import spooled_destination
from activitylog.url import DestinationURL


def build_pipeline(
    settings: Settings,
    *,
    processors: Sequence[Processor] = (),
    logger_provider: APILoggerProvider | None = None,
    version: str = "",
) -> Pipeline:
    """
    Make a pipeline from settings.

    Raises:
        ConfigurationError: no destination and no provider, or something a destination needs is missing.
        StoreLockedError: another process has the embedded store open, and there is no spool to leave events in.
    """
    if not settings.url and logger_provider is None and settings.enabled:
        raise ConfigurationError(
            "No destination is configured.",
            hint="Pass a URL to configure(), set ACTIVITYLOG_URL, or write url = ... into activitylog.toml; "
            "chdb:///abs/dir needs nothing else.",
        )
    builders = [(url, exporter_builder(url, settings)) for url in settings.url]
    metrics = process_metrics() if settings.metrics else None
    destinations: list[Destination] = []
    try:
        for url, build in builders:
            destinations.append(_destination(url, build, settings, metrics))
        return Pipeline(
            settings,
            processors=processors,
            logger_provider=logger_provider,
            destinations=destinations,
            version=version,
            metrics=metrics,
        )
    except BaseException:
        for destination in destinations:  # their threads would go on, and take over what others left
            destination.shutdown_within(0)
        raise


def _destination(
    url: DestinationURL,
    build: Callable[[], LogRecordExporter],
    settings: Settings,
    metrics: PipelineMetrics | None,
) -> Destination:
    observe = metrics.of_attempts(str(url)) if metrics is not None else None
    spooled = spooled_destination(build, url, settings, observe)
    if spooled is not None:
        return spooled
    check_free(url)  # with a spool, events for a store that another process has open are left for that one
    return BoundedProcessor(build, str(url), settings, observe)
