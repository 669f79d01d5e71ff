"""A WSGI application as gunicorn imports it: in its arbiter with ``--preload``, else in each worker."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tests.life_cycle.prefork import EVENTS, configured

_worker = configured()


def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """What a request does."""
    _worker.emit(EVENTS, 0)
    start_response("204 No Content", [])
    return []
