"""Which rules a command is about: those of a file, else those of the settings."""

from __future__ import annotations

import os
from dataclasses import dataclass

import click

from activitylog.exceptions import ActivityLogError, ConfigurationError
from activitylog.rules import Rule, load_rules
from activitylog.settings import load_settings
from activitylog.settings_file import find_settings_file

rules_option = click.option(
    "--rules", "rules_file", metavar="FILE", help="A TOML file of [[rules]].  [the settings' rules or rules_file]"
)


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """
    Rules and who said so.

    Attributes:
        rules: checked.
        origin: in words: a file, or the settings.
        key: of the decisions about whole units.
        dry_run: all rules only say what they would do.
    """

    rules: tuple[Rule, ...]
    origin: str
    key: bytes
    dry_run: bool


def rules_in_force(file: str | None) -> RulesInForce:
    """
    The rules of a file, else of the settings. The key and the dry run are always those of the settings.

    Raises:
        ActivityLogError: a file that cannot be read or used, with the line. Not a ConfigurationError: what is
            wrong stands in a file, not in the arguments.
    """
    failure: ConfigurationError | None = None
    try:
        return _in_force(file)
    except ConfigurationError as error:
        failure = error
    raise ActivityLogError(failure.message, hint=failure.hint)


def _in_force(file: str | None) -> RulesInForce:
    settings = load_settings()
    if file is not None:
        rules, origin = _of_file(file), file
    elif settings.rules_file is not None:
        rules, origin = load_rules(settings.rules_file), str(settings.rules_file)
    else:
        found = find_settings_file(os.environ, None)
        rules, origin = settings.rules, str(found.path) if found is not None and settings.rules else ""
    return RulesInForce(rules, origin, settings.sampling_key_bytes, settings.dry_run)


def _of_file(file: str) -> tuple[Rule, ...]:
    if not os.path.lexists(file):
        raise ConfigurationError(
            f"There is no file {file!r}.", hint="Give the path of a TOML file with [[rules]]."
        )
    return load_rules(file)
