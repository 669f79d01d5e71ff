"""Processors that hold, drop, sample and fold events."""

from __future__ import annotations

import pytest
import yaml

from tests.activitylog.collector.good import (
    FOLDING,
    GATEWAY,
    PIPELINE,
    SAMPLING,
    Breakage,
    assert_broken,
    broken,
    each,
    examined,
    problems,
    processor,
)

BREAKAGES: list[Breakage] = [
    (
        GATEWAY,
        processor("batch: {timeout: 1s}"),
        "processors.batch",
        "error",
        "service.pipelines.logs.processors[2]",
        "in memory only",
    ),
    (
        GATEWAY,
        ((PIPELINE, "      processors: [transform/event_name]\n"),),
        "processors.memory_limiter",
        "warning",
        "service.pipelines.logs.processors",
        "has no memory_limiter",
    ),
    (
        GATEWAY,
        ((PIPELINE, "      processors: [transform/event_name, memory_limiter]\n"),),
        "processors.memory_limiter",
        "warning",
        "service.pipelines.logs.processors[1]",
        "must come first",
    ),
    (
        GATEWAY,
        processor("filter: {log_conditions: ['log.event_name == \"a.b\"']}"),
        "filter.uncounted",
        "warning",
        "processors.filter.log_conditions",
        "in no counter of ours",
    ),
    (
        GATEWAY,
        processor("filter: {logs: {log_record: ['event_name == \"a.b\"']}}"),
        "filter.uncounted",
        "warning",
        "processors.filter.logs",
        "in no counter of ours",
    ),
    (
        GATEWAY,
        processor("filter: {error_mode: propagate}"),
        "filter.error_mode",
        "warning",
        "processors.filter.error_mode",
        "is propagate",
    ),
    (
        GATEWAY,
        (("error_mode: ignore", "error_mode: propagate"),),
        "transform.error_mode",
        "warning",
        "processors.transform/event_name.error_mode",
        "is propagate",
    ),
    (
        SAMPLING,
        (("probabilistic_sampler, transform/weight,", "transform/weight, probabilistic_sampler,"),),
        "sampler.weights",
        "error",
        "service.pipelines.logs.processors[2]",
        "activity.sample.weight",
    ),
    (
        SAMPLING,
        (("    sampling_percentage: 10\n", ""),),
        "sampler.percentage",
        "error",
        "processors.probabilistic_sampler.sampling_percentage",
        "0 by default",
    ),
    (
        SAMPLING,
        (("    fail_closed: false\n", ""),),
        "sampler.fail_closed",
        "error",
        "processors.probabilistic_sampler.fail_closed",
        "every event without a trace",
    ),
    (
        SAMPLING,
        (("    sampling_priority: activity.sample.priority\n", ""),),
        "sampler.priority",
        "warning",
        "processors.probabilistic_sampler.sampling_priority",
        "failures and denials",
    ),
    (
        SAMPLING,
        (
            ("transform/weight, transform", "probabilistic_sampler/2, transform/weight, transform"),
            (
                "processors:\n  prob",
                "processors:\n  probabilistic_sampler/2:\n    sampling_percentage: 5\n    fail_closed: false\n"
                "    sampling_priority: activity.sample.priority\n  prob",
            ),
        ),
        "sampler.twice",
        "warning",
        "service.pipelines.logs.processors[2]",
        "lets all of them pass",
    ),
    (
        FOLDING,
        (('    conditions:\n      - log.event_name == "message.typing"\n', ""),),
        "dedup.conditions",
        "error",
        "processors.logdedup.conditions",
        "every event is folded",
    ),
    (
        FOLDING,
        (("    log_count_attribute: activity.count\n", ""),),
        "dedup.count",
        "error",
        "processors.logdedup.log_count_attribute",
        "log_count by default",
    ),
    (
        FOLDING,
        (("      - attributes.activity\\.event\\.name\n", ""),),
        "dedup.event_name",
        "error",
        "processors.logdedup.include_fields",
        "does not have the event's name",
    ),
    (
        FOLDING,
        (("transform/event_name, logdedup", "logdedup, transform/event_name"),),
        "dedup.event_name",
        "error",
        "service.pipelines.logs.processors[1]",
        "its key lacks it",
    ),
    (
        FOLDING,
        (
            (
                "    include_fields:\n      - attributes.activity\\.event\\.name\n      - attributes.user\\.id\n",
                "    exclude_fields:\n      - attributes.activity\\.seq\n",
            ),
        ),
        "dedup.unique",
        "warning",
        "processors.logdedup.exclude_fields",
        "lacks log.record.uid",
    ),
]


@each(BREAKAGES)
def test_one_thing_is_broken(breakage: Breakage) -> None:
    """The check says so, and no other one."""
    assert_broken(breakage)


def done(text: str, *changes: tuple[str, str]) -> tuple[str, ...]:
    """What is to be written where this is changed."""
    (finding,) = [
        finding
        for finding in examined(broken(text, *changes))
        if finding.is_problem and finding.check != "dedup.memory"
    ]
    return finding.do


def test_include_fields_stand_in_the_place_of_exclude_fields() -> None:
    """The Collector refuses both together."""
    lines = done(
        FOLDING,
        (
            "    include_fields:\n      - attributes.activity\\.event\\.name\n      - attributes.user\\.id\n",
            "    exclude_fields:\n      - attributes.activity\\.seq\n",
        ),
    )
    assert lines[0].startswith("# Instead of exclude_fields")


def test_one_mapping_of_processors() -> None:
    """A key that stands twice is an error."""
    lines = done(SAMPLING, ("    sampling_priority: activity.sample.priority\n", ""))
    assert lines.count("processors:") == 1
    assert set(yaml.safe_load("\n".join(lines))["processors"]) == {"probabilistic_sampler", "transform/priority"}


@pytest.mark.parametrize(("mode", "said"), [("hash_seed", True), ("proportional", False)])
def test_an_attribute_to_judge_by_only_where_it_is_hashed(mode: str, said: bool) -> None:
    """The other modes take the trace's randomness, or that of an attribute made for it."""
    lines = done(SAMPLING, ("    fail_closed: false\n", f"    mode: {mode}\n"))
    assert any("from_attribute" in line for line in lines) is said


def test_a_limiter_before_the_connector_is_enough() -> None:
    """What it refuses comes back through it."""
    text = broken(
        GATEWAY,
        ("    logs:\n      receivers: [otlp]\n", "    logs:\n      receivers: [forward]\n"),
        (PIPELINE, "      processors: [transform/event_name]\n"),
        (
            "  pipelines:\n",
            "  pipelines:\n    logs/in:\n      receivers: [otlp]\n      processors: [memory_limiter]\n"
            "      exporters: [forward]\n",
        ),
        ("extensions:\n  file", "connectors:\n  forward:\nextensions:\n  file"),
    )
    assert problems(text) == []
    assert problems(broken(text, ("processors: [memory_limiter]", "processors: []"))) == [
        ("processors.memory_limiter", "warning")
    ]
