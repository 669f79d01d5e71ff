"""What a store has seen, as data."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from activitylog.sightings import SeenEvent, SeenVersion, Sightings, Version, version_of

_HOUR = datetime(2026, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "version"), [("", None), ("2", 2), ("1.2", "1.2"), ("-1", "-1"), ("²", "²"), ("9" * 30, "9" * 30)]
)
def test_versions(text: str, version: Version) -> None:
    """Numbers where they are some."""
    assert version_of(text) == version


class TestRecent:
    def test_events_of_the_days_that_were_looked_at(self) -> None:
        """Older ones are not among them; what is only counted is."""
        sightings = Sightings(
            events=(
                SeenEvent(name="a.old", last=_HOUR.replace(hour=9)),
                SeenEvent(name="b.new", last=_HOUR),
                SeenEvent(name="c.counted", counted=3),
            ),
            since=_HOUR,
            until=_HOUR,
        )
        assert [event.name for event in sightings.recent()] == ["b.new", "c.counted"]

    def test_of_an_hour_that_is_not_whole_only_what_was_sampled(self) -> None:
        """A mistake of ten past is not one since half past."""
        half = _HOUR.replace(minute=30)
        rows = (SeenVersion(version=None, rows=1, first=half, last=half),)
        sightings = Sightings(
            events=(SeenEvent(name="a.before", last=_HOUR), SeenEvent(name="b.after", last=_HOUR, versions=rows)),
            since=half,
            until=_HOUR,
        )
        assert [event.name for event in sightings.recent()] == ["b.after"]
