"""What a check says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from activitylog.store.doctor.examined import Examined

Facts = TypeVar("Facts")


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """Events are lost, doubled or refused, or will be soon."""
    WARNING = "warning"
    """It works, and something about it should be changed."""
    OK = "ok"
    SKIPPED = "skipped"
    """Not looked at; the finding says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What a check makes of its facts.

    Attributes:
        found: one sentence.
        details: one line each, the worst first.
        do: commands and SQL to copy, in order; a line that begins with ``#`` is a word to the reader.
            ``--url URL`` stands for the store.
    """

    severity: Severity
    found: str
    details: tuple[str, ...] = ()
    do: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check(Generic[Facts]):
    """
    A question about the store.

    Attributes:
        name: stable, for scripts.
        title: for people.
        why: why it matters, in a sentence or two.
        ask: asks the database. Raises Skip, or the driver's error.
        judge: looks at what ``ask`` returned. Pure.
    """

    name: str
    title: str
    why: str
    ask: Callable[[Examined], Facts]
    judge: Callable[[Facts], Verdict]


AnyCheck = Check[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    The answer of one check.

    Attributes:
        check: the check's name.
        why: why it matters; empty when nothing is wrong.
    """

    check: str
    title: str
    severity: Severity
    found: str
    details: tuple[str, ...] = ()
    why: str = ""
    do: tuple[str, ...] = ()

    @property
    def is_problem(self) -> bool:
        """Whether somebody should do something."""
        return self.severity in (Severity.ERROR, Severity.WARNING)


class Skip(Exception):  # noqa: N818 - not an error
    """Raised by ``ask``: this cannot or need not be looked at here, with the reason in words."""


def ok(found: str, *details: str) -> Verdict:
    """Nothing is wrong."""
    return Verdict(Severity.OK, found, details)


def warning(found: str, *details: str, do: tuple[str, ...] = ()) -> Verdict:
    """Something should be changed."""
    return Verdict(Severity.WARNING, found, details, do)


def error(found: str, *details: str, do: tuple[str, ...] = ()) -> Verdict:
    """Something is broken, or about to be."""
    return Verdict(Severity.ERROR, found, details, do)


def plural(count: int, one: str, many: str = "") -> str:
    """``1 part``, ``2 parts``, ``1,000 parts``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def worst(*problems: Verdict) -> Verdict:
    """Several verdicts as one: the worst one's severity, all their details and commands."""
    if len(problems) == 1:
        return problems[0]
    order = sorted(problems, key=lambda verdict: list(Severity).index(verdict.severity))
    others = tuple(line for verdict in order[1:] for line in (verdict.found, *verdict.details))
    return Verdict(
        order[0].severity,
        order[0].found,
        order[0].details + others,
        tuple(dict.fromkeys(line for verdict in order for line in verdict.do)),
    )
