"""The first repair: rows of bulk operations by ``bulk_create``."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, JsonResponse

from chat.activity import row
from chat.models import ActivityLog
from chat.views.access import ids, staff
from chat.views.before import send_message
from chat.work import set_active

__all__ = ["activate_users", "send_message", "suspend_users"]


@staff
@transaction.atomic
def activate_users(request: HttpRequest) -> JsonResponse:
    """Let users in again."""
    found = set_active(ids(request), active=True)
    ActivityLog.objects.bulk_create(row(request, "user_activated", "user", pk) for pk in found)
    return JsonResponse({"activated": len(found)})


@staff
@transaction.atomic
def suspend_users(request: HttpRequest) -> JsonResponse:
    """Keep users out."""
    found = set_active(ids(request), active=False)
    ActivityLog.objects.bulk_create(row(request, "user_suspended", "user", pk) for pk in found)
    return JsonResponse({"suspended": len(found)})
