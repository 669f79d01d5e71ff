"""What the command prints: for people as lines of text, for machines as one JSON document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from activitylog.integrations.django.moving_in.columns import Assignment
from activitylog.integrations.django.moving_in.importing.comparing import Comparison
from activitylog.integrations.django.moving_in.names import NamedAction
from activitylog.visible import visible

_MOST_ACTIONS: Final = 200
_MOST_DIFFERENCES: Final = 50
#: More kinds of actions than this are no kinds: the texts have names and numbers in them.
MANY_ACTIONS: Final = 500
_WIDEST: Final = 60


def aligned(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> Iterator[str]:
    """Lines of a table. ``right`` are the columns of numbers."""
    cut = [[visible(cell)[:_WIDEST] for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in cut) for place in range(len(cut[0]))] if cut else []
    for row in cut:
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def of_assignment(assignment: Assignment) -> Iterator[str]:
    """Which column answers to what."""
    rows = [(word, column.name) for word, column in assignment.words.items()]
    rows += [(word, " + ".join(part.name for part in thing.columns)) for word, thing in assignment.things.items()]
    rows += [("attributes", f"the keys of {column.name}") for column in assignment.attributes]
    rows += [("attribute", column.name) for column in assignment.others]
    yield from aligned([("word", "column"), *rows])


def of_actions(actions: Sequence[NamedAction]) -> Iterator[str]:
    """What each action becomes."""
    rows = [(f"{one.rows:,}", repr(one.action), one.event, one.note) for one in actions[:_MOST_ACTIONS]]
    yield from aligned([("rows", "action", "event", "look at"), *rows], right=frozenset({0}))
    if len(actions) > _MOST_ACTIONS:
        yield f"and {len(actions) - _MOST_ACTIONS:,} more; --json lists all"
    if len(actions) > MANY_ACTIONS:
        yield (
            f"{len(actions):,} different actions are too many for event names: give globs, such as "
            'LegacyMapping(names={"User * logged in": "user.logged_in"}).'
        )


def of_comparison(found: Comparison) -> Iterator[str]:
    """Table and store, month by month, and what differs."""
    heading = ("month", "rows", "not stored", "in the store")
    rows = [(month, *(f"{count:,}" for count in sums)) for month, sums in found.months.items()]
    total = ("all", f"{found.rows:,}", f"{found.not_stored:,}", f"{found.stored:,}")
    yield from aligned([heading, *rows, total], right=frozenset({1, 2, 3}))
    if found.equal:
        yield "Table and store are equal, for every day and action."
        return
    yield f"{len(found.differences):,} days and actions differ:"
    differing = [
        (
            f"{one.day}", repr(one.action), f"{one.rows:,}", f"{one.not_stored:,}", f"{one.stored:,}",
            f"{one.doubled:,}", " ".join(one.missing[:3]), " ".join(one.surplus[:3]),
        )
        for one in found.differences[:_MOST_DIFFERENCES]
    ]  # fmt: skip
    titles = ("day", "action", "rows", "not stored", "in the store", "twice", "missing keys", "surplus keys")
    yield from aligned([titles, *differing], right=frozenset({2, 3, 4, 5}))
    if len(found.differences) > _MOST_DIFFERENCES:
        yield f"and {len(found.differences) - _MOST_DIFFERENCES:,} more; --json lists all"


def of_summary(summary: dict[str, Any]) -> Iterator[str]:
    """What became of the rows."""
    rows = [
        ("rows read", summary["read"], ""),
        ("stored", summary["stored"], f"{summary['rows_per_second']:,} rows/s, {summary['seconds']:,.1f} s"),
        ("were there", summary["present"], ""),
        ("refused", summary["refused"], f"see {summary['refused_file']}" if summary["refused"] else ""),
        ("left out", summary["left_out"], "by the mapping or a processor" if summary["left_out"] else ""),
    ]
    if summary["changed"]:
        rows.append(("changed", summary["changed"], "of the stored: values cut or repaired"))
    yield from aligned([(name, f"{count:,}", note) for name, count, note in rows], right=frozenset({1}))


def as_call(event: dict[str, Any]) -> str:
    """The call of ``emit`` that an event is."""
    values = ", ".join(
        f"{key}={value!r}" if key.isidentifier() else f"**{{{key!r}: {value!r}}}"
        for key, value in event.items()
        if key != "event"
    )
    return visible(f"emit({event['event']!r}, {values})")
