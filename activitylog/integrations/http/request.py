"""
One HTTP request, bound to the events of its time.

What frameworks know late (who asks, which route it is, the status) is asked for at each event; what never changes
is found once, when the first event asks for it. A request without events costs next to nothing. What is asked may
fail: the event then goes without it, and says so (``http.route:lazy`` in ``activity.sanitized``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from contextvars import Token
from time import perf_counter_ns
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from activitylog import config, context
from activitylog.event import ATTRIBUTE_OF_KEY
from activitylog.integrations.http.addresses import client_address
from activitylog.integrations.http.addresses import nobody as trusts_nobody
from activitylog.integrations.http.options import HTTPOptions
from activitylog.integrations.http.paths import clean_path, cut
from activitylog.processors import FLAGS, name_attributes, name_entities

Find = Callable[[], Any]

#: Methods that OpenTelemetry's conventions know; any other one is ``_OTHER``.
METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}
)
_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")
_NO_TRACE: Final = "0" * 32
_ACTOR: Final = "actor"
_TENANT: Final = ATTRIBUTE_OF_KEY["tenant"]
_ID: Final = ATTRIBUTE_OF_KEY["request_id"]
#: What events ask for by itself.
_NO_ATTRIBUTES: Final = frozenset({_ACTOR, _TENANT})
_SERVER_ERROR: Final = 500
_DENIED: Final = (401, 403)
_FAILED: Final = object()


class PartialRoute(str):
    """The template of a route inside which routing goes on: the path may have more variables, and secrets."""

    __slots__ = ()


def nobody() -> None:
    """Of a framework that does not know."""


class _Latest(NamedTuple):
    """The attributes of the last event, and what they were made of."""

    route: Any
    status: int | None
    session: Any
    told: int
    attributes: Mapping[str, Any]


class RequestContext:
    """
    What one request says.

    Args:
        options: checked options.
        method: of the request; None for what has none (a websocket).
        path: without the query, decoded; may be a function, called when the first event asks for it.
        header: the value of a header by its name, None without it; several lines joined by commas.
        peer: address at the other end of the connection; None or empty for a local socket. May be a function.
        route: the route's template, once the framework knows it; None before, a :class:`PartialRoute` as long as
            it may change, and an empty text where there are no routes.
        path_parameters: values of the route's variables; those with names of secrets are kept out of the path.
        actor: who asks; asked at each event, for the framework may know it late.
        tenant: whose data it is about; asked until it is known.
        session: an id of the session that gives nobody access to it; asked until it is known.

    Attributes:
        status: of the response, once it is known.

    The path is not said before the route is known, or the answer: until then it may hold a secret.
    """

    __slots__ = (
        *("_actor", "_header", "_method", "_options", "_path", "_path_parameters", "_peer", "_route", "_session"),
        *("_began_ns", "_fixed", "_known_session", "_known_tenant", "_latest", "_tenant", "_told"),
        *("__weakref__", "status"),
    )

    def __init__(
        self,
        options: HTTPOptions,
        *,
        method: str | None,
        path: str | Callable[[], str],
        header: Callable[[str], str | None],
        peer: str | Callable[[], str | None] | None,
        route: Find = nobody,
        path_parameters: Find = nobody,
        actor: Find = nobody,
        tenant: Find = nobody,
        session: Find = nobody,
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
        self._began_ns = perf_counter_ns()
        # Lists, for appending is safe among the threads of a request.
        self._fixed: list[dict[str, Any]] = []
        self._told: list[Mapping[str, Any]] = []
        self._known_tenant: Any = None
        self._known_session: Any = None
        self._latest: _Latest | None = None
        self.status: int | None = None

    def enter(self) -> Token[context.Frame]:
        """
        Bind the request to what follows; undo with :meth:`leave`. May be entered again, for a streamed body.

        What is bound around it stays bound, unless that is another request: servers begin a request inside the
        one before it on the same connection.
        """
        outer = context.frame()
        if outer.outer is not None and current_request() not in (None, self):
            outer = _NOTHING
        values = {**outer.values, "actor": self.actor, "tenant": self.tenant, "request": self.attributes}
        return context.enter(context.Frame(MappingProxyType(values), self, outer))

    def leave(self, token: Token[context.Frame]) -> None:
        """Bind again what was bound before."""
        context.pop(token)

    def bind(self, /, **values: Any) -> None:
        """
        Say more of the request, for all of its events from now on, in whichever thread.

        Args:
            values: keywords as :func:`activitylog.emit` takes them, and any attributes; None says nothing. What an
                event says itself wins.
        """
        told = {key: value for key, value in values.items() if value is not None}
        named = {key: told.pop(key) for key in (_ACTOR, "tenant") if key in told}
        told = dict(name_attributes(None, "info", name_entities(None, "info", told)))
        if "tenant" in named:
            told[_TENANT] = named["tenant"]
        if _ACTOR in named:
            told[_ACTOR] = named[_ACTOR]
        self._told.append(told)

    @property
    def request_id(self) -> str:
        """The request's id, fit for a header: what was said of it, else the trace's, else a random one."""
        told = self._last_told(_ID)
        usable = isinstance(told, str) and _REQUEST_ID.fullmatch(told)
        return str(told if usable else self._constants()[_ID])

    def actor(self) -> Any:
        """Who asks; None for nobody, and for who has not logged in."""
        actor = self._last_told(_ACTOR)
        if actor is None:
            actor = self._actor()
        return actor if getattr(actor, "is_authenticated", True) else None

    def tenant(self) -> Any:
        """Whose data it is about."""
        tenant = self._last_told(_TENANT)
        if tenant is None:
            tenant = self._known_tenant
        if tenant is None:
            tenant = self._known_tenant = self._tenant()
        return tenant

    def attributes(self) -> Mapping[str, Any]:
        """The attributes of log records that the request gives; without those that are not known yet."""
        route = _ask(self._route)
        session = self._known_session
        if session is None and self._session is not nobody:
            session = _ask(self._session)
            if session is not _FAILED:
                self._known_session = session
        status, told, latest = self.status, len(self._told), self._latest
        if (
            latest is None
            or latest.status != status
            or latest.route != route
            or type(latest.route) is not type(route)
            or latest.session != session
            or latest.told != told
        ):
            latest = self._latest = _Latest(route, status, session, told, self._found(route, status, session))
        return latest.attributes

    def finish(self, error: BaseException | None = None, *, gone: bool = False) -> None:
        """
        Emit the event of the request itself, if there is to be one; call it where the request is still bound.

        Args:
            error: what the application raised.
            gone: whether the client went away before it had its answer.
        """
        name = self._options.request_event
        if name is None:
            return
        values: dict[str, Any] = {"duration": (perf_counter_ns() - self._began_ns) / 1e9}
        if error is not None:
            values["error"] = error
        outcome = "unknown" if gone else self._outcome(error)
        if outcome is not None:
            values["outcome"] = outcome
        config.submit("info", name, values)

    def _outcome(self, error: BaseException | None) -> str | None:
        if error is not None and not isinstance(error, Exception):
            return "unknown"  # cancelled: the client has gone, or the server stops
        if error is not None or (self.status or 0) >= _SERVER_ERROR:
            return "failure"
        return "denied" if self.status in _DENIED else None

    def _last_told(self, key: str) -> Any:
        for told in reversed(self._told):
            if key in told:
                return told[key]
        return None

    def _found(self, route: Any, status: int | None, session: Any) -> dict[str, Any]:
        """The attributes as they are now; it is once a request, or twice, and written to be fast."""
        omit = self._options.omit
        found = {key: value for key, value in self._constants().items() if value is not None and key not in omit}
        failed = []
        settled = status is not None or self._route is nobody
        if route is _FAILED:
            failed.append("http.route")
        elif route is not None:
            settled = settled or type(route) is not PartialRoute
            if route and "http.route" not in omit:
                found["http.route"] = str(route) if type(route) is PartialRoute else route
        if settled and "url.path" not in omit:
            path = _ask(self._clean_path)
            if path is _FAILED:
                failed.append("url.path")
            elif path is not None:
                found["url.path"] = path
        if status is not None and "http.response.status_code" not in omit:
            found["http.response.status_code"] = status
        if session is _FAILED:
            failed.append("session.id")
        elif session is not None and "session.id" not in omit:
            found["session.id"] = session
        for told in self._told:
            found.update(
                {key: value for key, value in told.items() if key not in omit and key not in _NO_ATTRIBUTES}
            )
        if failed:
            found[FLAGS] = [*found.get(FLAGS, ()), *(f"{key}:lazy" for key in failed)]
        return found

    def _constants(self) -> dict[str, Any]:
        """What does not change while the request lasts."""
        if not self._fixed:
            header, options, method = self._header, self._options, self._method
            peer = self._peer() if callable(self._peer) else self._peer
            name = "" if options.trusted is trusts_nobody else options.client_address_header
            agent = header("User-Agent")
            self._fixed.append(
                {
                    "http.request.method": method if method is None or method in METHODS else "_OTHER",
                    "client.address": client_address(peer, header(name) if name else None, options.trusted),
                    "user_agent.original": cut(agent, " ") or None if agent else None,
                    _ID: self._found_id(),
                }
            )
        return self._fixed[0]  # the first one, where two threads asked at once

    def _found_id(self) -> str:
        name = self._options.request_id_header
        given = self._header(name) if name else None
        if given and _REQUEST_ID.fullmatch(given):
            return given
        traced = _TRACEPARENT.fullmatch(self._header("traceparent") or "")
        if traced and traced[1] != _NO_TRACE:
            return traced[1]
        return os.urandom(16).hex()

    def _clean_path(self) -> str | None:
        path = self._path() if callable(self._path) else self._path
        return clean_path(path, self._path_parameters(), self._route)


_NOTHING: Final = context.Frame(MappingProxyType({}))


def _ask(find: Find) -> Any:
    try:
        return find()
    except Exception:  # noqa: BLE001 - the application's callable may raise anything; the event says so
        return _FAILED


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
