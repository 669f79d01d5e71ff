"""
Operations on many rows, told as events.

.. code-block:: python

    from activitylog.integrations.django import emitting

    emitting(User.objects.filter(pk__in=ids), "user.activated").update(is_active=True)
"""

from __future__ import annotations

from activitylog.integrations.django.bulk.emitting import emitting

__all__ = ["emitting"]
