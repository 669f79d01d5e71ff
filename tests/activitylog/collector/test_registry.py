"""All checks: what they say of configurations that are right, and that each can be made to say something."""

from __future__ import annotations

import pytest

from activitylog.collector import CHECKS, Severity
from tests.activitylog.collector import (
    test_clickhouse,
    test_kafka,
    test_keys,
    test_load_balancing,
    test_otlp,
    test_processors,
    test_queue,
    test_service,
)
from tests.activitylog.collector.good import (
    AGENT,
    ALL,
    FROM_KAFKA,
    GATEWAY,
    QUEUE,
    SAMPLING,
    TO_KAFKA,
    broken,
    examined,
    problems,
    processor,
)
from tests.activitylog.collector.test_keys import attributes, statement

EXPORTERS = "exporters:\n"
BREAKAGES = [
    *test_clickhouse.BREAKAGES,
    *test_kafka.BREAKAGES,
    *test_keys.BREAKAGES,
    *test_load_balancing.BREAKAGES,
    *test_otlp.BREAKAGES,
    *test_processors.BREAKAGES,
    *test_queue.BREAKAGES,
    *test_service.BREAKAGES,
]
#: Checks that say what cannot be broken in one place of a good configuration; they have tests of their own.
ELSEWHERE = {
    "dedup.memory",
    "service.components",
    "service.exporters",
    "service.others",
    "service.pipelines",
    "service.receivers",
    "service.role",
}


@pytest.mark.parametrize(("name", "text"), ALL.items(), ids=ALL)
def test_nothing_is_wrong_with_a_good_one(name: str, text: str) -> None:
    """No error in any, no warning but the one that folding always has; and nothing is unknown."""
    expected = [("dedup.memory", "warning")] if name == "folding" else []
    assert problems(text) == expected
    assert [finding for finding in examined(text) if finding.severity == Severity.SKIPPED] == []


def test_every_check_is_broken_somewhere() -> None:
    """A new check has its row above."""
    assert {check.name for check in CHECKS} == {row[2] for row in BREAKAGES} | ELSEWHERE


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        pytest.param(GATEWAY, ((QUEUE, "      wait_for_result: true\n"),), id="the sender waits"),
        pytest.param(GATEWAY, (("timeout: 60s", "timeout: 0s"),), id="no timeout at all"),
        pytest.param(GATEWAY, (("tcp://clickhouse:9440?secure=true", "http://[::1]:8123"),), id="loopback"),
        pytest.param(
            GATEWAY,
            (
                ("tcp://clickhouse:9440?secure=true", "tcp://clickhouse:9440"),
                ("    timeout: 60s", "    tls: {ca_file: /a}\n    timeout: 60s"),
            ),
            id="TLS of the exporter",
        ),
        pytest.param(
            GATEWAY,
            (("    async_insert: false\n", '    connection_params: {async_insert: "0"}\n'),),
            id="asynchronous inserts off by parameter",
        ),
        pytest.param(
            FROM_KAFKA, ((QUEUE, QUEUE + "      block_on_overflow: true\n"),), id="Kafka waits as long as it takes"
        ),
        pytest.param(
            TO_KAFKA,
            (
                ("      max_message_bytes: 33554432\n", ""),
                (QUEUE, QUEUE + "      batch: {sizer: items, min_size: 500, max_size: 500}\n"),
            ),
            id="small messages",
        ),
        pytest.param(
            SAMPLING,
            (("fail_closed: false", "attribute_source: record\n    from_attribute: log.record.uid"),),
            id="every event has an id",
        ),
        pytest.param(
            SAMPLING,
            (("sampling_percentage: 10", "sampling_percentage: 100"), ("    fail_closed: false\n", "")),
            id="nothing is sampled",
        ),
        pytest.param(
            GATEWAY,
            (("    fsync: true\n", "    fsync: true\n    max_size: 15000000\n"),),
            id="a file that is larger than its queue ever is",
        ),
        pytest.param(GATEWAY, attributes("action: insert, key: activity.tenant.id, value: acme"), id="insert"),
        pytest.param(GATEWAY, attributes("action: delete, pattern: '^(('"), id="a pattern that is none"),
        pytest.param(
            GATEWAY,
            statement(
                'set(log.attributes["activity.tenant.id"], "a") where log.attributes["activity.tenant.id"] == nil'
            ),
            id="filling in",
        ),
        pytest.param(GATEWAY, statement('delete_key(resource.attributes, "user.id")'), id="of the resource"),
        pytest.param(
            GATEWAY,
            processor(
                "transform/more:\n    log_statements:\n      - context: resource\n        statements:\n"
                '          - delete_key(attributes, "user.id")',
                "transform/more",
            ),
            id="of the resource, by context",
        ),
        pytest.param(GATEWAY, statement('delete_key(log.attributes, "sampling.threshold")'), id="not ours"),
        pytest.param(
            GATEWAY,
            (("exporters: [clickhouse]", "exporters: [clickhouse, debug]"), (EXPORTERS, EXPORTERS + "  debug:\n")),
            id="debug never refuses",
        ),
        pytest.param(
            GATEWAY,
            (
                (
                    "  pipelines:\n",
                    "  pipelines:\n    traces: {receivers: [nothing], exporters: [loadbalancing]}\n",
                ),
                (EXPORTERS, EXPORTERS + "  loadbalancing:\n  clickhouse/unused:\n"),
            ),
            id="other signals, and what is not used",
        ),
    ],
)
def test_other_ways_that_are_right(text: str, changes: tuple[tuple[str, str], ...]) -> None:
    """What must not be called wrong."""
    assert problems(broken(text, *changes)) == []


def test_without_a_queue_only_small_inserts_are_wrong() -> None:
    """Nothing is acknowledged before it is stored, so nothing needs a disk, or may be tried for ever."""
    text = broken(GATEWAY, (QUEUE, "      enabled: false\n"), ("      max_elapsed_time: 0s\n", ""))
    assert problems(text) == [("queue.batch", "warning")]


def test_a_batch_without_a_value_is_on() -> None:
    """`batch: null` has the defaults: 8,192 events, no limit, 200 ms."""
    text = broken(
        GATEWAY,
        (
            "      batch:\n        sizer: items\n        min_size: 20000\n        max_size: 50000\n"
            "        flush_timeout: 2s\n",
            "      batch: null\n",
        ),
    )
    assert problems(text) == [("queue.batch_max_size", "warning"), ("queue.flush_timeout", "warning")]


def test_a_sampler_of_an_agent_leaves_the_weights_to_the_gateway() -> None:
    """The threshold travels with the record, so it is a warning there."""
    text = broken(
        AGENT,
        ("processors: [memory_limiter]", "processors: [memory_limiter, probabilistic_sampler]"),
        (
            "processors:\n  memory",
            "processors:\n  probabilistic_sampler: {sampling_percentage: 10, fail_closed: false, "
            "sampling_priority: p}\n  memory",
        ),
    )
    assert problems(text) == [("sampler.weights", "warning")]


def test_a_condition_in_quotes_is_none() -> None:
    """The text of a value is no part of the statement."""
    text = broken(GATEWAY, *statement('set(log.attributes["activity.seq"], "x) where y")'))
    (finding,) = [finding for finding in examined(text) if finding.is_problem]
    assert (finding.severity, finding.found.endswith("what is missing")) == (Severity.ERROR, True)
