"""Names and attributes of changes of models, and what the bridges make of odd rows."""

from __future__ import annotations

from typing import Any

import pytest

from activitylog.integrations.django.moving_in import auditlog, changes, easy_audit


class TestNameOf:
    """Of what was done to which model."""

    def test_models_and_relations(self) -> None:
        """As the capture of model changes has them."""
        assert changes.name_of(("chat.message", "7"), "updated") == "message.updated"
        assert changes.name_of(("chat.conversation", "7"), "added", "members") == "conversation.members.added"

    @pytest.mark.parametrize("thing", [None, "7", ("", "7"), (), ("Weird Model", 7)])
    def test_a_thing_of_which_nobody_knows_the_type(self, thing: Any) -> None:
        """Is an object."""
        assert changes.name_of(thing, "deleted") == "object.deleted"

    def test_a_field_that_is_no_word(self) -> None:
        """Is left out."""
        assert changes.name_of(("chat.message", "7"), "added", "Ünï") == "object.added"


class TestParsed:
    """Changes as libraries keep them."""

    @pytest.mark.parametrize("given", [{"a": ["1", "2"]}, '{"a": ["1", "2"]}'])
    def test_mappings_and_their_texts(self, given: Any) -> None:
        """Both are changes by field."""
        assert changes.told(changes.parsed(given)) == {"changed": ["a"], "changes": {"a": ["1", "2"]}}

    @pytest.mark.parametrize("given", [None, "", "{", "[]", "null", [], 7])
    def test_anything_else_is_none(self, given: Any) -> None:
        """And no attribute."""
        assert changes.told(changes.parsed(given)) == {}


class TestEasyAudit:
    """Rows of the library."""

    def test_a_user_who_is_gone(self) -> None:
        """The key that the library kept as a text."""
        assert easy_audit.CRUD.adjust is not None
        event = easy_audit.CRUD.adjust(
            {"event": "x.y", "object": ("shop.product", "1")}, {"event_type": 3, "user_pk_as_string": "7"}
        )
        assert event == {"event": "product.deleted", "object": ("shop.product", "1"), "actor": ("user", "7")}

    @pytest.mark.parametrize(
        ("kind", "name"),
        [(1, "created"), (2, "updated"), (3, "deleted"), (4, "updated"), (7, "tags.added"), (9, "tags.removed"),
         (99, "changed")],
    )  # fmt: skip
    def test_every_number_of_the_library(self, kind: int, name: str) -> None:
        """And one that it does not have."""
        assert easy_audit.CRUD.adjust is not None
        event = easy_audit.CRUD.adjust(
            {"event": "x.y", "object": ("shop.product", "1")},
            {"event_type": kind, "changed_fields": {"tags": [1]}},
        )
        assert event is not None
        assert event["event"] == f"product.{name}"

    def test_a_relation_that_was_cleared(self) -> None:
        """The library does not say of what."""
        assert easy_audit.CRUD.adjust is not None
        event = easy_audit.CRUD.adjust({"event": "x.y"}, {"event_type": 10, "changed_fields": []})
        assert event == {"event": "object.cleared"}


class TestAuditlog:
    """Entries of the library."""

    @pytest.mark.parametrize(
        ("action", "name"),
        [(0, "created"), (1, "updated"), (2, "deleted"), (3, "accessed"), (9, "changed"), (None, "changed")],
    )
    def test_every_number_of_the_library(self, action: Any, name: str) -> None:
        """And what it does not have."""
        assert auditlog.MAPPING.adjust is not None
        event = auditlog.MAPPING.adjust({"event": "x.y", "object": ("shop.product", "1")}, {"action": action})
        assert event is not None
        assert event["event"] == f"product.{name}"

    def test_changes_of_old_releases_are_texts(self) -> None:
        """Of rows that were not migrated."""
        assert auditlog.MAPPING.adjust is not None
        event = auditlog.MAPPING.adjust(
            {"event": "x.y", "object": ("shop.product", "1")},
            {"action": 1, "changes": None, "changes_text": '{"price": ["3", "4"]}'},
        )
        assert event is not None
        assert event["changes"] == {"price": ["3", "4"]}
