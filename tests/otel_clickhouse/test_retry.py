"""When a batch is tried again."""

from __future__ import annotations

from typing import Any

import pytest

from otel_clickhouse.exceptions import GivenUpError, PermanentError, RetryableError
from otel_clickhouse.retry import retry


class Clock:
    """Monotonic seconds that pass when somebody waits; it stands in for the interrupt, too."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.waited: list[float] = []
        self.interrupted = False
        self.interrupt_after: int | None = None

    def __call__(self) -> float:
        return self.now

    def is_set(self) -> bool:
        return self.interrupted

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self.now += seconds
        self.interrupted = self.interrupted or len(self.waited) == self.interrupt_after
        return self.interrupted


class Attempts:
    """Fails as often as told, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = iter(errors)
        self.made = 0

    def __call__(self) -> str:
        self.made += 1
        for error in self.errors:
            raise error
        return "done"


def _retry(attempts: Any, clock: Any, deadline_seconds: float = 30.0, rng: Any = lambda: 1.0) -> Any:
    return retry(attempts, deadline_seconds=deadline_seconds, interrupt=clock, clock=clock, rng=rng)


class TestRetry:
    def test_success_needs_no_wait(self):
        """The usual case costs nothing."""
        clock = Clock()
        assert (_retry(Attempts(), clock), clock.waited) == ("done", [])

    def test_retryable_errors_are_tried_again(self):
        """Until it works."""
        clock, attempts = Clock(), Attempts(RetryableError("1"), RetryableError("2"))
        assert (_retry(attempts, clock), attempts.made, clock.waited) == ("done", 3, [0.2, 0.4])

    def test_permanent_errors_are_not(self):
        """The same batch fails again, and time matters."""
        clock, attempts = Clock(), Attempts(PermanentError("no"))
        with pytest.raises(PermanentError, match="no"):
            _retry(attempts, clock)
        assert (attempts.made, clock.waited) == (1, [])

    def test_no_attempt_begins_after_the_deadline(self):
        """What would begin too late does not wait first."""
        clock, attempts = Clock(), Attempts(*(RetryableError(str(n)) for n in range(100)))
        with pytest.raises(GivenUpError) as raised:
            _retry(attempts, clock, deadline_seconds=10.0)
        assert raised.value.reason == "deadline"
        assert str(raised.value.__cause__) == "5"
        assert clock.waited == [0.2, 0.4, 0.8, 1.6, 3.2]

    def test_an_interrupt_ends_the_wait(self):
        """Shutdown does not wait for a server."""
        clock, attempts = Clock(), Attempts(*(RetryableError(str(n)) for n in range(100)))
        clock.interrupt_after = 2
        with pytest.raises(GivenUpError) as raised:
            _retry(attempts, clock)
        assert (raised.value.reason, attempts.made) == ("shutdown", 2)

    def test_after_an_interrupt_there_is_one_attempt(self):
        """It may work, and then nothing is lost."""
        clock = Clock()
        clock.interrupted = True
        assert _retry(Attempts(), clock) == "done"
        attempts = Attempts(RetryableError("1"))
        with pytest.raises(GivenUpError):
            _retry(attempts, clock)
        assert (attempts.made, clock.waited) == (1, [])

    def test_what_the_server_asks_for(self):
        """It knows when to come again; a shorter wait than ours would be one too many."""
        asked = [RetryableError("1", retry_after_seconds=seconds) for seconds in (20.0, 0.1, None)]
        clock, attempts = Clock(), Attempts(*asked)
        assert (_retry(attempts, clock), clock.waited) == ("done", [20.0, 0.4, 0.8])

    def test_what_the_server_asks_for_is_after_the_deadline(self):
        """The time is used: one attempt at its end."""
        clock, attempts = Clock(), Attempts(*(RetryableError("1", retry_after_seconds=60.0) for _ in range(9)))
        with pytest.raises(GivenUpError, match="deadline"):
            _retry(attempts, clock)
        assert (attempts.made, clock.waited) == (2, [30.0])

    def test_each_failure_is_told(self):
        """The caller can log it."""
        told: list[str] = []
        retry(
            Attempts(RetryableError("a"), RetryableError("b")),
            deadline_seconds=30,
            interrupt=Clock(),  # type: ignore[arg-type]
            failed=lambda error: told.append(str(error)),
        )
        assert told == ["a", "b"]
