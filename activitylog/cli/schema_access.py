"""``activitylog schema access``: SQL for who may do what."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Final

import click

from activitylog.cli.tables import print_json
from activitylog.settings import load_settings
from activitylog.store.access_sql import Access, access_statements, show_access

_NAMES: Final = Access()


@click.command("access", short_help="Print SQL for a writer, a migrator and analysts.")
@click.option(
    "--tenant", "tenants", multiple=True, help="Make a role that reads this tenant's rows. May be repeated."
)
@click.option("--database", default=_NAMES.database, show_default=True)
@click.option("--cluster", help="For all servers of this cluster.  [of the settings]")
@click.option("--writer", default=_NAMES.writer, show_default=True, help="Name of the role.")
@click.option("--migrator", default=_NAMES.migrator, show_default=True, help="Name of the role.")
@click.option("--analyst", default=_NAMES.analyst, show_default=True, help="Name of the role.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document: a list of statements.")
def access(
    *,
    tenants: tuple[str, ...],
    database: str,
    cluster: str | None,
    writer: str,
    migrator: str,
    analyst: str,
    as_json: bool,
) -> None:
    """
    Print the roles, grants, row policies, quotas and profiles of a store; clickhouse-client can run them as
    an administrator. Needs no store, holds no password.

    Run them again after `activitylog schema apply` has made a view. What each may do, and how to make
    accounts, is in activitylog/store/ACCESS.md.

    \b
    activitylog schema access --database activity --tenant acme > access.sql
    """
    names = Access(database=database, tenants=tenants, writer=writer, migrator=migrator, analyst=analyst)
    names = replace(names, cluster=cluster or load_settings().store.cluster)
    if as_json:
        print_json({"statements": access_statements(names)})
    else:
        sys.stdout.write(show_access(names))
