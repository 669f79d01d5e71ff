"""The command ``activitylog`` and its subcommands."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

import click

from activitylog.cli.archive import archive
from activitylog.cli.catalogue import catalogue
from activitylog.cli.collector import collector
from activitylog.cli.dashboard import dashboard
from activitylog.cli.demo import demo
from activitylog.cli.doctor import doctor
from activitylog.cli.erase import erase
from activitylog.cli.errors import EXIT_CODES
from activitylog.cli.export import export
from activitylog.cli.ingest import ingest
from activitylog.cli.query import query
from activitylog.cli.rules import rules
from activitylog.cli.schema import schema
from activitylog.cli.seals import seals
from activitylog.cli.serve import serve
from activitylog.cli.spool import spool
from activitylog.cli.sql import sql
from activitylog.cli.stats import stats
from activitylog.cli.tail import tail
from activitylog.cli.verify import verify

_COMMANDS: Final = (
    demo, ingest, query, sql, tail, stats, catalogue, rules, spool, doctor, collector, verify, seals, schema,
    archive, export, erase, dashboard, serve,
)  # fmt: skip


class _Commands(click.Group):
    """Commands in the order in which one meets them, and the near ones for a wrong name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [command.name for command in _COMMANDS if command.name]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            near = get_close_matches(args[0], self.commands, n=1)
            there_are = f"There are: {', '.join(self.list_commands(ctx))}."
            raise click.UsageError(
                f"There is no command {args[0]!r}. {f'Did you mean {near[0]}?' if near else there_are}", ctx
            )
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="activitylog", prog_name="activitylog")
def application() -> None:
    """
    Activity events: see them, ask about them, bring them in.

    Begin with `activitylog demo`: it needs nothing, and shows the whole way of an event. Every command has
    --help. Errors come in one line; ACTIVITYLOG_DEBUG=1 shows the traceback, NO_COLOR=1 turns colours off.
    """


for _command in _COMMANDS:
    application.add_command(_command)
