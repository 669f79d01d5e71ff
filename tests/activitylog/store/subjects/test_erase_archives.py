"""A subject in archives: real Parquet files, counted, rewritten, and what a killed process left."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activitylog.exceptions import ArchiveError
from activitylog.store import EVENTS_TABLE
from activitylog.store.archive import archives, create, file_engine, restore
from activitylog.store.subjects.archives import ArchiveFound
from activitylog.store.subjects.erase import erase
from activitylog.store.subjects.plan import plan
from activitylog.store.subjects.proof import prove
from activitylog.store.subjects.record import erasures
from activitylog.store.subjects.subject import subject
from tests.activitylog.store.subjects.erasing import event, insert, stored

pytestmark = pytest.mark.slow

ANN = subject(actor="user:ann")
JANUARY = [event("2026-01-05 10:00:00", "user:ann"), event("2026-01-05 10:00:01", "user:anna", "user:ann")]
FEBRUARY = [event("2026-02-05 10:00:00", "user:bo")]
MARCH = [event("2026-03-05 10:00:00", "user:ann"), event("2026-03-05 10:00:01", "user:bo")]


@pytest.fixture(scope="module", autouse=True)
def _one_engine() -> Iterator[None]:
    with file_engine():
        yield


@pytest.fixture
def archived(migrated_client: Any, tmp_path: Path) -> Any:
    """A store with March, and January and February in an archive that it has a record of."""
    insert(migrated_client, [*JANUARY, *FEBRUARY, *MARCH])
    list(create(migrated_client, tmp_path / "archive", before=datetime(2026, 3, 1, tzinfo=UTC)))
    return migrated_client


def restored(client: Any, folder: Path) -> bytes:
    """All rows of the archive, put into the table."""
    client.command(f"TRUNCATE TABLE {EVENTS_TABLE}")
    for piece in archives(folder):
        restore(client, piece)
    return stored(client)


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


class TestArchives:
    """Archives that the database knows of are looked at without being named."""

    def test_are_in_the_plan(self, archived: Any, tmp_path: Path) -> None:
        """By piece, with rows that only mention the subject."""
        found = plan(archived, ANN).archives
        assert found == (ArchiveFound(tmp_path / "archive" / "202601", files=1, rows=1, mentions=1, strays=0),)

    def test_are_rewritten(self, archived: Any, tmp_path: Path) -> None:
        """Without the subject's rows; the others are as they were, and other files are not touched."""
        untouched = all_bytes(tmp_path / "archive" / "202602")
        record = erase(archived, ANN)
        assert record is not None
        assert (record.archive_files, record.archive_rows, record.table_rows[EVENTS_TABLE]) == (1, 1, 1)
        assert all_bytes(tmp_path / "archive" / "202602") == untouched
        assert prove(archived, ANN).complete
        rows = restored(archived, tmp_path / "archive")
        archived.command(f"TRUNCATE TABLE {EVENTS_TABLE}")
        insert(archived, [JANUARY[1], *FEBRUARY])
        assert stored(archived) == rows

    def test_lose_rows_that_mention_it_if_they_are_to_go(self, archived: Any, tmp_path: Path) -> None:
        """The same modes as in the tables; a piece without rows is still a piece."""
        erase(archived, ANN, mode="erase")
        assert [piece.manifest.rows for piece in archives(tmp_path / "archive")] == [0, 1]

    def test_a_file_that_no_manifest_names(self, archived: Any, tmp_path: Path) -> None:
        """What a killed rewriting left holds the person still: it goes."""
        piece = archives(tmp_path / "archive")[0]
        erase(archived, ANN)
        left = piece.path / "0001.00abcd.parquet"
        left.write_bytes(b"ann")
        assert not prove(archived, ANN).gone
        assert erase(archived, ANN) is not None
        assert not left.exists()
        assert prove(archived, ANN).complete

    def test_one_that_is_elsewhere(self, archived: Any, tmp_path: Path) -> None:
        """It is said that it was not reached; the rest is erased."""
        (tmp_path / "archive").rename(tmp_path / "moved")
        assert erase(archived, ANN) is not None
        found = prove(archived, ANN)
        assert (found.gone, found.complete, found.missing) == (True, False, (tmp_path / "archive",))
        assert erase(archived, ANN, archives=[tmp_path / "moved"]) is not None
        assert [record.archive_rows for record in erasures(archived)] == [0, 1]

    def test_a_disk_that_is_not_mounted(self, archived: Any, tmp_path: Path) -> None:
        """The folder is there and empty: that is no archive without the person."""
        (tmp_path / "archive").rename(tmp_path / "disk")
        (tmp_path / "archive").mkdir()
        erase(archived, ANN)
        found = prove(archived, ANN)
        assert (found.complete, found.missing) == (False, (tmp_path / "archive",))
        (tmp_path / "archive").rmdir()
        (tmp_path / "disk").rename(tmp_path / "archive")
        assert not prove(archived, ANN).gone
        erase(archived, ANN)
        assert prove(archived, ANN).complete

    def test_rows_with_null_stay(self, migrated_client: Any, tmp_path: Path) -> None:
        """In a column of the owner's that may be NULL: the others' rows are not taken for the subject's."""
        migrated_client.command(f"ALTER TABLE {EVENTS_TABLE} ADD COLUMN Note Nullable(String)")
        migrated_client.command(f"ALTER TABLE {EVENTS_TABLE} ADD COLUMN Tags Array(String)")
        others = [event("2026-01-05 11:00:00", "user:bo"), event("2026-01-05 11:00:01", "user:bo", Note="for ann")]
        insert(migrated_client, [*JANUARY, *others, event("2026-01-05 11:00:02", "user:bo", Tags=["x", "ann"])])
        list(create(migrated_client, tmp_path / "archive", before=datetime(2026, 3, 1, tzinfo=UTC)))
        erase(migrated_client, ANN, mode="text")
        assert [piece.manifest.rows for piece in archives(tmp_path / "archive")] == [1]

    def test_a_folder_that_somebody_archives_to(self, archived: Any, tmp_path: Path) -> None:
        """What is read from the table before the rows go may be written where nobody has looked."""
        late = tmp_path / "late"
        outcomes = create(archived, late, before=datetime(2026, 4, 1, tzinfo=UTC), keep=True)
        assert next(outcomes).action == "copied"
        shutil.rmtree(late / "202603")
        with pytest.raises(ArchiveError, match="Another process"):
            erase(archived, ANN)
        del outcomes
        erase(archived, ANN)
        assert [record.state for record in erasures(archived)] == ["finished"]

    def test_a_folder_is_recorded_before_anything_is_in_it(self, archived: Any, tmp_path: Path) -> None:
        """A run that fails leaves its pieces where an erasure looks."""

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            list(create(archived, tmp_path / "new", before=datetime(2026, 4, 1, tzinfo=UTC), progress=stop))
        assert archived.command("SELECT count() FROM activity_archives WHERE Action = 'begun'") == 2

    def test_a_table_beside(self, archived: Any, tmp_path: Path) -> None:
        """Rows that were restored into a table of another name are not erased, and that is said."""
        for piece in archives(tmp_path / "archive"):
            restore(archived, piece, into="old")
        erase(archived, ANN)
        found = prove(archived, ANN)
        assert (found.gone, found.complete, found.beside) == (True, False, {"old": 1})
        archived.command("DROP TABLE old")
        assert prove(archived, ANN).complete

    def test_a_damaged_one(self, archived: Any, tmp_path: Path) -> None:
        """Nothing is written over it, the erasure stays begun, and is completed when it is whole again."""
        (path,) = archives(tmp_path / "archive")[0].files
        whole = path.read_bytes()
        path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
        with pytest.raises(ArchiveError):
            erase(archived, ANN)
        path.write_bytes(whole)
        erase(archived, ANN)
        assert [(record.state, record.archive_rows) for record in erasures(archived)] == [("finished", 1)]
        assert prove(archived, ANN).complete

    def test_named_twice(self, archived: Any, tmp_path: Path) -> None:
        """A folder and one of its pieces: each row is counted once."""
        shutil.copytree(tmp_path / "archive", tmp_path / "copy")
        named = [tmp_path / "copy", tmp_path / "copy" / "202601"]
        assert sum(one.rows for one in plan(archived, ANN, archives=named).archives) == 2
