"""Questions read no more than they say: what the engine's own plan tells about blocks of rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from activitylog.queries import question
from tests.conftest import MakeDatabase

pytestmark = pytest.mark.slow

_HOURS = 120
_ROWS_AN_HOUR = 8200


@pytest.fixture(scope="module")
def blocks(make_migrated: MakeDatabase) -> Iterator[Any]:
    """Five days with more than a block of rows each hour, in one part."""
    with make_migrated() as client:
        client.command(
            "INSERT INTO activity_events "
            "(Timestamp, EventName, TenantId, ActorType, ActorId, ObjectId, SessionId, TraceId, DurationUs, "
            "Producer, Seq) SELECT toDateTime64('2026-03-01 00:00:00', 9, 'UTC') "
            f"+ toIntervalSecond(intDiv(number * 3600, {_ROWS_AN_HOUR})), "
            "concat('e', toString(number % 5)), concat('t', toString(number % 3)), "
            "'user', toString(cityHash64(number) % 50000), toString(number), "
            "concat('s', toString(intDiv(number, 10))), lower(hex(cityHash64(number, 1))), "
            "number % 100 + 1, 'p', number + 1 "
            f"FROM numbers({_HOURS * _ROWS_AN_HOUR}) SETTINGS min_insert_block_size_rows = 1000000"
        )
        yield client


def _granules(client: Any, name: str, **given: Any) -> list[tuple[int, int]]:
    """For each reading of the table of events: blocks that are read, and blocks that there are."""
    asked = question(name)
    lines = client.query(f"EXPLAIN indexes = 1 {asked.sql}", parameters=asked.values(given)).result_rows
    found = []
    total = 0
    for text in (line for (line,) in lines):
        if "ReadFromMergeTree" in text:
            found.append(("activity_events)" in text, 0, 0))
        elif match := re.search(r"Granules: (\d+)/(\d+)", text):
            total = max(found[-1][2], int(match[2]))
            found[-1] = (found[-1][0], int(match[1]), total)
    return [(read, there) for is_events, read, there in found if is_events]


class TestPruning:
    """``EXPLAIN indexes = 1``."""

    @pytest.mark.parametrize(
        "name",
        [
            "top-actors", "busiest-hours", "failures-by-route", "failures", "slow-operations", "denial-bursts",
            "sessions", "session-lengths", "next-events", "estimates", "duplicates", "silent", "gaps", "funnel",
            "rollup-coverage",
        ],
    )  # fmt: skip
    def test_a_day_of_five(self, blocks: Any, name: str) -> None:
        """The newest day is a fifth of the rows, and no more than that and two blocks are read."""
        readings = [(read, there) for read, there in _granules(blocks, name, days=1) if read]
        assert readings, name
        for read, there in readings:
            assert there > 100
            # rollup-coverage takes whole days: the day before, too
            assert read <= there * (0.41 if name == "rollup-coverage" else 0.21) + 2, (name, read, there)

    @pytest.mark.parametrize(
        "name", ["events-by-hour", "failures-by-hour", "volume", "outcomes", "durations", "event-counts"]
    )
    def test_only_the_ends_of_a_range(self, blocks: Any, name: str) -> None:
        """The roll-up has the whole hours: of the rows at most the two hours at the ends are read."""
        for read, _ in _granules(blocks, name, since="2026-03-02 10:20", until="2026-03-04 07:30"):
            assert read <= 6, name
        if name != "event-counts":
            assert all(read == 0 for read, _ in _granules(blocks, name)), name

    def test_whole_days_are_not_read(self, blocks: Any) -> None:
        """The roll-up by actor has the whole days: of a range of whole days only what borders on it is read."""
        assert all(read == 0 for read, _ in _granules(blocks, "unique-actors-per-day"))
        for read, _ in _granules(blocks, "unique-actors-per-day", since="2026-03-02", until="2026-03-04"):
            assert read <= 6

    def test_one_actor_object_trace_session(self, blocks: Any) -> None:
        """An id leads to few blocks, over all time, as an object as well as a target."""
        for name, given in (
            ("object-history", {"object": "77777"}),
            ("trace-or-request", {"id": "0123456789abcdef"}),
            ("session-replay", {"session": "s777"}),
        ):
            read, there = _granules(blocks, name, **given)[-1]
            assert read <= there * 0.1, (name, read, there)
        assert _granules(blocks, "actor-timeline", actor="4711")[-1][0] < _granules(blocks, "newest")[-1][1] * 0.4

    def test_newest_reads_backwards(self, blocks: Any) -> None:
        """The newest events are read in the order of the table, from its end."""
        asked = question("newest")
        lines = blocks.query(f"EXPLAIN indexes = 1 {asked.sql}", parameters=asked.values({})).result_rows
        assert any("Read type: InReverseOrder" in line for (line,) in lines)
