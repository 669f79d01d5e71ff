"""Whoever flushes waits until no call is under way."""

from __future__ import annotations

import contextlib
import threading

from otel_delivery.under_way import UnderWay


def test_nothing_to_wait_for():
    """Before the first call, and after the last; a call that raised is over."""
    calls = UnderWay()
    assert calls.wait_for_none(0) is True
    with contextlib.suppress(ValueError), calls.one():
        raise ValueError
    assert calls.wait_for_none(0) is True


def test_a_call_that_does_not_end_in_time():
    """The waiting does."""
    calls = UnderWay()
    with calls.one(), calls.one():
        assert calls.wait_for_none(0.01) is False


def test_the_last_call_ends_the_waiting():
    """At once, and not one of several."""
    calls = UnderWay()
    found: list[bool] = []
    with calls.one():
        with calls.one():
            waiting = threading.Thread(target=lambda: found.append(calls.wait_for_none(60)))
            waiting.start()
        waiting.join(0.05)
        assert found == []
    waiting.join(10)
    assert found == [True]
