"""
One HTTP request, bound to the events of its time.

What frameworks know late (who asks, which route it is, the status) is asked for at each event; what never changes
is found once, when the first event asks for it. A request without events costs next to nothing.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from contextvars import Token
from typing import Any, Final

from activitylog import config, context
from activitylog.event import ATTRIBUTE_OF_KEY
from activitylog.integrations.http.addresses import client_address
from activitylog.integrations.http.options import HTTPOptions
from activitylog.redaction.keys import names_secret, words_of

Find = Callable[[], Any]

#: Methods that OpenTelemetry's conventions know; any other one is ``_OTHER``.
METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}
)
_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")
_MAX_LENGTH: Final = 1024
_REDACTED: Final = "[redacted]"


def _nobody() -> None:
    """Of a framework that does not know."""


class RequestContext:
    """
    What one request says.

    Args:
        options: checked options.
        method: of the request.
        path: without the query.
        header: the value of a header by its name, None without it.
        peer: address at the other end of the connection; None or empty for a local socket.
        route: the route's template, once the framework knows it.
        path_parameters: values of the route's variables; those with names of secrets are kept out of the path.
        actor: who asks; asked at each event, for the framework may know it late.
        tenant: whose data it is about; asked until it is known.
        session: an id of the session that gives nobody access to it.

    Attributes:
        status: of the response, once it is known.
    """

    def __init__(
        self,
        options: HTTPOptions,
        *,
        method: str,
        path: str,
        header: Callable[[str], str | None],
        peer: str | None,
        route: Find = _nobody,
        path_parameters: Find = _nobody,
        actor: Find = _nobody,
        tenant: Find = _nobody,
        session: Find = _nobody,
    ) -> None:
        self._options = options
        self._method = method
        self._path = path
        self._header = header
        self._peer = peer
        self._route = route
        self._path_parameters = path_parameters
        self._actor = actor
        self._tenant = tenant
        self._session = session
        self._began_ns = time.perf_counter_ns()
        self._attributes: dict[str, Any] | None = None
        self._routed = False
        self._known: dict[str, Any] = {}
        self.status: int | None = None

    def enter(self) -> Token[context.Frame]:
        """Bind the request to what follows; undo with :meth:`leave`. May be entered again, for a streamed body."""
        return context.push({"actor": self.actor, "tenant": self.tenant, "request": self.attributes}, self)

    def leave(self, token: Token[context.Frame]) -> None:
        """Bind again what was bound before."""
        context.pop(token)

    def bind(self, **values: Any) -> None:
        """Say more of the request, for all of its events from now on, in whichever thread; None says nothing."""
        known = {ATTRIBUTE_OF_KEY.get(key, key): value for key, value in values.items() if value is not None}
        self._known = {**self._known, **known}
        if self._attributes is not None:
            self._attributes = {**self._attributes, **self._told(_attributes_of(known))}

    def actor(self) -> Any:
        """Who asks; None for nobody, and for who has not logged in."""
        actor = self._known.get("actor")
        if actor is None:
            actor = self._actor()
        return actor if getattr(actor, "is_authenticated", True) else None

    def tenant(self) -> Any:
        """Whose data it is about."""
        tenant = self._known.get(_TENANT)
        if tenant is None:
            tenant = self._tenant()
            if tenant is not None:
                self._known[_TENANT] = tenant
        return tenant

    def attributes(self) -> Mapping[str, Any]:
        """The attributes of log records that the request gives; without those that are not known yet."""
        found = self._attributes
        if found is None:
            found = self._attributes = self._found()
        late = self._late(found)
        if late:
            # A new one: other threads of the request may be reading the old.
            found = self._attributes = {**found, **late}
        return found

    def finish(self, error: BaseException | None = None) -> None:
        """
        Emit the event of the request itself, if there is to be one; call it where the request is still bound.

        Args:
            error: what the application raised.
        """
        name = self._options.request_event
        if name is None:
            return
        values: dict[str, Any] = {"duration": (time.perf_counter_ns() - self._began_ns) / 1e9}
        if error is not None:
            values["error"] = error
        outcome = self._outcome(error)
        if outcome is not None:
            values["outcome"] = outcome
        config.submit("info", name, values)

    def _outcome(self, error: BaseException | None) -> str | None:
        if error is not None and not isinstance(error, Exception):
            return "unknown"  # cancelled: the client has gone, or the server stops
        if error is not None or (self.status or 0) >= _SERVER_ERROR:
            return "failure"
        return "denied" if self.status in _DENIED else None

    def _found(self) -> dict[str, Any]:
        """What does not change while the request lasts."""
        header, options = self._header, self._options
        agent = header("User-Agent")
        found = {
            "http.request.method": self._method if self._method in METHODS else "_OTHER",
            "client.address": client_address(self._peer, header(options.client_address_header), options.trusted),
            "user_agent.original": agent[:_MAX_LENGTH] if agent else None,
            "activity.request.id": self._request_id(),
            **_attributes_of(self._known),
        }
        return self._told(found)

    def _late(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """What was not known at the last event: it was routed since, a session began, there is an answer."""
        late: dict[str, Any] = {}
        if not self._routed:
            route = self._route()
            self._routed = bool(route)
            late = {"http.route": route or None, "url.path": self._clean_path()}
        if self._session is not _nobody and "session.id" not in found:
            late["session.id"] = self._session()
        if self.status is not None and "http.response.status_code" not in found:
            late["http.response.status_code"] = self.status
        return self._told(late) if late else late

    def _told(self, found: Mapping[str, Any]) -> dict[str, Any]:
        omit = self._options.omit
        return {key: value for key, value in found.items() if value is not None and key not in omit}

    def _request_id(self) -> str:
        name = self._options.request_id_header
        given = self._header(name) if name else None
        if given and _REQUEST_ID.fullmatch(given):
            return given
        traced = _TRACEPARENT.fullmatch(self._header("traceparent") or "")
        return traced[1] if traced else os.urandom(16).hex()

    def _clean_path(self) -> str:
        path = self._path[:_MAX_LENGTH]
        for name, value in (self._path_parameters() or {}).items():
            text = str(value)
            if text and names_secret(words_of(str(name))):
                path = "/".join(_REDACTED if part == text else part for part in path.split("/"))
        return path


def _attributes_of(known: Mapping[str, Any]) -> dict[str, Any]:
    """What was said of the request, without what events ask for by itself."""
    return {key: value for key, value in known.items() if key not in ("actor", _TENANT)}


_TENANT: Final = "activity.tenant.id"
_SERVER_ERROR: Final = 500
_DENIED: Final = (401, 403)


def current_request() -> RequestContext | None:
    """The request that is bound here, if any."""
    frame: context.Frame | None = context.frame()
    while frame is not None:
        if isinstance(frame.owner, RequestContext):
            return frame.owner
        frame = frame.outer
    return None


def bind_request(**values: Any) -> bool:
    """
    Say more of the current request, for all of its events from now on: who asks, for which tenant, any attribute.

    .. code-block:: python

        def current_user(token: str = Depends(oauth2)) -> User:
            user = verify(token)
            bind_request(actor=user, tenant=user.organisation_id)
            return user

    Unlike ``activitylog.bind`` it works from a dependency or a decorator that has returned by then, and from other
    threads of the same request. Returns False, and does nothing, where no request is bound.
    """
    request = current_request()
    if request is None:
        return False
    request.bind(**values)
    return True
