"""What a request of Django says about the events of its time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from django.http import HttpRequest
from django.urls import Resolver404, ResolverMatch, resolve

from activitylog.integrations.django.conf import DjangoOptions
from activitylog.integrations.django.sessions import session_id
from activitylog.integrations.django.users import request_user
from activitylog.integrations.http import RequestContext


class DjangoRequest(RequestContext):
    """
    One request, as the middleware binds it.

    Attributes:
        error: what the view raised, or what makes the body.
        unsent: the body is being sent, after the middleware has returned, and there is more of it.
    """

    error: BaseException | None = None
    unsent = False

    def __init__(self, request: HttpRequest, options: DjangoOptions) -> None:
        # Not methods of this object: it would be a cycle, which only the garbage collector ends.
        told = _Told(request, options)
        super().__init__(
            options.http,
            method=request.method,
            path=request.path,
            header=told.header,
            peer=request.META.get("REMOTE_ADDR"),
            route=told.route,
            path_parameters=told.path_parameters,
            actor=told.actor,
            tenant=told.tenant,
            session=told.session,
        )

    def end(self, error: BaseException | None = None) -> None:
        """Emit the event of the request itself, if there is to be one."""
        noted, self.error = self.error, None
        self.finish(error or noted, gone=self.unsent)


class _Told:
    """What is asked of the request when an event wants to know it."""

    __slots__ = ("_options", "_request")

    def __init__(self, request: HttpRequest, options: DjangoOptions) -> None:
        self._request = request
        self._options = options

    def header(self, name: str) -> str | None:
        return self._request.META.get(_meta_key(name))

    def route(self) -> str | None:
        match = self._request.resolver_match
        return None if match is None else match.route or "/"

    def path_parameters(self) -> Mapping[str, Any]:
        match = self._request.resolver_match or self._early_match()
        return {} if match is None else match.kwargs

    def _early_match(self) -> ResolverMatch | None:
        """Of a request that a middleware answered: a token in its path is none of an event's business, either."""
        try:
            return resolve(self._request.path_info, getattr(self._request, "urlconf", None))
        except Resolver404:
            return None

    def actor(self) -> Any:
        hook = self._options.actor
        return request_user(self._request) if hook is None else hook(self._request)

    def tenant(self) -> Any:
        hook = self._options.tenant
        return None if hook is None else hook(self._request)

    def session(self) -> str | None:
        return session_id(self._request)


@cache
def _meta_key(header: str) -> str:
    return f"HTTP_{header.upper().replace('-', '_')}"
