"""
Rules and roll-up in a structlog chain that is not ours, without ``activitylog.configure``.

.. code-block:: python

    rest = structlog.wrap_logger(structlog.PrintLogger(), processors=[JSONRenderer()])
    rules = [
        {"match": "healthcheck.*", "drop": True},
        {"match": "search.*", "max_per_second": 50},
        {"match": "message.typing", "rollup": "10s"},
    ]
    structlog.configure(processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        activitylog.processors.Sample(rules, release=release_to(rest)),
        activitylog.processors.RollUpEvents(rules, release=release_to(rest)),
        JSONRenderer(),
    ])

``max_per_second`` and ``rollup`` hold events until their window is over, and a chain has no way to hold anything:
the event is dropped from it (``structlog.DropEvent``) and later handed to ``release``, which is the rest of the
chain once more. So what must be said of an event by the thread that logged it, its time above all, comes before
these processors, and the renderer after them.

Windows are closed when a later event comes, by ``flush()``, and at the end of the process. A process that may log
nothing for long calls ``flush()`` by a timer; one that ends by ``os._exit`` calls it before. After a fork, what
the parent holds is the parent's.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from time import time_ns
from typing import Any, Final, Generic, Protocol, TypeVar

from structlog import DropEvent
from structlog.typing import EventDict, WrappedLogger

from activitylog.exceptions import ConfigurationError
from activitylog.rollup import RollUp
from activitylog.rules import Rule, compile_rules, parse_rules
from activitylog.rules.reading import outcome_of
from activitylog.sampling import Sampler, Ticket, Verdict
from activitylog.sampling.verdict import RULE
from activitylog.stats import ReasonCounters
from activitylog.visible import visible

#: Takes one event on: ``release(method_name, event_dict)``.
ReleaseEvent = Callable[[str, EventDict], Any]

_HINT: Final = (
    "Pass release=, a callable that takes (method_name, event_dict) on, such as release_to(logger) with a "
    "structlog logger whose processors are those that follow."
)
#: Looking for windows that are over, at most so often.
_LOOK_EVERY_NS: Final = 100_000_000
#: A window of ``max_per_second`` is over after a second.
_LONGEST_WAIT_SECONDS: Final = 1.5
_POLL_SECONDS: Final = 0.02

_log = logging.getLogger("activitylog")


def release_to(logger: Any) -> ReleaseEvent:
    """
    Log an event that was held by a structlog logger, with the method that it was logged with.

    Args:
        logger: of the rest of the chain: its processors are those that follow the one that held the event.
    """

    def release(method_name: str, event_dict: EventDict) -> None:
        getattr(logger, method_name, logger.info)(**event_dict)

    return release


class Sample:
    """
    A structlog processor that decides by rules which events go on, and marks them with what they stand for.

    Args:
        rules: as in ``[[rules]]`` of a configuration, or :class:`~activitylog.rules.Rule` objects. What they say
            about roll-up is for :class:`RollUpEvents`, further down the chain.
        release: takes on what ``max_per_second`` held. Needed by such rules only.
        key: processes with the same key make the same decisions about whole units (``by``).
        dry_run: drop nothing; write to each event what would have become of it.
        clock: nanoseconds since the epoch.

    Raises:
        ConfigurationError: a rule cannot be used, or needs ``release``.

    Conditions and units are read as in our own chain: from keywords (``actor``, ``tenant``, ``outcome``) or from
    attributes by their names. A kept event has ``activity.sample.rule`` and, where it stands for more than itself,
    ``activity.sample.weight``.
    """

    def __init__(
        self,
        rules: Iterable[Rule | Mapping[str, Any]],
        *,
        release: ReleaseEvent | None = None,
        key: bytes = b"",
        dry_run: bool = False,
        clock: Callable[[], int] = time_ns,
    ) -> None:
        parsed = parse_rules(list(rules))
        for rule in parsed:
            if rule.max_per_second is not None and release is None and not (dry_run or rule.dry_run):
                raise ConfigurationError(
                    f"The rule {rule.name!r} has max_per_second, which holds events until their second is over.",
                    hint=_HINT,
                )
        compiled = compile_rules(parsed)
        self._dropped = dropped = ReasonCounters()
        self._clock = clock

        def settle(held: tuple[str, EventDict], verdict: Verdict) -> None:
            method_name, event_dict = held
            if verdict.reason:
                dropped.increment(verdict.reason)
            else:
                verdict.mark(event_dict)
                _hand_on(release, method_name, event_dict, dropped)

        self._windows: _Windows[Sampler] = _Windows(
            lambda: Sampler(compiled, key=key, clock=clock, settle=settle, dry_run=dry_run), clock
        )
        weakref.finalize(self, self._windows.cut)

    def __call__(self, _logger: WrappedLogger, method_name: str, event_dict: EventDict) -> EventDict:
        """Let the event go on, marked; or raise ``structlog.DropEvent``."""
        decided = self._windows.now.decide(method_name, event_dict)
        if isinstance(decided, Ticket):
            decided.place((method_name, _keepable(event_dict)))
        self._windows.look()
        if isinstance(decided, Ticket):
            raise DropEvent
        if decided.reason:
            self._dropped.increment(decided.reason)
            raise DropEvent
        return event_dict

    def dropped(self) -> dict[str, int]:
        """Events that ended here, by reason: ``drop``, ``sample``, ``budget``, ``error`` (``release`` failed)."""
        return self._dropped.values()

    def held(self) -> int:
        """Events that wait."""
        return self._windows.now.held()

    def flush(self, timeout_seconds: float = _LONGEST_WAIT_SECONDS) -> None:
        """Wait until the seconds that hold events are over, a second at the most, and hand on what they keep."""
        end_ns = self._windows.now.last_end_ns()
        pause = threading.Event()
        for _ in range(int(timeout_seconds / _POLL_SECONDS)):
            if end_ns is None or self._clock() >= end_ns:
                break
            pause.wait(_POLL_SECONDS)
        self._windows.now.tick()


class RollUpEvents:
    """
    A structlog processor that makes one event of similar ones (:mod:`activitylog.rollup` says how).

    Args:
        rules: those of :class:`Sample`, or such with ``rollup`` only; an event that :class:`Sample` has marked is
            rolled up by the rule that took it there, any other by the first that matches.
        release: takes on the events of windows that are over.
        max_keys: windows that may be open at once; beyond it the oldest is closed early.
        clock: nanoseconds since the epoch.

    Raises:
        ConfigurationError: a rule cannot be used, or ``release`` is missing where a rule has ``rollup``.

    It stands last before what renders. ``timestamp`` may be there in any form; the time of the last event is
    ``activity.rollup.last``.
    """

    def __init__(
        self,
        rules: Iterable[Rule | Mapping[str, Any]],
        *,
        release: ReleaseEvent | None = None,
        max_keys: int = 10_000,
        clock: Callable[[], int] = time_ns,
    ) -> None:
        parsed = parse_rules(list(rules))
        for rule in parsed:
            if rule.rollup_seconds is not None and release is None:
                raise ConfigurationError(
                    f"The rule {rule.name!r} has rollup, which holds events until their window is over.",
                    hint=_HINT,
                )
        self._rules = compile_rules(parsed)
        self._by_name = {rule.name: rule for rule in self._rules.rules}
        self._dropped = dropped = ReasonCounters()

        def hand_on(method_name: str, event_dict: EventDict, _payload: Any) -> None:
            _hand_on(release, method_name, event_dict, dropped)

        self._windows: _Windows[RollUp] = _Windows(lambda: RollUp(hand_on, clock=clock, max_keys=max_keys), clock)
        weakref.finalize(self, self._windows.cut)

    def __call__(self, _logger: WrappedLogger, method_name: str, event_dict: EventDict) -> EventDict:
        """Let the event go on if no rule rolls it up; else keep it, and raise ``structlog.DropEvent``."""
        rule = self._rule_of(method_name, event_dict)
        if rule is None or rule.rollup_seconds is None or not _folds(rule, outcome_of(method_name, event_dict)):
            self._windows.look()
            return event_dict
        self._windows.now.add(rule, method_name, _keepable(event_dict))
        self._windows.look()
        raise DropEvent

    def _rule_of(self, method_name: str, event_dict: EventDict) -> Rule | None:
        marked = event_dict.get(RULE)
        if isinstance(marked, str) and marked in self._by_name:
            return self._by_name[marked]
        index = self._rules.find(method_name, event_dict)
        return self._rules.rules[index] if index >= 0 else None

    def dropped(self) -> dict[str, int]:
        """Events that ended here, by reason: ``error``, because ``release`` failed."""
        return self._dropped.values()

    def held(self) -> int:
        """Events that wait, each counted that came."""
        return self._windows.now.held()

    def flush(self) -> None:
        """Close all windows, and hand on what they hold."""
        self._windows.now.cut()


class _Closing(Protocol):
    """What has windows."""

    def tick(self) -> None:
        """Close windows that are over."""

    def cut(self) -> None:
        """Close all."""


_W = TypeVar("_W", bound=_Closing)


class _Windows(Generic[_W]):
    """Windows that are looked after when events come, cut at exit, and begun anew in a forked child."""

    def __init__(self, make: Callable[[], _W], clock: Callable[[], int]) -> None:
        self._make = make
        self._clock = clock
        self._looked_ns = 0
        self.now = make()
        _all_windows.add(self)

    def look(self) -> None:
        """Close windows that are over; at most every tenth of a second."""
        now_ns = self._clock()
        if not 0 <= now_ns - self._looked_ns < _LOOK_EVERY_NS:
            self._looked_ns = now_ns
            self.now.tick()

    def cut(self) -> None:
        """Close all windows."""
        self.now.cut()

    def begin_anew(self) -> None:
        """Forget what is held: it is the parent's."""
        self.now = self._make()


_all_windows: weakref.WeakSet[_Windows[Any]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for windows in list(_all_windows):
        windows.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _folds(rule: Rule, outcome: str) -> bool:
    return not isinstance(rule.keep, bool) and outcome not in rule.keep


def _keepable(event_dict: EventDict) -> EventDict:
    """The event with the exception that is being handled now, instead of "the one that is handled then"."""
    if event_dict.get("exc_info") is True:
        event_dict["exc_info"] = sys.exc_info()
    return event_dict


def _hand_on(
    release: ReleaseEvent | None, method_name: str, event_dict: EventDict, dropped: ReasonCounters
) -> None:
    """Give a held event to the application; what goes wrong there must not hit whoever logs next."""
    try:
        if release is not None:
            release(method_name, event_dict)
    except DropEvent:
        dropped.increment("filtered")
    except Exception as error:  # noqa: BLE001 - counted, and told once
        dropped.increment("error")
        if dropped.values()["error"] == 1:
            _log.error("activitylog: release failed with a %s; see dropped().", visible(type(error).__name__))
