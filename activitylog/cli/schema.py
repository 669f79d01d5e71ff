"""``activitylog schema``: the tables of the store."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Final

import click

from activitylog.cli.errors import FAILED
from activitylog.cli.schema_access import access
from activitylog.cli.schema_backfill import backfill
from activitylog.cli.schema_size import size
from activitylog.cli.store_option import Store, choose_store, existing_store, note_store, open_store, url_option
from activitylog.cli.tables import print_json
from activitylog.cli.visible import visible
from activitylog.settings import load_settings

_DIFFERS: Final = FAILED


@click.group(short_help="Show, apply, compare or check the store's tables.")
def schema() -> None:
    """
    The tables of the store: numbered SQL files, applied in order, recorded in the database.

    What [store] of the settings says (activitylog.toml) is part of it: partitions, retention, storage policy, and
    attributes of your own that become columns ([store.columns]).
    """


schema.add_command(size)
schema.add_command(access)
schema.add_command(backfill)


@schema.command()
@click.option("--cluster", metavar="NAME", help="For all servers of this cluster.  [of the settings]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a step: its name and its statements.")
def show(*, cluster: str | None, as_json: bool) -> None:
    """
    Print the SQL of all steps, in order, for these settings; clickhouse-client can run it. Needs no store.

    \b
        activitylog schema show > schema.sql
    """
    from activitylog import store

    settings = load_settings().store
    settings = replace(settings, cluster=cluster or settings.cluster)
    if not as_json:
        sys.stdout.write(store.show(settings))
        return
    for step in store.plan(None, settings):
        print_json(_described(step))


@schema.command()
@url_option
@click.option("--dry-run", is_flag=True, help="Print the statements that would run, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def apply(*, url: str | None, dry_run: bool, as_json: bool) -> None:
    """
    Apply what the database lacks; safe to run twice, from two machines, and after a crash.

    On a server the database is created if it is missing. No rows are rewritten. Where another one fills a roll-up,
    it waits up to ten minutes, and says for whom.

    \b
        activitylog schema apply --dry-run
        activitylog schema apply --url clickhouse://migrator:password@host:8123/activity
    """
    from activitylog.cli.claims import patience
    from activitylog.store import apply as apply_steps
    from activitylog.store import fill_rollup

    store, settings = choose_store(url), load_settings().store
    created = _lacks_database(store)
    if dry_run:
        _print_plan(store, created=created, as_json=as_json)
        return
    client = open_store(store, create_database=created)
    try:
        steps = apply_steps(client, settings, fill=partial(fill_rollup, patience=patience()))
    finally:
        client.close()
    if as_json:
        names = [str(step) for step in steps]
        print_json({"url": str(store.url), "database_created": created, "applied": names})
        return
    note_store(store)
    if created:
        sys.stdout.write(f"created the database {visible(_database(store))}\n")
    for step in steps:
        sys.stdout.write(f"applied {visible(step.name)}\n")
    if not steps:
        sys.stdout.write("nothing to do: the schema is up to date\n")


@schema.command()
@url_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a difference.")
def diff(*, url: str | None, as_json: bool) -> int:
    """
    List how the database differs from what this version and the settings need.

    Exit code 1 when it does, 0 when it does not. Compared are columns with defaults and codecs, indexes, the
    query of each view, deduplication windows, partitions, TTL and storage policy; tables, columns and indexes
    of your own are no difference.
    """
    store, differences = _differences(url)
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
    if any(not difference.advice for difference in differences):
        click.echo(f"hint: activitylog schema apply{store.option} --dry-run shows what would repair it", err=True)
    return _DIFFERS


@schema.command()
@url_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object: ok, and the differences.")
def check(*, url: str | None, as_json: bool) -> int:
    """
    Say in one line whether the database is what this version and the settings need.

    For deployment scripts and health checks: exit code 0 when it is, 1 when it is not or cannot be asked.

    \b
        activitylog schema check && systemctl restart app
    """
    store, differences = _differences(url)
    if as_json:
        print_json({"url": str(store.url), "ok": not differences, "differences": [asdict(d) for d in differences]})
    elif differences:
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        sys.stdout.write(f"differs: {visible(str(differences[0]))}{more}\n")
    else:
        sys.stdout.write("ok\n")
    return _DIFFERS if differences else 0


def _differences(url: str | None) -> tuple[Store, list[Any]]:
    from activitylog.store import diff as differences_of

    store, settings = existing_store(url), load_settings().store
    client = open_store(store)
    try:
        return store, differences_of(client, settings)
    finally:
        client.close()


def _print_plan(store: Store, *, created: bool, as_json: bool) -> None:
    """What ``apply`` would do. An embedded store that is not there is not made for this."""
    from activitylog.store import create_database, plan

    settings = load_settings().store
    if created or (store.folder is not None and not store.folder.is_dir()):
        steps = plan(None, settings)
    else:
        client = open_store(store)
        try:
            steps = plan(client, settings)
        finally:
            client.close()
    first = create_database(_database(store), settings) if created else []
    if as_json:
        names = [str(step) for step in steps]
        statements = [*first, *(sql for step in steps for sql in step.sql)]
        document = {"url": str(store.url), "would_create_database": created}
        print_json({**document, "would_apply": names, "statements": statements})
        return
    note_store(store)
    _print_statements("the database", first)
    for step in steps:
        _print_statements(step.name, step.sql)
    if not first and not steps:
        sys.stdout.write("-- nothing to do: the schema is up to date\n")


def _print_statements(name: str, statements: Iterable[str]) -> None:
    for number, sql in enumerate(statements):
        sys.stdout.write(f"-- {visible(name)}\n" if number == 0 else "")
        sys.stdout.write("".join(f"{visible(line)}\n" for line in f"{sql};".splitlines()))


def _described(step: Any) -> dict[str, Any]:
    migration = step.migration
    more = {} if migration is None else {"number": migration.number, "checksum": migration.checksum}
    return {"name": step.name, **more, "statements": step.sql}


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
