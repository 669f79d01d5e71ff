"""
Who asks, as late as an event wants to know it.

``request.user`` is lazy: it is whoever the session belongs to, until Django REST framework, a view or a middleware
says otherwise. What Django would have to load is loaded here the way Django does, but without a trace in the
session (:mod:`activitylog.integrations.django.sessions`), and never in an event loop.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import auth
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils.functional import LazyObject, empty

from activitylog.integrations.django.sessions import Peeked

#: Where Django has what ``request.user`` and ``await request.auser()`` have loaded.
_CACHES: Final = ("_cached_user", "_acached_user")
_DJANGOS_OWN: Final = "django.contrib.auth.middleware"


class UserNotLoadedError(Exception):
    """Somebody asks, and who it is cannot be known here: it would have to be loaded, in an event loop."""


def request_user(request: HttpRequest) -> Any:
    """
    Who asks, for hooks: like ``request.user``, but the answer does not get to depend on the cookie by it.

    None where there is no user, and in an event loop for a request without a session.

    Raises:
        UserNotLoadedError: in an event loop, when the user is not loaded.
    """
    user: Any = getattr(request, "user", None)
    known = _known(request, user)
    if known is not _UNKNOWN:
        return known
    if _in_event_loop():
        if _may_be_somebody(request, user):
            raise UserNotLoadedError("the user is not loaded")
        return None
    return load_user(request)


def load_user(request: HttpRequest) -> Any:
    """Load who asks, now; not in an event loop."""
    user: Any = getattr(request, "user", None)
    known = _known(request, user)
    if known is not _UNKNOWN:
        return known
    if not _is_of_a_session(request, user):
        bool(user)  # has whoever made it load it
        return user._wrapped
    peeked: Any = Peeked(request)
    return _keep(request, user, peeked, auth.get_user(peeked))


async def aload_user(request: HttpRequest) -> None:
    """Have it known in the event loop who asks. Whatever goes wrong, the request goes on without it."""
    user = getattr(request, "user", None)
    if _known(request, user) is not _UNKNOWN or not _may_be_somebody(request, user):
        return
    with suppress(Exception):
        # One way to a thread, where Django's own asynchronous way takes two, and reads files in the event loop.
        await sync_to_async(load_user)(request)


def _keep(request: Any, user: Any, peeked: Peeked, found: Any) -> Any:
    """Remember who asks; where the session goes on, also for the view, which then need not load it again."""
    vars(request)[_PEEKED] = found
    if not peeked.settle():
        return found
    key = peeked.session.get(auth.SESSION_KEY)
    load, aload = vars(user)[_SETUP], request.auser

    # Both use the session, as Django's own do: the answer depends on it by then.
    def remembered() -> Any:
        return found if request.session.get(auth.SESSION_KEY) == key else load()

    async def aremembered() -> Any:
        return found if await request.session.aget(auth.SESSION_KEY) == key else await aload()

    vars(user)[_SETUP] = remembered
    request.auser = aremembered
    return found


def _known(request: HttpRequest, user: Any) -> Any:
    """Who asks, if that takes nothing to know."""
    if not isinstance(user, LazyObject):
        return user
    wrapped = user._wrapped
    if wrapped is not empty:
        return wrapped
    found = vars(request)
    for name in (*_CACHES, _PEEKED):
        if found.get(name) is not None:
            return found[name]
    return _UNKNOWN


def _is_of_a_session(request: Any, user: Any) -> bool:
    """Whether Django's own middleware made it, which asks the session."""
    made_by = getattr(vars(user).get(_SETUP), "__module__", "")
    return made_by == _DJANGOS_OWN and isinstance(request.session, SessionBase) and hasattr(request, "auser")


def _may_be_somebody(request: HttpRequest, user: Any) -> bool:
    return not _is_of_a_session(request, user) or settings.SESSION_COOKIE_NAME in request.COOKIES


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


#: Where a lazy object has what makes it.
_SETUP: Final = "_setupfunc"
#: Where we have who asks.
_PEEKED: Final = "_activitylog_user"
_UNKNOWN: Final = object()
