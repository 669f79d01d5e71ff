"""Exact counts outlive a kill: what was written down is sent by whoever comes next, and nothing counts twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activitylog.admission import Admission
from activitylog.counter_records import MAX_INCREMENTS
from activitylog.event import COUNTER_EVENT_NAME
from activitylog.pipeline import Pipeline
from activitylog.redaction import parse_redaction
from activitylog.rules import parse_rules
from activitylog.settings import Settings
from activitylog.spooling import SpooledDestination
from otel_spool import Drain
from tests.activitylog.test_spooling import Backend

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
RULES = [{"match": "noise.*", "drop": True}, {"match": "pair.*", "rollup": "10s"}]

#: Counted events by minute, name, rule and reason.
Counts = Counter[tuple[int, str, str, str]]


class Process:
    """A pipeline with rules by the test's clock, into a spool whose backend is away: everything stays on disk."""

    def __init__(self, folder: Path, **given: Any) -> None:
        self.folder = folder
        self.backend = Backend()
        self.backend.away = True
        rules = parse_rules(RULES)
        values = Settings(rules=rules, schedule_delay_millis=20, **given)
        self.destination = SpooledDestination(lambda: self.backend, "test:", folder, "process", values)
        self.pipeline = Pipeline(values, destinations=[self.destination])
        self.now_ns = 1_000 * MINUTE
        outlet = self.pipeline._outlet
        self.admission = Admission(rules, outlet, key=b"k" * 16, clock=lambda: self.now_ns)
        self.admission._ticker.started = True  # the test ticks
        self.pipeline._admission = self.admission

    def drop(self, times: int = 1, name: str = "noise.heard", **values: Any) -> None:
        for _ in range(times):
            assert not self.pipeline.submit("info", name, dict(values))

    def tick(self, after_seconds: float = 1.0) -> None:
        self.now_ns += int(after_seconds * SECOND)
        self.admission.tick()


@contextmanager
def running(folder: Path, **given: Any) -> Iterator[Process]:
    process = Process(folder, **given)
    try:
        yield process
    finally:
        process.pipeline.shutdown(0)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    """One that is killed by :func:`left_by`, as often as the test likes."""
    with running(tmp_path / "spool") as one:
        yield one


def rows_of(records: list[Any]) -> list[dict[str, Any]]:
    """The attributes of counters, and their minute."""
    return [
        {**record.attributes, "minute": record.timestamp // MINUTE}
        for record in records
        if record.event_name == COUNTER_EVENT_NAME
    ]


def counts_of(rows: list[dict[str, Any]]) -> Counts:
    found: Counts = Counter()
    for row in rows:
        rule, reason = row.get("activity.sample.rule", ""), row.get("activity.counter.reason", "")
        found[row["minute"], row["activity.counter.event"], rule, reason] += row["activity.count"]
    return found


def left_by(process: Process, *, without_journal: bool = False) -> list[dict[str, Any]]:
    """The counters that are sent of a process that is killed now; repeated recovery finds nothing more."""
    with TemporaryDirectory() as name:
        copy = Path(name) / "spool"
        journal = shutil.ignore_patterns("journal*") if without_journal else None
        shutil.copytree(process.folder, copy, ignore=journal)
        backend = Backend()
        for _ in range(2):
            drained = Drain(lambda: backend, copy).run(20)
            assert drained.left == 0
            assert not drained.dropped
        return rows_of(backend.records)


class TestKilled:
    def test_counts_of_the_last_second_at_the_most_are_lost(self, process: Process) -> None:
        """What was decided until the snapshot is there to the last event; what came behind it is not."""
        process.drop(1_000, tenant="acme")
        process.drop(2)
        process.tick()
        process.drop(30)
        rows = left_by(process)
        assert counts_of(rows) == {(1_000, "noise.heard", "noise.*", "drop"): 1_002}
        assert sorted((row.get("activity.tenant.id", ""), row["activity.count"]) for row in rows) == [
            ("", 2),
            ("acme", 1_000),
        ]

    def test_increments_add_up(self, process: Process) -> None:
        """Each is written once, whatever was written of its cell before; where nothing grew nothing is written."""
        process.drop(5)
        process.tick()
        process.tick()
        process.drop(7)
        process.tick()
        process.tick()
        rows = left_by(process)
        assert sorted(row["activity.count"] for row in rows) == [5, 7]

    def test_kept_events_are_counted_too(self, process: Process) -> None:
        """They are on disk before their count is; of those that wait in windows the count is as exact."""
        assert process.pipeline.submit("info", "a.b", {})
        assert process.pipeline.submit("info", "pair.made", {})
        process.tick()
        assert counts_of(left_by(process)) == {(1_000, "a.b", "", ""): 1, (1_000, "pair.made", "pair.*", ""): 1}

    def test_a_report_takes_the_place_of_what_was_written_down(self, process: Process) -> None:
        """In one frame: a process that dies right behind it leaves the report alone, though no journal says so."""
        process.drop(5)
        process.tick()
        process.drop(7)
        process.tick()
        process.tick(60)
        (row,) = left_by(process, without_journal=True)
        assert (row["activity.count"], row["activity.seq"]) == (12, 1)

    def test_a_flush_reports_and_the_minute_goes_on(self, process: Process) -> None:
        """What comes behind it is written down as an increment of its own."""
        process.drop(5)
        process.tick()
        process.admission.flush(1)
        process.drop(3)
        process.tick()
        assert sorted((row["activity.count"], row.get("activity.seq")) for row in left_by(process)) == [
            (3, None),
            (5, 1),
        ]

    def test_the_minute_is_that_of_the_events(self, process: Process) -> None:
        """Whoever sends them, and when."""
        process.drop(5)
        process.tick(59.5)
        process.drop(1)
        process.tick(1)
        counts = counts_of(left_by(process))
        assert counts == {
            (1_000, "noise.heard", "noise.*", "drop"): 6,
        }

    def test_increments_have_a_producer_and_no_number(self, process: Process) -> None:
        """Most are never sent: numbers would be gaps of the producer. Their ids are their own."""
        process.drop(5)
        process.tick()
        process.drop(5)
        process.tick()
        rows = left_by(process)
        assert {row["activity.producer"] for row in rows} == {process.pipeline._render.producer}
        assert not any("activity.seq" in row for row in rows)
        assert len({row["log.record.uid"] for row in rows}) == 2
        assert process.pipeline.stats().counted == 0

    def test_a_shutdown_leaves_nothing_written_down(self, tmp_path: Path) -> None:
        """It reports; the next process sends the report."""
        with running(tmp_path / "spool") as process:
            process.drop(5)
            process.tick()
        (row,) = left_by(process)
        assert (row["activity.count"], row["activity.seq"]) == (5, 1)

    def test_redaction_applies(self, tmp_path: Path) -> None:
        """What must not leave the process is not written down either."""
        with running(tmp_path / "spool", redaction=parse_redaction({"drop": ["tenant"]})) as process:
            process.drop(5, tenant="acme")
            process.tick()
            (row,) = left_by(process)
        assert "activity.tenant.id" not in row

    @pytest.mark.slow
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("drop"), st.integers(1, 9), st.sampled_from("abc")),
                st.tuples(st.just("tick"), st.sampled_from([0.4, 1.0, 25.0, 61.0])),
                st.tuples(st.just("flush")),
            ),
            max_size=14,
        ),
        st.booleans(),
    )
    @settings(max_examples=40, deadline=None)
    def test_whenever_it_dies_the_sum_is_what_was_written_down(
        self, steps: list[tuple[Any, ...]], without_journal: bool
    ) -> None:
        """As of a plain counter that is copied once a second, at each report and at each flush."""
        with TemporaryDirectory() as name, running(Path(name) / "spool") as process:
            decided: Counts = Counter()
            written: Counts = Counter()
            written_at = 0
            for step in steps:
                if step[0] == "drop":
                    _, times, tenant = step
                    process.drop(times, tenant=tenant)
                    decided[process.now_ns // MINUTE, "noise.heard", "noise.*", "drop"] += times
                elif step[0] == "flush":
                    process.admission.flush(1)
                    written = decided.copy()
                else:
                    process.tick(step[1])
                    over = {key: n for key, n in decided.items() if key[0] < process.now_ns // MINUTE}
                    written |= Counter(over)
                    if process.now_ns - written_at >= SECOND:
                        written, written_at = decided.copy(), process.now_ns
            assert counts_of(left_by(process, without_journal=without_journal)) == written


class TestBounds:
    def test_it_is_written_once_a_second(self, process: Process) -> None:
        """Not at each tick."""
        for _ in range(8):
            process.drop()
            process.tick(0.5)
        assert len(left_by(process)) == 4

    def test_a_clock_that_is_put_back_holds_nothing_up(self, process: Process) -> None:
        """An hour back, and the next tick writes."""
        process.drop()
        process.tick()
        process.tick(-3_600)
        process.drop()
        process.tick()
        assert sum(counts_of(left_by(process)).values()) == 2

    def test_many_cells_are_written_by_their_weight(self, process: Process) -> None:
        """So many at a time; what is left out comes next, and nothing is left out in the end."""
        for number in range(MAX_INCREMENTS + 10):
            process.drop(1 + (number < 10), tenant=f"t{number}")
        process.drop(2, tenant="last")
        process.tick()
        rows = left_by(process)
        assert len(rows) == MAX_INCREMENTS
        assert sorted(row["activity.tenant.id"] for row in rows if row["activity.count"] == 2) == sorted(
            ["last", *(f"t{number}" for number in range(10))]
        )
        process.tick()
        rows = left_by(process)
        assert len(rows) == MAX_INCREMENTS + 11
        assert sum(counts_of(rows).values()) == MAX_INCREMENTS + 22

    def test_a_full_spool_is_not_waited_for(self, tmp_path: Path) -> None:
        """Where events wait for room, counts do not: they would hold up all that ticks."""
        given: dict[str, Any] = {
            "overflow": "block",
            "spool_max_bytes": 8 * 2**20,
            "overflow_timeout_seconds": 30.0,
        }
        with running(tmp_path / "spool", **given) as process:
            for room, size in ((40, 2_000), (1, 10)):
                while process.destination.has_room(room):
                    assert process.pipeline.submit("info", "a.b", {f"text{n}": "x" * size for n in range(8)})
            process.admission.counters.take()
            process.drop(5)
            began = time.monotonic()
            for _ in range(3):
                process.tick()
            assert time.monotonic() - began < 15
            assert left_by(process) == []

    def test_a_holder_that_fails_is_nobodys_error(self, process: Process) -> None:
        """The counts are in memory, as without a spool, and are reported in their time."""

        class Failing:
            def hold(self, log_record: Any) -> Any:
                raise RuntimeError("no")

            def forget(self, held: Any) -> None:
                raise AssertionError("nothing is held")

            def write_gathered(self, gathered: Any) -> None:
                raise AssertionError("nothing is gathered")

        process.pipeline._outlet.holders = [Failing()]
        process.drop(5)
        process.tick()
        process.tick(60)
        (row,) = left_by(process)
        assert (row["activity.count"], row["activity.seq"]) == (5, 1)

    def test_counts_that_are_off_are_not_written_down(self, tmp_path: Path) -> None:
        """``counters = false``."""
        rules = parse_rules(RULES)
        with running(tmp_path / "spool") as process:
            outlet = process.pipeline._outlet
            process.admission = Admission(
                rules, outlet, key=b"k" * 16, clock=lambda: process.now_ns, counting=False
            )
            process.admission._ticker.started = True
            process.pipeline._admission = process.admission
            process.drop(5)
            process.tick()
            assert left_by(process) == []


class TestOthers:
    def test_a_process_that_leaves_its_events_to_others_holds_nothing(self, process: Process) -> None:
        """As long as something is held its folder stays its own: it reports, and writes no increment any more."""
        process.drop(5)
        process.tick()
        process.destination.holder._live.use_only_disk()
        process.drop(2)
        process.tick()
        process.drop(3)
        process.tick()
        (row,) = left_by(process)
        assert (row["activity.count"], row["activity.seq"]) == (7, 1)

    def test_a_report_that_another_thread_is_at_is_not_waited_for(self, process: Process) -> None:
        """A signal handler's flush could wait for ever; the counts stay, written down, and are reported later."""
        process.drop(5)
        process.tick()
        inside, done = threading.Event(), threading.Event()
        records = process.admission._records
        assert records is not None

        def hold() -> None:
            with records._alone(1.0):
                inside.set()
                done.wait(20)

        thread = threading.Thread(target=hold)
        thread.start()
        assert inside.wait(20)
        process.admission.flush(0.01)
        process.tick(60)
        assert [row.get("activity.seq") for row in left_by(process)] == [None]
        done.set()
        thread.join()
        process.admission.flush(1)
        assert [row.get("activity.seq") for row in left_by(process)] == [1]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_a_forked_child_inherits_nothing(self, process: Process) -> None:
        """Parent and child each leave what they counted themselves."""
        process.drop(5)
        process.tick()
        child = os.fork()
        if child == 0:
            try:
                # The pipeline has an admission of its own here, by the real clock.
                admission = process.pipeline._admission
                assert admission is not None
                admission._ticker.started = True
                process.drop(3)
                admission.tick()
            finally:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        process.drop(2)
        process.tick()
        rows = left_by(process)
        found = Counter(dict.fromkeys((row["activity.producer"] for row in rows), 0))
        for row in rows:
            found[row["activity.producer"]] += row["activity.count"]
        assert sorted(found.values()) == [3, 7]
        assert found[process.pipeline._render.producer] == 7


#: Drops 3,000 events and keeps 40; tells when all of that is written down; then drops on, and tells how many.
_COUNT_AND_DIE = """
import faulthandler, sys, time, activitylog
from activitylog import config
faulthandler.dump_traceback_later(240, exit=True)  # whoever reads waits for no longer
activitylog.configure(
    sys.argv[1], service_name="shop", schedule_delay_millis=int(sys.argv[2]),
    rules=[{"match": "cursor.*", "drop": True}],
)
for number in range(3_000):
    activitylog.emit("cursor.moved", tenant="acme")
    if number % 75 == 0:
        activitylog.emit("order.paid", tenant="acme")
records = config._state.pipeline._admission._records
while sum(kept.count for kept in list(records._kept.values())) < 3_040:
    time.sleep(0.01)
print(3_000, time.monotonic(), flush=True)
for number in range(3_001, 3_001 + int(sys.argv[3])):
    activitylog.emit("cursor.moved", tenant="acme")
    print(number, time.monotonic(), flush=True)
    time.sleep(0.001)
time.sleep(60)
"""
_RECOVER = """
import json, os, sys, time, activitylog
from datetime import UTC, datetime, timedelta
from activitylog.queries import verify
from activitylog.settings import load_settings
from activitylog.spools import spool_of
from activitylog.store import connect
from activitylog.url import parse

TOTALS = "SELECT Reason, sum(EventCount) FROM activity_totals WHERE EventName != 'order.seen' GROUP BY 1"
ROWS = "SELECT count() FROM activity_events WHERE EventName = 'order.paid'"

activitylog.configure(sys.argv[1], service_name="shop")
activitylog.emit("order.seen")
activitylog.flush(60)
client = connect(sys.argv[1])
end = time.monotonic() + 240
while time.monotonic() < end:
    activitylog.flush(60)
    totals = dict(client.query(TOTALS).result_rows)
    left = spool_of(parse(sys.argv[1]), load_settings())
    waiting = sum(folder.events for folder in left.folders if folder.pid != os.getpid())
    if sum(totals.values()) >= int(sys.argv[2]) and not waiting:
        totals = dict(client.query(TOTALS).result_rows)
        break
found = verify(client, until=datetime.now(UTC) + timedelta(days=1))
assert found.complete, found
print(json.dumps([totals, client.query(ROWS).result_rows[0][0]]))
client.close()
activitylog.shutdown(30)
"""


class Killed:
    """Real processes on one embedded store, which are killed."""

    def __init__(self, folder: Path) -> None:
        self.environment = {**os.environ, "ACTIVITYLOG_SPOOL_DIRECTORY": str(folder / "spools")}
        self.url = f"chdb://{folder}/store"

    def run_and_kill(self, *, delay_millis: int, more: int) -> list[tuple[int, float]]:
        """How many it had dropped at which time, from when 3,000 were written down."""
        arguments = [sys.executable, "-c", _COUNT_AND_DIE, self.url, str(delay_millis), "100000" if more else "0"]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=self.environment) as child:
            assert child.stdout is not None
            told = [child.stdout.readline() for _ in range(1 + more)]
            child.send_signal(signal.SIGKILL)
            told += child.stdout.readlines()
            assert child.wait(60) == -signal.SIGKILL
        whole = [line.split() for line in told if line.endswith("\n")]
        return [(int(dropped), float(at)) for dropped, at in whole]

    def recover(self, least: int) -> tuple[dict[str, int], int]:
        """Totals by reason, and rows of kept events, when at least so many are counted."""
        done = subprocess.run(
            [sys.executable, "-c", _RECOVER, self.url, str(least)],
            capture_output=True, text=True, timeout=300, check=False, env=self.environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        totals, rows = json.loads(done.stdout)
        return totals, rows


@pytest.mark.slow
class TestInTheStore:
    def test_what_was_written_down_is_there_once(self, tmp_path: Path) -> None:
        """Killed before anything was sent: the totals are what was decided, after each of three recoveries."""
        killed = Killed(tmp_path)
        killed.run_and_kill(delay_millis=60_000, more=0)
        for _ in range(3):
            assert killed.recover(3_040) == ({"drop": 3_000, "": 40}, 40)

    def test_at_most_the_last_seconds_are_missing(self, tmp_path: Path) -> None:
        """Of processes that are killed in the midst of it, the second and third while they send the first's."""
        killed = Killed(tmp_path)
        least = most = 0
        for _ in range(3):
            progress = killed.run_and_kill(delay_millis=50, more=2_000)
            (dropped, died_at) = progress[-1]
            least += max((dropped for dropped, at in progress if at < died_at - 2.5), default=3_000)
            most += dropped + 1
        totals, rows = killed.recover(least + 120)
        assert rows == totals[""] == 120
        assert least <= totals["drop"] <= most
        assert killed.recover(least + 120) == (totals, rows)
