"""
What every insert is sent with, whatever the server's profile says, at each attempt.

A repetition is recognised by its token, per block and partition. So one batch must be one block, every time, and
so must be what a view makes of it. Which settings cut blocks was tried on chDB 26.9 with one Native block of
20,000 rows (``tests/otel_clickhouse/test_insert_settings.py``): ``use_strict_insert_block_limits`` does, into
pieces of ``max_insert_block_size`` rows or ``max_insert_block_size_bytes``. Without it, blocks below the two
minimums are put together and none is cut, so both minimums are large: an aggregation in a view may give its result
in many blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

#: What exactly once stands on. A server that forbids one of them refuses the insert.
_REQUIRED: Final[Mapping[str, Any]] = {
    "async_insert": 0,  # the default since 26.2; it would merge batches and lose their tokens
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "distributed_foreground_insert": 1,  # on a cluster: the answer is that of the shards, not of a queue on disk
    "throw_on_max_partitions_per_insert_block": 0,  # an import may span years
}

#: Servers' own defaults, in case that a profile has others. What a server does not know, or does not let us
#: change, is left out: then it is the same at each attempt, too.
PINNED: Final[Mapping[str, Any]] = {
    "insert_deduplicate": 1,
    "deduplicate_insert": "enable",
    "materialized_views_ignore_errors": 0,  # rows that a view did not get would not be noticed
    "max_insert_threads": 1,  # by default several threads write since 26.8
    "use_strict_insert_block_limits": 0,
    "max_insert_block_size": 1_048_449,
    "min_insert_block_size_rows": 1_048_449,
    "min_insert_block_size_bytes": 268_402_944,
    "min_insert_block_size_rows_for_materialized_views": 0,  # as the two before
    "min_insert_block_size_bytes_for_materialized_views": 0,
}

INSERT_SETTINGS: Final[Mapping[str, Any]] = MappingProxyType({**_REQUIRED, **PINNED})


def accepted_settings(settings: Mapping[str, Any], server_settings: Mapping[str, Any]) -> dict[str, Any]:
    """
    The settings, less those that are pinned only where that is possible.

    Args:
        server_settings: by name, each with an attribute ``readonly``, as the driver has them.
    """
    return {
        name: value
        for name, value in settings.items()
        if name not in PINNED or (name in server_settings and not server_settings[name].readonly)
    }
