"""Which errors deserve another attempt, and when."""

from __future__ import annotations

import itertools
import signal
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_clickhouse.exceptions import GivenUpError, PermanentError, RetryableError
from otel_clickhouse.retry import CODES, Interrupt, judge, retry, waits


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


class TestJudge:
    @pytest.mark.parametrize(
        ("code", "name", "retryable"),
        [
            (60, "UNKNOWN_TABLE", True),
            (81, "UNKNOWN_DATABASE", True),
            (16, "NO_SUCH_COLUMN_IN_TABLE", True),
            (241, "MEMORY_LIMIT_EXCEEDED", True),
            (252, "TOO_MANY_PARTS", True),
            (999, "KEEPER_EXCEPTION", True),
            (516, "AUTHENTICATION_FAILED", False),
            (53, "TYPE_MISMATCH", False),
            (62, "SYNTAX_ERROR", False),
            (1002, "unknown error", True),
        ],
    )
    def test_errors_of_the_server(self, code, name, retryable):
        """What may pass is tried again, what certainly fails again is not; the unknown is tried again."""
        verdict = judge(code)
        assert (verdict.name, verdict.retryable) == (name, retryable)

    @pytest.mark.parametrize(
        ("status", "retryable"),
        [(408, True), (429, True), (500, True), (502, True), (503, True), (504, True), (401, False), (404, False)],
    )
    def test_statuses_without_a_code(self, status, retryable):
        """An answer that is not ClickHouse's is judged by its status."""
        verdict = judge(None, status)
        assert (verdict.name, verdict.retryable) == (f"HTTP status {status}", retryable)

    def test_a_code_counts_more_than_the_status(self):
        """ClickHouse answers 500 and 404 for what is wrong with the statement."""
        assert judge(62, 500).retryable is False
        assert judge(60, 404).retryable is True

    def test_no_answer_is_retryable(self):
        """Refused, reset and timed out are what outages look like."""
        assert judge(None) == (
            "no answer",
            True,
            "servers and networks come back",
            "Check that the server of the DSN runs.",
        )

    def test_missing_tables_tell_what_to_do(self):
        """Somebody has to create them, and reads the log."""
        assert judge(60).hint == "Create the table, or let create_schema do it."

    def test_names_and_numbers_are_those_of_the_engine(self, chdb_client):
        """The table was not typed from memory."""
        numbers = ", ".join(map(str, CODES))
        found = chdb_client.query(f"SELECT arrayJoin([{numbers}]) AS code, errorCodeToName(code)").result_rows
        assert dict(found) == {code: verdict.name for code, verdict in CODES.items()}


class TestWaits:
    def test_double_up_to_five_seconds(self):
        """The longest possible waits: from a fifth of a second to five."""
        assert [*itertools.islice(waits(lambda: 1.0), 7)] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
    def test_are_anything_from_zero_to_the_longest(self, numbers):
        """Full jitter: processes that failed together do not come back together."""
        longest = [*itertools.islice(waits(lambda: 1.0), len(numbers))]
        source = iter(numbers)
        chosen = [*itertools.islice(waits(lambda: next(source)), len(numbers))]
        assert chosen == [number * most for number, most in zip(numbers, longest, strict=True)]


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


class TestInterrupt:
    def test_ends_all_waits_under_way(self):
        """Threads that wait for an hour come back."""
        interrupt, results = Interrupt(), []
        threads = [threading.Thread(target=lambda: results.append(interrupt.wait(3_600))) for _ in range(3)]
        for thread in threads:
            thread.start()
        interrupt.set()
        interrupt.set()
        for thread in threads:
            thread.join(10)
        assert results == [True, True, True]
        assert interrupt.wait(3_600) is True

    def test_waits_as_long_as_it_is_told(self):
        """Without an interrupt the wait ends by itself."""
        assert Interrupt().wait(0.001) is False

    def test_may_be_set_by_a_signal_handler_in_the_thread_that_waits(self):
        """The handler runs in the middle of the wait, and must not take a lock that the wait holds."""
        interrupt = Interrupt()
        before = signal.signal(signal.SIGALRM, lambda *_: interrupt.set())
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            assert interrupt.wait(3_600) is True
        finally:
            signal.signal(signal.SIGALRM, before)
