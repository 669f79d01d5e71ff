"""Sentences on standard output, broken into lines that fit the terminal, and safe to be shown there."""

from __future__ import annotations

import sys
import textwrap
from typing import Final

import click

from activitylog.cli.tables import has_colours, terminal_width
from activitylog.cli.visible import visible

_WIDEST: Final = 100


def print_paragraph(text: str, first: str = "", rest: str | None = None, *, bold: int = 0) -> None:
    """
    Print one paragraph.

    Args:
        text: anything; what does not print is shown as an escape.
        first: what stands before the first line.
        rest: what stands before all others; as many spaces as ``first`` has by default.
        bold: so many letters at the beginning of the text are bold, where colours are welcome.
    """
    shown = visible(text)
    lines = textwrap.wrap(
        shown,
        min(terminal_width(sys.stdout) or _WIDEST, _WIDEST),
        initial_indent=first,
        subsequent_indent=" " * len(first) if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]
    if bold and has_colours(sys.stdout):
        head, tail = lines[0][: len(first) + bold], lines[0][len(first) + bold :]
        lines[0] = first + click.style(head[len(first) :], bold=True) + tail
    sys.stdout.write("\n".join(lines) + "\n")
