"""
For Flask: an extension that binds each request to the events of its time.

.. code-block:: python

    activity_log = ActivityLog()

    def create_app() -> Flask:
        app = Flask(__name__)
        activity_log.init_app(app, tenant=lambda: g.tenant)
        return app

The route is the rule's template with the blueprint's prefix. Who asks is Flask-Login's ``current_user`` where the
application has a login manager, else ``g.user``. Call ``activitylog.configure`` where the process starts, not in
``create_app``: tests make many applications.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import flask
from flask import Flask
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import RequestRedirect

from activitylog.entities import is_user_entity, reference
from activitylog.exceptions import ConfigurationError, shown
from activitylog.integrations import wsgi
from activitylog.integrations.http import RequestContext, bind_request
from activitylog.integrations.http.options import HTTP_OPTIONS, asked, unknown_option
from activitylog.settings import Settings

__all__ = ["ActivityLog", "bind_request"]

Find = Callable[[], Any]

_EXTENSION: Final = "activitylog"
_CONFIG: Final = "ACTIVITYLOG"
#: The key under which an environ holds what Flask says of its request.
_FACTS: Final = "activitylog.flask"
_REDIRECTED: Final = 300
_FINDS: Final = ("actor", "tenant", "session")
_OPTIONS: Final = (*_FINDS, "return_request_id", *HTTP_OPTIONS)
_SETTINGS: Final = frozenset(field.name for field in fields(Settings))
#: Where Flask-Login keeps the user once it was loaded.
_LOADED: Final = "_login_user"


class ActivityLog:
    """
    The extension.

    Args:
        app: an application, or None and :meth:`init_app` later.
        options: as for :meth:`init_app`, for every application.
    """

    def __init__(self, app: Flask | None = None, **options: Any) -> None:
        self._options = options
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, **options: Any) -> None:
        """
        Bind the requests of an application.

        Args:
            app: the application.
            options: those of :func:`activitylog.integrations.http.http_options`; ``return_request_id``, to say the
                request's id in the answer, too; and ``actor``, ``tenant`` and ``session``: functions without
                arguments, called in the request's context when an event is emitted. Options that are given here
                win over those of the constructor, these over the dict ``app.config["ACTIVITYLOG"]``.

        Raises:
            ConfigurationError: an option cannot be used, or the application has the extension.
        """
        if _EXTENSION in app.extensions:
            raise ConfigurationError(f"The application {app.name!r} has the extension activitylog already.")
        given = {**_configured(app), **self._options, **options}
        for key in given:
            if key in _SETTINGS:
                raise ConfigurationError(
                    f"{key} is no option of requests.",
                    hint="Give it to activitylog.configure, where the process starts.",
                )
            if key not in _OPTIONS:
                raise unknown_option(key, _OPTIONS)
        finds = {key: asked(given.pop(key, None), key) for key in _FINDS}
        middleware = _Middleware(app, finds, **given)
        app.extensions[_EXTENSION] = self
        app.wsgi_app = middleware  # type: ignore[method-assign]
        # First, before those that take values out.
        app.url_value_preprocessors.setdefault(None, []).insert(0, _routed)
        app.after_request_funcs.setdefault(None, []).append(_answered)
        if given.get("request_event") is not None:
            flask.got_request_exception.connect(_failed, app)


def _configured(app: Flask) -> Mapping[str, Any]:
    given = app.config.get(_CONFIG) or {}
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"app.config[{_CONFIG!r}]: expected a dict, got {shown(given)}.")
    return given


class _Middleware(wsgi.ActivityMiddleware):
    """Around ``app.wsgi_app``: bodies that are made while they are sent are outside of Flask's own context."""

    def __init__(self, app: Flask, finds: Mapping[str, Find | None], **options: Any) -> None:
        super().__init__(app.wsgi_app, **options)
        self._finds_of_flask = finds
        self._flask = app

    def request(self, environ: wsgi.Environ) -> RequestContext:
        facts = environ[_FACTS] = _Facts(self._flask, self._finds_of_flask)
        finds = {"actor": facts.actor, "route": facts.route, "path_parameters": facts.path_parameters}
        for key in ("tenant", "session"):
            if self._finds_of_flask[key] is not None:
                finds[key] = functools.partial(facts.asked, key)
        return wsgi.http_request(self._options, environ, **finds)

    def is_made(self, environ: wsgi.Environ) -> bool:
        """Most are."""
        facts: _Facts = environ[_FACTS]
        return facts.made

    def error(self, environ: wsgi.Environ) -> BaseException | None:
        """What Flask has answered with a page."""
        facts: _Facts = environ[_FACTS]
        # Not kept: its frames have the environ.
        error, facts.error = facts.error, None
        return error


class _Facts:
    """What Flask knows of one request, while its context lasts, and what of it is remembered afterwards."""

    __slots__ = ("_app", "_finds", "_last", "_parameters", "_route", "error", "made")

    def __init__(self, app: Flask, finds: Mapping[str, Find | None]) -> None:
        self._app = app
        self._finds = finds
        self._last: dict[str, Any] = {}
        self._route: str | None = None
        self._parameters: Mapping[str, Any] = {}
        #: Whether the answer's body is made.
        self.made = False
        self.error: Exception | None = None

    def route(self) -> str | None:
        """The rule, once there is one."""
        return self._route

    def path_parameters(self) -> Mapping[str, Any]:
        """The values of its variables."""
        return self._parameters

    def routed(self, route: str, parameters: Mapping[str, Any]) -> None:
        """Note which rule was taken."""
        self._route, self._parameters = route, parameters

    def not_routed(self, parameters: Mapping[str, Any]) -> None:
        """Note what the path would have had for variables."""
        self._parameters = parameters

    def asked(self, key: str) -> Any:
        """What the application's function says; after the end of the context what it said last."""
        find = self._finds[key]
        if find is not None and self._is_here():
            self._last[key] = find()
        return self._last.get(key)

    def actor(self) -> Any:
        """Who asks; after the end of the context who did when it was asked last."""
        if self._is_here():
            self._last["actor"] = self._found_actor()
        return self._last.get("actor")

    def remember(self) -> None:
        """Ask while it is possible, but nobody who has to be looked up for it."""
        for key, find in self._finds.items():
            if find is not None:
                with suppress(Exception):
                    self._last[key] = _named(find()) if key == "actor" else find()
        if self._finds["actor"] is None and (_LOADED in flask.g or not self._has_login()):
            with suppress(Exception):
                self._last["actor"] = self._found_actor()

    def _found_actor(self) -> Any:
        find = self._finds["actor"]
        if find is not None:
            return _named(find())
        if self._has_login():
            return self._logged_in()
        try:
            return _named(flask.g.get("user"))
        except TypeError:
            return None  # only a guess, and g.user is something else here

    def _has_login(self) -> bool:
        return hasattr(self._app, "login_manager")

    def _logged_in(self) -> Any:
        if _LOADED in flask.g:
            return _named(flask.g.get(_LOADED))
        if _LOADED not in self._last:
            self._last[_LOADED] = _named(_looked_up())
        return self._last[_LOADED]

    def _is_here(self) -> bool:
        return flask.has_request_context() and request_ctx.request.environ.get(_FACTS) is self


def _routed(_endpoint: str | None, values: Mapping[str, Any] | None) -> None:
    request = request_ctx.request  # not through flask.request: each look through that costs a microsecond
    facts, rule = request.environ.get(_FACTS), request.url_rule
    if facts is not None and rule is not None:
        facts.routed(request.root_path.rstrip("/") + rule.rule, dict(values) if values else {})


def _failed(_app: Flask, exception: Exception, **_: Any) -> None:
    facts = flask.request.environ.get(_FACTS)
    if facts is not None:
        facts.error = exception


def _answered(response: flask.Response) -> flask.Response:
    request = request_ctx.request
    facts = request.environ.get(_FACTS)
    if facts is None:
        return response
    if request.url_rule is None:
        facts.not_routed(_parameters_of_near(request))
    # Werkzeug makes pages of errors and redirects from iterators, which do nothing of the application's.
    facts.made = response.is_sequence or response.status_code >= _REDIRECTED
    if not facts.made and not response.direct_passthrough:
        facts.remember()  # a body that is made later is made outside of the context
    return response


def _parameters_of_near(request: flask.Request) -> Mapping[str, Any]:
    """Of a path that has a rule for other methods or a redirect: a token in it is a secret all the same."""
    error = request.routing_exception
    adapter = request_ctx.url_adapter
    try:
        if isinstance(error, MethodNotAllowed) and error.valid_methods and adapter is not None:
            return dict(adapter.match(method=next(iter(error.valid_methods)))[1])
        if isinstance(error, RequestRedirect) and adapter is not None:
            path = unquote(urlsplit(error.new_url).path).removeprefix(request.root_path.rstrip("/"))
            return dict(adapter.match(path_info=path)[1])
    except HTTPException:
        return {}
    return {}


def _named(user: Any) -> tuple[str, str] | str | None:
    """Whoever that is as type and id, which can be read after the end of a session of the database, too."""
    if user is None or type(user) is str:
        return user
    if not getattr(user, "is_authenticated", True):
        return None
    if not hasattr(user, "pk") and not hasattr(user, "id") and hasattr(user, "get_id"):
        return "user", str(user.get_id())
    entity = reference(user)
    return ("user" if is_user_entity(entity, user) else entity.type, entity.id)


def _looked_up() -> Any:
    """
    Flask-Login's user, without a trace of having asked.

    Whoever asks next must find things as they were: with the user left in ``g`` the session would not be read
    again, and an answer that depends on it would lack its ``Vary: Cookie``.
    """
    from flask_login import current_user  # type: ignore[import-untyped]

    session = getattr(request_ctx, "_session", None)
    accessed = getattr(session, "accessed", True)
    try:
        return current_user._get_current_object()
    finally:
        flask.g.pop(_LOADED, None)
        if session is not None and not accessed:
            session.accessed = False
