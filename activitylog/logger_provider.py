"""OpenTelemetry's ``LoggerProvider`` to emit through, and the resource that it gives each record."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from opentelemetry._logs import LoggerProvider as APILoggerProvider
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource

from activitylog.exceptions import ConfigurationError
from activitylog.provider import Destination
from activitylog.settings import Settings


class Attachment(LogRecordProcessor):
    """
    What a provider of the application has of us, however often it is configured.

    A provider takes processors, and gives none back. So it gets this one, once, which hands each record on: an
    event to the destinations of the pipeline that emitted it, what others emit to those of the pipeline in force.

    Attributes:
        destinations: of the pipeline in force.
    """

    def __init__(self) -> None:
        self.destinations: tuple[Destination, ...] = ()

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Hand one record on."""
        own: Sequence[Destination] | None = getattr(log_record, "destinations", None)
        for destination in self.destinations if own is None else own:
            destination.on_emit(log_record)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what is queued; True when nothing is left."""
        flushed = [destination.force_flush(timeout_millis) for destination in self.destinations]
        return all(flushed)

    def shutdown(self) -> None:
        """Stop what is in force."""
        for destination in self.destinations:
            destination.shutdown()


_attachments: WeakKeyDictionary[APILoggerProvider, Attachment] = WeakKeyDictionary()


def provider_for(
    destinations: Sequence[Destination], settings: Settings, given: APILoggerProvider | None = None
) -> APILoggerProvider:
    """
    A provider that hands what is emitted through it to the destinations.

    Args:
        given: the application's, which does so with what others emit from :func:`attach` on; by default one of our
            own is made.

    Raises:
        ConfigurationError: the application's is no provider, or nothing can be added to it.
    """
    if given is None:
        provider = LoggerProvider(resource_of(settings), shutdown_on_exit=False)
        for destination in destinations:
            provider.add_log_record_processor(destination)  # type: ignore[arg-type]
        return provider
    if not isinstance(given, LoggerProvider if destinations else APILoggerProvider):
        raise ConfigurationError(
            f"logger_provider is a {type(given).__name__}, to which no destination can be added.",
            hint="Pass an opentelemetry.sdk._logs.LoggerProvider, or leave the URL out.",
        )
    if isinstance(given, LoggerProvider) and destinations and given not in _attachments:
        _attachments[given] = Attachment()
        given.add_log_record_processor(_attachments[given])
    return given


def attach(provider: APILoggerProvider, destinations: tuple[Destination, ...]) -> None:
    """What others emit through a provider of the application goes to these from now on, and to no others."""
    if provider in _attachments:
        _attachments[provider].destinations = destinations


def detach(provider: APILoggerProvider, destinations: tuple[Destination, ...]) -> None:
    """What others emit through a provider of the application no longer goes to these."""
    attachment = _attachments.get(provider)
    if attachment is not None and attachment.destinations is destinations:
        attachment.destinations = ()


def resource_of(settings: Settings) -> Resource:
    """What a process says of itself: as the settings name it, with what the SDK and its variables add."""
    attributes: dict[str, str] = dict(settings.resource_attributes)
    if settings.service_name:
        attributes["service.name"] = settings.service_name
    return Resource.create(attributes)
