"""Sets up the tests' Django project, once a process."""

from __future__ import annotations

import django
from django.conf import settings

from activitylog import config
from tests.activitylog.integrations.django.project import settings as project


def set_up() -> None:
    """
    Have Django ready, without the variable DJANGO_SETTINGS_MODULE, which processes that tests start would inherit.

    What its application configured is put away: other tests have no pipeline.
    """
    if not settings.configured:
        settings.configure(**{name: value for name, value in vars(project).items() if name.isupper()})
        django.setup()
        config.install(None)
