"""
Sets up the tests' Django project, once a run. Without the variable DJANGO_SETTINGS_MODULE, which processes that
other tests start would inherit.
"""

from __future__ import annotations

import django
from django.conf import settings

from tests.activitylog.integrations.django.project import settings as project

if not settings.configured:
    settings.configure(**{name: value for name, value in vars(project).items() if name.isupper()})
    django.setup()
