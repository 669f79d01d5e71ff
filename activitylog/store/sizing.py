"""
How large a store must be: from events per second to servers. Pure arithmetic, in the open.

Each input has a default, and says whether it was measured (on the tables of this package, by the project), follows
from a rule, or is assumed; change what you know better. ``CLUSTER.md`` has the derivations and a table of results,
which a test holds equal to what is computed here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Final, Literal

from activitylog.exceptions import ConfigurationError
from activitylog.store.cluster import REPLICATED_WINDOW_BLOCKS, REPLICATED_WINDOW_SECONDS

_DAY: Final = 86_400
#: Tables that a batch of events writes a part of: events, hourly, by actor.
TABLES_PER_INSERT: Final = 3
#: Inserts a second that one shard should take, each of which makes TABLES_PER_INSERT parts (rule of thumb).
INSERTS_PER_SHARD: Final = 10
#: A batch that waits longer than this makes the newest events late.
LONGEST_FLUSH_SECONDS: Final = 10
_EVENTS_PER_WRITER: Final = 20_000
#: Reads and writes in Keeper for one part, on all replicas (assumed).
KEEPER_REQUESTS_PER_PART: Final = 20
#: Memory of Keeper for one remembered block (assumed).
KEEPER_BYTES_PER_BLOCK: Final = 500
#: Of one partition in one shard; larger ones are clumsy to archive and to move.
_LARGEST_PARTITION: Final = 1e12
_PERIODS: Final = {"day": 1, "week": 7, "month": 30}


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What comes in, what is kept, and on what machines."""

    events_per_second: float
    """Average over a day."""
    retention_days: int = 90
    """How long events are kept."""
    hot_days: int | None = None
    """How many of these on the servers' own disks, the rest on a cold volume; all of them if unset."""
    replicas: int = 2
    """Copies of each row, each on a server of its own."""
    peak_factor: float = 3.0
    """The busiest hour, as a multiple of the average (assumed)."""
    bytes_per_event: float = 91.2
    """On disk, indexes included: 89.1 in the table of events and 2.1 in the roll-ups (measured)."""
    wire_bytes_per_event: float = 300.0
    """Compressed, as an insert sends it (assumed; 1,041 before compression)."""
    insert_us_per_event: float = 6.5
    """CPU of an insert with roll-ups: 152,000 to 165,000 events/s a core (measured; by the landing table 11)."""
    merge_us_per_event: float = 4.0
    """CPU of one merge of a row with its roll-ups: ten parts of 50,000 rows into one (measured)."""
    merge_passes: float = 4.0
    """How often a row is merged before it rests, on every replica (assumed)."""
    cpu_share: float = 0.4
    """Part of the cores for inserts and merges at the peak; the rest is for questions and catching up."""
    disk_share: float = 0.7
    """Part of the disks that may be full; merges need room."""
    cores_per_server: int = 32
    """Cores of one server."""
    disk_bytes_per_server: float = 20e12
    """Disk of one server, in bytes."""
    network_bits_per_server: float = 10e9
    """Network of one server, in bits a second; half of it is planned with."""
    writers: int | None = None
    """Processes and Collectors that insert, each its own batches; one for 20,000 events a second if unset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """What that takes. Bytes and events are decimal: 1 TB is 10 to the 12."""

    events_per_second: float
    servers: int
    """Of ClickHouse; Keeper is three more, small ones, as soon as there is more than one."""
    shards: int
    decided_by: Literal["one server does", "CPU", "disk", "network"]
    cores: float
    """For inserts and merges at the peak, with the headroom for questions."""
    bytes_per_day: float
    """Of one copy."""
    hot_bytes: float
    """Of all copies, on the servers' own disks."""
    cold_bytes: float
    """Of all copies, on the cold volume."""
    disk_bytes: float
    """That the servers must have for hot_bytes."""
    network_bits_per_second: float
    """Of one server, in and out, at the peak."""
    writers: int
    flush_seconds: int
    """How long a writer should collect a batch."""
    batch_rows: int
    """How large that batch is, on average."""
    route: Literal["one table", "distributed", "local"]
    """Into the only table, through the Distributed tables, or straight into the shards' own."""
    inserts_per_second: float
    """Of one shard and table."""
    parts_per_second: float
    """New parts in one shard, by all tables."""
    partition_by: Literal["day", "week", "month"]
    partitions: int
    bucket_minutes: Literal[60, 5]
    """Of time in the sort key; 60 is what the tables have."""
    keeper_requests_per_second: float
    keeper_bytes: float
    """Memory for the blocks that are remembered, by all tables and shards."""
    window_hours: float
    """How long after a batch was written a second one is still recognised."""


def size(load: Load) -> Sizing:
    """
    Size a store.

    Raises:
        ConfigurationError: an input that is not above 0, a share above 1, or more hot days than days.
    """
    _check(load)
    peak = load.events_per_second * load.peak_factor
    per_day = load.events_per_second * _DAY * load.bytes_per_event
    hot_days = min(load.hot_days or load.retention_days, load.retention_days)
    hot = per_day * hot_days * load.replicas
    cpu_us = load.insert_us_per_event + load.replicas * load.merge_passes * load.merge_us_per_event
    cores = peak * cpu_us / 1e6 / load.cpu_share
    network = _network_bytes(load, peak)
    needs = {
        "CPU": ceil(cores / load.replicas / load.cores_per_server),
        "disk": ceil(hot / load.replicas / load.disk_share / load.disk_bytes_per_server),
        "network": ceil(network * 8 / load.replicas / (load.network_bits_per_server / 2)),
    }
    shards = max(1, *needs.values())
    decided_by = "one server does" if shards == 1 else max(needs, key=lambda need: needs[need])
    writers, flush, route, inserts = _inserts(load, shards)
    partition_by = _partition_by(load.retention_days, per_day / shards)
    blocks = min(REPLICATED_WINDOW_BLOCKS, inserts * REPLICATED_WINDOW_SECONDS)
    return Sizing(
        events_per_second=load.events_per_second,
        servers=shards * load.replicas,
        shards=shards,
        decided_by=decided_by,  # type: ignore[arg-type]  # a key of needs
        cores=cores,
        bytes_per_day=per_day,
        hot_bytes=hot,
        cold_bytes=per_day * (load.retention_days - hot_days) * load.replicas,
        disk_bytes=hot / load.disk_share,
        network_bits_per_second=network * 8 / shards / load.replicas,
        writers=writers,
        flush_seconds=flush,
        batch_rows=round(load.events_per_second / writers * flush),
        route=route,
        inserts_per_second=inserts,
        parts_per_second=inserts * TABLES_PER_INSERT,
        partition_by=partition_by,
        partitions=ceil(load.retention_days / _PERIODS[partition_by]) + 1,
        bucket_minutes=5 if load.events_per_second / shards > 10_000 else 60,
        keeper_requests_per_second=inserts * TABLES_PER_INSERT * shards * KEEPER_REQUESTS_PER_PART,
        keeper_bytes=blocks * TABLES_PER_INSERT * shards * KEEPER_BYTES_PER_BLOCK,
        window_hours=min(REPLICATED_WINDOW_SECONDS, REPLICATED_WINDOW_BLOCKS / inserts) / 3600,
    )


def _check(load: Load) -> None:
    for name in load.__slots__:
        value = getattr(load, name)
        if value is not None and not 0 < value < float("inf"):
            raise ConfigurationError(f"{name} is {value}.", hint="Accepted: a number above 0.")
    for name in ("cpu_share", "disk_share"):
        if getattr(load, name) > 1:
            raise ConfigurationError(f"{name} is {getattr(load, name)}.", hint="Accepted: above 0, at most 1.")
    if load.hot_days is not None and load.hot_days > load.retention_days:
        raise ConfigurationError(
            f"hot_days ({load.hot_days}) is more than retention_days ({load.retention_days}).",
            hint="Leave it out to keep all days on the servers' own disks.",
        )


def _network_bytes(load: Load, peak: float) -> float:
    """
    Bytes a second through all servers, in and out: an insert comes in; through a Distributed table its rows go out
    and in once more (all of them, at worst); and parts go to the other replicas, out and in.
    """
    forwarded = 2 * load.wire_bytes_per_event if _flush_seconds(load) <= LONGEST_FLUSH_SECONDS else 0
    copied = 2 * load.bytes_per_event * (load.replicas - 1)
    return peak * (load.wire_bytes_per_event + forwarded + copied)


def _writers(load: Load) -> int:
    return load.writers or ceil(load.events_per_second / _EVENTS_PER_WRITER)


def _flush_seconds(load: Load) -> int:
    """How long writers must collect so that one shard can take the inserts of all of them."""
    return max(1, ceil(_writers(load) / INSERTS_PER_SHARD))


def _inserts(load: Load, shards: int) -> tuple[int, int, Literal["one table", "distributed", "local"], float]:
    """
    Writers, seconds that each collects, the way to insert, and inserts a second of one shard.

    Through a Distributed table a batch goes to every shard, so each shard takes all writers' inserts.
    """
    writers, flush = _writers(load), _flush_seconds(load)
    if flush <= LONGEST_FLUSH_SECONDS:
        return writers, flush, "one table" if shards == 1 else "distributed", writers / flush
    flush = max(1, ceil(writers / shards / INSERTS_PER_SHARD))
    return writers, flush, "one table" if shards == 1 else "local", writers / shards / flush


def _partition_by(retention_days: int, bytes_per_day: float) -> Literal["day", "week", "month"]:
    """By retention, or a shorter one where a partition of a shard would be too large."""
    if retention_days <= 45 or bytes_per_day * _PERIODS["week"] > _LARGEST_PARTITION:
        return "day"
    if retention_days <= 180 or bytes_per_day * _PERIODS["month"] > _LARGEST_PARTITION:
        return "week"
    return "month"


def amount(number: float, unit: str = "") -> str:
    """A number with three digits and a decimal prefix: ``71.4 TB``."""
    for power, prefix in ((15, "P"), (12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if number >= 10**power * 0.9995:
            return f"{number / 10**power:.3g} {prefix}{unit}".rstrip()
    return f"{number:.3g} {unit}".rstrip()


def cores_text(sizing: Sizing) -> str:
    """The cores with three digits, or whole."""
    return f"{sizing.cores:,.3g}" if sizing.cores < 100 else f"{sizing.cores:,.0f}"


#: The loads of the page's table.
EXAMPLES: Final = (
    Load(events_per_second=1_000),
    Load(events_per_second=10_000),
    Load(events_per_second=100_000),
    Load(events_per_second=1_000_000),
    Load(events_per_second=1_000_000, hot_days=7),
    Load(events_per_second=10_000_000, hot_days=3),
)
_HEADINGS: Final = (
    "events/s",
    "days on disk + cold",
    "a day, one copy",
    "disks / cold, all copies",
    "cores at peak",
    "shards x replicas",
    "decided by",
    "writers, batch",
    "insert into",
    "inserts/s a shard",
    "partition",
    "network a server",
    "Keeper requests/s, memory",
    "token kept",
)


def markdown_table(loads: Iterable[Load] = EXAMPLES) -> str:
    """The loads and what they take, as the page has it."""
    rows = [_HEADINGS, tuple("---" for _ in _HEADINGS), *(_row(load, size(load)) for load in loads)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(load: Load, sizing: Sizing) -> tuple[str, ...]:
    hot = load.hot_days or load.retention_days
    cold = load.retention_days - hot
    return (
        f"{load.events_per_second:,.0f}",
        f"{hot} + {cold}" if cold else f"{hot}",
        amount(sizing.bytes_per_day, "B"),
        amount(sizing.disk_bytes, "B") + (f" / {amount(sizing.cold_bytes, 'B')}" if cold else ""),
        cores_text(sizing),
        f"{sizing.shards} x {load.replicas}",
        sizing.decided_by,
        f"{sizing.writers}, {amount(sizing.batch_rows)} rows in {sizing.flush_seconds} s",
        {"one table": "the table", "distributed": "Distributed", "local": "a shard's table"}[sizing.route],
        f"{sizing.inserts_per_second:.3g}",
        f"{sizing.partition_by} ({sizing.partitions})",
        amount(sizing.network_bits_per_second, "bit/s"),
        f"{amount(sizing.keeper_requests_per_second)}, {amount(sizing.keeper_bytes, 'B')}",
        f"{sizing.window_hours:.3g} h",
    )
