"""Progress on standard error, for people who wait; nothing at all when no terminal is there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from activitylog.cli.visible import visible


class Progress(Protocol):
    """What work tells about itself."""

    def __call__(self, done: float, note: str = "") -> None:
        """``done`` of the total, and a word on what is going on."""


@contextmanager
def progress(title: str, total: float | None) -> Iterator[Progress]:
    """
    Show how far something is, for as long as the ``with`` block lasts.

    Args:
        title: what is done.
        total: where ``done`` ends; None when nobody knows.
    """
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[note]}", markup=False),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), refresh_per_second=8, transient=True) as bar:
        task = bar.add_task(visible(title), total=total, note="")

        def show(done: float, note: str = "") -> None:
            bar.update(task, completed=done, note=visible(note))

        yield show


def _silent(done: float, note: str = "") -> None:
    """Nobody is looking."""
