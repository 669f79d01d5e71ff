"""OpenTelemetry's ``LoggerProvider`` to emit through, and the resource that it gives each record."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry._logs import LoggerProvider as APILoggerProvider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.resources import Resource

from activitylog.exceptions import ConfigurationError
from activitylog.provider import Destination
from activitylog.settings import Settings


def provider_for(
    destinations: Sequence[Destination], settings: Settings, given: APILoggerProvider | None = None
) -> APILoggerProvider:
    """
    A provider that has the destinations added.

    Args:
        given: the application's; by default one of our own is made.

    Raises:
        ConfigurationError: nothing can be added to the application's.
    """
    provider = given or LoggerProvider(resource_of(settings), shutdown_on_exit=False)
    if destinations and not isinstance(provider, LoggerProvider):
        raise ConfigurationError(
            f"logger_provider is a {type(provider).__name__}, to which no destination can be added.",
            hint="Pass an opentelemetry.sdk._logs.LoggerProvider, or leave the URL out.",
        )
    for destination in destinations:
        provider.add_log_record_processor(destination)  # type: ignore[attr-defined]
    return provider


def resource_of(settings: Settings) -> Resource:
    """What a process says of itself: as the settings name it, with what the SDK and its variables add."""
    attributes: dict[str, str] = dict(settings.resource_attributes)
    if settings.service_name:
        attributes["service.name"] = settings.service_name
    return Resource.create(attributes)
