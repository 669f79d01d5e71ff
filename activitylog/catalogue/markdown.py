"""A catalogue as Markdown for people: a table of all events, then each of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from activitylog.catalogue.entry import Attribute, Catalogue, Entry
from activitylog.catalogue.from_store import how_sure
from activitylog.visible import visible, visible_lines

_LINES: Final = (
    ("actors", "Who does it"),
    ("objects", "To what"),
    ("targets", "And to or from what"),
    ("outcomes", "Outcomes"),
    ("services", "Services"),
    ("context", "Also has"),
)
#: What ends code, or a cell of a table even inside code; and an empty text, which is no code at all.
_BREAKS_CODE: Final = re.compile(r"[`|]|^$|^ | $")
_ODD: Final = re.compile(r"[^\w ]", re.ASCII)
_NOT_IN_A_SLUG: Final = re.compile(r"[^\w\- ]")


def markdown(catalogue: Catalogue, *, figures: bool = False) -> str:
    """
    Write a catalogue as Markdown, as GitHub shows it.

    Args:
        figures: also volumes, times and shares, which change with every event.
    """
    slugs = _slugs(catalogue)
    lines = ["# Event catalogue", ""]
    if not catalogue.entries:
        return "\n".join([*lines, "There are no events.", ""])
    lines += _contents(catalogue, slugs, figures=figures)
    for entry in catalogue.entries:
        lines += ["", *_event(entry, figures=figures)]
    return "\n".join(lines) + "\n"


def _contents(catalogue: Catalogue, slugs: list[str], *, figures: bool) -> Iterator[str]:
    volume = "events | last seen (UTC) | " if figures else ""
    yield f"| event | {volume}what it means | owner |"
    yield "|---|" + ("---:|---|" if figures else "") + "---|---|"
    for entry, slug in zip(catalogue.entries, slugs, strict=True):
        numbers = f"{_volume(entry)} | {_last(entry)} | " if figures else ""
        words = f"{_cell(_first_sentence(entry.doc))} | {_cell(entry.owner)}"
        yield f"| [{_heading(entry)}](#{slug}) | {numbers}{words} |"


def _event(entry: Entry, *, figures: bool) -> Iterator[str]:
    yield f"## {_heading(entry)}"
    if entry.doc:
        yield ""
        yield visible_lines(entry.doc)
    facts = list(_facts(entry, figures=figures))
    if facts:
        yield ""
        yield from facts
    if entry.attributes:
        yield ""
        yield from _attributes(entry, figures=figures)


def _facts(entry: Entry, *, figures: bool) -> Iterator[str]:
    if entry.owner:
        yield f"* Owner: {_cell(entry.owner)}"
    if entry.declared_by:
        yield f"* Class: {_code(entry.declared_by)}"
    for name, words in _LINES:
        if found := getattr(entry, name):
            yield f"* {words}: {', '.join(map(_code, found))}"
    if figures and entry.figures is not None:
        yield f"* Events: {_volume(entry)}"
        if entry.figures.first is not None:
            yield f"* Seen: {entry.figures.first:%Y-%m-%d} to {_last(entry)} (UTC)"


def _attributes(entry: Entry, *, figures: bool) -> Iterator[str]:
    share = "in | type by | " if figures else ""
    yield f"| attribute | type | required | {share}what it means |"
    yield "|---|---|---|" + ("---:|---|" if figures else "") + "---|"
    for attribute in entry.attributes:
        numbers = f"{_share(attribute)} | {how_sure(attribute)} | " if figures else ""
        required = "yes" if attribute.required else ""
        yield (f"| {_code(attribute.name)} | {attribute.type} | {required} | {numbers}{_cell(attribute.doc)} |")


def _volume(entry: Entry) -> str:
    if entry.figures is None:
        return ""
    error = entry.figures.standard_error
    margin = f" ± {1.96 * error:,.0f}" if error else ""
    return f"{entry.figures.events:,.0f}{margin}"


def _last(entry: Entry) -> str:
    return f"{entry.figures.last:%Y-%m-%d}" if entry.figures and entry.figures.last else ""


def _share(attribute: Attribute) -> str:
    return f"{100 * attribute.figures.share:.0f} %" if attribute.figures else ""


def _heading(entry: Entry) -> str:
    return _code(entry.name) + ("" if entry.version is None else f", version {visible(str(entry.version))}")


def _code(text: str) -> str:
    """As code, whatever is in it: names in a store may come from anybody."""
    shown = visible(text)
    if not _BREAKS_CODE.search(shown):
        return f"`{shown}`"
    return f"<code>{_ODD.sub(lambda found: f'&#{ord(found[0])};', shown)}</code>"


def _cell(text: str) -> str:
    """A text in one line of a table."""
    return visible(" ".join(text.split())).replace("|", "&#124;")


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.partition("\n\n")[0].split())
    found = re.match(r".*?[.!?](?= |$)", paragraph)
    return found[0] if found else paragraph


def _slugs(catalogue: Catalogue) -> list[str]:
    """The anchors that GitHub gives the headings."""
    used: Counter[str] = Counter()
    slugs = []
    for entry in catalogue.entries:
        slug = _NOT_IN_A_SLUG.sub("", _heading(entry).lower().strip()).replace(" ", "-")
        slugs.append(f"{slug}-{used[slug]}" if used[slug] else slug)
        used[slug] += 1
    return slugs
