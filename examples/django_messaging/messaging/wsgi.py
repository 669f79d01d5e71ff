"""For gunicorn: ``gunicorn messaging.wsgi``."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "messaging.settings")
application = get_wsgi_application()
