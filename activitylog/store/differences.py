"""
What is compared: one table or view of the files, and of the settings, with what the database has.

Each difference brings the statements that repair it, where metadata is all that changes: a column or an index
that is missing, a stale or missing view, a window or another setting, a codec, the TTL. What would rewrite or lose
rows (a type, a partition key, a table that is gone) brings advice instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from activitylog.store.cluster import SHARDING_KEYS
from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.definitions import ColumnDefinition, Definition, IndexDefinition
from activitylog.store.promoted import promoted_columns, promoted_indexes
from activitylog.store.rendering import partition_key, statements
from activitylog.store.retention import is_ours, policy_statements, table_ttl, ttl_statements
from activitylog.store.snapshot import Found, Snapshot
from activitylog.store_settings import StoreSettings

_WINDOW: Final = 10_000
_OTHER_TYPE: Final = (
    "a column is not converted: make [store.columns] say what it is, or rename the old one with "
    "ALTER TABLE ... RENAME COLUMN"
)
_OTHER_COLUMN: Final = "change it back with ALTER TABLE ... MODIFY COLUMN, which may rewrite it"
_DROPPED: Final = (
    "somebody dropped it: restore it, or delete its step from activity_schema_migrations and apply again"
)
_OTHER_DEPLOYMENT: Final = "tables do not move: set [store] cluster to what it is, or begin another database"
_FIXED_SETTINGS: Final = ("index_granularity",)
_FIXED_SETTING: Final = "fixed when the table was made; answers are the same, and cost more or less"
_OTHER_INDEX: Final = "drop it with ALTER TABLE ... DROP INDEX: apply makes it anew"


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One way in which the database is not what the files define or the settings ask for.

    Attributes:
        where: table, view, ``table.column``, or step.
        expected: what it should be.
        found: what the database has; empty when it has nothing.
        advice: what to do where ``schema apply`` does nothing about it.
        repair: the statements by which ``schema apply`` repairs it, before rendering. Those of a step are in its
            file.
    """

    where: str
    expected: str
    found: str = ""
    advice: str = field(default="", compare=False)
    repair: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        found = f"is {self.found}" if self.found else "is missing"
        advice = f" ({self.advice})" if self.advice else ""
        return f"{self.where} {found}; it should be {self.expected}{advice}"


def rendered(difference: Difference, settings: StoreSettings) -> list[str]:
    """The statements of a repair, as they are run on this deployment."""
    return [sql for text in difference.repair for sql in statements(text, settings)]


def definition_differences(definition: Definition, actual: Found | None, snapshot: Snapshot) -> list[Difference]:
    """
    A table or view against the files.

    A materialized view over a Null table matters most: without it, rows are lost in silence.
    """
    if definition.kind != "table":
        return list(_view_differences(definition, actual, snapshot))
    if actual is None:
        return [Difference(definition.name, "a table", advice=_DROPPED)]
    hidden = [Difference(definition.name, "a Distributed table", advice=_DROPPED)] if actual.hidden else []
    return [
        *hidden,
        *_column_differences(definition.name, definition.columns, actual, snapshot),
        *_index_differences(definition.name, definition.indexes, actual, snapshot),
        *_window_differences(definition, actual),
        *_table_setting_differences(definition, actual),
    ]


def setting_differences(
    definition: Definition, actual: Found | None, settings: StoreSettings, snapshot: Snapshot | None = None
) -> list[Difference]:
    """
    A table against the settings.

    Args:
        actual: None for a table that is yet to be made from the files, rendered with these settings.
        snapshot: belongs to ``actual``.
    """
    if not definition.stores_rows:
        return []
    if actual is not None and (misplaced := deployment_difference(definition, actual, settings)):
        return [misplaced]
    made = actual or Found(
        definition.name,
        definition.engine,
        partition_key(definition.partition_by, settings),
        settings.storage_policy or "",
    )
    found = [*_storage_differences(definition, made, settings), *_ttl_differences(definition, made, settings)]
    if definition.name == EVENTS_TABLE:
        columns, indexes = promoted_columns(settings), promoted_indexes(settings)
        found += _column_differences(definition.name, columns, made, snapshot, advice=_OTHER_TYPE)
        other = {difference.where.rpartition(".")[2] for difference in found if difference.advice is _OTHER_TYPE}
        usable = [index for index in indexes if index.expression.strip("`") not in other]
        found += _index_differences(definition.name, usable, made, snapshot)
    return found


def deployment_difference(definition: Definition, actual: Found, settings: StoreSettings) -> Difference | None:
    """A table of one server where the settings name a cluster, or the other way round."""
    if definition.name not in SHARDING_KEYS or actual.clustered == (settings.cluster is not None):
        return None
    one, many = "a table of one server", "a table of a cluster"
    expected, found = (one, many) if actual.clustered else (many, one)
    return Difference(definition.name, expected, found, _OTHER_DEPLOYMENT)


def _view_differences(definition: Definition, actual: Found | None, snapshot: Snapshot) -> Iterator[Difference]:
    engine = "MaterializedView" if definition.kind == "materialized view" else "View"
    security = f" {definition.security}" if definition.security else ""
    if actual is None:
        yield Difference(definition.name, f"a {definition.kind}", repair=(definition.create,))
    elif actual.engine != engine:
        other = f"a table of engine {actual.engine}"
        yield Difference(definition.name, f"a {definition.kind}", other, advice="drop or rename what has its name")
    elif actual.target != definition.target:
        yield Difference(
            definition.name, f"a view that fills {definition.target}", f"one that fills {actual.target}",
            advice="drop it: apply makes it anew",
        )  # fmt: skip
    elif actual.query != snapshot.normal([definition.query])[definition.query]:
        modify = f"ALTER TABLE {definition.name} MODIFY QUERY\n{definition.query}"
        replace = f"CREATE OR REPLACE VIEW {definition.name}{security} AS\n{definition.query}"
        repair = modify if definition.kind == "materialized view" else replace
        yield Difference(
            definition.name, "the query of this version", "a view with another query", repair=(repair,)
        )


def _column_differences(
    table: str,
    columns: tuple[ColumnDefinition, ...],
    actual: Found,
    snapshot: Snapshot | None,
    *,
    advice: str = "",
) -> Iterator[Difference]:
    there = [column for column in columns if column.name in actual.columns and column.expression]
    normal = snapshot.normal(f"SELECT {column.expression}" for column in there) if snapshot else {}
    for column in columns:
        other = actual.columns.get(column.name)
        if other is None:
            add = f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS `{column.name}` {column}"
            expected = _described(column.type, column.default_kind, column.expression)
            yield Difference(f"{table}.{column.name}", expected, repair=(add,))
            continue
        expression = normal.get(f"SELECT {column.expression}", "").removeprefix("SELECT ")
        expected = _described(column.type, column.default_kind, expression)
        found = _described(other.type, other.default_kind, other.expression)
        if found != expected and not advice and other.type == column.type and column.expression:
            modify = f"ALTER TABLE {table} MODIFY COLUMN `{column.name}` {column}"
            yield Difference(f"{table}.{column.name}", expected, found, repair=(modify,))
        elif found != expected:
            yield Difference(f"{table}.{column.name}", expected, found, advice=advice or _OTHER_COLUMN)
        elif other.codec != column.codec:
            modify = f"ALTER TABLE {table} MODIFY COLUMN `{column.name}` {column.codec or 'REMOVE CODEC'}"
            codecs = (column.codec or "without codec", other.codec or "without codec")
            yield Difference(f"{table}.{column.name}", *codecs, repair=(modify,))


def _described(type_: str, kind: str, expression: str) -> str:
    return f"{type_} {kind} {expression}".rstrip()


def _index_differences(
    table: str, indexes: Iterable[IndexDefinition], actual: Found, snapshot: Snapshot | None
) -> Iterator[Difference]:
    there = [index for index in indexes if index.name in actual.indexes]
    normal = snapshot.normal(f"SELECT {index.expression}" for index in there) if snapshot else {}
    for index in indexes:
        other = actual.indexes.get(index.name)
        if other is None:
            add = f"ALTER TABLE {table} ADD INDEX IF NOT EXISTS `{index.name}` {index}"
            yield Difference(f"the index {table}.{index.name}", str(index), repair=(add,))
        elif f"SELECT {other}" != normal[f"SELECT {index.expression}"]:
            yield Difference(
                f"the index {table}.{index.name}", f"on {index.expression}", f"on {other}", _OTHER_INDEX
            )


def _window_differences(definition: Definition, actual: Found) -> Iterator[Difference]:
    """Without a window a batch that is sent twice counts twice: in the table, and in each target of its views."""
    if "non_replicated_deduplication_window" not in definition.settings:
        return  # a table of records, which no batch goes into
    replicated = actual.engine.startswith(("Replicated", "Shared"))
    name = "replicated_deduplication_window" if replicated else "non_replicated_deduplication_window"
    default = str(_WINDOW) if replicated else "0"
    window = actual.settings.get(name, default)
    if "MergeTree" in actual.engine and window == "0":
        modify = f"ALTER TABLE {definition.name} MODIFY SETTING {name} = {_WINDOW}"
        yield Difference(f"{definition.name}.{name}", "above 0", "0", repair=(modify,))


def _table_setting_differences(definition: Definition, actual: Found) -> Iterator[Difference]:
    """The other settings that the files give a table. Those that they do not name are the owner's."""
    if "MergeTree" not in actual.engine:
        return
    for name, value in definition.settings.items():
        found = actual.settings.get(name, "")
        if name.endswith("_deduplication_window") or found == value:
            continue
        fixed = name in _FIXED_SETTINGS
        modify = f"ALTER TABLE {definition.name} MODIFY SETTING {name} = {value}"
        yield Difference(
            f"{definition.name}.{name}", value, found or "not set",
            advice=_FIXED_SETTING if fixed else "", repair=() if fixed else (modify,),
        )  # fmt: skip


def _storage_differences(definition: Definition, actual: Found, settings: StoreSettings) -> Iterator[Difference]:
    if "MergeTree" not in actual.engine or not definition.partition_by:
        return  # small tables of records stay where they are
    expected = partition_key(definition.partition_by, settings)
    if actual.partition_by != expected:
        yield Difference(
            f"the partition key of {definition.name}", expected, actual.partition_by,
            advice="fixed when the table was made: set partition_by to what it is, or begin another database",
        )  # fmt: skip
    if settings.storage_policy and actual.storage_policy != settings.storage_policy:
        yield Difference(
            f"the storage policy of {definition.name}", settings.storage_policy, actual.storage_policy,
            repair=policy_statements(definition, settings.storage_policy),
        )  # fmt: skip


def _ttl_differences(definition: Definition, actual: Found, settings: StoreSettings) -> Iterator[Difference]:
    expected = table_ttl(definition, settings)
    if "MergeTree" in actual.engine and expected != actual.ttl and (expected or is_ours(actual.ttl)):
        yield Difference(
            f"the TTL of {definition.name}",
            expected or "none",
            actual.ttl,
            repair=ttl_statements(definition, expected),
        )
