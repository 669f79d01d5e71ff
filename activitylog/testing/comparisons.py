"""What pytest says of a failed ``assert`` that compares captured events with expected ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from activitylog.testing import wording
from activitylog.testing.arrangement import in_order
from activitylog.testing.captured import CapturedEvent
from activitylog.testing.expected import IsEvent


def explained(op: str, left: Any, right: Any) -> list[str] | None:
    """
    The lines of a failed comparison, the first one in place of the compared values; None for what is not ours.

    Args:
        op: the operator: ``==``, ``in`` and ``not in`` are ours.
        left: what was compared.
        right: with what.
    """
    if op == "==":
        return _unequal(left, right) or _unequal(right, left)
    events = _all(CapturedEvent, right)
    if op not in ("in", "not in") or not isinstance(left, IsEvent) or events is None:
        return None
    if op == "in":
        text = wording.not_emitted(left, events)
    else:
        text = wording.emitted_though(left, [i for i, event in enumerate(events) if left == event], events)
    return [f"expected event {op} captured events", *text.splitlines()]


def _unequal(captured: Any, expected: Any) -> list[str] | None:
    one = isinstance(captured, CapturedEvent) and isinstance(expected, IsEvent)
    events = [captured] if one else _all(CapturedEvent, captured)
    wanted = [expected] if one else _all(IsEvent, expected)
    if events is None or wanted is None or not (events or wanted):
        return None
    title = "captured event == expected event" if one else "captured events == expected events"
    return wording.in_other_order(title, wanted, events, in_order(wanted, events)).splitlines()


def _all(kind: type, values: Any) -> list[Any] | None:
    """A sequence of these and nothing else, as a list."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        return None
    items = list(values)
    return items if all(isinstance(item, kind) for item in items) else None
