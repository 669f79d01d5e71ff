"""Settings of a Django project with Celery: activitylog is configured when Django is ready."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.life_cycle.prefork import CELL

_cell = json.loads(os.environ[CELL])
_folder = Path(_cell["folder"])

SECRET_KEY = "the tests' own"
USE_TZ = True
INSTALLED_APPS = ["activitylog.integrations.django"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": _folder / "rows.sqlite3"}}
ACTIVITYLOG = {"url": _cell["url"], "service_name": "life-cycle", "spool_directory": _folder / "spool"}
CELERY_BROKER_URL = "filesystem://"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "data_folder_in": f"{_folder}/queue",
    "data_folder_out": f"{_folder}/queue",
    "control_folder": f"{_folder}/control",
    "polling_interval": 0.05,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
