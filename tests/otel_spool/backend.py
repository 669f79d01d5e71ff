"""A backend in memory that deduplicates by token, and says what the test tells it to say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from opentelemetry.sdk._logs import ReadableLogRecord

from otel_delivery import Answer
from tests.otel_spool.records import number_of


class Backend:
    """
    Keeps what it stored.

    Attributes:
        rows: number of a record -> how often it is stored.
        stored: token -> numbers that are stored under it.
        seen: token -> numbers that were first sent with it.
        violations: sentences about batches that came again in another shape.
        script: one for each attempt: ``ack``, ``stored`` (and the answer is lost), ``error`` (nothing stored) or
            ``elsewhere``; ``ack`` when it is empty.
        poison: numbers that it refuses.
        exhausted: called when the last of the script was no ``ack``.
    """

    def __init__(self) -> None:
        self.rows: Counter[int] = Counter()
        self.stored: dict[str, list[int]] = {}
        self.seen: dict[str, list[int]] = {}
        self.violations: list[str] = []
        self.script: list[str] = []
        self.poison: frozenset[int] = frozenset()
        self.exhausted: Callable[[], object] = lambda: None

    def deliver(self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None) -> Answer:
        """One attempt."""
        numbers = [number_of(record) for record in records]
        before = self.seen.setdefault(token, numbers)
        if not _is_part(numbers, before):
            self.violations.append(f"{token} came with {before}, then with {numbers}")
        if self.poison.intersection(numbers):
            return Answer("refused", "permanent", "a value that no column takes")
        said = self.script.pop(0) if self.script else "ack"
        if said in {"ack", "stored"}:
            self._store(numbers, token, look=first_attempt_ns == 0)
        if said == "ack":
            return Answer("delivered")
        if said == "elsewhere":
            return Answer("elsewhere", "locked", "another process has it")
        if not self.script:
            self.exhausted()
        return Answer("retry", "unavailable", "not now")

    def _store(self, numbers: list[int], token: str, *, look: bool) -> None:
        if token in self.stored:
            return
        self.stored[token] = numbers
        self.rows.update(number for number in numbers if not (look and self.rows[number]))


def _is_part(numbers: list[int], whole: list[int]) -> bool:
    """Whether they are all of the whole in its order, or what damage has left of it."""
    left = iter(whole)
    return all(number in left for number in numbers)
