"""An application of Flask whose requests take turns; each emits who it is, in every way there is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from flask import Flask, Response, g, request, stream_with_context

import activitylog
from activitylog.integrations.flask import ActivityLog, bind_request
from tests.activitylog.integrations.served import recording

recording.configure()
app = Flask(__name__)
ActivityLog(app, actor=lambda: g.who, request_event="request.handled", trusted_proxies="127.0.0.1")
_PAUSE = 0.002


@app.before_request
def find_out() -> None:
    """Whoever the client says it is."""
    g.who = f"user:{request.headers['X-User']}"


@app.get("/function/<int:number>")
def function(number: int) -> str:
    """Waits between its events, and goes on in a thread of its own."""
    activitylog.emit("step.done", number=number)
    time.sleep(_PAUSE)
    bind_request(late=number)
    activitylog.emit("step.done", number=number)
    thread = threading.Thread(
        target=activitylog.carry(activitylog.emit), args=("step.done",), kwargs={"number": number}
    )
    thread.start()
    thread.join()
    time.sleep(_PAUSE)
    activitylog.emit("step.done", number=number)
    return "done"


def _pieces(number: int) -> Iterator[str]:
    with activitylog.bind(feature=f"stream-{number}"):
        for _ in range(4):
            time.sleep(_PAUSE)
            activitylog.emit("step.done", number=number)
            yield "x" * 1000


@app.get("/stream/<int:number>")
def stream(number: int) -> Response:
    """A body that is made by the piece, after Flask's context; with a block of its own across the pieces."""
    return Response(_pieces(number))


@app.get("/stream_with_context/<int:number>")
def stream_inside(number: int) -> Response:
    """The same inside of it."""
    return Response(stream_with_context(_pieces(number)))


@app.get("/endless/<int:number>")
def endless(number: int) -> Response:
    """Until nobody takes it any more."""

    def make() -> Iterator[str]:
        while True:
            activitylog.emit("step.done", number=number)
            yield "x" * 100_000

    return Response(make())
