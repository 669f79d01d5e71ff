"""
What ``manage.py check`` says about activitylog: every setting by itself, and what surrounds it.

=====================  ==========================================================================
``activitylog.E001``   ``ACTIVITYLOG`` is no dict
``activitylog.E002``   a setting that does not exist
``activitylog.E003``   a setting that cannot be used
``activitylog.E004``   nothing says where events go
``activitylog.E005``   activitylog could not be configured
``activitylog.W001``   the middleware is missing
``activitylog.W002``   the middleware is there twice
``activitylog.W003``   nothing says who asks
``activitylog.W004``   events wait in memory only: the folder of the spool cannot be written
``activitylog.W011``   (``--deploy``) one process at a time can have the embedded store open
``activitylog.W012``   (``--deploy``) events are forgotten
``activitylog.W013``   (``--deploy``) the client's address is the proxy's
``activitylog.W014``   (``--deploy``) ``strict`` raises into requests
=====================  ==========================================================================
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from activitylog.exceptions import ActivityLogError, ConfigurationError
from activitylog.integrations.django import conf
from activitylog.settings import Settings, load_settings
from activitylog.spooling import durability_of, spool_folder

TAG: Final = "activitylog"
_MIDDLEWARE: Final = "activitylog.integrations.django.ActivityMiddleware"
#: Settings of Django by which a project says that it is behind a proxy.
_OF_PROXIES: Final = ("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT")

Found = list[checks.CheckMessage]


def register() -> None:
    """Have Django run the checks."""
    for check in (check_settings, check_middleware, check_spool):
        checks.register(check, TAG)
    checks.register(check_deployment, TAG, deploy=True)


def check_settings(**_kwargs: Any) -> Found:
    """Every setting of ``ACTIVITYLOG``, and what activitylog was configured with."""
    try:
        written = conf.given()
    except ConfigurationError as error:
        return [_error(error, 1)]
    _, wrong = conf.read(written)
    found = [_error(error, 2 if isinstance(error, conf.UnknownSettingError) else 3) for error in wrong.values()]
    return found or _check_together()


def _check_together() -> Found:
    """What only shows when all settings are read, from all places."""
    try:
        together = _settings()
    except ConfigurationError as error:
        return [_error(error, 3)]
    if not together.url and together.enabled and "logger_provider" not in conf.given():
        return [_no_url()]
    failure = getattr(apps.get_app_config("activitylog"), "failure", None)
    return [] if failure is None else [_error(failure, 5)]


def _no_url() -> checks.CheckMessage:
    hint = (
        'For a start: ACTIVITYLOG = {"url": f"chdb://{BASE_DIR}/activity"}, which needs the extra \'embedded\'.'
        if settings.DEBUG
        else 'Set ACTIVITYLOG = {"url": "clickhouse://user:password@host:8123/activity"}, or the variable '
        'ACTIVITYLOG_URL; {"enabled": False} drops all events.'
    )
    return checks.Error("Nothing says where activity events go.", hint=hint, id=f"{TAG}.E004")


def check_middleware(**_kwargs: Any) -> Found:
    """That the middleware is there, once, and that somebody says who asks."""
    ours = [path for path in settings.MIDDLEWARE if _is_ours(path)]
    found: Found = []
    if not ours:
        hint = f"Add {_MIDDLEWARE!r} to MIDDLEWARE, before all others. A project that answers no requests can "
        hint += f"silence this: SILENCED_SYSTEM_CHECKS = ['{TAG}.W001']."
        found.append(checks.Warning("Events do not say which request they are of.", hint=hint, id=f"{TAG}.W001"))
    elif len(ours) > 1:
        hint = "Leave one, before all others."
        found.append(
            checks.Warning(f"{ours[-1]} is in MIDDLEWARE {len(ours)} times.", hint=hint, id=f"{TAG}.W002")
        )
    if ours and not _knows_users():
        hint = "Set ACTIVITYLOG['actor'] to a function of the request, or use 'django.contrib.auth.middleware"
        hint += ".AuthenticationMiddleware'. A view can say bind_request(actor=...)."
        found.append(checks.Warning("Nothing says who asks.", hint=hint, id=f"{TAG}.W003"))
    return found


def _is_ours(path: str) -> bool:
    from activitylog.integrations.django.middleware import ActivityMiddleware

    found = _imported(path)
    return isinstance(found, type) and issubclass(found, ActivityMiddleware)


def _knows_users() -> bool:
    if apps.is_installed("rest_framework") or _quietly(lambda: conf.options().actor is not None):
        return True
    djangos = _imported("django.contrib.auth.middleware.AuthenticationMiddleware")
    found = [_imported(path) for path in settings.MIDDLEWARE]
    return djangos is not None and any(isinstance(item, type) and issubclass(item, djangos) for item in found)


def _imported(path: str) -> Any:
    """What is in MIDDLEWARE; Django itself says so where it cannot be imported."""
    return _quietly(lambda: import_string(path))


def _quietly(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception:  # noqa: BLE001 - said elsewhere: by another check, or by Django
        return None


def check_spool(**_kwargs: Any) -> Found:
    """That events can wait on disk, where nobody said that they shall wait in memory."""
    together: Settings | None = _quietly(_settings)
    if together is None or not together.enabled:
        return []
    return [
        checks.Warning(
            f"Events for {url} wait in memory, and are lost with the process: {folder} cannot be written.",
            hint="Set ACTIVITYLOG['spool_directory'] to a folder that this user can write.",
            id=f"{TAG}.W004",
        )
        for url in together.url
        if durability_of(url, together) != "memory"
        and not _is_writable(folder := spool_folder(url, together))
        and together.durability is None  # else it could not be configured
    ]


def _is_writable(folder: Path) -> bool:
    try:
        while not folder.exists():
            folder = folder.parent
        return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        return False


def check_deployment(**_kwargs: Any) -> Found:
    """What is good enough for a developer's machine only."""
    together: Settings | None = _quietly(_settings)
    return [] if together is None or not together.enabled else list(_deployment(together))


def _deployment(together: Settings) -> Iterator[checks.CheckMessage]:
    for url in together.url:
        if url.kind == "chdb" and url.path != "memory":
            yield checks.Warning(
                f"One process at a time can have {url} open: events of the other ones wait on disk.",
                hint=f"With several processes run `activitylog serve --url {url}`, and set url to what it prints.",
                id=f"{TAG}.W011",
            )
    if together.url and all(url.kind == "memory" or url.path == "memory" for url in together.url):
        yield checks.Warning(
            "Events go to the memory of each process, and are forgotten with it.",
            hint="Set ACTIVITYLOG['url'] to clickhouse://user:password@host:8123/activity, or to a Collector.",
            id=f"{TAG}.W012",
        )
    said = [name for name in _OF_PROXIES if getattr(settings, name, None)]
    if said and not conf.given().get("trusted_proxies"):
        yield checks.Warning(
            f"Events have the proxy's address as the client's: {said[0]} is set, and trusted_proxies is not.",
            hint="Set ACTIVITYLOG['trusted_proxies'] to the proxies' networks, such as ['10.0.0.0/8'].",
            id=f"{TAG}.W013",
        )
    if together.strict:
        yield checks.Warning(
            "ACTIVITYLOG['strict'] raises from emit, into requests, what is otherwise repaired.",
            hint="Leave it to tests, whose fixtures set it by themselves.",
            id=f"{TAG}.W014",
        )


def _settings() -> Settings:
    """All settings of the pipeline, from the dict and every other place."""
    pipeline = conf.options().pipeline
    return load_settings(
        {key: value for key, value in pipeline.items() if key not in ("processors", "logger_provider")}
    )


def _error(error: ActivityLogError, number: int) -> checks.CheckMessage:
    return checks.Error(error.message, hint=error.hint, id=f"{TAG}.E{number:03}")
