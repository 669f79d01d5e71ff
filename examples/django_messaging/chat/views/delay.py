"""The second repair: a task of Celery for each row, which a worker writes."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, JsonResponse

from chat.activity import log_activity_later
from chat.views.access import api, ids, staff
from chat.work import send, set_active


@api
@transaction.atomic
def send_message(request: HttpRequest, conversation_id: int) -> JsonResponse:
    """Add a message to a conversation."""
    message = send(request.user, conversation_id, request.POST.get("text", ""))
    log_activity_later(request, "message_sent", "message", message.pk, length=len(message.text))
    return JsonResponse({"message": message.pk}, status=201)


@staff
@transaction.atomic
def activate_users(request: HttpRequest) -> JsonResponse:
    """Let users in again."""
    found = set_active(ids(request), active=True)
    for user_id in found:
        log_activity_later(request, "user_activated", "user", user_id)
    return JsonResponse({"activated": len(found)})


@staff
@transaction.atomic
def suspend_users(request: HttpRequest) -> JsonResponse:
    """Keep users out."""
    found = set_active(ids(request), active=False)
    for user_id in found:
        log_activity_later(request, "user_suspended", "user", user_id)
    return JsonResponse({"suspended": len(found)})
