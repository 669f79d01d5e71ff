"""
Middleware for ASGI applications (Starlette, FastAPI, any other): one request, bound to the events of its time.

.. code-block:: python

    app.add_middleware(ActivityMiddleware)          # Starlette, FastAPI
    app = ActivityMiddleware(app)                   # any ASGI application

Bound is whatever runs inside the call of the application: dependencies, endpoints, also those in threads, bodies
that are streamed, background tasks, and tasks that were started meanwhile, for as long as they live. A websocket
is one request that lasts as long as its connection. Nothing is imported of any framework, and nothing is waited
for but, when the server stops, what is still to be sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from contextvars import Token
from functools import partial
from typing import Any, Final, Unpack

from activitylog import config, context
from activitylog.emit import ActivityLogger
from activitylog.exceptions import ConfigurationError, shown
from activitylog.integrations.http import RequestContext, http_options
from activitylog.integrations.http.options import GivenHTTPOptions, asked
from activitylog.integrations.http.request import current_request, nobody
from activitylog.integrations.starlette_routes import RouteOf

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
FromScope = Callable[[Scope], Any]

#: The key under which a scope holds its request.
KEY: Final = "activitylog"
_MAX_FLUSH_SECONDS: Final = 300.0


class ActivityMiddleware:
    """
    Binds each request to the events of its time, and flushes when the server stops.

    Args:
        app: the application.
        actor: who asks, a function of the scope; by default the user that authentication put into
            ``scope["user"]`` or ``request.state.user``. Asked at each event, so authentication may come later.
        tenant: whose data it is about, a function of the scope.
        session: an id of the session that gives nobody access to it (a hash of its key), in the same way.
        route: the route's template, a function of the scope; by default that of Starlette and FastAPI.
        return_request_id: also say the request's id in the answer, in ``X-Request-ID`` (or ``request_id_header``).
        flush_seconds: how long the end of the server waits for what is still to be sent; 0 not at all.
        options: of :func:`activitylog.integrations.http.http_options`.

    Raises:
        ConfigurationError: an option cannot be used.

    Where one middleware is inside another the outer one counts.
    """

    def __init__(
        self,
        app: Application,
        *,
        actor: FromScope | None = None,
        tenant: FromScope | None = None,
        session: FromScope | None = None,
        route: FromScope | None = None,
        return_request_id: bool = False,
        flush_seconds: float = 5.0,
        **options: Unpack[GivenHTTPOptions],
    ) -> None:
        self._app = app
        self._options = http_options(**options)
        self._actor = asked(actor, "actor") or _user
        self._tenant = asked(tenant, "tenant")
        self._session = asked(session, "session")
        self._route = asked(route, "route")
        self._id_header = (
            (self._options.request_id_header or "X-Request-ID").lower() if return_request_id else None
        )
        self._flush_seconds = _seconds(flush_seconds)
        self._telling = self._options.request_event is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan" and self._flush_seconds:
            await self._app(scope, receive, self._flushing(send))
        elif kind not in ("http", "websocket") or KEY in scope:
            await self._app(scope, receive, send)
        else:
            await self._bound(scope, receive, send)

    async def _bound(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = scope[KEY] = self._request(scope)
        exchange = _Exchange(request, receive, send, self._id_header)
        if self._telling:
            receive, send = exchange.receive_telling, exchange.send_telling
        else:
            send = exchange.send_noting
        token = request.enter()
        try:
            await self._app(scope, receive, send)
        except BaseException as error:
            exchange.failed(error)
            raise
        else:
            exchange.done(scope["type"])
            # No cycle is left to the garbage collector. After an error handlers outside of here may ask for it.
            scope.pop(KEY, None)
        finally:
            request.leave(token)

    def _request(self, scope: Scope) -> RequestContext:
        routing = RouteOf(scope)
        return RequestContext(
            self._options,
            method=scope.get("method"),
            path=scope["path"],
            header=partial(_header, scope),
            peer=partial(_peer, scope),
            route=routing if self._route is None else partial(self._route, scope),
            path_parameters=routing.parameters,
            actor=partial(self._actor, scope),
            tenant=nobody if self._tenant is None else partial(self._tenant, scope),
            session=nobody if self._session is None else partial(self._session, scope),
        )

    def _flushing(self, send: Send) -> Send:
        async def send_last(message: Message) -> None:
            if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await self._flush()
            await send(message)

        return send_last

    async def _flush(self) -> None:
        try:
            await config.aflush(self._flush_seconds)
        except Exception:  # noqa: BLE001 - the server stops all the same
            # No loop of asyncio (trio), or its threads have ended.
            with suppress(Exception):
                config.flush(self._flush_seconds)


class _Exchange:
    """What is received and sent for one request, as far as it says something of it."""

    __slots__ = ("_complete", "_gone", "_id_header", "_receive", "_request", "_send", "_told")

    def __init__(self, request: RequestContext, receive: Receive, send: Send, id_header: str | None) -> None:
        self._request = request
        self._id_header = id_header
        self._receive = receive
        self._send = send
        self._complete = False
        self._gone = False
        self._told = False

    def send_noting(self, message: Message) -> Awaitable[None]:
        """Send, and note the status."""
        return self._send(self._noted(message))

    async def send_telling(self, message: Message) -> None:
        """The same, and emit the event of the request when it has its answer."""
        try:
            await self._send(self._noted(message))
        except OSError:
            self._gone = True
            raise
        if _is_last(message):
            self._complete = True
            if (self._request.status or 0) < _SERVER_ERROR:  # else the reason is still to come
                self._tell()

    async def receive_telling(self) -> Message:
        """Receive, and note that the client has gone."""
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._complete:
            self._gone = True
        return message

    def _noted(self, message: Message) -> Message:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self._request.status = message.get("status")
            return message if self._id_header is None else self._with_id(message, self._id_header)
        if kind == "websocket.accept":
            self._request.status = _SWITCHING
        elif kind == "websocket.close" and self._request.status is None:
            self._request.status = _FORBIDDEN  # what servers answer to a handshake that is not accepted
        return message

    def _with_id(self, message: Message, name: str) -> Message:
        header = (name.encode("latin-1"), self._request.request_id.encode("latin-1"))
        headers = list(message.get("headers") or ())
        if any(key.lower() == header[0] for key, _ in headers):
            return message
        return {**message, "headers": [*headers, header]}

    def failed(self, error: BaseException) -> None:
        """The application raised: where it sent nothing the server does, or what is around us."""
        if self._request.status is None and isinstance(error, Exception) and not self._gone:
            self._request.status = _SERVER_ERROR
        self._tell(error)

    def done(self, kind: str) -> None:
        """The application returned; an answer that is not complete is one that nobody waits for."""
        self._gone |= kind == "http" and not self._complete
        self._tell()

    def _tell(self, error: BaseException | None = None) -> None:
        if not self._told:
            self._told = True
            self._request.finish(error, gone=self._gone)


_SWITCHING: Final = 101
_FORBIDDEN: Final = 403
_SERVER_ERROR: Final = 500


def _is_last(message: Message) -> bool:
    return message["type"] == "http.response.pathsend" or (
        message["type"] == "http.response.body" and not message.get("more_body", False)
    )


def activity_of(connection: Any) -> ActivityLogger:
    """
    A logger for the events of one request, wherever it is called: also in threads that know nothing of it.

    .. code-block:: python

        async def server_error(request: Request, error: Exception) -> Response:
            activity_of(request).error("request.failed", error=error)

    Args:
        connection: Starlette's request or websocket, or a scope. Handlers of errors run outside of the
            middleware, so they need this one.
    """
    scope = getattr(connection, "scope", connection)
    return _RequestLogger(scope.get(KEY), (), {})


class _RequestLogger(ActivityLogger):
    """Its logger is the request: structlog hands it on to what ``bind`` returns."""

    def _submit(self, method_name: str, event: Any, args: tuple[Any, ...], values: dict[str, Any]) -> bool:
        request = self._logger
        if not isinstance(request, RequestContext) or current_request() is request:
            return super()._submit(method_name, event, args, values)
        token: Token[context.Frame] = request.enter()
        try:
            return super()._submit(method_name, event, args, values)
        finally:
            request.leave(token)


def _peer(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def _header(scope: Scope, name: str) -> str | None:
    wanted = name.lower().encode("latin-1")
    lines = [value for key, value in scope["headers"] if key.lower() == wanted]
    return b",".join(lines).decode("latin-1") if lines else None


def _user(scope: Scope) -> Any:
    """Whom authentication found, in the form that events take."""
    user = scope.get("user")
    if user is None:
        user = (scope.get("state") or {}).get("user")
    if user is None or not getattr(user, "is_authenticated", True) or hasattr(user, "pk") or hasattr(user, "id"):
        return user
    for name in ("identity", "display_name"):
        with suppress(NotImplementedError):
            if identity := getattr(user, name, None):
                return "user", identity
    return user


def _seconds(value: Any) -> float:
    if type(value) in (int, float) and 0 <= value <= _MAX_FLUSH_SECONDS:
        return float(value)
    raise ConfigurationError(f"flush_seconds: expected 0 to {_MAX_FLUSH_SECONDS:.0f} seconds, got {shown(value)}.")
