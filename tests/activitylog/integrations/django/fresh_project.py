"""A project as ``django-admin startproject`` makes it, in a folder of its own, whose processes tests start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from django.core.management import call_command

#: What a process gets from the tests' own; their settings of activitylog are not among it.
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_STATE_HOME", "PYTHONPATH")
_APPS: Final = 'INSTALLED_APPS += ["activitylog.integrations.django"]\n'
_MIDDLEWARE: Final = 'MIDDLEWARE.insert(0, "activitylog.integrations.django.ActivityMiddleware")\n'


class FreshProject:
    """
    A project called ``mysite``.

    Args:
        folder: to make it in.
        activitylog: the text of ``ACTIVITYLOG``; without it the project does not know activitylog.
    """

    def __init__(self, folder: Path, activitylog: str | None = None) -> None:
        self.folder = folder
        call_command("startproject", "mysite", str(folder))
        if activitylog is not None:
            self.append("mysite/settings.py", f"{_APPS}{_MIDDLEWARE}ACTIVITYLOG = {activitylog}\n")

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        (self.folder / path).write_text(text)

    def append(self, path: str, text: str) -> None:
        """Add to the end of a file."""
        with (self.folder / path).open("a") as file:
            file.write(text)

    @property
    def environ(self) -> dict[str, str]:
        """Of its processes."""
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return {**passed_on, "DJANGO_SETTINGS_MODULE": "mysite.settings", "PYTHONUNBUFFERED": "1"}

    def run(self, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments, to the end."""
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **options,
        )

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``manage.py ...``"""
        return self.run("manage.py", *arguments)
