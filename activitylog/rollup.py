"""
Roll-up: similar events within a window become one event that says how many they were.

A window is opened by its first event and is over ``rollup_seconds`` later, by the clock; nor does it span more
than that by the events' own timestamps, so that an import of old events is not folded into one. What is similar
is up to the rule (:attr:`~activitylog.rules.Rule.rollup_by`); event name, tenant, outcome, severity, rule and
sample weight always are the same. The one event that leaves has

``timestamp``               the time of the first (the smallest)
``activity.count``          the sum of the events' counts; an event without one counts 1
``activity.rollup.last``    the time of the last, as ISO 8601 text in UTC with microseconds, which
                            ``parseDateTime64BestEffort`` reads and people, too
``<attribute>.sum``         exact sums of what the rule's ``rollup_sum`` names, of the numbers there
``activity.rollup.varied``  names of the attributes that differed (or that some lacked): they are left out
everything else             what was the same in all

An event that is alone in its window leaves as it came.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import math
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from time import time_ns
from typing import Any, Final

from structlog.typing import EventDict

from activitylog.event import ATTRIBUTE_OF_KEY
from activitylog.exceptions import ConfigurationError
from activitylog.rules.rule import Rule
from activitylog.sampling.verdict import DRY_RUN, RULE, THRESHOLD, UNIT, WEIGHT

COUNT: Final = "activity.count"
LAST: Final = "activity.rollup.last"
VARIED: Final = "activity.rollup.varied"
_FLAGS: Final = "activity.sanitized"

#: ``release(method_name, event_dict, payload)``: hands one event on. It is called without any lock held.
Release = Callable[[str, EventDict, Any], None]
_Key = tuple[Any, ...]

_ALWAYS: Final = ("event", "tenant", "outcome", WEIGHT, RULE, THRESHOLD, UNIT, DRY_RUN)
_PARTS: Final = {
    "actor": ("user.id", "activity.actor.type", "activity.actor.id"),
    "object": ("activity.object.type", "activity.object.id", "activity.object.ids"),
    "target": ("activity.target.type", "activity.target.id"),
}
_TRACE: Final = ("trace_id", "span_id", "trace_flags")
_MAX_NAMES: Final = 64
_INT64: Final = 1 << 63
_ABSENT: Final = object()
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
#: The smallest float is one of these parts of 1, so every finite float is a whole number of them.
_FLOAT_BITS: Final = 1074


class RollUp:
    """
    The windows of a process.

    Args:
        release: is given each event that leaves; it must not raise. Should it, the other events that are due
            leave first, then the exception goes to the caller.
        clock: wall time in nanoseconds.
        max_keys: windows that may be open at once; one more closes the oldest, whose event leaves early.
        merge: the payload of one event of two, from theirs; by default theirs when they are equal, else None.

    Raises:
        ConfigurationError: ``max_keys`` is below 1.

    Any thread may call any method. One that is interrupted inside (by a signal handler) and comes in again gets
    its event handed on by itself; windows that it closes are closed as soon as the interrupted call goes on.
    After a fork the child must make a new one: what is held here is the parent's.
    """

    def __init__(
        self,
        release: Release,
        *,
        clock: Callable[[], int] = time_ns,
        max_keys: int = 10_000,
        merge: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        if max_keys < 1:
            raise ConfigurationError(
                f"max_keys is {max_keys}.", hint="Give the roll-up room for 1 window or more."
            )
        self._release = release
        self._clock = clock
        self._max_keys = max_keys
        self._merge = merge or _equal_or_none
        # By length, so that the first of each is the first that is over.
        self._windows: dict[int, OrderedDict[_Key, _Window]] = {}
        self._due: deque[_Window] = deque()
        # And a flag: a signal handler may come between any two steps; it must neither wait nor see half a change.
        self._lock = threading.RLock()
        self._inside = False
        self._postponed: Callable[[_Window], bool] | None = None

    def add(self, rule: Rule, method_name: str, event_dict: EventDict, payload: Any = None) -> None:
        """
        Take an event that has gone through the chain; it belongs to the roll-up from now on.

        Events that cannot be folded (an outcome in the rule's ``keep``, a count that is no count) leave at once.
        The payload leaves with the event; what one event of several has is up to ``merge``.
        """
        if rule.rollup_seconds is None or not _foldable(rule, event_dict):
            self._release(method_name, event_dict, payload)
            return
        key = _key(rule, method_name, event_dict)
        event = _Window(rule, method_name, event_dict, payload, now_ns=self._clock())
        if not self._do(lambda: self._place(key, event)):
            self._release(method_name, event_dict, payload)

    def tick(self) -> None:
        """Release the events of windows that are over."""
        now_ns = self._clock()
        self._close(lambda window: window.is_over(now_ns))

    def cut(self) -> None:
        """Release all events, also of windows that are not over: for flush and shutdown. Later events may come."""
        self._close(lambda _window: True)

    def next_end_ns(self) -> int | None:
        """When the first window is over, in the clock's nanoseconds; None when none is open."""
        with self._lock:
            return min((window.end_ns for window in self._oldest()), default=None)

    def held(self) -> int:
        """How many events wait, each counted that was added."""
        with self._lock:
            waiting = sum(window.events for windows in self._windows.values() for window in windows.values())
            return waiting + sum(window.events for window in self._due)

    def _place(self, key: _Key, event: _Window) -> None:
        """Put an event into its window, or open one; under the lock."""
        windows = self._windows.setdefault(event.length_ns, OrderedDict())
        open_one = windows.get(key)
        if open_one is not None:
            if open_one.takes(event):
                open_one.fold(event, self._merge)
                return
            self._due.append(windows.pop(key))
        elif sum(map(len, self._windows.values())) >= self._max_keys:
            oldest = min(self._oldest(), key=lambda window: window.opened_ns)
            self._due.append(self._windows[oldest.length_ns].popitem(last=False)[1])
        windows[key] = event

    def _oldest(self) -> Iterable[_Window]:
        """The first window of each length."""
        return [next(iter(windows.values())) for windows in self._windows.values() if windows]

    def _close(self, is_due: Callable[[_Window], bool]) -> None:
        if not self._do(lambda: self._move(is_due)):
            self._postponed = is_due

    def _move(self, is_due: Callable[[_Window], bool]) -> None:
        for windows in self._windows.values():
            while windows and is_due(next(iter(windows.values()))):
                self._due.append(windows.popitem(last=False)[1])

    def _do(self, step: Callable[[], None]) -> bool:
        """
        Take one step under the lock, then release what is due without it.

        Returns False, and does nothing, on a thread that is in the middle of a step. What interrupted it may end
        the process by an exception, which is no reason to keep events back.
        """
        with self._lock:
            if self._inside:
                return False
        try:
            self._step(step)
        finally:
            self._release_due()
        return True

    def _step(self, step: Callable[[], None]) -> None:
        with self._lock:
            self._inside = True
            try:
                step()
            finally:
                while self._postponed is not None:
                    postponed, self._postponed = self._postponed, None
                    self._move(postponed)
                self._inside = False

    def _release_due(self) -> None:
        failure: Exception | None = None
        while self._due:
            try:
                window = self._due.popleft()
            except IndexError:  # another thread was faster
                break
            try:
                self._release(window.method_name, window.result(), window.payload)
            except Exception as error:  # noqa: BLE001 - raised again below; the others are not to wait for it
                failure = failure or error
        if failure is not None:
            raise failure


class _Window:
    """
    One event, and what was folded into it.

    Attributes:
        events: how many were added.
        count: for how many they stand.
        first_ns, last_ns: the smallest and the largest time of theirs.
        event_dict: of the first; what differs in later ones is taken out.
    """

    __slots__ = (
        "_differing",
        "_stamp",
        "_sums",
        "count",
        "event_dict",
        "events",
        "first_ns",
        "last_ns",
        "length_ns",
        "method_name",
        "opened_ns",
        "payload",
    )

    def __init__(self, rule: Rule, method_name: str, event_dict: EventDict, payload: Any, *, now_ns: int) -> None:
        self.method_name = method_name
        self.event_dict = event_dict
        self.payload = payload
        self.length_ns = round((rule.rollup_seconds or 0) * 1e9)
        self.opened_ns = now_ns
        self.events = 1
        self.count: int = event_dict.get(COUNT, 1)
        # In a chain of somebody else's a time may have any form, or be set later.
        self._stamp = stamp = event_dict.get("timestamp")
        self.first_ns = stamp if type(stamp) is int else now_ns
        self.last_ns = max(self.first_ns, _nanoseconds(event_dict.get(LAST)))
        self._sums = {name: _Sum(event_dict, name) for name in _attributes(rule.rollup_sum)}
        self._differing: dict[str, None] = {}

    @property
    def end_ns(self) -> int:
        """When it is over, in the clock's nanoseconds."""
        return self.opened_ns + self.length_ns

    def is_over(self, now_ns: int) -> bool:
        """Whether its time has come; it has, too, when the clock was set back by more than its length."""
        return not self.opened_ns - self.length_ns < now_ns < self.end_ns

    def takes(self, event: _Window) -> bool:
        """Whether an event of the same key may be folded into this one."""
        span_ns = max(self.last_ns, event.last_ns) - min(self.first_ns, event.first_ns)
        return not self.is_over(event.opened_ns) and span_ns < self.length_ns and self.count + event.count < _INT64

    def fold(self, event: _Window, merge: Callable[[Any, Any], Any]) -> None:
        """Add an event; the order does not matter."""
        self.events += 1
        self.count += event.count
        if event.first_ns < self.first_ns:
            self.first_ns, self._stamp = event.first_ns, event._stamp
        self.last_ns = max(self.last_ns, event.last_ns)
        for name, total in self._sums.items():
            total.add(event._sums[name])
        self.payload = merge(self.payload, event.payload)
        self._keep_common(event.event_dict)

    def _keep_common(self, other: EventDict) -> None:
        ours = self.event_dict
        for name in (_FLAGS, VARIED):
            if name in ours or name in other:
                _unite(name, ours, other)
        get = other.get
        differing = [
            name
            for name, value in ours.items()
            if (theirs := get(name, _ABSENT)) is not value and not _same(value, theirs)
        ]
        differing += [name for name in other if name not in ours]
        for name in differing:
            ours.pop(name, None)
            if len(self._differing) < _MAX_NAMES:
                self._differing[name] = None

    def result(self) -> EventDict:
        """The event that leaves."""
        event_dict = self.event_dict
        if self.events == 1:
            return event_dict
        sums = {f"{name}.sum": total.value() for name, total in self._sums.items()}
        varied = [name for name in self._differing if name not in (COUNT, "timestamp", LAST, *sums)]
        if any(name in self._differing for name in _TRACE):
            for name in _TRACE:  # half of a trace's context points to nowhere
                event_dict.pop(name, None)
        if self._stamp is not None:
            event_dict["timestamp"] = self._stamp
        event_dict[COUNT] = self.count
        event_dict[LAST] = _text(self.last_ns)
        event_dict.update((name, value) for name, value in sums.items() if value is not None)
        if varied:
            event_dict[VARIED] = list(dict.fromkeys([*event_dict.get(VARIED, ()), *varied]))[:_MAX_NAMES]
        return event_dict


class _Sum:
    """The exact sum of what events have under one name: whole numbers, of ones or of the smallest float."""

    __slots__ = ("_any", "_floats", "_total")

    def __init__(self, event_dict: EventDict, name: str) -> None:
        # What was summed before (by a roll-up in front of this one) counts with its sum.
        value = event_dict.get(f"{name}.sum", event_dict.get(name))
        self._any = type(value) is int or (type(value) is float and math.isfinite(value))
        self._floats = self._any and type(value) is float
        self._total = 0
        if self._floats:
            numerator, denominator = value.as_integer_ratio()
            self._total = numerator * ((1 << _FLOAT_BITS) // denominator)
        elif self._any:
            self._total = value

    def add(self, other: _Sum) -> None:
        """Add another sum."""
        if other._floats and not self._floats:
            self._total <<= _FLOAT_BITS
        extra = other._total << _FLOAT_BITS if self._floats and not other._floats else other._total
        self._total += extra
        self._any = self._any or other._any
        self._floats = self._floats or other._floats

    def value(self) -> int | float | None:
        """An integer where all were and it fits into 64 bits, else the nearest float; None without any."""
        if not self._any:
            return None
        if not self._floats and -_INT64 <= self._total < _INT64:
            return self._total
        try:
            return self._total / (1 << _FLOAT_BITS if self._floats else 1)
        except OverflowError:
            return None


def _foldable(rule: Rule, event_dict: EventDict) -> bool:
    count = event_dict.get(COUNT, 1)
    if type(count) is not int or not 0 <= count < _INT64:
        return False
    if rule.keep is True:
        return False
    outcome = event_dict.get("activity.outcome", event_dict.get("outcome")) or "success"
    return not rule.keep or type(outcome) is not str or outcome not in rule.keep


def _key(rule: Rule, method_name: str, event_dict: EventDict) -> _Key:
    """What similar events share. Equal rules, as after a reload, share their windows."""
    get = event_dict.get
    values = [
        value if (value := get(name)) is None or value.__class__ is str else _frozen(value)
        for name in _key_names(rule.rollup_by)
    ]
    return (method_name, rule.name, rule.rollup_by, rule.rollup_sum, *values)


@functools.lru_cache(maxsize=1024)
def _key_names(rollup_by: tuple[str, ...]) -> tuple[str, ...]:
    return _attributes(rollup_by + _ALWAYS)


@functools.lru_cache(maxsize=1024)
def _attributes(keys: tuple[str, ...]) -> tuple[str, ...]:
    """
    The names under which values are looked for: attributes, and the keywords of ``emit``.

    Behind our own chain there are no such keywords left; in somebody else's there may be nothing but them.
    """
    names: dict[str, None] = {}
    for key in keys:
        names |= dict.fromkeys(_PARTS.get(key) or (ATTRIBUTE_OF_KEY.get(key, key),))
        names[key] = None
    return tuple(names)


def _frozen(value: Any) -> Any:
    """Something hashable that is equal for equal values of the same type only; texts are that themselves."""
    return type(value), repr(value)


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    try:
        # 1, True and 1.0 are equal, in lists too; they are not the same.
        return bool(one == other) and (type(one) not in (list, dict, tuple) or repr(one) == repr(other))
    except Exception:  # noqa: BLE001 - somebody else's class may raise anything
        return False


def _equal_or_none(one: Any, other: Any) -> Any:
    return one if _same(one, other) else None


def _unite(name: str, ours: EventDict, other: EventDict) -> None:
    """What was cut in any of the events was cut; what differed before still differs."""
    lists = [event[name] for event in (ours, other) if type(event.get(name)) is list]
    if lists:
        ours[name] = other[name] = list(dict.fromkeys(map(str, itertools.chain(*lists))))[:_MAX_NAMES]


def _text(time_ns: int) -> str:
    """ISO 8601 in UTC, with microseconds and ``Z``."""
    moment = _EPOCH + dt.timedelta(microseconds=time_ns // 1000)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z"


def _nanoseconds(text: Any) -> int:
    """The time that :func:`_text` wrote; 0 for anything else."""
    try:
        since = dt.datetime.fromisoformat(text) - _EPOCH
    except (TypeError, ValueError):
        return 0
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
