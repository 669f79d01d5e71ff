"""Many events whose common part goes through the chain once are the events that each would have been."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import activitylog
from activitylog.deferred import defer, defer_many
from activitylog.testing import capture_activities
from tests.strategies import any_text, any_value

#: What is of the process, and differs.
_OWN = ("log.record.uid", "activity.producer", "activity.seq")
SECRETS = [
    "Bearer abcdefghijklmnop1234",
    "user:ghp_" + "a1B2" * 9,
    "4111 1111 1111 1111",
    ("card", "4111111111111111"),
]

Emit = Callable[[Iterable[Any], Mapping[str, Any]], Any]


def each(items: Iterable[Any], common: Mapping[str, Any]) -> None:
    """One call an event; a common object is that of the items that say none."""
    for item in items:
        own = item if isinstance(item, Mapping) else {"object": item}
        said = {key: value for key, value in own.items() if value is not None}
        activitylog.emit("user.activated", **{**common, **said})


def many(items: Iterable[Any], common: Mapping[str, Any]) -> None:
    """One call for all."""
    activitylog.emit_many("user.activated", items, **common)


def deferred(items: Iterable[Any], common: Mapping[str, Any]) -> None:
    """One call for all, emitted later."""
    defer_many("user.activated", items, **common)()


def deferred_each(items: Iterable[Any], common: Mapping[str, Any]) -> None:
    """One event that was taken, emitted later for all."""
    defer("user.activated", **common).each(items)


def emitted(emit: Emit, items: Iterable[Any], common: Mapping[str, Any], **settings: Any) -> list[Any]:
    """What is captured of them, without what is of the process."""
    with capture_activities(strict=False, **settings) as captured:
        emit(items, common)
        return [
            (
                event.name,
                event.message,
                event.severity,
                {key: _in_order(value) for key, value in event.attributes.items() if key not in _OWN},
            )
            for event in captured
        ]


def _in_order(value: Any) -> Any:
    """Notes are a set in a list: in which order things were found says nothing."""
    return sorted(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else value


def objects() -> st.SearchStrategy[Any]:
    """Things of any kind, and mappings of keywords."""
    whole = st.fixed_dictionaries(
        {}, optional={"object": any_text(), "actor": st.just("bot:1"), "note": any_text()}
    )
    simple = st.one_of(st.integers(), any_text(), st.tuples(any_text(), st.integers()), st.sampled_from(SECRETS))
    return st.one_of(simple, whole, any_value().filter(lambda value: not isinstance(value, Mapping)))


def commons() -> st.SearchStrategy[dict[str, Any]]:
    """What events may share."""
    keys = ["actor", "tenant", "message", "outcome", "error", "target", "note", "password", "event"]
    values = st.one_of(any_text(), st.integers(), st.sampled_from(SECRETS))
    return st.dictionaries(st.sampled_from(keys), values, max_size=5)


@pytest.mark.slow
@pytest.mark.parametrize("emit", [many, deferred])
@given(items=st.lists(objects(), max_size=4), common=commons())
def test_many_events_are_as_each_would_be(emit: Emit, items: list[Any], common: dict[str, Any]) -> None:
    """Whatever they are about and whatever they share: names, values, what was repaired and what was redacted."""
    assert emitted(emit, items, common) == emitted(each, items, common)


@pytest.mark.slow
@given(items=st.lists(objects(), max_size=4), common=commons())
def test_an_event_that_was_taken_is_emitted_for_each(items: list[Any], common: dict[str, Any]) -> None:
    """Items say what the event could not say; what it did say was read when it was taken."""
    said_later = {key for item in items if isinstance(item, Mapping) for key in item}
    common = {key: value for key, value in common.items() if key not in said_later}
    assert emitted(deferred_each, items, common) == emitted(each, items, common)


@pytest.mark.parametrize("emit", [many, deferred])
@pytest.mark.parametrize(
    ("common", "settings"),
    [
        ({"object": "page:1"}, {}),
        ({f"key{number}": number for number in range(10)}, {"max_attributes": 12}),
        ({"note": "x" * 900}, {"max_event_bytes": 1024}),
        ({"note": "x" * 5_000, "other": "y" * 5_000}, {"max_value_bytes": 100}),
        ({"timestamp": 1_700_000_000_000_000_000}, {}),
        ({"durable": True}, {}),
        ({"event": "another"}, {}),
        ({"request": {"http.route": "/a"}, "duration": 1.5}, {}),
        ({}, {"rules": ({"match": {"object_type": "user"}, "drop": True},)}),
    ],
    ids=lambda value: ",".join(value) or "-",
)
def test_in_tight_places(emit: Emit, common: dict[str, Any], settings: dict[str, Any]) -> None:
    """Near the limits, with what says something of the object, and where rules look at it."""
    from activitylog.settings import settings_of

    checked = settings_of(settings)
    given_settings = {key: getattr(checked, key) for key in settings}
    items = ["user:1", "page:2", None, "x" * 500, {"actor": "bot:1"}, ("team", 7, "The Team")]
    assert emitted(emit, items, common, **given_settings) == emitted(each, items, common, **given_settings)


class TestSharing:
    def test_the_time_is_each_events_own(self) -> None:
        """A generator that reads from a database takes its time."""
        with capture_activities() as captured:
            captured.freeze("2026-01-01T00:00:00Z")

            def slowly() -> Any:
                for number in range(3):
                    captured.tick(1)
                    yield ("user", number)

            activitylog.emit_many("user.activated", slowly())
            assert [event.timestamp.second for event in captured] == [1, 2, 3]

    def test_processors_of_the_application_see_every_event(self) -> None:
        """They may look at the object."""
        seen = []

        def processor(_logger: Any, _method: str, event_dict: Any) -> Any:
            seen.append(event_dict["object"])
            return event_dict

        with capture_activities(processors=[processor]):
            activitylog.emit_many("user.activated", ["user:1", "user:2"])
        assert seen == ["user:1", "user:2"]

    def test_what_is_bound_about_an_object_is_kept(self) -> None:
        """An object that is bound is that of the items that say none."""
        with capture_activities() as captured, activitylog.bind(object="page:1"):
            activitylog.emit_many("page.viewed", [None, "page:2"])
        assert [event.object for event in captured] == ["page:1", "page:2"]

    def test_lazy_values_are_called_once(self) -> None:
        """For all events together."""
        calls = []

        def actor() -> str:
            calls.append(1)
            return "user:9"

        with capture_activities() as captured, activitylog.bind(actor=actor):
            activitylog.emit_many("user.activated", ["user:1", "user:2", "user:3"])
        assert [event.actor for event in captured] == ["user:9"] * 3
        assert len(calls) == 1
