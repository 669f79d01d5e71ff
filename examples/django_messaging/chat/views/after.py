"""With activitylog: events, if the transaction is committed; the middleware says who asked, from where and how."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, JsonResponse

from activitylog.integrations.django import emit_many_on_commit, emit_on_commit
from chat.views.access import api, ids, staff
from chat.work import send, set_active


@api
@transaction.atomic
def send_message(request: HttpRequest, conversation_id: int) -> JsonResponse:
    """Add a message to a conversation."""
    message = send(request.user, conversation_id, request.POST.get("text", ""))
    emit_on_commit("message.sent", object=("message", message.pk), length=len(message.text))
    return JsonResponse({"message": message.pk}, status=201)


@staff
@transaction.atomic
def activate_users(request: HttpRequest) -> JsonResponse:
    """Let users in again."""
    found = set_active(ids(request), active=True)
    emit_many_on_commit("user.activated", [("user", pk) for pk in found])
    return JsonResponse({"activated": len(found)})


@staff
@transaction.atomic
def suspend_users(request: HttpRequest) -> JsonResponse:
    """Keep users out."""
    found = set_active(ids(request), active=False)
    emit_many_on_commit("user.suspended", [("user", pk) for pk in found])
    return JsonResponse({"suspended": len(found)})
