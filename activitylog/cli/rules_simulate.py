"""``activitylog rules simulate``: what rules would have kept of a log, and how well it tells the true counts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from activitylog.cli.dataclass_rows import plain
from activitylog.cli.errors import EXIT_CODES, FAILED, PARTLY
from activitylog.cli.progress import progress
from activitylog.cli.reading import Reading, reading_options
from activitylog.cli.rules_option import RulesInForce, rules_in_force, rules_option
from activitylog.cli.rules_report import iso, print_report
from activitylog.cli.tables import print_json
from activitylog.cli.visible import visible
from activitylog.exceptions import IngestError
from activitylog.ingest import Event, Lines, Rejected, open_source

if TYPE_CHECKING:
    from activitylog.simulation import NameOutcome, Simulation

#: Lines that are read without --limit: their events are held in memory, about a kilobyte each.
MOST_LINES: Final = 1_000_000
_SHOWN_REJECTED: Final = 3
_STRIDE: Final = 2_048
_EXAMPLES: Final = f"""\b
Examples:
  activitylog rules simulate --on events.ndjson.gz
  activitylog rules simulate --on access.log --rules rules.toml --draws 100
  activitylog rules simulate --on events.ndjson --map session=visit --json

{EXIT_CODES} A line that is rejected never stops the work: the code is then 3, and 1 when there is no event at all.
"""


@click.command(
    short_help="Run a log through the rules: what is kept, and how wrong the counts are.", epilog=_EXAMPLES
)
@click.option(
    "--on",
    "data",
    metavar="DATA",
    required=True,
    help="A log, as `activitylog ingest` reads it; - is standard input.",
)
@rules_option
@click.option(
    "--draws", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How often chance is tried."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same draws.")
@reading_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def simulate(*, data: str, rules_file: str | None, draws: int, seed: int, reading: Reading, as_json: bool) -> int:
    """
    Run the events of a log through the rules, in the order of their times and by a clock that follows them, and
    compare the counts that the rows tell with the true ones. Nothing is sent or stored.

    The rows, the estimates and their errors are those of one draw, made with the sampling_key of the settings. The
    other draws show what else chance could have done.

    \b
    error    of the estimate, in percent of the true count
    claimed  the standard error that the rows claim, likewise
    spread   the standard deviation of all draws' estimates, likewise
    bias     their mean error, likewise
    in 95 %  draws whose 95 % interval holds the true count
    trust    as in the view activity_estimates_by_unit: `exact` where nothing was
             drawn; `no` with fewer than 30 draws in effect, or when one has more
             than 5 % of the total

    A dry run is taken in earnest: to see what it would keep is what this is for.
    """
    from activitylog.simulation import simulate as simulated

    in_force = rules_in_force(rules_file)
    started = time.perf_counter()
    log = _Log(data, reading)
    events = list(log.events())
    with progress(f"{draws} draws", 1) as show:
        result = simulated(
            events,
            in_force.rules,
            key=in_force.key,
            draws=draws,
            seed=seed,
            progress=lambda done, total: show(done / total if total else 1, f"{done:,} of {total:,} decisions"),
        )
    seconds = time.perf_counter() - started
    if as_json:
        print_json(_described(result, in_force, log, seconds))
    else:
        print_report(result, in_force, notes=log.notes(), seconds=seconds)
    if not events:
        return FAILED
    return PARTLY if log.rejected else 0


class _Log:
    """The file: its events, and what else was in it."""

    def __init__(self, name: str, reading: Reading) -> None:
        self.name = name
        self.form = ""
        self.lines = 0
        self.rejected = 0
        self._cut = False
        self._reading = reading

    def events(self) -> Iterator[Event]:
        """
        The events, one by one; lines that are none are shown and counted.

        Raises:
            IngestError: the file cannot be read, or an event has no time.
        """
        with open_source(self.name) as source, progress("reading", source.size) as show:
            self.form, readings = self._reading.readings(Lines(source.stream))
            for number, event in readings:
                if self.lines == MOST_LINES and self._reading.limit is None:
                    self._cut = True
                    return
                self.lines += 1
                if self.lines % _STRIDE == 0:
                    show(source.position(), f"{self.lines:,} lines")
                if isinstance(event, Rejected):
                    self._reject(number, event)
                else:
                    _check_time(event)
                    yield event

    def _reject(self, number: int, rejected: Rejected) -> None:
        self.rejected += 1
        if self.rejected <= _SHOWN_REJECTED:
            click.echo(f"line {number:,} rejected: {visible(rejected.reason)}", err=True)

    def notes(self) -> list[str]:
        """What people should know about the file."""
        notes = []
        if self._cut:
            notes.append(f"Only the first {MOST_LINES:,} lines were read; --limit sets how many.")
        if self.rejected:
            notes.append(f"Rejected: {self.rejected:,} of {self.lines:,} lines.")
        return notes


def _check_time(event: Event) -> None:
    if "timestamp" not in event:
        raise IngestError(
            "The events have no time, and the rules work by the times of the events.",
            hint="Say where it is with --map timestamp=KEY.",
        )


def _described(result: Simulation, in_force: RulesInForce, log: _Log, seconds: float) -> dict[str, Any]:
    return {
        "file": log.name,
        "format": log.form,
        "lines": log.lines,
        "rejected": log.rejected,
        "origin": in_force.origin,
        "first": iso(result.first_ns),
        "last": iso(result.last_ns),
        "draws": result.draws,
        "rules": [plain(rule) for rule in result.rules],
        "names": [_named(name) for name in result.names],
        "total": _named(result.total),
        "bytes_before": result.bytes_before,
        "bytes_after": result.bytes_after,
        "seconds": round(seconds, 3),
    }


def _named(outcome: NameOutcome) -> dict[str, Any]:
    return {**plain(outcome), "truth": outcome.truth, "error": outcome.error}
