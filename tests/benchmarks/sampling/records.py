"""The events of a file, as ``emit`` takes them, with a session where the file has none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from activitylog.ingest import Lines, Rejected, open_source, read_access_log, read_ndjson, recognise

Event = dict[str, Any]

_PAUSE_NS: Final = 30 * 60 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Records:
    """
    What a file holds.

    Attributes:
        name: of the file.
        events: in the order of their times; those of one time as they were written.
        unit: by which whole units are kept, as a rule says it: ``request_id`` or ``session``.
        group: SQL of what the file has beside names, people and times, and what it is called.
    """

    name: str
    events: list[Event]
    unit: str
    group: tuple[str, str]

    def mean_rate(self) -> float:
        """Events a second."""
        seconds = (self.events[-1]["timestamp"] - self.events[0]["timestamp"]) / 1e9
        return float(len(self.events) / max(seconds, 1.0))


def read(path: Path) -> Records:
    """The events of NDJSON or of an access log, plain or gzip."""
    with open_source(str(path)) as source:
        form, lines = recognise(Lines(source.stream))
        readings = read_ndjson(lines) if form == "ndjson" else read_access_log(lines)
        events = [event for _, event in readings if not isinstance(event, Rejected)]
    events.sort(key=lambda event: event["timestamp"])
    if form == "ndjson":
        return Records(path.name, events, "request_id", ("file type (10)", "Attributes['extension']"))
    return Records(path.name, list(_with_sessions(events)), "session", ("status", "toString(HttpStatus)"))


def _with_sessions(events: list[Event]) -> Iterator[Event]:
    """Visits: one address and user agent, without a pause of half an hour."""
    latest: dict[tuple[Any, Any], tuple[int, str]] = {}
    for event in events:
        who = (event.get("client.address"), event.get("user_agent.original"))
        before, session = latest.get(who, (0, ""))
        if not session or event["timestamp"] - before > _PAUSE_NS:
            session = blake2b(f"{who}{event['timestamp']}".encode(), digest_size=8).hexdigest()
        latest[who] = (event["timestamp"], session)
        yield {**event, "session": session}
