"""Who acts in the admin."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from activitylog import context


def actor_of(request: HttpRequest) -> Any:
    """
    The actor of an event of this request.

    Returns:
        ``request.user``, or None where somebody is bound already: the middleware, whose setting ``actor`` may know
        better (an impersonated user, a token).
    """
    bound = context.current().get("actor")
    try:
        if bound is not None and context.resolve(bound) is not None:
            return None
    except Exception:  # noqa: BLE001, S110 - the application's hook may raise anything; the event says so, too
        pass
    return getattr(request, "user", None)
