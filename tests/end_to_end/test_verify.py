"""`activitylog verify` as a user runs it: on what a process sent, and on what somebody did to it by hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.end_to_end.test_commands import Ended, run

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

    @pytest.mark.parametrize("options", [("--since", "never"), ("--nothing",), ("--until", "2026-13-01")])
    def test_wrong_usage(self, store: Path, options: tuple[str, ...]) -> None:
        """Is told apart from a store that is not complete: exit code 2."""
        ended = verify(store, *options)
        assert (ended.code, ended.out) == (2, "")
