"""The assertions about captured events: each says what is wrong so that nobody needs to look for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from activitylog.testing import wording
from activitylog.testing.arrangement import in_any_order, in_order
from activitylog.testing.captured import CapturedEvent
from activitylog.testing.expected import IsEvent, equal, expectation
from activitylog.visible import visible


class Assertions(ABC):
    """
    Questions and assertions about captured events.

    Expected values are named by the keywords of ``emit`` or by attributes, and may have any form that ``emit``
    takes (``actor=user``, ``("user", 42)`` and ``"user:42"`` are the same) or be whatever compares as equal. What
    an event has beyond them does not matter; None is for what it shall not have.
    """

    @property
    @abstractmethod
    def events(self) -> list[CapturedEvent]:
        """All events so far, without the exact counts that rules bring along."""

    @abstractmethod
    def notes(self) -> list[str]:
        """What keeps events from being there, in words."""

    @property
    def names(self) -> list[str]:
        """The names of all events so far."""
        return [event.name for event in self.events]

    @property
    def counts(self) -> dict[str, int]:
        """How many events there are of each name."""
        return dict(Counter(self.names))

    def find(self, event: Any = None, /, **expected: Any) -> list[CapturedEvent]:
        """The events of this name (or of any) with these values."""
        wanted = _wanted(event, expected)
        return [captured for captured in self.events if wanted == captured]

    def one(self, event: Any = None, /, **expected: Any) -> CapturedEvent:
        """
        The only event of this name with these values.

        Raises:
            AssertionError: there is none, or more than one.
        """
        __tracebackhide__ = True
        self.assert_emitted(event, times=1, **expected)
        return self.find(event, **expected)[0]

    def assert_emitted(self, event: Any = None, /, *, times: Any = None, **expected: Any) -> None:
        """
        Check that such an event was emitted.

        Args:
            event: its name, any if None; or what else :class:`IsEvent` takes, or one.
            times: how often, a number or whatever compares as equal to it; None for once or more.
            expected: values that it has.

        Raises:
            AssertionError: it was not; the message has the nearest events and what differs in them.
        """
        __tracebackhide__ = True
        wanted, events = _wanted(event, expected), self.events
        found = [index for index, captured in enumerate(events) if wanted == captured]
        if times is None and not found:
            raise AssertionError(self._with_notes(wording.not_emitted(wanted, events)))
        if times is not None and not equal(times, len(found)):
            raise AssertionError(self._with_notes(wording.emitted_otherwise(wanted, times, found, events)))

    def assert_not_emitted(self, event: Any = None, /, **expected: Any) -> None:
        """
        Check that no such event was emitted.

        Raises:
            AssertionError: one was; the message has all of them.
        """
        __tracebackhide__ = True
        wanted, events = _wanted(event, expected), self.events
        found = [index for index, captured in enumerate(events) if wanted == captured]
        if found:
            raise AssertionError(wording.emitted_though(wanted, found, events))

    def assert_nothing_emitted(self) -> None:
        """
        Check that no event was emitted.

        Raises:
            AssertionError: one was; the message has all of them.
        """
        __tracebackhide__ = True
        events = self.events
        if events:
            raise AssertionError(wording.something_emitted(events))

    def assert_counts(self, expected: Mapping[str, Any], *, others: bool = False) -> None:
        """
        Check how many events there are of each name.

        Args:
            expected: numbers by name, or whatever compares as equal to them.
            others: whether there may be events of other names.

        Raises:
            AssertionError: they are others; the message has the names that differ.
        """
        __tracebackhide__ = True
        counts = {name: count for name, count in self.counts.items() if name in expected or not others}
        names = counts.keys() | expected.keys()
        if not all(equal(expected.get(name, 0), counts.get(name, 0)) for name in names):
            raise AssertionError(self._with_notes(wording.other_counts(expected, counts)))

    def assert_emitted_exactly(self, expected: Iterable[Any], *, any_order: bool = False) -> None:
        """
        Check that these events were emitted and no others.

        Args:
            expected: names, pairs of a name and its values, or what else :class:`IsEvent` takes.
            any_order: whether their order is of no account.

        Raises:
            AssertionError: they were not; the message has what is missing and what is too much.
        """
        __tracebackhide__ = True
        wanted, events = [expectation(item) for item in expected], self.events
        arrange, say = (in_any_order, wording.in_no_order) if any_order else (in_order, wording.in_other_order)
        pairs = arrange(wanted, events)
        if not len(pairs) == len(wanted) == len(events):
            text = say("Other events were emitted than expected:", wanted, events, pairs)
            raise AssertionError(self._with_notes(text))

    def assert_emitted_in_order(self, expected: Iterable[Any]) -> None:
        """
        Check that these events were emitted in this order, whatever else was before, between or after them.

        Args:
            expected: as for :meth:`assert_emitted_exactly`.

        Raises:
            AssertionError: they were not; the message has what is missing.
        """
        __tracebackhide__ = True
        wanted, events = [expectation(item) for item in expected], self.events
        pairs = in_order(wanted, events)
        if len(pairs) < len(wanted):
            title = "Not all of the expected events were emitted in this order:"
            text = wording.in_other_order(title, wanted, events, pairs, others=True)
            raise AssertionError(self._with_notes(text))

    def _with_notes(self, text: str) -> str:
        return "\n".join([text, *map(visible, self.notes())])


def _wanted(event: Any, values: Mapping[str, Any]) -> IsEvent:
    wanted = expectation(event)
    return IsEvent(wanted.name, **{**wanted.values, **values}) if values else wanted
