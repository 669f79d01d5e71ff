"""People of the admin, and a store with rows that its pages read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from tests.activitylog.integrations.django.admin.site import Users
from tests.activitylog.queries.rows import put

SITE = "tests.activitylog.integrations.django.admin.site"


def permitted(*codenames: str, **values: Any) -> Any:
    """A member of the staff with these permissions, such as ``view_message``."""
    user = Users._default_manager.create_user("eve", is_staff=True, **values)  # type: ignore[attr-defined]
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return user


@pytest.fixture
def root(db: Any) -> Any:
    """Somebody who may do everything."""
    return Users._default_manager.create_superuser("root", first_name="Ada", last_name="Root")  # type: ignore[attr-defined]


@pytest.fixture
def browser(root: Any) -> Client:
    """Logged in as ``root``."""
    return as_user(root)


def as_user(user: Any) -> Client:
    """A browser in which ``user`` is logged in."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def stored(server_url: str, migrated_client: Any, settings: Any) -> Callable[..., None]:
    """Puts rows into a store of its own, which the admin reads across a socket."""
    url = f"{server_url.rpartition('/')[0]}/{migrated_client.database}"
    settings.ACTIVITYLOG = {"url": "memory:", "read_url": url}

    def store(*rows: dict[str, Any]) -> None:
        put(migrated_client, *rows)

    return store
