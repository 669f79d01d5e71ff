"""Sets up the tests' Django project, once a run."""

from __future__ import annotations

from tests.activitylog.integrations.django.configured import set_up

set_up()
