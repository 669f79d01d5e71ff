"""
activitylog for Django: an application, a middleware, and what emits from models, the admin and logins.

.. code-block:: python

    INSTALLED_APPS = [..., "activitylog.integrations.django"]
    MIDDLEWARE = ["activitylog.integrations.django.ActivityMiddleware", ...]
    ACTIVITYLOG = {"url": "clickhouse://...", "service_name": "chat"}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from activitylog.integrations.django.lazy_names import lazily

if TYPE_CHECKING:
    from activitylog.integrations.django.bulk import emitting as emitting
    from activitylog.integrations.django.middleware import ActivityMiddleware as ActivityMiddleware
    from activitylog.integrations.django.model_changes import capture_paused as capture_paused
    from activitylog.integrations.django.model_changes import captured as captured
    from activitylog.integrations.django.model_changes import register as register
    from activitylog.integrations.django.model_changes import register_from_settings as register_from_settings
    from activitylog.integrations.django.model_changes import unregister as unregister
    from activitylog.integrations.django.transactions import emit_many_on_commit as emit_many_on_commit
    from activitylog.integrations.django.transactions import emit_on_commit as emit_on_commit
    from activitylog.integrations.django.users import request_user as request_user

#: Public names and the modules that have them.
_HOMES: Final = {
    "ActivityMiddleware": "middleware",
    "capture_paused": "model_changes",
    "captured": "model_changes",
    "emit_many_on_commit": "transactions",
    "emit_on_commit": "transactions",
    "emitting": "bulk",
    "register": "model_changes",
    "register_from_settings": "model_changes",
    "request_user": "users",
    "unregister": "model_changes",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - a list, made by sorted

__getattr__ = lazily(__name__, _HOMES)
