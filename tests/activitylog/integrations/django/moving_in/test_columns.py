"""Which column answers to which word."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import translation

from activitylog.integrations.django.moving_in import LegacyMapping
from activitylog.integrations.django.moving_in.columns import ATTRIBUTES, SYNONYMS, Column, assign
from activitylog.integrations.django.moving_in.rows import columns_of
from tests.activitylog.integrations.django.moving_in.models import NumberedRow, PlainRow

PLAIN = LegacyMapping()


def told(*names: str, mapping: LegacyMapping = PLAIN) -> dict[str, str]:
    """Word -> column, of plain columns."""
    found = assign([Column(name) for name in names], mapping)
    things = {word: "+".join(column.name for column in thing.columns) for word, thing in found.things.items()}
    return {word: column.name for word, column in found.words.items()} | things


class TestAssign:
    """By names, unless the mapping says so."""

    @pytest.mark.parametrize("word", SYNONYMS)
    def test_every_synonym_is_found(self, word: str) -> None:
        """Alone in a table."""
        for name in SYNONYMS[word]:
            assert told(name)[word] == name

    def test_no_name_means_two_things(self) -> None:
        """Whatever else the table has."""
        names = [name for synonyms in SYNONYMS.values() for name in synonyms]
        assert len(set(names)) == len(names)
        assert not ATTRIBUTES & set(names)

    def test_the_first_synonym_goes_before_the_others(self) -> None:
        """What is left is an attribute."""
        found = assign([Column("type"), Column("action")], LegacyMapping())
        assert found.words["event"].name == "action"
        assert [column.name for column in found.others] == ["type"]

    def test_a_column_that_the_mapping_names(self) -> None:
        """It goes before all synonyms; an empty text looks for nothing."""
        assert told("user", "boss", mapping=LegacyMapping(actor="boss"))["actor"] == "boss"
        assert "actor" not in told("user", mapping=LegacyMapping(actor=""))

    def test_columns_that_are_ignored_are_nowhere(self) -> None:
        """Neither words nor attributes."""
        found = assign([Column("user"), Column("notes")], LegacyMapping(ignore=["user", "notes"]))
        assert (dict(found.words), found.others) == ({}, ())

    @pytest.mark.parametrize(
        ("columns", "things"),
        [
            ("object", {"object": "object"}),
            ("target_user", {"object": "target_user"}),
            ("content_object target_user", {"object": "content_object", "target": "target_user"}),
            ("object_type object_id", {"object": "object_type+object_id"}),
            ("object_id object_type object_repr", {"object": "object_type+object_id+object_repr"}),
            ("object_type object_id target_type target_id",
             {"object": "object_type+object_id", "target": "target_type+target_id"}),
            ("content_type object_pk", {"object": "content_type+object_pk"}),
            ("model_name instance_id", {"object": "model_name+instance_id"}),
            ("object_id", {"object": "object_id"}),
            ("color", {}),
        ],
    )  # fmt: skip
    def test_what_it_was_done_to(self, columns: str, things: dict[str, str]) -> None:
        """The object, and the target when there is a second thing."""
        assert told(*columns.split()) == things

    def test_an_id_that_the_mapping_names_keeps_the_type_beside_it(self) -> None:
        """As django-auditlog has them."""
        found = told("content_type", "object_id", "object_pk", mapping=LegacyMapping(object="object_pk"))
        assert found["object"] == "content_type+object_pk"

    def test_the_only_foreign_key_that_is_left_is_the_object(self) -> None:
        """Two of them are attributes: nobody knows which it is."""
        one = [Column("conversation", "chat.conversation", names_something=True)]
        two = [*one, Column("plan", "shop.plan", names_something=True)]
        assert assign(one, LegacyMapping()).things["object"].identifier.name == "conversation"
        assert [column.name for column in assign(two, LegacyMapping()).others] == ["conversation", "plan"]

    def test_a_foreign_key_is_no_text(self) -> None:
        """``message`` and ``event`` may be models."""
        key = Column("message", "chat.message", names_something=True)
        found = assign([key, Column("description")], LegacyMapping())
        assert found.words["message"].name == "description"
        assert found.things["object"].identifier.name == "message"

    def test_mappings_are_taken_apart(self) -> None:
        """By their names, or those that the mapping names instead."""
        columns = [Column("metadata"), Column("changes")]
        assert [one.name for one in assign(columns, LegacyMapping()).attributes] == ["metadata"]
        assert [one.name for one in assign(columns, LegacyMapping(attributes=["changes"])).attributes] == [
            "changes"
        ]


class TestColumnsOf:
    """A model's columns."""

    def test_the_story_s_table(self) -> None:
        """The generic foreign key covers its two columns."""
        found = assign(columns_of(PlainRow), LegacyMapping())
        assert {word: column.name for word, column in found.words.items()} == {
            "event": "action", "timestamp": "created_at", "actor": "user", "message": "description",
            "client_address": "ip_address", "user_agent": "user_agent",
        }  # fmt: skip
        assert found.things["object"].identifier.reads == ("content_type_id", "object_id")
        assert [column.name for column in found.attributes] == ["metadata"]
        assert [column.name for column in found.others] == ["score"]

    def test_an_administrator_s_table(self) -> None:
        """Who did it is not whom it was done to."""
        found = assign(columns_of(NumberedRow), LegacyMapping())
        assert found.words["actor"].name == "admin_user"
        assert found.words["actor"].is_user
        assert found.things["object"].identifier.name == "target_user"
        assert found.things["object"].identifier.entity == "auth.user"
        assert found.words["event"].labels == {1: "Create", 2: "Suspend user"}
        assert [column.name for column in found.others] == ["count"]

    def test_labels_are_of_no_language(self) -> None:
        """Whoever asks: by them actions are named, and compared."""
        from django.contrib.admin.models import LogEntry

        with translation.override("de"):
            found = assign(columns_of(LogEntry), LegacyMapping())
            flag: Any = LogEntry._meta.get_field("action_flag")
            assert str(dict(flag.flatchoices)[1]) == "Hinzugefügt"
        assert found.words["event"].labels == {1: "Addition", 2: "Change", 3: "Deletion"}
