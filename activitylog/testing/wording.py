"""
What a failed assertion says: what was expected, the nearest events and what differs in them, the others in short.

Events are shown with their index, so that ``activity[2]`` is the next question. What is printed may come from
anybody, and is made safe for a terminal.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from activitylog.testing.arrangement import Pair
from activitylog.testing.captured import MISSING, CapturedEvent
from activitylog.testing.expected import Difference, IsEvent, equal
from activitylog.visible import visible

_MAX_NEAREST: Final = 3
_MAX_OTHERS: Final = 10
_MAX_LINE: Final = 110
_MAX_VALUE: Final = 200
_MAX_RUN: Final = 5
#: Characters that two long texts share and that are shown before what differs.
_BEFORE: Final = 20
_CONTRAST: Final = " " * 10
#: Keys that an event's summary tells already.
_SUMMARIZED: Final = frozenset({"event", "actor", "object", "objects", "target", "outcome", "count"})

Events = Sequence[CapturedEvent]


def not_emitted(expected: IsEvent, events: Events) -> str:
    """No event is the expected one."""
    if not events:
        return said(f"{_short(expected)} was not emitted; nothing was.")
    return said(f"{_short(expected)} was not emitted.", *_instead(expected, events))


def emitted_otherwise(expected: IsEvent, times: Any, found: Collection[int], events: Events) -> str:
    """So many events are the expected one, which is not how many there should be."""
    title = f"{_short(expected)} was emitted {_times(len(found))}, expected: {times!r}."
    if not found:
        return said(title, *_instead(expected, events))
    lines = [title, *_listed(found, events)]
    if not isinstance(times, int) or len(found) < times:
        others = [index for index in range(len(events)) if index not in found]
        same = {events[index].name for index in others if expected.name in (None, events[index].name)}
        lines += _nearest(expected, events, others, same)
    return said(*lines)


def emitted_though(expected: IsEvent, found: Collection[int], events: Events) -> str:
    """Events that should not be there."""
    return said(f"{_short(expected)} was emitted {_times(len(found))}, expected: never.", *_listed(found, events))


def something_emitted(events: Events) -> str:
    """Events where there should be none."""
    many = "1 event was" if len(events) == 1 else f"{len(events)} events were"
    return said(f"{many} emitted, expected: none.", *_listed(range(len(events)), events))


def other_counts(expected: Mapping[str, Any], actual: Mapping[str, int]) -> str:
    """The counts by name that are not as they should be."""
    names = [*expected, *(name for name in actual if name not in expected)]
    lines = [
        f"  {name}: expected {expected.get(name, 0)!r}, actual {actual.get(name, 0)}"
        for name in names
        if not equal(expected.get(name, 0), actual.get(name, 0))
    ]
    return said("Events were emitted in other numbers than expected:", *lines)


def in_other_order(
    title: str, expected: Sequence[IsEvent], events: Events, pairs: Sequence[Pair], *, others: bool = False
) -> str:
    """
    Expected events that were not emitted (``-``), and events that were not expected (``+``), where they are.

    Args:
        title: the first line.
        expected: what should have been emitted.
        events: what was.
        pairs: which of them are the same, in their order.
        others: whether other events may be there; they are then no ``+``.
    """
    lines: list[str] = []
    done_i = done_j = 0
    for i, j in [*pairs, (len(expected), len(events))]:
        lines += _gap(expected[done_i:i], range(done_j, j), events, sign=" " if others else "+")
        lines += [f"    {_line(j, events[j])}"] if j < len(events) else []
        done_i, done_j = i + 1, j + 1
    return said(title, *_without_long_runs(lines))


def in_no_order(title: str, expected: Sequence[IsEvent], events: Events, pairs: Sequence[Pair]) -> str:
    """As :func:`in_other_order`, first what differs, then the rest."""
    same_i, same_j = {i for i, _ in pairs}, {j for _, j in pairs}
    missing = [item for i, item in enumerate(expected) if i not in same_i]
    lines = _gap(missing, [j for j in range(len(events)) if j not in same_j], events, sign="+")
    rest = (f"    {_line(j, events[j])}" for j in sorted(same_j))
    return said(title, *_without_long_runs([*lines, *rest]))


def _gap(missing: Sequence[IsEvent], indices: Iterable[int], events: Events, *, sign: str) -> list[str]:
    """Expected events in whose place there are others, each before the one that is most like it."""
    free = list(indices)
    alike: dict[int, IsEvent] = {}
    lines = []
    for item in missing:
        same_name = [j for j in free if j not in alike and equal(item.name, events[j].name)]
        if same_name:
            alike[min(same_name, key=lambda j: len(item.differences(events[j])))] = item
        else:
            lines.append(f"  - {_part(repr(item), 0)}")
    for j in free:
        lines += [f"  - {_part(repr(alike[j]), 0)}"] if j in alike else []
        lines.append(f"  {sign} {_line(j, events[j])}")
        lines += _contrasts(alike[j].differences(events[j]), events[j]) if j in alike else ()
    return lines


def _without_long_runs(lines: Iterable[str]) -> Iterator[str]:
    """Of many lines in a row with the same sign the first and the last ones."""
    for sign, run in itertools.groupby(lines, key=lambda line: line[:5]):
        same = list(run)
        cut = len(same) - 2 * _MAX_RUN
        if cut > 1 and sign != _CONTRAST[:5]:
            same[_MAX_RUN : _MAX_RUN + cut] = [f"{sign[:4]}... {cut} more"]
        yield from same


def _instead(expected: IsEvent, events: Events) -> list[str]:
    """What was emitted where nothing is the expected event."""
    indices = range(len(events))
    lines = list(_nearest(expected, events, indices, _similar(expected.name, {event.name for event in events})))
    return lines or ["Emitted:" if events else "Nothing was emitted.", *_listed(indices, events)]


def said(*lines: str) -> str:
    """Lines as one text for a terminal, whatever is in them."""
    return "\n".join(map(visible, lines))


def _short(expected: IsEvent) -> str:
    return _part(str(expected), 0)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _listed(indices: Iterable[int], events: Events) -> Iterator[str]:
    shown = list(indices)
    for index in shown[:_MAX_OTHERS]:
        yield f"  {_line(index, events[index])}"
    if len(shown) > _MAX_OTHERS:
        yield f"  ... and {len(shown) - _MAX_OTHERS} more"


def _nearest(expected: IsEvent, events: Events, indices: Iterable[int], names: Collection[str]) -> Iterator[str]:
    """Of the events with these names those that are most like the expected one; then the others in short."""
    indices = list(indices)
    differences = {j: expected.differences(events[j]) for j in indices if events[j].name in names}
    nearest = sorted(differences, key=lambda j: len(differences[j]))[:_MAX_NEAREST]
    if nearest:
        yield "Nearest:"
    for j in nearest:
        yield f"  {_line(j, events[j])}"
        yield from _contrasts(differences[j], events[j])
    others = [j for j in indices if j not in nearest]
    if nearest and others:
        yield "Others:"
        yield from _listed(others, events)


def _similar(name: Any, names: Collection[str]) -> Collection[str]:
    """The names that are looked at: the expected one, else those that it may be a slip of."""
    same = [other for other in names if name is None or equal(name, other)]
    if same or not isinstance(name, str):
        return same or names
    return difflib.get_close_matches(name, names, n=_MAX_NEAREST)


def _line(index: int, event: CapturedEvent) -> str:
    """One event in one line."""
    values = (f"{key}={value!r}" for key, value in event.as_dict().items() if key not in _SUMMARIZED)
    line = " ".join([f"[{index}] {event.summary}", *values])
    return line if len(line) <= _MAX_LINE else f"{line[: _MAX_LINE - 3]}..."


def _contrasts(differences: Iterable[Difference], event: CapturedEvent) -> Iterator[str]:
    """Key by key: expected, actual."""
    for difference in _unfolded(differences):
        expected, actual = _texts(difference.expected, difference.actual)
        indent = " " * (len(difference.key) + 2)
        yield f"{_CONTRAST}{difference.key}: expected {expected}"
        yield f"{_CONTRAST}{indent}actual   {actual}{_hint(difference, event)}"


def _unfolded(differences: Iterable[Difference]) -> Iterator[Difference]:
    """Of mappings only the keys that differ."""
    for difference in differences:
        key, expected, actual = difference
        if not (isinstance(expected, Mapping) and isinstance(actual, Mapping)):
            yield difference
            continue
        inner = [
            Difference(f"{key}.{name}", expected.get(name, MISSING), actual.get(name, MISSING))
            for name in [*expected, *(name for name in actual if name not in expected)]
        ]
        differing = [item for item in inner if not equal(item.expected, item.actual)]
        yield from _unfolded(differing) if differing else (difference,)


def _hint(difference: Difference, event: CapturedEvent) -> str:
    if difference.actual is not MISSING or difference.expected is MISSING:
        return ""
    near = difflib.get_close_matches(difference.key, event.as_dict(), n=1)
    return f" (it has {near[0]!r})" if near else ""


def _texts(expected: Any, actual: Any) -> tuple[str, str]:
    """Both values in short, from shortly before what differs, and told apart where they look the same."""
    equal(expected, actual)  # those of dirty_equals are printed as what they were last equal to
    texts = [repr(expected), repr(actual)]
    if texts[0] == texts[1]:
        texts = [f"{text} ({type(value).__name__})" for text, value in zip(texts, (expected, actual), strict=True)]
    if max(map(len, texts)) <= _MAX_VALUE:
        return texts[0], texts[1]
    same = next((n for n, pair in enumerate(zip(*texts, strict=False)) if pair[0] != pair[1]), 0)
    start = max(0, same - _BEFORE)
    return _part(texts[0], start), _part(texts[1], start)


def _part(text: str, start: int) -> str:
    part = text[start : start + _MAX_VALUE]
    return f"{'...' if start else ''}{part}{'...' if start + _MAX_VALUE < len(text) else ''}"
