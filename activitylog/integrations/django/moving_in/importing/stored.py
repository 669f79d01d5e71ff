"""What the store has of an old table: asked by the attributes that events of its rows have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from activitylog.exceptions import StoreError
from activitylog.integrations.django.moving_in.plan import LEGACY_ACTION, LEGACY_MODEL, LEGACY_PK

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_KEY: Final = f"Attributes['{LEGACY_PK}']"
_OF_TABLE: Final = f"mapContains(Attributes, '{LEGACY_PK}') AND Attributes['{LEGACY_MODEL}'] = {{table:String}}"
_WITHIN: Final = (
    "Timestamp >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') "
    "AND Timestamp < fromUnixTimestamp64Nano({until:Int64}, 'UTC')"
)
_THINNED: Final = "SampleWeight != 1 OR mapContains(Attributes, 'activity.rollup.last')"
_OVERVIEW: Final = f"""
SELECT
    count() AS events,
    toUnixTimestamp64Nano(min(Timestamp)) AS first,
    toUnixTimestamp64Nano(max(Timestamp)) AS last,
    countIf({_THINNED}) AS thinned,
    toUnixTimestamp64Nano(minIf(Timestamp, {_THINNED})) AS first_thinned
FROM activity_events WHERE {_OF_TABLE}
"""  # noqa: S608 - our own names
_BETWEEN: Final = f"""
SELECT {_KEY} FROM activity_events
WHERE {_OF_TABLE} AND {_WITHIN} AND toInt64OrNull({_KEY}) BETWEEN {{first:Int64}} AND {{last:Int64}}
"""  # noqa: S608
_AMONG: Final = f"""
SELECT {_KEY} FROM activity_events WHERE {_OF_TABLE} AND {_WITHIN} AND has({{keys:Array(String)}}, {_KEY})
"""  # noqa: S608
_TALLIES: Final = f"""
SELECT
    toUInt32(toDate(Timestamp, 'UTC')) AS day,
    if(Attributes['{LEGACY_ACTION}'] = '', toString(EventName), Attributes['{LEGACY_ACTION}']) AS action,
    count() AS rows,
    sum(toUInt64(CRC32({_KEY}))) AS keys,
    count() - uniqExact({_KEY}) AS doubled
FROM activity_events WHERE {_OF_TABLE} AND {_WITHIN}
GROUP BY day, action
"""  # noqa: S608
_KEYS_OF_DAY: Final = f"""
SELECT {_KEY} FROM activity_events
WHERE {_OF_TABLE} AND {_WITHIN}
    AND if(Attributes['{LEGACY_ACTION}'] = '', toString(EventName), Attributes['{LEGACY_ACTION}']) =
    {{action:String}}
"""  # noqa: S608
_SPILL: Final = {"max_bytes_before_external_group_by": 500_000_000}
#: Rows of days are counted so many days at a time: the distinct keys of all years would not fit into memory.
_DAYS_AT_ONCE: Final = 31
_NS_OF_DAY: Final = 86_400 * 10**9
_KEYS_AT_ONCE: Final = 1000
_INT64_MAX: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Overview:
    """
    Events of one table's rows.

    Attributes:
        events: how many.
        first_ns: time of the first, nanoseconds since the epoch; 0 where there is none.
        last_ns: of the last.
        thinned: how many of them stand for more than themselves, as rules have it.
        first_thinned_ns: time of the first of those.
    """

    events: int
    first_ns: int
    last_ns: int
    thinned: int
    first_thinned_ns: int


@dataclass(frozen=True, slots=True)
class StoredTally:
    """
    Events of one day and action; see :class:`.source.Tally`.

    Attributes:
        doubled: events beyond the first of a key.
    """

    day: int
    action: str
    rows: int
    keys: int
    doubled: int


class Stored:
    """
    Questions about one table.

    Args:
        client: of the store; stays the caller's.
        table: what it is called in events.
    """

    def __init__(self, client: Client, table: str) -> None:
        self._client = client
        self._table = table

    def overview(self) -> Overview:
        """How much there is."""
        events, first, last, thinned, first_thinned = self._ask(_OVERVIEW)[0]
        if not events:
            return Overview(0, 0, 0, 0, 0)
        return Overview(events, first, last, thinned, first_thinned if thinned else 0)

    def present(self, keys: Sequence[Any], since_ns: int, until_ns: int) -> set[str]:
        """
        Which of these rows have an event, of a time between the two.

        Args:
            keys: primary keys, in their order.
        """
        window = {"since": max(since_ns, 0), "until": min(until_ns, _INT64_MAX)}
        if all(type(key) is int for key in keys):
            asked = {"first": keys[0], "last": keys[-1]}
            return {key for (key,) in self._ask(_BETWEEN, **asked, **window)}
        found: set[str] = set()
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = [str(key) for key in keys[start : start + _KEYS_AT_ONCE]]
            found |= {key for (key,) in self._ask(_AMONG, keys=some, **window)}
        return found

    def tallies(self, since_ns: int, until_ns: int) -> Iterator[list[StoredTally]]:
        """Events by day and action, some days at a time; empty ones included, which tell how far it is."""
        start = since_ns
        while start < until_ns:
            end = min(until_ns, (start // _NS_OF_DAY + _DAYS_AT_ONCE) * _NS_OF_DAY)
            yield [StoredTally(*row) for row in self._ask(_TALLIES, since=start, until=end)]
            start = end

    def keys_of(self, day: int, action: str) -> list[str]:
        """The primary keys of one day and action, as often as they are there."""
        window = {"since": day * _NS_OF_DAY, "until": (day + 1) * _NS_OF_DAY}
        return [key for (key,) in self._ask(_KEYS_OF_DAY, action=action, **window)]

    def _ask(self, sql: str, **parameters: Any) -> Sequence[Any]:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        try:
            return self._client.query(
                sql, parameters={"table": self._table, **parameters}, settings=_SPILL
            ).result_rows
        except ClickHouseError as error:
            raise StoreError(
                f"The store cannot be asked what it has: {str(error).splitlines()[0][:300]}",
                hint="Its user needs SELECT on activity_events.",
            ) from error
