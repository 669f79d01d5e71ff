"""
What the SQL files define, all of them together: each table with its columns and indexes, each view with its query.

Reads the SQL of this package, not anybody's. A file creates (``CREATE TABLE | MATERIALIZED VIEW | VIEW IF NOT
EXISTS``), changes (``CREATE OR REPLACE VIEW``; ``ALTER TABLE name`` with ``ADD COLUMN IF NOT EXISTS``, ``MODIFY
COLUMN``, ``ADD INDEX IF NOT EXISTS``, ``MODIFY SETTING``, or ``MODIFY QUERY`` alone), or renames away and back
(``RENAME TABLE IF EXISTS``, see ``view_names``). The files are folded in their order into what a database finally
has. Columns are written ``name type [DEFAULT | ALIAS | MATERIALIZED expression] [CODEC(...)]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import Final, Literal

from activitylog.store.migrations import Migration, migrations

Kind = Literal["table", "materialized view", "view"]

_CREATE: Final = re.compile(
    r"CREATE (?:(?P<replace>OR REPLACE) (?=VIEW)|(?=\w[\w ]* IF NOT EXISTS))"
    r"(?P<kind>TABLE|MATERIALIZED VIEW|VIEW) (?:IF NOT EXISTS )?(?P<name>\w+)\s*(?:TO (?P<target>\w+)\s*)?"
    r"(?:(?P<security>SQL SECURITY \w+)\s*)?"
)
_ALTER: Final = re.compile(r"ALTER TABLE (?P<name>\w+)\s+")
_RENAME: Final = re.compile(r"RENAME TABLE\s+(?P<pairs>.*)", re.DOTALL)
_RENAMED: Final = re.compile(r"IF EXISTS (\w+) TO (\w+)")
_ACTION: Final = re.compile(
    r"(?P<action>MODIFY QUERY|ADD COLUMN IF NOT EXISTS|MODIFY COLUMN|ADD INDEX IF NOT EXISTS|MODIFY SETTING)\s+"
    r"(?P<rest>.*)",
    re.DOTALL,
)
_COLUMN: Final = re.compile(r"(\w+)\s+(.*)", re.DOTALL)
_INDEX: Final = re.compile(r"(\w+)\s+(.*?)\s+TYPE\s+(.*)", re.DOTALL)
_PIECE: Final = re.compile(r"--[^\n]*|'(?:[^'\\]|\\.)*'|.", re.DOTALL)
_DEFAULT_KINDS: Final = ("DEFAULT", "ALIAS", "MATERIALIZED")
_PARTITION: Final = re.compile(r"PARTITION BY (.*?)\s+(?:PRIMARY KEY|ORDER BY)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """
    A column as the file has it.

    Attributes:
        default_kind: ``DEFAULT``, ``ALIAS``, ``MATERIALIZED`` or empty.
        expression: of the default or alias, as written.
        codec: as written, ``CODEC(ZSTD(1))``; empty for the server's default.
    """

    name: str
    type: str
    default_kind: str = ""
    expression: str = ""
    codec: str = ""

    def __str__(self) -> str:
        words = (self.type, self.default_kind, self.expression, self.codec)
        return " ".join(word for word in words if word)


@dataclass(frozen=True, slots=True)
class IndexDefinition:
    """A data-skipping index; ``type`` goes on to the granularity: ``bloom_filter(0.01) GRANULARITY 1``."""

    name: str
    expression: str
    type: str

    def __str__(self) -> str:
        return f"{self.expression} TYPE {self.type}"


@dataclass(frozen=True, slots=True)
class Definition:
    """
    A table or a view.

    Attributes:
        columns: of a table; a view's are those of its query.
        partition_by: expression, as written; empty without.
        engine: name of the table's engine.
        target: of a materialized view, the table that it fills.
        security: of a view, with whose rights it reads, as written; empty for the server's default.
        query: of a view, its SELECT without comments.
    """

    kind: Kind
    name: str
    columns: tuple[ColumnDefinition, ...] = ()
    indexes: tuple[IndexDefinition, ...] = ()
    partition_by: str = ""
    engine: str = ""
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    target: str = ""
    security: str = ""
    query: str = ""

    @property
    def stores_rows(self) -> bool:
        """Whether it is a table that keeps what is inserted, with parts, partitions and a window."""
        return self.engine.endswith("MergeTree")

    @property
    def create(self) -> str:
        """The statement that makes a view, with the query that it finally has."""
        to = f" TO {self.target}" if self.target else ""
        security = f" {self.security}" if self.security else ""
        return f"CREATE {self.kind.upper()} IF NOT EXISTS {self.name}{to}{security} AS\n{self.query}"

    def reads(self, table: str) -> bool:
        """Whether it is a view over the table."""
        return re.search(rf"\bFROM {table}\b", self.query) is not None


@cache
def definitions() -> tuple[Definition, ...]:
    """What all files together define, in the order of their creation."""
    return fold(migrations())


def fold(steps: Iterable[Migration]) -> tuple[Definition, ...]:
    """
    What these steps together define.

    Raises:
        ValueError: a statement that this module does not read; a test holds it to read every file.
    """
    found: dict[str, Definition] = {}
    for step in steps:
        sql = bare(step.sql)
        if created := _CREATE.match(sql):
            definition = _created(created, sql[created.end() :])
            found[definition.name] = definition if created["replace"] else found.get(definition.name, definition)
        elif altered := _ALTER.match(sql):
            found[altered["name"]] = _altered(found[altered["name"]], sql[altered.end() :])
        elif not set(renamed_views(step)) <= found.keys():
            raise ValueError(f"renames what is not there: {sql[:80]!r}")
    return tuple(found.values())


def changed_object(step: Migration) -> str:
    """The table or view that a step creates or changes; empty for one that only renames away and back."""
    sql = bare(step.sql)
    found = _CREATE.match(sql) or _ALTER.match(sql)
    if found is None and _RENAME.match(sql) is None:
        raise ValueError(f"neither CREATE nor ALTER nor RENAME TABLE: {sql[:80]!r}")
    return found["name"] if found else ""


def renamed_views(step: Migration) -> tuple[str, ...]:
    """
    The views that a step renames away and back; none for another step.

    Raises:
        ValueError: it renames otherwise.
    """
    changed_object(step)
    renames = _RENAME.fullmatch(bare(step.sql))
    return _renamed_back(renames["pairs"]) if renames else ()


def alters_view(step: Migration) -> bool:
    """Whether a step sets the query of a materialized view that is there."""
    return _sets_query(step) and _ALTER.match(bare(step.sql)) is not None


def _renamed_back(pairs: str) -> tuple[str, ...]:
    names = [_RENAMED.fullmatch(pair.strip()) for pair in _split(pairs, ",")]
    ways = [(found[1], found[2]) for found in names if found is not None]
    there, back = ways[::2], ways[1::2]
    if len(ways) != len(names) or [(to, name) for name, to in there] != back:
        raise ValueError(f"renames, and not back: {pairs[:80]!r}")
    return tuple(name for name, _ in there)


def creates_view(step: Migration) -> bool:
    """Whether a step makes a materialized view."""
    created = _CREATE.match(bare(step.sql))
    return created is not None and created["kind"] == "MATERIALIZED VIEW"


def creates_table(step: Migration) -> bool:
    """Whether a step makes a table."""
    created = _CREATE.match(bare(step.sql))
    return created is not None and created["kind"] == "TABLE"


def adds_columns(step: Migration) -> bool:
    """Whether a step adds columns to a table."""
    altered = _ALTER.match(bare(step.sql))
    return altered is not None and altered.string[altered.end() :].startswith("ADD COLUMN")


def is_superseded(step: Migration, steps: Iterable[Migration]) -> bool:
    """Whether a step sets the query of a view that a later one of these steps sets again."""
    later = (other for other in steps if other.number > step.number and _sets_query(other))
    return _sets_query(step) and changed_object(step) in map(changed_object, later)


def _sets_query(step: Migration) -> bool:
    sql = bare(step.sql)
    if created := _CREATE.match(sql):
        return created["replace"] is not None
    altered = _ALTER.match(sql)
    return altered is not None and altered.string[altered.end() :].startswith("MODIFY QUERY")


@cache
def bare(sql: str) -> str:
    """A statement without its comments and the semicolon at its end."""
    return "".join(_pieces(sql)).strip().removesuffix(";").rstrip()


def _created(created: re.Match[str], rest: str) -> Definition:
    if created["kind"] != "TABLE":
        kind: Kind = "view" if created["kind"] == "VIEW" else "materialized view"
        query = rest.strip().removeprefix("AS").strip()
        target, security = created["target"] or "", created["security"] or ""
        return Definition(kind, created["name"], target=target, security=security, query=query)
    _, body, after = _split_parentheses(rest)
    parts = [part.strip() for part in _split(body, ",")]
    partition = _PARTITION.search(after)
    engine = re.search(r"ENGINE = (\w+)", after)
    return Definition(
        "table",
        created["name"],
        tuple(_column(part) for part in parts if not part.startswith("INDEX ")),
        tuple(_index(part.removeprefix("INDEX ")) for part in parts if part.startswith("INDEX ")),
        partition[1] if partition else "",
        engine[1] if engine else "",
        MappingProxyType(_settings(after.partition("SETTINGS ")[2])),
    )


def _altered(table: Definition, rest: str) -> Definition:
    if rest.startswith("MODIFY QUERY"):
        return replace(table, query=rest.removeprefix("MODIFY QUERY").strip())
    for action in _actions(rest):
        found = _ACTION.fullmatch(action)
        if found is None:
            raise ValueError(f"not an action of ALTER TABLE: {action!r}")
        table = _changed(table, found["action"], found["rest"])
    return table


def _actions(rest: str) -> list[str]:
    """The actions of one ALTER TABLE: a part without one (a second setting) belongs to the part before."""
    actions: list[str] = []
    for part in (part.strip() for part in _split(rest, ",")):
        if actions and _ACTION.fullmatch(part) is None:
            actions[-1] += f", {part}"
        else:
            actions.append(part)
    return actions


def _changed(table: Definition, action: str, rest: str) -> Definition:
    if action == "MODIFY SETTING":
        return replace(table, settings=MappingProxyType({**table.settings, **_settings(rest)}))
    if action == "ADD INDEX IF NOT EXISTS":
        index = _index(rest)
        known = index.name in {other.name for other in table.indexes}
        return table if known else replace(table, indexes=(*table.indexes, index))
    column = _column(re.sub(r"\s+(?:AFTER \w+|FIRST)$", "", rest))
    columns = {other.name: other for other in table.columns}
    if action == "MODIFY COLUMN":
        columns[column.name] = _modified(columns[column.name], column)
    else:
        columns.setdefault(column.name, column)
    return replace(table, columns=tuple(columns.values()))


def _modified(old: ColumnDefinition, new: ColumnDefinition) -> ColumnDefinition:
    """MODIFY COLUMN leaves alone what it does not mention."""
    default = new if new.default_kind else old
    return ColumnDefinition(
        old.name, new.type or old.type, default.default_kind, default.expression, new.codec or old.codec
    )


def _settings(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _index(text: str) -> IndexDefinition:
    found = _INDEX.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"not an index: {text!r}")
    return IndexDefinition(found[1], found[2], " ".join(found[3].split()))


def _column(text: str) -> ColumnDefinition:
    named = _COLUMN.fullmatch(text)
    if named is None:
        raise ValueError(f"not a column: {text!r}")
    words = [word for word in _split(named[2], " \n") if word]
    codecs = [position for position, word in enumerate(words) if word.startswith("CODEC(")]
    end = codecs[0] if codecs else len(words)
    kinds = [position for position, word in enumerate(words[:end]) if word in _DEFAULT_KINDS]
    start = kinds[0] if kinds else end
    return ColumnDefinition(
        named[1],
        " ".join(words[:start]),
        words[start] if kinds else "",
        " ".join(words[start + 1 : end]),
        " ".join(words[end:]),
    )


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
