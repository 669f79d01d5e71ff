"""
The steps that make the schema: numbered SQL files in ``sql/``, applied in order, recorded in the database.

A file ``NNNN_name.sql`` holds one statement and its comments, so a step is done or not done, never half. It is
plain SQL with unqualified names for the database that the client is in: ``clickhouse-client --database NAME
--queries-file FILE`` runs it, too. Statements say ``IF NOT EXISTS`` or ``MODIFY``: running one twice, or from two
machines at once, is harmless. A released file never changes; what comes later is a new file.

``plan`` runs them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from activitylog.exceptions import NewerSchemaError, SchemaError
from activitylog.store.rendering import statements
from activitylog.store_settings import StoreSettings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Where applied steps are recorded.
MIGRATIONS_TABLE: Final = "activity_schema_migrations"

_CREATE_RECORD: Final = f"""
CREATE TABLE IF NOT EXISTS {MIGRATIONS_TABLE}
(
    number UInt32,
    name String,
    checksum String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """
    One step.

    Attributes:
        number: from 1, without gaps.
        name: of the file, without number and ending.
        sql: the file's text.
        checksum: SHA-256 of the file's bytes, as 64 hexadecimal digits.
    """

    number: int
    name: str
    sql: str = field(repr=False)
    checksum: str

    def __str__(self) -> str:
        return f"{self.number:04d}_{self.name}"


@cache
def migrations() -> tuple[Migration, ...]:
    """All steps that this version knows, in order."""
    paths = (path for path in files("activitylog.store").joinpath("sql").iterdir() if path.name.endswith(".sql"))
    return tuple(_migration(path.name, path.read_bytes()) for path in sorted(paths, key=lambda path: path.name))


def _migration(file_name: str, content: bytes) -> Migration:
    number, _, name = file_name.removesuffix(".sql").partition("_")
    return Migration(int(number), name, content.decode(), hashlib.sha256(content).hexdigest())


def create_record(settings: StoreSettings) -> list[str]:
    """The statements that make the table of applied steps."""
    return statements(_CREATE_RECORD, settings)


def record_statement(migration: Migration) -> str:
    """The statement that records a step. Its values are those of our own file: a number, a name, digits."""
    values = f"{migration.number}, '{migration.name}', '{migration.checksum}'"
    return f"INSERT INTO {MIGRATIONS_TABLE} (number, name, checksum) SELECT {values}"


def pending(client: Client) -> list[Migration]:
    """
    The steps that the client's current database lacks, in order. Only reads.

    Raises:
        SchemaError: the database was made by a newer version, or by other files of the same numbers.
    """
    recorded = _recorded(client) if records_steps(client) else {}
    _check(recorded)
    return [migration for migration in migrations() if migration.number not in recorded]


def records_steps(client: Client) -> bool:
    """Whether the database has the table of applied steps."""
    return bool(
        client.query(
            "SELECT 1 FROM system.tables WHERE database = currentDatabase() AND name = {table:String}",
            parameters={"table": MIGRATIONS_TABLE},
        ).result_rows
    )


def _recorded(client: Client) -> dict[int, set[tuple[str, str]]]:
    """What the database says was applied: name and checksum by number (two, where two versions raced)."""
    recorded: dict[int, set[tuple[str, str]]] = {}
    rows = client.query(f"SELECT number, name, checksum FROM {MIGRATIONS_TABLE}").result_rows  # noqa: S608 - our name
    for number, name, checksum in rows:
        recorded.setdefault(number, set()).add((name, checksum))
    return recorded


def _check(recorded: Mapping[int, Iterable[tuple[str, str]]]) -> None:
    known = {migration.number: migration for migration in migrations()}
    newest = max(recorded, default=0)
    if newest > max(known):
        names = ", ".join(name for name, _ in recorded[newest])
        raise NewerSchemaError(
            f"The database has the schema step {newest:04d} ({names}); this version of activitylog knows "
            f"the steps up to {max(known):04d}.",
            hint="Install the version that made it, or a newer one; or use another database.",
        )
    for number, applied in sorted(recorded.items()):
        for name, checksum in applied:
            migration = known.get(number)
            if migration is None or migration.checksum != checksum:
                raise SchemaError(
                    f"The schema step {number:04d}_{name} of the database was made by another file "
                    f"(SHA-256 {checksum[:12]}..., here {migration.checksum[:12] if migration else 'none'}...).",
                    hint="Install the version of activitylog that made it, or use another database.",
                )
