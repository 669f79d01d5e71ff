"""
Where a subject is mentioned in rows that are not its own.

*Exact* places name it by type and id: as the object, the target, whom somebody acted for, one of many objects.
*Texts* hold its id as a word of their own: bodies, attributes, paths. A short id is an everyday word (``42``),
so texts are listed, column by column and attribute by attribute, and judged by people. *Neighbours* are rows of
others with the same session, request or trace.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.subjects.subject import Subject

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: What happens to rows that only mention the subject: they stay; exact places go; texts go, too.
MentionsMode = Literal["keep", "erase", "text"]
MENTIONS_MODES: Final = get_args(MentionsMode)
#: With every statement that has the subject in a parameter: the server's query_log keeps statements with the
#: parameters written out.
UNLOGGED: Final = {"log_queries": 0}

_LIST: Final = "JSONExtract(Attributes['activity.object.ids'], 'Array(String)')"
_EXACT: Final = {
    "actor": "ActorType = {subject_type:String} AND ActorId = {subject_id:String}",
    "object": "ObjectType = {subject_type:String} AND ObjectId = {subject_id:String}",
    "target": "TargetType = {subject_type:String} AND TargetId = {subject_id:String}",
    # An actor that is named without a type is a user.
    "on_behalf_of": "Attributes['activity.actor.on_behalf_of'] != '' AND "
    "(Attributes['activity.actor.on_behalf_of'] = {subject_name:String} OR ({subject_type:String} = 'user' "
    "AND Attributes['activity.actor.on_behalf_of'] = {subject_id:String}))",
    "objects": "mapContains(Attributes, 'activity.object.ids') AND "
    f"((ObjectType = {{subject_type:String}} AND has({_LIST}, {{subject_id:String}})) "
    f"OR has({_LIST}, {{subject_name:String}}))",
}
_NEIGHBOURS: Final = {"session": "SessionId", "request": "RequestId", "trace": "TraceId"}
#: Columns whose text is no text: names, kinds and numbers that no person has.
_NO_TEXT: Final = (
    "EventName",
    "Outcome",
    "TraceId",
    "SpanId",
    "SeverityText",
    "ActorType",
    "ObjectType",
    "TargetType",
)
#: Columns of ids: the subject's own id, whole, under another type is another's.
_IDS: Final = ("ActorId", "ObjectId", "TargetId", "TenantId")


@dataclass(frozen=True, slots=True)
class Mention:
    """
    Rows that mention a subject in one place; a row may be in several.

    Attributes:
        how: ``exact``, ``text`` or ``neighbour``.
        place: ``object``, ``target``, ...; a column; ``Attributes.NAME``; ``session``, ``request``, ``trace``.
        rows: how many.
        goes: whether the mode erases them.
    """

    how: Literal["exact", "text", "neighbour"]
    place: str
    rows: int
    goes: bool = False


def mentions(client: Client, table: str, subject: Subject, mode: MentionsMode = "keep") -> list[Mention]:
    """
    Count the rows of events that mention the subject, place by place; places without any are left out.

    Args:
        table: with the rows of events of this server.
    """
    exact = exact_places(subject)
    texts = text_places(text_columns(client))
    found = _counts(client, table, subject, [*exact.values(), *texts.values()])
    kinds = [("exact", place) for place in exact] + [("text", place) for place in texts]
    listed = [
        Mention(
            "exact" if how == "exact" else "text", place, rows, mode == "text" or (mode, how) == ("erase", "exact")
        )
        for (how, place), rows in zip(kinds, found, strict=True)
    ]
    listed += [
        Mention("text", f"Attributes.{name}", rows, mode == "text")
        for name, rows in _attributes(client, table, subject)
    ]
    listed += _neighbours(client, table, subject)
    return [mention for mention in listed if mention.rows]


def exact_places(subject: Subject) -> dict[str, str]:
    """The conditions of the exact places of a subject."""
    if subject.kind == "tenant":
        return {}
    return {place: condition for place, condition in _EXACT.items() if place != subject.kind}


def text_columns(client: Client) -> list[str]:
    """The columns of the events' table that hold texts, promoted ones included, but for the map of attributes."""
    rows = client.query(
        "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String} "
        "AND default_kind != 'ALIAS' ORDER BY position",
        parameters={"table": EVENTS_TABLE},
    ).result_rows
    return [name for name, type_ in rows if holds_text(name, type_)]


def holds_text(name: str, type_: str) -> bool:
    """Whether a stored column is one in which somebody may be mentioned."""
    return "String" in type_ and not type_.startswith("Map(") and name not in _NO_TEXT


def text_places(columns: Iterable[str]) -> dict[str, str]:
    """The conditions of columns with texts."""
    return {name: _word(f"toString(`{name}`)", is_id=name in _IDS) for name in columns}


def _word(text: str, *, is_id: bool = False) -> str:
    """The condition that a text holds the id as a word. ``position`` first: it is faster than ``match``."""
    found = f"position({text}, {{subject_id:String}}) > 0 AND match({text}, {{subject_word:String}})"
    return f"{text} != {{subject_id:String}} AND {found}" if is_id else found


_ATTRIBUTE: Final = (
    "name NOT IN ('activity.actor.on_behalf_of', 'activity.object.ids') "
    f"AND (({_word('value')}) OR ({_word('name')}))"
)


def erased_rows(subject: Subject, mode: MentionsMode, columns: Iterable[str]) -> str:
    """
    The condition for all rows of events that go: the subject's own, and those that mention it.

    Args:
        columns: those with texts, see :func:`text_columns`.
    """
    if mode == "keep":
        return subject.own
    return f"({subject.own}) OR (({subject.within}) AND ({mentioned(subject, mode, columns)}))"


def mentioned(subject: Subject, mode: MentionsMode, columns: Iterable[str]) -> str:
    """The condition for rows that mention the subject, its own ones included: exactly, or in texts as well."""
    conditions = list(exact_places(subject).values())
    if mode == "text":
        conditions += text_places(columns).values()
        conditions.append(f"mapExists((name, value) -> {_ATTRIBUTE}, CAST(Attributes, 'Map(String, String)'))")
    return " OR ".join(f"({condition})" for condition in conditions) or "0"


def _others(subject: Subject) -> str:
    return f"NOT ({subject.own}) AND {subject.within}"


def _counts(client: Client, table: str, subject: Subject, conditions: list[str]) -> list[int]:
    counts = ", ".join(f"countIf({condition})" for condition in conditions)
    sql = f"SELECT {counts} FROM {table} WHERE {_others(subject)}"  # noqa: S608 - values are parameters
    return [int(n) for n in client.query(sql, parameters=subject.parameters, settings=UNLOGGED).result_rows[0]]


def _attributes(client: Client, table: str, subject: Subject) -> list[tuple[str, int]]:
    names = f"mapKeys(mapFilter((name, value) -> {_ATTRIBUTE}, CAST(Attributes, 'Map(String, String)')))"
    sql = (
        f"SELECT arrayJoin({names}) AS attribute, count() FROM {table} "  # noqa: S608 - parameters
        f"WHERE {_others(subject)} GROUP BY attribute ORDER BY attribute"
    )
    rows = client.query(sql, parameters=subject.parameters, settings=UNLOGGED).result_rows
    return [(name, rows) for name, rows in rows]


def _neighbours(client: Client, table: str, subject: Subject) -> list[Mention]:
    """Not of a tenant: its neighbours are whatever shares a service."""
    if subject.kind == "tenant":
        return []
    own = f"FROM {table} WHERE {subject.own}"
    counts = ", ".join(
        f"countIf({column} != '' AND {column} IN (SELECT {column} {own}))" for column in _NEIGHBOURS.values()
    )
    sql = f"SELECT {counts} FROM {table} WHERE {_others(subject)}"  # noqa: S608 - values are parameters
    found = client.query(sql, parameters=subject.parameters, settings=UNLOGGED).result_rows[0]
    return [Mention("neighbour", place, int(rows)) for place, rows in zip(_NEIGHBOURS, found, strict=True)]
