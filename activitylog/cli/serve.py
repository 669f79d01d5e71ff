"""``activitylog serve``: the embedded engine behind ClickHouse's HTTP interface."""

from __future__ import annotations

import click

from activitylog.cli.store_option import choose_store, require_engine, url_option
from activitylog.cli.visible import visible
from activitylog.exceptions import ConfigurationError


@click.command(short_help="Serve an embedded store over HTTP, for several processes.")
@url_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8123, show_default=True, help="0 takes a free one.")
def serve(*, url: str | None, host: str, port: int) -> None:
    """
    Put an embedded store behind ClickHouse's HTTP interface, until Ctrl-C.

    Then any number of processes write and ask by its clickhouse:// URL, as does everything else that
    speaks to ClickHouse over HTTP. There is no access control: whoever reaches the address can read and
    change everything.
    """
    store = choose_store(url)
    if store.url.kind != "chdb":
        raise ConfigurationError(
            f"{str(store.url)!r} is a server already.", hint="Give --url with a folder or a chdb:// URL to serve."
        )
    require_engine()
    from activitylog.server import serve as serve_store

    def ready(address: str) -> None:
        click.echo(f"serving {visible(str(store.url))} at {visible(address)}")
        click.echo(f"  export ACTIVITYLOG_URL={visible(address)}")
        if host in ("127.0.0.1", "localhost", "::1"):
            click.echo("Only this machine can reach it. There is no access control. Ctrl-C ends it.")
        else:
            click.secho(f"Everybody who reaches {host} can read and change everything.", fg="red", err=True)

    serve_store(store.url.path, host=host, port=port, ready=ready)
    click.echo("stopped", err=True)
