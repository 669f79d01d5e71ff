"""
A project with an old table and years of rows: ``python history.py COMMAND ...`` is its ``manage.py``.

``HISTORY_DATABASE`` is a path of SQLite or a URL of PostgreSQL, ``HISTORY_STORE`` the URL of the store. ``fill
ROWS`` makes that many rows, the same ones each time.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

_HERE = Path(__file__).parent
ACTIONS: Final = (
    "MESSAGE_SENT", "message_read", "LOGIN", "LOGOUT", "Profile Updated", "user.activated", "USER_ACTIVATED",
    "file uploaded", "maintenance", "сообщение",
)  # fmt: skip
START: Final = dt.datetime(2023, 1, 1, tzinfo=dt.UTC)
#: Between two rows: a million of them are nearly three years.
STEP: Final = dt.timedelta(seconds=89)
_AT_ONCE: Final = 5_000


def set_up() -> None:
    """Have Django know the project: the application of the story, as it is before."""
    import django
    from django.conf import settings

    sys.path.insert(0, str(_HERE / "story" / "before"))
    settings.configure(
        SECRET_KEY="the history's own",
        USE_TZ=True,
        TIME_ZONE="UTC",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": database(os.environ["HISTORY_DATABASE"])},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "activitylog.integrations.django",
            "chat",
        ],
        ACTIVITYLOG={"url": os.environ["HISTORY_STORE"], "service_name": "chat", "durability": "memory"},
    )
    django.setup()


def database(url: str) -> dict[str, Any]:
    """Django's settings of a database."""
    if "://" not in url:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url}
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.strip("/"),
        "USER": parts.username,
        "HOST": parts.hostname,
        "PORT": parts.port,
    }


def fill(rows: int) -> None:
    """Make the tables, and rows of every kind that an old table has."""
    from django.contrib.auth.models import User
    from django.contrib.contenttypes.models import ContentType
    from django.core.management import call_command
    from django.db import connection, transaction

    from chat.models import ActivityLog, Message

    call_command("migrate", verbosity=0)  # Django's own tables first, to which the application's refer
    call_command("migrate", run_syncdb=True, verbosity=0)
    User.objects.bulk_create([User(username=f"user {number}") for number in range(500)])
    users = list(User.objects.values_list("pk", flat=True))
    message = ContentType.objects.get_for_model(Message).pk
    columns = (
        "user_id, action, description, content_type_id, object_id, ip_address, user_agent, metadata, created_at"
    )
    statement = f"INSERT INTO {ActivityLog._meta.db_table} ({columns}) VALUES ({', '.join(['%s'] * 9)})"
    generator = random.Random(7)
    for start in range(0, rows, _AT_ONCE):
        made = [_row(number, users, message, generator) for number in range(start, min(start + _AT_ONCE, rows))]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(statement, made)


def _row(number: int, users: list[int], message: int, generator: random.Random) -> tuple[Any, ...]:
    action = generator.choice(ACTIONS)
    has_object = action.lower().startswith("message")
    metadata = {"channel": generator.choice(["general", "random", "help"]), "length": generator.randrange(2000)}
    return (
        generator.choice(users) if number % 50 else None,
        action,
        f"{action.lower()} by somebody" if number % 3 else "",
        message if has_object else None,
        generator.randrange(10**6) if has_object else None,
        f"192.0.2.{generator.randrange(256)}",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        json.dumps(metadata),
        str(START + number * STEP) if "://" not in os.environ["HISTORY_DATABASE"] else START + number * STEP,
    )


if __name__ == "__main__":
    set_up()
    if sys.argv[1] == "fill":
        fill(int(sys.argv[2]))
    else:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
