"""The exporter in front of the landing table."""

from __future__ import annotations

from tests.activitylog.collector.good import GATEWAY, PIPELINE, Breakage, assert_broken, each

BREAKAGES: list[Breakage] = [
    (
        GATEWAY,
        (("create_schema: false", "create_schema: true"),),
        "clickhouse.create_schema",
        "error",
        "exporters.clickhouse.create_schema",
        "is true",
    ),
    (
        GATEWAY,
        (("    create_schema: false\n", ""),),
        "clickhouse.create_schema",
        "error",
        "exporters.clickhouse.create_schema",
        "is not set, and true by default",
    ),
    (
        GATEWAY,
        (("activity_events_ingest", "otel_logs"),),
        "clickhouse.logs_table_name",
        "error",
        "exporters.clickhouse.logs_table_name",
        "is not activity_events_ingest",
    ),
    (
        GATEWAY,
        (("activity_events_ingest", "activity_events"),),
        "clickhouse.logs_table_name",
        "error",
        "exporters.clickhouse.logs_table_name",
        "has other columns",
    ),
    (
        GATEWAY,
        (("    logs_table_name: activity_events_ingest\n", ""),),
        "clickhouse.logs_table_name",
        "error",
        "exporters.clickhouse.logs_table_name",
        "otel_logs by default",
    ),
    (
        GATEWAY,
        (("    async_insert: false\n", ""),),
        "clickhouse.async_insert",
        "error",
        "exporters.clickhouse.async_insert",
        "true by default",
    ),
    (
        GATEWAY,
        (("?secure=true", "?secure=true&async_insert=1"),),
        "clickhouse.async_insert",
        "error",
        "exporters.clickhouse.endpoint",
        "in its query",
    ),
    (
        GATEWAY,
        (("async_insert: false", 'connection_params: {async_insert: "1"}'),),
        "clickhouse.async_insert",
        "error",
        "exporters.clickhouse.connection_params.async_insert",
        "whatever async_insert says",
    ),
    (
        GATEWAY,
        (("    timeout: 60s", "    json: true\n    timeout: 60s"),),
        "clickhouse.json",
        "error",
        "exporters.clickhouse.json",
        "is true",
    ),
    (
        GATEWAY,
        (("    timeout: 60s", "    ttl: 72h\n    timeout: 60s"),),
        "clickhouse.without_effect",
        "warning",
        "exporters.clickhouse.ttl",
        "has no effect",
    ),
    (
        GATEWAY,
        (("    timeout: 60s\n", ""),),
        "clickhouse.timeout",
        "warning",
        "exporters.clickhouse.timeout",
        "is not set: 5 s",
    ),
    (
        GATEWAY,
        (("    timeout: 60s\n", "    timeout: 1500ms\n"),),
        "clickhouse.timeout",
        "warning",
        "exporters.clickhouse.timeout",
        "is 1.5 s",
    ),
    (
        GATEWAY,
        (("tcp://clickhouse:9440?secure=true", "clickhouse:8123"),),
        "clickhouse.endpoint",
        "error",
        "exporters.clickhouse.endpoint",
        "no scheme",
    ),
    (
        GATEWAY,
        (("    endpoint: tcp://clickhouse:9440?secure=true\n", ""),),
        "clickhouse.endpoint",
        "error",
        "exporters.clickhouse.endpoint",
        "is not set",
    ),
    (
        GATEWAY,
        (("tcp://clickhouse:9440?secure=true", "http://clickhouse:8123"),),
        "clickhouse.plain_text",
        "warning",
        "exporters.clickhouse.endpoint",
        "in plain text",
    ),
    (
        GATEWAY,
        (("tcp://clickhouse:9440?secure=true", "tcp://10.1.2.3:9000"),),
        "clickhouse.plain_text",
        "warning",
        "exporters.clickhouse.endpoint",
        "in plain text",
    ),
    (
        GATEWAY,
        ((PIPELINE, "      processors: [memory_limiter]\n"),),
        "clickhouse.event_name",
        "warning",
        "service.pipelines.logs.processors",
        "no transform that copies",
    ),
]


@each(BREAKAGES)
def test_one_thing_is_broken(breakage: Breakage) -> None:
    """The check says so, and no other one."""
    assert_broken(breakage)
