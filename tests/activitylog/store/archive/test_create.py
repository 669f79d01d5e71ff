"""Partitions out of the table: whole, verified, and never while rows come in."""

from __future__ import annotations

import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activitylog.exceptions import ArchiveError, SchemaError
from activitylog.store import apply, connect
from activitylog.store.archive import archives, create, export, partitions, restore, verify
from activitylog.store.archive import side_table as side
from activitylog.store.archive.fingerprint import names
from tests.activitylog.store.archive.conftest import archive, count, events, fill

pytestmark = pytest.mark.slow


class TestCreate:
    """``create``."""

    def test_rows_move(self, store: Any, tmp_path: Path) -> None:
        """Each month becomes a piece, leaves the table and is noted in the database; roll-ups stay."""
        fill(store)
        found = archive(store, tmp_path)
        assert [(one.partition, one.action, one.pieces, one.rows, one.written) for one in found] == [
            ("202401", "archived", ("202401",), 288, True),
            ("202402", "archived", ("202402",), 212, True),
        ]
        assert count(store) == 0
        assert store.command("SELECT sum(RowCount) FROM activity_events_hourly") == 500
        assert [checked.problems for checked in verify(tmp_path)] == [(), ()]
        manifest = archives(tmp_path)[0].manifest
        assert (manifest.rows, manifest.min_time, manifest.max_time) == (
            288,
            "2024-01-30T00:00:00.000000000Z",
            "2024-01-31T23:50:00.000000287Z",
        )
        noted = store.query(
            "SELECT Action, Partition, Folder, Piece, RowCount, Checksum "
            "FROM activity_archives WHERE Action != 'begun' ORDER BY Partition"
        ).result_rows
        assert noted[0] == ("archived", "202401", str(tmp_path), "202401", 288, manifest.checksum)
        assert len(noted) == 2
        assert not side.exists(store, side.ARCHIVING)

    def test_only_whole_old_partitions(self, embedded_store: Any, tmp_path: Path) -> None:
        """A partition stays as long as its newest event is not older than the limit."""
        fill(embedded_store)
        newest = datetime(2024, 2, 2, 11, 10, tzinfo=UTC)
        assert [one.id for one in partitions(embedded_store, before=newest)] == ["202401"]
        assert [one.partition for one in create(embedded_store, tmp_path, before=newest)] == ["202401"]
        assert count(embedded_store) == 212

    @pytest.mark.parametrize(
        ("key", "names"),
        [
            ("toMonday(Timestamp)", ["20240129"]),
            ("toDate(Timestamp)", ["20240130", "20240131", "20240201", "20240202"]),
        ],
    )
    def test_weeks_and_days(self, chdb_client: Any, tmp_path: Path, key: str, names: list[str]) -> None:
        """A table may be partitioned by week or by day."""
        apply(chdb_client)
        sql = chdb_client.command("SHOW CREATE TABLE activity_events")
        chdb_client.command("DROP TABLE activity_events")
        chdb_client.command(
            sql.replace("\\n", "\n").replace("\\'", "'").replace("\\\\", "\\").replace("toYYYYMM(Timestamp)", key)
        )
        fill(chdb_client)
        before = events(chdb_client)
        assert [one.pieces for one in archive(chdb_client, tmp_path)] == [(name,) for name in names]
        for piece in archives(tmp_path):
            restore(chdb_client, piece)
        assert events(chdb_client) == before

    def test_files_are_bounded(self, archived: Path) -> None:
        """No file has more rows than asked for, and each is a range of time after the one before."""
        files = [file for piece in archives(archived) for file in piece.manifest.files]
        assert [file.rows for file in files] == [96, 96, 96, 96, 96, 20]

    def test_a_busy_hour_is_cut(self, embedded_store: Any, tmp_path: Path) -> None:
        """Where an hour has too many rows files end within it, down to a second."""
        embedded_store.command(
            "INSERT INTO activity_events (Timestamp) SELECT toDateTime64('2024-01-01 10:00:00', 9, 'UTC') + "
            "INTERVAL number SECOND FROM numbers(150) UNION ALL SELECT '2024-01-01 10:30:00' FROM numbers(30)"
        )
        archive(embedded_store, tmp_path, rows_per_file=20)
        assert [file.rows for file in archives(tmp_path)[0].manifest.files] == [20] * 3 + [20] * 3 + [20, 10, 30]

    def test_copies_stay_in_the_table(self, store: Any, tmp_path: Path) -> None:
        """With keep the rows are in both; without it the next run writes nothing again and drops them."""
        fill(store)
        assert {(one.action, one.written) for one in archive(store, tmp_path, keep=True)} == {("copied", True)}
        assert count(store) == 500
        assert {(one.action, one.written) for one in archive(store, tmp_path, keep=True)} == {("copied", False)}
        assert {(one.action, one.written) for one in archive(store, tmp_path)} == {("archived", False)}
        assert count(store) == 0

    def test_a_copy_grows(self, embedded_store: Any, tmp_path: Path) -> None:
        """A copy of a partition that got rows since is written again, in its place."""
        fill(embedded_store)
        archive(embedded_store, tmp_path, keep=True)
        fill(embedded_store, "2024-01-10 00:00:00", rows=3)
        found = archive(embedded_store, tmp_path)
        assert [(one.pieces, one.rows, one.written) for one in found] == [
            (("202401",), 291, True),
            (("202402",), 212, False),
        ]
        assert [checked.problems for checked in verify(tmp_path)] == [(), ()]

    def test_a_copy_is_never_replaced_by_less(self, embedded_store: Any, tmp_path: Path) -> None:
        """A copy whose rows the table has lost is the only one there is: what comes later is a second piece."""
        fill(embedded_store)
        archive(embedded_store, tmp_path, keep=True)
        embedded_store.command("TRUNCATE TABLE activity_events")
        fill(embedded_store, "2024-01-10 00:00:00", rows=3)
        assert [one.pieces for one in archive(embedded_store, tmp_path)] == [("202401.2",)]
        assert [piece.manifest.rows for piece in archives(tmp_path)] == [288, 3, 212]

    def test_some_rows_of_a_copy_are_lost(self, embedded_store: Any, tmp_path: Path) -> None:
        """If the table has some of a copy's rows only, nobody can tell which is right: nothing happens to both."""
        fill(embedded_store)
        archive(embedded_store, tmp_path, keep=True)
        embedded_store.command(
            "DELETE FROM activity_events WHERE ActorId = '3' AND Timestamp < '2024-02-01 00:00:00'"
        )
        left = count(embedded_store)
        found = archive(embedded_store, tmp_path)
        assert [one.action for one in found] == ["failed", "archived"]
        assert found[0].reason.startswith("The table has some of the rows of the piece 202401, and others not.")
        assert count(embedded_store) == left - 212

    def test_late_rows(self, store: Any, tmp_path: Path) -> None:
        """Rows that come after a partition was archived form it anew, and become a second piece, and a third."""
        fill(store)
        archive(store, tmp_path)
        for number in (2, 3):
            fill(store, f"2024-01-1{number} 00:00:00", rows=number)
            assert [one.pieces for one in archive(store, tmp_path)] == [(f"202401.{number}",)]
        assert [(piece.name, piece.manifest.rows) for piece in archives(tmp_path)] == [
            ("202401", 288),
            ("202401.2", 2),
            ("202401.3", 3),
            ("202402", 212),
        ]

    def test_columns_of_the_owner(self, embedded_store: Any, tmp_path: Path) -> None:
        """Columns that somebody added are archived, too: stored, computed, of other types, with NULL."""
        embedded_store.command(
            "ALTER TABLE activity_events ADD COLUMN Plan LowCardinality(Nullable(String)), ADD COLUMN Price "
            "Decimal(18, 4) DEFAULT 1.5, ADD COLUMN Half String MATERIALIZED Attributes['b'], ADD COLUMN At "
            "DateTime64(6, 'UTC'), ADD COLUMN Tags Array(Nullable(Int64)), ADD COLUMN Ip IPv6, ADD COLUMN B Bool"
        )
        fill(embedded_store)
        embedded_store.command(
            "INSERT INTO activity_events (Timestamp, Plan, Price, At, Tags, Ip, B) VALUES "
            "('2024-01-01 00:00:00', 'pro', 3.25, '1969-12-31 23:59:59.999999', [1, NULL], '2001:db8::1', true)"
        )
        before = events(embedded_store)
        assert {one.action for one in archive(embedded_store, tmp_path)} == {"archived"}
        for piece in archives(tmp_path):
            restore(embedded_store, piece)
        assert events(embedded_store) == before

    def test_types_that_parquet_has_not(self, store: Any, tmp_path: Path) -> None:
        """A column that cannot be written is named, its partition stays, and no file is left."""
        store.command("ALTER TABLE activity_events ADD COLUMN Span IntervalDay")
        fill(store)
        found = archive(store, tmp_path)
        assert {one.action for one in found} == {"failed"}
        assert "column 'Span'" in found[0].reason
        assert count(store) == 500
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]

    def test_what_does_not_survive(
        self, embedded_store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A column whose values read differently from Parquet than from the table is named, too."""
        fill(embedded_store)
        changed = "if(Seq % 100 = 0, Seq + 1, Seq) AS `Seq`"
        monkeypatch.setattr(export, "names", lambda columns: names(columns).replace("`Seq`", changed))
        found = archive(embedded_store, tmp_path)
        assert {one.action for one in found} == {"failed"}
        assert found[0].reason.startswith("The column Seq (UInt64) reads differently from Parquet")
        assert count(embedded_store) == 500
        assert archives(tmp_path) == []

    def test_other_engines(self, embedded_store: Any, tmp_path: Path) -> None:
        """A table without partitions of its own is refused before anything happens."""
        embedded_store.command("DROP TABLE activity_events")
        embedded_store.command("CREATE TABLE activity_events (Timestamp DateTime64(9, 'UTC')) ENGINE = Memory")
        with pytest.raises(ArchiveError, match="a table of the engine Memory, which holds no partitions"):
            archive(embedded_store, tmp_path)

    def test_no_tables(self, chdb_client: Any, tmp_path: Path) -> None:
        """A database without tables says which command makes them."""
        with pytest.raises(SchemaError, match="There is no table activity_events"):
            archive(chdb_client, tmp_path)

    def test_one_at_a_time(self, embedded_store: Any, tmp_path: Path) -> None:
        """Two runs into one folder: the second is refused as long as the first lasts."""
        fill(embedded_store)
        first = create(embedded_store, tmp_path, before=datetime(2025, 1, 1, tzinfo=UTC))
        next(first)
        with pytest.raises(ArchiveError, match="Another process works on the archives"):
            archive(embedded_store, tmp_path)
        assert len(list(first)) == 1

    def test_patterns_in_a_path(self, embedded_store: Any, tmp_path: Path) -> None:
        """The engine would take some characters for a pattern and read other files, or none."""
        with pytest.raises(ArchiveError, match="one of the characters"):
            archive(embedded_store, tmp_path / "a{b,c}")


class TestWhileRowsComeIn:
    """Somebody inserts into the partition that is being archived."""

    @pytest.mark.slow
    def test_nothing_is_lost_or_doubled(self, store: Any, server_url: str, tmp_path: Path) -> None:
        """Every row that was inserted is in the table or in exactly one archive, whenever it came."""
        fill(store)
        inserted = 500
        stop = threading.Event()
        writer = connect(f"{server_url.rpartition('/')[0]}/{store.database}")

        def insert() -> None:
            nonlocal inserted
            while not stop.is_set():
                fill(writer, f"2024-01-{inserted % 28 + 1:02d} 00:00:{inserted % 60:02d}", rows=1)
                inserted += 1

        thread = threading.Thread(target=insert)
        thread.start()
        try:
            for _ in range(4):
                archive(store, tmp_path)
        finally:
            stop.set()
            thread.join()
            writer.close()
        archive(store, tmp_path)
        assert count(store) == 0
        assert sum(piece.manifest.rows for piece in archives(tmp_path)) == inserted > 520
        assert [checked.problems for checked in verify(tmp_path) if checked.problems] == []

    def test_between_the_last_look_and_the_move(
        self, embedded_store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A row that slips in at the last moment is noticed after the move: all moves back and begins again."""
        fill(embedded_store)
        move = side.move
        late = iter(["2024-01-05 00:00:00"])

        def insert_first(client: Any, source: str, target: str, partition: str) -> None:
            for start in late:
                fill(client, start, rows=1)
            move(client, source, target, partition)

        monkeypatch.setattr(side, "move", insert_first)
        found = archive(embedded_store, tmp_path)
        assert [(one.partition, one.action, one.rows) for one in found] == [
            ("202401", "archived", 289),
            ("202402", "archived", 212),
        ]
        assert count(embedded_store) == 0
        assert [checked.problems for checked in verify(tmp_path)] == [(), ()]

    def test_always(self, embedded_store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A partition into which rows never cease to come stays in the table, and the others are archived."""
        fill(embedded_store)
        move = side.move

        def insert_first(client: Any, source: str, target: str, partition: str) -> None:
            if source == "activity_events" and partition == "202401":
                fill(client, "2024-01-05 00:00:00", rows=1)
            move(client, source, target, partition)

        monkeypatch.setattr(side, "move", insert_first)
        found = archive(embedded_store, tmp_path)
        assert [(one.partition, one.action) for one in found] == [("202401", "failed"), ("202402", "archived")]
        assert found[0].reason.startswith("Rows came into the partition 202401 each of the 3 times")
        assert count(embedded_store) == 291


class TestReplaced:
    """A piece that is written anew keeps all that it had."""

    def test_a_row_that_the_table_has_lost(self, embedded_store: Any, tmp_path: Path) -> None:
        """One of many, which a sample does not see: neither the piece nor the table changes."""
        fill(embedded_store, "2024-01-01 00:00:00", rows=4000)
        embedded_store.command(
            "INSERT INTO activity_events (Timestamp, EventName) "
            "SELECT toDateTime64('2024-01-02', 9, 'UTC') + INTERVAL number MILLISECOND, 'a.b' FROM numbers(60000)"
        )
        archive(embedded_store, tmp_path / "to", keep=True)
        embedded_store.command(
            "ALTER TABLE activity_events DELETE WHERE ObjectId = '7' SETTINGS mutations_sync = 2"
        )
        (first, *_) = archive(embedded_store, tmp_path / "to")
        assert (first.partition, first.action) == ("202401", "failed")
        assert "some of the rows of the piece 202401" in first.reason
        assert all(not checked.problems for checked in verify(tmp_path / "to"))

    def test_a_second_piece_that_a_killed_run_has_left(self, embedded_store: Any, tmp_path: Path) -> None:
        """Its rows are in the first one by then; no row is archived twice."""
        fill(embedded_store, "2024-01-01 00:00:00", rows=10)
        archive(embedded_store, tmp_path / "to")
        fill(embedded_store, "2024-01-10 00:00:00", rows=10)
        archive(embedded_store, tmp_path / "to")
        shutil.copytree(tmp_path / "to" / "202401.2", tmp_path / "second")
        for piece in archives(tmp_path / "to"):
            restore(embedded_store, piece)
        fill(embedded_store, "2024-01-20 00:00:00", rows=10)
        archive(embedded_store, tmp_path / "to", keep=True)
        shutil.copytree(tmp_path / "second", tmp_path / "to" / "202401.2")
        archive(embedded_store, tmp_path / "to")
        assert [(piece.name, piece.manifest.rows) for piece in archives(tmp_path / "to")] == [("202401", 30)]
