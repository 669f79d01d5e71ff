"""Event names from the texts of old actions."""

from __future__ import annotations

import enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.event import EVENT_NAME_PATTERN, MAX_EVENT_NAME_LENGTH
from activitylog.exceptions import ConfigurationError
from activitylog.integrations.django.moving_in.names import (
    EventNames,
    NamedAction,
    action_text,
    named,
    normalised,
    noun_of,
)
from activitylog.integrations.django.moving_in.verbs import PARTICIPLES, is_participle
from tests.strategies import any_text


class Kind(enum.Enum):
    """As ``TextChoices`` are, and ``IntegerChoices``."""

    SENT = "message_sent"
    READ = 2


class TestNormalised:
    """What becomes of a text."""

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("LOGIN", "user.logged_in"),
            ("LOGOUT", "user.logged_out"),
            ("log_in", "user.logged_in"),
            ("User logged in", "user.logged_in"),
            ("ADMIN_LOGIN", "admin.logged_in"),
            ("LOGIN_FAILED", "user.login_failed"),
            ("failed login", "user.login_failed"),
            ("message_sent", "message.sent"),
            ("Message Sent", "message.sent"),
            ("SEND_MESSAGE", "message.sent"),
            ("sendMessage", "message.sent"),
            ("MessageSent", "message.sent"),
            ("Message sent to user", "message.sent_to_user"),
            ("user.activated", "user.activated"),
            ("user.activate", "user.activated"),
            ("orders/cancelled", "orders.cancelled"),
            ("chat:message:sent", "chat.message.sent"),
            ("CREATE", "activity.created"),
            ("Created user", "user.created"),
            ("create user profile", "user_profile.created"),
            ("PROFILE_UPDATE", "profile.updated"),
            ("password change", "password.changed"),
            ("password_reset_requested", "password_reset.requested"),
            ("bulk_activate", "activity.bulk_activated"),
            ("bulk_activate_users", "users.bulk_activated"),
            ("users_bulk_activated", "users.bulk_activated"),
            ("admin bulk suspend", "admin.bulk_suspended"),
            ("sign up", "user.signed_up"),
            ("read", "activity.read"),
            ("HTTPRequestReceived", "http_request.received"),
            ("maintenance", "activity.maintenance"),
            ("2fa_enabled", "activity.2fa_enabled"),
            ("créé", "activity.cree"),
            ("", "activity.logged"),
            ("  ", "activity.logged"),
        ],
    )
    def test_texts_of_old_tables(self, text: str, name: str) -> None:
        """``noun.verbed``, however it was written."""
        assert normalised(text) == name

    def test_the_noun_of_a_verb_alone_is_that_of_the_table(self) -> None:
        """``CREATE`` of a table of orders."""
        assert normalised("CREATE", "order") == "order.created"

    def test_letters_of_other_alphabets_leave_a_name_that_tells_texts_apart(self) -> None:
        """It is the same each time, and another one for another text."""
        assert normalised("сообщение") == "activity.action_17dddf1d"
        assert normalised("отправлено") != normalised("сообщение")

    def test_a_sentence_without_end_stays_a_name(self) -> None:
        """It is cut, and two that begin alike differ."""
        one, other = normalised("word " * 500), normalised("word " * 501)
        assert (len(one), len(other)) == (MAX_EVENT_NAME_LENGTH, MAX_EVENT_NAME_LENGTH)
        assert one != other

    @given(any_text(), st.sampled_from(["activity", "order"]))
    def test_any_text_becomes_a_valid_name_and_always_the_same(self, text: str, noun: str) -> None:
        """It never raises."""
        name = normalised(text, noun)
        assert EVENT_NAME_PATTERN.fullmatch(name)
        assert len(name) <= MAX_EVENT_NAME_LENGTH
        assert normalised(text, noun) == name

    @given(any_text())
    def test_a_name_that_it_made_stays_as_it_is(self, text: str) -> None:
        """Moving in twice changes nothing."""
        assert normalised(normalised(text)) == normalised(text)


class TestEventNames:
    """Names that a team gives."""

    def test_the_table_goes_before_the_rule(self) -> None:
        """Exactly, and by globs in their order."""
        names = EventNames(
            {"PWD": "password.changed", "User * logged in": "user.logged_in", "User *": "user.seen"}
        )
        assert names("PWD") == "password.changed"
        assert names("User 42 logged in") == "user.logged_in"
        assert names("User 42 did it") == "user.seen"
        assert names("pwd") == "activity.pwd"

    def test_a_text_with_a_star_is_a_text_first(self) -> None:
        """A glob matches itself."""
        assert EventNames({"a*": "a.seen", "ab": "ab.seen"})("a*") == "a.seen"
        assert EventNames({"a*": "a.seen", "ab": "ab.seen"})("ab") == "ab.seen"

    def test_no_text_can_have_a_name(self) -> None:
        """Functions without an action have one event."""
        assert EventNames({"": "user.logged_in"})("") == "user.logged_in"

    def test_a_name_that_is_none_is_an_error_that_says_for_which_action(self) -> None:
        """Before anything is written."""
        with pytest.raises(ConfigurationError, match=r"'Login', for the action 'LOGIN'.*lower case words"):
            EventNames({"LOGIN": "Login"})


class TestActionText:
    """What an action is called."""

    def test_members_of_enumerations_are_called_by_their_values(self) -> None:
        """As the database has them."""
        assert action_text(Kind.SENT) == "message_sent"

    def test_a_number_is_called_by_its_label(self) -> None:
        """It means nothing by itself; without a label it is what it is."""
        assert action_text(2, {1: "Create", 2: "Update"}) == "Update"
        assert action_text(Kind.READ, {2: "Read"}) == "Read"
        assert action_text(7, {1: "Create"}) == "7"

    def test_a_text_is_not_called_by_its_label(self) -> None:
        """Labels are for people, in many languages."""
        assert action_text("login", {"login": "Someone came in"}) == "login"

    def test_nothing_is_an_empty_text(self) -> None:
        """A row without an action."""
        assert action_text(None) == ""


class TestNounOf:
    """What a table is about."""

    @pytest.mark.parametrize(
        ("class_name", "noun"),
        [
            ("ActivityLog", "activity"),
            ("AdminActivityLog", "admin_activity"),
            ("OrderHistory", "order"),
            ("LogEntry", "log"),
            ("AuditEvent", "audit"),
            ("Log", "log"),
            ("Журнал", "activity"),
        ],
    )
    def test_names_of_classes(self, class_name: str, noun: str) -> None:
        """Without the words that every such table has."""
        assert noun_of(class_name) == noun


class TestNamed:
    """The report of what each action becomes."""

    def test_it_lists_what_somebody_should_look_at(self) -> None:
        """The most frequent first; what shares a name, and what has no verb."""
        found = named(
            [("LOGIN", 5), ("user login", 9), ("maintenance", 1), ("сообщение", 2), ("", 1)], EventNames()
        )
        assert found == [
            NamedAction("user login", 9, "user.logged_in", "same name as 'LOGIN'"),
            NamedAction("LOGIN", 5, "user.logged_in", "same name as 'user login'"),
            NamedAction("сообщение", 2, "activity.action_17dddf1d", "no name can be made of it"),
            NamedAction("", 1, "activity.logged", "no text"),
            NamedAction("maintenance", 1, "activity.maintenance", "no verb found"),
        ]

    def test_what_was_set_is_settled(self) -> None:
        """Two actions that are given one name are meant to have it."""
        names = EventNames({"LOGIN": "user.logged_in", "SIGNIN": "user.logged_in"})
        assert [one.note for one in named([("LOGIN", 1), ("SIGNIN", 1)], names)] == ["", ""]

    @given(st.lists(any_text(), unique=True, max_size=20))
    def test_actions_that_share_a_name_are_reported_both(self, texts: list[str]) -> None:
        """No two actions become one event unseen."""
        found = named([(text, 1) for text in texts], EventNames())
        for one in found:
            sharing = [other for other in found if other.event == one.event and other.action != one.action]
            assert bool(sharing) == one.note.startswith("same name as")


class TestVerbs:
    """Words that say what was done."""

    @pytest.mark.parametrize(
        ("verb", "participle"),
        [
            ("copy", "copied"),
            ("create", "created"),
            ("submit", "submitted"),
            ("send", "sent"),
            ("login", "logged_in"),
        ],
    )
    def test_participles(self, verb: str, participle: str) -> None:
        """Regular and irregular ones."""
        assert PARTICIPLES[verb] == participle

    def test_words_that_only_end_like_participles(self) -> None:
        """A hundred is no verb."""
        assert not is_participle("hundred")
        assert not is_participle("bed")
        assert is_participle("escalated")
