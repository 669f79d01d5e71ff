# mypy: ignore-errors
"""
Runs the application's call sites: ``python run.py before|after [WRITE]``. Prints what happened as one JSON
document.

WRITE is where old call sites write: ``events``, ``both`` or ``table``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


def main(version: str, write: str) -> None:
    """Set the application up, call its call sites, and say what they answered and what was written."""
    sys.path.insert(0, str(_HERE / version))
    sys.path.insert(0, str(_HERE))
    _set_up(write)

    import call_sites
    from django.contrib.auth.models import User
    from django.test import RequestFactory

    from activitylog.testing import capture_activities
    from chat.models import ActivityLog, AdminActivityLog

    admin, ann, bob = (User.objects.create(username=name) for name in ("admin", "ann", "bob"))
    request: Any = RequestFactory(HTTP_USER_AGENT="tests/1.0").post("/messages/?draft=1")
    request.user = ann
    with capture_activities() as captured:
        message = call_sites.send_message(request, "hello")
        activated = call_sites.bulk_activate(admin, [ann, bob])
        logged_in, logged_out = call_sites.log_in(ann, "192.0.2.7"), call_sites.log_out(ann)
        call_sites.suspend(admin, bob)
        renamed = call_sites.rename(ann, "Anna")
        call_sites.fail_and_roll_back(bob)
        read = call_sites.last_actions(ann)
        events = [
            {"name": event.name, "actor": event.actor, "object": event.object, "target": event.target,
             "outcome": event.outcome, "message": event.message, **event.attributes}
            for event in captured
        ]  # fmt: skip
    json.dump(
        {
            "message": message.pk,
            "activated": [(row.action, row.user_id, row.pk is not None) for row in activated],
            "logged_in": [bool(logged_in.id), logged_in.get(timeout=1), logged_in.ready(), logged_in.successful()],
            "logged_out": logged_out.state,
            "renamed": [
                renamed.action,
                renamed.description,
                renamed.user.username,
                renamed.created_at is not None,
            ],
            "read": read,
            "rows": [ActivityLog.objects.count(), AdminActivityLog.objects.count()],
            "keys": list(ActivityLog.objects.order_by("pk").values_list("pk", flat=True)),
            "events": events,
            "changes": _changes_of_models(),
            "checks": _checks(),
        },
        sys.stdout,
        default=str,
    )


def _set_up(write: str) -> None:
    import django
    from celery import Celery
    from django.conf import settings
    from django.core.management import call_command

    settings.configure(
        SECRET_KEY="the story's own",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "activitylog.integrations.django",
            "chat",
        ],
        ACTIVITYLOG={"url": "memory:", "service_name": "chat", "legacy_write": write},
    )
    django.setup()
    Celery("chat", set_as_current=True).conf.update(task_always_eager=True, task_store_eager_result=False)
    call_command("migrate", run_syncdb=True, verbosity=0)


def _changes_of_models() -> str:
    """What ``makemigrations`` would write, of models that it knows as they were before."""
    from django.db.migrations.state import ModelState

    from chat.models import ActivityLog

    state = ModelState.from_model(ActivityLog)
    return f"{sorted(state.fields)} {state.options} {state.bases} {state.managers}"


def _checks() -> list[str]:
    from django.core.checks import run_checks

    return [
        f"{message.id} {message.msg}" for message in run_checks() if (message.id or "").startswith("activitylog.")
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
