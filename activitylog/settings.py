"""
Every setting: its name, its default, where it may come from.

Precedence, highest first:

1. arguments of ``configure``
2. ``ACTIVITYLOG_*`` environment variables (``ACTIVITYLOG_URL``, ``ACTIVITYLOG_MAX_QUEUE_SIZE``, ...)
3. OpenTelemetry's own: ``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``, ``OTEL_BLRP_*``, and
   ``OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED``
4. ``activitylog.toml``, or ``[tool.activitylog]`` in ``pyproject.toml``: the file that ``ACTIVITYLOG_CONFIG``
   names, else the first one found from the working directory upwards
5. the defaults below

Inside one place ``service_name`` wins over the attribute ``service.name``; they are the same fact.

A key that nobody knows, or a value of the wrong type, is an error that names the place it came from. Only
OpenTelemetry's own variables follow OpenTelemetry's rule: what cannot be used of them is ignored with a warning.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from activitylog.event import DEFAULT_LIMITS, Limits
from activitylog.exceptions import ConfigurationError
from activitylog.redaction import RedactionSettings
from activitylog.rules import Rule
from activitylog.rules.files import rules_of
from activitylog.setting_values import PATHS, READERS
from activitylog.settings_file import find_settings_file
from activitylog.store_settings import StoreSettings
from activitylog.toml_file import TomlFile
from activitylog.url import DestinationURL
from activitylog.visible import visible

ENVIRONMENT_PREFIX: Final = "ACTIVITYLOG_"
#: Variables with the prefix that are no settings of the pipeline.
OTHER_VARIABLES: Final = frozenset({"ACTIVITYLOG_CONFIG", "ACTIVITYLOG_DEBUG", "ACTIVITYLOG_REDACTION_KEY"})
#: What Kubernetes gives to every container beside a service named ``activitylog`` or ``activitylog-something``.
_OF_KUBERNETES: Final = re.compile(r"ACTIVITYLOG_([A-Z0-9_]+_)?(SERVICE_(HOST|PORT).*|PORT(_.*)?)", re.DOTALL)
_STANDARD_ATTRIBUTES: Final = "OTEL_RESOURCE_ATTRIBUTES"
_STANDARD_VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "OTEL_SERVICE_NAME": "service_name",
        _STANDARD_ATTRIBUTES: "resource_attributes",
        "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "metrics",
        "OTEL_BLRP_SCHEDULE_DELAY": "schedule_delay_millis",
        "OTEL_BLRP_MAX_QUEUE_SIZE": "max_queue_size",
        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "max_export_batch_size",
    }
)
_SERVICE_NAME: Final = "service.name"
#: Of the decisions about units where no key is set: processes agree, and everybody can tell what is kept.
_PUBLIC_KEY: Final = "activitylog"
_RULES: Final = frozenset({"rules", "rules_file"})

_assumed: Final[ContextVar[Mapping[str, Any]]] = ContextVar("activitylog_assumed", default=MappingProxyType({}))

_log = logging.getLogger("activitylog")


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
    """Events in one export, for ClickHouse one insert (SDK's default: 512); by default no more than the queue."""
    schedule_delay_millis: int = 1_000
    """Longest wait, in milliseconds, before a smaller batch is sent."""
    durability: str | None = None
    """``memory``: events wait in memory, and are lost with the process. ``process``: they are on disk before
    ``emit`` returns, and survive the process. ``power``: they are synced as well, a tenth of a second later.
    By default ``process`` for stores and Collectors, where a folder can be written."""
    spool_directory: Path | None = None
    """Where those events are on disk. By default ``activitylog/spool`` in the user's folder for state. Relative to
    the settings file that names it, else to the working directory."""
    spool_max_bytes: int = 256 * 1024 * 1024
    """Of one destination's events on disk, of all processes together."""
    spool_max_age_seconds: float = 7 * 24 * 3600.0
    """Events that wait longer on disk are given up, as ``expired``."""
    overflow: str = "drop"
    """When the queue is full, or with a spool the disk's share: ``drop`` (the new event; on disk the oldest of the
    least important), ``drop_newest`` (always the new one), or ``block`` the caller (import jobs)."""
    overflow_timeout_seconds: float = 60.0
    """Longest wait of ``block``; then the event is dropped."""
    shutdown_timeout_seconds: float = 10.0
    """How long ``shutdown``, and the end of the process, wait for what is queued."""
    export_timeout_seconds: float = 10.0
    """Of one attempt to send a batch to ClickHouse."""
    retry_deadline_seconds: float = 60.0
    """How long a batch is tried again before it is given up; with a spool it never is."""
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
    rules: tuple[Rule, ...] = ()
    """Which events are kept, and how often (:mod:`activitylog.rules`); in code tables or Rules."""
    rules_file: Path | None = None
    """A file of ``[[rules]]`` instead, which is read again when it changes. Relative to the settings file that
    names it, else to the working directory."""
    rules_reload_seconds: float = 5.0
    """How often that file is looked at."""
    dry_run: bool = False
    """Decide, but keep every event, and write on it what would have become of it."""
    sampling_key: str | None = field(default=None, repr=False)
    """A secret for the decisions about traces, sessions and the like, so that nobody chooses an id that is never
    kept; the same in all processes that shall agree. By default a constant that everybody knows."""
    counters: bool | None = None
    """Write exact counts of all events, kept or not, as records of their own; by default where there are rules."""
    metrics: bool = False
    """Tell OpenTelemetry's metrics what the pipeline does (:mod:`activitylog.metrics`). Off by default, as the
    SDK's own metrics are, and switched on by the same variable, ``OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED``."""
    seals: bool = False
    """Write a hash chain over this process's events beside them (:mod:`activitylog.seals`): whether something was
    changed or taken out can then be seen."""
    store: StoreSettings = field(default_factory=StoreSettings)
    """How the store's tables are made and kept: the table ``[store]``, from a file or ``configure`` only."""
    redaction: RedactionSettings = field(default_factory=RedactionSettings)
    """What is taken out of events: the table ``[redaction]``, from a file or ``configure``. Its key, which is
    better not in a file, also comes from the variable ``ACTIVITYLOG_REDACTION_KEY``."""

    @property
    def sampling_key_bytes(self) -> bytes:
        """The key of the decisions about whole units."""
        return (self.sampling_key or _PUBLIC_KEY).encode()

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
    found: _Place = {}
    for place in (
        _from_file(environ, directory),
        _from_standard(environ),
        _from_environment(environ),
        _from_code({**_assumed.get(), **(given or {})}),
    ):
        _check_rules(place)
        _merge(found, _with_service_name(place))
    _fit_batch(found)
    _add_redaction_key(found, environ)
    return Settings(**{key: item.value for key, item in found.items()})


@contextmanager
def assumed(given: Mapping[str, Any]) -> Iterator[None]:
    """
    Have :func:`load_settings` in this block find what a program gives to ``configure``, too.

    For commands that run inside such a program, which has its settings in a place of its own.
    """
    token = _assumed.set(dict(given))
    try:
        yield
    finally:
        _assumed.reset(token)


def settings_of(given: Mapping[str, Any]) -> Settings:
    """
    Check what is given, and nothing else: no variable and no file is read.

    Raises:
        ConfigurationError: a key that nobody knows, or a value that cannot be used.
    """
    place = _from_code(given)
    _check_rules(place)
    return Settings(**{key: item.value for key, item in place.items()})


class _Found(NamedTuple):
    """A checked value and where it was found, in words."""

    value: Any
    origin: str

    @property
    def standard(self) -> bool:
        """Whether it comes from one of OpenTelemetry's own variables, which are never fatal."""
        return self.origin.startswith("the variable OTEL_")


_Place = dict[str, _Found]


def _from_file(environ: Mapping[str, str], directory: Path | None) -> _Place:
    file = find_settings_file(environ, directory)
    return {} if file is None else {key: _in_file(file, key, value) for key, value in file.table.items()}


def _in_file(file: TomlFile, key: str, value: Any) -> _Found:
    origin = str(file.path)
    if key == "rules":
        return _Found(rules_of(file, value), origin)
    if key in PATHS and isinstance(value, str) and value.strip():
        # Whoever is below the file's folder shall find the same: the application, and the commands.
        value = value.strip() if value.strip().startswith("~") else file.path.parent / value.strip()
    return _checked(key, value, origin)


def _from_standard(environ: Mapping[str, str]) -> _Place:
    """What can be used of OpenTelemetry's own variables; the rest is ignored with a warning."""
    place: _Place = {}
    for name, key in _STANDARD_VARIABLES.items():
        text = environ.get(name, "")
        if name == _STANDARD_ATTRIBUTES:
            text = _usable_pairs(text)
        if text == "":
            continue
        try:
            place[key] = _checked(key, text, f"the variable {name}")
        except ConfigurationError as error:
            _log.warning("activitylog: %s The variable is ignored.", visible(error.message))
    return place


def _usable_pairs(text: str) -> str:
    pairs = [part for part in text.split(",") if part.strip()]
    usable = [part for part in pairs if _is_usable(part)]
    if len(usable) < len(pairs):
        _log.warning(
            "activitylog: %d of %d entries in the variable %s are not key=value; they are ignored.",
            len(pairs) - len(usable),
            len(pairs),
            _STANDARD_ATTRIBUTES,
        )
    return ",".join(usable)


def _is_usable(pair: str) -> bool:
    key, equals, value = pair.partition("=")
    return bool(key.strip() and equals and (key.strip() != _SERVICE_NAME or unquote(value).strip()))


def _from_environment(environ: Mapping[str, str]) -> _Place:
    place: _Place = {}
    for name, value in environ.items():
        if _is_ours(name) and value != "":
            key = name.removeprefix(ENVIRONMENT_PREFIX).lower()
            place[key] = _checked(key, value, f"the variable {name}")
    return place


def _is_ours(name: str) -> bool:
    if not name.startswith(ENVIRONMENT_PREFIX) or name in OTHER_VARIABLES:
        return False
    return _OF_KUBERNETES.fullmatch(name) is None


def _from_code(given: Mapping[str, Any]) -> _Place:
    return {key: _checked(key, value, "configure()") for key, value in given.items() if value is not None}


def _with_service_name(place: _Place) -> _Place:
    """The attribute ``service.name`` of a place becomes its ``service_name``, unless it has one."""
    attributes = place.get("resource_attributes")
    if attributes is None or _SERVICE_NAME not in attributes.value:
        return place
    others = {key: value for key, value in attributes.value.items() if key != _SERVICE_NAME}
    return {
        "service_name": _checked("service_name", attributes.value[_SERVICE_NAME], attributes.origin),
        **place,
        "resource_attributes": _Found(MappingProxyType(others), attributes.origin),
    }


def _merge(found: _Place, higher: _Place) -> None:
    if not _RULES.isdisjoint(higher):
        # Two forms of one fact: the rules of a higher place replace a lower place's file, and the other way round.
        for key in _RULES:
            found.pop(key, None)
    lower = found.get("resource_attributes")
    found.update(higher)
    if lower is not None and "resource_attributes" in higher:
        value, origin = higher["resource_attributes"]
        found["resource_attributes"] = _Found(MappingProxyType({**lower.value, **value}), origin)


def _add_redaction_key(found: _Place, environ: Mapping[str, str]) -> None:
    """The key of the pseudonyms from its variable, which wins over a file's and not over the code's."""
    key = environ.get("ACTIVITYLOG_REDACTION_KEY")
    if not key:
        return
    origin = "the variable ACTIVITYLOG_REDACTION_KEY"
    given = _checked("redaction", {"key": key}, origin).value.key
    lower = found.get("redaction", _Found(RedactionSettings(), origin))
    if not (lower.value.key and lower.origin == "configure()"):
        found["redaction"] = _Found(replace(lower.value, key=given), lower.origin)


def _fit_batch(found: _Place) -> None:
    """Make the batch fit the queue where nobody asked for more; an explicit contradiction is an error."""
    default = Settings()
    queue = found.get("max_queue_size", _Found(default.max_queue_size, "the default"))
    batch = found.get("max_export_batch_size")
    if batch is None:
        fitting = min(default.max_export_batch_size, queue.value)
        found["max_export_batch_size"] = _Found(fitting, "the default")
    elif batch.value <= queue.value:
        return
    elif batch.standard:
        _log.warning("activitylog: %s It is lowered to the queue's size.", _contradiction(batch, queue))
        found["max_export_batch_size"] = _Found(queue.value, batch.origin)
    elif queue.standard and batch.value <= default.max_queue_size:
        _log.warning("activitylog: %s The queue's size is ignored.", _contradiction(batch, queue))
        del found["max_queue_size"]
    else:
        raise ConfigurationError(
            _contradiction(batch, queue), hint="Raise max_queue_size or lower max_export_batch_size."
        )


def _check_rules(place: _Place) -> None:
    if place.keys() >= _RULES:
        raise ConfigurationError(
            f"There are rules and a rules_file in {place['rules'].origin}.",
            hint="Move the rules into the file, or leave it out.",
        )


def _contradiction(batch: _Found, queue: _Found) -> str:
    return (
        f"max_export_batch_size ({batch.value:,}, from {batch.origin}) is larger than max_queue_size "
        f"({queue.value:,}, from {queue.origin})."
    )


def _checked(key: str, value: Any, origin: str) -> _Found:
    reader = READERS.get(key)
    if reader is None:
        near = difflib.get_close_matches(key, READERS, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known settings: {', '.join(sorted(READERS))}."
        for table in ("store", "redaction"):
            if key.startswith(f"{table}_"):
                hint = f"What belongs to [{table}] is set in a settings file, or by configure({table}={{...}})."
        raise ConfigurationError(f"There is no setting {key!r} (found in {origin}).", hint=hint)
    try:
        return _Found(reader(value), origin)
    except ConfigurationError as error:
        problem, further = error.message, error.hint
    # Outside the except, without a context: its frames hold the raw value, which may be a password.
    raise ConfigurationError(f"{key} in {origin}: {problem}", hint=further)
