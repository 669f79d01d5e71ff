"""The numbered SQL files: applied in order, recorded, safe to run twice."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Any

import pytest

from activitylog.exceptions import SchemaError
from activitylog.store import apply, migrations, pending

_NAMES = [str(migration) for migration in migrations()]
#: The first ones, as they were released; their files never change.
_FIRST = ["0001_activity_events", "0002_activity_events_ingest", "0003_activity_events_ingest_mv"]


def _tables(client: Any) -> list[str]:
    return [name for (name,) in client.query("SHOW TABLES").result_rows]


class TestMigrations:
    """What the files are."""

    def test_in_order(self) -> None:
        """The steps are numbered from 1 without gaps, and come in that order."""
        assert _NAMES[:3] == _FIRST
        assert [migration.number for migration in migrations()] == list(range(1, len(_NAMES) + 1))

    def test_checksum(self) -> None:
        """The checksum is the SHA-256 of the file, so `sha256sum` can be compared with the record."""
        content = files("activitylog.store").joinpath("sql", "0001_activity_events.sql").read_bytes()
        assert migrations()[0].checksum == hashlib.sha256(content).hexdigest()

    def test_one_statement_a_file(self, chdb_client: Any) -> None:
        """Each file is one statement as the engine's own parser reads it, with unqualified names."""
        for migration in migrations():
            text = migration.sql.strip()
            assert text.endswith(";")
            printed = chdb_client.query(
                "SELECT formatQuerySingleLine({sql:String})", parameters={"sql": text}
            ).result_rows[0][0]
            assert printed.startswith(("CREATE ", "ALTER TABLE ", "RENAME TABLE IF EXISTS "))
            assert any(word in printed for word in (" IF NOT EXISTS ", "MODIFY ", " OR REPLACE ", "RENAME "))


class TestApply:
    """``apply`` and ``pending``."""

    def test_empty_database(self, chdb_client: Any) -> None:
        """An empty database gets every step, and its record says which, with what checksum, and when."""
        assert [str(migration) for migration in pending(chdb_client)] == _NAMES
        assert [str(migration) for migration in apply(chdb_client)] == _NAMES
        assert {"activity_events", "activity_events_ingest", "activity_events_ingest_mv"} < set(
            _tables(chdb_client)
        )
        recorded = chdb_client.query(
            "SELECT number, name, checksum, abs(dateDiff('minute', applied_at, now())) < 5 "
            "FROM activity_schema_migrations ORDER BY number"
        ).result_rows
        assert recorded == [(m.number, m.name, m.checksum, 1) for m in migrations()]

    def test_twice(self, chdb_client: Any) -> None:
        """Applying again does nothing and records nothing."""
        apply(chdb_client)
        assert apply(chdb_client) == []
        assert pending(chdb_client) == []
        assert chdb_client.command("SELECT count() FROM activity_schema_migrations") == len(_NAMES)

    def test_pending_writes_nothing(self, chdb_client: Any) -> None:
        """Asking what is missing creates no table."""
        pending(chdb_client)
        assert _tables(chdb_client) == []

    def test_continues(self, chdb_client: Any) -> None:
        """A database that stopped half way gets the steps that it lacks, and keeps its rows."""
        apply(chdb_client)
        chdb_client.command("INSERT INTO activity_events (EventName) VALUES ('order.placed')")
        chdb_client.command("DROP TABLE activity_events_ingest_mv")
        chdb_client.command("DELETE FROM activity_schema_migrations WHERE number >= 3")
        assert [str(migration) for migration in apply(chdb_client)] == _NAMES[2:]
        assert chdb_client.command("SELECT count() FROM activity_events") == 1
        assert "activity_events_ingest_mv" in _tables(chdb_client)

    def test_two_machines_at_once(self, chdb_client: Any) -> None:
        """Two that applied at the same time recorded each step twice; that is no error."""
        apply(chdb_client)
        chdb_client.command("INSERT INTO activity_schema_migrations SELECT * FROM activity_schema_migrations")
        assert apply(chdb_client) == []

    def test_newer_database(self, chdb_client: Any) -> None:
        """A database with a step that this version does not know is refused, and says which version to install."""
        apply(chdb_client)
        newer = len(_NAMES) + 1
        chdb_client.command(f"INSERT INTO activity_schema_migrations (number, name) VALUES ({newer}, 'rollups')")
        for use in (apply, pending):
            with pytest.raises(SchemaError) as caught:
                use(chdb_client)
            assert caught.value.message == (
                f"The database has the schema step {newer:04d} (rollups); "
                f"this version of activitylog knows the steps up to {newer - 1:04d}."
            )
            assert (
                caught.value.hint == "Install the version that made it, or a newer one; or use another database."
            )

    def test_other_files(self, chdb_client: Any) -> None:
        """A step that was made by a file of other contents is refused, with both checksums."""
        apply(chdb_client)
        chdb_client.command(
            "INSERT INTO activity_schema_migrations (number, name, checksum) "
            "VALUES (2, 'activity_events_ingest', 'aaaabbbbccccdddd')"
        )
        with pytest.raises(SchemaError) as caught:
            apply(chdb_client)
        assert caught.value.message == (
            "The schema step 0002_activity_events_ingest of the database was made by another file "
            f"(SHA-256 aaaabbbbcccc..., here {migrations()[1].checksum[:12]}...)."
        )
