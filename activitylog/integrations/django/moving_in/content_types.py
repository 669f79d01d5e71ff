"""Types of things, by what stands for them in a column: a content type, its id, a model, or a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def type_of(kind: Any) -> str:
    """The type that ``kind`` stands for, such as ``chat.message``; empty where nobody knows."""
    return _told(kind) if not isinstance(kind, int) else _cached(kind)


def types_in(using: str) -> Callable[[Any], str]:
    """As :func:`type_of`, by the content types that a database has now, which are read once."""
    known = _read(using)
    return lambda kind: known.get(kind, "") if isinstance(kind, int) else _told(kind)


def _told(kind: Any) -> str:
    if isinstance(kind, str):
        return kind.lower() if kind.count(".") == 1 else kind
    if hasattr(kind, "app_label") and hasattr(kind, "model"):
        return f"{kind.app_label}.{kind.model}"
    return str(getattr(getattr(kind, "_meta", None), "label_lower", ""))


def _cached(identifier: int) -> str:
    try:
        from django.contrib.contenttypes.models import ContentType

        return _told(ContentType.objects.get_for_id(identifier))
    except Exception:  # noqa: BLE001 - no such type, no such application, no database: nobody knows
        return ""


def _read(using: str) -> dict[int, str]:
    from django.apps import apps

    if not apps.is_installed("django.contrib.contenttypes"):
        return {}
    from django.contrib.contenttypes.models import ContentType

    rows = ContentType.objects.using(using).values_list("pk", "app_label", "model")
    return {identifier: f"{application}.{model}" for identifier, application, model in rows}
