"""
Moving in from a table of activity: old call sites that emit events, and the history that the table holds.

.. code-block:: python

    @legacy_model()                                # chat/models.py: objects.create(), bulk_create(), save()
    class ActivityLog(models.Model): ...

    @legacy_function()                             # chat/activity.py: safe_log_activity(...)
    def safe_log_activity(user, action, description="", request=None, **metadata): ...

    @legacy_task()                                 # chat/tasks.py: async_log_activity.delay(...)
    @shared_task
    def async_log_activity(user_id, action, **metadata): ...

Call sites stay as they are. ``manage.py import_activity chat.ActivityLog`` copies what the table has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from activitylog.integrations.django.lazy_names import lazily

if TYPE_CHECKING:
    from activitylog.integrations.django.moving_in.mapping import LegacyMapping as LegacyMapping
    from activitylog.integrations.django.moving_in.old_function import legacy_function as legacy_function
    from activitylog.integrations.django.moving_in.old_model import legacy_model as legacy_model
    from activitylog.integrations.django.moving_in.old_task import legacy_task as legacy_task

#: Public names and the modules that have them.
_HOMES: Final = {
    "LegacyMapping": "mapping",
    "legacy_function": "old_function",
    "legacy_model": "old_model",
    "legacy_task": "old_task",
}

__all__ = ["LegacyMapping", "legacy_function", "legacy_model", "legacy_task"]

__getattr__ = lazily(__name__, _HOMES)
