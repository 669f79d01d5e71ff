"""What differs between a catalogue and what a store has seen."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activitylog.catalogue import Advice, Attribute, Catalogue, Drift, Entry, drift_of_store
from activitylog.sightings import SeenAttribute, SeenEvent, SeenKind, SeenVersion, Sightings

_FIRST, _LAST = datetime(2026, 5, 1, 10, tzinfo=UTC), datetime(2026, 5, 2, 11, 30, tzinfo=UTC)
_HOUR = _LAST.replace(minute=0)
_UPDATE = "activitylog catalogue update c.json"
_ENTRY = Entry(name="a.b", attributes=(Attribute(name="n", type="integer"),))


def seen(name: str, service: str = "shop", **kinds: int) -> SeenAttribute:
    """An attribute: so many rows of each kind."""
    found = tuple(
        SeenKind(kind=kind, rows=rows, first=_FIRST, last=_LAST, services=(service,))
        for kind, rows in kinds.items()
    )
    return SeenAttribute(name=name, kinds=found, share=1.0)


def event(*attributes: SeenAttribute, rows: int = 10, number: int | None = None, **more: Any) -> SeenEvent:
    """An event of the store."""
    version = SeenVersion(
        version=number, rows=rows, first=_FIRST, last=_LAST, attributes=attributes, services=("shop",), **more
    )
    return SeenEvent(name="a.b", rows=rows, events=float(rows), first=_FIRST, last=_HOUR, versions=(version,))


def drift(entries: list[Entry], *events: SeenEvent, names: int = 0) -> list[Drift]:
    """Of a catalogue with these entries, and a store that has seen these events."""
    sightings = Sightings(events=events, since=_FIRST, until=_LAST, names=names)
    return list(drift_of_store(Catalogue.of(entries), sightings, Advice(_UPDATE, " --url U")))


class TestEvents:
    def test_none(self) -> None:
        """What is emitted is what the file says."""
        assert drift([_ENTRY], event(seen("n", integer=10))) == []
        assert drift([_ENTRY], event(seen("n", empty=1, redacted=2))) == []

    def test_an_event_that_is_not_there(self) -> None:
        """How much, since when, from where; and how to look at it."""
        (one,) = drift([], event())
        assert (one.kind, one.severity, one.where, one.since) == ("event-new", "error", "shop", _FIRST)
        assert one.found == (
            "is emitted by shop, and is not in the catalogue; 10 events, the last 2026-05-02 11h UTC"
        )
        assert "activitylog tail --event a.b --url U" in one.do
        assert one.do[-1] == _UPDATE

    def test_an_event_that_is_only_counted(self) -> None:
        """A rule drops it; it is emitted all the same."""
        (one,) = drift([], SeenEvent(name="a.b", counted=5, not_kept=5))
        assert one.found == "is emitted, and is not in the catalogue; 5 were counted, 5 of them not kept"

    def test_versions(self) -> None:
        """A number that nobody knows is wrong; an event without one need not be."""
        (one,) = drift([_ENTRY], event(number=3))
        assert (one.kind, one.severity, one.version, one.since) == ("version-new", "error", 3, _FIRST)
        (one,) = drift([replace(_ENTRY, version=2)], event())
        assert (one.kind, one.severity, one.version) == ("version-none", "warning", None)
        assert "in the catalogue only as version 2" in one.found

    def test_an_event_that_is_not_seen(self) -> None:
        """Never, or not in the days that were looked at; said once for all its versions."""
        old = replace(event(), last=datetime(2026, 4, 1, 10, tzinfo=UTC), versions=())
        (one,) = drift([_ENTRY, replace(_ENTRY, version=2)], old)
        assert (one.kind, one.severity, one.version) == ("event-unseen", "warning", None)
        assert one.found == (
            "was last seen 2026-04-01 10h UTC; looked at from 2026-05-01 10:00 UTC to 2026-05-02 11:30 UTC"
        )
        (one,) = drift([_ENTRY])
        assert one.found.startswith("was never seen in this store; ")

    def test_where_not_all_names_were_told_nobody_is_missing(self) -> None:
        """A store with too many names."""
        assert drift([_ENTRY], SeenEvent(name="a.counted", counted=1), names=1)[1:] == []


class TestAttributes:
    def test_new(self) -> None:
        """How often, from where, since when; and a command that says it exactly."""
        (one,) = drift([_ENTRY], event(seen("n", integer=10), seen("it's", "worker", text=4)))
        assert (one.kind, one.attribute, one.where, one.since) == ("attribute-new", "it's", "worker", _FIRST)
        assert one.found == "is not in the catalogue, and in 4 of 10 rows, from worker"
        command = shlex.split(one.do[1])
        assert command[:2] == ["activitylog", "sql"]
        assert "EventName = 'a.b' AND mapContains(Attributes, 'it\\'s')" in command[2]
        assert command[3:] == ["--url", "U"]

    def test_another_type(self) -> None:
        """Only the values that are not of the type are told of."""
        (one,) = drift([_ENTRY], event(seen("n", integer=7, text=2, boolean=1)))
        assert (one.kind, one.attribute) == ("attribute-type", "n")
        assert one.found == (
            "is integer in the catalogue, and text in 2, boolean in 1 of 10 rows, from shop; "
            "the last 2026-05-02 11:30 UTC"
        )

    def test_narrower_is_no_other_type(self) -> None:
        """A text may be digits, and a number whole."""
        for type_name in ("number", "text", "any"):
            entry = Entry(name="a.b", attributes=(Attribute(name="n", type=type_name),))
            assert drift([entry], event(seen("n", integer=1))) == []

    @pytest.mark.parametrize(
        ("name", "have", "folded", "missing"),
        [("n", 10, 0, False), ("n", 9, 0, True), ("n", 9, 1, False), ("n", 0, 0, True)],
    )
    def test_missing(self, name: str, have: int, folded: int, missing: bool) -> None:
        """What every event should have; several events in one row may lack it."""
        entry = Entry(name="a.b", attributes=(Attribute(name=name, type="integer", required=True),))
        attributes = [seen("n", integer=have)] if have else []
        found = drift([entry], event(*attributes, folded=folded))
        assert [(one.kind, one.severity) for one in found] == [("attribute-missing", "warning")] * missing
        if missing:
            assert f"not in {10 - have} of 10 rows between 2026-05-01 10:00 UTC and " in found[0].found
            assert "NOT mapContains(Attributes, 'n')" in found[0].do[1]

    @pytest.mark.parametrize(
        ("name", "columns", "missing"),
        [
            ("object", {"object": 10}, False),
            ("object", {"object": 9}, True),
            ("tenant", {}, True),
            ("outcome", {}, False),
            ("timestamp", {}, False),
        ],
    )
    def test_fields_that_are_columns(self, name: str, columns: dict[str, int], missing: bool) -> None:
        """A class may require an object; what is usual stands nowhere."""
        entry = Entry(name="a.b", attributes=(Attribute(name=name, type="any", required=True, declared=True),))
        found = drift([entry], event(columns=columns))
        assert [(one.kind, one.severity) for one in found] == [("attribute-missing", "error")] * missing

    def test_a_name_that_no_double_quotes_can_hold(self) -> None:
        """The command can be pasted into a shell all the same."""
        (one,) = drift([replace(_ENTRY, attributes=())], event(seen('$(x)"`', text=1)))
        assert "mapContains(Attributes, '$(x)\"`')" in shlex.split(one.do[1])[2]
