"""Entries, and catalogues of them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activitylog.catalogue import Catalogue, Entry
from activitylog.catalogue.entry import KEYWORDS, is_own, versions_in_words
from activitylog.event import FIELDS
from activitylog.sightings import Version
from tests.activitylog.catalogue.strategies import ENTRIES


class TestIsOwn:
    def test_what_any_event_may_have_is_not(self) -> None:
        """The attributes of the schema, and all below ``activity.``."""
        assert not any(is_own(field.attribute) for field in FIELDS)
        assert not is_own("activity.sample.by")
        assert is_own("channel")
        assert is_own("activity_kind")

    def test_keywords(self) -> None:
        """Those that emit takes and those that it makes attributes of."""
        assert {"actor", "object", "objects", "target", "tenant", "session", "message", "outcome"} <= KEYWORDS
        assert "channel" not in KEYWORDS


class TestCatalogue:
    def test_sorted_and_each_once(self) -> None:
        """By name, then without a version, by number, by text; of two the first one."""
        entries = [
            Entry(name="b.c", version="x"),
            Entry(name="b.c", version=10),
            Entry(name="b.c", version=9),
            Entry(name="b.c"),
            Entry(name="a.c", doc="first"),
            Entry(name="a.c", doc="second"),
        ]
        catalogue = Catalogue.of(entries)
        assert [entry.key for entry in catalogue.entries] == [
            ("a.c", None), ("b.c", None), ("b.c", 9), ("b.c", 10), ("b.c", "x"),
        ]  # fmt: skip
        assert catalogue.entries[0].doc == "first"
        assert catalogue.find("b.c", 9) == entries[2]
        assert catalogue.find("b.c", 8) is None
        assert len(catalogue.versions("b.c")) == 4

    @pytest.mark.slow
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(ENTRIES, max_size=5), st.randoms())
    def test_the_order_given_does_not_matter(self, entries: list[Entry], random: object) -> None:
        """Where no two have the same name and version."""
        unique = list(Catalogue.of(entries).entries)
        shuffled = unique[:]
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        assert Catalogue.of(shuffled) == Catalogue.of(unique)


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ([None], "without a version"),
        ([1], "as version 1"),
        ([1, 2], "as version 1 and 2"),
        ([None, 2], "without a version and as version 2"),
    ],
)
def test_versions_in_words(versions: list[Version], words: str) -> None:
    """For sentences."""
    assert versions_in_words(Entry(name="a.b", version=version) for version in versions) == words
