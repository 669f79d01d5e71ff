"""A middleware for measuring: how many statements of a request write to the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponseBase

WRITES = ("INSERT", "UPDATE", "DELETE")


def count_writes(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Put the number into the header ``X-Database-Writes``."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        writes = 0

        def count(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
            nonlocal writes
            writes += sql.lstrip().upper().startswith(WRITES)
            return execute(sql, *args)

        with connection.execute_wrapper(count):
            response = get_response(request)
        response.headers["X-Database-Writes"] = str(writes)
        return response

    return middleware
