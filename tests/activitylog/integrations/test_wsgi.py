"""The WSGI middleware around applications that are nothing but a function, with the reference's validator."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

import activitylog
from activitylog.exceptions import ConfigurationError
from activitylog.integrations.http import bind_request, current_request
from activitylog.integrations.wsgi import ActivityMiddleware
from activitylog.testing import CapturedActivities, capture_activities

OK = ("200 OK", [("Content-Type", "text/plain")])


def environ_of(path: str = "/", **more: Any) -> dict[str, Any]:
    """An environ as servers make it."""
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path.encode().decode("latin-1"),
        "REMOTE_ADDR": "192.0.2.1",
        "HTTP_USER_AGENT": "curl/8.5",
        "QUERY_STRING": "",
        **more,
    }
    setup_testing_defaults(environ)
    return environ


class Answer:
    """
    What a server has of one request.

    Attributes:
        status, headers: as they were given last.
        body: what was iterated.
        written: what was given to the ``write`` of old.
        bound: whether the request was bound before each step of the server's.
    """

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.body: list[bytes] = []
        self.written: list[bytes] = []
        self.bound: list[bool] = []

    def start(self, status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], Any]:
        """What applications call."""
        if exc_info is not None and self.body:
            raise exc_info[1]
        self.status, self.headers = status, headers
        return self.written.append


def serve(app: Any, environ: dict[str, Any] | None = None, *, pieces: int | None = None) -> Answer:
    """
    Call an application as a server does.

    Args:
        pieces: how many of the body are taken; all when it is None.
    """
    answer = Answer()
    body = app(environ_of() if environ is None else environ, answer.start)
    answer.bound.append(current_request() is not None)
    try:
        for piece in body:
            answer.bound.append(current_request() is not None)
            answer.body.append(piece)
            if pieces is not None and len(answer.body) == pieces:
                break
    finally:
        if hasattr(body, "close"):
            body.close()
        answer.bound.append(current_request() is not None)
    return answer


def reading(environ: Any, start_response: Any) -> list[bytes]:
    """An application that is done when it returns."""
    activitylog.emit("page.read")
    start_response(*OK)
    activitylog.emit("page.sent")
    return [b"read"]


def streaming(environ: Any, start_response: Any) -> Iterator[bytes]:
    """An application that does all of its work while it is sent."""
    try:
        start_response(*OK)
        for number in range(3):
            activitylog.emit("row.sent", number=number)
            yield b"x"
    finally:
        activitylog.emit("rows.ended")


class TestRequest:
    """What events have."""

    def test_what_an_environ_says(self, activity: CapturedActivities) -> None:
        """And the status once there is one."""
        app = ActivityMiddleware(reading, trusted_proxies=1)
        serve(
            validator(app),
            environ_of("/pages/é", REMOTE_USER="42", HTTP_X_FORWARDED_FOR="203.0.113.7", HTTP_X_REQUEST_ID="r-1"),
        )
        read, sent = activity.events
        assert read.actor == "user:42"
        assert read.attributes["http.request.method"] == "GET"
        assert read.attributes["url.path"] == "/pages/é"
        assert read.attributes["client.address"] == "203.0.113.7"
        assert read.attributes["user_agent.original"] == "curl/8.5"
        assert read.attributes["activity.request.id"] == "r-1"
        assert "http.response.status_code" not in read.attributes
        assert sent.attributes["http.response.status_code"] == 200

    def test_what_it_is_served_below(self, activity: CapturedActivities) -> None:
        """Is part of the path."""
        serve(ActivityMiddleware(reading), environ_of("/b", SCRIPT_NAME="/a"))
        assert activity.events[0].attributes["url.path"] == "/a/b"

    def test_a_path_that_is_no_text(self, activity: CapturedActivities) -> None:
        """Is stored as far as it is one."""
        serve(ActivityMiddleware(reading), environ_of(PATH_INFO="/\xff\xfe"))
        assert activity.events[0].attributes["url.path"] == "/\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"

    @pytest.mark.parametrize("missing", ["REMOTE_ADDR", "HTTP_USER_AGENT", "SCRIPT_NAME", "PATH_INFO"])
    def test_what_is_missing(self, activity: CapturedActivities, missing: str) -> None:
        """Is missing in events."""
        environ = environ_of("/x")
        del environ[missing]
        serve(ActivityMiddleware(reading), environ)
        assert len(activity) == 2

    def test_what_an_inner_middleware_puts_right(self, activity: CapturedActivities) -> None:
        """Werkzeug's ``ProxyFix`` changes the environ."""
        from werkzeug.middleware.proxy_fix import ProxyFix

        app = ActivityMiddleware(ProxyFix(reading, x_for=1, x_prefix=1))
        serve(app, environ_of("/b", HTTP_X_FORWARDED_FOR="203.0.113.7", HTTP_X_FORWARDED_PREFIX="/a"))
        assert activity.events[0].attributes["client.address"] == "203.0.113.7"
        assert activity.events[0].attributes["url.path"] == "/a/b"

    def test_functions_of_the_application(self, activity: CapturedActivities) -> None:
        """Are called with the environ."""
        app = ActivityMiddleware(
            reading,
            actor=lambda environ: environ["who"],
            tenant=lambda environ: environ["whose"],
            session=lambda environ: "s-1",
            route=lambda environ: environ["route"],
        )
        serve(app, environ_of("/x", who="user:7", whose="acme", route="/<x>"))
        event = activity.one("page.read", actor="user:7", tenant="acme", session="s-1")
        assert event.attributes["http.route"] == "/<x>"

    def test_a_wrong_option(self) -> None:
        """Is an error at once."""
        with pytest.raises(ConfigurationError, match="omit"):
            ActivityMiddleware(reading, omit="everything")
        with pytest.raises(ConfigurationError, match="actor"):
            ActivityMiddleware(reading, actor="user")  # type: ignore[arg-type]

    def test_one_middleware_inside_another(self, activity: CapturedActivities) -> None:
        """Is one request."""
        inner = ActivityMiddleware(reading, actor=lambda _: "user:inner", request_event="request.handled")
        serve(ActivityMiddleware(inner, actor=lambda _: "user:outer", request_event="request.handled"))
        assert activity.names == ["page.read", "page.sent", "request.handled"]
        assert {event.actor for event in activity.events} == {"user:outer"}

    def test_the_request_id_in_the_answer(self, activity: CapturedActivities) -> None:
        """Where that is asked for, and the application has none."""
        answer = serve(validator(ActivityMiddleware(reading, return_request_id=True)))
        assert dict(answer.headers)["X-Request-ID"] == activity.events[0].attributes["activity.request.id"]
        assert OK[1] == [("Content-Type", "text/plain")]

        def own(environ: Any, start_response: Any) -> list[bytes]:
            start_response("200 OK", [("x-request-id", "mine")])
            return []

        assert serve(ActivityMiddleware(own, return_request_id=True)).headers == [("x-request-id", "mine")]

    def test_nothing_of_a_request_is_left(self) -> None:
        """Not even for the garbage collector."""
        left: list[Any] = []

        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            left.append(weakref.ref(current_request()))
            yield from streaming(environ, start_response)

        with capture_activities():
            gc.disable()
            try:
                serve(ActivityMiddleware(app, request_event="request.handled"))
                assert left[0]() is None
            finally:
                gc.enable()


class TestBodies:
    """The request is bound while they are made, and not in between: the thread is the server's then."""

    def test_a_generator(self, activity: CapturedActivities) -> None:
        """By the piece, and when it is closed."""
        answer = serve(validator(ActivityMiddleware(streaming, actor=lambda _: "user:7")))
        assert b"".join(answer.body) == b"xxx"
        assert answer.bound == [False] * 5
        assert activity.names == ["row.sent"] * 3 + ["rows.ended"]
        assert len(activity.find(actor="user:7", **{"http.response.status_code": 200})) == 4

    def test_two_bodies_by_turns(self, activity: CapturedActivities) -> None:
        """On one thread, as servers with greenlets do it."""
        app = ActivityMiddleware(streaming, actor=lambda environ: environ["who"])
        bodies: list[Any] = [app(environ_of(who=f"user:{number}"), Answer().start) for number in range(20)]
        for _ in range(3):
            for body in bodies:
                next(body)
        for body in bodies:
            body.close()
        for number in range(20):
            assert len(activity.find(actor=f"user:{number}")) == 4
        assert len({event.attributes["activity.request.id"] for event in activity.events}) == 20

    def test_what_is_bound_around_a_step(self, activity: CapturedActivities) -> None:
        """By a middleware around ours: counts for that step."""
        body: Any = ActivityMiddleware(streaming, actor=lambda _: "user:7")(environ_of(), Answer().start)
        next(body)
        with activitylog.bind(region="eu"):
            next(body)
        next(body)
        assert [event.attributes.get("region") for event in activity.find(actor="user:7")] == [None, "eu", None]

    def test_what_a_body_binds_itself_is_gone_in_between(self, activity: CapturedActivities) -> None:
        """A block across a ``yield`` would else be seen by whoever is served next."""

        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response(*OK)
            with activitylog.bind(feature="export"):
                yield b"x"
                activitylog.emit("row.sent")
                yield b"x"

        body = iter(ActivityMiddleware(app)(environ_of(), Answer().start))
        next(body)
        activitylog.emit("page.read")
        next(body)
        assert "feature" not in activity.one("page.read").attributes
        assert "activity.request.id" not in activity.one("page.read").attributes
        assert "activity.request.id" in activity.one("row.sent").attributes

    def test_what_is_made_already(self) -> None:
        """Reaches the server as it is, which may count it."""
        body = [b"read"]
        app = ActivityMiddleware(lambda environ, start_response: body)
        assert app(environ_of(), Answer().start) is body

    @pytest.mark.parametrize("wrapper", [FileWrapper, None, "no class"])
    def test_a_file(self, activity: CapturedActivities, wrapper: Any) -> None:
        """Reaches the server in the server's wrapper, and it may send it by itself."""

        def app(environ: Any, start_response: Any) -> Iterable[bytes]:
            start_response(*OK)
            made.append(FileWrapper(io.BytesIO(b"file")))
            return made[0]

        made: list[FileWrapper] = []
        middleware = ActivityMiddleware(app, request_event="request.handled")
        body = middleware(environ_of(**{"wsgi.file_wrapper": wrapper}), Answer().start)
        assert (body is made[0]) is (wrapper is FileWrapper)
        assert b"".join(body) == b"file"
        assert activity.one("request.handled").outcome == "success"

    def test_writing(self, activity: CapturedActivities) -> None:
        """The callable of old works."""

        def app(environ: Any, start_response: Any) -> list[bytes]:
            write = start_response(*OK)
            write(b"x")
            activitylog.emit("row.sent")
            return []

        answer = serve(validator(ActivityMiddleware(app)))
        assert answer.written == [b"x"]
        assert activity.one().attributes["http.response.status_code"] == 200

    def test_an_answer_that_is_taken_back(self, activity: CapturedActivities) -> None:
        """With the error that was the reason; the second one counts."""

        def app(environ: Any, start_response: Any) -> list[bytes]:
            start_response(*OK)
            try:
                raise LookupError("no")
            except LookupError:
                import sys

                start_response("503 Service Unavailable", OK[1], sys.exc_info())
            activitylog.emit("page.failed")
            return [b"sorry"]

        assert serve(validator(ActivityMiddleware(app))).status.startswith("503")
        assert activity.one().attributes["http.response.status_code"] == 503

    def test_an_answer_that_is_taken_back_too_late(self, activity: CapturedActivities) -> None:
        """The server raises the error again, through us."""

        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response(*OK)
            yield b"x"
            try:
                raise LookupError("no")
            except LookupError as error:
                start_response("500 Oops", OK[1], (type(error), error, error.__traceback__))
            yield b"never"

        with pytest.raises(LookupError):
            serve(ActivityMiddleware(app, request_event="request.handled"))
        assert activity.one("request.handled", outcome="failure").attributes["error.type"] == "LookupError"

    @pytest.mark.parametrize("status", ["", "OK", "2", "²00 x", "-20 x", "20"])
    def test_a_status_that_is_none(self, activity: CapturedActivities, status: str) -> None:
        """Is the server's problem."""

        def app(environ: Any, start_response: Any) -> list[bytes]:
            start_response(status, [])
            activitylog.emit("page.sent")
            return []

        serve(ActivityMiddleware(app))
        assert "http.response.status_code" not in activity.one().attributes

    def test_bound_late(self, activity: CapturedActivities) -> None:
        """What is found out of a request counts for the rest of its body."""

        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response(*OK)
            yield b"x"
            bind_request(actor="user:7")
            yield b"x"
            activitylog.emit("row.sent")

        serve(ActivityMiddleware(app))
        assert activity.one("row.sent").actor == "user:7"


class TestEnds:
    """However a request ends, it is unbound, and has one event where one is asked for."""

    def handled(self, activity: CapturedActivities, app: Any, **how: Any) -> Any:
        """The event of a request."""
        try:
            serve(ActivityMiddleware(app, request_event="request.handled"), **how)
        except (LookupError, SystemExit):
            assert current_request() is None
        return activity.one("request.handled")

    def test_at_once(self, activity: CapturedActivities) -> None:
        """The body is made already."""
        event = self.handled(activity, reading)
        assert (event.outcome, event.attributes["http.response.status_code"]) == ("success", 200)

    def test_with_the_body(self, activity: CapturedActivities) -> None:
        """After its last piece."""
        assert self.handled(activity, streaming).outcome == "success"
        assert activity.names[-2:] == ["rows.ended", "request.handled"]

    def test_before_the_end_of_the_body(self, activity: CapturedActivities) -> None:
        """Whoever waited for it has gone."""
        event = self.handled(activity, streaming, pieces=2)
        assert event.outcome == "unknown"
        assert activity.names == ["row.sent", "row.sent", "rows.ended", "request.handled"]

    def test_a_body_that_is_not_asked_for(self, activity: CapturedActivities) -> None:
        """As of an answer to HEAD."""

        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response(*OK)
            return iter([b"x"])

        body = ActivityMiddleware(app, request_event="request.handled")(environ_of(), Answer().start)
        body.close()  # type: ignore[attr-defined]
        assert activity.one("request.handled").outcome == "success"

    @pytest.mark.parametrize("error", [LookupError, SystemExit])
    @pytest.mark.parametrize("when", ["call", "iter", "next", "close"])
    def test_errors(self, activity: CapturedActivities, when: str, error: Any) -> None:
        """Go on to the server, wherever they come from."""

        class Body:
            def __iter__(self) -> Any:
                if when == "iter":
                    raise error("no")
                return self

            def __next__(self) -> bytes:
                if when == "next":
                    raise error("no")
                raise StopIteration

            def close(self) -> None:
                if when == "close":
                    raise error("no")

        def app(environ: Any, start_response: Any) -> Any:
            if when == "call":
                raise error("no")
            start_response(*OK)
            return Body()

        event = self.handled(activity, app)
        if when == "close":
            assert event.outcome == "success"  # it was all sent by then
            return
        assert event.attributes["error.type"] == error.__name__
        assert event.outcome == ("failure" if error is LookupError else "unknown")
        expected = 200 if when != "call" else 500 if error is LookupError else None
        assert event.attributes.get("http.response.status_code") == expected
