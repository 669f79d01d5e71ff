"""Questions about rows and bytes: whole answers about a few rows, with literal values."""

from __future__ import annotations

from typing import Any

from activitylog.queries import ask
from tests.activitylog.queries.rows import put, row


def _on_disk(client: Any) -> int:
    return int(
        client.command(
            "SELECT sum(bytes_on_disk) FROM system.parts "
            "WHERE active AND database = currentDatabase() AND table = 'activity_events'"
        )
    )


class TestTenantUsage:
    """``tenant-usage``."""

    def test_shares(self, store: Any) -> None:
        """Events and their share, different actors, bytes by the rows, and what failed; days are whole."""
        answer = ask(store, "tenant-usage")
        assert answer.columns == (
            "tenant", "rows", "events", "percent", "actors", "estimated_bytes", "failed_percent"
        )  # fmt: skip
        per_row = _on_disk(store) / 7
        assert answer.rows == [
            ("", 6, 6.0, 50.0, 3, int(6 * per_row), 33.33),
            ("acme", 1, 6.0, 50.0, 1, int(per_row), 0.0),
        ]
        rows = ask(store, "tenant-usage", since="2026-03-01 11:15", until="2026-03-02").rows
        assert [line[:5] for line in rows] == [("", 4, 4.0, 100.0, 2)]


class TestStorageByEvent:
    """``storage-by-event``."""

    def test_bytes_by_rows_and_length(self, empty_store: Any) -> None:
        """The table's bytes, shared out by rows times length; an event of before has the mean length."""
        put(
            empty_store,
            row("2026-03-01 10:00", "old"),
            *(row(f"2026-03-03 10:0{n}", "short") for n in range(6)),
            *(row(f"2026-03-03 10:0{n}", "long", BodyTemplate="x" * 400) for n in range(2)),
        )
        answer = ask(empty_store, "storage-by-event")
        assert answer.columns == ("event", "rows", "raw_bytes_per_row", "estimated_bytes", "percent")
        short = {line[0]: line[2] for line in answer.rows}["short"]
        assert [line[:3] for line in answer.rows] == [
            ("long", 2, short + 400),
            ("short", 6, short),
            ("old", 1, short + 200),
        ]
        total = 6 * short + 2 * (short + 400) + short + 200
        assert {line[0]: line[4] for line in answer.rows} == {
            "short": round(100 * 6 * short / total, 2),
            "long": round(100 * 2 * (short + 400) / total, 2),
            "old": round(100 * (short + 200) / total, 2),
        }
        assert abs(sum(line[3] for line in answer.rows) - _on_disk(empty_store)) <= 3
