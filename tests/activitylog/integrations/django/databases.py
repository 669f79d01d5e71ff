"""Databases beside the project's own, for tests of what is committed: each has a table ``fact``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.db import connections

_FACT = """
CREATE TABLE fact (
    id INTEGER PRIMARY KEY,
    parent INTEGER REFERENCES fact (id) DEFERRABLE INITIALLY DEFERRED
)
"""


def of_postgres(url: str) -> dict[str, Any]:
    """What Django wants to know of a server."""
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": parts.username,
        "HOST": parts.hostname,
        "PORT": parts.port,
    }


@contextmanager
def database(alias: str, **settings: Any) -> Iterator[str]:
    """Have Django know a database by this alias, with an empty table; the alias."""
    known = connections.settings
    known[alias] = settings
    connections.configure_settings(known)
    known[alias].setdefault("TEST", {})
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS fact")
            cursor.execute(_FACT)
        yield alias
    finally:
        connections[alias].close()
        delattr(connections._connections, alias)  # type: ignore[attr-defined]
        del known[alias]
