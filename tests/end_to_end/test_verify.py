"""`activitylog verify` as a user runs it: on what a process sent, and on what somebody did to it by hand."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.end_to_end.test_commands import Ended, environment, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred events of May 2026, sent by a process through the whole pipeline."""
    folder = tmp_path_factory.mktemp("verify")
    lines = (json.dumps({"ts": 1_777_600_000 + n, "action": "a.b", "actor": f"u{n % 7}"}) for n in range(100))
    (folder / "log.ndjson").write_text("\n".join(lines))
    ended = run("ingest", "log.ndjson", "--url", str(folder / "data"), cwd=folder)
    assert ended.code == 0, ended.err
    return folder / "data"


@pytest.fixture
def damaged(store: Path, tmp_path: Path) -> Path:
    """A copy of it, of which somebody has taken rows away, and put some in twice."""
    copy = Path(shutil.copytree(store, tmp_path / "data", symlinks=True))
    sql(copy, "DELETE FROM activity_events WHERE Seq IN (1, 50, 51, 52, 90)")
    sql(copy, "INSERT INTO activity_events SELECT * FROM activity_events WHERE Seq IN (7, 8)")
    return copy


_REFUSE = """
import dataclasses, sys
from activitylog import assembly, configure, emit, flush, shutdown
from activitylog.destinations import exporter_builder
from otel_delivery import Answer


class Gate:
    def __init__(self, real):
        self.real = real
        self.shutdown, self.force_flush, self.export = real.shutdown, real.force_flush, real.export

    def deliver(self, records, *, token, first_attempt_ns):
        kept = [record for record in records if record.log_record.event_name != "a.refused"]
        refused = {at: "permanent" for at, record in enumerate(records) if record not in kept}
        answer = self.real.deliver(kept, token=token, first_attempt_ns=first_attempt_ns)
        return dataclasses.replace(answer, rejected=refused)


assembly.exporter_builder = lambda url, settings: lambda: Gate(exporter_builder(url, settings)())
configure(sys.argv[1], schedule_delay_millis=10)
for number in range(20):
    emit("a.refused" if number % 2 else "a.kept", actor=f"user:{number}")
for _ in range(2):
    assert flush(60).complete
shutdown(30)
"""


def verify(store: Path, *options: str) -> Ended:
    return run("verify", "--url", str(store), *options, cwd=store.parent)


def sql(store: Path, statement: str) -> None:
    ended = run("sql", "--write", statement, "--url", str(store), cwd=store.parent)
    assert ended.code == 0, ended.err


class TestVerify:
    def test_complete(self, store: Path) -> None:
        """What was sent is there, once: exit code 0."""
        ended = verify(store)
        assert ended.code == 0
        assert ended.out.startswith(
            "Complete: nothing is missing, nothing is there twice (100 events of 1 producer).\n"
        )

    def test_by_hand(self, damaged: Path) -> None:
        """Rows that are taken away and rows that come twice are named, each number: exit code 1."""
        ended = verify(damaged)
        assert ended.code == 1
        words = " ".join(ended.out.split())
        assert words.startswith(
            "Not complete: 5 numbers of 1 producer are missing without a reason; 2 rows of 1 producer too many by "
            "their numbers; 2 rows too many by 2 event ids (97 events of 1 producer)."
        )
        assert " lacks 1, 50 to 52, 90 " in words
        assert " has more than once 7 (2 times), 8 (2 times) " in words

    def test_json(self, damaged: Path) -> None:
        """The same for machines, with all that is known of a producer."""
        ended = verify(damaged, "--json")
        assert ended.code == 1
        (document,) = ended.rows
        (producer,) = document["producers"]
        assert document["complete"] is False
        assert document["words"][0].startswith("Not complete: 5 numbers")
        assert {name: producer[name] for name in ("missing", "unexplained", "repeated", "rows", "last_seq")} == {
            "missing": 5, "unexplained": 5, "repeated": 2, "rows": 97, "last_seq": 100,
        }  # fmt: skip
        assert producer["missing_ranges"] == [[1, 1], [50, 52], [90, 90]]

    def test_a_range(self, damaged: Path) -> None:
        """Of a part of it that is complete."""
        ended = verify(damaged, "--since", "2026-05-01T01:47:30", "--until", "2026-05-01T01:47:50")
        assert (ended.code, ended.out.split(":")[0]) == (0, "Complete")

    def test_counted_losses(self, damaged: Path) -> None:
        """Are the reason for as many numbers, of this store before others; the repeats stay."""
        here, there = f"chdb://{damaged}", "otlp://collector:4317"
        for seq, destination, count in ((101, here, 5), (102, there, 9)):
            sql(
                damaged,
                "INSERT INTO activity_counters (Minute, EventName, Rule, Reason, EventCount, Producer, Seq) "
                f"SELECT '2026-05-01 01:48:00', '', '{destination}', 'queue_full', {count}, any(Producer), {seq} "
                "FROM activity_events",
            )
        (document,) = verify(damaged, "--json").rows
        (producer,) = document["producers"]
        assert (producer["counted"], producer["unexplained"], producer["lost"]) == (5, 0, {"queue_full": 5})
        assert (producer["destination"], producer["losses"]) == (
            here, {here: {"queue_full": 5}, there: {"queue_full": 9}},
        )  # fmt: skip
        assert f"; counted as lost by {here}: queue_full 5" in " ".join(verify(damaged).out.split())
        assert document["words"][0].startswith("Not complete: 2 rows of 1 producer too many")

    def test_letters_that_were_delivered_later(self, tmp_path: Path) -> None:
        """They count as lost until then, and explain nothing that somebody takes away afterwards."""
        store, spools = tmp_path / "data", {"ACTIVITYLOG_SPOOL_DIRECTORY": str(tmp_path / "spools")}
        until = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%S}"
        subprocess.run(
            [sys.executable, "-c", _REFUSE, f"chdb://{store}"], env=environment(**spools), timeout=120, check=True
        )
        (before,) = verify(store, "--until", until, "--json").rows
        assert (before["complete"], before["producers"][0]["counted"]) == (True, 10)
        drained = run("spool", "drain", "--dead-letters", "--url", f"chdb://{store}", cwd=tmp_path, **spools)
        assert drained.code == 0, drained.err
        (after,) = verify(store, "--until", until, "--json").rows
        (producer,) = after["producers"]
        assert (after["complete"], producer["missing"], producer["redelivered"]) == (True, 0, 10)
        sql(store, "DELETE FROM activity_events WHERE EventName = 'a.kept' AND Seq <= 5")
        damaged = verify(store, "--until", until)
        assert damaged.code == 1
        words = " ".join(damaged.out.split())
        assert words.startswith("Not complete: 3 numbers of 1 producer are missing without a reason")
        assert " permanent 10; delivered later: 10 " in words

    def test_an_empty_range(self, store: Path) -> None:
        """Says what was given and what is accepted: exit code 2."""
        ended = verify(store, "--since", "2026-06-01", "--until", "2026-05-01")
        assert (ended.code, ended.out) == (2, "")
        assert "between since (2026-06-01 00:00:00+00:00) and until (2026-05-01 00:00:00+00:00)" in ended.err
        assert "a since that is before until" in ended.err

    @pytest.mark.parametrize("options", [("--since", "never"), ("--nothing",), ("--until", "2026-13-01")])
    def test_wrong_usage(self, store: Path, options: tuple[str, ...]) -> None:
        """Is told apart from a store that is not complete: exit code 2."""
        ended = verify(store, *options)
        assert (ended.code, ended.out) == (2, "")
