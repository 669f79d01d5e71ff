"""Processes that share a spool, and a backend that only one of them can reach at a time."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from otel_delivery import Answer
from otel_spool import SpooledLogRecordProcessor, worker
from tests.life_cycle.exporters import Backend, Emitter
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
