"""
The schema is brought up to date while rows come in: by several appliers at once, by appliers that are killed,
from a database of the first version. Real processes against `activitylog serve`.

A row is named after the roll-up views that were there before it was sent. Those views must count it exactly; about
rows that were sent while a view was being made nothing is said here.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from activitylog.store import connect, diff, migrations
from activitylog.store.definitions import definitions
from activitylog.store.migrations import create_record, record_statement
from activitylog.store_settings import StoreSettings, parse_store
from tests.activitylog.store.writer import Writer
from tests.end_to_end.gate import Gate

pytestmark = [pytest.mark.slow, pytest.mark.server]

SETTINGS = parse_store({"columns": {"order.id": "String", "total": "UInt64"}})
TOML = '[store.columns]\n"order.id" = "String"\ntotal = "UInt64"\n'
#: The first released version of the schema.
FIRST = migrations()[:3]
APPLIED = "INSERT INTO activity_schema_migrations"
#: The body of an insert is compressed; its settings are in the path.
CLAIMED = "insert_deduplication_token=claim:rollups:"
DIFFERENCES = tuple(f"INSERT INTO activity_events_{rollup}" for rollup in ("hourly", "actor_daily"))
#: Each has a name of its own, and the time when it opens.
GATE = re.compile(r"insert_gate_\d+_[0-9a-f]+|\b\d{10}\b")
_numbers = itertools.count(1)


@pytest.fixture
def database(server_url: str) -> Iterator[str]:
    """The URL of a database of the first version, with a hundred rows in it."""
    url = f"{server_url.rpartition('/')[0]}/upgrade_{next(_numbers)}"
    client = connect(url, create_database=True)
    for statement in (*create_record(StoreSettings()), *(migration.sql for migration in FIRST)):
        client.command(statement)
    for migration in FIRST:
        client.command(record_statement(migration))
    client.command("SYSTEM STOP MERGES activity_events")
    client.command(
        "INSERT INTO activity_events (Timestamp, EventName, ActorId, Attributes) "
        "SELECT now64(9), 'old.row', 'old', map('order.id', toString(number), 'total', toString(number)) "
        "FROM numbers(100)"
    )
    yield url
    client.command(f"DROP DATABASE {url.rpartition('/')[2]}")
    client.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with the settings."""
    (tmp_path / "activitylog.toml").write_text(TOML)
    return tmp_path


class TwoWaysWriter(Writer):
    """Sends rows by both ways in, named after the roll-up views that are there."""

    def __init__(self, url: str) -> None:
        super().__init__(connect(url))

    def send(self) -> None:
        views = {name for (name,) in self.client.query("SHOW TABLES").result_rows}
        name = "row." + "".join(
            part[0] for part in ("hourly", "actor_daily") if f"activity_events_{part}_mv" in views
        )
        attributes = {"order.id": f"o{self.sent}", "total": str(self.sent)}
        typed = [[name, "user", name, attributes]] * 5
        self._insert("activity_events", typed, ["EventName", "ActorType", "ActorId", "Attributes"])
        collected = [[name, {"user.id": name, **attributes}]] * 5
        self._insert("activity_events_ingest", collected, ["EventName", "LogAttributes"])

    def _insert(self, table: str, rows: list[Any], columns: list[str]) -> None:
        def insert(settings: dict[str, Any]) -> None:
            self.client.insert(table, rows, column_names=columns, settings=settings)

        self.insert(table, len(rows), insert)


def _applier(url: str, folder: Path, lease_seconds: float = 20.0, gate_seconds: int = 30) -> subprocess.Popen[str]:
    """
    A process that applies. When it is killed, its claim keeps others waiting for ``lease_seconds``, and its gates
    keep writers out for ``gate_seconds``.
    """
    program = (
        "from activitylog.cli import main\n"
        "from activitylog.store import claims, view_names\n"
        f"claims.LEASE_SECONDS = {lease_seconds}\n"
        f"view_names.GATE_SECONDS = {gate_seconds}\n"
        "main()"
    )
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(("ACTIVITYLOG_", "OTEL_"))}
    return subprocess.Popen(
        [sys.executable, "-c", program, "schema", "apply", "--url", url],
        cwd=folder,
        env=inherited,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _through(gate: Gate, url: str) -> str:
    return f"clickhouse://127.0.0.1:{gate.port}/{url.rpartition('/')[2]}"


def _port(url: str) -> int:
    return int(url.rpartition("/")[0].rpartition(":")[2])


def _check(url: str, sent: int) -> None:
    """Complete, recorded, no row lost or doubled, nothing rewritten, each row counted that a view has seen."""
    client = connect(url)
    query: Callable[[str], Any] = lambda sql: client.query(sql).result_rows  # noqa: E731
    try:
        assert diff(client, SETTINGS) == []
        recorded = query("SELECT DISTINCT number FROM activity_schema_migrations ORDER BY number")
        assert recorded == [(migration.number,) for migration in migrations()]
        assert query("SELECT count() FROM activity_events") == [(100 + sent,)]
        assert query("SELECT count() FROM activity_events WHERE EventName LIKE 'row.%ha'")[0][0] > 0
        assert query("SELECT count() FROM system.mutations WHERE database = currentDatabase()") == [(0,)]
        parts = "database = currentDatabase() AND table = 'activity_events'"
        assert query(f"SELECT countIf(NOT active), max(level) FROM system.parts WHERE {parts}") == [(0, 0)]
        for letter, rows, rollup, key in (
            ("h", "RowCount", "activity_events_hourly", "EventName"),
            ("a", "RowCount", "activity_events_actor_daily", "ActorId"),
        ):
            seen = f"{key} LIKE 'row.%{letter}%'"
            counted = query(f"SELECT {key}, sum({rows}) FROM {rollup} WHERE {seen} GROUP BY 1 ORDER BY 1")
            assert counted == query(
                f"SELECT {key}, count() FROM activity_events WHERE {seen} GROUP BY 1 ORDER BY 1"
            )
        wrong = "OrderId != Attributes['order.id'] OR toString(Total) != Attributes['total']"
        assert query(f"SELECT countIf({wrong}), countIf(OrderId = '') FROM activity_events") == [(0, 0)]
        assert query("SELECT Total FROM activity_events WHERE OrderId = '7' AND EventName = 'old.row'") == [(7,)]
    finally:
        client.close()


class TestUpgradeWhileRowsComeIn:
    def test_several_appliers_at_the_same_moment(self, database: str, folder: Path) -> None:
        """Four that have all decided what to do before any of them did it: each ends well, and all is right."""
        together = threading.Barrier(4)
        first = f"CREATE TABLE IF NOT EXISTS {definitions()[3].name}"

        def meet(text: str) -> None:
            if first in text:
                together.wait(60)

        gate = Gate(_port(database), before=meet)
        writer = TwoWaysWriter(database)
        try:
            appliers = [_applier(_through(gate, database), folder) for _ in range(4)]
            ends = [(*applier.communicate(timeout=120), applier.returncode) for applier in appliers]
        finally:
            sent = writer.stop()
            gate.close()
        assert [code for _, _, code in ends] == [0, 0, 0, 0], ends
        _check(database, sent)

    def test_killed_at_every_statement(self, database: str, folder: Path) -> None:
        """
        Each applier is killed at the first statement that no other one came to: before the server gets it, or when
        it was done but nobody heard. The last one finds nothing that was not seen.

        Statements are those that change something: of the steps, of their record, of a claim, of a roll-up.
        """
        seen: set[str] = set()
        claimed = 0
        applier: subprocess.Popen[str]

        def kill(text: str, *, done: bool) -> bool:
            nonlocal claimed
            statement = text.partition("/?")[0].strip()
            if CLAIMED in text:
                claimed += not done
                if claimed > 4:  # one that waits for inserts renews again and again
                    return True
                statement = f"{CLAIMED} {claimed}"
            elif not statement.startswith(("CREATE", "ALTER", "-- ", "RENAME", "DROP", APPLIED, *DIFFERENCES)):
                return True
            statement = GATE.sub("gate", statement)
            # step and record, step and record: before, done, done, before
            if statement in seen or (len(seen) % 4 in (1, 2)) != done:
                return True
            seen.add(statement)
            applier.send_signal(signal.SIGKILL)
            applier.wait()
            return False

        gate = Gate(
            _port(database), before=lambda text: kill(text, done=False), after=lambda text: kill(text, done=True)
        )
        writer = TwoWaysWriter(database)
        try:
            codes: list[int] = []
            while not codes or codes[-1] == -signal.SIGKILL:
                claimed = 0
                applier = _applier(_through(gate, database), folder, lease_seconds=0.5, gate_seconds=3)
                _, errors = applier.communicate(timeout=180)
                codes.append(applier.returncode)
        finally:
            sent = writer.stop()
            gate.close()
        assert codes == [-signal.SIGKILL] * len(seen) + [0], errors
        steps = migrations()[len(FIRST) :]
        claims = {statement for statement in seen if statement.startswith(CLAIMED)}
        assert len(claims) >= 3  # taken, renewed for a statement, given back
        # Each step and its record; two columns, two indexes; two roll-ups. Who comes after a kill may repair more.
        assert len(seen - claims) >= 2 * len(steps) + 4 + 2
        _check(database, sent)

    def test_views_renamed_and_killed_at_every_statement(self, server_url: str, folder: Path) -> None:
        """
        A store of the step before views were renamed; each applier is killed at a statement that none came to,
        before it or after it. No row is lost or counted twice by any view, not even by those who write meanwhile.
        """
        url = f"{server_url.rpartition('/')[0]}/upgrade_{next(_numbers)}"
        before = [step for step in migrations() if step.number <= 30]
        client = connect(url, create_database=True)
        for sql in (
            *create_record(StoreSettings()),
            *(step.sql for step in before),
            *map(record_statement, before),
        ):
            client.command(sql)
        seen: set[tuple[str, bool]] = set()
        applier: subprocess.Popen[str]

        def kill(text: str, *, done: bool) -> bool:
            statement = GATE.sub("gate", text.partition("/?")[0].strip())
            if not statement.startswith(("CREATE", "RENAME", "DROP", APPLIED)) or (statement, done) in seen:
                return True
            seen.add((statement, done))
            applier.send_signal(signal.SIGKILL)
            applier.wait()
            return False

        gate = Gate(
            _port(url), before=lambda text: kill(text, done=False), after=lambda text: kill(text, done=True)
        )
        writer = TwoWaysWriter(url)
        try:
            codes: list[int] = []
            while not codes or codes[-1] == -signal.SIGKILL:
                applier = _applier(_through(gate, url), folder, gate_seconds=3)
                _, errors = applier.communicate(timeout=120)
                codes.append(applier.returncode)
        finally:
            sent = writer.stop()
            gate.close()
        assert codes == [-signal.SIGKILL] * len(seen) + [0], errors
        renames = {statement for statement, _ in seen if statement.startswith("RENAME")}
        # Of all views, and of one that a later step alters; each was killed before it and after it.
        assert len(renames) >= 2
        assert {(statement, done) for statement in renames for done in (False, True)} <= seen
        assert writer.refused > 0
        assert diff(client) == []
        for table, rows in (
            ("activity_events", "count()"),
            ("activity_events_hourly", "sum(RowCount)"),
            ("activity_events_actor_daily", "sum(RowCount)"),
        ):
            assert client.query(f"SELECT {rows} FROM {table}").result_rows == [(sent,)], table
        client.command(f"DROP DATABASE {url.rpartition('/')[2]}")
        client.close()
