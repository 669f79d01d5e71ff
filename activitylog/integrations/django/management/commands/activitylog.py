"""``manage.py activitylog``: the command line of activitylog, with the settings of the project."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, Final, TextIO, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser

from activitylog.cli import main
from activitylog.exceptions import ActivityLogError
from activitylog.integrations.django import conf
from activitylog.settings import assumed

#: Options of Django that its own utility has read by now.
_OF_DJANGO: Final = ("--settings", "--pythonpath")
_NOT_OF_COMMANDS: Final = ("processors", "logger_provider")


class Command(BaseCommand):
    """``manage.py activitylog query top-actors --days 7``, and all that ``activitylog --help`` lists."""

    help = "Ask, see, export and keep in order what activitylog has stored: everything after the name is its own."
    requires_system_checks = ()  # `doctor` is wanted most where something is wrong

    def add_arguments(self, parser: CommandParser) -> None:
        """Everything is the command line's own."""
        parser.add_argument("arguments", nargs=argparse.REMAINDER)

    def run_from_argv(self, argv: list[str]) -> None:
        """As called by ``manage.py``; ends by ``SystemExit`` with the code of the command."""
        _run(_without_djangos(argv[2:]))

    def print_help(self, prog_name: str, subcommand: str) -> None:  # noqa: ARG002 - of Django
        """As ``manage.py help activitylog`` shows it."""
        _run(["--help"])

    def handle(self, *_args: Any, **options: Any) -> None:
        """
        As called by ``call_command("activitylog", "query", "top-actors")``.

        Raises:
            CommandError: it failed; the reason is on standard error.
        """
        arguments = options["arguments"]
        try:
            with redirect_stdout(cast(TextIO, self.stdout)), redirect_stderr(cast(TextIO, self.stderr)):
                _run(arguments)
        except SystemExit as ended:
            if ended.code:
                raise CommandError(
                    f"activitylog {' '.join(arguments[:1])} failed.", returncode=_number(ended.code)
                ) from None


def _run(arguments: Sequence[str]) -> None:
    try:
        pipeline = conf.options().pipeline
    except ActivityLogError as error:
        raise CommandError(f"{error} See `manage.py check`.") from None
    with assumed({key: value for key, value in pipeline.items() if key not in _NOT_OF_COMMANDS}):
        main(arguments)


def _without_djangos(arguments: Sequence[str]) -> list[str]:
    left: list[str] = []
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in _OF_DJANGO:
            skip = True
        elif not argument.startswith(tuple(f"{name}=" for name in _OF_DJANGO)):
            left.append(argument)
    return left


def _number(code: Any) -> int:
    return code if isinstance(code, int) else 1
