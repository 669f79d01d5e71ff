"""Values of old columns."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from types import SimpleNamespace

import pytest
from django.utils import timezone

from activitylog.integrations.django.moving_in import values
from activitylog.integrations.django.sessions import session_id

NOON = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
NOON_NS = 1_777_636_800 * 10**9


class TestNanoseconds:
    """Times."""

    @pytest.mark.parametrize(
        "value",
        [
            NOON,
            NOON.astimezone(dt.timezone(dt.timedelta(hours=5))),
            "2026-05-01T12:00:00+00:00",
            "2026-05-01 14:00:00+02:00",
            1_777_636_800,
            1_777_636_800.0,
            1_777_636_800_000,
            1_777_636_800_000_000,
            NOON_NS,
        ],
    )
    def test_one_moment_in_many_forms(self, value: object) -> None:
        """A number by its size."""
        assert values.nanoseconds(value) == NOON_NS

    def test_without_a_zone_it_is_the_project_s(self, settings: object) -> None:
        """As Django has it, whatever zone is active now."""
        with timezone.override("Asia/Tokyo"):
            assert values.nanoseconds(NOON.replace(tzinfo=None)) == NOON_NS
            assert values.nanoseconds(dt.date(2026, 5, 1)) == NOON_NS - 12 * 3600 * 10**9

    def test_microseconds_stay(self) -> None:
        """No float is between."""
        assert values.nanoseconds(NOON.replace(microsecond=123_457)) == NOON_NS + 123_457_000

    @pytest.mark.parametrize(
        "value",
        [dt.datetime(1969, 12, 31, tzinfo=dt.UTC), dt.datetime(2300, 1, 1, tzinfo=dt.UTC), 0, -5,
         10**30, float("nan"), "yesterday", True, [], dt.time(1, 2)],
    )  # fmt: skip
    def test_what_cannot_be_stored_says_why(self, value: object) -> None:
        """1970 to 2262."""
        with pytest.raises(ValueError, match=r"no time|cannot be stored|NaN"):
            values.nanoseconds(value)


class TestEntity:
    """Who and what."""

    @pytest.mark.parametrize(
        ("value", "kind", "entity"),
        [
            (42, "user", ("user", "42")),
            ("42", "user", ("user", "42")),
            ("alice", "user", ("user", "alice")),
            ("bot:7", "user", "bot:7"),
            ("chat.message:7", "", "chat.message:7"),
            ("7", "", "7"),
            (7, "", ("", "7")),
            (uuid.UUID(int=1), "shop.order", ("shop.order", "00000000-0000-0000-0000-000000000001")),
            (("order", 7), "user", ("order", 7)),
        ],
    )
    def test_ids_get_a_type_unless_they_have_one(self, value: object, kind: str, entity: object) -> None:
        """In a form that ``emit`` takes."""
        assert values.entity(value, kind) == entity

    def test_an_object_is_itself(self) -> None:
        """``emit`` knows what it is."""
        thing = SimpleNamespace(pk=7)
        assert values.entity(thing, "user") is thing


class TestOutcome:
    """How it ended."""

    @pytest.mark.parametrize(
        ("value", "outcome"),
        [(True, "success"), (False, "failure"), ("OK", "success"), ("Failed", "failure"), ("forbidden", "denied"),
         ("unknown", "unknown"), ("held", "denied")],
    )  # fmt: skip
    def test_truth_and_words(self, value: object, outcome: str) -> None:
        """In any case; a team's own words, too."""
        assert values.outcome(value, {"held": "denied"}) == outcome

    def test_other_words_are_none(self) -> None:
        """They stay what they are, elsewhere."""
        with pytest.raises(ValueError, match="no outcome"):
            values.outcome("pending", {})


class TestOthers:
    """Errors, durations, paths, sessions, mappings."""

    def test_a_code_is_an_error_and_a_sentence_its_message(self) -> None:
        """Of an error there are few."""
        error = KeyError("x")
        assert values.error(error) == ("error", error)
        assert values.error("card_declined") == ("error", "card_declined")
        assert values.error("The card was refused.") == ("exception.message", "The card was refused.")

    def test_durations_are_seconds(self) -> None:
        """Whatever they are counted in."""
        assert values.seconds(dt.timedelta(milliseconds=1500)) == 1.5
        assert values.seconds(decimal.Decimal(250), 0.001) == 0.25

    def test_paths_have_no_query(self) -> None:
        """Secrets are in queries."""
        assert values.path("https://example.com/a/b?token=1#c") == "/a/b"
        assert values.path("/a/b?token=1") == "/a/b"

    def test_sessions_are_those_of_requests(self) -> None:
        """The key itself gives access."""
        key = "k" * 32
        request = SimpleNamespace(session=SimpleNamespace(session_key=key))
        assert values.session(key) == session_id(request)  # type: ignore[arg-type]
        assert key not in values.session(key)

    def test_mappings_and_their_texts(self) -> None:
        """JSON in a text column."""
        assert values.mapping({"a": 1}) == {"a": 1}
        assert values.mapping(' {"a": 1}') == {"a": 1}
        for wrong in ("[1]", "{", [1], 7, "text"):
            with pytest.raises(ValueError, match=r"no keys|no JSON"):
                values.mapping(wrong)

    @pytest.mark.parametrize(
        "name", ["actor", "message", "count", "user.id", "activity.seq", "legacy.pk", "durable"]
    )
    def test_words_are_no_attributes(self, name: str) -> None:
        """They mean something to ``emit``."""
        assert values.is_reserved(name)
        assert not values.is_reserved(f"x_{name}")
