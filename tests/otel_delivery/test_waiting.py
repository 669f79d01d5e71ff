"""Waits between attempts: how long, and what ends them."""

from __future__ import annotations

import itertools
import queue
import signal
import threading

from hypothesis import given
from hypothesis import strategies as st

from otel_delivery.waiting import Interrupt, waits


class TestWaits:
    def test_they_double_up_to_five_seconds(self):
        """The longest possible waits: from a fifth of a second to five."""
        assert [*itertools.islice(waits(lambda: 1.0), 7)] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
    def test_they_are_anything_from_zero_to_the_longest(self, numbers):
        """Full jitter: processes that failed together do not come back together."""
        longest = [*itertools.islice(waits(lambda: 1.0), len(numbers))]
        source = iter(numbers)
        chosen = [*itertools.islice(waits(lambda: next(source)), len(numbers))]
        assert chosen == [number * most for number, most in zip(numbers, longest, strict=True)]

    def test_they_are_random(self):
        """Without being told how."""
        assert len(set(itertools.islice(waits(), 20))) > 15


class TestInterrupt:
    def test_ends_all_waits_under_way_and_later_ones(self):
        """Threads that wait for an hour come back, and wait no more."""
        interrupt = Interrupt()
        ended: list[bool] = []
        threads = [threading.Thread(target=lambda: ended.append(interrupt.wait(3_600))) for _ in range(3)]
        for thread in threads:
            thread.start()
        interrupt.set()
        interrupt.set()
        for thread in threads:
            thread.join(10)
        assert ended == [True] * 3
        assert interrupt.wait(3_600) is True

    def test_a_wait_that_nothing_ends(self):
        """It ends with its time."""
        assert Interrupt().wait(0.01) is False
        assert Interrupt().wait(-1) is False

    def test_may_be_set_by_a_signal_handler_in_the_thread_that_waits(self):
        """The handler runs in the middle of the wait, and must not take a lock that the wait holds."""
        interrupt = Interrupt()
        before = signal.signal(signal.SIGALRM, lambda *_: interrupt.set())
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        try:
            assert interrupt.wait(3_600) is True
        finally:
            signal.signal(signal.SIGALRM, before)

    def test_waits_as_whoever_patched_the_process_since(self, monkeypatch):
        """gunicorn's gevent worker is patched after its fork: what was there before would stop all greenlets."""
        interrupt = Interrupt()
        made: list[object] = []

        class Patched(queue.SimpleQueue[None]):
            def __init__(self) -> None:
                made.append(self)

        monkeypatch.setattr(queue, "SimpleQueue", Patched)
        assert interrupt.wait(0.01) is False
        interrupt.set()
        assert interrupt.wait(3_600) is True
        assert len(made) == 1

    def test_the_child_of_a_fork_gets_one_of_its_own(self):
        """Interrupted if the parent was; what happens to one later is not the other's."""
        interrupt = Interrupt()
        child = interrupt.renewed()
        child.set()
        assert (interrupt.is_set(), interrupt.wait(0.01)) == (False, False)
        assert (child.renewed().is_set(), child.renewed().wait(3_600)) == (True, True)
