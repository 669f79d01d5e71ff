"""
How a command ends: one line for people, a number for scripts.

====  ========================================================================================
0     done
1     failed: the store cannot be reached, the file cannot be read, the numbers do not add up
2     wrong usage: an option, a name or a URL that does not exist or cannot be used
3     done in part: some lines were rejected, some events were dropped
130   ended by Ctrl-C
====  ========================================================================================

``ACTIVITYLOG_DEBUG=1`` shows the traceback, too.
"""

from __future__ import annotations

import io
import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import Final

import click

from activitylog.cli.tables import has_unicode, is_plain
from activitylog.cli.visible import visible, visible_lines, without_secrets
from activitylog.exceptions import ActivityLogError, ConfigurationError, QueryError

FAILED: Final = 1
WRONG_USAGE: Final = 2
PARTLY: Final = 3
INTERRUPTED: Final = 130
#: What a shell reports for a command whose reader went away (128 + SIGPIPE).
BROKEN_PIPE: Final = 141

EXIT_CODES: Final = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done in part."


def run(command: click.Command, arguments: Sequence[str] | None = None) -> int:
    """
    Run a command and say in one line on standard error what went wrong, if anything did.

    Returns:
        The exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not has_unicode(stream):
            stream.reconfigure(errors="backslashreplace")  # what the terminal cannot show is no reason to stop
    try:
        result = command.main(
            args=None if arguments is None else list(arguments),
            prog_name="activitylog",
            standalone_mode=False,
            color=False if is_plain() else None,
        )
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except BrokenPipeError:
        # Python flushes standard output once more at exit; there is nobody to read it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the end of the program: every error becomes one line
        if os.environ.get("ACTIVITYLOG_DEBUG", "") not in ("", "0"):
            click.echo(visible_lines(traceback.format_exc()), err=True, nl=False)
        return _explain(error)


def _explain(error: Exception) -> int:
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.UsageError):
        return _say(error.format_message(), _usage_hint(error), WRONG_USAGE)
    if isinstance(error, click.ClickException):
        return _say(error.format_message(), None, FAILED)
    if isinstance(error, ActivityLogError):
        wrong = isinstance(error, (ConfigurationError, QueryError))
        return _say(error.message, error.hint, WRONG_USAGE if wrong else FAILED)
    if type(error).__module__.startswith("clickhouse_connect."):
        return _say(*_explain_clickhouse(str(error)), FAILED)
    return _say(
        f"{type(error).__name__}: {error}",
        "This is a bug; ACTIVITYLOG_DEBUG=1 shows where.",
        FAILED,
    )


def _usage_hint(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx else "activitylog"
    return f"See `{path} --help`."


_CODE: Final = re.compile(r"Code: (\d+)\. ?(?:DB::Exception: ?)?")
_HINTS: Final = {
    "60": "`activitylog stats` lists the tables, `activitylog schema apply` creates ours.",
    "62": "Check the SQL near the place that is named.",
    "81": "Name another database in the URL, or create it with `activitylog schema apply`.",
    "47": "`activitylog schema show` lists the columns.",
    "164": "`activitylog sql` only reads; add --write to change anything.",
    "516": "Check user and password in the URL.",
    "497": "This user may not do that; use another one, or ask for the grant.",
    "159": "Ask about less time, or raise max_execution_time.",
    "241": "Ask about less time or fewer columns.",
}


def _explain_clickhouse(text: str) -> tuple[str, str | None]:
    """ClickHouse's own words without stack and version, and the next step for the codes that people meet."""
    found = _CODE.search(text)
    if found is None:
        return text.splitlines()[0] if text else "the store gave no reason", None
    words = text[found.end() :].strip().removeprefix("default: ")
    return f"ClickHouse says: {words.split(' (version ')[0]}", _HINTS.get(found[1])


def _say(message: str, hint: str | None, code: int) -> int:
    click.echo(f"error: {clean(message)}", err=True)
    if hint:
        click.echo(f"hint: {clean(hint)}", err=True)
    return code


def clean(message: str) -> str:
    """A message that may be shown: one line, no password, no control characters, bounded."""
    line = visible(without_secrets(" ".join(message.split())))
    return line if len(line) <= 600 else line[:599] + ".."
