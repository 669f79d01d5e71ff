"""
What an activity event is: its keys, its attributes, its limits.

This module is the one home of the names. The processors, the typed table, the view behind the Collector, the
documentation and the tests are derived from :data:`FIELDS` or checked against it. Standard library only.

Names follow the OpenTelemetry semantic conventions (``user.id``, ``session.id``, ``http.*``, ``error.type``,
``log.record.uid``) where they have one, and ``activity.*`` where they have none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

ColumnType = Literal["String", "UUID", "UInt16", "UInt64", "Float64"]
Outcome = Literal["success", "failure", "denied", "unknown"]

OUTCOMES: Final = frozenset({"success", "failure", "denied", "unknown"})

#: ``noun.verbed``, lower case, dotted, at least two parts.
EVENT_NAME_PATTERN: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+")
EVENT_NAME_RULE: Final = (
    "lower case words joined by dots, the last one a past participle, such as 'message.sent' "
    "(letters, digits and '_'; at most 128 characters)"
)
MAX_EVENT_NAME_LENGTH: Final = 128
#: Objects of one event whose ids are kept; more than fit into an event by their number alone.
MAX_OBJECTS: Final = 32_768


@dataclass(frozen=True, slots=True)
class Field:
    """
    One fact of an event and the places where it lives.

    Attributes:
        attribute: name of the log record's attribute.
        meaning: what it says, in one line.
        key: keyword of ``emit`` that sets it, when it is one keyword for one attribute.
        column: typed column of ``activity_events``; None keeps the attribute in the map ``Attributes``.
        type: ClickHouse type of the column's values.
        default: what the column holds when the attribute is absent.
        scale: the column holds the attribute times this, rounded (seconds -> microseconds: 1,000,000).
        implies: values of other columns that this attribute settles (``user.id`` means ``ActorType`` 'user').
        unless: the attribute is read back from its column unless these columns hold these values.
    """

    attribute: str
    meaning: str
    key: str | None = None
    column: str | None = None
    type: ColumnType = "String"
    default: str | int | float = ""
    scale: int = 1
    implies: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    unless: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


_IS_USER: Final = MappingProxyType({"ActorType": "user"})
_NIL_UUID: Final = "00000000-0000-0000-0000-000000000000"

#: Every fact that has a name of its own, in the order of the table. Where two attributes share a column the
#: first one that is present takes it, and the other stays in the map.
FIELDS: Final[tuple[Field, ...]] = (
    Field("log.record.uid", "unique id of the event", None, "EventId", "UUID", _NIL_UUID),
    Field("activity.tenant.id", "whose data it is", "tenant", "TenantId"),
    Field("user.id", "the actor, when it is a user", None, "ActorId", implies=_IS_USER),
    Field("activity.actor.type", "what kind of actor, when not a user", None, "ActorType", unless=_IS_USER),
    Field("activity.actor.id", "the actor, when not a user", None, "ActorId", unless=_IS_USER),
    Field("activity.actor.on_behalf_of", "for whom the actor acted, as type:id", "on_behalf_of"),
    Field("activity.object.type", "what kind of thing it was done to", None, "ObjectType"),
    Field("activity.object.id", "the thing it was done to", None, "ObjectId"),
    Field("activity.object.name", "how people call that thing"),
    Field("activity.object.ids", "the things it was done to, when there are many"),
    Field("activity.target.type", "what kind of second thing", None, "TargetType"),
    Field("activity.target.id", "the second thing: added the object *to* it", None, "TargetId"),
    Field("activity.outcome", "success when absent", "outcome", "Outcome", default="success"),
    Field("activity.count", "how many events this record stands for", "count", "EventCount", "UInt64", 1),
    Field("error.type", "class of the error, few distinct values", "error", "ErrorType"),
    Field("exception.type", "class of the exception, with its module"),
    Field("exception.message", "text of the exception"),
    Field("exception.stacktrace", "its stack, when asked for"),
    Field("activity.duration", "how long it took, in seconds", "duration", "DurationUs", "UInt64", 0, 1_000_000),
    Field("session.id", "the session", "session", "SessionId"),
    Field("activity.request.id", "the request, when it is not the trace", "request_id", "RequestId"),
    Field("http.request.method", "method of the HTTP request", None, "HttpMethod"),
    Field("http.route", "its route, few distinct values", None, "HttpRoute"),
    Field("http.response.status_code", "status of the response", None, "HttpStatus", "UInt16", 0),
    Field("url.path", "path of the request", None, "UrlPath"),
    Field("client.address", "where the request came from", None, "ClientAddress"),
    Field("user_agent.original", "what the client calls itself", None, "UserAgent"),
    Field("activity.sample.weight", "how many events this row stands for", None, "SampleWeight", "Float64", 1.0),
    Field("activity.sample.rule", "the rule that decided", None, "SampleRule"),
    Field("activity.sample.threshold", "OpenTelemetry's consistent threshold (th)"),
    Field("activity.rollup.last", "of several events in one: the time of the last, ISO 8601 in UTC"),
    Field("activity.rollup.varied", "of several events in one: names of the attributes that differed"),
    Field("activity.producer", "the process that emitted it", None, "Producer"),
    Field("activity.seq", "its number in that process, dense from 1", None, "Seq", "UInt64", 0),
    Field("activity.counter.event", "of a counter: the name of the events that it counts"),
    Field("activity.counter.reason", "of a counter: why they were not kept; absent where they were"),
    Field(
        "activity.undecided",
        "its process died before it was decided whether it is kept, or with what it is folded",
    ),
    Field("activity.schema.version", "version of a typed event"),
    Field("activity.sanitized", "what was changed or cut at emit, as key:reason"),
    Field("activity.redacted", "what was taken out as a secret, as key:reason"),
)

#: Marks in a stored ``BodyTemplate`` and the column whose text each stands for, in the order of replacement. A
#: message that has such a character itself is stored with U+001A in its place.
BODY_MARKS: Final[Mapping[str, str]] = MappingProxyType({"\x01": "ActorId", "\x02": "ObjectId"})

#: Name of the records by which a process reports what it counted before sampling; they are no activity, and go to
#: a table of their own.
COUNTER_EVENT_NAME: Final = "activity.counted"

#: Reason of a counter of no event that takes losses back: so many events were refused, and delivered later.
REDELIVERED: Final = "redelivered"

#: Keywords of ``emit`` that one attribute answers to.
ATTRIBUTE_OF_KEY: Final[Mapping[str, str]] = MappingProxyType(
    {f.key: f.attribute for f in FIELDS if f.key is not None}
)

#: Keywords of ``emit`` that name a person or a thing (see :func:`activitylog.entities.reference`).
ENTITY_KEYS: Final = ("actor", "object", "target")

#: Keys of the event dict that are fields of the log record, not attributes.
RECORD_KEYS: Final = frozenset({"event", "message", "timestamp", "trace_id", "span_id", "trace_flags"})


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of an event is kept. Beyond it values are cut, and the record says so."""

    max_depth: int = 8
    """Levels of nesting in one value."""
    max_attributes: int = 64
    """Attributes of an event, and keys of a mapping inside one."""
    max_value_bytes: int = 8 * 1024
    """UTF-8 bytes of one string, and items of one list."""
    max_event_bytes: int = 64 * 1024
    """UTF-8 bytes of all values together."""


DEFAULT_LIMITS: Final = Limits()
