"""
The dict ``ACTIVITYLOG`` of Django's settings, read and checked.

Its keys, all in lower case: the settings of :func:`activitylog.configure`, the options of
:func:`activitylog.integrations.http.http_options`, and those of :data:`OWN` below.

Every key is checked by itself, so that ``manage.py check`` says all that is wrong at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string

from activitylog.exceptions import ConfigurationError, shown
from activitylog.integrations.http import HTTPOptions, http_options
from activitylog.integrations.http.options import HTTP_OPTIONS, asked
from activitylog.setting_values import READERS

#: What a request says is asked of it: called with the request, at emit.
Hook = Callable[[HttpRequest], Any]

#: Settings of other modules of this package: which one, and the function of it that checks the value. What that
#: returns is handed to the module's ``connect``, where it has one, when Django is ready; unless it is False.
ELSEWHERE: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "auth_events": ("auth_signals", "read"),
        "models": ("model_changes", "read"),
        "legacy_write": ("moving_in.switch", "read"),
        "read_url": ("admin.read_settings", "readable_url"),
        "read_timeout_seconds": ("admin.read_settings", "timeout_seconds"),
    }
)
_DEFAULTS: Final[Mapping[str, Any]] = MappingProxyType({"auth_events": True})


@dataclass(frozen=True, slots=True)
class DjangoOptions:
    """
    What ``ACTIVITYLOG`` says, checked; made by :func:`options`.

    Attributes:
        pipeline: arguments of ``activitylog.configure``.
        http: how requests are read.
        actor: who asks, by default the request's user.
        tenant: whose data it is about.
        load_user: load the user before an asynchronous view.
        return_request_id: answers carry the request's id.
        elsewhere: checked settings of other modules (:data:`ELSEWHERE`).
    """

    pipeline: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    http: HTTPOptions = field(default_factory=HTTPOptions)
    actor: Hook | None = None
    tenant: Hook | None = None
    load_user: bool = True
    return_request_id: bool = False
    elsewhere: Mapping[str, Any] = field(default_factory=lambda: _DEFAULTS)


def given() -> Mapping[str, Any]:
    """
    ``ACTIVITYLOG`` as it is written; empty where there is none.

    Raises:
        ConfigurationError: it is no dict.
    """
    found = getattr(settings, "ACTIVITYLOG", None)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise ConfigurationError(
            f"ACTIVITYLOG: expected a dict, got {type(found).__name__}.",
            hint='Write ACTIVITYLOG = {"url": "clickhouse://...", "service_name": "..."}.',
        )
    return found


def options() -> DjangoOptions:
    """
    Read ``ACTIVITYLOG``.

    Raises:
        ConfigurationError: the first thing that is wrong.
    """
    global _latest  # noqa: PLW0603 - the same dict is not read again: servers without the middleware ask often
    written = given()
    if _latest is not None and _latest[0] is written:
        return _latest[1]
    found, wrong = read(written)
    if wrong:
        error = next(iter(wrong.values()))
        raise ConfigurationError(error.message, hint=error.hint)
    _latest = (written, found)
    return found


_latest: tuple[Mapping[str, Any], DjangoOptions] | None = None


def read(written: Mapping[str, Any]) -> tuple[DjangoOptions, dict[str, ConfigurationError]]:
    """What can be read of ``ACTIVITYLOG``, and by key what cannot."""
    values: dict[str, Any] = {}
    wrong: dict[str, ConfigurationError] = {}
    for key, value in written.items():
        try:
            reader = _reader(key)
            if value is not None:
                values[key] = reader(value)
        except ConfigurationError as error:
            wrong[str(key)] = _named(key, error)
    return _options_of(values, written), wrong


def _options_of(values: Mapping[str, Any], written: Mapping[str, Any]) -> DjangoOptions:
    pipeline = {key: written[key] for key in READERS if key in values}
    pipeline |= {key: values[key] for key in _OF_CONFIGURE if key in values}
    http = {key: written[key] for key in HTTP_OPTIONS if key in values}
    return DjangoOptions(
        pipeline=MappingProxyType(pipeline),
        http=http_options(**http),
        elsewhere=MappingProxyType({**_DEFAULTS, **{key: values[key] for key in ELSEWHERE if key in values}}),
        **{key: values[key] for key in _OF_REQUESTS if key in values},
    )


def _reader(key: Any) -> Callable[[Any], Any]:
    if key in READERS:
        return READERS[key]
    if key in HTTP_OPTIONS:
        return lambda value: http_options(**{key: value})
    if key in ELSEWHERE:
        return getattr(module_of(key), ELSEWHERE[key][1])  # type: ignore[no-any-return]
    if key in OWN:
        return OWN[key]
    raise UnknownSettingError(key)


def module_of(key: str) -> ModuleType:
    """The module of this package that a setting belongs to."""
    return import_module(f"activitylog.integrations.django.{ELSEWHERE[key][0]}")


class UnknownSettingError(ConfigurationError):
    """``ACTIVITYLOG`` has a key that nobody reads."""

    def __init__(self, key: Any) -> None:
        known = sorted({*READERS, *HTTP_OPTIONS, *ELSEWHERE, *OWN})
        near = difflib.get_close_matches(str(key).lower(), known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
        super().__init__(f"ACTIVITYLOG: there is no setting {shown(key)}.", hint=hint)


def _named(key: str, error: ConfigurationError) -> ConfigurationError:
    """The error with the place in the settings."""
    if isinstance(error, UnknownSettingError):
        return error
    problem = error.message.removeprefix(f"{key}: ")
    return ConfigurationError(f"ACTIVITYLOG[{key!r}]: {problem}", hint=error.hint)


def boolean(value: Any) -> bool:
    """
    True or False, and nothing that is merely like it.

    Raises:
        ConfigurationError: it is neither.
    """
    if isinstance(value, bool):
        return value
    raise ConfigurationError(f"expected True or False, got {shown(value)}.")


def imported(value: Any) -> Any:
    """
    What a dotted path leads to; anything that is no text is itself.

    Raises:
        ConfigurationError: it leads nowhere.
    """
    if not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except Exception as error:  # noqa: BLE001 - the application's module may raise anything while it is imported
        problem = f"{value!r} cannot be imported ({type(error).__name__}: {error})."
    raise ConfigurationError(
        problem, hint="Write the dotted path of a function, such as 'shop.tenants.tenant_of'."
    )


def _hook(key: str) -> Callable[[Any], Any]:
    def read_hook(value: Any) -> Any:
        return asked(imported(value), key)

    return read_hook


def _processors(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ConfigurationError(f"expected a list, got {shown(value)}.")
    found = tuple(map(imported, value))
    for item in found:
        if not callable(item) or isinstance(item, type):
            raise ConfigurationError(
                f"{shown(item)} is no processor.",
                hint="A processor is called with (logger, method_name, event_dict) and returns the event_dict; "
                "of a class give an instance.",
            )
    return found


def _provider(value: Any) -> Any:
    found = imported(value)
    if callable(found) and not hasattr(found, "get_logger"):
        found = found()
    if hasattr(found, "get_logger"):
        return found
    raise ConfigurationError("expected an OpenTelemetry LoggerProvider, or what returns one, or its dotted path.")


#: Settings that are neither of the pipeline nor of requests in general.
OWN: Final[Mapping[str, Callable[[Any], Any]]] = MappingProxyType(
    {
        "actor": _hook("actor"),
        "tenant": _hook("tenant"),
        "load_user": boolean,
        "return_request_id": boolean,
        "processors": _processors,
        "logger_provider": _provider,
    }
)
_OF_CONFIGURE: Final = ("processors", "logger_provider")
_OF_REQUESTS: Final = tuple(key for key in OWN if key not in _OF_CONFIGURE)
