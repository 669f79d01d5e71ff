"""What the application is for, the same in each variant."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from django.utils import timezone

from chat.models import Conversation, Message


def send(sender: Any, conversation_id: int, text: str) -> Message:
    """Add a message to a conversation of the sender's."""
    conversation = get_object_or_404(Conversation, pk=conversation_id, members=sender)
    message = Message.objects.create(conversation=conversation, sender=sender, text=text)
    Conversation.objects.filter(pk=conversation.pk).update(last_message_at=timezone.now())
    return message


def set_active(ids: list[int], *, active: bool) -> list[int]:
    """Activate or suspend users; returns the ids of those who exist."""
    found = list(User.objects.filter(pk__in=ids).values_list("pk", flat=True))
    User.objects.filter(pk__in=found).update(is_active=active)
    return found
