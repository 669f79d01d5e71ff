"""
Which captured events are the expected ones, where there are several of both.

An expected event may be equal to many, so that the first one found need not be the right one. Both functions find
as many pairs as there can be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from activitylog.testing.captured import CapturedEvent
from activitylog.testing.expected import IsEvent

#: Indices of an expected event and of the captured one that it is.
Pair = tuple[int, int]


def in_order(expected: Sequence[IsEvent], events: Sequence[CapturedEvent]) -> list[Pair]:
    """The most pairs whose events are in the expected order, others between them or not."""
    shorter = min(len(expected), len(events))
    begin = next((n for n in range(shorter) if expected[n] != events[n]), shorter)
    left = shorter - begin
    end = next((n for n in range(left) if expected[-1 - n] != events[-1 - n]), left)
    middle = _longest(expected[begin : len(expected) - end], events[begin : len(events) - end])
    return [
        *((n, n) for n in range(begin)),
        *((begin + i, begin + j) for i, j in middle),
        *((len(expected) - n, len(events) - n) for n in range(end, 0, -1)),
    ]


def _longest(expected: Sequence[IsEvent], events: Sequence[CapturedEvent]) -> list[Pair]:
    """The longest common subsequence."""
    equal = [[item == event for event in events] for item in expected]
    lengths = [[0] * (len(events) + 1) for _ in range(len(expected) + 1)]
    for i in reversed(range(len(expected))):
        for j in reversed(range(len(events))):
            lengths[i][j] = 1 + lengths[i + 1][j + 1] if equal[i][j] else max(lengths[i + 1][j], lengths[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < len(expected) and j < len(events):
        if equal[i][j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def in_any_order(expected: Sequence[IsEvent], events: Sequence[CapturedEvent]) -> list[Pair]:
    """The most pairs in whatever order, no event in two of them."""
    equal = cache(lambda i, j: expected[i] == events[j])
    owners: dict[int, int] = {}
    places: dict[int, int] = {}
    for i in range(len(expected)):
        place = next((j for j in range(len(events)) if j not in owners and equal(i, j)), None)
        moves = [(i, place)] if place is not None else _moves(i, range(len(events)), equal, owners)
        for owner, place in moves:
            owners[place], places[owner] = owner, place
    return sorted(places.items())


def _moves(i: int, events: range, equal: Callable[[int, int], bool], owners: Mapping[int, int]) -> list[Pair]:
    """How expected events that have a place move to other ones so that one more has one; empty when none can."""
    wanted_by: dict[int, int] = {}
    waiting = [i]
    for owner in waiting:
        for j in events:
            if j in wanted_by or not equal(owner, j):
                continue
            wanted_by[j] = owner
            if j not in owners:
                return _traced(i, j, wanted_by, {owner: place for place, owner in owners.items()})
            waiting.append(owners[j])
    return []


def _traced(i: int, free: int, wanted_by: Mapping[int, int], places: Mapping[int, int]) -> list[Pair]:
    """The moves that end in a free place, from the last one back to the first."""
    moves = [(wanted_by[free], free)]
    while moves[-1][0] != i:
        left = places[moves[-1][0]]
        moves.append((wanted_by[left], left))
    return moves
