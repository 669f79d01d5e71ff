"""The arguments of ``register``, and what is said about wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from activitylog.exceptions import ConfigurationError
from activitylog.integrations.django import captured, register
from activitylog.integrations.django.model_changes.options import OPTIONS, captured_of
from activitylog.integrations.django.model_changes.watching import watched
from tests.activitylog.integrations.django.model_changes.models import Document, Draft, Line, Restaurant, Tag
from tests.activitylog.integrations.django.project.models import Conversation


def fields_of(model: Any, **options: Any) -> list[str]:
    return [field.name for field in captured_of(model, **options).fields]


class TestFields:
    def test_by_default(self) -> None:
        """All columns but keys, what the database computes, and what changes with each save."""
        assert fields_of(Document) == [
            "title",
            "text",
            "pages",
            "is_open",
            "price",
            "published_on",
            "seen_at",
            "data",
            "scan",
            "attachment",
            "api_key",
            "parent",
            "created_at",
        ]

    def test_chosen(self) -> None:
        """Those that are named, in the order of the model; what is excluded is left out."""
        assert fields_of(Document, fields=["updated_at", "title", "text"], exclude=["text"]) == [
            "title",
            "updated_at",
        ]

    def test_of_a_child(self) -> None:
        """The parent's fields are its own; the link to the parent is its key."""
        assert fields_of(Restaurant) == ["name", "stars"]

    def test_of_a_proxy(self) -> None:
        """Those of its model."""
        assert fields_of(Draft) == fields_of(Document)

    def test_secrets(self) -> None:
        """Fields that are named like secrets, or that are not to be told, are named alone."""
        told = {field.name: field.tells_values for field in captured_of(Document, without_values=["price"]).fields}
        assert [name for name, tells in told.items() if not tells] == ["price", "api_key"]


class TestNames:
    def test_by_default(self) -> None:
        """The model's name, and what happened."""
        assert dict(captured_of(Conversation, m2m=True).names) == {
            "created": "conversation.created",
            "updated": "conversation.updated",
            "deleted": "conversation.deleted",
            "upserted": "conversation.upserted",
            "members.added": "conversation.members.added",
            "members.removed": "conversation.members.removed",
        }

    def test_chosen(self) -> None:
        """Another beginning, some of them, or names of the application's own."""
        assert dict(captured_of(Line, name="text.line", events=["created"]).names) == {
            "created": "text.line.created"
        }
        assert dict(captured_of(Line, events={"deleted": "line.retracted"}).names) == {"deleted": "line.retracted"}


class TestErrors:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"fields": ["titel"]},
                "fields: chat.Document has no field 'titel' to capture. Did you mean 'title'?",
            ),
            ({"fields": ["id"]}, "fields: chat.Document has no field 'id' to capture."),
            ({"exclude": ["length"]}, "exclude: chat.Document has no field 'length' to capture."),
            ({"fields": ["tags"]}, "to capture. It is a many-to-many field: write m2m=['tags']."),
            ({"without_values": ["qqqq"]}, "There are: title, text, pages"),
            ({"fields": "title"}, "fields: expected a list of names, got 'title'."),
            ({"exclude": [1]}, "exclude: expected names, got 1."),
            ({"m2m": ["tag"]}, "m2m: chat.Document has no many-to-many field 'tag'. Did you mean 'tags'?"),
            ({"events": ["create"]}, "events: there is no 'create'. Did you mean 'created'?"),
            ({"events": {"created": 1}}, "events: expected a text, got 1."),
            ({"events": {"made": "a.b"}}, "events: there is no 'made'."),
            ({"events": {"created": "Made"}}, "'Made' is no event name."),
            ({"name": "Big Document"}, "'Big Document.created' is no event name."),
            ({"name": 1}, "name: expected a text, got 1."),
            ({"values": ["upserted"]}, "values: there is no 'upserted'."),
            ({"on_commit": 1}, "on_commit: expected True or False, got 1."),
            ({"max_events": -1}, "max_events: expected a number from 0, got -1."),
            ({"max_events": True}, "max_events: expected a number from 0, got True."),
        ],
    )
    def test_each_says_what_to_do(self, options: dict[str, Any], message: str) -> None:
        """What was given, what is accepted; nothing is registered."""
        with pytest.raises(ConfigurationError) as caught:
            register(Document, **options)
        assert message in str(caught.value)
        assert Document not in watched

    def test_the_other_side_of_a_relation(self) -> None:
        """Relations are captured where they are declared."""
        with pytest.raises(ConfigurationError, match="Register the model that declares the field"):
            register(Tag, m2m=["qqqq"])

    def test_no_model(self) -> None:
        """A label belongs into the settings."""
        with pytest.raises(ConfigurationError, match=r"expected a model, got 'chat\.Document'"):
            register("chat.Document")  # type: ignore[type-var]
        with pytest.raises(ConfigurationError, match="expected a model, got type"):
            captured(int)  # type: ignore[type-var]

    def test_no_such_option(self) -> None:
        """As with any function."""
        with pytest.raises(TypeError, match="colour"):
            register(Document, colour="red")  # type: ignore[call-arg]

    def test_settings_know_all_options(self) -> None:
        """The names that ``ACTIVITYLOG["models"]`` accepts."""
        assert set(OPTIONS) == {
            "events",
            "exclude",
            "fields",
            "m2m",
            "max_events",
            "name",
            "on_commit",
            "values",
            "without_values",
        }
