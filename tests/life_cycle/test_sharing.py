"""Processes that share a spool, and a backend that only one of them can reach at a time."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource

from otel_delivery import Answer
from otel_delivery.waiting import Interrupt
from otel_spool import Drain, SpooledLogRecordProcessor, worker
from otel_spool.folder import Entry
from otel_spool.worker import Worker
from tests.life_cycle.exporters import Backend, Emitter, adds_up
from tests.waiting import wait_until

_ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "2"])
def test_whoever_can_deliver_does_it_for_all(seed: str, tmp_path: Path) -> None:
    """
    Each event whose emit had returned is stored once, whoever dies when; a token always means the same batch.

    No process falls back to memory: a folder that is taken while it is being made is no failure of the disk.
    """
    command = [sys.executable, "-m", "tests.life_cycle.sharing", str(tmp_path), "12", seed]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, cwd=_ROOT)
    assert ended.returncode == 0, ended.stderr
    assert "kept in memory" not in ended.stderr
    batches: dict[str, list[str]] = {}
    for line in (tmp_path / "stored").read_text().splitlines():
        token, bodies = json.loads(line)
        assert batches.setdefault(token, bodies) == bodies
    stored = Counter(body for bodies in batches.values() for body in bodies)
    acknowledged = (tmp_path / "acknowledged").read_text().split()
    assert len(acknowledged) > 1_000
    assert set(acknowledged) - stored.keys() == set()
    assert [body for body, times in stored.items() if times > 1] == []
    assert int(ended.stdout) > 20


def test_elsewhere_is_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that could not deliver tries again; then it sends what it left, and fresh events at once."""
    monkeypatch.setattr(worker, "_SECONDS_BETWEEN_LOOKS", 0.05)
    monkeypatch.setattr(worker, "_SECONDS_BETWEEN_ROUNDS", 0.02)
    here = threading.Event()
    backend = Backend(lambda _: Answer("delivered" if here.is_set() else "elsewhere"))
    spooled = SpooledLogRecordProcessor(backend, tmp_path, schedule_delay_millis=5)
    emitter = Emitter(spooled)
    emitter.emit("left")
    wait_until(lambda: spooled._live.only_disk and spooled.spool.waiting() == 0)
    assert spooled.stats().spooled == 1
    here.set()
    wait_until(lambda: not spooled._live.only_disk)
    emitter.emit("fresh")
    assert spooled.flush(10).complete
    assert sorted(backend.bodies) == ["fresh", "left"]
    stats = spooled.stats()
    assert (stats.accepted, stats.delivered, stats.spooled, stats.taken_over, stats.recovered) == (2, 2, 0, 0, 0)
    spooled.shutdown_within(10)


@pytest.mark.parametrize("most", [2, 100])
def test_nothing_is_stranded(most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While something is undecided its folder cannot be left: what is in it is sent as soon as can be."""
    monkeypatch.setattr(worker, "_SECONDS_BETWEEN_LOOKS", 0.05)
    monkeypatch.setattr(worker, "_SECONDS_BETWEEN_ROUNDS", 0.02)
    here = threading.Event()

    def answer(attempt: int) -> Answer:
        if here.is_set():
            return Answer("delivered")
        if attempt > 1 and threading.current_thread().name.startswith("OtelBatch"):
            wait_until(lambda: spooled._live.only_disk)  # then the batches behind this one are not even tried
        return Answer("elsewhere")

    backend = Backend(answer)
    spooled = SpooledLogRecordProcessor(backend, tmp_path, schedule_delay_millis=5, max_export_batch_size=most)
    emitter = Emitter(spooled)
    undecided = spooled.hold(ReadableLogRecord(LogRecord(body="undecided"), Resource.get_empty()))
    assert undecided is not None
    for number in range(10):
        emitter.emit(number)
    wait_until(lambda: spooled._live.only_disk and spooled.stats().queued == 0)
    here.set()
    assert spooled.flush(20).complete
    emitter.emit(10)
    assert spooled.flush(20).complete
    assert sorted(backend.bodies) == list(range(11))
    assert adds_up(spooled.stats())
    spooled.forget([{spooled: undecided}])
    spooled.shutdown_within(10)
    assert list(tmp_path.iterdir()) == []


class _Rounds(Interrupt):
    """Waits that are over at once, on a clock of their own; something happens in each."""

    def __init__(self, each: Callable[[], object]) -> None:
        super().__init__()
        self._each = each
        self.seconds = self.end_seconds = 0.0

    def wait(self, seconds: float) -> bool:
        self.seconds += seconds
        self._each()
        return self.seconds >= self.end_seconds


def test_who_cannot_deliver_leaves_ever_fewer_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody takes them over: in four times the time there are twice as many; all events are in them."""
    numbers = itertools.count()

    def emit() -> None:
        record = ReadableLogRecord(LogRecord(body=next(numbers)), Resource.get_empty())
        assert isinstance(spooled.spool.append(record), Entry)

    spooled = SpooledLogRecordProcessor(Backend(lambda _: Answer("elsewhere")), tmp_path, adopt_at_once=False)
    spooled._live.use_only_disk()
    rounds = _Rounds(emit)
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: rounds.seconds))
    spooled._worker = Worker(spooled.spool, spooled._live, spooled._sender, max_records=10, schedule_seconds=1,
                             interrupt=rounds, log=spooled.spool.log)  # fmt: skip
    folders = []
    for rounds.end_seconds in (60, 240):
        spooled._worker._work()
        folders.append(len(list(tmp_path.iterdir())))
    assert 10 < folders[0] < 20
    assert folders[0] + 10 < folders[1] < 40
    emitted = next(numbers)
    assert emitted > 400
    assert spooled.stats().spooled == emitted
    spooled.shutdown_within(0.1)
    backend = Backend()
    Drain(backend, tmp_path).run(60)
    assert sorted(backend.bodies) == list(range(emitted))


def test_who_cannot_deliver_holds_nothing_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks now and then whether it can by now; in between, what dead processes left is there for who can."""
    monkeypatch.setattr(worker, "_SECONDS_BETWEEN_LOOKS", 0.05)
    monkeypatch.setattr(worker, "_SECONDS_BETWEEN_ROUNDS", 0.02)
    dead = SpooledLogRecordProcessor(Backend(lambda _: Answer("retry")), tmp_path, schedule_delay_millis=5)
    Emitter(dead).emit("left")
    dead.shutdown_within(0.2)
    elsewhere = Backend(lambda _: Answer("elsewhere"))
    idle = SpooledLogRecordProcessor(elsewhere, tmp_path, schedule_delay_millis=5)
    wait_until(lambda: elsewhere.attempts >= 3)
    backend = Backend()
    able = SpooledLogRecordProcessor(backend, tmp_path, schedule_delay_millis=5)
    wait_until(lambda: backend.bodies == ["left"])
    for each in (idle, able):
        each.shutdown_within(10)
