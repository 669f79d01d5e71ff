"""
The questions that people ask of activity, as each table's own users would write them.

``otel_logs`` and ClickStack are asked as their documents advise: the five-minute bucket of the sort key beside
each filter by time, words by tokens; and each filter by an attribute in two spellings, by the index over values or
'key=value' items and by the map alone, of which the cheaper one counts.
Answers that must be equal are compared; quantiles are estimates and are not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Question:
    """
    A question and its SQL by kind of table.

    Attributes:
        name: short, for the report.
        ours: over ``activity_events``.
        peers: over ``otel_logs``, in which ``@since(name)`` is a filter by time that uses the sort key, and
            ``@attribute(key, parameter)`` is one by an attribute that uses the index.
        rollup: over our roll-ups, where they have the answer.
        equal: all tables must give the same rows.
        extra: not one of the twenty: OpenTelemetry's own names, asked of ours through aliases.
    """

    name: str
    ours: str
    peers: str
    rollup: str = ""
    equal: bool = True
    extra: bool = False

    @property
    def needs(self) -> frozenset[str]:
        """The parameters that it has."""
        return frozenset(re.findall(r"\{(\w+):", self.ours))

    def spellings(self, table: str) -> list[str]:
        """The question's SQL for a table by its kind: ``ours``, ``rollup``, ``otel_logs``, ``clickstack`` ..."""
        if table in ("ours", "rollup"):
            return [self.ours if table == "ours" else self.rollup]
        return sorted({_for_peer(self.peers, table, indexed=indexed) for indexed in (True, False)})


_BUCKET: Final = "toStartOfFiveMinutes(Timestamp) >= toStartOfFiveMinutes({{{0}:DateTime64(6, 'UTC')}}) AND "
_SINCE: Final = "Timestamp >= {{{0}:DateTime64(6, 'UTC')}}"


def _for_peer(sql: str, table: str, *, indexed: bool) -> str:
    bucket = "" if table == "otel_logs_before" else _BUCKET
    before = "TimestampTime >= toDateTime({{{0}:DateTime64(6, 'UTC')}}) AND " if not bucket else ""
    sql = re.sub(r"@since\((\w+)\)", lambda found: (bucket + before + _SINCE).format(found[1]), sql)
    sql = re.sub(
        r"@attribute\(([\w.]+), (\w+)\)", lambda found: _attribute(table if indexed else "", *found.groups()), sql
    )
    key = "TimestampTime" if table == "otel_logs_before" else "toStartOfFiveMinutes(Timestamp)"
    return sql.replace("@bucket", key)


def _attribute(table: str, key: str, parameter: str) -> str:
    exact = f"LogAttributes['{key}'] = {{{parameter}:String}}"
    if table == "clickstack":
        return f"has(LogAttributeItems, concat('{key}=', {{{parameter}:String}}))"
    return f"has(mapValues(LogAttributes), {{{parameter}:String}}) AND {exact}" if table else exact


_NEWEST: Final = "SELECT Timestamp, EventName, ServiceName, SeverityText, Body"
_WEEK: Final = "Timestamp >= {week:DateTime64(6, 'UTC')}"
_DAY: Final = "Timestamp >= {day:DateTime64(6, 'UTC')}"
_OURS_NEWEST: Final = "ORDER BY toStartOfHour(Timestamp) DESC, Timestamp DESC LIMIT"
_PEERS_NEWEST: Final = "ORDER BY @bucket DESC, Timestamp DESC LIMIT"

QUESTIONS: Final = (
    Question(
        "an actor's last fifty",
        "SELECT Timestamp, EventName, ObjectType, ObjectId, Outcome FROM activity_events "
        "WHERE ActorType = 'user' AND ActorId = {actor:String} ORDER BY Timestamp DESC LIMIT 50",
        "SELECT Timestamp, EventName, LogAttributes['activity.object.type'], LogAttributes['activity.object.id'], "
        "if(LogAttributes['activity.outcome'] = '', 'success', LogAttributes['activity.outcome']) FROM otel_logs "
        "WHERE @attribute(user.id, actor) ORDER BY Timestamp DESC LIMIT 50",
    ),
    Question(
        "history of an object",
        "SELECT Timestamp, EventName, ActorId FROM activity_events "
        "WHERE ObjectId = {object:String} AND ObjectType = {object_type:String} ORDER BY Timestamp",
        "SELECT Timestamp, EventName, if(LogAttributes['user.id'] != '', LogAttributes['user.id'], "
        "LogAttributes['activity.actor.id']) FROM otel_logs WHERE @attribute(activity.object.id, object) "
        "AND LogAttributes['activity.object.type'] = {object_type:String} ORDER BY Timestamp",
    ),
    Question(
        "events by hour and name, 7 days",
        f"SELECT toStartOfHour(Timestamp) AS hour, EventName, count() FROM activity_events WHERE {_WEEK} "
        "GROUP BY hour, EventName ORDER BY hour, EventName",
        "SELECT toStartOfHour(Timestamp) AS hour, EventName, count() FROM otel_logs WHERE @since(week) "
        "GROUP BY hour, EventName ORDER BY hour, EventName",
        "SELECT Hour, EventName, sum(RowCount) FROM activity_events_hourly "
        "WHERE Hour >= toStartOfHour({week:DateTime64(6, 'UTC')}) GROUP BY Hour, EventName ORDER BY Hour, "
        "EventName",
    ),
    Question(
        "unique actors by day",
        "SELECT toDate(Timestamp) AS date, uniqExact(ActorId) FROM activity_events WHERE ActorType = 'user' "
        "GROUP BY date ORDER BY date",
        "SELECT toDate(Timestamp) AS date, uniqExact(LogAttributes['user.id']) FROM otel_logs "
        "WHERE has(mapKeys(LogAttributes), 'user.id') GROUP BY date ORDER BY date",
        "SELECT Day, uniqExact(ActorId) FROM activity_events_actor_daily WHERE ActorType = 'user' "
        "GROUP BY Day ORDER BY Day",
    ),
    Question(
        "top actors of a tenant",
        "SELECT ActorId, count() AS events FROM activity_events WHERE TenantId = {tenant:String} "
        "AND ActorType = 'user' GROUP BY ActorId ORDER BY events DESC, ActorId LIMIT 20",
        "SELECT LogAttributes['user.id'] AS actor, count() AS events FROM otel_logs "
        "WHERE @attribute(activity.tenant.id, tenant) AND actor != '' GROUP BY actor ORDER BY events DESC, "
        "actor LIMIT 20",
        "SELECT ActorId, sum(RowCount) AS events FROM activity_events_actor_daily WHERE TenantId = "
        "{tenant:String} "
        "AND ActorType = 'user' GROUP BY ActorId ORDER BY events DESC, ActorId LIMIT 20",
    ),
    Question(
        "failures by route, 7 days",
        f"SELECT HttpRoute, countIf(Outcome = 'failure') AS failures, count() FROM activity_events WHERE {_WEEK} "
        "GROUP BY HttpRoute ORDER BY failures DESC, HttpRoute",
        "SELECT LogAttributes['http.route'] AS route, countIf(LogAttributes['activity.outcome'] = 'failure') "
        "AS failures, "
        "count() FROM otel_logs WHERE @since(week) GROUP BY route ORDER BY failures DESC, route",
        "SELECT HttpRoute, sumIf(RowCount, Outcome = 'failure') AS failures, sum(RowCount) FROM "
        "activity_events_hourly "
        "WHERE Hour >= toStartOfHour({week:DateTime64(6, 'UTC')}) GROUP BY HttpRoute ORDER BY failures DESC, "
        "HttpRoute",
    ),
    Question(
        "funnel of three events, 7 days",
        "SELECT level, count() FROM (SELECT windowFunnel(86400)(toDateTime(Timestamp), EventName = "
        "{first:String}, "
        "EventName = {second:String}, EventName = {third:String}) AS level FROM activity_events "
        f"WHERE {_WEEK} AND EventName IN ({{first:String}}, {{second:String}}, {{third:String}}) "
        "AND ActorType = 'user' GROUP BY ActorId) GROUP BY level ORDER BY level",
        "SELECT level, count() FROM (SELECT windowFunnel(86400)(toDateTime(Timestamp), EventName = "
        "{first:String}, "
        "EventName = {second:String}, EventName = {third:String}) AS level FROM otel_logs "
        "WHERE @since(week) AND EventName IN ({first:String}, {second:String}, {third:String}) "
        "AND LogAttributes['user.id'] != '' GROUP BY LogAttributes['user.id']) GROUP BY level ORDER BY level",
    ),
    Question(
        "newest fifty with a word",
        "SELECT Timestamp, EventName, Body FROM activity_events WHERE hasToken(lower(BodyTemplate), "
        "{word:String}) "
        "ORDER BY Timestamp DESC LIMIT 50",
        "SELECT Timestamp, EventName, Body FROM otel_logs WHERE hasToken(lower(Body), {word:String}) "
        "ORDER BY Timestamp DESC LIMIT 50",
    ),
    Question(
        "count with two words",
        "SELECT count() FROM activity_events WHERE hasAllTokens(lower(BodyTemplate), [{word:String}, "
        "{word2:String}])",
        "SELECT count() FROM otel_logs WHERE hasAllTokens(lower(Body), [{word:String}, {word2:String}])",
    ),
    Question(
        "count with a substring",
        "SELECT count() FROM activity_events WHERE BodyTemplate LIKE concat('%', {part:String}, '%')",
        "SELECT count() FROM otel_logs WHERE Body LIKE concat('%', {part:String}, '%')",
    ),
    Question(
        "events of a trace",
        f"{_NEWEST} FROM activity_events WHERE TraceId = {{trace:String}} ORDER BY Timestamp",
        f"{_NEWEST} FROM otel_logs WHERE TraceId = {{trace:String}} ORDER BY Timestamp",
    ),
    Question(
        "events of a request",
        f"{_NEWEST} FROM activity_events WHERE RequestId = {{request:String}} ORDER BY Timestamp",
        f"{_NEWEST} FROM otel_logs WHERE @attribute(activity.request.id, request) ORDER BY Timestamp",
    ),
    Question(
        "events of a session",
        f"{_NEWEST} FROM activity_events WHERE SessionId = {{session:String}} ORDER BY Timestamp",
        f"{_NEWEST} FROM otel_logs WHERE @attribute(session.id, session) ORDER BY Timestamp",
    ),
    Question(
        "one event by its id",
        f"{_NEWEST} FROM activity_events WHERE EventId = {{event:UUID}} "
        "AND Timestamp >= UUIDv7ToDateTime({event:UUID}) AND Timestamp < UUIDv7ToDateTime({event:UUID}) + "
        "INTERVAL 1 ms",
        f"{_NEWEST} FROM otel_logs WHERE LogAttributes['log.record.uid'] = toString({{event:UUID}}) "
        "AND @bucket >= toStartOfFiveMinutes(UUIDv7ToDateTime({event:UUID})) "
        "AND @bucket <= UUIDv7ToDateTime({event:UUID}) AND Timestamp >= UUIDv7ToDateTime({event:UUID}) "
        "AND Timestamp < UUIDv7ToDateTime({event:UUID}) + INTERVAL 1 ms",
    ),
    Question(
        "newest hundred",
        f"{_NEWEST} FROM activity_events {_OURS_NEWEST} 100",
        f"{_NEWEST} FROM otel_logs {_PEERS_NEWEST} 100",
    ),
    Question(
        "histogram by service, 24 hours",
        f"SELECT toStartOfFifteenMinutes(Timestamp) AS quarter, ServiceName, count() FROM activity_events "
        f"WHERE {_DAY} "
        "GROUP BY quarter, ServiceName ORDER BY quarter, ServiceName",
        "SELECT toStartOfFifteenMinutes(Timestamp) AS quarter, ServiceName, count() FROM otel_logs WHERE "
        "@since(day) "
        "GROUP BY quarter, ServiceName ORDER BY quarter, ServiceName",
    ),
    Question(
        "by an own attribute, 7 days",
        f"SELECT toDate(Timestamp) AS date, count() FROM activity_events WHERE {_WEEK} "
        "AND Attributes['plan'] = {plan:String} GROUP BY date ORDER BY date",
        "SELECT toDate(Timestamp) AS date, count() FROM otel_logs WHERE @since(week) "
        "AND @attribute(plan, plan) GROUP BY date ORDER BY date",
    ),
    Question(
        "feed of a tenant, 24 hours",
        f"{_NEWEST} FROM activity_events WHERE {_DAY} AND TenantId = {{tenant:String}} ORDER BY Timestamp "
        f"DESC LIMIT 100",
        f"{_NEWEST} FROM otel_logs WHERE @since(day) AND @attribute(activity.tenant.id, tenant) "
        "ORDER BY Timestamp DESC LIMIT 100",
    ),
    Question(
        "95th percentile by route, 7 days",
        f"SELECT HttpRoute, quantile(0.95)(DurationUs) FROM activity_events WHERE {_WEEK} AND DurationUs > 0 "
        "GROUP BY HttpRoute ORDER BY HttpRoute",
        "SELECT LogAttributes['http.route'] AS route, "
        "quantile(0.95)(toFloat64OrZero(LogAttributes['activity.duration'])) "
        "FROM otel_logs WHERE @since(week) AND LogAttributes['activity.duration'] != '' GROUP BY route ORDER "
        "BY route",
        equal=False,
    ),
    Question(
        "newest hundred of 15 minutes",
        f"{_NEWEST} FROM activity_events WHERE Timestamp >= {{quarter:DateTime64(6, 'UTC')}} {_OURS_NEWEST} 100",
        f"{_NEWEST} FROM otel_logs WHERE @since(quarter) {_PEERS_NEWEST} 100",
    ),
    Question(
        "LogAttributes as a filter, 7 days",
        f"SELECT count() FROM activity_events WHERE {_WEEK} AND LogAttributes['user.id'] = {{actor:String}}",
        "SELECT count() FROM otel_logs WHERE @since(week) AND LogAttributes['user.id'] = {actor:String}",
        extra=True,
    ),
    Question(
        "a page of OpenTelemetry rows",
        f"SELECT Timestamp, Body, TraceId, mapSort(LogAttributes), mapSort(ResourceAttributes) FROM "
        f"activity_events "
        f"WHERE {_DAY} {_OURS_NEWEST} 100",
        "SELECT Timestamp, Body, TraceId, mapSort(LogAttributes), mapSort(ResourceAttributes) FROM otel_logs "
        f"WHERE @since(day) {_PEERS_NEWEST} 100",
        extra=True,
    ),
)
