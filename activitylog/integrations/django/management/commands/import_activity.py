"""``manage.py import_activity chat.ActivityLog``: the history of an old table, copied to the store."""

from __future__ import annotations

import argparse
import datetime as dt
import difflib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import models

from activitylog.exceptions import ActivityLogError, ConfigurationError
from activitylog.integrations.django.moving_in.importing import command, comparing, report
from activitylog.integrations.django.moving_in.importing.source import Source
from activitylog.integrations.django.moving_in.names import named
from activitylog.integrations.django.moving_in.plan import RowRefused

_FAILED: Final = 1
_WRONG_USAGE: Final = 2
_PARTLY: Final = 3
_INTERRUPTED: Final = 130
_TRIED_ROWS: Final = 10_000
_SHOWN_EVENTS: Final = 3

_EPILOG: Final = """\
Every row becomes one event with the time that it has, whatever happens meanwhile: an import that was killed goes
on with --resume, and one that is run again sends what is missing. Rules are not asked: nothing of history is
sampled. At the end table and store are counted by day and action. Exit codes: 0 all rows are stored, 1 failed or
the counts differ, 2 wrong usage, 3 some rows were refused.
"""


class Command(BaseCommand):
    """See the module."""

    help = "Copy the history of an old table to the store, each row once, and compare the counts."

    def add_arguments(self, parser: CommandParser) -> None:
        """The options."""
        parser.epilog = _EPILOG
        add = parser.add_argument
        add("model", metavar="app.Model", help="The model of the old table.")
        add("--mapping", metavar="DOTTED", help="Path of a LegacyMapping. By default that of the decorated model.")
        add("--database", default="default", metavar="ALIAS", help="Where the table is; a replica will do.")
        add("--url", help="The store; by default the first one of ACTIVITYLOG.")
        add("--since", type=_time, metavar="TIME", help="Rows from this time on (UTC where nothing is said).")
        add("--until", type=_time, metavar="TIME", help="And before; by default until a minute ago.")
        add("--batch", type=_positive, default=10_000, metavar="ROWS", help="Rows of one insert [10000].")
        add("--source", metavar="NAME", help="What the table is called in events [the model's label].")
        add("--state", type=Path, metavar="DIR", help="Folder of the import's state.")
        add(
            "--wait",
            type=float,
            default=600.0,
            metavar="SECONDS",
            help="Patience with a store that is away [600].",
        )
        add("--dry-run", action="store_true", help="Show what would become of columns, actions and rows.")
        add("--reconcile", action="store_true", help="Only compare table and store.")
        add("--no-reconcile", action="store_true", help="Do not compare at the end.")
        add("--resume", action="store_true", help="Go on where the last import ended, or was ended.")
        add("--restart", action="store_true", help="Begin anew, though an import has not ended.")
        add("--json", action="store_true", help="One JSON document.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """
        Do it.

        Raises:
            CommandError: it failed, or was done in part.
        """
        try:
            order = _order(options)
            source = command.source_of(order)
            if options["dry_run"]:
                self._dry_run(source, as_json=options["json"])
                return
            found = self._run(order, source, options)
        except ActivityLogError as error:
            wrong = isinstance(error, ConfigurationError)
            raise CommandError(str(error), returncode=_WRONG_USAGE if wrong else _FAILED) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Go on with --resume.", returncode=_INTERRUPTED) from None
        if options["json"]:
            self.stdout.write(json.dumps(found, default=str))
        self._end(found)

    def _run(self, order: command.Order, source: Source, options: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        with command.opened(order, source, self._tell) as store:
            if not options["reconcile"]:
                with _progress("import", source) as show:
                    found = store.bring(show, resume=options["resume"], restart=options["restart"])
                if not options["json"]:
                    self._print(report.of_summary(found))
            if not options["no_reconcile"]:
                with _progress("compare", source) as show:
                    compared = store.compare(show)
                if not options["json"]:
                    self._print(report.of_comparison(compared))
                found["reconciled"] = comparing.as_json(compared)
        return found

    def _end(self, found: dict[str, Any]) -> None:
        if not found.get("reconciled", {}).get("equal", True) or not found.get("balanced", True):
            raise CommandError(
                "Table and store differ. Did rows come or go? Run it again: only what is missing is sent.",
                returncode=_FAILED,
            )
        if found.get("refused"):
            raise CommandError(
                f"{found['refused']:,} rows were refused: {found['refused_file']}", returncode=_PARTLY
            )

    def _dry_run(self, source: Source, *, as_json: bool) -> None:
        actions = named(source.actions(), source.plan.names)
        rows = next(source.chunks(_TRIED_ROWS), [])
        events, reasons = [], {}
        for key, values in rows:
            try:
                event = source.plan.event(values, strict=True)
            except RowRefused as refusal:
                reasons[str(key)] = str(refusal)
            except Exception as error:  # noqa: BLE001 - the mapping's own function may raise anything
                reasons[str(key)] = f"{type(error).__name__}: {error}"
            else:
                events.append(event)
        shown = [event for event in events if event is not None][:_SHOWN_EVENTS]
        if as_json:
            self.stdout.write(
                json.dumps(
                    {
                        "rows": source.count(),
                        "actions": [[one.action, one.rows, one.event, one.note] for one in actions],
                        "tried": len(rows),
                        "refused": reasons,
                        "left_out": events.count(None),
                        "events": shown,
                    },
                    default=str,
                )
            )
            return
        self._print(report.of_assignment(source.plan.assignment))
        self._print(["", *report.of_actions(actions), ""])
        self._print(report.as_call(event) for event in shown)
        self._print(
            [
                "",
                f"{source.count():,} rows. Of the first {len(rows):,}, {len(reasons):,} would be refused and "
                f"{events.count(None):,} left out. Nothing was sent.",
                *(f"  {key}: {reason}" for key, reason in list(reasons.items())[:10]),
            ]
        )

    def _print(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stdout.write(line)

    def _tell(self, why: str) -> None:
        self.stderr.write(f"The store takes nothing now, trying again: {why}")


def _order(options: dict[str, Any]) -> command.Order:
    return command.Order(
        model=_model(options["model"]),
        **{
            key: options[key]
            for key in ("mapping", "database", "url", "since", "until", "batch", "source", "state", "wait")
        },
    )


def _model(label: str) -> type[models.Model]:
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        known = [model._meta.label for model in apps.get_models()]
        near = difflib.get_close_matches(label, known, n=1, cutoff=0.5)
        raise ConfigurationError(
            f"There is no model {label!r}.", hint=f"Did you mean {near[0]}?" if near else "Write app.Model."
        ) from None


def _time(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time. Write 2026-01-31 or 2026-01-31T12:00:00."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows: 1 to 100000.")
    return int(text)


class _progress:  # noqa: N801 - used as a block
    """A bar for people who wait; nothing where no terminal is there, or no rich."""

    def __init__(self, title: str, source: Source) -> None:
        self._title = title
        self._source = source
        self._block: Any = None

    def __enter__(self) -> command.Show:
        if not sys.stderr.isatty():
            return lambda _: None
        try:
            from activitylog.cli.progress import progress
        except ImportError:
            return lambda _: None
        total = self._source.count()
        self._block = progress(self._title, total)
        show = self._block.__enter__()
        return lambda done: show(done, f"{done:,} of {total:,} rows")

    def __exit__(self, *exception: Any) -> None:
        if self._block is not None:
            self._block.__exit__(*exception)
