"""
What the SQL files define: tables and views with their columns, read from the text of ``CREATE``.

Reads the SQL of this package, not anybody's: one ``CREATE`` a file, columns as ``name type [DEFAULT|ALIAS
expression] [CODEC(...)]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Literal

from activitylog.store.migrations import migrations

_CREATE: Final = re.compile(r"CREATE (TABLE|MATERIALIZED VIEW) IF NOT EXISTS (\w+)")
_MODIFY: Final = re.compile(r"ALTER TABLE (\w+) MODIFY COLUMN (\w+ [^;]* ALIAS [^;]*)")
_COLUMN: Final = re.compile(r"(\w+)\s+(.*)", re.DOTALL)
_PIECE: Final = re.compile(r"--[^\n]*|'(?:[^'\\]|\\.)*'|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """
    A column as the file has it.

    Attributes:
        default_kind: ``DEFAULT``, ``ALIAS`` or empty.
        expression: of the default or alias, as written.
    """

    name: str
    type: str
    default_kind: str = ""
    expression: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """A table, or a view (whose columns are those of its target, and not listed)."""

    kind: Literal["table", "view"]
    name: str
    columns: tuple[ColumnDefinition, ...] = ()


@cache
def definitions() -> tuple[Definition, ...]:
    """What all files define, in their order."""
    created = (migration.sql for migration in migrations() if _CREATE.search(migration.sql))
    found = {definition.name: definition for definition in map(_definition, created)}
    for modified in filter(None, (_MODIFY.search(migration.sql) for migration in migrations())):
        found[modified[1]] = _with_column(found[modified[1]], _column(modified[2]))
    return tuple(found.values())


def _with_column(table: Definition, column: ColumnDefinition) -> Definition:
    """The table with another type and expression of a column."""
    return replace(table, columns=tuple(column if old.name == column.name else old for old in table.columns))


def _definition(sql: str) -> Definition:
    created = _CREATE.search(sql)
    if created is None:
        raise ValueError(f"not a CREATE: {sql[:80]!r}")
    if created[1] != "TABLE":
        return Definition("view", created[2])
    _, body, _ = _split_parentheses(sql[created.end() :])
    parts = (part.strip() for part in _split(body, ","))
    return Definition("table", created[2], tuple(_column(part) for part in parts if not part.startswith("INDEX ")))


def _column(text: str) -> ColumnDefinition:
    named = _COLUMN.fullmatch(text)
    if named is None:
        raise ValueError(f"not a column: {text!r}")
    words = [word for word in _split(named[2], " \n") if word]
    kinds = [position for position, word in enumerate(words) if word in ("DEFAULT", "ALIAS", "CODEC")]
    ends = [position for position, word in enumerate(words) if word.startswith("CODEC(")]
    start = kinds[0] if kinds else len(words)
    end = ends[0] if ends else len(words)
    type_ = " ".join(words[: min(start, end)])
    if start >= end:
        return ColumnDefinition(named[1], type_)
    return ColumnDefinition(named[1], type_, words[start], " ".join(words[start + 1 : end]))


def _split_parentheses(sql: str) -> tuple[str, str, str]:
    """What stands before, in and after the first pair of parentheses; comments are left out."""
    depth = 0
    parts = ["", "", ""]
    where = 0
    for piece in _pieces(sql):
        if piece == ")":
            depth -= 1
            where = 2 if depth == 0 and where == 1 else where
        parts[where] += piece
        if piece == "(":
            where = 1 if depth == 0 and where == 0 else where
            depth += 1
    return parts[0], parts[1], parts[2]


def _split(sql: str, separators: str) -> Iterator[str]:
    """The text cut at separators that stand in no parentheses and no quotes."""
    depth = 0
    part = ""
    for piece in _pieces(sql):
        if depth == 0 and piece in separators:
            yield part
            part = ""
            continue
        depth += (piece in "([") - (piece in ")]")
        part += piece
    yield part


def _pieces(sql: str) -> Iterator[str]:
    for found in _PIECE.finditer(sql):
        if not found[0].startswith("--"):
            yield found[0]
