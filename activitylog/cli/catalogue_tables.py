"""A catalogue on the screen: all events in a table, or some of them one after the other."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from activitylog.catalogue import Catalogue, Entry, how_sure
from activitylog.catalogue.entry import EventFigures, is_own
from activitylog.cli.paragraphs import print_paragraph
from activitylog.cli.rows import Column, Rows
from activitylog.cli.tables import number, print_rows, print_title
from activitylog.store.doctor.finding import plural


def print_events(catalogue: Catalogue) -> None:
    """A line an event and version; columns that say nothing of any of them are left out."""
    shown: set[str] = set()
    rows = []
    for entry in catalogue.entries:
        # The volume is that of the name; it stands once, so that nobody adds it up.
        rows.append(_row(entry, None if entry.name in shown else entry.figures))
        shown.add(entry.name)
    columns = [
        (Column(name, kind), [row[name] for row in rows])
        for name, kind in _COLUMNS
        if name == "event" or any(row[name] not in (None, "") for row in rows)
    ]
    values = [list(line) for line in zip(*(cells for _, cells in columns), strict=True)]
    print_rows(Rows(tuple(column for column, _ in columns), iter(values)))


_COLUMNS = (
    ("event", "String"),
    ("version", "String"),
    ("events", "Float64"),
    ("±", "Float64"),
    ("trust", "String"),
    ("first (UTC)", "String"),
    ("last (UTC)", "String"),
    ("owner", "String"),
    ("class", "String"),
    ("attributes", "String"),
)


def _row(entry: Entry, figures: EventFigures | None) -> dict[str, Any]:
    trust = figures.trust if figures and figures.trust in ("ask", "no") else ""
    events = round(figures.events) if figures else None
    if figures and figures.first is None:  # all that is known of it are counters
        events, trust = figures.counted, "none kept"
    return {
        "event": entry.name,
        "version": "" if entry.version is None else str(entry.version),
        "events": events,
        "±": round(1.96 * figures.standard_error) or None if figures else None,
        "trust": trust,
        "first (UTC)": f"{figures.first:%Y-%m-%d}" if figures and figures.first else None,
        "last (UTC)": f"{figures.last:%Y-%m-%d}" if figures and figures.last else None,
        "owner": entry.owner,
        "class": "yes" if entry.declared_by else "",
        "attributes": ", ".join(attribute.name for attribute in entry.attributes),
    }


def print_details(entries: Sequence[Entry]) -> None:
    """Everything that is known of some events."""
    for place, entry in enumerate(entries):
        if place:
            sys.stdout.write("\n")
        print_title(entry.title)
        for paragraph in filter(None, entry.doc.split("\n\n")):
            print_paragraph(" ".join(paragraph.split()), "  ")
        for name, text in _facts(entry):
            print_paragraph(text, f"  {name:<10}  ")
        if entry.attributes:
            _print_attributes(entry)


def _facts(entry: Entry) -> Iterator[tuple[str, str]]:
    words = {
        "owner": entry.owner,
        "class": entry.declared_by,
        **{
            name: ", ".join(getattr(entry, name))
            for name in ("actors", "objects", "targets", "outcomes", "services")
        },
        "also has": ", ".join(entry.context),
    }
    if entry.figures is not None:
        yield from _figures(entry.figures)
    yield from ((name, text) for name, text in words.items() if text)


def _figures(figures: EventFigures) -> Iterator[tuple[str, str]]:
    if figures.first is not None and figures.last is not None:
        error = f" ± {1.96 * figures.standard_error:,.0f}" if figures.standard_error else ""
        trust = {
            "exact": "exact: nothing was sampled out",
            "yes": "estimated",
            "ask": "estimated, kept as whole units: `activitylog query estimates` has the error",
            "no": "do not trust it: `activitylog query estimates` says why",
        }.get(figures.trust, figures.trust)
        yield "events", f"{figures.events:,.0f}{error} ({trust}), in {plural(figures.rows, 'row')}"
        yield "seen", f"{figures.first:%Y-%m-%d %H}h to {figures.last:%Y-%m-%d %H}h (UTC)"
        yield "looked at", plural(figures.sampled_rows, "row")
    if figures.counted is not None:
        kept = f", {figures.not_kept:,} of them not kept" if figures.not_kept else ""
        yield "counted", f"{figures.counted:,} by exact counters, in the days that were looked at{kept}"


def _print_attributes(entry: Entry) -> None:
    has_figures = any(attribute.figures for attribute in entry.attributes)
    has_docs = any(attribute.doc for attribute in entry.attributes)
    names = ["attribute", "type", "required"]
    names += ["in", "type by"] if has_figures else []
    names += ["what it means"] if has_docs else []
    rows = []
    for attribute in entry.attributes:
        share = f"{number(round(100 * attribute.figures.share, 1))} %" if attribute.figures else ""
        cells = {
            "attribute": attribute.name,
            "type": attribute.type if attribute.declared or is_own(attribute.name) else "",
            "required": "yes" if attribute.required else "",
            "in": share,
            "type by": how_sure(attribute),
            "what it means": attribute.doc,
        }
        rows.append([cells[name] for name in names])
    print_rows(Rows(tuple(Column(name, "String") for name in names), iter(rows)))
