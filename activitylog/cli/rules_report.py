"""What ``activitylog rules simulate`` shows to people: what the rules did, and what the rows tell."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from activitylog.cli.paragraphs import print_paragraph
from activitylog.cli.rows import Column, Rows
from activitylog.cli.rules_option import RulesInForce
from activitylog.cli.tables import print_rows, print_title, terminal_width

if TYPE_CHECKING:
    from activitylog.simulation import NameOutcome, RuleOutcome, Simulation

_MOST_NAMES: Final = 8
#: From this width on the tables have all their columns.
_WIDE: Final = 100
_REASONS: Final = ("drop", "sample", "budget")


def print_report(result: Simulation, in_force: RulesInForce, *, notes: Iterable[str], seconds: float) -> None:
    """
    Print a simulation as two tables and what is to be said about them.

    Args:
        result: of the simulation.
        in_force: its rules.
        notes: about the log.
        seconds: that it took.
    """
    width = terminal_width(sys.stdout)
    wide = width is None or width >= _WIDE
    events = sum(rule.events for rule in result.rules)
    print_title(f"{events:,} events{_days(result)}, through {_rules(in_force)}")
    print_rows(_rule_rows(result, wide=wide))
    sys.stdout.write("\n")
    print_title(f"What the rows of one draw tell, and {result.draws} draws (errors in % of the true count)")
    print_rows(_name_rows(result, wide=wide))
    sys.stdout.write("\n")
    for note in (
        *_doubts(result),
        *_left_out(result),
        *_without_unit(result, in_force),
        *_dry_runs(in_force),
        *notes,
    ):
        print_paragraph(note)
    print_paragraph(f"{_saved(result)}{result.draws} draws in {seconds:,.1f} s.")


def iso(time_ns: int) -> str | None:
    """A time in whole seconds and UTC; None for none."""
    return datetime.fromtimestamp(time_ns // 10**9, UTC).isoformat().replace("+00:00", "Z") if time_ns else None


def _days(result: Simulation) -> str:
    first, last = iso(result.first_ns), iso(result.last_ns)
    return f", {first[:10]} to {last[:10]} (UTC)" if first and last else ""


def _rules(in_force: RulesInForce) -> str:
    count = len(in_force.rules)
    return f"{count} rule{'s' if count > 1 else ''} of {in_force.origin}" if count else "no rules"


# The rules.


def _rule_rows(result: Simulation, *, wide: bool) -> Rows:
    """A row for each rule; columns that would be empty are left out."""
    rows = [_rule_row(rule) for rule in result.rules if rule.number or rule.events]
    counts = ["events", "rows", *(("rows %", *_REASONS) if wide else ("dropped",)), "folded"]
    always = ("events", "rows", "rows %")
    shown = [name for name in counts if name in always or any(row[name] for row in rows)]
    return _rows(["#", "rule", *shown, "top weight"], rows)


def _rows(names: list[str], rows: list[dict[str, Any]]) -> Rows:
    columns = tuple(Column(name, "String" if name in ("rule", "event", "trust") else "Float64") for name in names)
    return Rows(columns, iter([[row[name] for name in names] for row in rows]))


def _rule_row(rule: RuleOutcome) -> dict[str, Any]:
    return {
        "#": rule.number or None,
        "rule": rule.name if rule.number else "(no rule: kept)",
        "events": rule.events,
        "rows": rule.rows,
        "rows %": _percent(rule.rows, rule.events),
        "dropped": sum(rule.dropped.values()) or None,
        **{reason: rule.dropped.get(reason) for reason in _REASONS},
        "folded": rule.folded or None,
        "top weight": float(f"{rule.heaviest:.4g}") if rule.rows else None,
    }


# The event names.

_ERRORS: Final = ("estimate", "error", "claimed", "spread", "bias", "in 95 %")


def _name_rows(result: Simulation, *, wide: bool) -> Rows:
    """A row for each event name; a narrow one leaves out what the others imply."""
    errors = [name for name in _ERRORS if wide or name not in ("estimate", "bias")]
    rows = [_name_row(outcome, result.draws) for outcome in _shown(result)]
    return _rows(["event", "events", "rows", *errors, "trust"], rows)


def _shown(result: Simulation) -> list[NameOutcome]:
    """All names, and the total where it says more."""
    return [*result.names, *([result.total] if len(result.names) > 1 else [])]


def _name_row(outcome: NameOutcome, draws: int) -> dict[str, Any]:
    truth, estimate = outcome.truth, outcome.estimate
    known = {"event": outcome.event or "(all)", "events": truth or outcome.events, "rows": outcome.rows}
    if not truth:  # a rule drops them, and no estimate is meant to know them
        return {**known, **dict.fromkeys(_ERRORS), "trust": "dropped"}
    return {
        **known,
        "estimate": round(estimate.total),
        "error": _percent(outcome.error, truth),
        "claimed": _percent(estimate.standard_error, truth),
        "spread": _percent(outcome.deviation, truth),
        "bias": _percent(outcome.bias, truth),
        "in 95 %": f"{outcome.covered}/{draws}",
        "trust": estimate.trust,
    }


def _percent(part: float, whole: float) -> float | None:
    """With the digits that mean something; None of nothing, 0 for what only floats make out of it."""
    if not whole:
        return None
    percent = 100 * part / whole
    if abs(percent) < 1e-6:
        return 0.0
    return round(percent, 1) if abs(percent) >= 1 else float(f"{percent:.2g}")


# What is to be said about them.


def _doubts(result: Simulation) -> Iterator[str]:
    """Which estimates are not to be trusted, by their reason."""
    by_reason: dict[str, list[str]] = {}
    for outcome in _shown(result):
        if outcome.truth and outcome.estimate.trust == "no":
            by_reason.setdefault(outcome.estimate.reason, []).append(outcome.event or "(all)")
    for reason, names in by_reason.items():
        yield f"Not to be trusted, {reason}: {_listed(names)}."


def _left_out(result: Simulation) -> Iterator[str]:
    partly = [f"{name.left_out:,} {name.event}" for name in result.names if 0 < name.left_out < name.events]
    if partly:
        yield f"Not counted there, because rules drop them: {_listed(partly)}."


def _listed(items: list[str]) -> str:
    more = f" and {len(items) - _MOST_NAMES:,} more" if len(items) > _MOST_NAMES else ""
    return ", ".join(items[:_MOST_NAMES]) + more


def _without_unit(result: Simulation, in_force: RulesInForce) -> Iterator[str]:
    for rule in result.rules:
        if rule.without_unit:
            by = in_force.rules[rule.number - 1].by
            yield (
                f"Rule {rule.number} ({rule.name}) keeps by {by}, and {rule.without_unit:,} of its "
                f"{rule.events:,} events have none: they are decided one by one."
            )


def _dry_runs(in_force: RulesInForce) -> Iterator[str]:
    numbers = [str(number) for number, rule in enumerate(in_force.rules, 1) if rule.dry_run]
    if in_force.dry_run:
        yield "The settings say dry_run; here the rules are taken in earnest."
    elif numbers:
        yield f"The dry run of rule {', '.join(numbers)} is taken in earnest here."


def _saved(result: Simulation) -> str:
    before, after = result.bytes_before, result.bytes_after
    if not before:
        return ""
    return f"As JSON {_size(after)} instead of {_size(before)}, {100 * (1 - after / before):.1f} % less. "


def _size(size: float) -> str:
    if size < 1000:
        return f"{size:.0f} B"
    units = ["KB", "MB", "GB"]
    while size >= 1e6 and len(units) > 1:
        size /= 1000
        del units[0]
    return f"{size / 1000:.3g} {units[0]}"
