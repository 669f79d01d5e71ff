"""
For FastAPI: a logger as a dependency, and who asks from a dependency that the application has anyway.

.. code-block:: python

    app = FastAPI()
    app.add_middleware(ActivityMiddleware)

    CurrentUser = Annotated[User, Depends(actor(get_current_user))]

    @app.post("/orders/{order_id}/pay")
    def pay(order_id: int, user: CurrentUser, activity: Activity) -> None:
        activity.info("order.paid", object=("order", order_id))

:func:`activitylog.emit` says the same of the request as the logger does; the dependency is for those who like to
see in the signature what a function does, or to replace it in a test. Neither shows in the OpenAPI schema.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from fastapi import Depends
from starlette.requests import HTTPConnection

from activitylog.emit import ActivityLogger
from activitylog.integrations.asgi import ActivityMiddleware, activity_of
from activitylog.integrations.http import bind_request

__all__ = ["Activity", "ActivityMiddleware", "activity_of", "actor", "bind_request", "get_activity", "tenant"]


# Coroutine functions: plain ones FastAPI would run in a thread each.
async def get_activity(connection: HTTPConnection) -> ActivityLogger:
    """The dependency behind :data:`Activity`."""
    return activity_of(connection)


#: A logger for the events of the request, as :func:`activitylog.integrations.asgi.activity_of` gives it.
Activity: TypeAlias = Annotated[ActivityLogger, Depends(get_activity)]


def actor(dependency: Callable[..., Any]) -> Callable[..., Any]:
    """
    A dependency that returns what another one returns, and makes it the actor of the request's events.

    Args:
        dependency: finds out who asks; whatever it depends on, its security scheme and its place in
            ``dependency_overrides`` stay as they are. None is nobody.
    """
    return _binding("actor", dependency)


def tenant(dependency: Callable[..., Any]) -> Callable[..., Any]:
    """The same for the tenant."""
    return _binding("tenant", dependency)


def _binding(key: str, dependency: Callable[..., Any]) -> Callable[..., Any]:
    async def bound(found: Any = Depends(dependency)) -> Any:  # noqa: B008 - FastAPI's way
        bind_request(**{key: found})
        return found

    return bound
