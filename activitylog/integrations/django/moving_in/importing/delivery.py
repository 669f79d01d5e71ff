"""One chunk to the store, again and again with the same token, until there is a definite answer."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from activitylog.exceptions import StoreUnavailableError
from otel_delivery import Answer, DeliversBatches

_FIRST_WAIT_SECONDS: Final = 0.2
_LONGEST_WAIT_SECONDS: Final = 15.0


class Delivery:
    """
    Sends chunks to one store.

    Args:
        exporter: of the store.
        patience_seconds: how long one chunk is tried.
        waiting: told why it has to wait.
    """

    def __init__(
        self, exporter: DeliversBatches, patience_seconds: float, waiting: Callable[[str], object]
    ) -> None:
        self._exporter = exporter
        self._patience_seconds = patience_seconds
        self._waiting = waiting

    def send(self, records: Sequence[Any], token: str, first_attempt_ns: int | None) -> dict[int, str]:
        """
        Have the store take a chunk.

        Args:
            first_attempt_ns: when a process that is gone began to send it; None where none did.

        Returns:
            Index of a record -> why the store refuses it. All others are stored.

        Raises:
            StoreUnavailableError: patience is over. What was sent last may yet arrive; go on with the same token.
        """
        refused: dict[int, str] = {}
        parts = deque([(range(len(records)), token)])
        while parts:
            indices, name = parts.popleft()
            answer = self._until_definite([records[index] for index in indices], name, first_attempt_ns)
            if answer.status == "delivered":
                refused |= {indices[place]: why for place, why in answer.rejected.items()}
            elif len(indices) == 1:
                refused[indices[0]] = f"{answer.reason or 'refused'}: {answer.detail}"
            else:
                middle = len(indices) // 2
                parts.extendleft([(indices[middle:], f"{name}/1"), (indices[:middle], f"{name}/0")])
        return refused

    def _until_definite(self, records: Sequence[Any], token: str, first_attempt_ns: int | None) -> Answer:
        deadline = time.monotonic() + self._patience_seconds
        longest = _FIRST_WAIT_SECONDS
        while True:
            began_ns = time.time_ns()
            answer = self._exporter.deliver(records, token=token, first_attempt_ns=first_attempt_ns)
            if answer.status in ("delivered", "refused"):
                return answer
            first_attempt_ns = began_ns if first_attempt_ns is None else first_attempt_ns
            wait = max(random.uniform(0.5, 1.0) * longest, answer.retry_after_seconds or 0.0)  # noqa: S311 - no secret
            if answer.status == "elsewhere" or time.monotonic() + wait > deadline:
                raise StoreUnavailableError(
                    f"The store does not take the rows: {answer.detail or answer.reason}",
                    hint="When it does again, go on with --resume: what was stored is not sent again.",
                )
            self._waiting(answer.detail or answer.reason)
            time.sleep(wait)
            longest = min(longest * 2, _LONGEST_WAIT_SECONDS)
