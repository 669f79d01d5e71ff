"""A healthy store with some days of events in it, and what the doctor finds in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from activitylog.store.doctor import CHECKS, Finding, examine
from activitylog.url import parse

#: Ten days up to ten minutes ago, 100 events a day, of one producer that numbers them from 1.
FILL = """
INSERT INTO activity_events (Timestamp, EventName, TenantId, ActorType, ActorId, EventId, Producer, Seq)
SELECT now64(9) - toIntervalSecond(600 + 864 * (1000 - number)) AS Timestamp, 'page.viewed', 't1', 'user',
       toString(number % 7), generateUUIDv7(), '0000000000a', number
FROM numbers(1, 1000)
"""
#: The machine that runs the tests may have a disk that is nearly full, which is no matter of theirs.
OF_THE_MACHINE = "disk_room"


@pytest.fixture
def store(migrated_client: Any) -> Any:
    """A client on a healthy store."""
    migrated_client.command(FILL)
    return migrated_client


Examine = Callable[..., dict[str, Finding]]


@pytest.fixture
def examine_all(chdb_url: str) -> Examine:
    """Run all checks (that do not depend on the machine) on a client's database."""

    def run(client: Any, **options: Any) -> dict[str, Finding]:
        checks = [check for check in CHECKS if check.name != OF_THE_MACHINE]
        return {finding.check: finding for finding in examine(client, parse(chdb_url), checks=checks, **options)}

    return run


@pytest.fixture
def problems(examine_all: Examine) -> Examine:
    """As ``examine_all``, without what is fine."""

    def run(client: Any, **options: Any) -> dict[str, Finding]:
        return {name: finding for name, finding in examine_all(client, **options).items() if finding.is_problem}

    return run
