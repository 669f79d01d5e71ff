"""
Generated activity: log records in the columns of ``otel_logs``, made inside the engine, equal for equal seeds.

Thirty days of five services. Actors (Zipf, 1.05) belong to 50 tenants (Zipf); they work in sessions, by day more
than by night; a session is a row of requests, a request one to three events. Nine requests in ten are traced, the
others have a request id. Event ids are what :mod:`activitylog.identity` makes. Whatever varies is a hash of (seed,
what it is for, number of the event, request, session or actor), so rows do not depend on each other.

Two steps: ``activity_skeleton`` says who does how much when; ``source_logs`` has the whole records, numbered in
the order of their times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

DAYS: Final = 30
#: 2026-01-01 UTC, in microseconds: the first day. The thirty days lie in one month.
START_US: Final = 1_767_225_600_000_000
ACTORS: Final = 200_000
TENANTS: Final = 50
INSTANCES: Final = 24
EVENTS_PER_SESSION: Final = 6.6

_BY_HOUR: Final = (3, 2, 2, 2, 3, 6, 15, 40, 80, 100, 100, 95, 70, 85, 100, 95, 90, 70, 45, 30, 25, 20, 12, 7)
_BY_WEEKDAY: Final = (100, 98, 30, 22, 96, 102, 101)  # from a Thursday on, as 2026-01-01 is one
_NOUNS: Final = (
    "message", "document", "task", "channel", "project", "order", "invoice", "file", "comment", "member",
    "page", "report",
)  # fmt: skip
_VERBS: Final = ("viewed", "created", "updated", "shared", "deleted")
_METHODS: Final = ("GET", "POST", "PATCH", "POST", "DELETE")
_SERVICES: Final = ("web", "api", "billing", "files", "notify")
_ERRORS: Final = (
    "TimeoutError", "ValidationError", "ConnectionError", "IntegrityError", "QuotaExceeded", "KeyError",
    "PaymentDeclined", "OSError",
)  # fmt: skip
_KEYS: Final = (
    "app.version", "browser.language", "cart.items", "channel", "client.build", "coupon", "device.model",
    "experiment", "feature.flag", "file.size", "length", "locale", "order.id", "payment.method", "plan",
    "priority", "query", "referrer", "region", "score",
)  # fmt: skip


def generate(client: Client, events: int, *, seed: int = 1) -> None:
    """
    Fill ``source_logs`` (``Number``, then the sixteen columns of ``otel_logs``) with ``events`` records.

    Replaces what was there. About 10 s of CPU a million.
    """
    columns = Activity(seed)
    for table in ("activity_skeleton", "source_logs"):
        client.command(f"DROP TABLE IF EXISTS {table}")
    client.command(columns.skeleton(events))
    client.command(SOURCE_TABLE)
    client.command(columns.records(), settings={"max_threads": 1, "max_insert_threads": 1})
    client.command("DROP TABLE activity_skeleton")


SOURCE_TABLE: Final = """
CREATE TABLE source_logs
(
    Number UInt64,
    Timestamp DateTime64(9, 'UTC'),
    TraceId String,
    SpanId String,
    TraceFlags UInt8,
    SeverityText LowCardinality(String),
    SeverityNumber UInt8,
    ServiceName LowCardinality(String),
    Body String,
    ResourceSchemaUrl LowCardinality(String),
    ResourceAttributes Map(LowCardinality(String), String),
    ScopeSchemaUrl LowCardinality(String),
    ScopeName String,
    ScopeVersion LowCardinality(String),
    ScopeAttributes Map(LowCardinality(String), String),
    LogAttributes Map(LowCardinality(String), String),
    EventName String
)
ENGINE = MergeTree ORDER BY Number
"""


@dataclass(frozen=True)
class Activity:
    """The SQL of one seed."""

    seed: int

    def skeleton(self, events: int) -> str:
        """Who (session, actor) does how many requests and events when: one row an event, numbered by time."""
        sessions = int(events / EVENTS_PER_SESSION * 1.05) + 20
        return f"""
CREATE TABLE activity_skeleton ENGINE = MergeTree ORDER BY Number AS
WITH
    {_cumulative(_BY_HOUR)} AS by_hour,
    {_cumulative(tuple(_BY_WEEKDAY[day % 7] for day in range(DAYS)))} AS by_day
SELECT
    row_number() OVER (ORDER BY TimeUs, Session, Request, Part) AS Number,
    row_number() OVER (PARTITION BY Instance, Epoch ORDER BY TimeUs, Session, Request, Part) AS Seq,
    TimeUs, Session, sipHash64(Session, Request) AS RequestKey, Part, Actor, Instance, Epoch
FROM
(
    SELECT
        Session, Actor, Request, Part,
        RequestUs + Part * toUInt64(200 + 30000 * {self.uniform("part", "Session", "Request", "Part")}) AS TimeUs,
        {self.hash("instance", "Session", "Request")} % {INSTANCES} AS Instance,
        intDiv(TimeUs - {START_US} + Instance * 7200000000, 172800000000) AS Epoch
    FROM
    (
        SELECT
            Session, Actor, Request,
            StartUs + Request * toUInt64(90000000 * {self.uniform("gap", "Session", "Request")}) AS RequestUs,
            arrayJoin(range(multiIf({self.uniform("parts", "Session", "Request")} < 0.7, 1,
                {self.uniform("parts", "Session", "Request")} < 0.91, 2, 3))) AS Part
        FROM
        (
            SELECT
                number AS Session,
                toUInt64(pow(1 - {self.uniform("actor", "number")} * (1 - pow({ACTORS}, -0.05)), -20)) AS Actor,
                arrayFirstIndex(edge -> edge > {self.uniform("day", "number")}, by_day) - 1 AS day,
                arrayFirstIndex(edge -> edge > {self.uniform("hour", "number")}, by_hour) - 1 AS hour,
                {START_US} + (day * 24 + hour) * 3600000000
                    + toUInt64(3600000000 * {self.uniform("second", "number")}) AS StartUs,
                arrayJoin(range(toUInt64(1 - 4.25 * log(1 - {self.uniform("requests", "number")})))) AS Request
            FROM numbers({sessions})
        )
    )
)
ORDER BY Number LIMIT {events}"""

    def records(self) -> str:
        """The whole records."""
        return f"""
INSERT INTO source_logs
WITH
    {_strings(_NOUNS)} AS nouns, {_strings(_VERBS)} AS verbs, {_strings(_METHODS)} AS methods,
    {_strings(_SERVICES)} AS services, {_strings(_ERRORS)} AS errors, {_strings(_KEYS)} AS keys,
    {_cumulative(tuple(1000 // (rank + 1) for rank in range(60)))} AS by_name
SELECT
    Number,
    fromUnixTimestamp64Micro(toInt64(TimeUs), 'UTC') AS Timestamp,
    if(traced, {self.hex("trace", "RequestKey")} || {self.hex("trace2", "RequestKey")}, '') AS TraceId,
    if(traced, {self.hex("span", "RequestKey", "intDiv(Part, 2)")}, '') AS SpanId,
    toUInt8(traced) AS TraceFlags,
    multiIf(outcome = 'failure', 'ERROR', outcome = 'denied', 'WARN', 'INFO') AS SeverityText,
    multiIf(outcome = 'failure', 17, outcome = 'denied', 13, 9) AS SeverityNumber,
    services[Instance % 5 + 1] AS ServiceName,
    {self._body()} AS Body,
    '' AS ResourceSchemaUrl,
    {self._resource()} AS ResourceAttributes,
    '' AS ScopeSchemaUrl, 'activitylog' AS ScopeName, '0.2.0' AS ScopeVersion,
    CAST(([], []), 'Map(LowCardinality(String), String)') AS ScopeAttributes,
    mapSort(CAST(arrayFilter(pair -> pair.2 != '', arrayConcat({self._facts()}, {self._other()})),
        'Map(LowCardinality(String), String)')) AS LogAttributes,
    noun || '.' || verb AS EventName
FROM
(
    SELECT
        *,
        arrayFirstIndex(edge -> edge > {self.uniform("name", "RequestKey", "Part")}, by_name) - 1 AS name,
        nouns[name % 12 + 1] AS noun,
        verbs[intDiv(name, 12) + 1] AS verb,
        {self.hash("tenant", "Actor")} / 18446744073709551616 AS tenant_share,
        'tenant-' || toString(toUInt32(exp(tenant_share * log({TENANTS})))) AS tenant,
        Actor % 20 = 19 AS machine,
        if(machine, 'job-' || toString(Actor % 997), toString(cityHash64(Actor) % 9000000 + 1000000)) AS actor,
        toUInt64(pow({self.uniform("object", "RequestKey", "intDiv(Part, 2)")}, 2) * 140000) AS object_number,
        if(noun IN ('file', 'report', 'document'), {_hex("sipHash64(object_number, noun)")},
            toString(object_number * 12 + name % 12)) AS object,
        {self.uniform("target", "RequestKey", "Part")} < 0.2 AS has_target,
        toString({self.hash("target id", "RequestKey")} % 5000) AS target,
        {self.uniform("traced", "RequestKey")} < 0.9 AS traced,
        {self.uniform("outcome", "RequestKey", "Part")} AS fate,
        multiIf(fate < 0.02, 'failure', fate < 0.03, 'denied', fate < 0.031, 'unknown', 'success') AS outcome,
        {self.uniform("duration", "RequestKey", "Part")} AS pace,
        toUInt64(exp(7 + name % 6 + 2.2 * (pace + {self.uniform("pace", "RequestKey", "Part")}))) AS duration_us,
        {self.hash("producer", "Instance", "Epoch")} % 4398046511104 AS producer,
        {self.hash("agent", "Session")} % 40 AS agent,
        3 + {self.hash("others", "RequestKey", "Part")} % 6 AS others
    FROM activity_skeleton
    ORDER BY Number
)
SETTINGS optimize_read_in_order = 1"""

    def uniform(self, purpose: str, *keys: str) -> str:
        """A number from 0 to 1, without 1."""
        return f"({self.hash(purpose, *keys)} / 18446744073709551616)"

    def hash(self, purpose: str, *keys: str) -> str:
        """64 bits that look random."""
        return f"sipHash64({self.seed}, '{purpose}', {', '.join(keys)})"

    def hex(self, purpose: str, *keys: str) -> str:
        """Sixteen hexadecimal digits that look random."""
        return _hex(self.hash(purpose, *keys))

    def _facts(self) -> str:
        """The attributes that have a meaning (:data:`activitylog.event.FIELDS`); an empty text is left out."""
        sampled = "name < 3"
        return f"""[
            ('log.record.uid', {_event_id("TimeUs", "Seq", "producer")}),
            (if(machine, 'activity.actor.id', 'user.id'), actor),
            ('activity.actor.type', if(machine, 'service', '')),
            ('activity.tenant.id', tenant),
            ('activity.object.type', noun), ('activity.object.id', object),
            ('activity.target.type', if(has_target, 'workspace', '')),
            ('activity.target.id', if(has_target, target, '')),
            ('activity.outcome', if(outcome = 'success', '', outcome)),
            ('error.type', if(outcome = 'failure', errors[{self.hash("error", "RequestKey")} % 8 + 1], '')),
            ('activity.duration', if(Part = 0 OR fate < 0.5, toString(duration_us / 1000000), '')),
            ('activity.count', if({self.uniform("count", "RequestKey", "Part")} < 0.01,
                toString(2 + RequestKey % 48), '')),
            ('activity.sample.weight', if({sampled}, toString([20, 10, 5][name + 1]), '')),
            ('activity.sample.rule', if({sampled}, noun || '.*', '')),
            ('activity.producer', right(leftPad(lower(hex(producer)), 12, '0'), 11)),
            ('activity.seq', toString(Seq)),
            ('session.id', {self.hex("session", "Session")} || {self.hex("session2", "Session")}),
            ('activity.request.id', if(traced, '',
                {self.hex("request", "RequestKey")} || {self.hex("request2", "RequestKey")})),
            ('http.request.method', methods[intDiv(name, 12) + 1]),
            ('http.route', '/' || noun || multiIf(verb = 'created', 's',
                verb = 'shared', 's/{{id}}/shares', 's/{{id}}')),
            ('http.response.status_code', multiIf(
                outcome = 'failure', ['500', '502', '400', '409'][RequestKey % 4 + 1],
                outcome = 'denied', '403', verb = 'created', '201', verb = 'deleted', '204', '200')),
            ('client.address', '10.' || toString({self.hash("net", "Actor")} % 250) || '.'
                || toString({self.hash("host", "Session")} % 250) || '.'
                || toString({self.hash("port", "Actor")} % 250)),
            ('user_agent.original', 'Mozilla/5.0 (' || ['X11; Linux x86_64', 'Macintosh; Intel Mac OS X 10_15_7',
                'Windows NT 10.0; Win64; x64', 'iPhone; CPU iPhone OS 18_6 like Mac OS X'][agent % 4 + 1]
                || ') AppleWebKit/537.36 (KHTML, like Gecko) Chrome/' || toString(130 + intDiv(agent, 4))
                || '.0.0.0 Safari/537.36')
        ]"""

    def _other(self) -> str:
        """Three to eight of twenty attributes of the application's own, from a handful of values to free ones."""
        pick = self.hash("key", "RequestKey", "Part")
        value = self.hash("value", "RequestKey", "Part", "number")
        return f"""arrayMap(number -> ((({pick} + number * 7) % 20 + 1) AS key, {value} AS value,
            (keys[key], multiIf(
                key IN (6, 8, 14, 15, 16, 19), keys[key] || '-' || toString(value % 6),
                key IN (1, 2, 4, 5, 7, 9, 12), keys[key] || '-' || toString(toUInt32(exp(value % 10000 / 2000.))),
                key = 13, 'A-' || toString(value % 100000000),
                key = 17, {_words("value", 2)},
                key = 18, 'https://example.com/' || {_word("value % 400")},
                key = 20, toString(round(value % 100000 / 100000, 3)),
                toString(toUInt32(exp(value % 100000 / 10000.))))))
            .3, range(others))"""

    def _body(self) -> str:
        """A sentence with the ids of actor and object; in four of ten followed by words that somebody typed."""
        free = self.hash("free", "RequestKey", "Part")
        return f"""actor || ' ' || verb || ' the ' || noun || ' ' || object
            || if({free} % 10 < 4, ': ' || {_words(free, 9)}, '')"""

    def _resource(self) -> str:
        """Fifteen attributes of a process in Kubernetes, as the SDK and the Collector's processor write them."""
        service = "services[Instance % 5 + 1]"
        pod = f"{service} || '-' || substring(lower(hex(sipHash64(Instance, Epoch))), 1, 10)"
        uid = "lower(hex(sipHash64(Epoch, Instance)) || hex(sipHash64(Instance, Epoch, 1)))"
        return f"""CAST([
            ('cloud.region', 'eu-central-1'), ('deployment.environment.name', 'production'),
            ('host.name', {pod}), ('k8s.cluster.name', 'main'), ('k8s.container.name', {service}),
            ('k8s.deployment.name', {service}), ('k8s.namespace.name', 'shop'),
            ('k8s.node.name', 'node-' || toString(Instance % 9)), ('k8s.pod.name', {pod}), ('k8s.pod.uid', {uid}),
            ('service.instance.id', {uid}), ('service.name', {service}),
            ('service.version', '4.' || toString(Epoch)),
            ('telemetry.sdk.language', 'python'), ('telemetry.sdk.version', '1.44.0')
        ], 'Map(LowCardinality(String), String)')"""


def _hex(number: str) -> str:
    return f"lower(hex(reinterpretAsFixedString({number})))"


def _event_id(time_us: str, seq: str, producer: str) -> str:
    """The text that ``activitylog.identity.Producer.next_id`` makes of a time, a number and a producer."""
    high = f"bitOr(bitOr(bitShiftLeft(intDiv({time_us}, 1000), 16), 0x7000), bitAnd({seq}, 0xFFF))"
    middle = f"bitShiftLeft(bitAnd(bitShiftRight({seq}, 12), 0xFFFFF), 42)"
    low = f"bitOr(bitOr(0x8000000000000000, {middle}), {producer})"
    digits = f"lower(leftPad(hex(toUInt64({high})), 16, '0') || leftPad(hex(toUInt64({low})), 16, '0'))"
    return f"toString(toUUID({digits}))"


def _word(number: str) -> str:
    """One of many made-up words; small numbers give few."""
    syllables = _strings(("ka", "lo", "mi", "ren", "tas", "vo", "dul", "pe", "sin", "gar"))
    return f"(arrayStringConcat(arrayMap(at -> {syllables}[intDiv({number}, at) % 10 + 1], [1, 10, 100])))"


def _words(number: str, count: int) -> str:
    """Words as people use them: some often, most rarely."""
    rank = f"toUInt64(pow(sipHash64({number}, word) / 18446744073709551616, 3) * 1000)"
    return f"arrayStringConcat(arrayMap(word -> {_word(rank)}, range({count})), ' ')"


def _strings(texts: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{text}'" for text in texts) + "]"


def _cumulative(weights: tuple[int, ...]) -> str:
    """The upper edges of shares that add up to 1."""
    total = sum(weights)
    edges = [sum(weights[: at + 1]) / total for at in range(len(weights))]
    return "[" + ", ".join(f"{edge:.6f}" for edge in [*edges[:-1], 1.000001]) + "]"
