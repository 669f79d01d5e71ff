from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from activitylog.integrations.django.admin.timeline import Cursor, Page, Subject, page_of
from tests.activitylog.queries.rows import at, put, row

MESSAGE = Subject(["chat.message", "message"], "7")
ANN = Subject(["user"], "ann", acting=True)


def about(time: str, event: str = "message.read", **columns: Any) -> dict[str, Any]:
    """An event about the message 7."""
    return row(time, event, "ann", **{"ObjectType": "chat.message", "ObjectId": "7", **columns})


def events(page: Page) -> list[str]:
    """Their names, as they are shown."""
    return [found.event for found in page.rows]


def all_pages(client: Any, subject: Subject, size: int) -> list[Page]:
    """From the newest to the oldest."""
    pages = [page_of(client, subject, size=size)]
    while pages[-1].older is not None:
        pages.append(page_of(client, subject, size=size, before=pages[-1].older))
        assert len(pages) < 30, "a page does not lead on"
    return pages


class TestAnObject:
    def test_is_found_under_each_of_its_types_the_newest_first(self, migrated_client):
        """And others of the same id are not."""
        put(
            migrated_client,
            about("2026-03-01 09:00:00", "message.sent"),
            about("2026-03-02 09:00:00", "message.read", ObjectType="message"),
            about("2026-03-03 09:00:00", "order.paid", ObjectType="order"),
            about("2026-03-03 09:00:00", "message.read", ObjectId="77"),
        )
        assert events(page_of(migrated_client, MESSAGE, size=10)) == ["message.read", "message.sent"]

    def test_is_found_as_the_target(self, migrated_client):
        """Something was added to it."""
        target = {"ObjectType": "reaction", "ObjectId": "1", "TargetType": "message", "TargetId": "7"}
        put(migrated_client, about("2026-03-01 09:00:00", "reaction.added", **target))
        assert events(page_of(migrated_client, MESSAGE, size=10)) == ["reaction.added"]

    def test_is_found_among_many(self, migrated_client):
        """By their ids, or by types and ids where the types differ."""
        many = {"ObjectId": "", "EventCount": 2}
        put(
            migrated_client,
            about("2026-03-01 09:00:00", "message.one", **many, Attributes={"activity.object.ids": '["6","7"]'}),
            about("2026-03-01 09:00:01", "message.no", **many, Attributes={"activity.object.ids": '["77","8"]'}),
            about(
                "2026-03-01 09:00:02",
                "message.two",
                **{**many, "ObjectType": ""},
                Attributes={"activity.object.ids": '["order:1","message:7"]'},
            ),
            about(
                "2026-03-01 09:00:03",
                "message.no",
                **{**many, "ObjectType": ""},
                Attributes={"activity.object.ids": '["order:7","message:1"]'},
            ),
        )
        found = page_of(migrated_client, MESSAGE, size=10)
        assert events(found) == ["message.two", "message.one"]
        assert "activity.object.ids" not in found.rows[0].attributes

    def test_that_is_its_own_target_is_told_once(self, migrated_client):
        """And so is an event that arrived twice."""
        one = about("2026-03-01 09:00:00", TargetType="chat.message", TargetId="7", EventId=str(UUID(int=1)))
        put(migrated_client, one)
        put(migrated_client, {**one, "RequestId": "sent again"})
        assert len(page_of(migrated_client, MESSAGE, size=10).rows) == 1

    def test_events_without_an_id_are_all_told(self, migrated_client):
        """They came from elsewhere."""
        put(migrated_client, about("2026-03-01 09:00:00"), about("2026-03-01 09:00:00"))
        assert len(page_of(migrated_client, MESSAGE, size=10).rows) == 2

    @pytest.mark.parametrize(
        "identifier", ["7", "a'b", 'a"b', "a\\b", "a\tb\nc", "{id:String}", "ünï", "' OR 1=1"]
    )
    def test_may_have_any_text_for_an_id(self, migrated_client, identifier):
        """It is a value, not a piece of the question."""
        put(migrated_client, about("2026-03-01 09:00:00", ObjectId=identifier), about("2026-03-01 09:00:00"))
        found = page_of(migrated_client, Subject(["chat.message"], identifier), size=10)
        assert {line.object for line in found.rows} == {identifier}

    def test_is_that_of_one_tenant(self, migrated_client):
        """Where the same key means another object in each."""
        put(
            migrated_client,
            about("2026-03-01 09:00:00", "message.a", TenantId="acme"),
            about("2026-03-01 09:00:00", "message.b", TenantId="brand"),
        )
        assert events(page_of(migrated_client, MESSAGE, size=10, tenant="acme")) == ["message.a"]
        assert len(page_of(migrated_client, MESSAGE, size=10).rows) == 2


class TestAnActor:
    def test_is_found_under_each_of_its_types(self, migrated_client):
        """What it did, not what was done to it."""
        put(
            migrated_client,
            row("2026-03-01 09:00:00", "user.logged_in", "ann"),
            row("2026-03-01 09:00:01", "user.suspended", "ben", ObjectType="user", ObjectId="ann"),
            row("2026-03-01 09:00:02", "key.used", ActorType="service", ActorId="ann"),
        )
        assert events(page_of(migrated_client, ANN, size=10)) == ["user.logged_in"]


class TestPages:
    @pytest.mark.slow
    @pytest.mark.parametrize("size", [2, 7])
    def test_are_without_gaps_and_repeats(self, migrated_client, size):
        """Also where many events have the same time, and where one is in two of the reads."""
        times = ["2026-03-01 09:00:00", "2026-03-01 09:00:00.000000001", "2026-03-02 10:30:00"]
        numbers = itertools.count(1)
        put(
            migrated_client,
            *(
                about(time, f"message.e{n}", Seq=1, EventId=str(UUID(int=next(numbers))), **more)
                for n in range(2)
                for time in times
                for more in (
                    {},
                    {"TargetType": "message", "TargetId": "7"},
                    {"ObjectId": "", "EventCount": 2, "Attributes": {"activity.object.ids": '["7","8"]'}},
                )
            ),
        )
        pages = all_pages(migrated_client, MESSAGE, size)
        found = [line for page in pages for line in page.rows]
        assert len({line.event_id for line in found}) == len(found) == 18
        assert [line.ns for line in found] == sorted((line.ns for line in found), reverse=True)
        assert all(len(page.rows) <= size for page in pages)

    def test_are_in_the_order_of_time_inside_an_hour_too(self, migrated_client):
        """The table is sorted by hour and actor; each read ends after a page."""
        seconds = {"ann": 0, "ben": 1, "cid": 5, "dot": 6, "eve": 4, "fay": 2, "gil": 3}
        put(
            migrated_client,
            *(about(f"2026-03-01 09:00:0{n}", f"message.e{n}", ActorId=who) for who, n in seconds.items()),
        )
        found = [name for page in all_pages(migrated_client, MESSAGE, 1) for name in events(page)]
        assert found == [f"message.e{n}" for n in range(6, -1, -1)]

    def test_events_that_come_in_meanwhile_move_nothing(self, migrated_client):
        """The second page begins where the first one ended."""
        put(migrated_client, *(about(f"2026-03-01 09:00:0{n}", f"message.e{n}") for n in range(4)))
        first = page_of(migrated_client, MESSAGE, size=2)
        put(migrated_client, about("2026-03-05 09:00:00", "message.new"))
        second = page_of(migrated_client, MESSAGE, size=2, before=first.older)
        assert events(second) == ["message.e1", "message.e0"]
        assert second.older is None

    def test_times_before_1970_are_times(self, migrated_client):
        """Imports bring them."""
        put(migrated_client, about("1969-12-31 23:59:59.5"), about("1969-12-31 23:59:58"))
        first, second = all_pages(migrated_client, MESSAGE, 1)
        assert first.rows[0].time == at("1969-12-31 23:59:59.5")
        assert second.rows[0].time == at("1969-12-31 23:59:58")

    def test_long_texts_are_cut_by_the_store(self, migrated_client):
        """A page of a megabyte helps nobody."""
        put(migrated_client, about("2026-03-01 09:00:00", BodyTemplate="é" * 900, Attributes={"note": "x" * 900}))
        found = page_of(migrated_client, MESSAGE, size=1).rows[0]
        assert (len(found.message), len(found.attributes["note"])) == (500, 500)

    def test_the_settings_go_along(self, migrated_client):
        """A question that takes too long is ended by the engine."""
        put(migrated_client, *(about("2026-03-01 09:00:00") for _ in range(3)))
        with pytest.raises(DatabaseError, match="TOO_MANY_ROWS"):
            page_of(migrated_client, MESSAGE, size=1, settings={"max_rows_to_read": 1})


class TestCursor:
    def test_says_what_it_read(self):
        """Through a URL and back."""
        cursor = Cursor(-5, 2**64 - 1, str(UUID(int=3)))
        assert Cursor.parse(str(cursor)) == cursor

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "1.2",
            "1.2.x",
            f"1.{2**64}.{UUID(int=3)}",
            f"{2**63}.1.{UUID(int=3)}",
            f"1.1.{UUID(int=3)}'",
            f"\N{ARABIC-INDIC DIGIT ONE}.1.{UUID(int=3)}",
        ],
    )
    def test_anything_else_is_none(self, text):
        """Whoever writes URLs by hand sees the newest page."""
        assert Cursor.parse(text) is None
