"""
A body that is sent after the middleware has returned: what emits while it is made finds the request bound.

The request is bound for each part by itself, so that nothing stays bound at the server between two of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final

from asgiref.sync import async_to_sync
from django.http import StreamingHttpResponse

from activitylog.integrations.django.requests import DjangoRequest


def keep_bound(bound: DjangoRequest, response: StreamingHttpResponse) -> None:
    """
    Bind the request to what makes and closes the body, and finish it when the body is closed.

    A file that the server sends by itself (``FileResponse``) is left to it as it is.
    """
    closers: list[Callable[[], Any]] = response._resource_closers  # type: ignore[attr-defined]
    closers[:] = [partial(_inside, bound, closer) for closer in closers]
    if getattr(response, "file_to_stream", None) is None:
        parts = response._iterator  # type: ignore[attr-defined]
        response.streaming_content = made = _aparts(bound, parts) if response.is_async else _parts(bound, parts)
        if response.is_async:
            closers.append(partial(_close_early, bound, made))
    closers.append(partial(_inside, bound, bound.end))


def _inside(bound: DjangoRequest, function: Callable[[], Any]) -> Any:
    token = bound.enter()
    try:
        return function()
    finally:
        bound.leave(token)


def _parts(bound: DjangoRequest, parts: Iterator[Any]) -> Iterator[Any]:
    while True:
        token = bound.enter()
        try:
            part = next(parts, _END)
        except Exception as error:
            bound.error, bound.unsent = error, False
            raise
        finally:
            bound.leave(token)
        bound.unsent = part is not _END
        if not bound.unsent:
            return
        yield part


async def _aparts(bound: DjangoRequest, parts: AsyncIterator[Any]) -> AsyncIterator[Any]:
    try:
        while True:
            token = bound.enter()
            try:
                part = await anext(parts, _END)
            except Exception as error:
                bound.error, bound.unsent = error, False
                raise
            finally:
                bound.leave(token)
            bound.unsent = part is not _END
            if not bound.unsent:
                return
            yield part
    finally:
        if bound.unsent and hasattr(parts, "aclose"):
            token = bound.enter()
            try:
                await parts.aclose()
            finally:
                bound.leave(token)


def _close_early(bound: DjangoRequest, made: Any) -> None:
    """
    Close a body that nobody takes any more.

    Django leaves that to the garbage collector, which closes the generators in any order, and outside the request.
    It calls this in a thread, from which the event loop can be asked to.
    """
    if bound.unsent:
        with suppress(Exception):  # nobody is left to be told
            async_to_sync(_aclose)(made)


async def _aclose(made: Any) -> None:
    await made.aclose()


_END: Final = object()
