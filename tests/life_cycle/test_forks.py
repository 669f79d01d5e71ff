"""What a child may not inherit: a driver that is half imported, folders that its parent has taken, their locks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_delivery import Answer
from otel_delivery.forks import at_each_fork
from otel_spool import SpooledLogRecordProcessor, processor, worker
from tests.life_cycle.exporters import Backend, Emitter
from tests.life_cycle.test_timeouts import hanging
from tests.waiting import wait_until


def in_child(work: Callable[[], bool]) -> bool:
    """Run it in a fork; what it returned."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.slow
def test_a_child_of_a_half_imported_driver_leaves_its_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for the import for ever; its parent delivers for it, while it lives."""
    monkeypatch.setattr(processor, "_SECONDS_FOR_FORKS", 0.2)
    monkeypatch.setattr(worker, "_SECONDS_BETWEEN_LOOKS", 0.2)
    importing, imported = threading.Event(), threading.Event()
    backend = Backend()

    def build() -> Backend:
        importing.set()
        imported.wait(30)
        return backend

    spooled = SpooledLogRecordProcessor(build, tmp_path, schedule_delay_millis=5)
    Emitter(spooled).emit("parent")
    assert importing.wait(10)
    threading.Timer(1.0, imported.set).start()

    def child() -> bool:
        Emitter(spooled).emit("child")
        wait_until(lambda: spooled.stats().taken_over == 1)
        return spooled.stats().spooled == 0

    assert in_child(child)
    assert spooled.flush(10).complete
    assert sorted(backend.bodies) == ["child", "parent"]
    assert spooled.stats().recovered == 1
    spooled.shutdown_within(10)


def test_a_fork_waits_a_moment_for_an_import(tmp_path: Path) -> None:
    """A child that is forked while the driver is imported delivers by itself."""
    importing = threading.Event()

    def build() -> Backend:
        importing.set()
        time.sleep(0.3)  # as an import does
        return Backend()

    spooled = SpooledLogRecordProcessor(build, tmp_path, schedule_delay_millis=5)
    Emitter(spooled).emit("parent")
    assert importing.wait(10)

    def child() -> bool:
        Emitter(spooled).emit("child")
        return spooled.flush(10).stats.delivered == 1

    assert in_child(child)
    spooled.shutdown_within(10)


class _Together:
    """Holds forks up, when their processors are ready for them, until there are two."""

    def __init__(self) -> None:
        self._both = threading.Barrier(2)
        at_each_fork(self, before=_Together.wait)

    def wait(self) -> None:
        self._both.wait(30)


def test_two_threads_that_fork_at_once(tmp_path: Path) -> None:
    """Each gives back what it has held, and no child takes the other thread for one that imports the driver."""
    together = _Together()  # first: what is to be done before a fork is done in reverse order
    spooled = SpooledLogRecordProcessor(Backend(), tmp_path, schedule_delay_millis=5)
    spooled._patience_seconds = 0.0  # one does not wait for the other any more
    delivered: list[bool] = []

    def child() -> bool:
        Emitter(spooled).emit("child")
        return spooled.flush(10).stats.delivered == 1 and not spooled._held_for_fork

    forking = [threading.Thread(target=lambda: delivered.append(in_child(child)), daemon=True) for _ in range(2)]
    for thread in forking:
        thread.start()
    for thread in forking:
        thread.join(60)
    del together
    assert spooled._held_for_fork == {}
    for lock in (spooled._exporter.starting, spooled.spool.adopted.taking, spooled.spool.lock):
        assert lock.acquire(timeout=10)
        lock.release()
    assert delivered == [True, True]
    spooled.shutdown_within(10)


@pytest.mark.slow
def test_a_child_of_a_parent_that_has_adopted(tmp_path: Path) -> None:
    """What the parent has taken over is the parent's: it is delivered once, and the child counts nothing of it."""
    gate = threading.Event()
    dead = SpooledLogRecordProcessor(hanging(gate), tmp_path, schedule_delay_millis=5)
    for number in range(10):
        Emitter(dead).emit(number)
    dead.shutdown_within(0.2)
    backend = hanging(gate)
    parent = SpooledLogRecordProcessor(backend, tmp_path, schedule_delay_millis=5)
    wait_until(lambda: bool(parent.spool.adopted))

    def child() -> bool:
        Emitter(parent).emit("child")
        parent.interrupt()
        stats = parent.shutdown_within(1).stats
        return (stats.accepted, stats.spooled, stats.recovered) == (1, 1, 0)

    parent._patience_seconds = 0.2
    assert in_child(child)
    gate.set()
    wait_until(lambda: parent.stats().recovered == 11)
    assert sorted(map(str, backend.bodies)) == sorted([*map(str, range(10)), "child"])
    parent.shutdown_within(10)


@pytest.mark.slow
def test_a_child_does_not_hold_its_dead_parents_folder(tmp_path: Path) -> None:
    """What a killed parent has left is taken over while its children live on."""
    reading, writing = os.pipe()

    def parent() -> bool:
        spooled = SpooledLogRecordProcessor(Backend(lambda _: Answer("retry")), tmp_path, schedule_delay_millis=5)
        for number in range(3):
            Emitter(spooled).emit(number)
        if os.fork() == 0:
            os.close(writing)
            os.read(reading, 1)  # until the test is over
            os._exit(0)
        return True

    assert in_child(parent)
    os.close(reading)
    backend = Backend()
    following = SpooledLogRecordProcessor(backend, tmp_path, schedule_delay_millis=5)
    wait_until(lambda: backend.bodies == [0, 1, 2])
    following.shutdown_within(10)
    os.close(writing)


def test_a_child_after_the_shutdown(tmp_path: Path) -> None:
    """A fork of a process that has shut down writes down what it emits, and leaves it to others."""
    spooled = SpooledLogRecordProcessor(Backend(), tmp_path, schedule_delay_millis=5)
    spooled.shutdown_within(10)

    def child() -> bool:
        Emitter(spooled).emit("late")
        stats = spooled.stats()
        return (stats.accepted, stats.spooled, stats.queued) == (1, 1, 0)  # no queue that nobody empties

    assert in_child(child)
    backend = Backend()
    following = SpooledLogRecordProcessor(backend, tmp_path, schedule_delay_millis=5)
    wait_until(lambda: backend.bodies == ["late"])
    following.shutdown_within(10)


def test_who_ends_before_it_has_read_what_it_took_over_removes_nothing(tmp_path: Path) -> None:
    """Segments that were adopted and not looked at are left as they are."""
    gate = threading.Event()
    first = SpooledLogRecordProcessor(Backend(lambda _: Answer("retry")), tmp_path, schedule_delay_millis=5)
    for number in range(10):
        Emitter(first).emit(number)
    first.shutdown_within(0.1)
    second = SpooledLogRecordProcessor(hanging(gate), tmp_path, schedule_delay_millis=5, adopt_at_once=False)
    assert second.spool.adopted.take() == 1
    second.shutdown_within(0.1)
    gate.set()
    backend = Backend()
    third = SpooledLogRecordProcessor(backend, tmp_path, schedule_delay_millis=5)
    wait_until(lambda: third.stats().recovered == 10)
    assert backend.bodies == list(range(10))
    third.shutdown_within(10)
