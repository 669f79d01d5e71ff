"""Ask the store what it has seen: names and volumes of roll-ups, attributes of a sample of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from activitylog.attribute_types import PATTERNS
from activitylog.event import FIELDS
from activitylog.sightings import SeenAttribute, SeenEvent, SeenKind, SeenVersion, Sightings, version_of
from activitylog.store.seen.plan import ROWS_OF_AN_EVENT, EventHour, Sample, choose
from activitylog.store.watch.asking import Database

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Days up to the newest event that are looked at for attributes.
DAYS: Final = 7.0
#: Names that are told of, those with the most rows.
MOST_NAMES: Final = 2000
#: Hours of all names together, of each the newest ones.
MOST_HOURS: Final = 200_000
#: Kinds of values of all attributes of one version of an event.
MOST_ATTRIBUTES: Final = 1000
#: Services, and types of actors and things, of one version of an event.
MOST_WORDS: Final = 50
#: An event is no newer than so long from now, or its clock is wrong.
_AHEAD: Final = timedelta(hours=1)
_HOUR: Final = timedelta(hours=1)
_EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PATTERNS: Final = {kind: f"^(?:{pattern})$" for kind, pattern in PATTERNS.items()}
_OWN: Final = frozenset(field.attribute for field in FIELDS)


def seen(
    client: Client,
    *,
    days: float = DAYS,
    since: datetime | None = None,
    wanted: Callable[[str], bool] | None = None,
    older: bool = True,
) -> Sightings:
    """
    Ask which events the store has.

    Args:
        client: as :func:`activitylog.store.connect` gives it.
        days: up to the newest event, that are looked at for attributes.
        since: a time from which on they are looked at instead.
        wanted: which names are asked for; all by default.
        older: where an event has few rows in these days, look at those before, too.

    Raises:
        clickhouse_connect.driver.exceptions.DatabaseError: the engine refuses, or has no such table.

    Volumes are read from the hourly roll-up, whole; attributes from about a thousand rows of each event, in hours
    that hold 20 million rows at the most; exact counts from the counters of those days.
    """
    database = Database(client)
    lines = database.rows(_sql("names"), rows=ROWS_OF_AN_EVENT, limit=MOST_NAMES)
    # The server's clock, not this one: both may be wrong, and the rows came by way of that one.
    newest = _newest(lines)
    until = newest + _HOUR
    start = until - timedelta(days=days) if since is None else since
    names = [line["event"] for line in lines if line["event"] and (wanted is None or wanted(line["event"]))]
    counted = {
        line["event"]: line
        for line in database.rows(_sql("counters"), since=_text(start), until=_text(until), limit=MOST_NAMES)
        if wanted is None or wanted(line["event"])
    }
    versions: dict[str, list[SeenVersion]] = {}
    if names:
        known = {line["event"]: line for line in lines}
        known = {name: known[name] for name in names}
        sample = choose(_hours(database, known, start, until, everything=wanted is None, older=older))
        versions = _versions(database, sample, _EARLIEST if older else start)
    return Sightings(
        events=tuple(_events(lines, names, counted, versions)),
        since=start,
        until=until,
        sampled_rows=sum(version.rows for found in versions.values() for version in found),
        names=max((line["names"] for line in lines), default=0) - any(not line["event"] for line in lines),
        unnamed_rows=sum(line["rows"] for line in lines if not line["event"]),
    )


@cache
def _sql(name: str) -> str:
    return files("activitylog.store.seen").joinpath(f"{name}.sql").read_text(encoding="utf-8")


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"


def _seconds(moment: datetime) -> str:
    return f"{max(moment, _EPOCH).astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _newest(lines: Sequence[Mapping[str, Any]]) -> datetime:
    """The newest hour: one event of a wrong clock is not the newest; where all are later, it is this clock."""
    if not lines:
        return _EARLIEST
    hours = [line["last"] for line in lines]
    newest: datetime = max((hour for hour in hours if hour <= lines[0]["now"] + _AHEAD), default=max(hours))
    return newest


def _hours(
    database: Database,
    known: Mapping[str, Mapping[str, Any]],
    since: datetime,
    until: datetime,
    *,
    everything: bool,
    older: bool,
) -> list[EventHour]:
    start = since.replace(minute=0, second=0, microsecond=0)
    rare = {line["number"]: line["reach"] for line in known.values() if older and line["reach"] < start}
    return [
        EventHour(line["event"], line["hour"], line["rows"], line["pair"])
        for line in database.rows(
            _sql("hours"),
            start=_seconds(start),
            earliest=_seconds(min([start, *rare.values()])),
            # transform() takes no empty arrays
            rare=[*rare, 0],
            rare_since=[*(int(reach.timestamp()) for reach in rare.values()), 0],
            until=_text(until),
            names=[] if everything else [line["number"] for line in known.values()],
            most=MOST_HOURS // len(known),
        )
        if line["event"] in known
    ]


def _versions(database: Database, sample: Sample, since: datetime) -> dict[str, list[SeenVersion]]:
    chosen: dict[str, Any] = {
        "hours": [_seconds(hour) for hour in sample.hours],
        "pairs": list(sample.pairs),
        "steps": list(sample.steps),
        "since": _text(since),
        "most": MOST_WORDS,
    }
    attributes: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in database.rows(_sql("attributes"), **chosen, **_PATTERNS, attributes=MOST_ATTRIBUTES):
        if line["name"] not in _OWN:
            attributes.setdefault((line["event"], line["version"]), []).append(line)
    found: dict[str, list[SeenVersion]] = {}
    for line in database.rows(_sql("versions"), **chosen):
        found.setdefault(line["event"], []).append(
            _version(line, attributes.get((line["event"], line["version"]), ()))
        )
    return found


def _version(line: Mapping[str, Any], attributes: Iterable[Mapping[str, Any]]) -> SeenVersion:
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for attribute in attributes:
        by_name.setdefault(attribute["name"], []).append(attribute)
    return SeenVersion(
        version=version_of(line["version"]),
        rows=line["rows"],
        first=line["first"],
        last=line["last"],
        folded=line["folded"],
        columns={name: rows for name, rows in line["columns"].items() if rows},
        attributes=tuple(_attribute(name, kinds, line["weight"]) for name, kinds in sorted(by_name.items())),
        actors=tuple(line["actors"]),
        objects=tuple(line["objects"]),
        targets=tuple(line["targets"]),
        services=tuple(filter(None, line["services"])),
    )


def _finite(number: float) -> float:
    """The number; 0 for what a weight that is none has spoilt, which ``trust`` says."""
    return number if isfinite(number) else 0.0


def _attribute(name: str, kinds: Sequence[Mapping[str, Any]], weight: float) -> SeenAttribute:
    share = _finite(sum(kind["weight"] for kind in kinds) / weight) if weight else 0.0
    return SeenAttribute(
        name=name,
        kinds=tuple(
            SeenKind(
                kind=kind["kind"],
                rows=kind["rows"],
                first=kind["first"],
                last=kind["last"],
                services=tuple(filter(None, kind["services"])),
            )
            for kind in kinds
        ),
        share=min(max(share, 0.0), 1.0),
    )


def _events(
    lines: Iterable[Mapping[str, Any]],
    names: Iterable[str],
    counted: Mapping[str, Mapping[str, Any]],
    versions: Mapping[str, Sequence[SeenVersion]],
) -> list[SeenEvent]:
    of_rows = {line["event"]: line for line in lines}
    kept = set(names)
    return [
        _event(name, of_rows.get(name), counted.get(name), versions.get(name, ()))
        for name in sorted(kept | counted.keys())
        if name in kept or name not in of_rows
    ]


def _event(
    name: str,
    line: Mapping[str, Any] | None,
    counted: Mapping[str, Any] | None,
    versions: Sequence[SeenVersion],
) -> SeenEvent:
    exact: dict[str, Any] = {"counted": counted["counted"], "not_kept": counted["not_kept"]} if counted else {}
    if line is None:
        return SeenEvent(name=name, **exact)
    outcomes: Mapping[str, int] = line["outcomes"]
    return SeenEvent(
        name=name,
        rows=line["rows"],
        events=_finite(line["events"]),
        standard_error=_finite(line["standard_error"]),
        trust=line["trust"],
        first=line["first"],
        last=line["last"],
        outcomes=tuple(
            sorted((name for name in outcomes if outcomes[name] > 0), key=lambda name: -outcomes[name])
        ),
        versions=tuple(versions),
        **exact,
    )
