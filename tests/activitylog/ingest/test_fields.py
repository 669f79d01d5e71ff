"""Which key is which word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.event import ATTRIBUTE_OF_KEY, ENTITY_KEYS, RECORD_KEYS
from activitylog.exceptions import ConfigurationError
from activitylog.ingest import WORDS, Defaults, mapped, reader

BASE = {"ts": 1536864291, "action": "file.added"}
READ = {"event": "file.added", "timestamp": 1536864291_000000000}


class TestDefaults:
    def test_a_change_of_a_repository(self) -> None:
        """The usual keys fill the words, and the others stay attributes with their own values."""
        record = {
            "ts": 1538686998,
            "actor": "dev-00000",
            "request_id": "178acda2",
            "action": "file.renamed",
            "target_type": "file",
            "target_id": "src/transport.rs",
            "extension": "rs",
            "source_path": "src/log.rs",
            "similarity": 100,
        }
        assert reader()(record) == {
            "event": "file.renamed",
            "timestamp": 1538686998_000000000,
            "actor": ("user", "dev-00000"),
            "object": ("file", "src/transport.rs"),
            "request_id": "178acda2",
            "extension": "rs",
            "source_path": "src/log.rs",
            "similarity": 100,
        }

    def test_object_and_target_keep_their_own_types(self) -> None:
        """With an object in the record, target_id is the target; each takes the type that belongs to it."""
        record = BASE | {"object_id": 7, "target_id": "general", "target_type": "channel"}
        assert reader()(record) == READ | {"object": ("object", "7"), "target": ("channel", "general")}

    def test_people_and_things_as_mappings(self) -> None:
        """A mapping of id, type and (for an object) name is read as that person or thing."""
        record = BASE | {"actor": {"type": "bot", "id": 3}, "object": {"id": "a", "type": "file", "name": "A"}}
        assert reader()(record) == READ | {"actor": ("bot", "3"), "object": ("file", "a", "A")}

    def test_text_with_a_colon_is_one_id(self) -> None:
        """An id is taken as it stands; a colon in it means nothing."""
        assert reader()(BASE | {"actor": "urn:x:1"}) == READ | {"actor": ("user", "urn:x:1")}

    def test_null_is_absent(self) -> None:
        """A null is as if the key were not there, and the next key is tried."""
        assert reader()(BASE | {"actor": None, "user": "u", "x": None}) == READ | {"actor": ("user", "u")}


class TestNothingIsLost:
    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("outcome", "ok"),
            ("outcome", ["success"]),
            ("duration", "12ms"),
            ("duration", -1),
            ("actor", ["a", "b"]),
            ("actor", ""),
            ("actor", True),
            ("object", {"id": "a", "size": 3}),
            ("message", 5),
            ("tenant", 1.5),
            ("error", "E42"),
            ("trace_id", "abc"),
            ("exc_info", "Traceback"),
            ("log.record.uid", "x"),
        ],
    )
    def test_a_value_that_is_not_usable_as_its_word_is_kept_as_source(self, key: str, value: object) -> None:
        """A key that is a word, with a value that cannot be it, is the attribute source.<key>."""
        assert reader()(BASE | {key: value}) == READ | {f"source.{key}": value}

    def test_attribute_that_a_word_sets_is_kept_as_source(self) -> None:
        """user.id beside an actor would be overwritten by the actor, so it is renamed."""
        record = BASE | {"actor": "a", "user.id": "b"}
        assert reader()(record) == READ | {"actor": ("user", "a"), "source.user.id": "b"}

    def test_semantic_conventions_stay_what_they_are(self) -> None:
        """OpenTelemetry's names are attributes already."""
        assert reader()(BASE | {"user.id": "b", "http.route": "/x"}) == READ | {"user.id": "b", "http.route": "/x"}

    @given(
        st.dictionaries(
            st.sampled_from([*WORDS, *ATTRIBUTE_OF_KEY, "user", "target_id", "actor_id", "x", "name", "user.id"]),
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.integers())),
        )
    )
    def test_every_value_of_any_record_is_in_its_event(self, record: dict[str, object]) -> None:
        """Each value that is not null is somewhere in the event, and no attribute has the name of a word."""
        record = record | {"ts": 1536864291, "timestamp": 1536864291, "event_name": "a.b"}
        values = [value for key, value in record.items() if value is not None]
        event = reader()(dict(record))
        flat = [part for value in event.values() for part in (value if isinstance(value, tuple) else [value])]
        missing = [v for v in values if v not in flat and str(v) not in flat and v not in (1536864291,)]
        assert missing == []
        words = {*ATTRIBUTE_OF_KEY, *ENTITY_KEYS, *RECORD_KEYS, "objects"}
        assert words & event.keys() <= set(WORDS)


class TestMapping:
    def test_words_can_be_taken_from_other_keys(self) -> None:
        """--map names the keys, tried in order, and their types."""
        where = mapped({"actor": "login,mail", "event": "kind", "object": "file", "object_type": "sort"})
        record = {
            "ts": 1536864291,
            "kind": "file.added",
            "mail": "a@b",
            "file": "x",
            "sort": "rust",
            "action": "A",
        }
        assert reader(where)(record) == READ | {"actor": ("user", "a@b"), "object": ("rust", "x"), "action": "A"}

    def test_a_key_with_dots_is_a_path(self) -> None:
        """A dotted key reaches into mappings; what is beside it stays."""
        read = reader(mapped({"actor": "user.login"}))
        assert read(BASE | {"user": {"login": "ada", "age": 36}}) == READ | {
            "actor": ("user", "ada"),
            "user": {"age": 36},
        }

    def test_no_key_stops_looking(self) -> None:
        """An empty key leaves the word out; without a time the event gets the time of reading."""
        read = reader(mapped({"timestamp": "", "actor": ""}))
        assert read(BASE | {"actor": "x"}) == {"event": "file.added", "ts": 1536864291, "source.actor": "x"}

    def test_unknown_word_names_the_near_one(self) -> None:
        """A word that does not exist is an error with the near one."""
        with pytest.raises(ConfigurationError, match="'actr' is not a word") as caught:
            mapped({"actr": "x"})
        assert caught.value.hint is not None
        assert caught.value.hint.startswith("Did you mean actor")

    def test_one_name_for_all(self) -> None:
        """A fixed event name leaves the record's own key an attribute."""
        read = reader(defaults=Defaults(event="row.read", actor_type="robot", tenant="t"))
        assert read(BASE | {"actor": 1}) == READ | {
            "event": "row.read",
            "action": "file.added",
            "actor": ("robot", "1"),
            "tenant": "t",
        }

    def test_fixed_name_is_checked_at_once(self) -> None:
        """A fixed event name that is none is an error before the first line."""
        with pytest.raises(ConfigurationError, match="'Login', is none"):
            reader(defaults=Defaults(event="Login"))


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"action": None}, "no event name: none of the keys event_name, event, action, name is there"),
            ({"action": 5}, "the event name in 'action' is no text but int"),
            ({"action": "PushEvent"}, "the event name 'PushEvent' is not made of lower case words"),
            ({"ts": None}, "no time: none of the keys timestamp, ts, time"),
            ({"ts": "now"}, "the time 'now' is neither a number nor ISO 8601"),
        ],
    )
    def test_no_event_without_a_name_and_a_time(self, change: dict[str, object], reason: str) -> None:
        """A record without a usable event name or time is refused with the reason."""
        with pytest.raises(ValueError, match=reason):
            reader()(BASE | change)
