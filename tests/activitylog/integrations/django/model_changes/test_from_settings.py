"""``ACTIVITYLOG["models"]``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from activitylog.exceptions import ConfigurationError
from activitylog.integrations.django import register_from_settings, unregister
from activitylog.integrations.django.model_changes.watching import watched
from tests.activitylog.integrations.django.model_changes.models import Document


@pytest.fixture(autouse=True)
def _unregistered() -> Iterator[None]:
    yield
    unregister(Document)
    unregister(User)


class TestModels:
    def test_labels_and_dicts(self) -> None:
        """A model with or without options."""
        register_from_settings(
            ["chat.Document", {"model": "auth.user", "exclude": ["last_login"], "name": "member"}]
        )
        assert watched[Document].captured[0].names["created"] == "document.created"
        (user,) = watched[User].captured
        assert user.names["updated"] == "member.updated"
        assert "last_login" not in {field.name for field in user.fields}

    def test_again(self) -> None:
        """What is registered last counts."""
        register_from_settings(["chat.Document"])
        register_from_settings(({"model": "chat.Document", "events": ["deleted"]},))
        assert set(watched[Document].captured[0].names) == {"deleted"}

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("chat.Document", "models: expected a list, got 'chat.Document'. Write ["),
            ({"model": "chat.Document"}, "models: expected a list, got dict."),
            (3, "models: expected a list, got 3."),
            (["chat.Document", 3], "models[1]: expected a label such as 'chat.Message', got 3."),
            (["chat.Documnet"], "models[0]: there is no model 'chat.Documnet'. Did you mean 'chat.Document'?"),
            (["document"], "models[0]: there is no model 'document'."),
            ([{"exclude": []}], "models[0]: there is no model. Write"),
            ([{"model": "chat.Document", "excluded": []}], "no option 'excluded'. Did you mean 'exclude'?"),
            ([{"model": "chat.Document", 3: []}], "models[0]: there is no option 3."),
            ([{"model": "chat.Document", "fields": ["titel"]}], "models[0]: fields: chat.Document has no field"),
        ],
    )
    def test_errors(self, value: Any, message: str) -> None:
        """What is wrong, where it stands, and what to do; nothing is registered."""
        with pytest.raises(ConfigurationError) as caught:
            register_from_settings(value)
        assert message in str(caught.value)
        assert not {Document, User} & set(watched)

    def test_one_that_is_wrong(self) -> None:
        """Nothing is registered, neither what stands before it."""
        with pytest.raises(ConfigurationError, match=r"models\[1\]"):
            register_from_settings(["auth.User", "chat.Nothing"])
        assert User not in watched

    def test_a_model_that_was_swapped(self) -> None:
        """Another one stands in for it."""
        with override_settings(AUTH_USER_MODEL="chat.Document"):
            vars(User._meta).pop("swapped", None)
            try:
                with pytest.raises(ConfigurationError, match=r"auth\.User is not in use\. Write 'chat\.Document'"):
                    register_from_settings(["auth.User"])
            finally:
                vars(User._meta).pop("swapped", None)
