"""``activitylog rules``: what the rules say, what they do with an event, and what they would have kept."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any, Final

import click

from activitylog.cli.errors import EXIT_CODES
from activitylog.cli.paragraphs import print_paragraph
from activitylog.cli.rules_explain import explain
from activitylog.cli.rules_option import RulesInForce, rules_in_force
from activitylog.cli.rules_simulate import simulate
from activitylog.cli.tables import has_colours, print_json, print_title
from activitylog.rules.reach import hidden_rules
from activitylog.rules.rule import Rule
from activitylog.rules.wording import does, name_of_callable, takes

_EXAMPLES: Final = f"""\b
Examples:
  activitylog rules check                                 the rules of the settings
  activitylog rules check rules.toml
  activitylog rules explain event.json --rules rules.toml
  activitylog rules simulate --on events.ndjson.gz --rules rules.toml

{EXIT_CODES}
"""


@click.group(short_help="Check the rules, explain an event, simulate what they would have kept.", epilog=_EXAMPLES)
def rules() -> None:
    """
    Which events are kept, and how often.

    Rules stand in a file of [[rules]], in activitylog.toml, or below [tool.activitylog] in pyproject.toml. The
    first one that matches takes an event; what none takes is kept. None of these commands sends or changes
    anything.
    """


rules.add_command(explain)
rules.add_command(simulate)


@rules.command(short_help="Say what each rule takes and does, or what is wrong.")
@click.argument("file", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def check(*, file: str | None, as_json: bool) -> None:
    """
    Read the rules of FILE, else those of the settings, and say each in words.

    A file that cannot be used ends with code 1 and the line of the rule.
    """
    in_force = rules_in_force(file)
    hidden = hidden_rules(in_force.rules)
    if as_json:
        print_json(_described(in_force, hidden))
    else:
        _print(in_force, hidden)


def _described(in_force: RulesInForce, hidden: Mapping[int, int]) -> dict[str, Any]:
    return {
        "origin": in_force.origin,
        "dry_run": in_force.dry_run,
        "rules": [
            {
                "number": index + 1,
                **_fields(rule),
                "takes": takes(rule.match),
                "does": does(rule),
                "hidden_by": hidden[index] + 1 if index in hidden else None,
            }
            for index, rule in enumerate(in_force.rules)
        ],
    }


def _fields(rule: Rule) -> dict[str, Any]:
    """What the rule says, its defaults left out."""
    values = ((field, getattr(rule, field.name)) for field in dataclasses.fields(rule))
    return {field.name: _plain(value) for field, value in values if value != field.default or field.name == "keep"}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return name_of_callable(value) if callable(value) else value


def _print(in_force: RulesInForce, hidden: Mapping[int, int]) -> None:
    count = len(in_force.rules)
    if not count:
        sys.stdout.write("There are no rules: every event is kept.\n")
        return
    print_title(f"{count} rule{'s' if count > 1 else ''} of {in_force.origin}")
    width = len(str(count))
    for index, rule in enumerate(in_force.rules):
        taken = takes(rule.match)
        head = rule.name if rule.name == taken else f"{rule.name}: {taken}"
        print_paragraph(head, f" {index + 1:>{width}}  ", bold=len(rule.name))
        print_paragraph(does(rule), " " * (width + 3))
        if index in hidden:
            _warn(hidden[index], in_force, width)
    rest = "All of them only say what they would do (dry_run of the settings): " if in_force.dry_run else ""
    print_paragraph(f"{rest}The first rule that matches takes an event; what none takes is kept.")


def _warn(earlier: int, in_force: RulesInForce, width: int) -> None:
    mark = click.style("WARNING", fg="yellow", bold=True) if has_colours(sys.stdout) else "WARNING"
    name = in_force.rules[earlier].name
    sys.stdout.write(" " * (width + 3) + mark)
    print_paragraph(f"it can never take an event: rule {earlier + 1} ({name}) takes them all before it", "  ")
