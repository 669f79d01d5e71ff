"""Archives back into the table: the same to the bit, once, and without the roll-ups noticing."""

from __future__ import annotations

import struct
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activitylog.exceptions import ArchiveError, ConfigurationError
from activitylog.store.archive import archives, restore
from activitylog.store.archive import side_table as side
from tests.activitylog.store.archive.conftest import archive, count, events, fill

pytestmark = pytest.mark.slow


def varint(number: int) -> bytes:
    """LEB128, as RowBinary has it before strings and maps."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def string(value: bytes) -> bytes:
    return varint(len(value)) + value


_bytes = st.one_of(st.binary(max_size=12), st.sampled_from([b"", b"\xff\xfe", b"\x00", b"a\nb", "héllo".encode()]))
_number = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 2**63, 2**64 - 1]))
#: All floats by their bits: NaN of any kind, infinities, both zeros.
_float = st.one_of(_number, st.sampled_from([0x8000000000000000, 0x7FF8000000000001, 0xFFF0000000000000]))
_map = st.lists(st.tuples(_bytes, _bytes), max_size=3, unique_by=lambda pair: pair[0])
#: Nanoseconds of January 2024.
_time = st.integers(1704067200 * 10**9, 1706745600 * 10**9 - 1)
_row = st.tuples(_time, _bytes, _bytes, _float, _number, st.binary(min_size=16, max_size=16), _map)
_COLUMNS = ["Timestamp", "EventName", "ActorId", "SampleWeight", "Seq", "EventId", "Attributes"]


def row_binary(row: tuple[int, bytes, bytes, int, int, bytes, list[tuple[bytes, bytes]]]) -> bytes:
    time, name, actor, weight, seq, id_, attributes = row
    pairs = b"".join(string(key) + string(value) for key, value in attributes)
    return (
        struct.pack("<q", time) + string(name) + string(actor) + struct.pack("<QQ", weight, seq) + id_
        + varint(len(attributes)) + pairs
    )  # fmt: skip


class TestRoundTrip:
    """Any rows through Parquet and back."""

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(rows=st.lists(_row, min_size=1, max_size=12))
    def test_any_rows(self, embedded_store: Any, tmp_path: Path, rows: list[tuple[Any, ...]]) -> None:
        """Nanoseconds, bits of floats, numbers above 2^63, ids, maps, bytes that are no text: all are the same."""
        embedded_store.command("TRUNCATE TABLE activity_events")
        embedded_store.raw_insert(
            "activity_events",
            column_names=_COLUMNS,
            insert_block=b"".join(row_binary(row) for row in rows),
            fmt="RowBinary",
            settings={"insert_deduplicate": 0},
        )
        before = events(embedded_store)
        assert len(before) == len(rows)
        folder = tmp_path / uuid.uuid4().hex
        assert [one.rows for one in archive(embedded_store, folder, rows_per_file=5)] == [len(rows)]
        assert count(embedded_store) == 0
        restore(embedded_store, archives(folder)[0])
        assert events(embedded_store) == before


class TestRestore:
    """``restore``."""

    def test_all_comes_back(self, store: Any, tmp_path: Path) -> None:
        """Every row is as it was; roll-ups still have each event once; it is noted."""
        fill(store)
        before = events(store)
        archive(store, tmp_path, rows_per_file=100)
        assert [restore(store, piece).rows for piece in archives(tmp_path)] == [288, 212]
        assert events(store) == before
        assert store.command("SELECT sum(RowCount) FROM activity_events_hourly") == 500
        assert store.command("SELECT count() FROM activity_archives WHERE Action = 'restored'") == 2
        assert not side.exists(store, side.RESTORING)

    def test_twice(self, embedded_store: Any, archived: Path) -> None:
        """What is in the table already is refused, though rows were added since."""
        restore(embedded_store, archives(archived)[0])
        fill(embedded_store, "2024-01-10 00:00:00", rows=5)
        with pytest.raises(ArchiveError, match="has the rows of the archive 202401 already"):
            restore(embedded_store, archives(archived)[0])
        assert count(embedded_store) == 293

    def test_into_what_came_later(self, embedded_store: Any, archived: Path) -> None:
        """Rows that came since stay, and what is archived afterwards is one piece with all of them."""
        fill(embedded_store, "2024-01-10 00:00:00", rows=5)
        restore(embedded_store, archives(archived)[0])
        assert count(embedded_store) == 293
        assert [(one.pieces, one.rows, one.written) for one in archive(embedded_store, archived)] == [
            (("202401",), 293, True)
        ]

    def test_archived_again(self, embedded_store: Any, archived: Path) -> None:
        """A restored month that nobody changed is not written a second time, though it has two pieces."""
        fill(embedded_store, "2024-01-10 00:00:00", rows=5)
        archive(embedded_store, archived)
        for piece in archives(archived):
            restore(embedded_store, piece)
        assert [(one.pieces, one.written) for one in archive(embedded_store, archived)] == [
            (("202401", "202401.2"), False),
            (("202402",), False),
        ]
        assert count(embedded_store) == 0

    def test_damaged(self, embedded_store: Any, archived: Path) -> None:
        """A damaged archive is refused before the table is touched."""
        path = archives(archived)[0].files[1]
        path.write_bytes(path.read_bytes()[:-7])
        with pytest.raises(ArchiveError, match=r"The archive 202401 is damaged: 0002\..*Nothing was restored"):
            restore(embedded_store, archives(archived)[0])
        assert count(embedded_store) == 0
        assert not side.exists(embedded_store, side.RESTORING)

    def test_a_grown_table(self, store: Any, tmp_path: Path) -> None:
        """Columns that the table got since have their defaults, or what they are computed from."""
        fill(store)
        archive(store, tmp_path)
        store.command("ALTER TABLE activity_events ADD COLUMN Plan String DEFAULT 'free' AFTER EventName")
        store.command("ALTER TABLE activity_events ADD COLUMN A String MATERIALIZED hex(Attributes['b'])")
        store.command("ALTER TABLE activity_events ADD INDEX idx_plan Plan TYPE bloom_filter(0.01) GRANULARITY 1")
        for piece in archives(tmp_path):
            restore(store, piece)
        assert store.query("SELECT Plan, A, count() FROM activity_events GROUP BY 1, 2").result_rows == [
            ("free", "FF00", 500)
        ]

    def test_a_dropped_column(self, embedded_store: Any, tmp_path: Path) -> None:
        """A table that has lost a column cannot take the rows as they were; one beside can."""
        embedded_store.command("ALTER TABLE activity_events ADD COLUMN Plan String DEFAULT 'free'")
        fill(embedded_store)
        archive(embedded_store, tmp_path)
        embedded_store.command("ALTER TABLE activity_events DROP COLUMN Plan")
        with pytest.raises(ArchiveError, match="lacks a column that the archive has"):
            restore(embedded_store, archives(tmp_path)[0])
        assert restore(embedded_store, archives(tmp_path)[0], into="january").table == "january"
        assert count(embedded_store, "january") == 288

    def test_a_changed_column(self, embedded_store: Any, archived: Path) -> None:
        """A wider type takes the same values; one that loses something does not."""
        embedded_store.command("ALTER TABLE activity_events MODIFY COLUMN HttpStatus UInt32")
        assert restore(embedded_store, archives(archived)[0]).rows == 288
        embedded_store.command("ALTER TABLE activity_events MODIFY COLUMN Seq UInt32")
        with pytest.raises(ArchiveError, match="are not the same in the table activity_events"):
            restore(embedded_store, archives(archived)[1])
        assert count(embedded_store) == 288
        assert not side.exists(embedded_store, side.RESTORING)

    def test_beside(self, embedded_store: Any, archived: Path) -> None:
        """A table beside has all pieces, the columns of OpenTelemetry, and no influence on anything."""
        for piece in archives(archived):
            restore(embedded_store, piece, into="old")
        assert count(embedded_store, "old") == 500
        assert count(embedded_store) == 0
        body, attributes = embedded_store.query(
            "SELECT Body, LogAttributes FROM old WHERE ObjectId = '8'"
        ).result_rows[0]
        assert body == "1 placed 8"
        assert attributes["user.id"] == "1"
        with pytest.raises(ArchiveError, match="The table old has the rows"):
            restore(embedded_store, archives(archived)[0], into="old")

    def test_no_name(self, embedded_store: Any, archived: Path) -> None:
        """The table beside has a plain name."""
        with pytest.raises(ConfigurationError, match="is no name of a table"):
            restore(embedded_store, archives(archived)[0], into="a.b; DROP TABLE x")

    @pytest.mark.parametrize(
        "ttl",
        [
            "toDateTime(Timestamp) + INTERVAL 30 DAY",
            "toDateTime(Timestamp) + INTERVAL 9000 DAY, "
            "toDateTime(Timestamp) + INTERVAL 3 DAY DELETE WHERE ActorId = '1'",
        ],
    )
    def test_expired(self, embedded_store: Any, archived: Path, ttl: str) -> None:
        """Rows that the table's TTL would remove at once are not put under it; beside they stay."""
        embedded_store.command(f"ALTER TABLE activity_events MODIFY TTL {ttl}")
        with pytest.raises(ArchiveError, match=r"The TTL of activity_events would remove (288|41) of the rows"):
            restore(embedded_store, archives(archived)[0])
        restore(embedded_store, archives(archived)[0], into="old")
        embedded_store.command("OPTIMIZE TABLE old FINAL")
        assert count(embedded_store, "old") == 288

    def test_not_yet_expired(self, embedded_store: Any, archived: Path) -> None:
        """A TTL that leaves the rows alone leaves the restore alone."""
        embedded_store.command("ALTER TABLE activity_events MODIFY TTL toDateTime(Timestamp) + INTERVAL 9000 DAY")
        assert restore(embedded_store, archives(archived)[0]).rows == 288
        assert count(embedded_store) == 288

    def test_expires_later(self, embedded_store: Any, archived: Path) -> None:
        """What came back does not stay for ever: the engine knows again when its TTL is due."""
        embedded_store.command("ALTER TABLE activity_events MODIFY TTL toDateTime(Timestamp) + INTERVAL 9000 DAY")
        restore(embedded_store, archives(archived)[0])
        due = embedded_store.query(
            "SELECT min(toString(toDate(delete_ttl_info_min))) FROM system.parts WHERE active AND rows > 0 "
            "AND database = currentDatabase() AND table = 'activity_events'"
        ).result_rows
        assert due == [("2048-09-20",)]

    def test_rows_that_are_all_alike(self, embedded_store: Any, tmp_path: Path) -> None:
        """A sample of them may be empty; that does not mean that the table has none."""
        for minute in range(3):
            embedded_store.command(
                "INSERT INTO activity_events (Timestamp, EventName) "
                f"SELECT '2024-01-01 00:0{minute}:00', 'a.b' FROM numbers(20000) SETTINGS insert_deduplicate = 0"
            )
        archive(embedded_store, tmp_path / "to")
        (piece,) = archives(tmp_path / "to")
        restore(embedded_store, piece)
        with pytest.raises(ArchiveError, match="has the rows"):
            restore(embedded_store, piece)
        assert count(embedded_store) == 60_000
