"""The forms in which actors, objects and targets are named."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any

import pytest

from activitylog.entities import Entity, is_user, reference


class Invoice:
    """An object of an application."""

    def __init__(self, pk: Any) -> None:
        self.pk = pk


class Account:
    """An object with an ``id`` and no ``pk``."""

    id = 9


class User:
    """As Django has them: a label on ``_meta``."""

    pk = 42
    is_authenticated = True
    _meta = SimpleNamespace(label_lower="accounts.user")


class TestReference:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("user:42", Entity("user", "42")),
            ("user:a:b", Entity("user", "a:b")),
            ("42", Entity("", "42")),
            (42, Entity("", "42")),
            ("https://example.org/a", Entity("", "https://example.org/a")),
            ("src/main.rs", Entity("", "src/main.rs")),
            (("user", 42), Entity("user", "42")),
            (["user", 0], Entity("user", "0")),
            (("channel", 7, "general"), Entity("channel", "7", "general")),
            ({"type": "user", "id": 0}, Entity("user", "0")),
            ({"type": "user", "id": 1, "name": "Ada"}, Entity("user", "1", "Ada")),
            (Invoice(7), Entity("Invoice", "7")),
            (Invoice(0), Entity("Invoice", "0")),
            (Invoice(None), Entity("Invoice", "")),
            (Account(), Entity("Account", "9")),
            (User(), Entity("accounts.user", "42")),
            (uuid.UUID(int=1), Entity("", "00000000-0000-0000-0000-000000000001")),
        ],
    )
    def test_every_form(self, value: Any, expected: Entity) -> None:
        """Each form of the table gives its type and its id; 0 is an id and None is not."""
        assert reference(value) == expected

    @pytest.mark.parametrize("value", [object(), ("user",), ("a", "b", "c", "d"), 1.5])
    def test_anything_else_is_an_error(self, value: Any) -> None:
        """What names nobody is refused here and flagged by the processor."""
        with pytest.raises(TypeError):
            reference(value)


def test_a_user_is_known_by_is_authenticated() -> None:
    """The mark that Django, Flask-Login and Starlette share."""
    assert is_user(User())
    assert not is_user(Invoice(1))
