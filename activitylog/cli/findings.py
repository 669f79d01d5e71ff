"""Findings on the screen: problems with what to do about them, what is fine, and what could not be looked at."""

from __future__ import annotations

import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from activitylog.cli.dataclass_rows import plain
from activitylog.cli.errors import FAILED, clean

if TYPE_CHECKING:
    from activitylog.store.doctor import Finding

_FAIL_ON: Final = {"error": ("error",), "warning": ("error", "warning")}
_COLOURS: Final = {"error": "red", "warning": "yellow"}
_MARKS: Final = {"error": "ERROR", "warning": "WARNING"}

fail_on_option = click.option(
    "--fail-on",
    type=click.Choice(["warning", "error"]),
    default="error",
    show_default=True,
    help="From which severity on the exit code is 1.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a finding.")


def report(found: Sequence[Finding], *, fail_on: str, as_json: bool) -> int:
    """
    Print findings on standard output, the worst first for people, in their own order for machines.

    Args:
        found: of all checks.
        fail_on: ``error`` or ``warning``.
        as_json: one JSON object a finding.

    Returns:
        The exit code: 1 when a finding is as bad as ``fail_on``.
    """
    if as_json:
        _print_json(found)
    else:
        _print(found)
    return FAILED if any(finding.severity in _FAIL_ON[fail_on] for finding in found) else 0


def _print_json(found: Sequence[Finding]) -> None:
    from activitylog.cli.tables import print_json

    for finding in found:
        print_json(plain(finding))


def _print(found: Sequence[Finding]) -> None:
    problems = sorted(
        (finding for finding in found if finding.is_problem),
        key=lambda finding: list(_MARKS).index(finding.severity),
    )
    for finding in problems:
        _print_problem(finding)
    _print_others(found)
    counts = Counter(str(finding.severity) for finding in found)
    words = [f"{counts[name]} {name}{'s' if counts[name] != 1 else ''}" for name in _MARKS if counts[name]]
    summary = ", ".join(words) or "Nothing is wrong"
    sys.stdout.write(f"{summary}: {counts['ok']} checks ok, {counts['skipped']} skipped.\n")


def _print_problem(finding: Finding) -> None:
    from activitylog.cli.tables import has_colours

    mark = click.style(_MARKS[finding.severity], fg=_COLOURS[finding.severity], bold=True)
    mark = mark if has_colours(sys.stdout) else _MARKS[finding.severity]
    click.echo(f"{mark}  {clean(finding.title)} ({finding.check})")
    _paragraph(finding.found, "  ")
    for detail in finding.details:
        _paragraph(detail, "    - ", "      ")
    if finding.why:
        _paragraph(f"Why: {finding.why}", "  ")
    if finding.do:
        sys.stdout.write("  Do:\n")
    for line in finding.do:
        # Commands stay in one line, whatever its length: they are to be copied.
        if line.startswith("#"):
            _paragraph(line, "    ", "    # ")
        else:
            sys.stdout.write(f"    {_command(line)}\n")
    sys.stdout.write("\n")


def _paragraph(text: str, first: str, rest: str | None = None) -> None:
    from activitylog.cli.tables import terminal_width

    lines = textwrap.wrap(
        clean(text),
        min(terminal_width(sys.stdout) or 100, 100),
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    sys.stdout.write("\n".join(lines) + "\n")


def _command(line: str) -> str:
    from activitylog.cli.visible import visible, without_secrets

    return visible(without_secrets(line))


def _print_others(found: Sequence[Finding]) -> None:
    fine = [finding for finding in found if finding.severity == "ok"]
    skipped = [finding for finding in found if finding.severity == "skipped"]
    width = max((len(finding.check) for finding in (*fine, *skipped)), default=0)
    for heading, findings in (("ok", fine), ("skipped", skipped)):
        for finding in findings:
            _paragraph(finding.found, f"{heading:<9}{finding.check:<{width}}  ", " " * (11 + width))
        if findings:
            sys.stdout.write("\n")
