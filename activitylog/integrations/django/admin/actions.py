"""
Admin actions that emit events: for each selected object what was done to it.

.. code-block:: python

    @activity_action("user.activated", description="Activate selected users", permissions=["change"])
    def activate(self, request, queryset):
        queryset.update(is_active=True)
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.db.models import QuerySet
from django.http import HttpRequest

from activitylog.event import EVENT_NAME_PATTERN, EVENT_NAME_RULE, MAX_EVENT_NAME_LENGTH
from activitylog.exceptions import ConfigurationError, shown
from activitylog.integrations.django.admin.act import Act
from activitylog.integrations.django.admin.actor import actor_of
from activitylog.integrations.django.admin.telling import Selected, contained, nothing_of, selected_by
from activitylog.integrations.django.model_changes.options import MAX_EVENTS

_Action = TypeVar("_Action", bound=Callable[..., Any])


def activity_action(
    event: str,
    *,
    description: Any = None,
    permissions: Any = None,
    max_events: int = MAX_EVENTS,
    **values: Any,
) -> Callable[[_Action], _Action]:
    """
    Make an admin action emit events, once the transaction it runs in is committed.

    What the action returns says what it did:

    * nothing: what its event is called, to every selected object;
    * a number, as ``QuerySet.update()`` and ``.delete()`` give it: if these are fewer than were selected, one
      event says how many;
    * objects or primary keys, in a list, a tuple, a set or a queryset: to these;
    * a response: nothing, for it may be the page that asks whether to go on.

    An action with a parameter ``act`` is given the :class:`Act` and can say it there: ``act.done()``,
    ``act.done(objects)``, ``act.add(reason="...")``. When it raises, an event says failure (denied for
    ``PermissionDenied``), at once, and the exception goes on.

    Args:
        event: name of the events, ``noun.verbed``.
        description, permissions: as for Django's ``@admin.action``, which may stand above or below instead.
        max_events: up to so many objects have an event each; more are told in one, or in as few as hold their
            ids. 0: always in one.
        values: further keywords of ``emit`` that all events share.

    Raises:
        ConfigurationError: that is no event name, or a coroutine function, which the admin does not await.
    """
    if not isinstance(event, str) or len(event) > MAX_EVENT_NAME_LENGTH or not EVENT_NAME_PATTERN.fullmatch(event):
        raise ConfigurationError(f"{shown(event)} is no event name.", hint=f"Write {EVENT_NAME_RULE}.")

    def decorate(function: _Action) -> _Action:
        _check(function)
        takes_act = "act" in inspect.signature(function).parameters

        @functools.wraps(function)
        def action(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
            act = Act(event, _selected(event, queryset), max_events, {"actor": actor_of(request), **values})
            arguments = {"act": act} if takes_act else {}
            try:
                result = function(model_admin, request, queryset, **arguments)
            except BaseException as error:
                act._failed(error)
                raise
            act._succeeded(result)
            return result

        return cast(_Action, _described(action, description, permissions))

    return decorate


def _described(action: Any, description: Any, permissions: Any) -> Any:
    """By the attributes that ``@admin.action`` sets, too: that one would set all of its own anew."""
    if description is not None:
        action.short_description = action.plural_description = description
    if permissions is not None:
        action.allowed_permissions = permissions
    return action


def _check(function: Callable[..., Any]) -> None:
    if inspect.iscoroutinefunction(function):
        raise ConfigurationError(
            f"The action {function.__qualname__} is a coroutine function, which Django's admin never awaits.",
            hint="Write `def`, with asgiref.sync.async_to_sync around what must be awaited.",
        )


def _selected(event: str, queryset: QuerySet[Any]) -> Selected:
    with contained(event):
        return selected_by(queryset)
    return nothing_of(queryset.model)
