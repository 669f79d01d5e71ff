"""
Changes of models, told as events: what was created, updated, deleted and related, and by whom.

.. code-block:: python

    @captured(exclude=["search_vector"], m2m=["members"])
    class Conversation(models.Model): ...

    register(User, fields=["username", "email", "is_active"])           # in an AppConfig's ready()

    ACTIVITYLOG = {"models": ["chat.Message", {"model": "auth.User", "exclude": ["last_login"]}]}

Events are ``<model>.created``, ``.updated``, ``.deleted``, ``.upserted``, and ``<model>.<field>.added`` and
``.removed``. Their attribute ``operation`` tells one row from many: ``save``, ``delete``, ``cascade``; ``update``,
``bulk_create``, ``bulk_update``, ``queryset_delete``; ``add``, ``remove``, ``clear``. An update says which fields
``changed``, and ``changes``: ``{"text": ["old", "new"]}``, or ``values``, the new ones, of those whose old ones
were not loaded.

Not seen: SQL that the ORM does not write, what the database does by itself (triggers, cascades of its own),
migrations, fixtures (``loaddata``).
"""

from __future__ import annotations

from activitylog.integrations.django.model_changes.from_settings import connect, read, register_from_settings
from activitylog.integrations.django.model_changes.registering import captured, register, unregister
from activitylog.integrations.django.model_changes.watching import capture_paused

__all__ = [
    "capture_paused",
    "captured",
    "connect",
    "read",
    "register",
    "register_from_settings",
    "unregister",
]
