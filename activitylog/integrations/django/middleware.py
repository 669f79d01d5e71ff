"""The middleware: one request, bound to the events of its time."""

from __future__ import annotations

from typing import Any


class ActivityMiddleware:
    """Stub."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response

    def __call__(self, request: Any) -> Any:
        return self._get_response(request)
