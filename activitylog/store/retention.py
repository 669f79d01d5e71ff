"""
How long rows are kept, and where: the TTL and the storage policy of each table, from the settings.

- ``retention_days`` is for ``activity_events``. Parts go as a whole when their youngest row is too old
  (``ttl_only_drop_parts``), so a row may stay as long as its partition and its merges hold it together with
  younger ones: up to one more month with ``partition_by = "month"``. Nothing is rewritten, now or later.
- ``cold_after_days`` moves parts of ``activity_events`` to ``cold_volume``; the roll-ups are small and stay.
- ``rollup_retention_days`` is for the roll-ups and the counters, which else stay for ever: a hundredth of the
  bytes, and what is left of years that are gone. ``activity_events_actor_daily`` holds ids of persons, which is
  why there is a setting at all. It is never less than ``retention_days``: a repair would count the missing days
  again.

The expression is ``toDateTime64(column, 0, 'UTC') + toIntervalDay(n)``. Not ``toDateTime``: that wraps around
after 2106, so a row from a clock that is wrong, or 100 years of retention, were dropped at once. Not
``Timestamp`` itself: its nanoseconds wrap around after 2262. The form is also how a TTL of ours is told from one
of the owner's, which stays where the settings say nothing.

``MODIFY TTL`` alone concerns parts that are written or merged from then on. The old ones, of months that are
done with merging, would stay for ever; so the engine is told to work out their ages, too
(``materialize_ttl_after_modify``). That is a mutation, but one that reads the column of time only and hard-links
the files (``ttl_only_drop_parts`` and ``materialize_ttl_recalculate_only``). Only parts in the engine's compact
form, which are under 10 MB, are written anew.
"""

from __future__ import annotations

import re
from typing import Final

from activitylog.store.columns import EVENTS_TABLE
from activitylog.store.definitions import Definition
from activitylog.store_settings import StoreSettings

_OURS: Final = re.compile(
    r"toDateTime64\(\w+, 0, 'UTC'\) \+ toIntervalDay\(\d+\)(?: TO VOLUME '\w+')?"
    r"(?:, toDateTime64\(\w+, 0, 'UTC'\) \+ toIntervalDay\(\d+\))?"
)
_TIME_COLUMN: Final = re.compile(r"toYYYYMM\((\w+)\)")


def table_ttl(table: Definition, settings: StoreSettings) -> str:
    """
    The TTL that a table should have, as the engine prints it; empty for none.

    Args:
        table: as the files define it. Its time is the column that it is partitioned by.
    """
    time = _TIME_COLUMN.fullmatch(table.partition_by)
    if time is None:
        return ""
    if table.name != EVENTS_TABLE:
        return _after(time[1], settings.rollup_retention_days)
    moved = _after(time[1], settings.cold_after_days)
    dropped = _after(time[1], settings.retention_days)
    return ", ".join(
        part for part in (f"{moved} TO VOLUME '{settings.cold_volume}'" if moved else "", dropped) if part
    )


def is_ours(ttl: str) -> bool:
    """Whether a TTL that a database has was set by this package."""
    return _OURS.fullmatch(ttl) is not None


def ttl_statements(table: Definition, ttl: str) -> tuple[str, ...]:
    """What gives a table this TTL, or takes it away where it is empty."""
    if not ttl:
        return (f"ALTER TABLE {table.name} REMOVE TTL",)
    return (
        f"ALTER TABLE {table.name} MODIFY SETTING ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1",
        f"ALTER TABLE {table.name} MODIFY TTL {ttl} SETTINGS materialize_ttl_after_modify = 1",
    )


def policy_statements(table: Definition, policy: str) -> tuple[str, ...]:
    """
    What gives a table that is there another storage policy. The engine takes one that has all volumes of the old
    one, under their names: the first volume of a policy that follows on the default one is called ``default``.
    """
    return (f"ALTER TABLE {table.name} MODIFY SETTING storage_policy = '{policy}'",)


def _after(column: str, days: int | None) -> str:
    return f"toDateTime64({column}, 0, 'UTC') + toIntervalDay({days})" if days is not None else ""
