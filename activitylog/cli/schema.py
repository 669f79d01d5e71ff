"""``activitylog schema``: the tables of the store."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from typing import Final

import click

from activitylog.cli.schema_access import access
from activitylog.cli.schema_size import size
from activitylog.cli.store_option import Store, choose_store, existing_store, note_store, open_store, url_option
from activitylog.cli.tables import print_json
from activitylog.cli.visible import visible
from activitylog.settings import load_settings

_DIFFERS: Final = 1


@click.group(short_help="Show, apply or compare the store's tables.")
def schema() -> None:
    """The tables of the store: numbered SQL files, applied in order, recorded in the database."""


schema.add_command(size)
schema.add_command(access)


@schema.command()
@click.option("--cluster", metavar="NAME", help="For all servers of this cluster.  [of the settings]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a step.")
def show(*, cluster: str | None, as_json: bool) -> None:
    """Print the SQL of all steps, in order; clickhouse-client can run it. Needs no store."""
    from activitylog import store
    from activitylog.store.rendering import statements

    settings = load_settings().store
    settings = replace(settings, cluster=cluster or settings.cluster)
    if not as_json:
        sys.stdout.write(store.show(settings))
        return
    for migration in store.migrations():
        print_json({**asdict(migration), "statements": statements(migration.sql, settings)})


@schema.command()
@url_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def apply(*, url: str | None, as_json: bool) -> None:
    """
    Apply what the database lacks; safe to run twice, and from two machines.

    On a server the database is created if it is missing.
    """
    from activitylog.store import apply as apply_steps

    store = choose_store(url)
    created = _lacks_database(store)
    client = open_store(store, create_database=created)
    try:
        applied = [str(migration) for migration in apply_steps(client)]
    finally:
        client.close()
    if as_json:
        print_json({"url": str(store.url), "database_created": created, "applied": applied})
        return
    note_store(store)
    if created:
        sys.stdout.write(f"created the database {visible(_database(store))}\n")
    for name in applied:
        sys.stdout.write(f"applied {name}\n")
    if not applied:
        sys.stdout.write("nothing to do: the schema is up to date\n")


@schema.command()
@url_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a difference.")
def diff(*, url: str | None, as_json: bool) -> int:
    """List how the database differs from what this version needs. Exit code 1 when it does, 0 when it does not."""
    from activitylog.store import diff as differences_of

    store = existing_store(url)
    client = open_store(store)
    try:
        differences = differences_of(client)
    finally:
        client.close()
    if as_json:
        for difference in differences:
            print_json(asdict(difference))
        return _DIFFERS if differences else 0
    note_store(store)
    for difference in differences:
        sys.stdout.write(f"{visible(str(difference))}\n")
    if not differences:
        sys.stdout.write("no differences\n")
        return 0
    click.echo(f"hint: activitylog schema apply{store.option} applies missing steps", err=True)
    return _DIFFERS


def _database(store: Store) -> str:
    return store.url.path.strip("/")


def _lacks_database(store: Store) -> bool:
    """Whether the server is there, but not yet the database that the URL names."""
    if store.url.kind != "clickhouse" or not _database(store):
        return False
    client = open_store(Store(replace(store.url, path=""), store.origin))
    try:
        found = client.query(
            "SELECT count() FROM system.databases WHERE name = {name:String}",
            parameters={"name": _database(store)},
        )
        return int(found.result_rows[0][0]) == 0
    finally:
        client.close()
