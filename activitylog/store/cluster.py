"""
A statement for one server in, the statements that do the same on a cluster out.

``[store] cluster`` in the settings asks for it. The same files then make, on every server of the cluster:

* ``<table>_local``, Replicated, which holds the rows of the server's shard;
* ``<table>``, Distributed over those, so that the same questions and the same inserts work on any server;
* views of the same names between the local tables, so a batch and all that follows from it stay in one shard,
  where one deduplication token covers the whole chain;
* small tables (the record of steps and whatever else is not in :data:`SHARDING_KEYS`) whole on every server.

``CLUSTER.md`` has the reasons and what is promised. Statements can be run again; nothing here asks a server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from activitylog.exceptions import ConfigurationError, SchemaError
from activitylog.store.statement import Token, tokens

#: The actor's id in a row of the landing table, as the view behind it finds it.
_INGEST_ACTOR: Final = (
    "if(mapContains(LogAttributes, 'user.id'), LogAttributes['user.id'], LogAttributes['activity.actor.id'])"
)
#: What decides the shard of a row, by table. An actor's rows come to one shard, by either way in. Rows without an
#: actor are spread by what differs between them. Never rand(): a batch sent again must be cut the same way.
SHARDING_KEYS: Final = MappingProxyType(
    {
        "activity_events": (
            "if(ActorId = '', cityHash64(EventId, TraceId, SpanId, Timestamp), "
            "cityHash64(TenantId, ActorType, ActorId))"
        ),
        "activity_events_ingest": (
            f"if({_INGEST_ACTOR} = '', "
            "cityHash64(LogAttributes['log.record.uid'], LogAttributes['activity.seq'], TraceId, SpanId, "
            "Timestamp), "
            "cityHash64(LogAttributes['activity.tenant.id'], "
            "if(LogAttributes['user.id'] = '', LogAttributes['activity.actor.type'], 'user'), "
            f"{_INGEST_ACTOR}))"
        ),
        "activity_events_hourly": "cityHash64(TenantId, EventName)",
        "activity_events_actor_daily": "cityHash64(TenantId, ActorType, ActorId)",
        "activity_counters": "cityHash64(Producer, Seq, Minute)",
    }
)
#: Blocks whose tokens Keeper remembers, by table and shard: 2.8 hours at ten inserts a second, a day at one.
REPLICATED_WINDOW_BLOCKS: Final = 100_000
#: And for how long at most: a process that was killed on Friday may send its last batch again on Monday.
REPLICATED_WINDOW_SECONDS: Final = 7 * 86_400

_COLUMN_COMMANDS: Final = frozenset({"ADD", "DROP", "MODIFY", "RENAME", "COMMENT", "ALTER"})


def on_cluster(sql: str, cluster: str) -> list[str]:
    """
    What to run on any server of the cluster for one statement of the schema.

    Args:
        sql: one statement, with its comments, with or without a semicolon.
        cluster: its name in the servers' ``remote_servers``.

    Returns:
        The statements in the order in which they must run, without semicolons.

    Raises:
        ConfigurationError: the cluster's name is more than letters, digits, ``_``, ``-`` and ``.``.
        SchemaError: a statement that has no meaning on a cluster yet.
    """
    name = checked_cluster(cluster)
    text = sql.encode().rstrip()
    words = list(tokens(text))
    if words and words[-1].text == ";":
        text, words = text[: words[-1].start].rstrip(), words[:-1]
    for pattern, render in _RENDERERS:
        at = _position(words, pattern)
        if at is not None:
            return render(_Statement(text, words, at, name))
    raise SchemaError(
        f"A statement cannot be rendered for a cluster: {' '.join(word.written for word in words[:6])} ...",
        hint="Write CREATE DATABASE, CREATE TABLE, CREATE [MATERIALIZED] VIEW, ALTER TABLE, DELETE FROM, "
        "OPTIMIZE TABLE, TRUNCATE TABLE, DROP TABLE, DROP VIEW or RENAME TABLE, with an unqualified name.",
    )


def local_table(table: str) -> str:
    """The table that holds the rows of one shard, for a table of :data:`SHARDING_KEYS`; else the table itself."""
    return f"{table}_local" if table in SHARDING_KEYS else table


def checked_cluster(cluster: str) -> str:
    """
    The cluster's name, which may be quoted as it is.

    Raises:
        ConfigurationError: it may not.
    """
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", cluster):
        return cluster
    raise ConfigurationError(
        f"The cluster {cluster!r} cannot be used.",
        hint="Accepted: letters, digits, '_', '-' and '.', at most 128, beginning with a letter, digit or '_'.",
    )


@dataclass(frozen=True, slots=True)
class _Statement:
    """
    A statement cut where clusters matter.

    Attributes:
        text: whole, with the comments before it, without the semicolon.
        words: its tokens.
        at: index in ``words`` of the name that is created, altered or dropped.
        on_cluster: the clause, with a blank before it.
    """

    text: bytes
    words: Sequence[Token]
    at: int
    cluster: str

    @property
    def name(self) -> str:
        return self.words[self.at].written

    @property
    def rest(self) -> Sequence[Token]:
        return self.words[self.at + 1 :]

    @property
    def on_cluster(self) -> str:
        return f" ON CLUSTER `{self.cluster}`"

    def edited(self, *edits: tuple[int, int, str]) -> str:
        """The text with (start, end) of it replaced, and ON CLUSTER behind the name."""
        named = self.words[self.at].end
        text = self.text
        for start, end, new in sorted([*edits, (named, named, self.on_cluster)], reverse=True):
            text = text[:start] + new.encode() + text[end:]
        return text.decode()


def _position(words: Sequence[Token], pattern: str) -> int | None:
    """The index of the name behind these words and behind IF [NOT] EXISTS; None where they are others."""
    expected = pattern.split()
    if [word.text for word in words[: len(expected)]] != expected:
        return None
    at = len(expected)
    while at < len(words) and words[at].text in ("IF", "NOT", "EXISTS"):
        at += 1
    qualified = at + 1 < len(words) and words[at + 1].text == "."
    return at if at < len(words) and not qualified and words[at].kind in ("word", "name") else None


def _create_table(statement: _Statement) -> list[str]:
    if statement.name not in SHARDING_KEYS:
        return [statement.edited(*_replicated(statement, everywhere=True))]
    name = statement.words[statement.at]
    local = (name.start, name.end, local_table(statement.name))
    return [statement.edited(local, *_replicated(statement, everywhere=False)), _distributed(statement)]


def _distributed(statement: _Statement) -> str:
    name, local = statement.name, local_table(statement.name)
    return (
        f"CREATE TABLE IF NOT EXISTS {name}{statement.on_cluster} AS {local}\n"
        f"ENGINE = Distributed('{statement.cluster}', currentDatabase(), '{local}', {SHARDING_KEYS[name]})"
    )


def _replicated(statement: _Statement, *, everywhere: bool) -> Iterator[tuple[int, int, str]]:
    """Edits: the engine of the MergeTree family becomes the Replicated one, and its window the one in Keeper."""
    for place, word in enumerate(statement.rest):
        if word.kind == "word" and word.written.endswith("MergeTree"):
            yield _replicated_engine(statement, place, everywhere=everywhere)
    yield from _windows(statement)


def _windows(statement: _Statement) -> Iterator[tuple[int, int, str]]:
    for place, word in enumerate(statement.rest):
        if word.text == "NON_REPLICATED_DEDUPLICATION_WINDOW" and statement.rest[place + 1].text == "=":
            window = (
                f"replicated_deduplication_window = {REPLICATED_WINDOW_BLOCKS}, "
                f"replicated_deduplication_window_seconds = {REPLICATED_WINDOW_SECONDS}"
            )
            yield word.start, statement.rest[place + 2].end, window


def _replicated_engine(statement: _Statement, place: int, *, everywhere: bool) -> tuple[int, int, str]:
    shard = "all" if everywhere else "{shard}"
    replica = "{shard}-{replica}" if everywhere else "{replica}"
    table = statement.name if everywhere else local_table(statement.name)
    arguments = f"'/clickhouse/tables/{statement.cluster}/{shard}/{{database}}/{table}', '{replica}'"
    engine, following = statement.rest[place], statement.rest[place + 1 : place + 3]
    name = f"Replicated{engine.written}"
    if not following or following[0].text != "(":
        return engine.start, engine.end, f"{name}({arguments})"
    comma = "" if following[-1].text == ")" else ", "
    return engine.start, following[0].end, f"{name}({arguments}{comma}"


def _create_chain(statement: _Statement) -> list[str]:
    """A materialized view: from a local table to a local table."""
    return [statement.edited(*_to_local(statement.rest))]


def _to_local(words: Sequence[Token]) -> Iterator[tuple[int, int, str]]:
    for word in words:
        if word.kind in ("word", "name") and word.written in SHARDING_KEYS:
            yield word.start, word.end, local_table(word.written)


def _unchanged(statement: _Statement) -> list[str]:
    """What has one name everywhere. A view for readers asks the Distributed tables."""
    return [statement.edited()]


def _alter_table(statement: _Statement) -> list[str]:
    if [word.text for word in statement.rest[:2]] == ["MODIFY", "QUERY"]:
        return [statement.edited(*_to_local(statement.rest))]
    if statement.name not in SHARDING_KEYS:
        return [statement.edited(*_windows(statement))]
    name = statement.words[statement.at]
    local = statement.edited((name.start, name.end, local_table(statement.name)), *_windows(statement))
    columns = [command for command in _commands(statement) if _concerns_columns(command)]
    if not columns:
        return [local]
    commands = ", ".join(statement.text[command[0].start : command[-1].end].decode() for command in columns)
    distributed = f"ALTER TABLE {statement.name}{statement.on_cluster} {commands}"
    drops = all(command[0].text == "DROP" for command in columns)
    return [distributed, local] if drops else [local, distributed]


def _commands(statement: _Statement) -> Iterator[Sequence[Token]]:
    """The commands of an ALTER: cut at commas that stand in no parentheses."""
    depth, command = 0, list[Token]()
    for word in statement.rest:
        if word.text == "," and depth == 0:
            yield command
            command = []
            continue
        depth += (word.text in ("(", "[")) - (word.text in (")", "]"))
        command.append(word)
    if command:
        yield command


def _concerns_columns(command: Sequence[Token]) -> bool:
    return len(command) > 1 and command[0].text in _COLUMN_COMMANDS and command[1].text == "COLUMN"


def _local_only(statement: _Statement) -> list[str]:
    """What changes stored rows or parts."""
    name = statement.words[statement.at]
    return [statement.edited((name.start, name.end, local_table(statement.name)))]


def _drop_table(statement: _Statement) -> list[str]:
    """SYNC: the path in Keeper is free again when the statement returns."""
    if statement.name not in SHARDING_KEYS:
        return [f"{statement.edited()} SYNC"]
    name = statement.words[statement.at]
    return [statement.edited(), f"{statement.edited((name.start, name.end, local_table(statement.name)))} SYNC"]


def _rename(statement: _Statement) -> list[str]:
    """Views, which have one name on every server. A table's name is in its path in Keeper."""
    tables = [word.written for word in statement.words if word.written in SHARDING_KEYS]
    if tables:
        raise SchemaError(f"The table {tables[0]} is not renamed on a cluster.", hint="Rename views only.")
    return [f"{statement.text.decode()}{statement.on_cluster}"]


_RENDERERS: Final[Sequence[tuple[str, Callable[[_Statement], list[str]]]]] = (
    ("CREATE DATABASE", _unchanged),
    ("CREATE TABLE", _create_table),
    ("CREATE MATERIALIZED VIEW", _create_chain),
    ("CREATE OR REPLACE VIEW", _unchanged),
    ("CREATE VIEW", _unchanged),
    ("ALTER TABLE", _alter_table),
    ("DELETE FROM", _local_only),
    ("OPTIMIZE TABLE", _local_only),
    ("TRUNCATE TABLE", _local_only),
    ("DROP TABLE", _drop_table),
    ("DROP VIEW", _unchanged),
    ("RENAME TABLE", _rename),
)
