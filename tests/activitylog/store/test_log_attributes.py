"""``LogAttributes`` is written anew now and then to cost less: it must say what it said."""

from __future__ import annotations

from typing import Any, Final

import pytest

from activitylog.store import EVENTS_TABLE, apply, migrations
from activitylog.store.definitions import fold

#: What each column may hold: absent, present, and what prints like the one but is the other.
_VALUES: Final = {
    "EventId": "toUUID('00000000-0000-0000-0000-000000000000'), toUUID('0190163d-8694-739b-aea5-966c26f8ad91')",
    "TenantId": "'', 'acme', '0'",
    "ActorType": "'', 'user', 'service'",
    "ActorId": "'', '1'",
    "Outcome": "'', 'success', 'failure', '1'",
    "EventCount": "0, 1, 2",
    "DurationUs": "0, 1, 1500000, 18446744073709551615",
    "HttpStatus": "0, 1, 200",
    "UrlPath": "'', '0', 'success'",
    "SampleWeight": "1., 0., -0., 0.5, nan, inf, 1.0000000000000002",
    "Seq": "0, 1",
    "Attributes": "map(), map('plan', '', 'k', 'v'), "
    "map('activity.actor.id', '2', 'http.response.status_code', '7'), "
    "map('log.record.uid', '', 'activity.outcome', 'success', 'user.id', '')",
}  # fmt: skip


@pytest.fixture
def store(chdb_client: Any) -> Any:
    """Each value of a column beside many of the others."""
    apply(chdb_client)
    choices = ", ".join(
        f"arrayElement([{values}] AS values{number}, cityHash64(number, {number}) % length(values{number}) + 1)"
        for number, values in enumerate(_VALUES.values())
    )
    chdb_client.command(f"INSERT INTO {EVENTS_TABLE} ({', '.join(_VALUES)}) SELECT {choices} FROM numbers(20000)")
    return chdb_client


@pytest.mark.parametrize("step", [1, 16])
def test_as_the_alias_of_an_earlier_step(store: Any, step: int) -> None:
    """The same pairs in the same order."""
    columns = {column.name: column for column in fold(migrations()[:step])[0].columns}
    before = f"CAST({columns['LogAttributes'].expression}, 'Map(LowCardinality(String), String)')"
    different, seen = store.query(
        f"SELECT countIf(toString(LogAttributes) != toString({before})), uniqExact(toString(LogAttributes)) "
        f"FROM {EVENTS_TABLE}"
    ).result_rows[0]
    assert different == 0
    assert seen > 10_000
