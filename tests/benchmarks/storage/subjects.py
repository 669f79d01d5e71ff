"""Whom and what the questions ask about: chosen from the records, neither the busiest nor the rarest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.benchmarks.storage.loading import STAGE

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_ROWS: Final = f"{STAGE}.source_typed"
_LATE: Final = f"Number >= (SELECT toUInt64(max(Number) * 0.8) FROM {_ROWS})"
_FREE_TEXT: Final = "extractAll(lower(BodyTemplate), '[a-z]{5,}')"
_WORDS: Final = f"(SELECT arrayJoin({_FREE_TEXT}) AS word FROM {_ROWS} WHERE BodyTemplate != '')"
_RANKED: Final = (
    "SELECT {0} AS value FROM {1} WHERE {2} GROUP BY value ORDER BY count() DESC, value LIMIT 1 OFFSET {3}"
)


def subjects(client: Client) -> dict[str, Any]:
    """
    The parameters of all questions: name -> value.

    What the records do not have (traces in the changes of a repository) is left out, and so are the questions that
    ask about it.
    """
    found = {name: _one(client, sql) for name, sql in _selects().items()}
    object_type, _, object_id = str(found.pop("typed object") or "").partition("\n")
    found |= {"object_type": object_type, "object": object_id}
    return {name: value for name, value in found.items() if value not in (None, "")}


def _one(client: Client, sql: str) -> Any:
    rows = client.query(sql).result_rows
    return rows[0][0] if rows else None


def _selects() -> dict[str, str]:
    late = {"trace": "TraceId", "request": "RequestId", "session": "SessionId"}
    ranked = {
        "actor": ("ActorId", "ActorType = 'user' AND ActorId != ''", 50),
        "typed object": ("concat(ObjectType, '\\n', ObjectId)", "ObjectId != ''", 20),
        "tenant": ("CAST(TenantId, 'String')", "TenantId != ''", 4),
        "plan": ("Attributes['plan']", "Attributes['plan'] != ''", 0),
    } | {
        name: ("CAST(EventName, 'String')", "1", rank)
        for name, rank in (("first", 0), ("second", 1), ("third", 3))
    }
    words = {"word": ("word", 150), "word2": ("word", 20), "part": ("substring(word, 2)", 60)}
    return {
        **{
            name: f"SELECT {column} FROM {_ROWS} WHERE {_LATE} AND {column} != '' ORDER BY Number LIMIT 1"
            for name, column in late.items()
        },
        "event": f"SELECT toString(EventId) FROM {_ROWS} WHERE {_LATE} ORDER BY Number LIMIT 1",
        **{
            name: _RANKED.format(value, _ROWS, condition, rank)
            for name, (value, condition, rank) in ranked.items()
        },
        **{name: _RANKED.format(value, _WORDS, 1, rank) for name, (value, rank) in words.items()},
        **{name: _back(interval) for name, interval in _INTERVALS.items()},
    }


_INTERVALS: Final = {"week": "7 DAY", "day": "1 DAY", "quarter": "15 MINUTE"}


def _back(interval: str) -> str:
    """A quarter of an hour, or an hour, on the clock, before the newest record: roll-ups begin there, too."""
    unit = "FifteenMinutes" if "MINUTE" in interval else "Hour"
    return f"SELECT toString(toStartOf{unit}(max(Timestamp) - INTERVAL {interval})) FROM {_ROWS}"
