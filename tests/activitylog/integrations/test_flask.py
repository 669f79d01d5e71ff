"""Applications of Flask with the extension, through its own test client."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask
import flask_login  # type: ignore[import-untyped]
import pytest
from flask import Blueprint, Flask, Response, g, session, stream_with_context
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

import activitylog
from activitylog.exceptions import ConfigurationError
from activitylog.integrations.flask import ActivityLog, bind_request
from activitylog.integrations.http import current_request
from activitylog.testing import CapturedActivities, capture_activities


def read(**_: Any) -> str:
    """A view that emits one event."""
    activitylog.emit("page.read")
    return "read"


def application(*rules: str, config: Any = None, view: Callable[..., Any] = read, **options: Any) -> Flask:
    """An application with these rules."""
    app = Flask(__name__)
    app.secret_key = "key of these tests"
    if config is not None:
        app.config["ACTIVITYLOG"] = config
    for number, rule in enumerate(rules or ("/",)):
        app.add_url_rule(rule, f"view{number}", view)
    ActivityLog(app, **options)
    return app


class User(flask_login.UserMixin):  # type: ignore[misc]
    """Of an application; counts how often one is looked up."""

    lookups = 0

    def __init__(self, number: int) -> None:
        self.id = number


@pytest.fixture
def with_login() -> Callable[..., Flask]:
    """Adds Flask-Login to an application: ``/login/7`` logs somebody in."""

    def add(app: Flask) -> Flask:
        manager = flask_login.LoginManager(app)
        User.lookups = 0

        @manager.user_loader
        def look_up(number: str) -> User | None:
            User.lookups += 1
            return User(int(number))

        @app.route("/login/<int:number>")
        def login(number: int) -> str:
            activitylog.emit("login.began")
            flask_login.login_user(User(number))
            activitylog.emit("login.succeeded")
            return "in"

        @app.route("/logout")
        def logout() -> str:
            activitylog.emit("logout.began")
            flask_login.logout_user()
            activitylog.emit("logout.succeeded")
            return "out"

        return app

    return add


class TestRoute:
    """The rule, whatever it is below."""

    @pytest.mark.parametrize(
        ("rule", "path"),
        [
            ("/", "/"),
            ("/items/<int:number>", "/items/007"),
            ("/files/<path:name>", "/files/a/b/é"),
            ("/users/<user>/posts/<uuid:post>/", "/users/a/posts/6ba7b810-9dad-11d1-80b4-00c04fd430c8/"),
        ],
    )
    def test_rules(self, activity: CapturedActivities, rule: str, path: str) -> None:
        """As they were declared."""
        assert application(rule).test_client().get(path).status_code == 200
        event = activity.one("page.read")
        assert event.attributes["http.route"] == rule
        assert event.attributes["url.path"] == path
        assert event.attributes["http.request.method"] == "GET"
        assert event.attributes["client.address"] == "127.0.0.1"

    def test_blueprints(self, activity: CapturedActivities) -> None:
        """With the prefixes of those that they are in."""
        inner, outer = Blueprint("inner", __name__, url_prefix="/inner"), Blueprint("outer", __name__)
        inner.add_url_rule("/<name>", "read", read)
        outer.register_blueprint(inner)
        app = application()
        app.register_blueprint(outer, url_prefix="/outer/<version>")
        app.test_client().get("/outer/2/inner/a")
        assert activity.one().attributes["http.route"] == "/outer/<version>/inner/<name>"

    def test_what_it_is_served_below(self, activity: CapturedActivities) -> None:
        """Is part of route and path."""
        below = DispatcherMiddleware(application("/<name>"), {"/api": application("/<name>")})
        for path in ("/a", "/api/a"):
            Client(below).get(path)
        assert [event.attributes["http.route"] for event in activity.events] == ["/<name>", "/api/<name>"]
        assert [event.attributes["url.path"] for event in activity.events] == ["/a", "/api/a"]

    @pytest.mark.parametrize(("path", "method", "status"), [("/nothing", "GET", 404), ("/", "POST", 405)])
    def test_without_a_rule(self, activity: CapturedActivities, path: str, method: str, status: int) -> None:
        """Nothing found: the path is all there is."""
        app = application(request_event="request.handled")
        assert app.test_client().open(path, method=method).status_code == status
        event = activity.one("request.handled")
        assert "http.route" not in event.attributes
        assert event.attributes["url.path"] == path

    def test_a_preprocessor_that_takes_values_out(self, activity: CapturedActivities) -> None:
        """Ours has seen them before, though it was added later."""
        app = Flask(__name__)
        app.add_url_rule("/<lang>/reset/<token>", view_func=lambda **values: read() + str(values))

        @app.url_value_preprocessor
        def take(endpoint: str | None, values: dict[str, Any] | None) -> None:
            assert values is not None
            g.lang, g.token = values.pop("lang"), values.pop("token")

        ActivityLog(app)
        assert app.test_client().get("/de/reset/s3cr3t").text == "read{}"
        assert activity.one().attributes["url.path"] == "/de/reset/[redacted]"


class TestSecrets:
    """Values of variables that name a secret, wherever the request comes to its end."""

    @pytest.mark.parametrize(
        ("rule", "path", "stored"),
        [
            ("/reset/<token>", "/reset/s3cr3t", "/reset/[redacted]"),
            ("/reset/<token>/", "/reset/s3cr3t", "/reset/[redacted]"),
            ("/reset/<token>", "/reset//s3cr3t", "/reset//[redacted]"),
            ("/reset/<path:token>", "/reset/a%20b/c", "/reset/[redacted]"),
            ("/reset/<uid>-<token>", "/reset/MQ-s3cr3t", "/reset/MQ-[redacted]"),
            ("/otp/<int:otp>", "/otp/007", "/otp/<int:otp>"),
            ("/keys/<uuid:api_key>", "/keys/6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "/keys/<uuid:api_key>"),
        ],
    )
    @pytest.mark.parametrize("below", ["", "/api"])
    def test_in_paths(self, activity: CapturedActivities, rule: str, path: str, stored: str, below: str) -> None:
        """Answered or redirected."""
        app = application(rule, request_event="request.handled")
        Client(DispatcherMiddleware(app, {"/api": app})).get(below + path).close()
        assert len(activity) > 0
        for event in activity.events:
            assert event.attributes["url.path"] == below + stored

    def test_of_another_method(self, activity: CapturedActivities) -> None:
        """Refused."""
        app = application("/reset/<token>", "/otp/<int:otp>", request_event="request.handled")
        for path in ("/reset/s3cr3t", "/otp/007"):
            assert app.test_client().post(path).status_code == 405
        first, second = activity.events
        assert first.attributes["url.path"] == "/reset/[redacted]"
        assert "url.path" not in second.attributes

    def test_answered_before_the_view(self, activity: CapturedActivities) -> None:
        """By a hook of the application."""
        app = application("/reset/<token>", request_event="request.handled")

        @app.before_request
        def refuse() -> tuple[str, int]:
            activitylog.emit("request.refused")
            return "no", 401

        app.test_client().get("/reset/s3cr3t")
        assert {event.attributes["url.path"] for event in activity.events} == {"/reset/[redacted]"}
        assert activity.one("request.handled").outcome == "denied"


class TestActor:
    """Who asks, where nothing was said of it."""

    def test_the_user_of_flask_login(self, activity: CapturedActivities, with_login: Callable[..., Flask]) -> None:
        """From the moment of the login on to that of the logout."""
        client = with_login(application()).test_client()
        for path in ("/", "/login/7", "/", "/logout", "/"):
            client.get(path)
        assert [(event.name, event.actor) for event in activity.events] == [
            ("page.read", ""),
            ("login.began", ""),
            ("login.succeeded", "user:7"),
            ("page.read", "user:7"),
            ("logout.began", "user:7"),
            ("logout.succeeded", ""),
            ("page.read", ""),
        ]

    def test_asking_leaves_no_trace(self, activity: CapturedActivities, with_login: Callable[..., Flask]) -> None:
        """Neither in the session, which would make answers different for each cookie, nor in ``g``."""
        traces = []

        def view() -> str:
            own: Any = flask.globals.request_ctx._session
            traces.append(own.accessed)
            answer = read()
            traces.extend((own.accessed, "_login_user" in g))
            return answer

        client = with_login(application("/", view=view)).test_client()
        client.get("/login/7")
        client.get("/")
        assert activity.one("page.read", actor="user:7")
        assert traces == [False, False, False]

    def test_who_asks_after_an_event_is_not_betrayed(self, with_login: Callable[..., Flask]) -> None:
        """An answer that does depend on the user says so, though an event had asked before."""

        def view() -> str:
            activitylog.emit("page.read")
            return f"hello {flask_login.current_user.id}"

        app = with_login(application("/", view=view))
        client = app.test_client()
        client.get("/login/7")
        with capture_activities():
            response = client.get("/")
        assert response.text == "hello 7"
        assert "Cookie" in response.vary

    def test_lookups(self, activity: CapturedActivities, with_login: Callable[..., Flask]) -> None:
        """None without an event, one for all events, none where the application has looked up its user."""

        def view(events: int, mine: int) -> str:
            if mine:
                assert flask_login.current_user.id == 7
            for _ in range(events):
                activitylog.emit("page.read")
            return ""

        client = with_login(application("/<int:events>/<int:mine>", view=view)).test_client()
        client.get("/login/7")
        for path, lookups in (("/0/0", 0), ("/3/0", 1), ("/0/1", 1), ("/3/1", 1)):
            User.lookups = 0
            client.get(path)
            assert User.lookups == lookups

    def test_a_lookup_that_fails(self, with_login: Callable[..., Flask]) -> None:
        """Harms no request."""
        app = with_login(application("/"))
        client = app.test_client()
        client.get("/login/7")
        app.login_manager._user_callback = lambda number: 1 / 0  # type: ignore[attr-defined]
        with capture_activities(strict=False) as activity:
            assert client.get("/").status_code == 200
        assert activity.one("page.read").attributes["activity.sanitized"] == ["actor:lazy"]

    def test_a_user_without_an_id(self, activity: CapturedActivities) -> None:
        """But with what Flask-Login asks for."""

        class Named(flask_login.UserMixin):  # type: ignore[misc]
            def get_id(self) -> str:
                return "ada"

        def view() -> str:
            g._login_user = Named()
            return read()

        app = application("/", view=view)
        flask_login.LoginManager(app)
        app.test_client().get("/")
        assert activity.one().actor == "user:ada"

    @pytest.mark.parametrize(
        ("user", "actor"), [(None, ""), ("7", "user:7"), (User(7), "user:7"), ({"id": 7, "type": "bot"}, "bot:7")]
    )
    def test_without_flask_login(self, activity: CapturedActivities, user: Any, actor: str) -> None:
        """It is ``g.user``, as in Flask's tutorial."""

        def view() -> str:
            g.user = user
            return read()

        application("/", view=view).test_client().get("/")
        assert activity.one().actor == actor

    def test_a_g_user_that_is_something_else(self, activity: CapturedActivities) -> None:
        """Was only a guess."""

        def view() -> str:
            g.user = object()
            return read()

        application("/", view=view).test_client().get("/")
        assert activity.one().actor == ""

    def test_functions_of_the_application(self, activity: CapturedActivities) -> None:
        """Are called in the request's context."""

        def view() -> str:
            session["uid"] = 7
            g.org = "acme"
            return read()

        app = application(
            "/",
            view=view,
            actor=lambda: ("member", session["uid"]),
            tenant=lambda: g.org,
            session=lambda: f"s-{session['uid']}",
        )
        app.test_client().get("/")
        assert activity.one(actor="member:7", tenant="acme", session="s-7")

    def test_a_function_that_fails(self) -> None:
        """Harms no request."""
        with capture_activities(strict=False) as activity:
            assert application("/", actor=lambda: g.nobody).test_client().get("/").status_code == 200
        assert activity.one("page.read").attributes["activity.sanitized"] == ["actor:lazy"]

    def test_bound_from_a_decorator(self, activity: CapturedActivities) -> None:
        """Or anywhere else."""

        def view() -> str:
            assert bind_request(actor="service:cron", plan="free")
            return read()

        application("/", view=view).test_client().get("/")
        assert activity.one(actor="service:cron", plan="free")


class TestBodies:
    """Bodies that are made while they are sent, when Flask's own context may have ended."""

    @staticmethod
    def rows() -> Iterator[str]:
        """Three of them."""
        for number in range(3):
            activitylog.emit("row.sent", number=number)
            yield "x"

    @pytest.mark.parametrize("with_context", [False, True])
    @pytest.mark.parametrize("known", ["", "login", "function", "g"])
    def test_who_asked_for_a_stream(
        self, activity: CapturedActivities, with_login: Callable[..., Flask], with_context: bool, known: str
    ) -> None:
        """Is known while it is sent: whoever the application knew when it answered."""

        def view(name: str) -> Response:
            if known == "login":
                assert flask_login.current_user.id == 7
            g.user = "user:7"
            rows = self.rows()
            return Response(stream_with_context(rows) if with_context else rows)

        options = {"actor": lambda: g.user, "tenant": lambda: "acme"} if known == "function" else {}
        app = application("/rows/<name>", view=view, **options)
        if known in ("", "login"):
            with_login(app)
        client = app.test_client()
        client.get("/login/7")
        assert client.get("/rows/a").text == "xxx"
        rows = activity.find("row.sent")
        assert len(rows) == 3
        # Where nobody has looked up the user by then, only Flask's own way keeps what is needed to do so.
        expected = "user:7" if known or with_context else ""
        assert {event.actor for event in rows} == {expected}
        for event in rows:
            assert event.attributes["http.route"] == "/rows/<name>"
            assert event.attributes["url.path"] == "/rows/a"
            assert event.attributes["http.response.status_code"] == 200
            assert event.attributes.get("activity.tenant.id") == ("acme" if known == "function" else None)

    def test_files(self, activity: CapturedActivities, tmp_path: Path, with_login: Callable[..., Flask]) -> None:
        """Are sent by the server; nobody is asked for anything."""
        (tmp_path / "a.txt").write_text("file")
        app = with_login(application("/x", request_event="request.handled"))
        app.add_url_rule("/file", view_func=lambda: flask.send_file(tmp_path / "a.txt"))
        client = app.test_client()
        client.get("/login/7")
        User.lookups = 0
        with client.get("/file") as response:
            assert response.data == b"file"
        assert User.lookups == 0
        event = activity.find("request.handled")[-1]
        assert event.attributes["http.route"] == "/file"

    def test_who_is_not_asked_for_a_file(self, tmp_path: Path) -> None:
        """Nobody of the application, where there are no events."""
        (tmp_path / "a.txt").write_text("file")
        asked: list[int] = []
        app = application(
            view=lambda: flask.send_file(tmp_path / "a.txt"),
            actor=lambda: asked.append(1),
            tenant=lambda: asked.append(1),
        )
        with app.test_client().get("/") as response:
            assert response.data == b"file"
        assert asked == []

    def test_a_body_that_is_read_in_the_context_of_another_request(self, activity: CapturedActivities) -> None:
        """Has not asked as whoever that is of."""

        def view() -> Response:
            g.user = "user:7"
            return Response(self.rows())

        response = application(view=view).test_client().get("/")
        with response, application().test_request_context("/"):
            g.user = "user:8"
            assert response.data == b"xxx"
        assert len(activity.find("row.sent", actor="user:7")) == 3

    def test_what_is_called_when_the_answer_is_closed(self, activity: CapturedActivities) -> None:
        """Is of the request."""

        def view() -> Response:
            response = Response(read())
            response.call_on_close(lambda: activitylog.emit("page.sent") and None)
            return response

        application("/", view=view, actor=lambda: "user:7").test_client().get("/").close()
        assert activity.one("page.sent", actor="user:7").attributes["http.response.status_code"] == 200

    def test_after_the_context(self, activity: CapturedActivities) -> None:
        """Hooks of its end are of the request."""
        app = application(actor=lambda: "user:7")

        @app.teardown_request
        def end(error: BaseException | None) -> None:
            activitylog.emit("request.ended")

        @app.teardown_appcontext
        def end_all(error: BaseException | None) -> None:
            activitylog.emit("context.ended")

        app.test_client().get("/")
        assert [event.name for event in activity.find(actor="user:7")] == [
            "page.read",
            "request.ended",
            "context.ended",
        ]


class TestErrors:
    """What becomes of them is Flask's business; the request's event knows it."""

    @staticmethod
    def failing() -> str:
        """A view with a bug."""
        raise LookupError("no")

    def test_an_unhandled_error(self, activity: CapturedActivities) -> None:
        """Is answered by Flask."""
        app = application("/", view=self.failing, request_event="request.handled")
        assert app.test_client().get("/").status_code == 500
        event = activity.one("request.handled", outcome="failure")
        assert event.attributes["http.response.status_code"] == 500
        assert event.attributes["http.route"] == "/"
        assert event.attributes["error.type"] == "LookupError"

    def test_an_error_is_not_kept(self, activity: CapturedActivities) -> None:
        """Its frames have all that the request had."""
        app = application("/", view=self.failing, request_event="request.handled")
        environs = []
        inner = app.wsgi_app

        def noting(environ: Any, start_response: Any) -> Any:
            environs.append(environ)
            return inner(environ, start_response)

        app.wsgi_app = noting  # type: ignore[method-assign]
        app.test_client().get("/")
        assert environs[0]["activitylog.flask"].error is None
        assert activity.one().attributes["error.type"] == "LookupError"

    def test_an_error_that_is_propagated(self, activity: CapturedActivities) -> None:
        """As in tests and under a debugger."""
        app = application("/", view=self.failing, request_event="request.handled")
        app.testing = True
        with pytest.raises(LookupError):
            app.test_client().get("/")
        assert activity.one("request.handled", outcome="failure").attributes["error.type"] == "LookupError"
        assert current_request() is None

    def test_an_error_that_is_an_answer(self, activity: CapturedActivities) -> None:
        """Of the application's handler, where events are of the request."""
        app = application("/", view=self.failing, request_event="request.handled", actor=lambda: "user:7")

        @app.errorhandler(LookupError)
        def sorry(error: LookupError) -> tuple[str, int]:
            activitylog.emit("page.missed", error=error)
            return "sorry", 404

        assert app.test_client().get("/").status_code == 404
        assert activity.one("page.missed", actor="user:7")
        event = activity.one("request.handled", outcome="success")
        assert "error.type" not in event.attributes


class TestWhereEventsAreEmitted:
    """In whatever Flask calls."""

    def test_hooks(self, activity: CapturedActivities) -> None:
        """Of the application and of blueprints."""
        app = application("/<name>")

        @app.before_request
        def before() -> None:
            activitylog.emit("hook.before")

        @app.after_request
        def after(response: Response) -> Response:
            activitylog.emit("hook.after")
            return response

        app.test_client().get("/a")
        assert activity.names == ["hook.before", "page.read", "hook.after"]
        assert {event.attributes["http.route"] for event in activity.events} == {"/<name>"}

    def test_coroutine_functions(self, activity: CapturedActivities) -> None:
        """Flask runs them in a loop of their own."""

        async def view() -> str:
            return read()

        application("/", view=view, actor=lambda: "user:7").test_client().get("/")
        assert activity.one("page.read", actor="user:7")

    def test_threads(self, activity: CapturedActivities) -> None:
        """Work that is carried there knows the request, and whoever asked; also when that has ended."""
        gate = threading.Event()
        threads: list[threading.Thread] = []

        def work() -> None:
            gate.wait(10)
            activitylog.emit("work.done")

        def view() -> str:
            g.user = "user:7"
            threads.append(threading.Thread(target=activitylog.carry(work)))
            threads[0].start()
            return read()

        application("/", view=view).test_client().get("/")
        gate.set()
        threads[0].join()
        event = activity.one("work.done", actor="user:7")
        assert event.attributes["http.route"] == "/"
        assert event.attributes["http.response.status_code"] == 200

    def test_one_application_that_asks_another(self, activity: CapturedActivities) -> None:
        """Each has its own request; contexts of Flask are nested then."""
        other = application("/prices", actor=lambda: None)

        def view() -> str:
            g.user = "user:7"
            other.test_client().get("/prices")
            return read()

        application("/", view=view).test_client().get("/")
        inner, outer = activity.events
        assert (inner.actor, inner.attributes["http.route"]) == ("", "/prices")
        assert (outer.actor, outer.attributes["http.route"]) == ("user:7", "/")

    def test_nothing_of_a_request_is_left(self) -> None:
        """Not even for the garbage collector."""
        left: list[Any] = []

        def view() -> Response:
            left.append(weakref.ref(current_request()))
            return Response(iter([read()]))

        client = application("/", view=view, actor=lambda: "user:7", request_event="request.handled").test_client()
        with capture_activities():
            gc.disable()
            try:
                client.get("/").close()
                assert left[0]() is None
            finally:
                gc.enable()

    def test_contexts_without_a_request(self, activity: CapturedActivities) -> None:
        """Of tests, and of commands: events are emitted, of no request."""
        app = application()

        @app.cli.command("tidy")
        def tidy() -> None:
            activitylog.emit("rows.tidied")

        with app.test_request_context("/"):
            app.preprocess_request()
            activitylog.emit("page.read")
        assert app.test_cli_runner().invoke(args=["tidy"]).exit_code == 0
        for event in activity.events:
            assert "activity.request.id" not in event.attributes
        assert activity.names == ["page.read", "rows.tidied"]

    def test_a_client_that_keeps_the_context(self, activity: CapturedActivities) -> None:
        """Flask keeps it for the test; the request is not bound any more."""
        with application().test_client() as client:
            client.get("/")
            assert flask.has_request_context()
            assert current_request() is None


class TestOptions:
    """From the call, from the constructor, from the configuration."""

    def test_which_wins(self, activity: CapturedActivities) -> None:
        """In this order."""
        extension = ActivityLog(tenant=lambda: "constructor", session=lambda: "constructor")
        app = Flask(__name__)
        app.config["ACTIVITYLOG"] = {
            "tenant": lambda: "config",
            "session": lambda: "config",
            "actor": lambda: "config",
            "omit": ["url.path"],
        }
        extension.init_app(app, session=lambda: "call")
        app.add_url_rule("/", view_func=read)
        app.test_client().get("/")
        event = activity.one(actor="user:config", tenant="constructor", session="call")
        assert "url.path" not in event.attributes

    def test_several_applications(self, activity: CapturedActivities) -> None:
        """One extension has many."""
        extension = ActivityLog(actor=lambda: "user:7")
        for name in ("a", "b"):
            app = Flask(name)
            extension.init_app(app)
            app.add_url_rule("/", view_func=read)
            app.test_client().get("/")
            assert app.extensions["activitylog"] is extension
        assert len(activity.find(actor="user:7")) == 2

    @pytest.mark.parametrize(
        ("config", "options", "message"),
        [
            ({"url": "memory:"}, {}, "activitylog.configure"),
            ({"trusted_proxy": 1}, {}, "trusted_proxies"),
            ("x", {}, "expected a dict"),
            ({}, {"actr": None}, "Did you mean 'actor'"),
            ({}, {"actor": "user"}, "expected a function"),
            ({}, {"omit": "everything"}, "omit"),
        ],
    )
    def test_wrong_ones(self, config: Any, options: Any, message: str) -> None:
        """Are errors at once."""
        with pytest.raises(ConfigurationError, match=message):
            application(config=config, **options)

    def test_twice(self) -> None:
        """Is a mistake."""
        app = application()
        with pytest.raises(ConfigurationError, match="already"):
            ActivityLog(app)

    def test_behind_proxies(self, activity: CapturedActivities) -> None:
        """The options of all frameworks."""
        app = application(config={"trusted_proxies": "127.0.0.1", "return_request_id": True})
        response = app.test_client().get("/", headers={"x-forwarded-for": "203.0.113.7"})
        event = activity.one()
        assert event.attributes["client.address"] == "203.0.113.7"
        assert event.attributes["activity.request.id"] == response.headers["X-Request-ID"]
