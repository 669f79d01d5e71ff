"""``activitylog rules explain``: what becomes of one event, and why."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from activitylog.cli.paragraphs import print_paragraph
from activitylog.cli.reading import as_call
from activitylog.cli.rules_option import RulesInForce, rules_in_force, rules_option
from activitylog.cli.tables import print_json, print_title
from activitylog.exceptions import IngestError
from activitylog.ingest import MAX_LINE_BYTES, Fields, mapped, open_source, reader
from activitylog.rules.wording import percent

if TYPE_CHECKING:
    from activitylog.explanation import Explanation

_EXAMPLES: Final = """\b
Examples:
  activitylog rules explain event.json
  echo '{"event": "page.viewed", "session": "s1"}' | activitylog rules explain - --rules rules.toml
  zcat events.ndjson.gz | head -1 | activitylog rules explain -
"""
_SEVERITIES: Final = ("debug", "info", "warning", "error", "critical")
_ANSWERS: Final = {
    "kept": "kept",
    "dropped": "dropped",
    "folded": "folded",
    "depends": "maybe",
    "goes on": "passes",
}


@click.command(short_help="Say which rule takes an event, why, and what becomes of it.", epilog=_EXAMPLES)
@click.argument("file", metavar="EVENT.json")
@rules_option
@click.option(
    "--severity",
    type=click.Choice(_SEVERITIES),
    default="info",
    show_default=True,
    help="The method of the logger: `emit` is info.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def explain(*, file: str, rules_file: str | None, severity: str, as_json: bool) -> None:
    """
    Say which rule takes the event in EVENT.json (- for standard input), and why the earlier ones do not.

    The file has one JSON object: the keywords of `emit` and the name under "event"; without "event" it is read as
    `activitylog ingest` reads a line. What a program binds around the call has to stand in it, too. Whole
    sessions, traces and the like are decided under the sampling_key of the settings: the answer is the one that
    the service gives.
    """
    from activitylog.explanation import explain as explained
    from activitylog.rules import RuleSet

    in_force = rules_in_force(rules_file)
    event = _event(file)
    explanation = explained(
        RuleSet(in_force.rules), severity, dict(event), key=in_force.key, dry_run=in_force.dry_run
    )
    if as_json:
        print_json({"origin": in_force.origin, **asdict(explanation)})
    else:
        _print(explanation, event, in_force)


# The event.


def _event(file: str) -> dict[str, Any]:
    with open_source(file) as source:
        content = source.stream.read(MAX_LINE_BYTES + 1)
    if len(content) > MAX_LINE_BYTES:
        raise IngestError(f"{file!r} is larger than {MAX_LINE_BYTES:,} bytes.", hint="Give one event.")
    try:
        record = json.loads(content.decode(), object_pairs_hook=_unique)
        if not isinstance(record, dict):
            raise ValueError('one object is needed, such as {"event": "message.sent"}')
        return record if "event" in record and _is_name(record["event"]) else _as_ingest_reads(record)
    except RecursionError:
        problem = "it is nested too deeply"
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 at byte {error.start + 1}"
    except json.JSONDecodeError as error:
        problem = f"not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
    except ValueError as error:
        problem = str(error)
    raise IngestError(f"{file!r} has no event: {problem}.", hint="Give one JSON object with the keywords of emit.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice[:60]!r} is there twice")
    return record


def _is_name(name: Any) -> bool:
    if isinstance(name, str) and name:
        return True
    raise ValueError("its name under 'event' is no text")


def _as_ingest_reads(record: dict[str, Any]) -> dict[str, Any]:
    has_time = any(key in record for key in Fields().timestamp)
    return reader(None if has_time else mapped({"timestamp": ""}))(record)


# For people.


def _print(explanation: Explanation, event: dict[str, Any], in_force: RulesInForce) -> None:
    print_title(as_call(event))
    tenant = f", tenant {explanation.tenant}" if explanation.tenant else ""
    print_paragraph(f"outcome {explanation.outcome}, severity {explanation.severity}{tenant}")
    if not in_force.rules:
        sys.stdout.write("Kept: there are no rules.\n")
        return
    _print_rules(explanation)
    answer = _sentence(explanation)
    print_paragraph(answer, bold=len(answer))


def _print_rules(explanation: Explanation) -> None:
    rule = explanation.rule
    asked = [*explanation.earlier, *([rule] if rule is not None else [])]
    width = len(str(asked[-1].number))
    for considered in asked:
        number = f" {considered.number:>{width}}  "
        if considered.why_not is not None:
            print_paragraph(f"{considered.name}: no, {considered.why_not}", number, bold=0)
            continue
        named = "" if considered.name == considered.takes else f" ({considered.takes})"
        print_paragraph(f"{considered.name} takes it{named}", number, bold=len(considered.name) + len(" takes it"))
    if rule is not None:
        _print_steps(explanation, " " * (width + 3))


def _print_steps(explanation: Explanation, margin: str) -> None:
    print_paragraph(explanation.does, margin)
    if explanation.because:
        print_paragraph(f"the event says: {', '.join(explanation.because)}", margin)
    width = max(len(step.key) for step in explanation.steps)
    for step in explanation.steps:
        print_paragraph(step.reason, f"{margin}{step.key:<{width}}  {_ANSWERS[step.answer]:<7}  ")


def _sentence(explanation: Explanation) -> str:
    """The answer, in one sentence or two."""
    if explanation.rule is None:
        return f"Kept{_at(explanation.weight)}: no rule takes it."
    said = _answer(explanation)
    if explanation.dry_run:
        return f"Kept at weight 1: a dry run. In earnest: {said[0].lower()}{said[1:]}"
    return said


def _answer(explanation: Explanation) -> str:
    if explanation.becomes == "kept":
        return f"Kept{_at(explanation.weight)}."
    if explanation.becomes == "dropped":
        return "Dropped."
    if explanation.becomes == "folded":
        return "Folded into one event that says how many there were."
    depends = [step.key for step in explanation.steps if step.answer == "depends"]
    if explanation.steps[-1].answer == "dropped":
        return "Dropped, unless it is among the first."
    if depends == ["sample"] and explanation.share is not None:
        return f"Kept with probability {percent(explanation.share)}{_at(explanation.weight)}."
    return "It depends on the events around it."


def _at(weight: float | None) -> str:
    return "" if weight is None else f", at weight {weight:,.6g}"
