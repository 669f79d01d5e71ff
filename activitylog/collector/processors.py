"""The processors that hold or refuse events: ``batch``, ``memory_limiter`` and ``filter``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from activitylog.collector.examined import Examined
from activitylog.collector.finding import Check, Problem, error, example, warning
from activitylog.collector.pipelines import Component, Pipeline


def _pipelines(examined: Examined) -> tuple[Pipeline, ...]:
    return examined.pipelines


def judge_batch(pipeline: Pipeline) -> Iterator[Problem]:
    """Events in memory, between the acknowledgement and the queue."""
    pipeline.require("processors")
    for processor in pipeline.processors:
        if processor.type == "batch":
            rest = ", ".join(other.id for other in pipeline.processors if other.id != processor.id)
            exporter = next((one for one in pipeline.destinations if one.type == "clickhouse"), None)
            yield error(
                processor.named,
                f"is {processor.id}: events are acknowledged, and then in memory only",
                *example((*pipeline.setting.path, "processors"), f"[{rest}]"),
                *(
                    (
                        "# Batches are made behind the queue on disk:",
                        *example(
                            (*exporter.path, "sending_queue", "batch"),
                            ("sizer: items", "min_size: 20000", "max_size: 50000", "flush_timeout: 2s"),
                        ),
                    )
                    if exporter
                    else ()
                ),
            )


BATCH: Final = Check(
    "processors.batch",
    "No batches before the queue",
    "The batch processor answers the sender at once. What it holds is lost when the Collector ends, and what "
    "the queue then refuses is dropped, because nobody is left to be told.",
    _pipelines,
    judge_batch,
    str,
)


def _first_pipelines(examined: Examined) -> list[Pipeline]:
    """Those that something else than a connector feeds: what it refuses comes back through the connectors."""
    return [
        pipeline
        for pipeline in examined.pipelines
        if not pipeline.receivers or not all(receiver.is_connector for receiver in pipeline.receivers)
    ]


def judge_memory_limiter(pipeline: Pipeline) -> Iterator[Problem]:
    """Nothing that refuses in time."""
    pipeline.require("processors")
    limiters = [processor for processor in pipeline.processors if processor.type == "memory_limiter"]
    others = [processor.id for processor in pipeline.processors if processor.type != "memory_limiter"]
    setting = pipeline.setting.at("processors")
    first = limiters[0].id if limiters else "memory_limiter"
    order = example(setting.path, f"[{', '.join([first, *others])}]")
    if not limiters:
        yield warning(
            setting,
            "has no memory_limiter",
            *example(
                ("processors", "memory_limiter"), ("check_interval: 1s", "limit_mib: 1600", "spike_limit_mib: 400")
            ),
            *order,
        )
    elif pipeline.processors[0].type != "memory_limiter":
        yield warning(limiters[0].named, f"is {first}, which must come first", *order)


MEMORY_LIMITER: Final = Check(
    "processors.memory_limiter",
    "Refusing before memory ends",
    "Refused events stay with their sender. A Collector that runs out of memory is killed, with what it had in "
    "hand.",
    _first_pipelines,
    judge_memory_limiter,
    str,
)


def _filters(examined: Examined) -> list[Component]:
    return examined.used("processors", ("filter",))


def judge_filter_errors(processor: Component) -> Iterator[Problem]:
    """A batch that is dropped because of one record."""
    setting = processor.setting.at("error_mode")
    if setting.text("ignore") == "propagate":
        yield warning(setting, "is propagate", *example((*processor.path, "error_mode"), "ignore"))


FILTER_ERRORS: Final = Check(
    "filter.error_mode",
    "Errors of a filter",
    "A condition that fails on one record drops the whole request, all its other events with it.",
    _filters,
    judge_filter_errors,
    str,
)


def judge_filter(processor: Component) -> Iterator[Problem]:
    """Events that nobody counts."""
    for key in ("logs", "log_conditions"):
        setting = processor.setting.at(key)
        if setting.kind != "nothing" and (setting.elements() if setting.kind == "a list" else setting.items()):
            yield warning(
                setting,
                "drops events that are in no counter of ours",
                "# Let the rules of the clients drop them, which count what they drop:",
                "#   [[rules]]",
                '#   match = "healthcheck.*"',
                "#   drop = true",
            )


FILTER: Final = Check(
    "filter.uncounted",
    "Events that a filter drops",
    "`activitylog verify` reports them as missing, and totals are too small by as many.",
    _filters,
    judge_filter,
    str,
)


CHECKS: Final = (BATCH, MEMORY_LIMITER, FILTER_ERRORS, FILTER)
