"""As ``after``, but an operation on many users is one event about all of them, which says how many and which."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, JsonResponse

from activitylog.integrations.django import emit_on_commit
from chat.views.access import ids, staff
from chat.views.after import send_message
from chat.work import set_active

__all__ = ["activate_users", "send_message", "suspend_users"]


@staff
@transaction.atomic
def activate_users(request: HttpRequest) -> JsonResponse:
    """Let users in again."""
    found = set_active(ids(request), active=True)
    emit_on_commit("user.activated", objects=[("user", pk) for pk in found])
    return JsonResponse({"activated": len(found)})


@staff
@transaction.atomic
def suspend_users(request: HttpRequest) -> JsonResponse:
    """Keep users out."""
    found = set_active(ids(request), active=False)
    emit_on_commit("user.suspended", objects=[("user", pk) for pk in found])
    return JsonResponse({"suspended": len(found)})
