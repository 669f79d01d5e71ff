"""Has Django know the models of these tests before the database is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as project
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from tests.activitylog.integrations.django.moving_in import models  # noqa: F401


def roll_back(work: Callable[[], object]) -> None:
    """Do it inside a transaction that is rolled back; raises ZeroDivisionError."""
    with transaction.atomic():
        work()
        raise ZeroDivisionError


#: Sets where old call sites write.
Writing = Callable[[str], None]
Committed = Callable[[], Any]


@pytest.fixture
def writing(settings: Settings) -> Writing:
    """Set where old call sites write, for one test."""

    def write(mode: str) -> None:
        settings.ACTIVITYLOG = {**project.ACTIVITYLOG, "legacy_write": mode}

    return write


@pytest.fixture
def committed(db: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Committed:
    """A block at whose end what waits for the commit is done."""
    return lambda: django_capture_on_commit_callbacks(execute=True)
