"""
The ``clickhouse`` exporter in front of our landing table.

Its defaults and the order in which it reads ``async_insert`` are those of clickhouseexporter/config.go, the
schemes those of clickhouse-go's ``ParseDSN``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from activitylog.collector.addresses import Endpoint, endpoint_of
from activitylog.collector.examined import Examined
from activitylog.collector.finding import Check, Problem, error, example, warning
from activitylog.collector.ottl import statements_of
from activitylog.collector.pipelines import Component, Route
from activitylog.collector.value import Setting
from activitylog.store.columns import EVENTS_TABLE, INGEST_TABLE

#: The attribute that the landing table takes the name from, when the exporter leaves out the column.
EVENT_NAME_ATTRIBUTE: Final = "activity.event.name"

_LEAST_TIMEOUT_SECONDS: Final = 30.0
_SCHEMES: Final = ("tcp", "clickhouse", "http", "https")
_COPIES_NAME: Final = re.compile(
    r'set\(\s*(?:log\.)?attributes\["' + re.escape(EVENT_NAME_ATTRIBUTE) + r'"\]\s*,\s*(?:log\.)?event_name\s*\)'
)


def exporters(examined: Examined) -> list[Component]:
    """The exporters of this type that are used."""
    return examined.used("exporters", ("clickhouse",))


def judge_create_schema(exporter: Component) -> Iterator[Problem]:
    """Tables of its own."""
    setting = exporter.setting.at("create_schema")
    if setting.flag(True):
        state = "is true" if setting.is_set else "is not set, and true by default"
        yield error(setting, state, *example((*exporter.path, "create_schema"), "false"))


CREATE_SCHEMA: Final = Check(
    "clickhouse.create_schema",
    "Tables are ours",
    "Where our table is missing, the exporter makes one of its own under this name (MergeTree, its own "
    "columns). No view fills activity_events from that, and no query of ours finds the events. `activitylog "
    "schema apply` makes the right one.",
    exporters,
    judge_create_schema,
    str,
)


def judge_table(exporter: Component) -> Iterator[Problem]:
    """Rows that go to another table."""
    setting = exporter.setting.at("logs_table_name")
    table = setting.text("otel_logs")
    if table == INGEST_TABLE:
        return
    if table == EVENTS_TABLE:
        found = f"is {EVENTS_TABLE}, which has other columns than the exporter writes: every insert is refused"
    elif setting.is_set:
        found = f"is not {INGEST_TABLE}"
    else:
        found = "is not set, and otel_logs by default"
    yield error(setting, found, *example((*exporter.path, "logs_table_name"), INGEST_TABLE))


TABLE: Final = Check(
    "clickhouse.logs_table_name",
    "The landing table",
    f"Events arrive in activity_events only through {INGEST_TABLE}: it has the exporter's columns, and a view "
    "makes typed rows of them.",
    exporters,
    judge_table,
    str,
)


def judge_async_insert(exporter: Component) -> Iterator[Problem]:
    """The one that counts: of connection_params, else of the endpoint, else the exporter's own."""
    params = exporter.setting.at("connection_params", "async_insert")
    own = exporter.setting.at("async_insert")
    do = example((*exporter.path, "async_insert"), "false")
    if params.is_set:
        if not _is_off(params.text()):
            yield error(
                params,
                "turns asynchronous inserts on, whatever async_insert says",
                *example((*exporter.path, "connection_params", "async_insert"), '"0"'),
            )
        return
    endpoint = exporter.setting.at("endpoint")
    query = endpoint_of(endpoint.text()).query
    if "async_insert" in query:
        if not _is_off(query["async_insert"]):
            yield error(
                endpoint,
                "turns asynchronous inserts on in its query, whatever async_insert says",
                "# Take async_insert out of the endpoint, and write:",
                *do,
            )
        return
    if own.flag(True):
        yield error(own, "is true" if own.is_set else "is not set, and true by default", *do)


def _is_off(text: str) -> bool:
    return text.strip().lower() in ("0", "false")


ASYNC_INSERT: Final = Check(
    "clickhouse.async_insert",
    "One batch, one block",
    "With asynchronous inserts ClickHouse mixes batches into blocks of its own. A batch that is sent again is "
    "then no block that it knows, and its rows are stored twice.",
    exporters,
    judge_async_insert,
    str,
)


def judge_json(exporter: Component) -> Iterator[Problem]:
    """Columns of another type."""
    setting = exporter.setting.at("json")
    if setting.flag(False):
        yield error(
            setting, "is true: attributes are written as JSON", *example((*exporter.path, "json"), "false")
        )


JSON: Final = Check(
    "clickhouse.json",
    "Attributes as maps",
    "The landing table's attributes are maps. What is written as JSON does not fit into them.",
    exporters,
    judge_json,
    str,
)


def judge_without_effect(exporter: Component) -> Iterator[Problem]:
    """Settings that only matter to who creates tables."""
    if exporter.setting.at("create_schema").flag(True):
        return
    for key in ("ttl", "table_engine", "cluster_name"):
        setting = exporter.setting.at(key)
        if setting.is_set:
            yield warning(
                setting,
                "has no effect where create_schema is false",
                f"# Take it out. {_WHERE_INSTEAD[key]}",
            )


_WHERE_INSTEAD: Final = {
    "ttl": "`activitylog schema apply` sets how long events are kept (store.retention_days of its settings).",
    "table_engine": "`activitylog schema apply` chooses the engine.",
    "cluster_name": "`activitylog schema apply` knows the cluster (store.cluster of its settings).",
}
WITHOUT_EFFECT: Final = Check(
    "clickhouse.without_effect",
    "Settings that do nothing",
    "Somebody may rely on them: rows are not deleted by a ttl that no table has.",
    exporters,
    judge_without_effect,
    str,
)


def judge_timeout(exporter: Component) -> Iterator[Problem]:
    """An insert that is repeated while the first one still runs."""
    setting = exporter.setting.at("timeout")
    seconds = setting.seconds(5.0)
    if 0 < seconds < _LEAST_TIMEOUT_SECONDS:
        state = f"is {seconds:g} s" if setting.is_set else "is not set: 5 s"
        yield warning(setting, f"{state} for an attempt", *example((*exporter.path, "timeout"), "60s"))


TIMEOUT: Final = Check(
    "clickhouse.timeout",
    "Time for an insert",
    "An insert that takes longer is sent again although the first one may have been stored: its rows are there "
    "twice, unless the block is the same one and ClickHouse still remembers it.",
    exporters,
    judge_timeout,
    str,
)


def judge_endpoint(exporter: Component) -> Iterator[Problem]:
    """None, or one that the driver does not understand as it is meant."""
    setting = exporter.setting.at("endpoint")
    endpoint = endpoint_of(setting.text())
    do = example((*exporter.path, "endpoint"), "tcp://clickhouse.example:9440?secure=true")
    if not setting.text():
        yield error(setting, "is not set: the Collector does not start", *do)
    elif endpoint.scheme not in _SCHEMES:
        scheme = "begins with no scheme" if not endpoint.scheme else "begins with a scheme that is none of them"
        yield error(setting, f"{scheme}: {', '.join(f'{name}://' for name in _SCHEMES)}", *do)


ENDPOINT: Final = Check(
    "clickhouse.endpoint",
    "Address of ClickHouse",
    "The driver takes any other scheme for its native protocol, and without one it finds no address.",
    exporters,
    judge_endpoint,
    str,
)


def judge_plain_text(exporter: Component) -> Iterator[Problem]:
    """A password that everybody on the way can read."""
    setting = exporter.setting.at("endpoint")
    endpoint = endpoint_of(setting.text())
    if endpoint.is_loopback or endpoint.scheme not in _SCHEMES or _is_encrypted(exporter.setting, endpoint):
        return
    if endpoint.has_password or exporter.setting.at("password").text():
        secure = (
            f"https://{_host(endpoint)}:8443"
            if endpoint.scheme in ("http", "https")
            else f"tcp://{_host(endpoint)}:9440?secure=true"
        )
        yield warning(
            setting,
            "sends the password in plain text to another machine",
            *example((*exporter.path, "endpoint"), secure),
        )


def _host(endpoint: Endpoint) -> str:
    return endpoint.host if re.fullmatch(r"[A-Za-z0-9._-]{1,253}", endpoint.host) else "clickhouse.example"


def _is_encrypted(setting: Setting, endpoint: Endpoint) -> bool:
    """As the exporter decides: any setting of ``tls`` stands over the endpoint's ``secure``."""
    tls = setting.at("tls")
    if tls.at("insecure").flag(False) and not tls.at("ca_file").text():
        return False
    files = ("cert_file", "key_file", "ca_file", "server_name_override")
    if any(tls.at(name).text() for name in files) or tls.at("insecure_skip_verify").flag(False):
        return True
    secure = setting.at("connection_params", "secure").text(endpoint.query.get("secure", "false"))
    return endpoint.scheme == "https" or secure.lower() in ("", "1", "t", "true")


PLAIN_TEXT: Final = Check(
    "clickhouse.plain_text",
    "Password over TLS",
    "Who has the writer's password can write events of anybody.",
    exporters,
    judge_plain_text,
    str,
)


def _routes(examined: Examined) -> list[Route]:
    """One route for each exporter: one that does not copy the name, if there is any."""
    routes: dict[tuple[str, str], Route] = {}
    for route in examined.routes:
        if route.exporter.type == "clickhouse" and (
            route.exporter.path not in routes or not copies_event_name(route.processors)
        ):
            routes[route.exporter.path] = route
    return list(routes.values())


def copies_event_name(processors: tuple[Component, ...]) -> bool:
    """Whether one of them copies the name of an event into its attributes."""
    return any(
        _COPIES_NAME.search(statement.text) for processor in processors for statement in statements_of(processor)
    )


def judge_event_name(route: Route) -> Iterator[Problem]:
    """The column that the exporter may leave out."""
    route.require_processors()
    if copies_event_name(route.processors):
        return
    pipeline = route.pipelines[-1]
    before = ", ".join(processor.id for processor in pipeline.processors)
    yield warning(
        pipeline.setting.at("processors"),
        f"has no transform that copies the event's name for {route.exporter}",
        *example(
            ("processors", "transform/event_name"),
            (
                "error_mode: ignore",
                "log_statements:",
                f'  - set(log.attributes["{EVENT_NAME_ATTRIBUTE}"], log.event_name) where log.event_name != ""',
            ),
        ),
        *example(
            (*pipeline.setting.path, "processors"), f"[{before}{', ' if before else ''}transform/event_name]"
        ),
    )


EVENT_NAME: Final = Check(
    "clickhouse.event_name",
    "The event's name",
    "The exporter looks only once, when it starts, whether the table has the column EventName. A gateway that "
    "starts while ClickHouse is away writes without it, the table refuses events without a name, and nothing "
    "is delivered until the gateway is restarted. From the copy the table takes the name all the same.",
    _routes,
    judge_event_name,
    lambda route: str(route.exporter),
)

CHECKS: Final = (
    CREATE_SCHEMA,
    TABLE,
    ASYNC_INSERT,
    JSON,
    EVENT_NAME,
    TIMEOUT,
    ENDPOINT,
    PLAIN_TEXT,
    WITHOUT_EFFECT,
)
