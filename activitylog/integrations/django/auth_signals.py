"""
Logins, logouts and failed logins as events, from Django's own signals: also those of the admin and of allauth.

``user.logged_in`` and ``user.logged_out`` have the user as the actor; ``user.login_failed`` is a failure and has
the name that was tried as ``user.name``. People type passwords where the name belongs: the setting ``redaction``
can keep names only as pseudonyms.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

import activitylog
from activitylog import config
from activitylog.integrations.django import conf
from activitylog.integrations.django.requests import DjangoRequest
from activitylog.integrations.django.sessions import session_id
from activitylog.integrations.http import bind_request, current_request

#: Longer than a user name or an address may be.
_MAX_NAME_LENGTH: Final = 254
read = conf.boolean


def connect(_enabled: bool) -> None:
    """Emit from now on; called again it changes nothing."""
    user_logged_in.connect(_logged_in, dispatch_uid="activitylog.logged_in")
    user_logged_out.connect(_logged_out, dispatch_uid="activitylog.logged_out")
    user_login_failed.connect(_login_failed, dispatch_uid="activitylog.login_failed")


def disconnect() -> None:
    """Emit no longer."""
    user_logged_in.disconnect(dispatch_uid="activitylog.logged_in")
    user_logged_out.disconnect(dispatch_uid="activitylog.logged_out")
    user_login_failed.disconnect(dispatch_uid="activitylog.login_failed")


def _guarded(receiver: Callable[..., None]) -> Callable[..., None]:
    """A login goes on, whatever the application's own user model raises."""

    @functools.wraps(receiver)
    def guarded(sender: Any = None, *, request: Any = None, **given: Any) -> None:  # noqa: ARG001 - of signals
        try:
            request = getattr(request, "_request", request)  # of Django REST framework
            receiver(request, **given)
        except Exception as error:  # noqa: BLE001 - see above; counted
            config.fail(error, receiver.__name__)

    return guarded


@_guarded
def _logged_in(request: Any, user: Any = None, **_rest: Any) -> None:
    if not _is_made_up(request):
        bind_request(session=session_id(request))  # another one than before
        _emit("user.logged_in", request, actor=user, **{"auth.backend": getattr(user, "backend", None)})


@_guarded
def _logged_out(request: Any, user: Any = None, **_rest: Any) -> None:
    if user is not None and not _is_made_up(request):  # None: logged out without having been logged in
        _emit("user.logged_out", request, actor=user)


@_guarded
def _login_failed(request: Any, credentials: Mapping[str, Any] | None = None, **_rest: Any) -> None:
    _emit("user.login_failed", request, outcome="failure", **{"user.name": _name(credentials or {})})


def _is_made_up(request: Any) -> bool:
    """Whether no server got it: ``client.force_login(user)`` of a test is no login."""
    return isinstance(request, HttpRequest) and request.method is None


def _name(credentials: Mapping[str, Any]) -> str | None:
    for key in (str(get_user_model().USERNAME_FIELD), "username", "email"):
        found = credentials.get(key)
        if found:
            return str(found)[:_MAX_NAME_LENGTH]
    return None


def _emit(name: str, request: Any, **values: Any) -> None:
    """Emit with what the request says, also where the middleware has not bound it."""
    if not isinstance(request, HttpRequest) or current_request() is not None:
        activitylog.emit(name, **values)
        return
    bound = DjangoRequest(request, conf.options())
    token = bound.enter()
    try:
        activitylog.emit(name, **values)
    finally:
        bound.leave(token)
