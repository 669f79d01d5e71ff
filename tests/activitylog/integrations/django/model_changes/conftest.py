"""What these tests share: models that are captured for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from activitylog.integrations.django import register, unregister

Capture = Callable[..., Any]

#: No transaction around the test; with all applications named Django only deletes the rows afterwards.
REAL_TRANSACTIONS = pytest.mark.django_db(transaction=True, available_apps=settings.INSTALLED_APPS)


@pytest.fixture
def capture(transactional_db: None) -> Iterator[Capture]:
    """``register``, until the end of the test."""
    models: list[Any] = []

    def register_for_now(model: Any, **options: Any) -> Any:
        models.append(model)
        return register(model, **options)

    yield register_for_now
    for model in reversed(models):
        unregister(model)


@contextmanager
def undone(using: str | None = None) -> Iterator[None]:
    """A block whose transaction, or savepoint, is rolled back at its end."""
    with transaction.atomic(using=using):
        yield
        transaction.set_rollback(True, using=using)
