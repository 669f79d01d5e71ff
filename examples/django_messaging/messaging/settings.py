"""
Settings of the project, from the environment:

MESSAGING_VARIANT   how activity is logged: ``after`` (activitylog, the default), ``after_as_one`` (the same, with
                    one event about many users), ``before`` (a row an action, in the request), ``bulk`` (the first
                    repair: rows by bulk_create), ``delay`` (the second: a Celery task a row), ``unlogged`` (not at
                    all)
DATABASE_URL        ``postgresql://user:password@host:port/name``; SQLite in MESSAGING_DATA without it
MESSAGING_DATA      folder of the SQLite database and the embedded store; ``./data`` by default
ACTIVITYLOG_URL     where events go; the embedded store by default
MESSAGING_COUNT     set, answers say how many statements wrote to the database
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

VARIANT = os.environ.get("MESSAGING_VARIANT", "after")
DATA = Path(os.environ.get("MESSAGING_DATA", "data")).absolute()
DATA.mkdir(parents=True, exist_ok=True)

SECRET_KEY = "for this example only"
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
ROOT_URLCONF = "messaging.urls"
WSGI_APPLICATION = "messaging.wsgi.application"
USE_TZ = True
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "chat",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
if os.environ.get("MESSAGING_COUNT"):
    MIDDLEWARE.append("chat.counting.count_writes")
if VARIANT.startswith("after"):
    INSTALLED_APPS.append("activitylog.integrations.django")
    MIDDLEWARE.insert(0, "activitylog.integrations.django.ActivityMiddleware")
    ACTIVITYLOG = {
        "url": os.environ.get("ACTIVITYLOG_URL", f"chdb://{DATA / 'activity'}"),
        "service_name": "messaging",
        "spool_directory": DATA / "spool",
    }

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

_database = urlsplit(os.environ.get("DATABASE_URL", ""))
if _database.scheme:
    DATABASES: dict[str, dict[str, Any]] = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _database.path.lstrip("/"),
            "USER": _database.username or "",
            "PASSWORD": _database.password or "",
            "HOST": _database.hostname or "",
            "PORT": _database.port or "",
            "CONN_MAX_AGE": None,
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA / "messaging.sqlite3",
            "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"},
        }
    }

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
