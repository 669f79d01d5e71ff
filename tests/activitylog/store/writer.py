"""Somebody who writes while views are changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from clickhouse_connect.driver.exceptions import DatabaseError

#: What an insert needs to count once in every view, however often it is sent under its token.
SENT_AGAIN: Final = {"async_insert": 0, "deduplicate_blocks_in_dependent_materialized_views": 1}
#: How tables refuse their writers while views are changed: TOO_MANY_PARTS, VIOLATED_CONSTRAINT.
REFUSED: Final = frozenset({252, 469})


class Writer:
    """
    Sends row after row in a thread until it is stopped, and again, under the same token, what is refused.

    Args:
        client: of its own.

    Attributes:
        sent: rows that were acknowledged.
        refused: inserts that were not.
    """

    def __init__(self, client: Any) -> None:
        self.sent = self.refused = 0
        self.client = client
        self._stop = threading.Event()
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def send(self) -> None:
        """Send some rows by :meth:`insert`."""
        raise NotImplementedError

    def insert(self, table: str, rows: int, insert: Callable[[dict[str, Any]], object]) -> None:
        """Have so many rows inserted, with the settings that ``insert`` is given, until it succeeds."""
        settings = {**SENT_AGAIN, "insert_deduplication_token": f"{table} {self.sent}"}
        while True:
            try:
                insert(settings)
            except DatabaseError as error:
                if error.code not in REFUSED:
                    raise
                self.refused += 1
            else:
                self.sent += rows
                return

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.send()
        except BaseException as error:  # noqa: BLE001 - told to the test by stop()
            self._failed.append(error)

    def stop(self) -> int:
        """End, and say how many rows were acknowledged."""
        self._stop.set()
        self._thread.join()
        self.client.close()
        if self._failed:
            raise self._failed[0]
        return self.sent
