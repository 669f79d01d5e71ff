"""``--actor``, ``--object`` and ``--tenant``: whom a command is about."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click


def subject_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name a subject; it gets ``actor``, ``object_`` and ``tenant``."""

    @click.option("--actor", metavar="TYPE:ID", help="An actor, such as user:42; without a type :42.")
    @click.option("--object", "object_", metavar="TYPE:ID", help="An object, such as order:A-17.")
    @click.option("--tenant", metavar="ID", help="A tenant; with --actor or --object only what is in that tenant.")
    @functools.wraps(command)
    def with_subject(*args: Any, **options: Any) -> Any:
        return command(*args, **options)

    return with_subject
