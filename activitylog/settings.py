"""
Every setting: its name, its default, where it may come from.

Precedence, highest first:

1. arguments of ``configure``
2. ``ACTIVITYLOG_*`` environment variables (``ACTIVITYLOG_URL``, ``ACTIVITYLOG_MAX_QUEUE_SIZE``, ...)
3. OpenTelemetry's own: ``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``, ``OTEL_BLRP_*``
4. ``activitylog.toml``, or ``[tool.activitylog]`` in ``pyproject.toml``: the file that ``ACTIVITYLOG_CONFIG``
   names, else the first one found from the working directory upwards
5. the defaults below

A key that nobody knows, or a value of the wrong type, is an error that names the place it came from.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote

from activitylog.event import DEFAULT_LIMITS, Limits
from activitylog.exceptions import ConfigurationError
from activitylog.url import DestinationURL, parse

#: A comma before a scheme; any other comma belongs to the URL it stands in.
_BETWEEN_URLS: Final = re.compile(r",(?=\s*[a-z][a-z+]*:)")
ENVIRONMENT_PREFIX: Final = "ACTIVITYLOG_"
#: Variables with the prefix that are no settings of the pipeline.
OTHER_VARIABLES: Final = frozenset({"ACTIVITYLOG_CONFIG", "ACTIVITYLOG_DEBUG"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, checked. Made by :func:`load_settings`."""

    url: tuple[DestinationURL, ...] = ()
    """Where events go; several fan out, each with a queue of its own."""
    service_name: str | None = None
    """``service.name`` of the resource."""
    resource_attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Further resource attributes, such as ``deployment.environment.name``."""
    enabled: bool = True
    """False drops every event at once, counted as ``disabled``."""
    strict: bool = False
    """True raises from ``emit`` what is otherwise repaired or counted: for tests."""
    max_queue_size: int = 65_536
    """Events that may wait for one destination (SDK's default: 2,048)."""
    max_export_batch_size: int = 8_192
    """Events in one export, for ClickHouse one insert (SDK's default: 512)."""
    schedule_delay_millis: int = 1_000
    """Longest wait, in milliseconds, before a smaller batch is sent."""
    overflow: str = "drop"
    """When the queue is full: ``drop`` the new event, or ``block`` the caller (import jobs)."""
    overflow_timeout_seconds: float = 60.0
    """Longest wait of ``block``; then the event is dropped."""
    shutdown_timeout_seconds: float = 10.0
    """How long ``shutdown``, and the end of the process, wait for what is queued."""
    export_timeout_seconds: float = 10.0
    """Of one attempt to send a batch to ClickHouse."""
    retry_deadline_seconds: float = 60.0
    """How long a batch is tried again before it is given up."""
    create_schema: bool | None = None
    """Apply the store's migrations on first use; by default for ``chdb:`` and not for servers."""
    max_depth: int = DEFAULT_LIMITS.max_depth
    """Levels of nesting in a value."""
    max_attributes: int = DEFAULT_LIMITS.max_attributes
    """Attributes of an event."""
    max_value_bytes: int = DEFAULT_LIMITS.max_value_bytes
    """UTF-8 bytes of one value."""
    max_event_bytes: int = DEFAULT_LIMITS.max_event_bytes
    """UTF-8 bytes of one event."""

    @property
    def limits(self) -> Limits:
        """How much of an event is kept."""
        return Limits(self.max_depth, self.max_attributes, self.max_value_bytes, self.max_event_bytes)


def load_settings(
    given: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Settings:
    """
    Collect the settings from all places and check them.

    Args:
        given: arguments of ``configure``; a value None is as if it were absent.
        environ: the environment, ``os.environ`` by default.
        directory: where the search for a file begins, the working directory by default.

    Raises:
        ConfigurationError: a key that nobody knows, or a value that cannot be used, with its place.
    """
    environ = os.environ if environ is None else environ
    merged: dict[str, Any] = {}
    for place, values in (
        _from_file(environ, directory),
        ("the environment", _from_otel(environ)),
        ("the environment", _from_environment(environ)),
        ("configure()", {key: value for key, value in (given or {}).items() if value is not None}),
    ):
        for key, value in values.items():
            if key == "resource_attributes" and key in merged:
                value = {**merged[key], **_checked(key, value, place)}  # noqa: PLW2901 - merged, not replaced
            merged[key] = _checked(key, value, place)
    settings = Settings(**merged)
    _check_together(settings)
    return settings


def _from_file(environ: Mapping[str, str], directory: Path | None) -> tuple[str, Mapping[str, Any]]:
    path = _find_file(environ, directory or Path.cwd())
    if path is None:
        return "", {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"The settings file {str(path)!r} cannot be read: {error.strerror}.",
            hint="Correct ACTIVITYLOG_CONFIG, or unset it.",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}.", hint="Correct the file.") from None
    if path.name == "pyproject.toml":
        document = document.get("tool", {}).get("activitylog", {})
    return str(path), document


def _find_file(environ: Mapping[str, str], start: Path) -> Path | None:
    named = environ.get("ACTIVITYLOG_CONFIG")
    if named:
        return Path(named)
    for folder in (start, *start.parents):
        for name in ("activitylog.toml", "pyproject.toml"):
            if (folder / name).is_file():
                return folder / name
    return None


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(ENVIRONMENT_PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(ENVIRONMENT_PREFIX) and name not in OTHER_VARIABLES and value != ""
    }


def _from_otel(environ: Mapping[str, str]) -> dict[str, str]:
    names = {
        "OTEL_SERVICE_NAME": "service_name",
        "OTEL_RESOURCE_ATTRIBUTES": "resource_attributes",
        "OTEL_BLRP_SCHEDULE_DELAY": "schedule_delay_millis",
        "OTEL_BLRP_MAX_QUEUE_SIZE": "max_queue_size",
        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "max_export_batch_size",
    }
    return {key: environ[name] for name, key in names.items() if environ.get(name)}


def _checked(key: str, value: Any, place: str) -> Any:
    reader = _READERS.get(key)
    if reader is None:
        near = difflib.get_close_matches(key, _READERS, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known settings: {', '.join(sorted(_READERS))}."
        raise ConfigurationError(f"There is no setting {key!r} (found in {place}).", hint=hint)
    try:
        return reader(value)
    except ConfigurationError as error:
        # A new error without the cause: its frames hold the raw value, which may be a password.
        raise ConfigurationError(f"{key} in {place}: {error.message}", hint=error.hint) from None


def _urls(value: Any) -> tuple[DestinationURL, ...]:
    if isinstance(value, DestinationURL):
        return (value,)
    if isinstance(value, str):
        value = [part for part in _BETWEEN_URLS.split(value) if part.strip()]
    if not isinstance(value, Iterable) or isinstance(value, (bytes, Mapping)):
        raise ConfigurationError(f"expected a URL or a list of URLs, got {type(value).__name__}.")
    urls = tuple(item if isinstance(item, DestinationURL) else parse(_one_url(item)) for item in value)
    if len({str(url) for url in urls}) != len(urls):
        raise ConfigurationError("the same destination is named twice.", hint="Name each one once.")
    return urls


def _one_url(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ConfigurationError(f"expected a URL, got {type(value).__name__}.")


def _text(value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise ConfigurationError(f"expected a text that is not empty, got {value!r}.")


def _attributes(value: Any) -> Mapping[str, str]:
    if isinstance(value, Mapping):
        return MappingProxyType({str(key): str(item) for key, item in value.items()})
    if not isinstance(value, str):
        raise ConfigurationError(f"expected a table or key=value,key=value, got {type(value).__name__}.")
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    if not all(key.strip() and equals for key, equals, _ in pairs):
        raise ConfigurationError("expected key=value,key=value.", hint="Write ',' inside a value as %2C.")
    return MappingProxyType({key.strip(): unquote(item.strip()) for key, _, item in pairs})


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    answers = {
        "true": True,
        "1": True,
        "yes": True,
        "on": True,
        "false": False,
        "0": False,
        "no": False,
        "off": False,
    }
    if isinstance(value, str) and value.strip().lower() in answers:
        return answers[value.strip().lower()]
    raise ConfigurationError(f"expected true or false, got {value!r}.")


def _whole(minimum: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        try:
            number = int(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
        except ValueError:
            number = None
        if number is None or number < minimum:
            raise ConfigurationError(f"expected a whole number of at least {minimum}, got {value!r}.")
        return number

    return read


def _seconds(value: Any) -> float:
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else -1.0
    except ValueError:
        number = -1.0
    if not 0 < number < 1e9:
        raise ConfigurationError(f"expected a number of seconds above 0, got {value!r}.")
    return number


def _overflow(value: Any) -> str:
    if value in ("drop", "block"):
        return str(value)
    raise ConfigurationError(f"expected 'drop' or 'block', got {value!r}.")


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "url": _urls,
    "service_name": _text,
    "resource_attributes": _attributes,
    "enabled": _boolean,
    "strict": _boolean,
    "max_queue_size": _whole(1),
    "max_export_batch_size": _whole(1),
    "schedule_delay_millis": _whole(1),
    "overflow": _overflow,
    "overflow_timeout_seconds": _seconds,
    "shutdown_timeout_seconds": _seconds,
    "export_timeout_seconds": _seconds,
    "retry_deadline_seconds": _seconds,
    "create_schema": _boolean,
    "max_depth": _whole(1),
    "max_attributes": _whole(1),
    "max_value_bytes": _whole(64),
    "max_event_bytes": _whole(1024),
}


def _check_together(settings: Settings) -> None:
    if settings.max_export_batch_size > settings.max_queue_size:
        raise ConfigurationError(
            f"max_export_batch_size ({settings.max_export_batch_size:,}) is larger than max_queue_size "
            f"({settings.max_queue_size:,}).",
            hint="Raise max_queue_size or lower max_export_batch_size.",
        )


def setting_names() -> tuple[str, ...]:
    """The names of all settings, in the order of :class:`Settings`."""
    return tuple(field.name for field in dataclasses.fields(Settings))
