"""
The command ``activitylog``: one file per group of commands, all in the extra ``[cli]``.

What a command knows beside its options is small: everything that a program might want, too, is in
:mod:`activitylog.store`, :mod:`activitylog.queries`, :mod:`activitylog.ingest` and :mod:`activitylog.server`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """
    Entry point of the command; leaves by ``SystemExit`` with the exit code.

    Args:
        arguments: without the program's name; ``sys.argv`` by default.
    """
    try:
        import click  # noqa: F401 - only asked whether it is there
        import rich  # noqa: F401
    except ImportError:
        sys.stderr.write("error: the commands need the extra 'cli': pip install 'activitylog[cli]'\n")
        raise SystemExit(1) from None
    from activitylog.cli.app import application
    from activitylog.cli.errors import run

    raise SystemExit(run(application, arguments))
