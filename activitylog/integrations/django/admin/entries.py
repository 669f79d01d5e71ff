"""Events for people: the lines of a timeline, as short texts."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from django.utils import timezone

from activitylog.integrations.django.admin.links import Link, Links
from activitylog.integrations.django.admin.texts import parts
from activitylog.integrations.django.admin.timeline import Row, Subject

Text = tuple[str, ...]

_LONGEST_TEXT: Final = 300
_LONGEST_VALUE: Final = 100
_MOST_FACTS: Final = 12
#: Attributes of the library's own that say something to people, and what they are called here.
_NAMES: Final[Mapping[str, str]] = {
    "activity.object.name": "name",
    "activity.actor.on_behalf_of": "on behalf of",
    "exception.message": "error",
}
_HIDDEN: Final = ("activity.", "exception.", "telemetry.", "code.")


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One line. Nothing in it is markup: the template escapes all of it. Texts are in parts, between which a line may
    end.

    Attributes:
        time: in the time zone of whoever looks.
        exact_time: in UTC, to the nanosecond.
        failed: the outcome is failure or denied.
        verdict: the outcome, where it is not success, with the error; else empty.
        number: how many events it stands for, where it is not one; else empty.
        others: what takes part beside the timeline's subject, each with its role.
        facts: name and value of what else the event says.
        request: method, route, status.
        client: address.
    """

    time: dt.datetime
    exact_time: str
    event: Text
    actor: Link
    object: Link
    failed: bool
    verdict: Text
    number: str
    message: Text
    others: tuple[tuple[str, Link], ...]
    facts: tuple[tuple[Text, Text], ...]
    request: Text
    client: Text
    request_id: Text


def entries_of(rows: Iterable[Row], subject: Subject, links: Links) -> list[Entry]:
    """The lines of a page; one query to the database, for the names of users."""
    rows = list(rows)
    links.name_users(named for row in rows for named in _named(row))
    return [_entry(row, subject, links) for row in rows]


def _named(row: Row) -> tuple[tuple[str, str], ...]:
    return (row.actor_type, row.actor), (row.object_type, row.object), (row.target_type, row.target)


def _entry(row: Row, subject: Subject, links: Links) -> Entry:
    return Entry(
        time=timezone.localtime(row.time),
        exact_time=f"{row.time:%Y-%m-%dT%H:%M:%S}.{row.ns % 1_000_000_000:09d}Z",
        event=parts(row.event, _LONGEST_VALUE),
        actor=links.of(row.actor_type, row.actor),
        object=links.of(row.object_type, row.object),
        failed=row.outcome in ("failure", "denied"),
        verdict=parts(_verdict(row), _LONGEST_VALUE),
        number=_number(row),
        message=parts(row.message, _LONGEST_TEXT),
        others=tuple(_others(row, subject, links)),
        facts=tuple(_facts(row)),
        request=parts(_request(row), _LONGEST_TEXT),
        client=parts(row.client, _LONGEST_VALUE),
        request_id=parts(row.request_id, _LONGEST_VALUE),
    )


def _request(row: Row) -> str:
    return " ".join(filter(None, (row.method, row.route, str(row.status or ""))))


def _verdict(row: Row) -> str:
    if row.outcome == "success":
        return ""
    return f"{row.outcome}: {row.error}" if row.error else row.outcome


def _number(row: Row) -> str:
    """A row may be about many objects, or stand for events that were not kept."""
    number = row.count * row.weight
    return "" if number == 1 else f"{number:,.0f}"


def _others(row: Row, subject: Subject, links: Links) -> Iterator[tuple[str, Link]]:
    """In an actor's timeline the object has a column; in an object's it is news where it is another."""
    if row.object and not subject.acting and not _is(subject, row.object_type, row.object):
        yield "object", links.of(row.object_type, row.object)
    if row.target and (subject.acting or not _is(subject, row.target_type, row.target)):
        yield "target", links.of(row.target_type, row.target)


def _is(subject: Subject, kind: str, identifier: str) -> bool:
    return identifier == subject.id and kind in subject.types


def _facts(row: Row) -> Iterator[tuple[Text, Text]]:
    said = (fact for key, value in row.attributes.items() for fact in _said(key, value))
    for name, value in islice(said, _MOST_FACTS):
        yield parts(name, _LONGEST_VALUE), parts(value, _LONGEST_VALUE)
    if next(said, None) is not None:
        yield ("…",), ()


def _said(key: str, value: str) -> Iterator[tuple[str, str]]:
    """What an attribute says, in names and values: nothing, one thing, or each of the changed fields."""
    name = _NAMES.get(key)
    if name is None and key.startswith(_HIDDEN):
        return
    parsed = _parsed(value)
    if key == "changes" and isinstance(parsed, dict):
        yield from ((field, _changed(change)) for field, change in parsed.items())
    elif isinstance(parsed, list):
        yield name or key, ", ".join(map(_plain, parsed))
    else:
        yield name or key, value


def _parsed(value: str) -> Any:
    """A list or a dict, as events keep them; None for anything else, and for one that was cut."""
    try:
        return json.loads(value) if value[:1] in ("[", "{") else None
    except (ValueError, RecursionError):
        return None


def _changed(change: Any) -> str:
    if isinstance(change, list) and len(change) == 2:
        return f"{_plain(change[0])} → {_plain(change[1])}"
    return _plain(change)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
