"""``activitylog schema size``: how large a store must be."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import click

from activitylog.cli.tables import plain_table, print_json, print_table
from activitylog.store.sizing import Load, Sizing, amount, cores_text
from activitylog.store.sizing import size as size_of

_DEFAULT: Final = Load(events_per_second=1)
_ROUTES: Final = {
    "one table": "into activity_events",
    "distributed": "through the Distributed table activity_events",
    "local": "straight into activity_events_local, each writer into one shard",
}


@click.command("size", short_help="Size a store from events per second.")
@click.option("--events-per-second", type=float, required=True, help="Average over a day.")
@click.option("--retention-days", type=int, default=_DEFAULT.retention_days, show_default=True)
@click.option("--hot-days", type=int, help="Days on the servers' own disks, the rest on a cold volume.  [all]")
@click.option("--replicas", type=int, default=_DEFAULT.replicas, show_default=True, help="Copies of each row.")
@click.option(
    "--peak-factor", type=float, default=_DEFAULT.peak_factor, show_default=True, help="Busiest hour / average."
)
@click.option(
    "--bytes-per-event", type=float, default=_DEFAULT.bytes_per_event, show_default=True, help="On disk."
)
@click.option("--writers", type=int, help="Processes that insert.  [one for 20,000 events a second]")
@click.option("--cores", type=int, default=_DEFAULT.cores_per_server, show_default=True, help="Of a server.")
@click.option(
    "--disk-tb", type=float, default=_DEFAULT.disk_bytes_per_server / 1e12, show_default=True, help="Of a server."
)
@click.option(
    "--gbit", type=float, default=_DEFAULT.network_bits_per_server / 1e9, show_default=True, help="Of a server."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document: the inputs and what they take.")
def size(
    *,
    events_per_second: float,
    retention_days: int,
    hot_days: int | None,
    replicas: int,
    peak_factor: float,
    bytes_per_event: float,
    writers: int | None,
    cores: int,
    disk_tb: float,
    gbit: float,
    as_json: bool,
) -> None:
    """
    Say what a store takes: servers, disks, cores, network, batches, partitions, Keeper. Needs no store.

    The arithmetic, what of it was measured and what is assumed are in activitylog/store/CLUSTER.md.

    \b
    activitylog schema size --events-per-second 100000
    activitylog schema size --events-per-second 10000000 --hot-days 3 --json
    """
    load = Load(
        events_per_second=events_per_second,
        retention_days=retention_days,
        hot_days=hot_days,
        replicas=replicas,
        peak_factor=peak_factor,
        bytes_per_event=bytes_per_event,
        writers=writers,
        cores_per_server=cores,
        disk_bytes_per_server=disk_tb * 1e12,
        network_bits_per_server=gbit * 1e9,
    )
    sizing = size_of(load)
    if as_json:
        print_json({"load": asdict(load), "sizing": asdict(sizing)})
        return
    table = plain_table(heading=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for what, how_much in _lines(load, sizing).items():
        table.add_row(what, how_much)
    print_table(table)


def _lines(load: Load, sizing: Sizing) -> dict[str, str]:
    lines = {
        "servers": f"{sizing.servers:,} ({sizing.shards:,} shards x {load.replicas} replicas; "
        f"{sizing.decided_by if sizing.shards == 1 else f'for {sizing.decided_by}'})",
        "cores": f"{cores_text(sizing)} for inserts and merges at the peak, questions left room for",
        "a day": f"{amount(sizing.bytes_per_day, 'B')} in one copy",
        "disks": f"{amount(sizing.disk_bytes, 'B')} for {amount(sizing.hot_bytes, 'B')} in all copies",
        "cold volume": f"{amount(sizing.cold_bytes, 'B')} in all copies",
        "network": f"{amount(sizing.network_bits_per_second, 'bit/s')} a server at the peak",
        "batches": f"{sizing.writers:,} writers, each {sizing.batch_rows:,} rows in {sizing.flush_seconds} s",
        "inserts": f"{_ROUTES[sizing.route]}: {sizing.inserts_per_second:.3g}/s a shard and table, "
        f"{sizing.parts_per_second:.3g} new parts/s a shard",
        "partitions": f"by {sizing.partition_by}: {sizing.partitions:,}",
        "time in the sort key": f"buckets of {sizing.bucket_minutes} minutes",
        "Keeper": f"{amount(sizing.keeper_requests_per_second)} requests/s, {amount(sizing.keeper_bytes, 'B')} "
        "for remembered batches",
        "a batch sent again": f"is recognised for {sizing.window_hours:.3g} hours",
    }
    if not sizing.cold_bytes:
        del lines["cold volume"]
    return lines
