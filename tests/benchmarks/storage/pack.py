"""
The named questions (:mod:`activitylog.queries`) asked of the peers, too: their tables behind views of our names.

A view ``activity_events`` over ``otel_logs`` takes each typed column from the map of attributes, as a user of that
table would, and the roll-ups are what their views compute, at the time of asking. So the questions' SQL runs
unchanged, and answers can be compared. It favours ours: behind a view the peers' sort key by five minutes is of no
use (their partitions by day are), nor are the indexes over values. So these ratios are a mean of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from activitylog.event import FIELDS, Field
from activitylog.queries import question, questions
from activitylog.store import EVENTS_TABLE, migrations
from tests.benchmarks.storage.asking import Asked, ask
from tests.benchmarks.storage.questions import Question

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: What only our own store has: its parts, its counters from before sampling, its steps.
_OWN: Final = ("system.", "activity_counters", "activity_schema")
_ROLLUPS: Final = ("activity_events_hourly", "activity_events_actor_daily")
#: Estimates, and rows of equal rank in an order that the engine chooses.
_UNEQUAL: Final = ("quantile", "topK", "LIMIT 1 BY", "any(")
_USER: Final = "LogAttributes['user.id']"
_COLUMNS: Final = {
    "ActorType": f"if({_USER} != '', 'user', LogAttributes['activity.actor.type'])",
    "ActorId": f"if({_USER} != '', {_USER}, LogAttributes['activity.actor.id'])",
    "Outcome": "if(LogAttributes['activity.outcome'] = '', 'success', LogAttributes['activity.outcome'])",
    "DurationUs": "toUInt64(round(toFloat64OrZero(LogAttributes['activity.duration']) * 1000000))",
    "EventCount": "toUInt64OrDefault(LogAttributes['activity.count'], toUInt64(1))",
    "SampleWeight": "toFloat64OrDefault(LogAttributes['activity.sample.weight'], toFloat64(1))",
    "EventId": "toUUIDOrZero(LogAttributes['log.record.uid'])",
}


def pack_questions() -> list[Question]:
    """The named questions that a table of events alone can answer, with the values that they have by default."""
    found = []
    for asked in map(question, questions()):
        if not any(word in asked.sql for word in _OWN):
            equal = not any(word in asked.sql for word in _UNEQUAL)
            found.append(Question(asked.name, asked.sql, asked.sql, equal=equal))
    return found


def ask_pack(client: Client, tables: tuple[str, ...], *, rounds: int) -> list[Asked]:
    """
    Ask all of them of all tables.

    Raises:
        UnequalAnswersError: a table answers otherwise than ours.
    """
    values = {name: question(name).values({}) for name in questions()}
    for table in tables:
        if table != "ours":
            _create_views(client, table)
    return [
        one
        for asked in pack_questions()
        for one in ask(client, asked, tables, dict(values[asked.name]), rounds=rounds)
    ]


def _create_views(client: Client, database: str) -> None:
    client.database = database
    columns = ", ".join(f"{_expression(field)} AS {field.column}" for field in _fields())
    client.command(
        f"CREATE OR REPLACE VIEW {EVENTS_TABLE} AS SELECT Timestamp, _partition_id, EventName, {columns}, "
        "TraceId, SpanId, SeverityText, SeverityNumber, ServiceName, Body, Body AS BodyTemplate, "
        "LogAttributes AS Attributes, LogAttributes, ResourceAttributes FROM otel_logs"
    )
    for rollup in _ROLLUPS:
        head = f"CREATE MATERIALIZED VIEW IF NOT EXISTS {rollup}_mv TO {rollup} AS"
        for query in (
            sql.partition(head)[2] for sql in (migration.sql for migration in migrations()) if head in sql
        ):
            client.command(f"CREATE OR REPLACE VIEW {rollup} AS {query}")


def _fields() -> list[Field]:
    """The first field of each column."""
    return list({field.column: field for field in reversed(FIELDS) if field.column is not None}.values())


def _expression(field: Field) -> str:
    plain = f"LogAttributes['{field.attribute}']"
    if field.column in _COLUMNS:
        return _COLUMNS[field.column]
    return plain if field.type == "String" else f"to{field.type}OrZero({plain})"
