"""Who and what, in every form in which a program names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

#: Makes, of a type and an id, a value that means them.
Form = Callable[[str, str], Any]


class Thing:
    """An object with an id whose class is its type."""

    def __init__(self, id: object) -> None:
        self.id = id


class Meta:
    """What Django leaves on its models."""

    def __init__(self, label: str) -> None:
        self.label_lower = label


class Model:
    """An object of any type, as models of Django are."""

    def __init__(self, label: str, pk: object) -> None:
        self._meta = Meta(label)
        self.pk = pk


class Member(Thing):
    """What frameworks call a user, whatever its class is called."""

    is_authenticated = True


FORMS: dict[str, Form] = {
    "text": lambda kind, key: f"{kind}:{key}",
    "pair": lambda kind, key: (kind, key),
    "list": lambda kind, key: [kind, key],
    "mapping": lambda kind, key: {"type": kind, "id": key},
    "model": Model,
}


def kinds() -> st.SearchStrategy[str]:
    """Types, as programs call them."""
    return st.sampled_from(["user", "message", "auth.user", "service-account", "a"])


def ids() -> st.SearchStrategy[str]:
    """Ids that are not empty, of any printing characters."""
    return st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12).filter(
        lambda text: not text.startswith("//")
    )
