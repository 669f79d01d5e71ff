# mypy: ignore-errors
"""
Runs a project that uses an audit library: ``python project.py
easy_audit|auditlog_beside|auditlog_instead|before_...``.

Prints the events, and how many rows the library wrote, as one JSON document.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

_HERE = Path(__file__).parent
_BACKEND: Final = "activitylog.integrations.django.moving_in.easy_audit.ActivityBackend"
_LIBRARIES: Final[dict[str, dict[str, Any]]] = {
    "easy_audit": {
        "apps": ["easyaudit"],
        "middleware": ["easyaudit.middleware.easyaudit.EasyAuditMiddleware"],
        "DJANGO_EASY_AUDIT_LOGGING_BACKEND": _BACKEND,
    },
    "easy_audit_before": {
        "apps": ["easyaudit"],
        "middleware": ["easyaudit.middleware.easyaudit.EasyAuditMiddleware"],
    },
    "auditlog_beside": {"apps": ["auditlog"], "middleware": ["auditlog.middleware.AuditlogMiddleware"]},
    "auditlog_instead": {
        "apps": ["auditlog"],
        "middleware": ["auditlog.middleware.AuditlogMiddleware"],
        "AUDITLOG_LOGENTRY_MODEL": "shop.AuditEntry",
    },
}


def set_up(library: str) -> None:
    """Have Django know the project; ``PROJECT_DATABASE`` is a file, in memory without it."""
    import django
    from django.conf import settings

    given = dict(_LIBRARIES[library])
    sys.path.insert(0, str(_HERE))
    settings.configure(
        SECRET_KEY="the bridges' own",
        USE_TZ=True,
        ROOT_URLCONF="shop.urls",
        ALLOWED_HOSTS=["*"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("PROJECT_DATABASE", ":memory:"),
            }
        },
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            *given.pop("apps"),
            "activitylog.integrations.django",
            "shop",
        ],
        MIDDLEWARE=[
            "activitylog.integrations.django.ActivityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            *given.pop("middleware"),
        ],
        ACTIVITYLOG={
            "url": os.environ.get("PROJECT_STORE", "memory:"),
            "service_name": "shop",
            "auth_events": False,
            "durability": "memory",
        },
        SHOP_LIBRARY=library,
        **given,
    )  # fmt: skip
    django.setup()
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)


def use() -> dict[str, Any]:
    """Log in, make and change and delete things, over HTTP; what became of it."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from activitylog.testing import capture_activities

    ada = User.objects.create_user("ada", password="secret")
    client = Client(HTTP_USER_AGENT="tests", REMOTE_ADDR="192.0.2.7")
    statements = {}
    there = rows()
    with capture_activities() as captured:
        client.login(username="ada", password="wrong")
        for path in ("login", "make", "change", "tag", "untag", "fail", "delete", "logout"):
            with CaptureQueriesContext(connection) as queries:
                client.post(f"/{path}/?token=1")
            statements[path] = [query["sql"].split(" ")[0] for query in queries]
        events = [
            {"name": event.name, "actor": event.actor, "object": event.object, "outcome": event.outcome,
             **event.attributes}
            for event in captured
        ]  # fmt: skip
    return {"events": events, "rows": rows() - there, "ada": ada.pk, "statements": statements}


def rows() -> int:
    """How many rows the library wrote."""
    from django.db import connection

    tables = ("easyaudit_crudevent", "easyaudit_loginevent", "easyaudit_requestevent", "auditlog_logentry")
    there = [table for table in tables if table in connection.introspection.table_names()]
    found = 0
    with connection.cursor() as cursor:
        for table in there:
            cursor.execute(f"SELECT count(*) FROM {table}")
            found += cursor.fetchone()[0]
    return found


if __name__ == "__main__":
    set_up(sys.argv[1])
    if len(sys.argv) == 2:
        json.dump(use(), sys.stdout, default=str)
    else:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv[1:])
