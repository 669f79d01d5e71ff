"""An application of FastAPI whose requests take turns; each emits who it is, in every way there is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI, Header, Query, WebSocket
from fastapi.responses import StreamingResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

import activitylog
from activitylog.integrations.fastapi import Activity, ActivityMiddleware, actor, bind_request
from tests.activitylog.integrations.served import recording

_PAUSE = 0.002


class Lane:
    """A middleware of the application, with a block of its own around all that is inside of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        user = Headers(scope=scope).get("x-user") if scope["type"] != "lifespan" else None
        with activitylog.bind(lane=user):
            await self._app(scope, receive, send)


recording.configure()
app = FastAPI()
app.add_middleware(Lane)
app.add_middleware(ActivityMiddleware, request_event="request.handled", trusted_proxies="127.0.0.1")


def who(x_user: Annotated[str, Header()]) -> str:
    """Whoever the client says it is."""
    return f"user:{x_user}"


CurrentUser = Annotated[str, Depends(actor(who))]


@app.get("/coroutine/{number}")
async def coroutine(number: int, user: CurrentUser, activity: Activity, tasks: BackgroundTasks) -> None:
    """Waits between its events; goes on in a thread, and in the background."""
    activitylog.emit("step.done", number=number)
    await asyncio.sleep(_PAUSE)
    activity.info("step.done", number=number)
    await asyncio.to_thread(activitylog.emit, "step.done", number=number)
    tasks.add_task(activitylog.emit, "step.done", number=number)


@app.get("/function/{number}")
def function(number: int, user: CurrentUser, activity: Activity, tasks: BackgroundTasks) -> None:
    """The same in a thread of the pool."""
    activitylog.emit("step.done", number=number)
    time.sleep(_PAUSE)
    activity.info("step.done", number=number)
    bind_request(late=number)
    activitylog.emit("step.done", number=number)
    tasks.add_task(activity.info, "step.done", number=number)


@app.get("/stream/{number}")
async def stream(number: int, user: CurrentUser, pieces: Annotated[int, Query()] = 4) -> StreamingResponse:
    """A body that is made by the piece; with a block of its own across them."""

    async def make() -> AsyncIterator[str]:
        with activitylog.bind(feature=f"stream-{number}"):
            for _ in range(pieces):
                await asyncio.sleep(_PAUSE)
                activitylog.emit("step.done", number=number)
                yield "x" * 1000

    return StreamingResponse(make())


@app.get("/stream_in_threads/{number}")
def stream_in_threads(number: int, user: CurrentUser) -> StreamingResponse:
    """The same from a plain generator."""

    def make() -> Iterator[str]:
        for _ in range(4):
            time.sleep(_PAUSE)
            activitylog.emit("step.done", number=number)
            yield "x" * 1000

    return StreamingResponse(make())


@app.websocket("/chat/{number}")
async def chat(socket: WebSocket, number: int, user: CurrentUser) -> None:
    """Each message is an event."""
    await socket.accept()
    async for text in socket.iter_text():
        activitylog.emit("step.done", number=number)
        await socket.send_text(text)
