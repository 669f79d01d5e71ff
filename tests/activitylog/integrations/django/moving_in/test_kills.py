"""An import that is killed at any moment stores every row once."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.activitylog.integrations.django.moving_in.kills import Imports, _with_tables, kill_and_go_on
from tests.postgres import postgres_server, require_postgres
from tests.serving import ServedStore
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


def test_killed_at_random_moments(tmp_path: Path) -> None:
    """Two dozen times, now and then with the loss of its state: no row is missing, and none is there twice."""
    found = kill_and_go_on(tmp_path, kills=24, seed=7)
    assert found.kills == 24
    assert found.copies == Counter(found.rows)
    assert found.complete
    assert found.report["reconciled"]["equal"]


def test_a_table_of_postgresql(tmp_path: Path) -> None:
    """The same, and the table is that of a server."""
    require_postgres()
    with postgres_server("fsync=off") as url:
        found = kill_and_go_on(tmp_path, kills=5, seed=3, database=url)
    assert found.copies == Counter(found.rows)
    assert found.complete
    assert found.report["reconciled"]["equal"]


def test_a_store_that_is_killed_and_comes_back(tmp_path: Path) -> None:
    """The import waits for it, and sends the chunk with the same token."""
    with ServedStore(tmp_path / "store") as store:
        _with_tables(store).close()
        imports = Imports(tmp_path, str(tmp_path / "old.sqlite3"), store.url)
        imports.fill(20_000)
        process = imports.start("--batch", "500")
        for rows in (2_000, 8_000):
            wait_until(partial(_is_at, imports, rows), 300)
            store.kill()
            store.start()
        out, error = process.communicate(timeout=600)
        assert process.returncode == 0, out + error
        client = _with_tables(store)
        found = client.query("SELECT toInt64(Attributes['legacy.pk']) FROM activity_events").result_rows
        client.close()
    assert Counter(key for (key,) in found) == Counter(range(1, 20_001))


def _is_at(imports: Imports, rows: int) -> bool:
    return imports.progress()[0] >= rows
