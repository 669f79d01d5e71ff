"""The ticker: begins once, ends when told, and survives its work."""

from __future__ import annotations

import logging
import threading

import pytest

from activitylog.ticker import Ticker


def test_calls_again_and_again_until_stopped() -> None:
    """In one thread, however often it is started."""
    called, threads = threading.Semaphore(0), set()

    def work() -> None:
        threads.add(threading.get_ident())
        called.release()

    ticker = Ticker(work, interval_seconds=0.001)
    ticker.start()
    ticker.start()
    assert all(called.acquire(timeout=10) for _ in range(3))
    ticker.stop()
    (thread,) = [thread for thread in threading.enumerate() if thread.ident in threads]
    thread.join(10)
    assert not thread.is_alive()


def test_goes_on_after_its_work_failed(caplog: pytest.LogCaptureFixture) -> None:
    """The failure is logged once for each kind."""
    called = threading.Semaphore(0)

    def work() -> None:
        called.release()
        raise ValueError("a secret")

    ticker = Ticker(work, interval_seconds=0.001)
    with caplog.at_level(logging.ERROR, "activitylog"):
        ticker.start()
        assert all(called.acquire(timeout=10) for _ in range(3))
    ticker.stop()
    assert [record.getMessage() for record in caplog.records] == [
        "activitylog: the ticker failed with a ValueError; it goes on."
    ]
