"""
A Django application as servers import it, WSGI and ASGI: a request writes a row and emits if that is committed.

The environment says where: ``TEST_STORE`` (URL), ``TEST_FOLDER`` (spool, database).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path

from activitylog import emit
from activitylog.integrations.django import emit_many_on_commit

#: What one request emits.
EVENTS = 5
_folder = Path(os.environ["TEST_FOLDER"])

settings.configure(
    SECRET_KEY="the tests' own",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=["activitylog.integrations.django"],
    MIDDLEWARE=["activitylog.integrations.django.ActivityMiddleware"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": _folder / "rows.sqlite3",
            "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
        }
    },
    ACTIVITYLOG={
        "url": os.environ["TEST_STORE"],
        "service_name": "life-cycle",
        "spool_directory": _folder / "spool",
        "tenant": lambda _request: _folder.name,
        "request_event": "request.completed",
        # The end of a worker is not to wait long for a store that the next one can send to as well.
        "shutdown_timeout_seconds": 2,
    },
)
django.setup()


def send(_request: HttpRequest, number: int) -> HttpResponse:
    """Write a row; its events are of the request of this number."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS rows (number integer)")
            cursor.execute("INSERT INTO rows VALUES (%s)", [number])
        emit_many_on_commit("message.sent", [("message", n) for n in range(EVENTS)], number=number)
    return HttpResponse(status=201)


async def asend(_request: HttpRequest, number: int) -> HttpResponse:
    """The same without a database, which has no asynchronous transactions."""
    for n in range(EVENTS):
        emit("message.sent", object=("message", n), number=number)
    return HttpResponse(status=201)


urlpatterns = [path("send/<int:number>", send), path("asend/<int:number>", asend)]


def application(*arguments: Any) -> Any:
    """WSGI."""
    return _wsgi(*arguments)


_wsgi = get_wsgi_application()
asgi_application = get_asgi_application()
