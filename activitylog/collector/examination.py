"""Running the checks: all of them, whatever one of them cannot read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from activitylog.collector.examined import Examined, Role
from activitylog.collector.finding import AnyCheck, Finding, Problem, Severity, error
from activitylog.collector.registry import CHECKS
from activitylog.collector.value import NotKnown, Setting, WrongValueError
from activitylog.exceptions import ConfigurationError


def examine(
    configuration: Setting, *, role: Role = Role.AUTO, checks: Iterable[AnyCheck] = CHECKS
) -> list[Finding]:
    """
    Look for what loses, duplicates or mislabels activity events.

    Args:
        configuration: as :func:`activitylog.collector.read` returns it.
        role: what the Collector is for.
        checks: which ones, in this order.

    Returns:
        For each check a finding for each problem, one for each value that is not known here, and one that all is
        well when there is neither. Nothing of a check that has nothing to look at.

    Raises:
        ConfigurationError: the sections of the configuration are not what a Collector's are.
    """
    examined = Examined(configuration=configuration, role=role)
    try:
        _ = examined.routes
    except NotKnown as not_known:
        raise ConfigurationError(
            f"which components there are is not known here: it depends on {not_known.what}.",
            hint="Set it as where the Collector runs, and check again.",
        ) from None
    return [finding for check in checks for finding in _run(check, examined)]


def _run(check: AnyCheck, examined: Examined) -> list[Finding]:
    found: dict[Finding, None] = {}
    looked_at: list[str] = []
    for subject in _subjects(check, examined, found):
        before = len(found)
        for finding in _judged(check, subject):
            found[finding] = None
        if len(found) == before:
            looked_at.append(check.shown(subject))
    if not found and looked_at:
        return [_fine(check, list(dict.fromkeys(looked_at)))]
    return list(found)


def _subjects(check: AnyCheck, examined: Examined, found: dict[Finding, None]) -> list[Any]:
    try:
        return list(check.ask(examined))
    except NotKnown as not_known:
        found[_skipped(check, not_known)] = None
    except WrongValueError as wrong:
        found[_of_problem(check, _refused(wrong))] = None
    return []


def _judged(check: AnyCheck, subject: Any) -> Iterator[Finding]:
    try:
        for problem in check.judge(subject):
            yield _of_problem(check, problem)
    except NotKnown as not_known:
        yield _skipped(check, not_known)
    except WrongValueError as wrong:
        yield _of_problem(check, _refused(wrong))


def _refused(wrong: WrongValueError) -> Problem:
    return error(
        wrong.setting,
        f"is {wrong.setting.kind}, and must be {wrong.expected}: the Collector does not start",
        "# `otelcol validate --config FILE` says what it expects.",
    )


def _of_problem(check: AnyCheck, problem: Problem) -> Finding:
    setting = problem.setting
    return Finding(
        check=check.name,
        title=check.title,
        severity=problem.severity,
        found=f"{setting} {problem.found}",
        why=check.why,
        do=problem.do,
        file=setting.near.file,
        line=setting.near.line,
        key=setting.name,
    )


def _skipped(check: AnyCheck, not_known: NotKnown) -> Finding:
    setting = not_known.setting
    return Finding(
        check=check.name,
        title=check.title,
        severity=Severity.SKIPPED,
        found=str(not_known),
        file=setting.near.file,
        line=setting.near.line,
        key=setting.name,
    )


def _fine(check: AnyCheck, looked_at: list[str]) -> Finding:
    return Finding(check=check.name, title=check.title, severity=Severity.OK, found=", ".join(looked_at))
