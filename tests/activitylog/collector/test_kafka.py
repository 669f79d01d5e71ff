"""Kafka between Collectors."""

from __future__ import annotations

from tests.activitylog.collector.good import FROM_KAFKA, TO_KAFKA, Breakage, assert_broken, each

BREAKAGES: list[Breakage] = [
    (
        TO_KAFKA,
        (("encoding: otlp_proto", "encoding: raw"),),
        "kafka.encoding",
        "error",
        "exporters.kafka.logs.encoding",
        "is neither otlp_proto nor otlp_json",
    ),
    (
        FROM_KAFKA,
        (("encoding: otlp_proto", "encoding: text"),),
        "kafka.encoding",
        "error",
        "receivers.kafka.logs.encoding",
        "is neither otlp_proto nor otlp_json",
    ),
    (
        TO_KAFKA,
        (("      required_acks: all\n", ""),),
        "kafka_exporter.required_acks",
        "warning",
        "exporters.kafka.producer.required_acks",
        "one broker",
    ),
    (
        TO_KAFKA,
        (("required_acks: all", "required_acks: 0"),),
        "kafka_exporter.required_acks",
        "error",
        "exporters.kafka.producer.required_acks",
        "is 0",
    ),
    (
        TO_KAFKA,
        (("      max_message_bytes: 33554432\n", ""),),
        "kafka_exporter.max_message_bytes",
        "error",
        "exporters.kafka.producer.max_message_bytes",
        "1,000,000",
    ),
    (
        FROM_KAFKA,
        (("after: true", "after: false"),),
        "kafka_receiver.message_marking",
        "error",
        "receivers.kafka.message_marking.after",
        "before the events are stored",
    ),
    (
        FROM_KAFKA,
        (("on_error: false", "on_error: true"),),
        "kafka_receiver.message_marking",
        "error",
        "receivers.kafka.message_marking.on_error",
        "marked as taken",
    ),
    (
        FROM_KAFKA,
        (("on_error: false", "on_error: false\n      on_permanent_error: true"),),
        "kafka_receiver.message_marking",
        "error",
        "receivers.kafka.message_marking.on_permanent_error",
        "marked as taken",
    ),
    (
        FROM_KAFKA,
        (("    error_backoff:\n      enabled: true\n", ""),),
        "kafka_receiver.error_backoff",
        "warning",
        "receivers.kafka.error_backoff.enabled",
        "false by default",
    ),
    (
        FROM_KAFKA,
        (("initial_offset: earliest", "initial_offset: latest"),),
        "kafka_receiver.initial_offset",
        "warning",
        "receivers.kafka.initial_offset",
        "is latest",
    ),
]


@each(BREAKAGES)
def test_one_thing_is_broken(breakage: Breakage) -> None:
    """The check says so, and no other one."""
    assert_broken(breakage)
