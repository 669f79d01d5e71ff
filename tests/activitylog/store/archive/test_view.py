"""Archives asked where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from activitylog.exceptions import ArchiveError, StoreError
from activitylog.queries import ask
from activitylog.store.archive import archives, attach, open_archives
from tests.activitylog.store.archive.conftest import archive, count, fill


def attached(client: Any, folder: Path) -> Any:
    """The client, with views over the folder in the place of the table."""
    client.command("DROP TABLE activity_events SYNC")
    attach(client, archives(folder))
    return client


class TestAttach:
    """``attach``."""

    def test_same_answers(self, embedded_store: Any, tmp_path: Path) -> None:
        """Named questions give the answers that they gave when the rows were in the table."""
        fill(embedded_store)
        parameters = {"top-actors": {}, "actor-timeline": {"actor": "3"}}
        # NaN is not equal to itself
        before = {name: repr(ask(embedded_store, name, **given)) for name, given in parameters.items()}
        body = "SELECT Body, LogAttributes, ResourceAttributes FROM activity_events ORDER BY Timestamp"
        shown = embedded_store.query(body, query_formats={"String": "bytes"}).result_rows
        archive(embedded_store, tmp_path)
        client = attached(embedded_store, tmp_path)
        assert {name: repr(ask(client, name, **given)) for name, given in parameters.items()} == before
        assert client.query(body, query_formats={"String": "bytes"}).result_rows == shown
        assert count(client, "archive") == 500

    def test_a_grown_table(self, embedded_store: Any, tmp_path: Path) -> None:
        """Pieces from before and after a column was added are asked together."""
        fill(embedded_store, rows=288)
        archive(embedded_store, tmp_path)
        embedded_store.command("ALTER TABLE activity_events ADD COLUMN Plan LowCardinality(String)")
        embedded_store.command("ALTER TABLE activity_events ADD COLUMN Plans String ALIAS upper(Plan)")
        embedded_store.command(
            "INSERT INTO activity_events (Timestamp, Plan) VALUES ('2024-03-01 00:00:00', 'pro')"
        )
        archive(embedded_store, tmp_path)
        rows = "SELECT Plan, Plans, count() FROM archive GROUP BY 1, 2 ORDER BY 1"
        assert attached(embedded_store, tmp_path).query(rows).result_rows == [("", "", 288), ("pro", "PRO", 1)]

    def test_a_missing_file(self, embedded_store: Any, archived: Path) -> None:
        """A file that is gone is an error: without it the answers would be wrong in silence."""
        archives(archived)[0].files[1].unlink()
        with pytest.raises(ArchiveError, match="is missing: answers would lack its rows"):
            attached(embedded_store, archived)

    def test_extra_files_are_not_asked(self, embedded_store: Any, archived: Path) -> None:
        """Only files that a manifest names count."""
        (archived / "202401" / "0001.000000.parquet").write_bytes(archives(archived)[0].files[0].read_bytes())
        assert count(attached(embedded_store, archived)) == 500


class TestOpen:
    """``open_archives``."""

    def test_one_store_a_process(self, migrated_client: Any, archived: Path) -> None:
        """A process that has an embedded store open is told why it cannot have a second one."""
        with pytest.raises(StoreError, match="this process has the embedded store"):
            open_archives(archived)

    def test_unknown_partition(self, archived: Path) -> None:
        """A partition that is not there is named, with those that are."""
        with pytest.raises(ArchiveError, match="no archive of the partition '202405'") as caught:
            open_archives(archived, partitions=["202405"])
        assert caught.value.hint == "There are: 202401, 202402."
