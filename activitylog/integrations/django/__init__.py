"""
activitylog for Django: an application, a middleware, and what emits from models, the admin and logins.

.. code-block:: python

    INSTALLED_APPS = [..., "activitylog.integrations.django"]
    MIDDLEWARE = ["activitylog.integrations.django.ActivityMiddleware", ...]
    ACTIVITYLOG = {"url": "clickhouse://...", "service_name": "chat"}
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

#: Public names and the modules that have them; imported when they are asked for, since Django's models may not be
#: imported before its applications are ready.
_HOMES: Final = {
    "ActivityMiddleware": "middleware",
    "emit_many_on_commit": "transactions",
    "emit_on_commit": "transactions",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - a list, made by sorted


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
