"""Two levels of an exporter."""

from __future__ import annotations

from tests.activitylog.collector.good import (
    BALANCER,
    QUEUE,
    Breakage,
    assert_broken,
    broken,
    each,
    examined,
    problems,
)

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
        (("max_elapsed_time: 5s", "max_elapsed_time: 0s"),),
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
        (("          max_interval: 2s\n", ""),),
        "load_balancing.inner_retry",
        "error",
        "exporters.load_balancing.protocol.otlp.retry_on_failure.max_elapsed_time",
        "less than the max_interval of 30 s",
    ),
    (
        BALANCER,
        (("      multiplier: 1.5\n", ""),),
        "load_balancing.retry_interval",
        "warning",
        "exporters.load_balancing.retry_on_failure.multiplier",
        "does not grow",
    ),
    (
        BALANCER,
        (("routing_attributes: [user.id]", "routing_attributes: ''"),),
        "load_balancing.routing_key",
        "error",
        "exporters.load_balancing.routing_attributes",
        "does not start",
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


def done(*changes: tuple[str, str]) -> tuple[str, ...]:
    """What is to be written where this is changed."""
    (finding,) = [finding for finding in examined(broken(BALANCER, *changes)) if finding.is_problem]
    return finding.do


def test_what_is_to_be_written_is_valid() -> None:
    """The Collector refuses a max_elapsed_time below max_interval, and has no growth of its own here."""
    inner = done(("max_elapsed_time: 5s", "max_elapsed_time: 0s"))
    assert [line.strip() for line in inner[-2:]] == ["max_interval: 2s", "max_elapsed_time: 5s"]
    outer = done(("    retry_on_failure:\n      enabled: true\n", "    retry_on_failure:\n"))
    for lines in (outer, done(("      initial_interval: 1s\n", ""))):
        assert {"multiplier: 1.5", "randomization_factor: 0.5"} <= {line.strip() for line in lines}
    off = done(("    sending_queue:\n      enabled: true\n", "    sending_queue:\n      enabled: false\n"))
    assert "      enabled: true" in off


def test_attributes_with_commas() -> None:
    """A text is a list to the Collector."""
    assert problems(broken(BALANCER, ("[user.id]", "user.id,activity.tenant.id"))) == []
