"""The checksum sees every bit of every column, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from activitylog.store.archive.fingerprint import Fingerprint, of_table, stored_columns
from tests.activitylog.store.archive.conftest import fill


def fingerprint(client: Any, table: str = "activity_events") -> Fingerprint:
    return of_table(client, table, stored_columns(client, "activity_events")[0])


class TestFingerprint:
    """``of_table``."""

    def test_order_and_parts(self, embedded_store: Any) -> None:
        """The same rows in another order, in other parts, with their maps in another order, are the same."""
        fill(embedded_store)
        embedded_store.command("CREATE TABLE other AS activity_events")
        reversed_maps = "mapFromArrays(reverse(mapKeys(Attributes)), reverse(mapValues(Attributes)))"
        for digit in range(9, -1, -1):
            embedded_store.command(
                f"INSERT INTO other SELECT * REPLACE ({reversed_maps} AS Attributes) FROM activity_events "
                f"WHERE endsWith(ObjectId, '{digit}') ORDER BY Timestamp DESC"
            )
        assert fingerprint(embedded_store, "other") == fingerprint(embedded_store)

    def test_every_column(self, embedded_store: Any) -> None:
        """Another value in one column of one row is seen, whatever the column."""
        fill(embedded_store, rows=3)
        seen = {fingerprint(embedded_store).checksum}
        columns, _ = stored_columns(embedded_store, "activity_events")
        embedded_store.command("CREATE TABLE other AS activity_events")
        for column in columns:
            values = {"DateTime64(9, 'UTC')": "Timestamp + INTERVAL 1 NANOSECOND", "UUID": "generateUUIDv4()"}
            value = values.get(column.type, f"{column.name} + 1")
            if "String" in column.type:
                value = f"concat({column.name}, unhex('00'))"
            if column.type.startswith("Map"):
                value = "mapUpdate(Attributes, map('b', unhex('ff01')))"
            embedded_store.command("TRUNCATE TABLE other")
            changed = f"if(ObjectId = '0', {value}, {column.name}) AS {column.name}"
            embedded_store.command(f"INSERT INTO other SELECT * REPLACE ({changed}) FROM activity_events")
            seen.add(fingerprint(embedded_store, "other").checksum)
        assert len(seen) == len(columns) + 1

    @pytest.mark.parametrize(
        ("one", "other"), [("0.0", "-0.0"), ("nan", "reinterpretAsFloat64(toUInt64(0xFFF8000000000001))")]
    )
    def test_bits_of_floats(self, embedded_store: Any, one: str, other: str) -> None:
        """Zeros of both signs differ, and so do kinds of NaN."""
        found = set()
        for value in (one, other):
            embedded_store.command("TRUNCATE TABLE activity_events")
            embedded_store.command(f"INSERT INTO activity_events (SampleWeight) SELECT {value}")
            found.add(fingerprint(embedded_store).checksum)
        assert len(found) == 2

    def test_borders(self, embedded_store: Any) -> None:
        """What moves from one column into the next is seen."""
        found = set()
        for actor, object_ in (("ab", "c"), ("a", "bc")):
            embedded_store.command("TRUNCATE TABLE activity_events")
            embedded_store.command(
                f"INSERT INTO activity_events (ActorId, ObjectType) VALUES ('{actor}', '{object_}')"
            )
            found.add(fingerprint(embedded_store).checksum)
        assert len(found) == 2

    def test_equal_rows_do_not_cancel_out(self, embedded_store: Any) -> None:
        """Two equal rows are not none, and sums of parts are the sum of the whole."""
        fill(embedded_store, rows=1)
        once = fingerprint(embedded_store)
        embedded_store.command(
            "INSERT INTO activity_events SELECT * FROM activity_events", settings={"insert_deduplicate": 0}
        )
        twice = fingerprint(embedded_store)
        assert (twice.rows, int(twice.checksum, 16)) == (2, 2 * int(once.checksum, 16) % 2**128)
