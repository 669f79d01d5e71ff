"""Group commit with real threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from otel_spool.commit import GroupCommit
from tests.waiting import wait_until


def _threads(count: int, target: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=target) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


class Medium:
    """Knows what was written when a sync began, and has that after it."""

    def __init__(self) -> None:
        self.written: set[int] = set()
        self.synced: set[int] = set()
        self.syncs = 0
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.errors: list[OSError] = []

    def sync(self) -> None:
        covered = set(self.written)
        self.syncs += 1
        self.begun.set()
        assert self.gate.wait(60)
        if self.errors:
            raise self.errors.pop()
        self.synced |= covered


def test_one_sync_covers_many():
    """Forty threads that wait for one sync share the next."""
    medium = Medium()
    commit = GroupCommit(medium.sync)
    seen = []

    def write():
        me = threading.get_ident()
        medium.written.add(me)
        commit.commit()
        seen.append(me in medium.synced)

    first = _threads(1, write)
    assert medium.begun.wait(60)
    waiting = _threads(40, write)
    wait_until(lambda: len(medium.written) == commit._issued == 41)  # all wait
    medium.gate.set()
    for thread in first + waiting:
        thread.join(10)
    assert seen == [True] * 41
    assert medium.syncs == 2


def test_many_threads_are_never_told_too_early():
    """Whoever returns finds what it wrote on the medium, however the threads mix."""
    medium = Medium()
    medium.gate.set()
    commit = GroupCommit(medium.sync)
    early = []
    numbers = iter(range(10**6))

    def write():
        for _ in range(200):
            number = next(numbers)
            medium.written.add(number)
            commit.commit()
            if number not in medium.synced:
                early.append(number)

    for thread in _threads(6, write):
        thread.join(30)
    assert early == []
    assert medium.syncs <= 1200


def test_an_error_goes_to_those_it_was_to_cover():
    """The thread whose sync fails is told; those who wait sync for themselves."""
    medium = Medium()
    medium.errors = [OSError("broken")]
    commit = GroupCommit(medium.sync)
    told = []

    def write():
        medium.written.add(threading.get_ident())
        try:
            commit.commit()
        except OSError:
            told.append("error")
        else:
            told.append("done")

    first = _threads(1, write)
    assert medium.begun.wait(60)
    waiting = _threads(3, write)
    wait_until(lambda: commit._issued == 4)
    medium.gate.set()
    for thread in first + waiting:
        thread.join(10)
    assert sorted(told) == ["done", "done", "done", "error"]
    assert medium.syncs == 2


def test_a_commit_in_the_midst_of_the_own_one():
    """A signal handler's commit does not wait for the one that it interrupts."""
    depth: list[int] = []

    def sync():
        depth.append(len(depth))
        if len(depth) == 1:
            commit.commit()

    commit = GroupCommit(sync)
    commit.commit()
    assert depth == [0, 1]


def test_after_an_error_the_next_commit_syncs():
    """What failed once is not taken for done."""
    errors = [OSError("broken")]
    syncs = []

    def sync():
        syncs.append(1)
        if errors:
            raise errors.pop()

    commit = GroupCommit(sync)
    with pytest.raises(OSError, match="broken"):
        commit.commit()
    commit.commit()
    assert len(syncs) == 2
