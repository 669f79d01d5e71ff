"""
When a batch is tried again: with the waits of :mod:`otel_delivery.waiting`, or those that the server asks for,
until the deadline on the monotonic clock or an interrupt. :mod:`otel_clickhouse.verdicts` has which errors deserve
it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from otel_clickhouse.exceptions import GivenUpError, RetryableError
from otel_delivery.waiting import Interrupt, system_random, waits

T = TypeVar("T")


def retry(
    attempt: Callable[[], T],
    *,
    deadline_seconds: float,
    interrupt: Interrupt,
    failed: Callable[[RetryableError], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    rng: Callable[[], float] = system_random,
) -> T:
    """
    Call ``attempt`` until it returns.

    Args:
        deadline_seconds: from now; no attempt begins later. (One that began before may take its own timeout.)
            Where the server asks for more, the last attempt is at the deadline.
        interrupt: ends a wait that is under way; when it is set there is one attempt only.
        failed: told of each failed attempt that may be repeated.

    Raises:
        GivenUpError: from the last RetryableError.
        Exception: whatever else ``attempt`` raises, at once.
    """
    ends = clock() + deadline_seconds
    for wait in waits(rng):
        try:
            return attempt()
        except RetryableError as error:
            failed(error)
            if interrupt.is_set():
                raise GivenUpError("shutdown") from error
            left = ends - clock()
            if wait >= left:
                raise GivenUpError("deadline") from error
            if interrupt.wait(min(max(wait, error.retry_after_seconds or 0.0), left)):
                raise GivenUpError("shutdown") from error
    raise AssertionError("waits() never ends")  # pragma: no cover
