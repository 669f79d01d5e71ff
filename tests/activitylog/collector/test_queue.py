"""What is acknowledged, and the disk that keeps it."""

from __future__ import annotations

import pytest

from tests.activitylog.collector.good import (
    AGENT,
    BALANCER,
    GATEWAY,
    QUEUE,
    Breakage,
    assert_broken,
    broken,
    each,
    examined,
)

BREAKAGES: list[Breakage] = [
    (
        GATEWAY,
        ((QUEUE, ""),),
        "queue.storage",
        "error",
        "exporters.clickhouse.sending_queue.storage",
        "in memory only",
    ),
    (AGENT, ((QUEUE, ""),), "queue.storage", "error", "exporters.otlp_grpc.sending_queue.storage", "in memory"),
    (
        GATEWAY,
        (("extensions: [file_storage/queue]", "extensions: []"),),
        "queue.extension",
        "error",
        "exporters.clickhouse.sending_queue.storage",
        "service.extensions does not list",
    ),
    (
        GATEWAY,
        ((QUEUE, QUEUE + "      wait_for_result: true\n"),),
        "queue.valid",
        "error",
        "exporters.clickhouse.sending_queue.wait_for_result",
        "refuses both",
    ),
    (
        GATEWAY,
        (("        sizer: items\n", "        sizer: requests\n"),),
        "queue.valid",
        "error",
        "exporters.clickhouse.sending_queue.batch.sizer",
        "items or bytes only",
    ),
    (
        GATEWAY,
        (
            ("        sizer: items\n", "        sizer: bytes\n"),
            ("min_size: 20000", "min_size: 5000001"),
            ("max_size: 50000\n", "max_size: 9000000\n"),
        ),
        "queue.valid",
        "error",
        "exporters.clickhouse.sending_queue.batch.min_size",
        "more than the queue_size",
    ),
    (
        GATEWAY,
        (("min_size: 20000", "min_size: -1"),),
        "queue.valid",
        "error",
        "exporters.clickhouse.sending_queue.batch.min_size",
        "must not be negative",
    ),
    (
        GATEWAY,
        (("max_size: 50000\n", "max_size: -1\n"),),
        "queue.valid",
        "error",
        "exporters.clickhouse.sending_queue.batch.max_size",
        "must not be negative",
    ),
    (
        GATEWAY,
        (("        sizer: items\n", ""), ("max_size: 50000\n", "max_size: 9000000\n")),
        "queue.batch_min_size",
        "warning",
        "exporters.clickhouse.sending_queue.batch.min_size",
        "is 20,000 bytes",
    ),
    (
        GATEWAY,
        ((QUEUE, "      wait_for_result: true\n"), ("max_elapsed_time: 0s", "max_elapsed_time: 29s")),
        "queue.retry_intervals",
        "error",
        "exporters.clickhouse.retry_on_failure.max_elapsed_time",
        "less than the max_interval of 30 s",
    ),
    (
        GATEWAY,
        (("max_size: 50000", "max_size: 19999"),),
        "queue.valid",
        "error",
        "exporters.clickhouse.sending_queue.batch.max_size",
        "less than the min_size",
    ),
    (
        GATEWAY,
        ((QUEUE, QUEUE + "      num_consumers: 0\n"),),
        "queue.valid",
        "error",
        "exporters.clickhouse.sending_queue.num_consumers",
        "must be positive",
    ),
    (
        GATEWAY,
        ((QUEUE, QUEUE + "      block_on_overflow: true\n"),),
        "queue.block_on_overflow",
        "warning",
        "exporters.clickhouse.sending_queue.block_on_overflow",
        "send again",
    ),
    (
        GATEWAY,
        (
            (
                "      batch:\n        sizer: items\n        min_size: 20000\n        max_size: 50000\n"
                "        flush_timeout: 2s\n",
                "",
            ),
        ),
        "queue.batch",
        "warning",
        "exporters.clickhouse.sending_queue.batch",
        "each request becomes one INSERT",
    ),
    (
        GATEWAY,
        (("      batch:\n", "      batch:\n        enabled: false\n"),),
        "queue.batch",
        "warning",
        "exporters.clickhouse.sending_queue.batch",
        "is off",
    ),
    (
        GATEWAY,
        (("min_size: 20000", "min_size: 500"),),
        "queue.batch_min_size",
        "warning",
        "exporters.clickhouse.sending_queue.batch.min_size",
        "is 500",
    ),
    (
        GATEWAY,
        (("        max_size: 50000\n", ""),),
        "queue.batch_max_size",
        "warning",
        "exporters.clickhouse.sending_queue.batch.max_size",
        "no limit",
    ),
    (
        GATEWAY,
        (("        flush_timeout: 2s\n", ""),),
        "queue.flush_timeout",
        "warning",
        "exporters.clickhouse.sending_queue.batch.flush_timeout",
        "200ms",
    ),
    (
        GATEWAY,
        (("flush_timeout: 2s", "flush_timeout: 0s"),),
        "queue.flush_timeout",
        "error",
        "exporters.clickhouse.sending_queue.batch.flush_timeout",
        "must be positive",
    ),
    (
        GATEWAY,
        (("      enabled: true\n      max_elapsed", "      enabled: false\n      max_elapsed"),),
        "queue.retry_on_failure",
        "error",
        "exporters.clickhouse.retry_on_failure.enabled",
        "what fails once is dropped",
    ),
    (
        BALANCER,
        (("    retry_on_failure:\n      enabled: true\n", "    retry_on_failure:\n"),),
        "queue.retry_on_failure",
        "error",
        "exporters.load_balancing.retry_on_failure.enabled",
        "off by default here",
    ),
    (
        GATEWAY,
        (("      max_elapsed_time: 0s\n", ""),),
        "queue.max_elapsed_time",
        "error",
        "exporters.clickhouse.retry_on_failure.max_elapsed_time",
        "300 s",
    ),
    (
        AGENT,
        (("max_elapsed_time: 0s", "max_elapsed_time: 1h"),),
        "queue.max_elapsed_time",
        "error",
        "exporters.otlp_grpc.retry_on_failure.max_elapsed_time",
        "is 3600 s",
    ),
    (
        GATEWAY,
        (("    fsync: true\n", ""),),
        "file_storage.fsync",
        "warning",
        "extensions.file_storage/queue.fsync",
        "false by default",
    ),
    (
        GATEWAY,
        (("    directory: /var/lib/otelcol/queue\n    create", "    directory: /tmp/queue\n    create"),),
        "file_storage.directory",
        "error",
        "extensions.file_storage/queue.directory",
        "below /tmp",
    ),
    (
        GATEWAY,
        (("      sizer: bytes\n", "      sizer: items\n"),),
        "queue.sizer",
        "warning",
        "exporters.clickhouse.sending_queue.sizer",
        "how much of the disk",
    ),
    (
        AGENT,
        (("      sizer: bytes\n", ""),),
        "queue.sizer",
        "warning",
        "exporters.otlp_grpc.sending_queue.sizer",
        "requests by default",
    ),
    (
        GATEWAY,
        (("    fsync: true\n", "    fsync: true\n    max_size: 14999999\n"),),
        "file_storage.max_size",
        "error",
        "extensions.file_storage/queue.max_size",
        "which the queue can reach",
    ),
    (
        GATEWAY,
        (("    fsync: true\n", "    fsync: true\n    recreate: true\n"),),
        "file_storage.recreate",
        "warning",
        "extensions.file_storage/queue.recreate",
        "*.backup",
    ),
    (
        GATEWAY,
        (("      on_start: true\n      on_rebound: true\n", ""),),
        "file_storage.compaction",
        "warning",
        "extensions.file_storage/queue.compaction",
        "never shrinks",
    ),
]


@each(BREAKAGES)
def test_one_thing_is_broken(breakage: Breakage) -> None:
    """The check says so, and no other one."""
    assert_broken(breakage)


@pytest.mark.parametrize(
    ("queue", "batch", "said"),
    [
        ("", "        sizer: items\n", None),
        ("", "", "items"),
        ("      sizer: items\n", "", "items"),
    ],
)  # fmt: skip
def test_a_sizer_of_the_queue_leaves_the_batches_alone(queue: str, batch: str, said: str | None) -> None:
    """A batch without a sizer would take over the one that is to be written on the queue."""
    text = broken(GATEWAY, ("      sizer: bytes\n", queue), ("        sizer: items\n", batch))
    (sizer,) = [finding for finding in examined(text) if finding.check == "queue.sizer"]
    (storage,) = [finding for finding in examined(broken(text, (QUEUE, ""))) if finding.check == "queue.storage"]
    for finding in (sizer, storage):
        assert ("        sizer: items" in finding.do) is (said is not None)
        assert "      sizer: bytes" in finding.do


def test_extensions_that_are_started_already_are_in_the_list() -> None:
    """A list replaces the one that is there."""
    text = broken(
        GATEWAY,
        ("extensions: [file_storage/queue]", "extensions: [health_check]"),
        ("extensions:\n  file", "extensions:\n  health_check:\n  file"),
    )
    (finding,) = [finding for finding in examined(text) if finding.is_problem]
    assert finding.do == ("service:", "  extensions: [health_check, file_storage/queue]")
