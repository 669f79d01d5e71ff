"""``manage.py seed``: users, a conversation, and somebody of the staff; run it as often as you like."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand

from chat.models import Conversation

PASSWORD = "messaging"


class Command(BaseCommand):
    """The command."""

    help = f"Add users member0, member1, ... and the staff's admin (password: {PASSWORD}) and a conversation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How many users."""
        parser.add_argument("--users", type=int, default=100)

    def handle(self, *_args: Any, users: int, **_options: Any) -> None:
        """Add what is missing."""
        password = make_password(PASSWORD)
        User.objects.bulk_create(
            [
                User(username="admin", password=password, is_staff=True, is_superuser=True),
                *(User(username=f"member{number}", password=password) for number in range(users)),
            ],
            ignore_conflicts=True,
        )
        conversation, _ = Conversation.objects.get_or_create(pk=1, defaults={"title": "General"})
        conversation.members.add(*User.objects.filter(username__in=[f"member{n}" for n in range(min(users, 100))]))
        self.stdout.write(f"{User.objects.count()} users, {Conversation.objects.count()} conversation(s)")
