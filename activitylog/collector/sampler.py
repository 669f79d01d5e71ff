"""
The ``probabilistic_sampler``: rows must say how many events they stand for.

Defaults and what it does with records that it cannot judge are those of
processor/probabilisticsamplerprocessor (config.go, logsprocessor.go, sampler_mode.go).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from activitylog.collector.examined import Examined
from activitylog.collector.finding import Check, Problem, error, example, warning
from activitylog.collector.ottl import calls_of
from activitylog.collector.pipelines import Component, Route

WEIGHT: Final = "activity.sample.weight"
#: Attributes that every event of ours has, and each another value of.
_ALWAYS_THERE: Final = frozenset({"log.record.uid"})
_THRESHOLD: Final = 'log.attributes["sampling.threshold"]'
_OUTCOME: Final = 'log.attributes["activity.outcome"]'

#: What is kept of 2 to the power of 56: the threshold is what is dropped, in hexadecimal digits without the zeros
#: at its end.
_KEPT: Final = (
    f'(72057594037927936.0 - Double(ParseInt(Substring(Concat([{_THRESHOLD}, "00000000000000"], ""), 0, 14), 16)))'
)
_WEIGHING: Final = (
    "error_mode: ignore",
    "log_statements:",
    f'  - set(log.attributes["{WEIGHT}"], 1.0) where {_THRESHOLD} != nil and log.attributes["{WEIGHT}"] == nil',
    f'  - set(log.attributes["{WEIGHT}"], log.attributes["{WEIGHT}"] * 72057594037927936.0 / {_KEPT}) '
    f"where {_THRESHOLD} != nil",
)


def _samplers(examined: Examined) -> list[Component]:
    return examined.used("processors", ("probabilistic_sampler",))


def _percentage(sampler: Component) -> float:
    return sampler.setting.at("sampling_percentage").number(0)


@dataclass(frozen=True, slots=True)
class _Sampled:
    """A sampler on its way to an exporter."""

    sampler: Component
    route: Route

    def __str__(self) -> str:
        return f"{self.sampler} before {self.route.exporter}"


def _sampled(examined: Examined) -> list[_Sampled]:
    """Each sampler with each exporter behind it, once."""
    found: dict[tuple[str, str], _Sampled] = {}
    for route in examined.routes:
        for processor in route.processors:
            if processor.type == "probabilistic_sampler":
                pair = _Sampled(processor, route)
                key = (processor.id, route.exporter.id)
                if key not in found or not _weighs(route.after(processor)):
                    found[key] = pair
    return list(found.values())


def _weighs(processors: tuple[Component, ...]) -> bool:
    return any(
        call.function == "set" and call.target == "attributes" and call.key == WEIGHT
        for processor in processors
        for call in calls_of(processor)
    )


def judge_weights(sampled: _Sampled) -> Iterator[Problem]:
    """Rows that count for one and stand for many."""
    sampler, route = sampled.sampler, sampled.route
    if _percentage(sampler) >= 100 or _weighs(route.after(sampler)):
        return
    route.require_processors()
    do = (
        *example(("processors", "transform/sample_weight"), _WEIGHING),
        f"# In the pipeline it stands behind {sampler.id}. All of it: collector-config/overlays/sampling.yaml.",
    )
    if route.exporter.type == "clickhouse":
        yield error(
            sampler.named, f"is {sampler.id}, and nothing behind it says in {WEIGHT} how many events are left", *do
        )
    else:
        yield warning(
            sampler.named,
            f"is {sampler.id}, and nothing behind it here says in {WEIGHT} how many events are left",
            "# The Collector that writes to ClickHouse must do so, or this one:",
            *do,
        )


WEIGHTS: Final = Check(
    "sampler.weights",
    "Weights of sampled events",
    "Each row counts for as many events as its SampleWeight says. What is dropped here without a word makes every "
    "count and sum too small.",
    _sampled,
    judge_weights,
    str,
)


def judge_percentage(sampler: Component) -> Iterator[Problem]:
    """Nothing passes."""
    setting = sampler.setting.at("sampling_percentage")
    if setting.number(0) <= 0:
        state = "is 0" if setting.is_set else "is not set, and 0 by default"
        yield error(
            setting, f"{state}: every event is dropped", *example((*sampler.path, "sampling_percentage"), "10")
        )


PERCENTAGE: Final = Check(
    "sampler.percentage",
    "Share of events",
    "A sampler that lets nothing through is a pipeline without an end.",
    _samplers,
    judge_percentage,
    str,
)


def judge_fail_closed(sampler: Component) -> Iterator[Problem]:
    """Events that cannot be judged are dropped, and weigh nothing."""
    setting = sampler.setting.at("fail_closed")
    if not setting.flag(True) or _percentage(sampler) >= 100:
        return
    hashes = sampler.setting.at("mode").text("hash_seed") in ("", "hash_seed")
    if hashes and sampler.setting.at("from_attribute").text() in _ALWAYS_THERE:
        return
    state = "is true" if setting.is_set else "is not set, and true by default"
    yield error(
        setting,
        f"{state}: every event without a trace (or without the attribute) is dropped",
        *example((*sampler.path, "fail_closed"), "false"),
        *(
            (
                "# Or judge by what every event has:",
                *example(sampler.path, ("attribute_source: record", "from_attribute: log.record.uid")),
            )
            if hashes
            else ()
        ),
    )


FAIL_CLOSED: Final = Check(
    "sampler.fail_closed",
    "Events that cannot be judged",
    "Events of jobs, commands and everything outside a request have no trace. All of them are dropped, and no "
    "weight of others stands for them.",
    _samplers,
    judge_fail_closed,
    str,
)


def judge_priority(sampler: Component) -> Iterator[Problem]:
    """Failures are sampled as everything else."""
    setting = sampler.setting.at("sampling_priority")
    if not setting.text() and _percentage(sampler) < 100:
        yield warning(
            setting,
            "is not set: failures and denials are sampled, too",
            *example(
                ("processors",),
                (
                    *example(sampler.path[1:], ("sampling_priority: activity.sample.priority",)),
                    "# A transform before it sets that to 100 (a number) for what must not be sampled:",
                    *example(
                        ("transform/priority", "log_statements"),
                        (
                            '- set(log.attributes["activity.sample.priority"], 100) where '
                            f'{_OUTCOME} == "failure" or {_OUTCOME} == "denied"',
                        ),
                    ),
                ),
            ),
        )


PRIORITY: Final = Check(
    "sampler.priority",
    "Failures and denials",
    "The client's rules never sample them. They are few, and somebody looks for each of them.",
    _samplers,
    judge_priority,
    str,
)


def judge_second(route: Route) -> Iterator[Problem]:
    """Records that already say how they were sampled."""
    samplers = [processor for processor in route.processors if processor.type == "probabilistic_sampler"]
    for second in samplers[1:]:
        if second.setting.at("mode").text("hash_seed") not in ("", "hash_seed"):
            continue
        closed = second.setting.at("fail_closed").flag(True)
        what = "drops all of them" if closed else "lets all of them pass"
        yield (error if closed else warning)(
            second.named,
            f"is {second.id}, the second on the way: records with a threshold are errors to it, and it {what}",
            *example((*second.path, "mode"), "proportional"),
        )


def _with_several(examined: Examined) -> list[Route]:
    """The ways with more than one sampler; one for each series of processors."""
    several = [
        route
        for route in examined.routes
        if sum(processor.type == "probabilistic_sampler" for processor in route.processors) > 1
    ]
    return list({tuple(processor.id for processor in route.processors): route for route in several}.values())


SECOND: Final = Check(
    "sampler.twice",
    "One sampler after another",
    "In the mode hash_seed a sampler does not judge a record that has sampling.threshold already.",
    _with_several,
    judge_second,
    lambda route: str(route.pipelines[-1]),
)

CHECKS: Final = (WEIGHTS, PERCENTAGE, FAIL_CLOSED, PRIORITY, SECOND)
