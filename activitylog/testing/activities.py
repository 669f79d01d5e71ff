"""What a test holds: the captured events, as data and for assertions, their time, and how they are captured."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, overload

from structlog.typing import Processor

from activitylog.testing.assertions import Assertions
from activitylog.testing.capture import Capture
from activitylog.testing.captured import CapturedEvent

#: Failures that a message tells of, the newest ones.
_MAX_FAILURES: Final = 3


class CapturedActivities(Assertions, Sequence[CapturedEvent]):
    """The events emitted so far, in their order, from all threads and tasks."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture

    @property
    def events(self) -> list[CapturedEvent]:
        """All events so far, without the exact counts that rules bring along."""
        return list(self._capture.recorder.events)

    @property
    def dropped(self) -> dict[str, int]:
        """Events that were not kept, by reason: ``drop``, ``sample``, ``budget``, ``filtered``, ``error``, ..."""
        return dict(self._capture.pipeline.stats().dropped)

    @property
    def held(self) -> int:
        """Events that wait in windows of rules, until :meth:`tick` is past them or ``activitylog.flush()``."""
        return self._capture.pipeline.stats().held

    @property
    def failures(self) -> list[Exception]:
        """What went wrong in ``emit``: raised where it is strict, even if the application caught it there."""
        return list(self._capture.pipeline.failures)

    def notes(self) -> list[str]:
        """What keeps events from being there, in words."""
        failures = self.failures[-_MAX_FAILURES:]
        notes = [f"emit failed: {type(e).__name__}: {getattr(e, 'message', e)}" for e in failures]
        reasons = ", ".join(f"{reason} {count}" for reason, count in self.dropped.items() if reason != "error")
        if reasons:
            notes.append(f"Events that were not kept: {reasons}.")
        if self.held:
            notes.append(f"Events that wait in windows of rules: {self.held}; activitylog.flush() emits them.")
        return notes

    def summary(self) -> list[str]:
        """Each event in one line, as plain data: ``["message.sent user:42 -> message:7 success"]``."""
        return [event.summary for event in self.events]

    def as_dicts(self, *, times: bool = False, ids: bool = False) -> list[dict[str, Any]]:
        """
        Each event as plain data, by the keywords of ``emit``: for a comparison with a literal, or a snapshot.

        Args:
            times: with ``timestamp``, as ISO 8601 text in UTC.
            ids: with the event's id, its producer and its number there.
        """
        return [event.as_dict(times=times, ids=ids) for event in self.events]

    def freeze(self, at: str | dt.datetime | int) -> None:
        """
        Have time stand still until the end of the test, and ids be predictable.

        Events get this timestamp, durations that activitylog measures are zero, windows of rules stay open; the
        producer is ``00000000000``, whose events are numbered from 1.

        Args:
            at: ISO 8601 text with its zone, an aware ``datetime``, or nanoseconds since the epoch.

        Raises:
            ConfigurationError: it is no moment.
        """
        self._capture.clock.freeze(at)

    def tick(self, seconds: float = 1.0) -> None:
        """
        Move the time on that stands still; events of windows of rules that are over by then are emitted.

        Raises:
            ConfigurationError: it does not stand still.
        """
        self._capture.clock.tick(seconds)
        self._capture.pipeline.tick()

    def configure(
        self, *, strict: bool | None = None, processors: Iterable[Processor] | None = None, **settings: Any
    ) -> None:
        """
        Emit from now on as with these settings; what was captured stays, and so do settings that are not named.

        Args:
            strict: raise from ``emit`` whatever would be repaired or counted in production.
            processors: of the application, as for ``activitylog.configure``.
            settings: others of ``activitylog.configure``, such as ``rules``.

        Raises:
            ConfigurationError: a setting cannot be used.
        """
        given = {"strict": strict, "processors": processors, **settings}
        self._capture.configure(**{key: value for key, value in given.items() if value is not None})

    def clear(self) -> None:
        """Forget what was emitted so far."""
        self._capture.recorder.events.clear()
        self._capture.pipeline.failures.clear()

    def __len__(self) -> int:
        return len(self.events)

    @overload
    def __getitem__(self, index: int) -> CapturedEvent: ...

    @overload
    def __getitem__(self, index: slice) -> list[CapturedEvent]: ...

    def __getitem__(self, index: int | slice) -> CapturedEvent | list[CapturedEvent]:
        return self.events[index]

    def __eq__(self, other: object) -> bool:
        """As its list of events."""
        return self.events == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.events!r}>"


@contextmanager
def capture_activities(
    *, strict: bool = True, processors: Sequence[Processor] = (), **settings: Any
) -> Iterator[CapturedActivities]:
    """
    Capture every event of the block instead of sending it; what was configured before is back afterwards.

    Events of other threads are captured, too. What the application itself configures inside the block is checked,
    and has no effect; nor has its ``shutdown``.

    Args:
        strict: raise from ``emit`` whatever would be repaired or counted in production.
        processors: of the application, as for ``configure``.
        settings: others of ``activitylog.configure``, such as the limits or ``rules``. Without them no rules
            apply; what a rule holds in a window is captured after ``activitylog.flush()``.

    Raises:
        ConfigurationError: a setting cannot be used.
    """
    capture = Capture(strict=strict, processors=processors, **settings)
    try:
        yield CapturedActivities(capture)
    finally:
        capture.close()
