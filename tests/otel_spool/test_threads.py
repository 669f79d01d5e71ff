"""Where no thread can be had, as at the end of a process under Python 3.12.1."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from otel_delivery import Answer
from otel_spool import SpooledLogRecordProcessor
from otel_spool.threads import started_or_done
from tests.life_cycle.exporters import Backend, Emitter


class ShutDown(Backend):
    """Counts its shutdowns, and may fail in them."""

    shutdowns = 0
    error: Exception | None = None

    def shutdown(self) -> None:
        self.shutdowns += 1
        if self.error is not None:
            raise self.error


def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", start)


def _spooled(backend: Backend, path: Path) -> tuple[SpooledLogRecordProcessor, Emitter]:
    spooled = SpooledLogRecordProcessor(backend, path, schedule_delay_millis=20)
    emitter = Emitter(spooled)
    emitter.emit("one")
    assert spooled.flush(30).complete
    return spooled, emitter


@pytest.mark.parametrize("error", [None, ValueError("it cannot end")])
def test_the_exporter_is_shut_down(
    error: Exception | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By who shuts down; what it raises goes no further, and the folder is let go of."""
    backend = ShutDown()
    backend.error = error
    spooled, emitter = _spooled(backend, tmp_path)
    _no_threads(monkeypatch)
    emitter.emit("two")
    assert spooled.shutdown_within(30).complete
    assert backend.bodies == ["one", "two"]
    assert backend.shutdowns == 1
    assert list(tmp_path.iterdir()) == []


def test_who_is_inside_the_lock_does_not_shut_it_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal handler in the midst of an emit: what it would wait for waits for the lock."""
    backend = ShutDown()
    spooled, _ = _spooled(backend, tmp_path)
    _no_threads(monkeypatch)
    with spooled.spool.lock:
        spooled.shutdown_within(0.1)
    assert backend.shutdowns == 0


def test_a_flush_ends_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It attempts nothing itself, for nothing would end that while the backend is away."""
    backend = Backend()
    spooled, emitter = _spooled(backend, tmp_path)
    _no_threads(monkeypatch)
    backend.answer = lambda _: Answer("retry")
    emitter.emit("two")
    began = time.monotonic()
    assert not spooled.flush(0.2).complete
    assert time.monotonic() - began < 15
    backend.answer = lambda _: Answer("delivered")
    assert spooled.flush(30).complete
    assert backend.bodies == ["one", "two"]
    monkeypatch.undo()
    spooled.shutdown_within(10)


def test_it_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a thread, else here, else not at all."""
    done: list[int] = []

    def work() -> None:
        done.append(threading.get_ident())

    thread = started_or_done(work, "test", may_wait=True)
    assert thread is not None
    thread.join(10)
    assert done == [thread.ident]
    _no_threads(monkeypatch)
    assert started_or_done(work, "test", may_wait=False) is None
    assert len(done) == 1
    assert started_or_done(work, "test", may_wait=True) is None
    assert done[1:] == [threading.get_ident()]
