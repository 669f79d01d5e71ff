"""
Commands to copy. What stands in them comes from the database, where anybody wrote it: names and texts are quoted
for SQL, and the statement for the shell.
"""

from __future__ import annotations

import re
import shlex
from typing import Final

from activitylog.store.watch.asking import quoted

APPLY: Final = "activitylog schema apply --url URL"
BACKFILL: Final = "activitylog schema backfill --url URL"
#: Between double quotes the shell leaves everything else as it is.
_PLAIN: Final = re.compile(r"[^\"$`\\!\x00-\x1f\x7f]*")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def reading(sql: str) -> str:
    """The command that shows the rows of a statement."""
    return f"activitylog sql {_shell(sql)} --url URL"


def changing(sql: str) -> str:
    """The command that runs a statement which changes something."""
    return f"activitylog sql --write {_shell(sql)} --url URL"


def name(identifier: str) -> str:
    """A table's name: bare where it can be, in backticks where not."""
    return identifier if _IDENTIFIER.fullmatch(identifier) else quoted(identifier)


def literal(text: str) -> str:
    """A text as SQL has it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def path(text: str) -> str:
    """A path as the shell has it."""
    return shlex.quote(text)


def _shell(sql: str) -> str:
    return f'"{sql}"' if _PLAIN.fullmatch(sql) else shlex.quote(sql)
