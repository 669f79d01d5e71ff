"""What a check of a configuration says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from activitylog.collector.value import Setting
from activitylog.store.doctor.finding import Finding as StoreFinding
from activitylog.store.doctor.finding import Severity

if TYPE_CHECKING:
    from activitylog.collector.examined import Examined

__all__ = ["AnyCheck", "Check", "Finding", "Problem", "Severity", "error", "example", "warning"]

Subject = TypeVar("Subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(StoreFinding):
    """
    The answer of one check about one setting; about all that it looked at when nothing is wrong.

    Attributes:
        file: where the setting stands, or would; empty when nothing is wrong.
        line: counts from 1; 0 when nothing is wrong.
        key: the setting, such as ``exporters.clickhouse.create_schema``.
    """

    file: str = ""
    line: int = 0
    key: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """
    Something that should be changed.

    Attributes:
        setting: which one.
        found: what is wrong with it; reads on after the setting's name. Holds no text of the configuration that
            may be a secret.
        do: YAML to write; a line that begins with ``#`` is a word to the reader.
    """

    severity: Severity
    setting: Setting
    found: str
    do: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check(Generic[Subject]):
    """
    A question about a configuration.

    Attributes:
        name: stable, for scripts.
        title: for people.
        why: why it matters, in a sentence or two.
        ask: what it looks at: components, pipelines, routes. A check without anything to look at says nothing.
        judge: looks at one of them. Pure. What it reads may raise :class:`NotKnown` or :class:`WrongValueError`.
        shown: how one of them is called where all is well.
    """

    name: str
    title: str
    why: str
    ask: Callable[[Examined], Iterable[Subject]]
    judge: Callable[[Subject], Iterator[Problem]]
    shown: Callable[[Subject], str]


AnyCheck = Check[Any]


def error(setting: Setting, found: str, *do: str) -> Problem:
    """Events are lost, doubled or mislabelled, or the Collector does not start."""
    return Problem(Severity.ERROR, setting, found, do)


def warning(setting: Setting, found: str, *do: str) -> Problem:
    """It works, and something about it should be changed."""
    return Problem(Severity.WARNING, setting, found, do)


def example(path: Sequence[str], value: str | Sequence[str] = "") -> tuple[str, ...]:
    """
    YAML that says this: ``("a", "b"), "c"`` is the lines ``a:`` and ``  b: c``.

    Args:
        path: keys from the top.
        value: behind the last key; several lines stand below it.
    """
    lines = [f"{'  ' * depth}{key}:" for depth, key in enumerate(path)]
    if isinstance(value, str):
        return (*lines[:-1], f"{lines[-1]} {value}".rstrip())
    return (*lines, *(f"{'  ' * len(path)}{line}" for line in value))
