"""
The activity of one object, or of one actor, read from the store page by page, the newest first.

Three reads make an object's page: events about it, events with it as their target, and events about many that name
it among their ids. Each is led by what is cheap for it (an index of ids; of events about many there are few), and
ends after a page. A page begins behind the last event of the one before: the hundredth costs what the first does.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_CURSOR: Final = re.compile(r"(-?\d{1,19})\.(\d{1,20})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.ASCII)
_NIL: Final = "00000000-0000-0000-0000-000000000000"
_LARGEST: Final = 2**63 - 1
#: Characters of one value that are fetched.
_LONGEST: Final = 500
#: Of what the capture of a model says of changed fields, which is read as a whole.
_ALL_CHANGES: Final = 8_192

_NEWEST_FIRST: Final = "Timestamp DESC, Seq DESC, EventId DESC"
_COLUMNS: Final = (
    "Timestamp, Seq, EventId, EventName, ActorType, ActorId, ObjectType, ObjectId, TargetType, TargetId, "
    "Outcome, ErrorType, EventCount, SampleWeight, HttpMethod, HttpRoute, HttpStatus, ClientAddress, RequestId, "
    "Body, Attributes"
)
#: One read. The hour first, as the table is sorted: so the engine reads backwards and stops.
_READ: Final = """
    SELECT {columns}
    FROM activity_events
    {where}
        AND ({{tenant:String}} = '' OR TenantId = {{tenant:String}})
        AND ({{ns:Int64}} = {largest} OR (
            Timestamp <= fromUnixTimestamp64Nano({{ns:Int64}}, 'UTC')
            AND (Timestamp, Seq, EventId)
                < (fromUnixTimestamp64Nano({{ns:Int64}}, 'UTC'), {{seq:UInt64}}, {{event_id:UUID}})))
    ORDER BY toStartOfHour(Timestamp) DESC, {newest_first}
    LIMIT {{limit:UInt64}}
"""
_PAGE: Final = """
SELECT
    toUnixTimestamp64Nano(Timestamp) AS ns, Seq AS seq, toString(EventId) AS event_id, EventName AS event,
    ActorType AS actor_type, ActorId AS actor, ObjectType AS object_type, ObjectId AS object,
    TargetType AS target_type, TargetId AS target, Outcome AS outcome, ErrorType AS error,
    EventCount AS count, SampleWeight AS weight, HttpMethod AS method, HttpRoute AS route, HttpStatus AS status,
    ClientAddress AS client, RequestId AS request_id, substringUTF8(Body, 1, {longest}) AS message,
    mapApply(
        (key, value) -> (key, substringUTF8(value, 1, if(key = 'changes', {all_changes}, {longest}))),
        mapFilter((key, value) -> key != 'activity.object.ids', Attributes)) AS attributes
FROM ({reads})
ORDER BY {newest_first}
LIMIT {{limit:UInt64}}
"""
_ABOUT: Final = "WHERE ObjectId = {id:String} AND has({types:Array(String)}, ObjectType)"
_WITH: Final = "WHERE TargetId = {id:String} AND has({types:Array(String)}, TargetType)"
#: Few rows are about many, and the map is read for these only.
_AMONG: Final = """
    PREWHERE ObjectId = '' AND EventCount > 1 AND (ObjectType = '' OR has({types:Array(String)}, ObjectType))
    WHERE hasAny(
        JSONExtract(Attributes['activity.object.ids'], 'Array(String)'),
        if(ObjectType = '',
            arrayMap(type -> concat(type, ':', {id:String}), {types:Array(String)}),
            [{id:String}]))
"""
_BY: Final = "WHERE ActorId = {id:String} AND has({types:Array(String)}, ActorType)"


class Cursor(NamedTuple):
    """
    The place of an event in its timeline: what comes behind it is on the next page.

    Events without an id that have one time in common share a place (they came through a Collector, from somebody
    else); a page that ends between them leaves the others out.
    """

    ns: int
    seq: int
    event_id: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """What :meth:`__str__` wrote; None when it is anything else."""
        found = _CURSOR.fullmatch(text)
        if found is None or not -_LARGEST <= int(found[1]) < _LARGEST or int(found[2]) >= 2**64:
            return None
        return cls(int(found[1]), int(found[2]), found[3])

    def __str__(self) -> str:
        return f"{self.ns}.{self.seq}.{self.event_id}"


_NEWEST: Final = Cursor(_LARGEST, 0, _NIL)


@dataclass(frozen=True, slots=True)
class Row:
    """One event, as it is stored; texts are cut to 500 characters, and nothing in them is to be trusted."""

    ns: int
    seq: int
    event_id: str
    event: str
    actor_type: str
    actor: str
    object_type: str
    object: str
    target_type: str
    target: str
    outcome: str
    error: str
    count: int
    weight: float
    method: str
    route: str
    status: int
    client: str
    request_id: str
    message: str
    attributes: Mapping[str, str]

    @property
    def time(self) -> dt.datetime:
        """When it happened, in UTC, to the microsecond."""
        return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=self.ns // 1000)

    @property
    def cursor(self) -> Cursor:
        """Its place."""
        return Cursor(self.ns, self.seq, self.event_id)


@dataclass(frozen=True, slots=True)
class Subject:
    """
    Whose timeline it is.

    Attributes:
        types: under which its events know it: ``chat.message``, ``message``.
        id: text of its primary key.
        acting: what it did, not what was done to it.
    """

    types: Sequence[str]
    id: str
    acting: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """
    A page of a timeline.

    Attributes:
        rows: the newest first.
        older: the next page begins here; None where there is none.
    """

    rows: Sequence[Row]
    older: Cursor | None = None


def page_of(
    client: Client,
    subject: Subject,
    *,
    size: int,
    before: Cursor | None = None,
    tenant: str = "",
    settings: Mapping[str, Any] | None = None,
) -> Page:
    """
    Read one page.

    Args:
        size: events on it, at most.
        before: where the page before ended; None for the newest.
        tenant: only events of this one; empty: all.
        settings: of ClickHouse, for this question.

    Raises:
        Exception: whatever the driver raises.
    """
    place = before or _NEWEST
    answer = client.query(
        _BY_ACTOR if subject.acting else _OF_OBJECT,
        parameters={
            "id": subject.id,
            "types": list(subject.types),
            "tenant": tenant,
            "limit": size + 1,
            **place._asdict(),
        },
        settings=dict(settings or {}),
    )
    rows = [Row(*row) for row in answer.result_rows]
    older = rows[size - 1].cursor if len(rows) > size else None
    return Page(_once(rows[:size]), older)


def _once(rows: Sequence[Row]) -> list[Row]:
    """Without repeats: an event may be about an object and have it as its target; a Collector may send twice."""
    seen = {row.event_id if row.event_id != _NIL else str(index): row for index, row in enumerate(rows)}
    return list(seen.values())


def _sql(*wheres: str) -> str:
    reads = (
        "(" + _READ.format(columns=_COLUMNS, where=where, largest=_LARGEST, newest_first=_NEWEST_FIRST) + ")"
        for where in wheres
    )
    return _PAGE.format(
        reads=" UNION ALL ".join(reads), longest=_LONGEST, all_changes=_ALL_CHANGES, newest_first=_NEWEST_FIRST
    )


_OF_OBJECT: Final = _sql(_ABOUT, _WITH, _AMONG)
_BY_ACTOR: Final = _sql(_BY)
