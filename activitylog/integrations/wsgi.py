"""
Middleware for WSGI applications: one request, bound to the events of its time.

.. code-block:: python

    application = ActivityMiddleware(application)

Bound is whatever runs inside the call of the application, each step of a body that is made while it is sent, and
its ``close``; not what the server does in between, on the same thread, for others. Flask has an extension that
knows more: :mod:`activitylog.integrations.flask`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from contextvars import Token
from typing import Any, Final, Unpack

from activitylog import context
from activitylog.integrations.http import HTTPOptions, RequestContext, http_options
from activitylog.integrations.http.options import GivenHTTPOptions, asked

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], Any]]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]
FromEnviron = Callable[[Environ], Any]

#: Marks an environ whose request is bound.
KEY: Final = "activitylog"
_SERVER_ERROR: Final = 500
_STATUS: Final = re.compile("[0-9]{3}")


class ActivityMiddleware:
    """
    Binds each request to the events of its time.

    Args:
        app: the application.
        actor: who asks, a function of the environ; by default ``REMOTE_USER``. Asked at each event.
        tenant: whose data it is about, a function of the environ.
        session: an id of the session that gives nobody access to it (a hash of its key), in the same way.
        route: the route's template, a function of the environ.
        return_request_id: also say the request's id in the answer, in ``X-Request-ID`` (or ``request_id_header``).
        options: of :func:`activitylog.integrations.http.http_options`.

    Raises:
        ConfigurationError: an option cannot be used.

    Where one middleware is inside another the outer one counts.
    """

    def __init__(
        self,
        app: Application,
        *,
        actor: FromEnviron | None = None,
        tenant: FromEnviron | None = None,
        session: FromEnviron | None = None,
        route: FromEnviron | None = None,
        return_request_id: bool = False,
        **options: Unpack[GivenHTTPOptions],
    ) -> None:
        self._app = app
        self._options = http_options(**options)
        self._id_header = (self._options.request_id_header or "X-Request-ID") if return_request_id else None
        self._finds: dict[str, FromEnviron] = {"actor": _remote_user}
        for key, value in (("actor", actor), ("tenant", tenant), ("session", session), ("route", route)):
            find = asked(value, key)
            if find is not None:
                self._finds[key] = find

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if KEY in environ:
            return self._app(environ, start_response)
        environ[KEY] = True
        request = self.request(environ)
        name = self._id_header

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Callable[[bytes], Any]:
            request.status = _code(status)
            if name is not None and not any(key.lower() == name.lower() for key, _ in headers):
                headers = [*headers, (name, request.request_id)]
            return start_response(status, headers, *exc_info)

        token = request.enter()
        try:
            body = self._app(environ, start)
            if _is_made(body, environ):
                request.finish()
                return body
            if not self.is_made(environ):
                return _Body(body, request)
            request.finish(self.error(environ))
            return _MadeBody(body, request)
        except BaseException as error:
            if request.status is None and isinstance(error, Exception):
                request.status = _SERVER_ERROR  # where the application sent nothing the server does
            request.finish(error)
            raise
        finally:
            request.leave(token)

    def request(self, environ: Environ) -> RequestContext:
        """What the request says; for extensions of frameworks that know more."""
        finds = {key: functools.partial(find, environ) for key, find in self._finds.items()}
        return http_request(self._options, environ, **finds)

    def is_made(self, environ: Environ) -> bool:  # noqa: ARG002 - of those that know it
        """Whether the body that the application returned is made; for extensions of frameworks that know it."""
        return False

    def error(self, environ: Environ) -> BaseException | None:  # noqa: ARG002 - of those that know it
        """What the application raised, where it has made an answer of it."""
        return None


def http_request(options: HTTPOptions, environ: Environ, **finds: Callable[[], Any]) -> RequestContext:
    """
    The request of an environ.

    Args:
        options: checked options.
        environ: read when the first event asks, so what is put right inside the application (by Werkzeug's
            ``ProxyFix``) is right here, too.
        finds: ``actor``, ``tenant``, ``session``, ``route``, ``path_parameters`` of :class:`RequestContext`.
    """
    return RequestContext(
        options,
        method=environ.get("REQUEST_METHOD"),
        path=functools.partial(_path, environ),
        header=functools.partial(_header, environ),
        peer=functools.partial(environ.get, "REMOTE_ADDR"),
        **finds,
    )


class _Body:
    """A body that is made while it is sent, each step of it inside the request."""

    __slots__ = ("_body", "_ended", "_frame", "_iterator", "_request")

    def __init__(self, body: Iterable[bytes], request: RequestContext) -> None:
        self._body = body
        self._request = request
        self._frame: context.Frame | None = None
        self._iterator: Iterator[bytes] | None = None
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        token = self._enter()
        try:
            if self._iterator is None:
                self._iterator = iter(self._body)
            return next(self._iterator)
        except StopIteration:
            self._end()
            raise
        except BaseException as error:
            self._end(error)
            raise
        finally:
            self._request.leave(token)

    def close(self) -> None:
        """What servers call at the end; before the body's end, when nobody waits for the rest."""
        token = self._enter()
        try:
            _close(self._body)
            self._end(gone=self._iterator is not None)
        except BaseException as error:
            self._end(error)
            raise
        finally:
            self._request.leave(token)

    def _enter(self) -> Token[context.Frame]:
        if self._frame is not None and self._frame.outer is context.frame():
            return context.enter(self._frame)
        token = self._request.enter()
        self._frame = context.frame()
        return token

    def _end(self, error: BaseException | None = None, *, gone: bool = False) -> None:
        if not self._ended:
            self._ended = True
            self._request.finish(error, gone=gone)


class _MadeBody:
    """A body that was made already: only its end runs code of the application."""

    __slots__ = ("_body", "_request")

    def __init__(self, body: Iterable[bytes], request: RequestContext) -> None:
        self._body = body
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """Inside the request."""
        token = self._request.enter()
        try:
            _close(self._body)
        finally:
            self._request.leave(token)


def _close(body: Iterable[bytes]) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()


def _is_made(body: Iterable[bytes], environ: Environ) -> bool:
    """True of what runs no code of the application any more, and of files that the server sends by itself."""
    if type(body) in (list, tuple):
        return True
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)


def _code(status: str) -> int | None:
    """``404 Not Found`` -> 404."""
    return int(status[:3]) if _STATUS.match(status) else None


def _path(environ: Environ) -> str:
    path: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return path.encode("latin-1").decode("utf-8", "replace")


def _header(environ: Environ, name: str) -> str | None:
    return environ.get("HTTP_" + name.upper().replace("-", "_"))


def _remote_user(environ: Environ) -> Any:
    return environ.get("REMOTE_USER") or None
