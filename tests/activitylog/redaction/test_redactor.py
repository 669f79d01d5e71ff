"""What becomes of an event: by the names of its keys, by its values, and by what the settings ask for."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activitylog.event import FIELDS, RECORD_KEYS
from activitylog.redaction import RedactionKey, RedactionSettings, Redactor
from activitylog.redaction.redactor import MAX_NOTES
from activitylog.redaction.settings import is_own
from tests.activitylog.redaction.corpus import INNOCENT, INNOCENT_KEYS, LUHN_ID, SECRET_KEYS, SECRETS

KEY = RedactionKey("correct-horse-battery-" + "staple")
TOKEN = "gh" + "p_" + "Zq3Xv9LmT7bRk2WcY8nJ5hGd4sPf6aUeB1oN"


def redact(event: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """The event as it is stored, under these settings."""
    return Redactor(RedactionSettings(key=KEY, **settings)).redact(event)


class TestKeys:
    @pytest.mark.parametrize("key", SECRET_KEYS)
    @pytest.mark.parametrize("value", ["x", "open sesame", 1234, 1.5, b"x", ["a", "b"], {"a": "b"}], ids=str)
    def test_secrets_by_name(self, key: str, value: Any) -> None:
        """Whatever the value is, it becomes the replacement, and the key is noted; a number of them is none."""
        if key in ("cookies", "credentials") and isinstance(value, (int, float)):
            assert redact({key: value}) == {key: value}
            return
        assert redact({key: value}) == {key: "[redacted]", "activity.redacted": [f"{key}:key"]}

    @pytest.mark.parametrize("key", INNOCENT_KEYS)
    def test_others_stay(self, key: str) -> None:
        """Also beside each other, and the second time, from the cache."""
        redactor = Redactor(RedactionSettings())
        for _ in range(2):
            assert redactor.redact({key: "open sesame"}) == {key: "open sesame"}

    def test_what_can_be_no_secret_stays(self) -> None:
        """Truth values, nothing, empty texts; and numbers of tokens."""
        event = {"password": True, "secret": None, "token": "", "tokens": 312, "input_tokens": 5, "cookies": 0}
        assert redact(dict(event)) == event
        assert redact({"tokens": "x"})["tokens"] == "[redacted]"

    def test_inside_of_mappings(self) -> None:
        """Keys of nested mappings are keys, too, in lists as well."""
        event = redact({"form": {"user": "ada", "password": "x", "more": [{"apiKey": "y", "n": 1}]}})
        assert event["form"] == {
            "user": "ada",
            "password": "[redacted]",
            "more": [{"apiKey": "[redacted]", "n": 1}],
        }
        assert event["activity.redacted"] == ["form.password:key", "form.more.apiKey:key"]

    @pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.attribute)
    def test_schema_columns_are_never_taken_by_name(self, field: Any) -> None:
        """Neither session.id nor any other, whatever words it is made of."""
        event = {field.attribute: "open sesame"}
        assert redact(dict(event)) == event

    def test_keys_that_hold_a_secret(self) -> None:
        """At the top and nested; the value stays, and no two become one."""
        event = redact({TOKEN: 1, f"a {TOKEN}": 2, "map": {TOKEN: 3, TOKEN[:-1] + "b": 4}})
        assert event.pop("activity.redacted")
        assert event == {"[redacted]": 1, "a [redacted]": 2, "map": {"[redacted]": 4}} or TOKEN not in str(event)
        assert TOKEN not in str(event)
        assert len(event) == 3

    def test_an_event_name_that_is_none(self) -> None:
        """Somebody logged a sentence: its secrets go, and the name stays."""
        assert redact({"event": f"token is {TOKEN}"})["event"] == "token is [redacted]"
        assert redact({"event": "password.changed"}) == {"event": "password.changed"}


class TestValues:
    @pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: f"{secret.kind}:{secret.text[:24]!r}")
    def test_wherever_they_are(self, secret: Any) -> None:
        """As an attribute, in a list, in a mapping of lists; only the likely ones stay in ids."""
        event = redact({"a": secret.text, "b": [secret.text], "c": {"d": [{"e": secret.text}]}})
        assert secret.secret not in str(event)
        of_id = redact({"user.id": secret.text})["user.id"]
        assert of_id == (secret.text if secret.kind == "card" else secret.prose_left)

    @pytest.mark.parametrize(
        "attribute",
        [
            "user.id",
            "activity.object.id",
            "activity.target.id",
            "session.id",
            "activity.request.id",
            "order_id",
            "id",
        ],
    )
    def test_an_id_with_a_valid_check_digit_stays(self, attribute: str) -> None:
        """One 16-digit id in thirty would be a card's number by chance."""
        assert redact({attribute: LUHN_ID}) == {attribute: LUHN_ID}

    def test_many_ids(self) -> None:
        """Also in the list of an event about many things."""
        event = {"activity.object.ids": [LUHN_ID, LUHN_ID]}
        assert redact(copy.deepcopy(event)) == event

    @pytest.mark.parametrize(
        "attribute",
        ["message", "exception.message", "exception.stacktrace", "url.path", "user_agent.original", "note"],
    )
    def test_cards_in_free_texts(self, attribute: str) -> None:
        """There it is one, more likely than not."""
        assert redact({attribute: f"/pay/{LUHN_ID}/x"})[attribute] == "/pay/[redacted]/x"

    def test_containers_are_not_changed_in_place(self) -> None:
        """In a foreign chain they are the caller's: the event gets copies, else the same object."""
        inner = {"list": [TOKEN], "fine": ["x"]}
        fine = {"a": ["b"]}
        event = redact({"inner": inner, "fine": fine})
        assert inner == {"list": [TOKEN], "fine": ["x"]}
        assert event["inner"] == {"list": ["[redacted]"], "fine": ["x"]}
        assert event["fine"] is fine

    def test_cycles_and_depth(self) -> None:
        """What was never bounded is cut where the search ends."""
        cyclic: dict[str, Any] = {"token": "x"}
        cyclic["self"] = cyclic
        assert "'x'" not in str(redact({"c": cyclic}))
        deep: Any = TOKEN
        for _ in range(200):
            deep = [deep]
        assert TOKEN not in str(redact({"d": deep}))

    def test_objects_are_left_alone(self) -> None:
        """They are the application's; only Sanitize turns them into texts."""
        thing = object()
        assert redact({"thing": thing, "password": "x"})["thing"] is thing

    def test_notes_are_bounded(self) -> None:
        """An event of nothing but secrets does not double."""
        notes = redact({f"password{n}": "x" for n in range(60)})["activity.redacted"]
        assert len(notes) == MAX_NOTES + 1
        assert notes[-1] == f"+{60 - MAX_NOTES}"

    def test_off(self) -> None:
        """Then nothing is touched."""
        assert redact({"password": TOKEN}, enabled=False) == {"password": TOKEN}


class TestLists:
    def test_drop(self) -> None:
        """The attribute is gone, and noted."""
        event = redact({"debug_sql": "select 1", "x": {"debug_sql": 1, "y": 2}}, drop=("debug_*",))
        assert event == {"x": {"y": 2}, "activity.redacted": ["debug_sql:drop", "x.debug_sql:drop"]}

    def test_mask(self) -> None:
        """The value becomes the replacement, whatever it is."""
        event = redact({"salary": 5000, "paid": True}, mask=("salary", "paid"), replacement="***")
        assert event == {"salary": "***", "paid": "***", "activity.redacted": ["salary:mask", "paid:mask"]}

    def test_allow_wins(self) -> None:
        """Over names and lists; certain secrets inside are still found."""
        event = redact({"csrf_token": "abc", "api_key": TOKEN}, allow=("csrf_token", "api_key"), mask=("csrf*",))
        assert event["csrf_token"] == "abc"
        assert event["api_key"] == "[redacted]"

    def test_schema_columns_when_asked_for(self) -> None:
        """The user says so in words."""
        event = redact(
            {"client.address": "203.0.113.7", "url.path": "/x"}, drop=("client.address",), mask=("url.path",)
        )
        assert event == {
            "url.path": "[redacted]",
            "activity.redacted": ["client.address:drop", "url.path:mask"],
        }

    @pytest.mark.parametrize(
        ("keyword", "attributes"),
        [
            ("actor", ["user.id", "activity.actor.id"]),
            ("object", ["activity.object.id", "activity.object.name"]),
            ("target", ["activity.target.id"]),
            ("tenant", ["activity.tenant.id"]),
            ("session", ["session.id"]),
            ("request_id", ["activity.request.id"]),
        ],
    )
    def test_keywords_of_emit(self, keyword: str, attributes: list[str]) -> None:
        """They stand for all attributes that say who or what it is; types stay."""
        event = dict.fromkeys(attributes, "42") | {"activity.actor.type": "bot"}
        redacted = redact(event, pseudonymize=(keyword,))
        assert {redacted[attribute] for attribute in attributes} == {redact({"x": "42"}, pseudonymize=("x",))["x"]}
        assert redacted["activity.actor.type"] == "bot"

    def test_pseudonyms_join(self) -> None:
        """The same person is the same as actor, in a list, after a type, as a number and as a text."""
        event = redact(
            {
                "user.id": "42",
                "activity.object.ids": ["42", "7"],
                "activity.object.type": "user",
                "activity.actor.on_behalf_of": "user:42",
                "customer": 42,
            },
            pseudonymize=("actor", "objects", "on_behalf_of", "customer"),
        )
        pseudonym = event["user.id"]
        assert pseudonym.startswith("pseudonym-1-")
        assert event["activity.object.ids"][0] == pseudonym != event["activity.object.ids"][1]
        assert event["activity.actor.on_behalf_of"] == f"user:{pseudonym}"
        assert event["customer"] == pseudonym
        mixed = redact({"activity.object.ids": ["user:42", "team:42"]}, pseudonymize=("objects",))
        assert mixed["activity.object.ids"] == [f"user:{pseudonym}", f"team:{pseudonym}"]

    def test_twice(self) -> None:
        """A pseudonym is not made of a pseudonym."""
        redactor = Redactor(RedactionSettings(key=KEY, pseudonymize=("actor",)))
        once = redactor.redact({"user.id": "42"})
        assert redactor.redact(dict(once)) == once

    def test_one_value(self) -> None:
        """For what is counted outside of events: the tenant of a counter is the tenant of its events."""
        redactor = Redactor(RedactionSettings(key=KEY, pseudonymize=("tenant",), drop=("x",)))
        tenant = redactor.redact({"activity.tenant.id": "acme"})["activity.tenant.id"]
        assert redactor.redact_value("activity.tenant.id", "acme") == tenant != "acme"
        assert redactor.redact_value("x", "acme") is None
        assert redactor.redact_value("y", "acme") == "acme"


OWN = ["log.record.uid", "activity.producer", "activity.seq", "activity.sample.rule", "activity.counter.event"]


@pytest.mark.parametrize("attribute", OWN)
def test_what_the_pipeline_writes_is_never_touched(attribute: str) -> None:
    """Not even by a list of globs that matches everything."""
    event = {attribute: "x" + LUHN_ID, "event": "a.b", "timestamp": 1}
    assert redact(dict(event), mask=("*",), drop=("activity.*",)) == event


_KEYS = st.one_of(
    st.sampled_from([*SECRET_KEYS, *INNOCENT_KEYS, *(field.attribute for field in FIELDS), *RECORD_KEYS]),
    st.text(max_size=6),
)
_TEXTS = st.one_of(st.sampled_from([*INNOCENT, *(secret.text for secret in SECRETS)]), st.text(max_size=20))
_VALUES = st.recursive(
    st.one_of(
        _TEXTS, st.integers(), st.floats(), st.booleans(), st.none(), _TEXTS.map(lambda text: text.encode())
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=3)),
    max_leaves=6,
)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.dictionaries(_KEYS, _VALUES, max_size=4), max_size=3))
def test_caches_change_nothing(events: list[dict[str, Any]]) -> None:
    """A redactor that has seen other events does what a new one does; a second time nothing is left to do."""
    redactor = Redactor(RedactionSettings())
    for event in [*events, *events]:
        once = redactor.redact(copy.deepcopy(event))
        assert repr(once) == repr(Redactor(RedactionSettings()).redact(copy.deepcopy(event)))
        assert all(secret.secret not in repr(once) for secret in SECRETS if secret.kind in ("jwt", "api_key"))


@given(st.dictionaries(_KEYS, _VALUES, max_size=6))
def test_what_is_own_and_what_is_missing(event: dict[str, Any]) -> None:
    """Without lists no attribute goes, and the pipeline's own keep their numbers."""
    redacted = redact(copy.deepcopy(event))
    assert len(redacted) >= len(event)
    for key, value in event.items():
        if is_own(key) and key not in ("event", "activity.redacted") and isinstance(value, (int, float)):
            assert repr(redacted[key]) == repr(value)
