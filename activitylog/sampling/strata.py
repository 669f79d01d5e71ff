"""
What a hard budget keeps of one second: the two ways of choosing, both with known weights.

``EventReservoir`` keeps the events with the largest R, so many as it has places: a simple random sample without
replacement. n events were seen and k kept, so each stands for n / k.

``UnitReservoir`` keeps whole units, those with the largest R. The first ``head`` events of a unit in the second
are its head; the heads of the units with the largest R are kept as long as they fit together. What does not fit
sets the threshold, and a unit is kept if and only if its R is not below it. That threshold is the same for every R
with which a unit is kept, so its events stand for ``2**56 / (2**56 - threshold)``. Heads only grow and the room
only shrinks, so what once did not fit never will: units can be given up at once, and for good.

Events beyond the head of their unit are a stratum of their own, an ``EventReservoir`` of a tenth of the budget:
one unit can be larger than the whole budget. The places they take are given back by the heads, one for each that
*arrives*, never for one that is drawn; otherwise the weights would depend on the draws, and be wrong.
"""

from __future__ import annotations

from array import array
from heapq import heappop, heappush, heapreplace
from typing import Any, Final, NamedTuple, Protocol

from activitylog.sampling.randomness import weight_of

#: Units whose events are counted one by one in a second, over all keys; about 5 MB. Others share counters.
MAX_COUNTED_UNITS: Final = 32_768
_SHARED_COUNTERS: Final = 65_536


class Prior(NamedTuple):
    """What an event brings from the decisions before the budget."""

    weight: float
    """How many events it stands for by decisions that the threshold does not tell."""
    threshold: int
    """The threshold that its R had to reach, and did."""
    by: str
    """The kind of its unit; empty for a single event."""


class Place(Protocol):
    """What is kept and given up: a ticket."""

    prior: Prior


class UnitCounts:
    """How many events of each unit have arrived, bounded in memory over all keys of a second."""

    __slots__ = ("_shared", "units")

    def __init__(self) -> None:
        self.units = 0
        self._shared: array[int] | None = None

    def first(self, counts: dict[int, int], randomness: int) -> int:
        """The number of an event whose unit is not among the counts of its key yet: 1, while there is room."""
        if self.units < MAX_COUNTED_UNITS:
            self.units += 1
            counts[randomness] = 1
            return 1
        # By the last bits of R, which say next to nothing about how large it is: sharing a counter moves events
        # from heads to the stratum of their own sooner, but never by the luck of the draw.
        if self._shared is None:
            self._shared = array("Q", bytes(8 * _SHARED_COUNTERS))
        index = randomness % _SHARED_COUNTERS
        self._shared[index] += 1
        return self._shared[index]


class EventReservoir:
    """
    Of all events offered, the ``places`` ones with the largest R.

    Args:
        places: most events kept.
    """

    __slots__ = ("_heap", "places", "seen")

    def __init__(self, places: int) -> None:
        self.places = places
        self._heap: list[tuple[int, int, Any]] = []
        self.seen = 0

    def admits(self, randomness: int) -> bool:
        """Count one event; True when it has a place, to be taken by ``put``."""
        self.seen += 1
        return self.seen <= self.places or randomness > self._heap[0][0]

    def put(self, randomness: int, place: Any) -> Any | None:
        """Take the place; returns what had to give way for it."""
        item = (randomness, self.seen, place)
        if len(self._heap) < self.places:
            heappush(self._heap, item)
            return None
        return heapreplace(self._heap, item)[2]

    def kept(self) -> list[Any]:
        """The places taken."""
        return [item[2] for item in self._heap]

    def weight(self, prior: Prior) -> float:
        """How many events a kept one stands for."""
        return prior.weight * weight_of(prior.threshold) * self.seen / len(self._heap)

    def threshold(self, _prior: Prior) -> int | None:
        """None: no unit was decided."""
        return None


class UnitReservoir:
    """
    Of all units offered, those with the largest R whose heads fit together.

    Args:
        budget: most events kept, 2 or more, those beyond the heads included.
        threshold: what the units had to reach before they are offered.
    """

    __slots__ = ("_heap", "_live", "_room", "_size", "_threshold", "counts", "head", "tail")

    def __init__(self, budget: int, threshold: int) -> None:
        self.head = max(1, budget // 20)
        self.tail = EventReservoir(max(1, budget // 10))
        self.counts: dict[int, int] = {}
        self._room = budget
        self._size = 0
        self._threshold = threshold
        self._live: dict[int, list[Any]] = {}
        self._heap: list[int] = []

    def admits(self, randomness: int, given_up: list[Any]) -> bool:
        """
        True when an event of a head has a place, to be taken by ``put``.

        What has to give way is added to ``given_up``: the units with the smallest R, this one included.
        """
        if randomness < self._threshold:
            return False
        heap = self._heap
        while self._size >= self._room:
            if not heap or randomness <= heap[0]:
                if heap and randomness == heap[0]:
                    self._give_up_lowest(given_up)
                self._threshold = randomness + 1
                return False
            self._give_up_lowest(given_up)
        return True

    def put(self, randomness: int, place: Any) -> None:
        """Take the place."""
        places = self._live.get(randomness)
        if places is None:
            places = self._live[randomness] = []
            heappush(self._heap, randomness)
        self._size += 1
        places.append(place)

    def make_room_for_tail(self, given_up: list[Any]) -> None:
        """One more event beyond a head has arrived, and its stratum is not full yet."""
        self._room -= 1
        while self._size > self._room:
            self._give_up_lowest(given_up)

    def _give_up_lowest(self, given_up: list[Any]) -> None:
        lowest = heappop(self._heap)
        places = self._live.pop(lowest)
        self._size -= len(places)
        self._threshold = lowest + 1
        given_up += places

    def kept(self) -> list[Any]:
        """The places taken by heads."""
        return [place for places in self._live.values() for place in places]

    def weight(self, prior: Prior) -> float:
        """How many events a kept one of a head stands for."""
        return prior.weight * weight_of(self.threshold(prior))

    def threshold(self, prior: Prior) -> int:
        """What R of a kept unit had to reach."""
        return max(self._threshold, prior.threshold)
