"""Two levels of an exporter."""

from __future__ import annotations

from tests.activitylog.collector.good import BALANCER, QUEUE, Breakage, assert_broken, each

BREAKAGES: list[Breakage] = [
    (
        BALANCER,
        (("routing_key: attributes\n    routing_attributes: [user.id]", "timeout: 10s"),),
        "load_balancing.routing_key",
        "warning",
        "exporters.load_balancing.routing_key",
        "service for logs",
    ),
    (
        BALANCER,
        (("routing_key: attributes\n    routing_attributes: [user.id]", "routing_key: streamID"),),
        "load_balancing.routing_key",
        "error",
        "exporters.load_balancing.routing_key",
        "refuses it for logs",
    ),
    (
        BALANCER,
        (("    routing_attributes: [user.id]\n", ""),),
        "load_balancing.routing_key",
        "error",
        "exporters.load_balancing.routing_attributes",
        "does not start",
    ),
    (
        BALANCER,
        (("    sending_queue:\n      enabled: true\n" + QUEUE, ""),),
        "load_balancing.sending_queue",
        "error",
        "exporters.load_balancing.sending_queue",
        "off by default here",
    ),
    (
        BALANCER,
        (("        sending_queue:\n          enabled: false\n", ""),),
        "load_balancing.inner_queue",
        "error",
        "exporters.load_balancing.protocol.otlp.sending_queue",
        "on by default",
    ),
    (
        BALANCER,
        (("          enabled: false\n", "          storage: file_storage/queue\n"),),
        "load_balancing.inner_queue",
        "error",
        "exporters.load_balancing.protocol.otlp.sending_queue.storage",
        "not supported",
    ),
    (
        BALANCER,
        (("max_elapsed_time: 20s", "max_elapsed_time: 0s"),),
        "load_balancing.inner_retry",
        "warning",
        "exporters.load_balancing.protocol.otlp.retry_on_failure.max_elapsed_time",
        "for ever",
    ),
    (
        BALANCER,
        (("      initial_interval: 1s\n", ""),),
        "load_balancing.retry_interval",
        "warning",
        "exporters.load_balancing.retry_on_failure.initial_interval",
        "without a pause",
    ),
    (
        BALANCER,
        (("      dns:\n        hostname: gateway\n", "      static: {hostnames: [a, b]}\n"),),
        "load_balancing.resolver",
        "warning",
        "exporters.load_balancing.resolver.static",
        "never learns",
    ),
]


@each(BREAKAGES)
def test_one_thing_is_broken(breakage: Breakage) -> None:
    """The check says so, and no other one."""
    assert_broken(breakage)
