"""Views that emit, each in its own way; the URLconf of the tests of the middleware."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import alogin, get_user_model, login
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import path, re_path
from django.views import View

import activitylog
from activitylog.integrations.http import bind_request


def send(request: HttpRequest, number: int = 7, **_parts: Any) -> HttpResponse:
    """Emits one event, and uses no session."""
    activitylog.emit("message.sent", object=("message", number))
    return HttpResponse("sent")


def idle(request: HttpRequest) -> HttpResponse:
    """Emits nothing."""
    return HttpResponse("idle")


def reading(request: HttpRequest) -> HttpResponse:
    """Uses the session."""
    activitylog.emit("message.read")
    return HttpResponse(str(request.user))


def visited(request: HttpRequest) -> HttpResponse:
    """Begins a session."""
    activitylog.emit("site.entered")
    request.session["visited"] = True
    activitylog.emit("site.visited")
    return HttpResponse("visited")


def signing_in(request: HttpRequest) -> HttpResponse:
    """Knows who asks from now on."""
    activitylog.emit("door.knocked")
    login(
        request, get_user_model().objects.get(username="ada"), backend="django.contrib.auth.backends.ModelBackend"
    )
    activitylog.emit("door.opened")
    return HttpResponse("in")


def refused(request: HttpRequest) -> HttpResponse:
    """Is answered with 403."""
    activitylog.emit("report.opened", outcome="denied")
    raise PermissionDenied


def missing(request: HttpRequest) -> HttpResponse:
    """Is answered with 404."""
    raise Http404


def broken(request: HttpRequest) -> HttpResponse:
    """Is answered with 500."""
    activitylog.emit("report.begun")
    raise LookupError("no such report")


def told(request: HttpRequest) -> HttpResponse:
    """Says by itself who asks."""
    bind_request(actor="service:billing", tenant="acme")
    activitylog.emit("invoice.sent")
    return HttpResponse("told")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Emits while its body is sent, and at its end."""

    def parts() -> Iterator[bytes]:
        try:
            for number in range(3):
                activitylog.emit("part.sent", object=("part", number))
                yield b"part"
        finally:
            activitylog.emit("stream.closed")

    return StreamingHttpResponse(parts())


def breaking_stream(request: HttpRequest) -> StreamingHttpResponse:
    """Fails in the middle of its body."""

    def parts() -> Iterator[bytes]:
        yield b"part"
        raise OSError("the disk is gone")

    return StreamingHttpResponse(parts())


def file(request: HttpRequest) -> FileResponse:
    """Sends a file."""
    content = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    content.write(b"content")
    content.seek(0)
    return FileResponse(content)


def page(request: HttpRequest) -> TemplateResponse:
    """Emits while its template is rendered, after the view has returned."""

    def greeting() -> str:
        activitylog.emit("page.rendered")
        return "hello"

    template = engines["django"].from_string("{{ greeting }}")
    return TemplateResponse(request, template, {"greeting": greeting})


async def asend(request: HttpRequest) -> HttpResponse:
    """Emits in an event loop."""
    activitylog.emit("message.sent")
    return HttpResponse("sent")


async def auser(request: HttpRequest) -> HttpResponse:
    """Uses the session in an event loop."""
    user = await request.auser()
    activitylog.emit("message.read")
    return HttpResponse(str(user))


async def asigning_in(request: HttpRequest) -> HttpResponse:
    """Knows who asks from now on."""
    activitylog.emit("door.knocked")
    user = await get_user_model().objects.aget(username="ada")
    await alogin(request, user, backend="django.contrib.auth.backends.ModelBackend")
    activitylog.emit("door.opened")
    return HttpResponse(str(await request.auser()))


async def athread(request: HttpRequest) -> HttpResponse:
    """Emits in a thread."""
    await sync_to_async(activitylog.emit)("message.sent")
    return HttpResponse("sent")


async def atasks(request: HttpRequest) -> HttpResponse:
    """Emits in tasks of its own."""

    async def one(number: int) -> None:
        await asyncio.sleep(0)
        activitylog.emit("part.sent", object=("part", number))

    await asyncio.gather(*map(one, range(3)))
    return HttpResponse("sent")


async def abroken(request: HttpRequest) -> HttpResponse:
    """Is answered with 500."""
    activitylog.emit("report.begun")
    raise LookupError("no such report")


async def aslow(request: HttpRequest) -> HttpResponse:
    """Waits for ever: until the client has gone."""
    activitylog.emit("wait.begun")
    try:
        await asyncio.Event().wait()
    finally:
        activitylog.emit("wait.ended")
    return HttpResponse("never")


async def astream(request: HttpRequest) -> StreamingHttpResponse:
    """Emits while its body is sent, and at its end."""

    async def parts() -> AsyncIterator[bytes]:
        try:
            for number in range(3):
                activitylog.emit("part.sent", object=("part", number))
                await asyncio.sleep(0)
                yield b"part"
        finally:
            activitylog.emit("stream.closed")

    return StreamingHttpResponse(parts())


class AsyncView(View):
    """A class with asynchronous methods."""

    async def get(self, request: HttpRequest) -> HttpResponse:
        activitylog.emit("message.sent")
        return HttpResponse("sent")


urlpatterns = [
    path("", send),
    path("messages/<int:number>/", send),
    path("idle/", idle),
    path("reset/<str:token>/", send),
    re_path(r"^old/(?P<number>\d+)/$", send),
    path("reading/", reading),
    path("visited/", visited),
    path("signing-in/", signing_in),
    path("refused/", refused),
    path("missing/", missing),
    path("broken/", broken),
    path("told/", told),
    path("stream/", stream),
    path("breaking-stream/", breaking_stream),
    path("file/", file),
    path("page/", page),
    path("async/send/", asend),
    path("async/user/", auser),
    path("async/signing-in/", asigning_in),
    path("async/thread/", athread),
    path("async/tasks/", atasks),
    path("async/broken/", abroken),
    path("async/slow/", aslow),
    path("async/stream/", astream),
    path("async/class/", AsyncView.as_view()),
]
