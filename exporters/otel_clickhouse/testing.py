"""
Clients for tests: one that keeps what it was given, and one that fails as told. For anyone's tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otel_clickhouse.encoder import Columns


@dataclass(frozen=True, slots=True)
class Block:
    """One insert, as it came."""

    table: str
    columns: Columns
    settings: Mapping[str, Any]


class InMemoryClient:
    """
    Keeps statements and blocks instead of sending them.

    A block with a deduplication token that it has seen for the same table is not kept again, as in ClickHouse.

    Attributes:
        statements: what ``command`` was given.
        blocks: what ``insert`` was given and kept.
        closed: how often ``close`` was called.
    """

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.blocks: list[Block] = []
        self.closed = 0
        self._tokens: set[tuple[str, str]] = set()

    def command(self, sql: str, settings: Mapping[str, Any] | None = None) -> Any:  # noqa: ARG002 - the protocol
        """Keep the statement; the answer is empty."""
        self.statements.append(sql)
        return ""

    def insert(self, table: str, columns: Columns, settings: Mapping[str, Any] | None = None) -> None:
        """Keep the block."""
        block = Block(table, columns, dict(settings or {}))
        token = block.settings.get("insert_deduplication_token")
        if token is not None:
            if (table, token) in self._tokens:
                return
            self._tokens.add((table, token))
        self.blocks.append(block)

    def close(self) -> None:
        """Count the call; blocks stay."""
        self.closed += 1

    def rows(self, table: str | None = None) -> list[dict[str, Any]]:
        """The rows of a table, or of all, in the order of insertion: column name -> value."""
        return [
            dict(zip(block.columns.names, row, strict=True))
            for block in self.blocks
            if table in (None, block.table)
            for row in zip(*block.columns.data, strict=True)
        ]


class FailingClient(InMemoryClient):
    """
    Answers each insert as the script says, and then as its base does.

    Args:
        script: for each insert in turn, an exception to raise, or None to keep the block. An exception that comes
            as ``(exception, True)`` is raised after the block was kept: the answer that got lost.

    Attributes:
        attempts: all blocks it was given, kept or not.
    """

    def __init__(self, script: Iterable[BaseException | tuple[BaseException, bool] | None]) -> None:
        super().__init__()
        self.attempts: list[Block] = []
        self._script: Iterator[BaseException | tuple[BaseException, bool] | None] = iter(script)

    def insert(self, table: str, columns: Columns, settings: Mapping[str, Any] | None = None) -> None:
        """Do what the script says next."""
        self.attempts.append(Block(table, columns, dict(settings or {})))
        step = next(self._script, None)
        error, written = step if isinstance(step, tuple) else (step, step is None)
        if written:
            super().insert(table, columns, settings)
        if error is not None:
            raise error


if TYPE_CHECKING:
    from otel_clickhouse.client import Client

    def _conformance(memory: InMemoryClient, failing: FailingClient) -> tuple[Client, Client]:
        return memory, failing
