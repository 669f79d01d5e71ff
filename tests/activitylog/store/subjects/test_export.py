"""What a person is given: every event once, in order, with all digits; the file whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.exceptions import ConfigurationError, StoreError
from activitylog.store import EVENTS_TABLE
from activitylog.store.archive import create, file_engine
from activitylog.store.subjects.export import Wanted, export, export_file, merged
from activitylog.store.subjects.subject import subject
from tests.activitylog.store.subjects.erasing import event, insert

ANN = subject(actor="user:ann")
EVENTS = [
    event(
        "2026-02-05 10:00:00.000000001",
        "user:ann",
        "doc:1",
        "list:x",
        TenantId="t",
        BodyTemplate='\x01 "did" \x02\n',
    ),
    event("2026-01-05 10:00:00.123456789", "user:ann", Attributes={"größe": "1"}, SampleWeight=2.5, EventCount=2),
    event("2026-03-05 10:00:00", "user:bo", "user:ann", Outcome="denied"),
    event("2026-03-05 10:00:00", "user:anna"),
]


@pytest.fixture
def store(migrated_client: Any) -> Any:
    insert(migrated_client, EVENTS)
    return migrated_client


@pytest.fixture
def _engine() -> Iterator[None]:
    with file_engine():
        yield


def exported(client: Any, **wanted: Any) -> list[dict[str, Any]]:
    sink = io.BytesIO()
    export(client, Wanted(**{"subject": ANN, **wanted}), sink)
    return [json.loads(line) for line in sink.getvalue().splitlines()]


class TestExport:
    """``export``: lines of NDJSON."""

    def test_an_event_is_given_whole(self, store: Any) -> None:
        """With OpenTelemetry's names; the time has its nanoseconds, the body its names."""
        assert exported(store)[1] == {
            "Timestamp": "2026-02-05T10:00:00.000000001Z",
            "EventId": "00000000-0000-0000-0000-000000000000",
            "EventName": "thing.done",
            "Actor": "user:ann",
            "Object": "doc:1",
            "Target": "list:x",
            "Tenant": "t",
            "Outcome": "success",
            "EventCount": 1,
            "SampleWeight": 1,
            "Body": 'ann "did" 1\n',
            "LogAttributes": {
                "activity.tenant.id": "t",
                "user.id": "ann",
                "activity.object.type": "doc",
                "activity.object.id": "1",
                "activity.target.type": "list",
                "activity.target.id": "x",
            },
            "ServiceName": "",
            "ResourceAttributes": {},
            "SeverityText": "",
            "TraceId": "",
            "SpanId": "",
            "Relation": "by",
        }

    def test_in_the_order_of_time(self, store: Any) -> None:
        """The oldest first; nobody else's."""
        assert [one["Timestamp"][:10] for one in exported(store)] == ["2026-01-05", "2026-02-05"]

    def test_bytes_that_are_no_text(self, store: Any, tmp_path: Path) -> None:
        """They are replaced, the same in the table and in an archive; a copy in both is one event still."""
        columns = "(Timestamp, EventName, ActorType, ActorId, BodyTemplate)"
        store.command(
            f"INSERT INTO {EVENTS_TABLE} {columns} "
            "SELECT '2026-01-06 10:00:00', 'x', 'user', 'ann', 'a' || unhex('ff') || 'b'"
        )
        list(create(store, tmp_path, before=datetime(2026, 2, 1, tzinfo=UTC), keep=True))
        bodies = [one["Body"] for one in exported(store, archives=(tmp_path,))]
        assert bodies.count("a\ufffdb") == 1

    def test_what_names_the_subject(self, store: Any) -> None:
        """On request, and marked as such."""
        assert [one["Relation"] for one in exported(store, about=True)] == ["by", "by", "about"]

    def test_of_a_time(self, store: Any) -> None:
        """From a time on, and before one."""
        since, until = datetime(2026, 1, 5, 10, 0, 1, tzinfo=UTC), datetime(2026, 3, 5, 10, tzinfo=UTC)
        assert len(exported(store, since=since, until=until, about=True)) == 1

    def test_parquet_holds_the_same(self, store: Any) -> None:
        """Every value, as a type of Parquet."""
        from pyarrow import parquet

        sink = io.BytesIO()
        done = export(store, Wanted(subject=ANN, format="parquet", about=True), sink)
        rows = parquet.read_table(io.BytesIO(sink.getvalue())).to_pylist()
        assert (done.events, done.bytes) == (3, len(sink.getvalue()))
        assert [row["Timestamp"].value for row in rows] == [
            1767607200123456789,
            1770285600000000001,
            1772704800000000000,
        ]
        lines = exported(store, about=True)
        for row, line in zip(rows, lines, strict=True):
            assert dict(row.pop("LogAttributes")) == line.pop("LogAttributes")
            assert dict(row.pop("ResourceAttributes")) == line.pop("ResourceAttributes")
            del row["Timestamp"], line["Timestamp"]
            assert row == line

    @pytest.mark.slow
    @pytest.mark.usefixtures("_engine")
    def test_from_table_and_archives(self, store: Any, tmp_path: Path) -> None:
        """The same lines as before archiving; what is in both places is given once, what is twice in one twice."""
        insert(store, EVENTS[:1])
        before = exported(store, about=True)
        list(create(store, tmp_path / "archive", before=datetime(2026, 3, 1, tzinfo=UTC)))
        assert exported(store, about=True) == before
        insert(store, EVENTS[:2])
        assert exported(store, about=True) == before


class TestExportFile:
    """``export_file``: the file of it."""

    def test_is_private_and_its_sum_is_told(self, store: Any, tmp_path: Path) -> None:
        """Only the owner reads it; the sum is the file's."""
        path = tmp_path / "ann.ndjson"
        done = export_file(store, Wanted(subject=ANN), path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert (done.events, done.sha256) == (2, hashlib.sha256(path.read_bytes()).hexdigest())
        assert list(tmp_path.iterdir()) == [path]

    def test_another_file_is_not_replaced(self, store: Any, tmp_path: Path) -> None:
        """Unless it is said so."""
        path = tmp_path / "ann.ndjson"
        path.write_text("mine")
        with pytest.raises(ConfigurationError, match="exists"):
            export_file(store, Wanted(subject=ANN), path)
        assert path.read_text() == "mine"
        assert export_file(store, Wanted(subject=ANN), path, force=True).events == 2

    def test_a_break_leaves_nothing(self, store: Any, tmp_path: Path) -> None:
        """An answer that ends in the middle is no file, and no half of one."""
        body = "throwIf(toString(Outcome) = 'success', 'x')::String"
        store.command(f"ALTER TABLE {EVENTS_TABLE} MODIFY COLUMN Body String ALIAS {body}")
        with pytest.raises(Exception, match="x"):
            export_file(store, Wanted(subject=ANN), tmp_path / "ann.ndjson")
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_is_not_there(self, store: Any, tmp_path: Path) -> None:
        """It is said which file."""
        with pytest.raises(StoreError, match="cannot be written"):
            export_file(store, Wanted(subject=ANN), tmp_path / "none" / "ann.ndjson")


class TestMerged:
    """``merged``: many sources in order, each opened when its time has come."""

    @given(sources=st.lists(st.lists(st.integers(0, 30).map(lambda n: f"{n:02d}"))))
    def test_is_sorted_and_whole(self, sources: list[list[str]]) -> None:
        """Every row of every source, in order."""
        rows: list[list[list[Any]]] = [sorted([text, "", 0] for text in source) for source in sources]
        opened = [(str(source[0][0]) if source else "", partial(iter, source)) for source in rows]
        found = [row for _, _, row in merged(opened)]
        assert found == sorted(row for source in rows for row in source)

    def test_opens_no_source_before_its_time(self) -> None:
        """Memory holds what is due, not all files of ten years."""
        opened = []

        def source(name: str) -> Iterator[list[Any]]:
            opened.append(name)
            yield [name, "", 0]

        rows = merged([(name, partial(source, name)) for name in ("3", "1", "2")])
        next(rows)
        assert opened == ["1"]
