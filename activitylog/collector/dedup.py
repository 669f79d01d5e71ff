"""
The ``logdedup`` processor: many similar records become one that counts them.

What its key is, and what it makes of a record, is in processor/logdedupprocessor/counter.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from activitylog.collector.clickhouse import EVENT_NAME_ATTRIBUTE, copies_event_name
from activitylog.collector.examined import Examined
from activitylog.collector.finding import Check, Problem, error, example, warning
from activitylog.collector.pipelines import Component

#: Two records of ours always differ in these.
_UNIQUE: Final = ("log.record.uid", "activity.seq")
_COUNT: Final = "activity.count"


def _dedups(examined: Examined) -> list[Component]:
    return examined.used("processors", ("log_dedup",))


def judge_conditions(processor: Component) -> Iterator[Problem]:
    """All events, audit events among them."""
    setting = processor.setting.at("conditions")
    if not setting.elements():
        yield error(
            setting,
            "is not set: every event is folded with others",
            *example((*processor.path, "conditions"), ('- log.event_name == "message.typing"',)),
        )


CONDITIONS: Final = Check(
    "dedup.conditions",
    "Which events are folded",
    "Without conditions every event loses its time and waits in memory, those that were to be durable, too.",
    _dedups,
    judge_conditions,
    str,
)


def judge_count(processor: Component) -> Iterator[Problem]:
    """A count that no column takes."""
    setting = processor.setting.at("log_count_attribute")
    if setting.text("log_count") != _COUNT:
        state = f"is not {_COUNT}" if setting.is_set else "is not set, and log_count by default"
        yield error(setting, state, *example((*processor.path, "log_count_attribute"), _COUNT))


COUNT: Final = Check(
    "dedup.count",
    "How many they were",
    f"EventCount is read from {_COUNT}. A row that stands for a thousand events counts for one without it.",
    _dedups,
    judge_count,
    str,
)


def judge_memory(processor: Component) -> Iterator[Problem]:
    """What it holds, and what it writes."""
    yield warning(
        processor.named,
        f"is {processor.id}: it holds events in memory only, and their time becomes that of their going on",
        "# Let the rules of the clients fold them, which keep times and lose nothing:",
        "#   [[rules]]",
        '#   match = "message.typing"',
        '#   rollup = "10s"',
    )


MEMORY: Final = Check(
    "dedup.memory",
    "Events between two intervals",
    "They were acknowledged. When the Collector is killed, those of the interval are lost, and rows say when "
    "it was over, not when something happened.",
    _dedups,
    judge_memory,
    str,
)


def judge_unique(processor: Component) -> Iterator[Problem]:
    """Ids that make every record another one."""
    excluded = {text.replace("\\.", ".") for _, text in processor.setting.at("exclude_fields").texts()}
    if processor.setting.at("include_fields").elements():
        return
    missing = [key for key in _UNIQUE if f"attributes.{key}" not in excluded]
    if missing:
        setting = processor.setting.at("exclude_fields")
        yield warning(
            setting,
            f"lacks {' and '.join(missing)}, which differ in every event: nothing is ever folded",
            *(("# Instead of exclude_fields; the Collector refuses both together:",) if setting.is_set else ()),
            *example(
                (*processor.path, "include_fields"),
                (
                    f"- attributes.{_escaped(EVENT_NAME_ATTRIBUTE)}",
                    f"- attributes.{_escaped('user.id')}",
                    f"- attributes.{_escaped('activity.object.id')}",
                ),
            ),
        )


UNIQUE: Final = Check(
    "dedup.unique",
    "Events that are alike",
    "Two events are folded when all their attributes are equal, and ids and numbers of ours never are.",
    _dedups,
    judge_unique,
    str,
)


@dataclass(frozen=True, slots=True)
class _Named:
    processor: Component
    has_copy: bool

    def __str__(self) -> str:
        return str(self.processor)


def _named(examined: Examined) -> list[_Named]:
    """Each with the worst way to it."""
    found: dict[str, _Named] = {}
    for route in examined.routes:
        for place, processor in enumerate(route.processors):
            if processor.type == "log_dedup":
                copied = copies_event_name(route.processors[:place])
                if processor.id not in found or not copied:
                    found[processor.id] = _Named(processor, copied)
    return list(found.values())


def judge_name(named: _Named) -> Iterator[Problem]:
    """Events of another name in the same row."""
    setting = named.processor.setting.at("include_fields")
    included = {text.replace("\\.", ".") for _, text in setting.texts()}
    if not named.has_copy:
        yield error(
            named.processor.named,
            f"is {named.processor.id}, and no transform before it copies the event's name: its key lacks it",
            *example(
                ("processors", "transform/event_name", "log_statements"),
                (f'- set(log.attributes["{EVENT_NAME_ATTRIBUTE}"], log.event_name) where log.event_name != ""',),
            ),
            f"# In the pipeline it stands before {named.processor.id}.",
        )
    elif included and f"attributes.{EVENT_NAME_ATTRIBUTE}" not in included:
        yield error(
            setting,
            f"lacks attributes.{_escaped(EVENT_NAME_ATTRIBUTE)}: its key does not have the event's name",
            *example(
                (*named.processor.path, "include_fields"), (f"- attributes.{_escaped(EVENT_NAME_ATTRIBUTE)}",)
            ),
        )


def _escaped(key: str) -> str:
    return key.replace(".", "\\.")


NAME: Final = Check(
    "dedup.event_name",
    "Events of one name",
    "Its key is made of the body, the severity and attributes. Events of two names that are alike in these "
    "become one, with the name of the first.",
    _named,
    judge_name,
    str,
)

CHECKS: Final = (CONDITIONS, COUNT, NAME, UNIQUE, MEMORY)
