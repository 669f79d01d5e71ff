"""Without any log: what the others are measured against."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, JsonResponse

from chat.views.access import api, ids, staff
from chat.work import send, set_active


@api
@transaction.atomic
def send_message(request: HttpRequest, conversation_id: int) -> JsonResponse:
    """Add a message to a conversation."""
    message = send(request.user, conversation_id, request.POST.get("text", ""))
    return JsonResponse({"message": message.pk}, status=201)


@staff
@transaction.atomic
def activate_users(request: HttpRequest) -> JsonResponse:
    """Let users in again."""
    return JsonResponse({"activated": len(set_active(ids(request), active=True))})


@staff
@transaction.atomic
def suspend_users(request: HttpRequest) -> JsonResponse:
    """Keep users out."""
    return JsonResponse({"suspended": len(set_active(ids(request), active=False))})
