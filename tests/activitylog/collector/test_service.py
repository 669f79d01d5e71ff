"""Pipelines, their parts, and who sees how they do."""

from __future__ import annotations

from tests.activitylog.collector.good import AGENT, BALANCER, GATEWAY, PIPELINE, Breakage, assert_broken, each

BREAKAGES: list[Breakage] = [
    (
        GATEWAY,
        ((PIPELINE, "      processors: [memory_limiter, transform/event_name, resource]\n"),),
        "service.references",
        "error",
        "service.pipelines.logs.processors[2]",
        "is resource, which processors does not have",
    ),
    (
        GATEWAY,
        (("  extensions: [file_storage/queue]", "  extensions: [file_storage/queue, health_check]"),),
        "service.references",
        "error",
        "service.extensions[1]",
        "is health_check",
    ),
    (
        GATEWAY,
        (("  pipelines:\n", "  telemetry: {metrics: {level: none}}\n  pipelines:\n"),),
        "telemetry.level",
        "error",
        "service.telemetry.metrics.level",
        "invisible",
    ),
    (
        GATEWAY,
        (("  pipelines:\n", "  telemetry: {metrics: {readers: []}}\n  pipelines:\n"),),
        "telemetry.readers",
        "error",
        "service.telemetry.metrics.readers",
        "is empty",
    ),
    (
        GATEWAY,
        (("  pipelines:\n", '  telemetry: {metrics: {address: "localhost:8888"}}\n  pipelines:\n'),),
        "telemetry.readers",
        "error",
        "service.telemetry.metrics.address",
        "replaced by readers",
    ),
    (
        GATEWAY,
        (
            ("exporters: [clickhouse]", "exporters: [clickhouse, file]"),
            ("exporters:\n  clickhouse:", "exporters:\n  file: {path: /data/events}\n  clickhouse:"),
        ),
        "routes.exporters",
        "warning",
        "service.pipelines.logs.exporters",
        "clickhouse and file",
    ),
    (
        GATEWAY,
        (
            (
                "    logs:\n",
                "    logs/copy:\n      receivers: [otlp]\n"
                + PIPELINE
                + "      exporters: [clickhouse]\n    logs:\n",
            ),
        ),
        "routes.receivers",
        "warning",
        "receivers.otlp",
        "same table",
    ),
    (
        AGENT,
        (("otlp_grpc", "otlp/gateway"),),
        "deprecated.types",
        "warning",
        "exporters.otlp/gateway",
        "is called otlp_grpc now",
    ),
    (
        BALANCER,
        (("load_balancing", "loadbalancing"),),
        "deprecated.types",
        "warning",
        "exporters.loadbalancing",
        "is called load_balancing now",
    ),
]


@each(BREAKAGES)
def test_one_thing_is_broken(breakage: Breakage) -> None:
    """The check says so, and no other one."""
    assert_broken(breakage)
