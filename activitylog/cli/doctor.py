"""``activitylog doctor``: what is wrong with the store, why that matters, and what to type."""

from __future__ import annotations

import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from activitylog.cli.dataclass_rows import plain
from activitylog.cli.errors import FAILED, clean
from activitylog.cli.store_option import existing_store, note_store, require_engine, url_option

if TYPE_CHECKING:
    from activitylog.store.doctor import Finding

_FAIL_ON: Final = {"error": ("error",), "warning": ("error", "warning")}
_COLOURS: Final = {"error": "red", "warning": "yellow"}
_MARKS: Final = {"error": "ERROR", "warning": "WARNING"}
_EXAMPLES: Final = """\b
Examples:
  activitylog doctor
  activitylog doctor --deep                     also read every part against its checksums
  activitylog doctor --fail-on warning --json   for a monitor
"""


@click.command(short_help="Say what is wrong with the store, and what to do.", epilog=_EXAMPLES)
@url_option
@click.option(
    "--deep", is_flag=True, help="Also verify all parts' checksums, and all days of the roll-ups: reads all."
)
@click.option(
    "--fail-on",
    type=click.Choice(["warning", "error"]),
    default="error",
    show_default=True,
    help="From which severity on the exit code is 1.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a check.")
def doctor(*, url: str | None, deep: bool, fail_on: str, as_json: bool) -> int:
    """
    Look at versions, schema, settings, disk, parts, retention, clocks and completeness of the store, and at what
    waits for it on this machine.

    Each problem comes with what was found, why it matters, and the commands that repair it. Nothing is changed.
    A check that this user may not make, or this server cannot answer, is skipped, and says so. Exit code 1 when
    there is an error.
    """
    from activitylog.settings import load_settings
    from activitylog.spooling import keeps_events, spool_folder
    from activitylog.store.doctor import CHECKS, examine_url, spool_checks

    store = existing_store(url)
    if store.url.kind == "chdb":
        require_engine()
    if not as_json:
        note_store(store)
    settings = load_settings()
    of_spool = (
        spool_checks(spool_folder(store.url, settings), settings.spool_max_bytes)
        if keeps_events(store.url)
        else ()
    )
    found = examine_url(
        store.url,
        settings=settings.store,
        writes=store.origin == "the settings",
        deep=deep,
        checks=(*CHECKS, *of_spool),
    )
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
