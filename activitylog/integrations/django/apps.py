"""The Django application: configures activitylog when Django is ready."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Final

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

import activitylog
from activitylog import config
from activitylog.exceptions import ActivityLogError, ConfigurationError


class ActivityLogConfig(AppConfig):
    """
    ``INSTALLED_APPS = [..., "activitylog.integrations.django"]``.

    Attributes:
        failure: why activitylog is not configured, where a command goes on all the same, for ``manage.py check``
            to say.
    """

    name = "activitylog.integrations.django"
    label = "activitylog"
    verbose_name = "Activity"

    failure: ActivityLogError | None = None

    def ready(self) -> None:
        """
        Configure activitylog by the setting ``ACTIVITYLOG``.

        Raises:
            ImproperlyConfigured: it cannot be used. Not under ``manage.py``, where the system checks say so, and
                all of it; events are refused and counted then.
        """
        from activitylog.integrations.django import checks

        checks.register()
        command = command_in_charge()
        try:
            _begin(command)
        except ActivityLogError as error:
            self.failure = ConfigurationError(error.message, hint=error.hint)
        if self.failure is not None and command is None:
            raise ImproperlyConfigured(str(self.failure))


def _begin(command: str | None) -> None:
    from activitylog.integrations.django import conf

    options = conf.options()
    # The command line works on spools and stores by itself: this process shall take nothing over.
    if command != _COMMAND_LINE and (hasattr(settings, "ACTIVITYLOG") or not config.configured()):
        activitylog.configure(**options.pipeline)
    for key, value in options.elsewhere.items():
        connect = getattr(conf.module_of(key), "connect", None) if value is not False else None
        if connect is not None:
            connect(value)


def command_in_charge() -> str | None:
    """The command, where ``manage.py`` or ``django-admin`` sets Django up, which have checks; None in a server."""
    management = sys.modules.get("django.core.management")
    if management is None:
        return None
    execute = management.ManagementUtility.execute.__code__
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code is execute:
            return " ".join(frame.f_locals["self"].argv[1:2])
        frame = frame.f_back
    return None


#: ``manage.py activitylog``.
_COMMAND_LINE: Final = "activitylog"
