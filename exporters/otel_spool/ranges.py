"""Sets of sequence numbers, kept as ranges: what is settled of a million events is a handful of pairs."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

#: First and last number, both included.
Range = tuple[int, int]


class Ranges:
    """
    A set of integers, as sorted ranges that do not touch.

    Args:
        ranges: pairs of first and last, in any order; they may overlap.
    """

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    def add(self, first: int, last: int) -> None:
        """Put in all numbers from ``first`` to ``last``."""
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def update(self, ranges: Iterable[Range]) -> None:
        """Put in the numbers of all these ranges."""
        for first, last in ranges:
            self.add(first, last)

    def copy(self) -> Ranges:
        """Another set of the same numbers."""
        other = Ranges()
        other._firsts, other._lasts = self._firsts.copy(), self._lasts.copy()
        return other

    def __contains__(self, number: int) -> bool:
        position = bisect_right(self._firsts, number) - 1
        return position >= 0 and number <= self._lasts[position]

    def __iter__(self) -> Iterator[Range]:
        """The ranges, ascending."""
        return iter(zip(list(self._firsts), list(self._lasts), strict=True))

    def __len__(self) -> int:
        """How many numbers are in the set."""
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Ranges({list(self)!r})"


def in_order(numbers: Iterable[int]) -> list[Range]:
    """The numbers as runs that keep their order: 5, 6, 7, 3 is ``[(5, 7), (3, 3)]``."""
    runs: list[Range] = []
    first = last = None
    for number in numbers:
        if last is not None and number == last + 1:
            last = number
            continue
        if first is not None and last is not None:
            runs.append((first, last))
        first = last = number
    if first is not None and last is not None:
        runs.append((first, last))
    return runs


def numbers_of(ranges: Iterable[Range]) -> Iterator[int]:
    """The numbers of ranges, in the order of the ranges."""
    for first, last in ranges:
        yield from range(first, last + 1)
