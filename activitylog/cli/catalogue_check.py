"""``activitylog catalogue check``: what differs between a catalogue and classes, and between it and a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from activitylog.cli.catalogue_sources import Gathered, Wanted, gather, sources_options, time_option
from activitylog.cli.findings import fail_on_option, json_option, report
from activitylog.store.doctor.finding import Finding as StoreFinding
from activitylog.store.doctor.finding import Severity, plural

if TYPE_CHECKING:
    from activitylog.catalogue import Advice, Catalogue, Drift, Entry

_EXAMPLES: Final = """\b
Examples:
  activitylog catalogue check catalogue.json --import myapp.events --no-store   in CI, without a database
  activitylog catalogue check catalogue.json --url clickhouse://ch/activity     what production emits
  activitylog catalogue check catalogue.json --since 2026-05-01T14:00           only since a deployment
  activitylog catalogue check catalogue.json --fail-on warning --json           for a monitor

Exit codes: 0 nothing differs, 1 something does (or the store cannot be reached), 2 wrong usage.
"""
#: Of findings of a kind, so many are told of in a text, and of so many what to do.
_SHOWN: Final = 20
_ADVISED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(StoreFinding):
    """
    A difference, or that there is none.

    Attributes:
        event, version, attribute: what it is about; empty where nothing differs.
        where: a class, or services.
        since: when it was first seen, as far as that is known.
    """

    event: str = ""
    version: int | str | None = None
    attribute: str = ""
    where: str = ""
    since: datetime | None = None


@click.command(short_help="Say what differs from the file.", epilog=_EXAMPLES)
@click.argument("file")
@sources_options
@click.option("--since", metavar="TIME", help="Look at rows from this time on (UTC), instead of --days.")
@fail_on_option
@json_option
def check(*, file: str, wanted: Wanted, since: str | None, fail_on: str, as_json: bool) -> int:
    """
    Compare the catalogue in FILE with the classes that are imported, and with the newest days of the store.

    Found are: events, versions and attributes that are not in the file, attributes of another type or that are
    missing, events that no class declares any more or that are not seen any more, and classes that contradict each
    other. Each finding says what, where, since when, and what to do. Nothing is changed.

    Of the store about a thousand rows an event are looked at, so that what is rare may be overlooked. A mistake
    that was corrected is forgotten with its days (--since: at once).
    """
    from activitylog.catalogue import load

    start = time_option(since, "--since")
    catalogue = load(file)
    gathered = gather(wanted, since=start, older=False, quiet=as_json)
    advice = _advice(file, gathered, wanted)
    drift = _drift(catalogue, gathered, advice)
    told: Iterable[Finding]
    if as_json:
        told = [_finding(one) for found in drift.values() for one in found]
    else:
        told = [one for found in drift.values() for one in _grouped(found, advice.update)]
    return report([*told, *_quiet(catalogue, gathered, drift)], fail_on=fail_on, as_json=as_json)


def _advice(file: str, gathered: Gathered, wanted: Wanted) -> Advice:
    import shlex

    from activitylog.catalogue import Advice

    return Advice(
        f"activitylog catalogue update {shlex.quote(file)}{wanted.options}",
        gathered.store.option if gathered.store else "",
    )


def _drift(catalogue: Catalogue, gathered: Gathered, advice: Advice) -> dict[str, list[Drift]]:
    """What differs, by who says so."""
    from activitylog.catalogue import drift_of_classes, drift_of_store, ordered

    found = {}
    if gathered.declared is not None:
        found["classes"] = ordered(drift_of_classes(catalogue, gathered.declared, advice))
    if gathered.sightings is not None:
        found["store"] = ordered(drift_of_store(catalogue, gathered.sightings, advice))
    return found


def _finding(drift: Drift) -> Finding:
    from activitylog.catalogue import WORDS

    title, why = WORDS[drift.kind]
    return Finding(
        check=drift.kind,
        title=title,
        severity=Severity(drift.severity),
        found=f"{drift.title} {drift.found}.",
        details=(f"since {drift.since:%Y-%m-%d %H:%M} UTC, as far as looked at",) if drift.since else (),
        why=why,
        do=drift.do,
        event=drift.event,
        version=drift.version,
        attribute=drift.attribute,
        where=drift.where,
        since=drift.since,
    )


def _grouped(found: Iterable[Drift], update: str) -> Iterator[Finding]:
    """For people: a finding a kind, with a line each, and one word on each thing to do."""
    from activitylog.catalogue import WORDS

    by_kind: dict[str, list[Drift]] = {kind: [] for kind in WORDS}
    for drift in found:
        by_kind[drift.kind].append(drift)
    for kind, drifts in by_kind.items():
        if not drifts:
            continue
        if len(drifts) == 1:
            yield _finding(drifts[0])
            continue
        title, why = WORDS[kind]
        lines = [f"{drift.title} {drift.found}{_since(drift)}" for drift in drifts[:_SHOWN]]
        rest = len(drifts) - len(lines)
        yield Finding(
            check=kind,
            title=title,
            severity=Severity(drifts[0].severity),
            found=f"{len(drifts):,} of them:",
            details=(*lines, *([f"and {rest:,} more; --json has all"] if rest else [])),
            why=why,
            do=_together([drift.do for drift in drifts[:_ADVISED]], update),
        )


def _since(drift: Drift) -> str:
    return f"; since {drift.since:%Y-%m-%d %H:%M} UTC" if drift.since else ""


def _together(advice: Sequence[Sequence[str]], update: str) -> tuple[str, ...]:
    """Commands with the words above them, each once; what changes the catalogue in the end."""
    blocks: dict[tuple[str, ...], None] = {}
    for lines in advice:
        block: list[str] = []
        for line in lines:
            block.append(line)
            if not line.startswith("#"):
                blocks[tuple(block)] = None
                block = []
        if block:
            blocks[tuple(block)] = None
    last = sorted(blocks, key=lambda block: block[-1].startswith(update))
    return tuple(line for block in last for line in block)


def _quiet(catalogue: Catalogue, gathered: Gathered, drift: dict[str, list[Drift]]) -> Iterator[Finding]:
    """What is as it should be, and what was not looked at."""
    if gathered.declared is None:
        if modules := _modules(catalogue.entries):
            yield _skipped("classes", f"not imported; give {' '.join(f'--import {module}' for module in modules)}")
    else:
        if not drift["classes"]:
            yield _fine("classes", f"{plural(len(gathered.declared.entries), 'event')} as in the catalogue")
        yield from _unread(catalogue)
    if gathered.sightings is None:
        yield _skipped("store", gathered.no_store)
    elif not drift["store"]:
        sightings = gathered.sightings
        yield _fine(
            "store",
            f"{plural(sum(1 for _ in sightings.recent()), 'event')} as in the catalogue, in "
            f"{plural(sightings.sampled_rows, 'row')} from {sightings.since:%Y-%m-%d %H:%M} to "
            f"{sightings.until:%Y-%m-%d %H:%M} UTC",
        )


def _unread(catalogue: Catalogue) -> Iterator[Finding]:
    from activitylog.catalogue import is_unread

    unread = [entry for entry in catalogue.entries if is_unread(entry)]
    if unread:
        options = " ".join(f"--import {module}" for module in _modules(unread))
        yield _skipped("classes", f"of {plural(len(unread), 'event')} not imported; give {options}, too")


def _modules(entries: Iterable[Entry]) -> list[str]:
    return sorted({entry.declared_by.partition(":")[0] for entry in entries if entry.declared_by})


def _fine(check: str, found: str) -> Finding:
    return Finding(check=check, title=check, severity=Severity.OK, found=found)


def _skipped(check: str, found: str) -> Finding:
    return Finding(check=check, title=check, severity=Severity.SKIPPED, found=found)
