"""Rows of which others are stored: each is stored once or refused by itself, whatever happens to an attempt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_clickhouse import BlockRefusedError, Columns, RetryableError, halving
from otel_clickhouse.halving import Halving

#: What becomes of an insert: done; done or not without an answer; done later.
FATES = ("ok", "lost answer", "lost", "late")


@dataclass
class Table:
    """
    A table that remembers tokens by partition, with ids for rows.

    Attributes:
        poison: ids that it refuses.
        most: rows of an insert; one of more is stopped between two partitions.
        stored: ids, as often as they were stored.
        contents: token -> ids of all inserts under it.
        late: inserts that are under way while nobody waits for them.
    """

    poison: set[int]
    most: int = 1_000
    partitions: int = 2
    stored: list[int] = field(default_factory=list)
    contents: dict[str, list[tuple[int, ...]]] = field(default_factory=dict)
    late: list[tuple[tuple[int, ...], str]] = field(default_factory=list)
    fates: list[str] = field(default_factory=list)
    inserts: int = 0
    _tokens: set[tuple[str, int]] = field(default_factory=set)

    def store(self, ids: tuple[int, ...], token: str, partitions: int | None = None) -> None:
        """Each partition has all of its rows, or none."""
        for partition in range(self.partitions if partitions is None else partitions):
            mine = [one for one in ids if one % self.partitions == partition]
            if mine and (token, partition) not in self._tokens:
                self._tokens.add((token, partition))
                self.stored += mine

    def insert(self, columns: Columns, token: str) -> None:
        """As the next fate says."""
        ids = tuple(columns.data[0])
        self.inserts += 1
        self.contents.setdefault(token, []).append(ids)
        fate = self.fates.pop(0) if self.fates else "ok"
        if fate == "lost":
            raise RetryableError("no answer")
        if self.poison.intersection(ids):
            raise BlockRefusedError(f"no {min(self.poison.intersection(ids))}", code="c")
        if len(ids) > self.most:
            self.store(ids, token, 1)
            raise BlockRefusedError("memory", code="m")
        if fate == "late":
            self.late.append((ids, token))
            raise RetryableError("no answer")
        self.store(ids, token)
        if fate == "lost answer":
            raise RetryableError("no answer")

    def arrive(self, most: int = 99) -> None:
        """So many of those that are late."""
        for _ in range(min(most, len(self.late))):
            self.store(*self.late.pop(0))

    def missing(self, columns: Columns) -> list[int]:
        """Indices of rows that are not there."""
        return [index for index, one in enumerate(columns.data[0]) if one not in self.stored]


def block(rows: int) -> Columns:
    """Rows whose ids are their indices."""
    return Columns(("Id",), ("UInt64",), [list(range(rows))])


def send(known: Halving, table: Table, columns: Columns) -> dict[int, str]:
    """One attempt."""
    missing = table.missing(columns)
    return known.send(columns, missing, "t", ids=columns.data[0], insert=table.insert, look=table.missing)


def until_done(
    table: Table, columns: Columns, between: Callable[[], object], *, kills: bool = True
) -> dict[int, str]:
    """Attempts until one is answered; with kills each second one is by another process."""
    known = Halving()
    for attempt in range(200):
        try:
            return send(known, table, columns)
        except RetryableError:
            between()
            known = Halving() if kills and attempt % 2 else known
    raise AssertionError("no end")


class TestSend:
    def test_one_of_many(self):
        """The one is named, with its reason; the others are stored, with few statements."""
        table = Table({700}, stored=[*range(500)])
        assert send(Halving(), table, block(1_024)) == {700: "c: no 700"}
        assert sorted(table.stored) == [one for one in range(1_024) if one != 700]
        assert table.inserts < 2 * 11

    def test_only_one_is_missing(self):
        """It is not sent once more when it has been refused by itself already."""
        table, known = Table({3}, stored=[0, 1, 2]), Halving()
        known.note("t", [3], BlockRefusedError("said before", code="c"))
        assert send(known, table, block(4)) == {3: "c: said before"}
        assert table.inserts == 0

    def test_what_the_others_made_refused(self):
        """Those that are stored may be the ones that a later rule refuses: what is missing is taken by itself."""
        table = Table({0}, stored=[0])
        assert send(Halving(), table, block(4)) == {}
        assert (table.stored, table.inserts) == ([0, 2, 1, 3], 1)

    def test_bounded_statements(self):
        """The next attempt goes on where one has ended, and not from the beginning."""
        rows = 3 * halving._MOST_RANGES
        table, known, columns = Table(set(range(1, rows))), Halving(), block(rows)
        table.stored.append(0)
        for attempt in range(1, 6):
            with pytest.raises(RetryableError, match="the next attempt goes on"):
                send(known, table, columns)
            assert table.inserts == attempt * halving._MOST_RANGES
        assert sorted(send(known, table, columns)) == [*range(1, rows)]
        assert table.inserts < 2 * rows

    def test_little_is_remembered(self):
        """Blocks that never come again do not fill the memory."""
        known = Halving()
        for number in range(100):
            known.note(str(number), [0], BlockRefusedError("no"))
        assert len(known._blocks) == halving._MOST_BLOCKS
        table = Table({1}, stored=[0])
        send(known, table, block(2))
        assert "t" not in known._blocks

    def test_tokens_name_the_rows(self):
        """Of a batch that has lost a row, the others are not taken for those that were at their places before."""
        table, whole = Table({9}, stored=[0]), block(10)
        send(Halving(), table, whole)
        damaged = Columns(whole.names, whole.types, [[0, 1, 2, 3, 5, 6, 7, 8, 9]])
        table.stored = [0]
        send(Halving(), table, damaged)
        by_rows = {token: set(ids) for token, ids in table.contents.items() if token != "t"}
        assert all(len(ids) == 1 for ids in by_rows.values())

    @pytest.mark.parametrize("fate", ["lost", "lost answer", "late"])
    @pytest.mark.parametrize("at", range(8))
    def test_an_answer_that_got_lost(self, fate, at):
        """At whichever statement."""
        table = Table({5}, stored=[0, 1], fates=["ok"] * at + [fate])
        assert until_done(table, block(12), table.arrive) == {5: "c: no 5"}
        table.arrive()
        assert sorted(table.stored) == [one for one in range(12) if one != 5]

    @given(
        rows=st.integers(2, 24),
        most=st.integers(1, 24),
        stored=st.sets(st.integers(0, 23)),
        poison=st.sets(st.integers(0, 23), max_size=4),
        fates=st.lists(st.sampled_from(FATES), max_size=24),
        arrivals=st.lists(st.integers(0, 2), max_size=24),
    )
    def test_whatever_happens(self, rows, most, stored, poison, fates, arrivals):
        """
        Each row is stored once or named, also where an attempt that was given up arrives at any later time.

        Only a process that was killed in between does not know that a limit, and not a row, made it halve a range.
        """
        stored = {one for one in stored if one < rows}
        poison = {one for one in poison if one < rows} - stored
        table = Table(poison, most, stored=sorted(stored), fates=list(fates))
        arrive = lambda: table.arrive(arrivals.pop() if arrivals else 9)  # noqa: E731
        rejected = until_done(table, block(rows), arrive, kills=most >= rows)
        table.arrive()
        assert sorted(table.stored) == [one for one in range(rows) if one not in poison]
        assert set(rejected) == poison
