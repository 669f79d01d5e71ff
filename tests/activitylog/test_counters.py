"""Exact counts: nothing is lost or counted twice, whoever adds and whoever takes."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.counters import MAX_CELLS, OTHER, Cell, Counters, count_of

MINUTE = 60_000_000_000
CELL = Cell(5 * MINUTE, "acme", "page.viewed", "success", "pages", "sample")


class TestTaking:
    def test_a_time_inside_a_minute_counts_for_that_minute(self) -> None:
        """From its first nanosecond to its last."""
        counters = Counters()
        counters.add((*CELL, 1))
        counters.add((6 * MINUTE - 1, *CELL[1:], 1))
        counters.add((6 * MINUTE, *CELL[1:], 3))
        assert counters.take() == {CELL: 2, CELL._replace(minute_ns=6 * MINUTE): 3}

    def test_a_minute_that_is_not_over_stays(self) -> None:
        """It is given out when it is asked for, and once."""
        counters = Counters()
        counters.add((*CELL, 1))
        assert counters.take(5 * MINUTE) == {}
        assert counters.take(6 * MINUTE) == {CELL: 1}
        assert counters.take() == {}

    def test_looking_gives_nothing_out(self) -> None:
        """What was added a moment ago is seen, and taken afterwards."""
        counters = Counters()
        counters.add((*CELL, 2))
        assert counters.counts() == {CELL: 2}
        counters.put_back({CELL: 5})
        assert counters.counts() == {CELL: 7}
        assert counters.take() == {CELL: 7}
        assert counters.counts() == {}

    def test_what_is_put_back_is_given_out_again(self) -> None:
        """With what came meanwhile."""
        counters = Counters()
        counters.add((*CELL, 2))
        counters.put_back(counters.take())
        counters.add((*CELL, 1))
        assert counters.take() == {CELL: 3}

    @given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["", "acme"]), st.integers(0, 9)), max_size=50))
    def test_sums_are_those_of_a_plain_counter(self, added: list[tuple[int, str, int]]) -> None:
        """Whatever is added, taken in between or not."""
        counters, expected, taken = Counters(), Counter[Cell](), Counter[Cell]()
        for minute, tenant, count in added:
            cell = CELL._replace(minute_ns=minute * MINUTE, tenant=tenant)
            counters.add((*cell, count))
            expected[cell] += count
            if count == 9:
                taken.update(counters.take(2 * MINUTE))
        taken.update(counters.take())
        assert +taken == +expected


class TestReasons:
    def test_count_events_from_the_beginning(self) -> None:
        """Also those that were taken, and each once, whatever it stands for."""
        counters = Counters()
        counters.add((*CELL, 5))
        counters.take()
        counters.put_back({CELL: 5})
        counters.add((*CELL._replace(reason=""), 1))
        assert counters.reasons() == {"sample": 1, "": 1}


class TestConcurrency:
    def test_threads_that_add_while_another_takes_lose_nothing(self) -> None:
        """The sum of all that is taken is what was added."""
        counters, taken, done = Counters(), Counter[Cell](), threading.Event()

        def add() -> None:
            for _ in range(20_000):
                counters.add((*CELL, 1))

        def take() -> None:
            while not done.is_set():
                taken.update(counters.take())

        adding = [threading.Thread(target=add) for _ in range(4)]
        taking = threading.Thread(target=take)
        for thread in [*adding, taking]:
            thread.start()
        for thread in adding:
            thread.join()
        done.set()
        taking.join()
        taken.update(counters.take())
        assert taken == {CELL: 80_000}

    def test_a_signal_handler_may_take_in_the_midst_of_taking(self) -> None:
        """It waits for nobody: what it cannot have is in the answer that it interrupted."""
        counters = Counters()
        inner: list[dict[Cell, int]] = []
        counters.add((*CELL, 1))
        previous = signal.signal(signal.SIGUSR1, lambda *_: inner.append(counters.take()))
        try:
            with counters._lock:
                counters._alone(lambda: signal.raise_signal(signal.SIGUSR1))
        finally:
            signal.signal(signal.SIGUSR1, previous)
        assert inner == [{}]
        assert counters.take() == {CELL: 1}

    def test_what_waits_is_summed_up_by_whoever_adds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Memory is bounded even where nobody takes."""
        monkeypatch.setattr("activitylog.counters.MAX_WAITING", 100)
        counters = Counters()
        for _ in range(1_000):
            counters.add((*CELL, 1))
        assert len(counters.waiting) <= 101
        assert counters.take() == {CELL: 1_000}


class TestBounds:
    def test_tenants_beyond_the_bound_are_counted_together(self) -> None:
        """The sum stays exact; names and reasons stay apart."""
        counters = Counters()
        for number in range(MAX_CELLS + 500):
            counters.add((*CELL._replace(tenant=str(number)), 1))
        taken = counters.take()
        assert sum(taken.values()) == MAX_CELLS + 500
        assert taken[CELL._replace(tenant=OTHER)] == 500

    def test_names_beyond_the_bound_are_counted_together_too(self) -> None:
        """A program that makes names out of data cannot fill the memory."""
        counters = Counters()
        for number in range(2 * MAX_CELLS + 500):
            counters.add((*CELL._replace(event=f"a.{number}"), 1))
        taken = counters.take()
        assert sum(taken.values()) == 2 * MAX_CELLS + 500
        assert taken[CELL._replace(tenant=OTHER, event=OTHER)] == 500


class TestCountOf:
    @pytest.mark.parametrize(
        ("event_dict", "expected"),
        [
            ({}, 1),
            ({"count": 7}, 7),
            ({"count": 0}, 0),
            ({"count": -1}, 1),
            ({"count": True}, 1),
            ({"count": "many"}, 1),
            ({"objects": ["a:1", "a:2"]}, 2),
            ({"objects": "a:1"}, 1),
            ({"objects": {"id": 1}}, 1),
            ({"objects": ["a:1"], "count": 5}, 5),
            ({"objects": 3}, 1),
        ],
    )
    def test_is_what_the_column_will_hold(self, event_dict: dict[str, Any], expected: int) -> None:
        """``count``, else the number of objects, else one."""
        assert count_of(event_dict) == expected

    def test_objects_without_a_length_are_kept_in_a_list(self) -> None:
        """They can be read once only, and the chain will want them, too."""
        event_dict: dict[str, Any] = {"objects": (f"a:{n}" for n in range(3))}
        assert count_of(event_dict) == 3
        assert event_dict["objects"] == ["a:0", "a:1", "a:2"]

    def test_objects_that_fail_are_one_event(self) -> None:
        """The application's collection may raise anything."""

        class Broken:
            def __len__(self) -> int:
                raise RuntimeError

        assert count_of({"objects": Broken()}) == 1
