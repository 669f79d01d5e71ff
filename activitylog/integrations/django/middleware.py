"""
The middleware: one request, bound to the events of its time.

.. code-block:: python

    MIDDLEWARE = ["activitylog.integrations.django.ActivityMiddleware", ...]     # before all others

Synchronous and asynchronous; a request without events costs a few microseconds and asks the request nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from activitylog import config
from activitylog.exceptions import ConfigurationError
from activitylog.integrations.django import conf
from activitylog.integrations.django.requests import DjangoRequest
from activitylog.integrations.django.streaming import keep_bound
from activitylog.integrations.django.users import aload_user, load_user
from activitylog.integrations.http import current_request


class ActivityMiddleware:
    """
    Binds who asks, for which tenant and what the request says to all events that are emitted meanwhile.

    Raises:
        ImproperlyConfigured: the setting ``ACTIVITYLOG`` cannot be used.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        try:
            self._options = options = conf.options()
        except ConfigurationError as error:
            raise ImproperlyConfigured(str(error)) from None
        self._asks_at_the_end = options.load_user and options.http.request_event is not None
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        # Django calls these hooks for every request, where they are.
        if options.load_user:
            self.process_view = self._aload_user if self._is_async else self._load_user
        if options.http.request_event is not None:
            self.process_exception = self._note_error

    def __call__(self, request: HttpRequest) -> Any:
        """Answer a request."""
        bound = DjangoRequest(request, self._options)
        if self._is_async:
            return self._answer(request, bound)
        token = bound.enter()
        try:
            response = self._get_response(request)
        except BaseException as error:
            bound.end(error)
            raise
        else:
            self._answered(bound, response)
            return response
        finally:
            bound.leave(token)

    async def _answer(self, request: HttpRequest, bound: DjangoRequest) -> HttpResponseBase:
        token = bound.enter()
        try:
            response = await cast(Awaitable[HttpResponseBase], self._get_response(request))
            if self._asks_at_the_end and not response.streaming:
                await aload_user(request)
        except BaseException as error:
            bound.end(error)
            raise
        else:
            self._answered(bound, response)
            return response
        finally:
            bound.leave(token)

    def _answered(self, bound: DjangoRequest, response: HttpResponseBase) -> None:
        bound.status = response.status_code
        if bound.status < _SERVER_ERROR:
            bound.error = None  # an exception that is an answer, such as Http404
        try:
            if self._options.return_request_id:
                response[self._options.http.request_id_header or _REQUEST_ID_HEADER] = bound.request_id
            if response.streaming:
                keep_bound(bound, cast(StreamingHttpResponse, response))
                return
        except Exception as error:  # noqa: BLE001 - a class of responses that is made in another way
            config.fail(error, "the request")
        bound.end()

    def _load_user(self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any) -> None:
        """Before the view: emit is called in an event loop there, which must not wait for the database."""
        if iscoroutinefunction(view):
            with suppress(Exception):
                load_user(request)

    async def _aload_user(self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any) -> None:
        if iscoroutinefunction(view):
            await aload_user(request)

    def _note_error(self, _request: HttpRequest, error: Exception) -> None:
        bound = current_request()
        if isinstance(bound, DjangoRequest):
            bound.error = error


_SERVER_ERROR: Final = 500
_REQUEST_ID_HEADER: Final = "X-Request-ID"
