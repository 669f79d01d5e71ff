"""
What agent and gateway store is what the direct exporter stores: every row, column and alias.

Real Collectors, real OTLP over gRPC and HTTP, real inserts into ``activitylog serve``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from opentelemetry.sdk._logs import ReadableLogRecord

from activitylog.cli.demo_service import generate
from tests.collector.ways import TwoWays, different, two_ways
from tests.end_to_end.records import ODD_UUIDS, UUID_TEXT, record, records
from tests.end_to_end.ways import records_of
from tests.serving import ServedStore

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["grpc", "http"])
def ways(
    request: pytest.FixtureRequest, otelcol: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TwoWays]:
    """Both ways into one store."""
    folder = tmp_path_factory.mktemp(request.param)
    with ServedStore(folder / "store") as store, two_ways(store, folder, http=request.param == "http") as found:
        yield found


def _with_values(records: list[ReadableLogRecord]) -> list[ReadableLogRecord]:
    """Without the attributes that have none: :meth:`TestTwoWaysIn.test_what_differs` is about those."""
    for one in records:
        attributes = one.log_record.attributes or {}
        one.log_record.attributes = {name: value for name, value in attributes.items() if value is not None}
    return records


class TestTwoWaysIn:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(records=records().map(_with_values))
    @example(records=[record(0, {"text": "", "empty": [], "map": {}, "nested": {"a": [1, 2.0, None]}})])
    @example(records=[record(0, {"b": b"\x00\xff", "l": [b"x", "y"], "n": [1, None, True], "": "no name"})])
    @example(records=[record(0, {"surrogate": "x\ud800", "big": 2**70}, {"body": [1.0, None]})])
    @example(records=[record(0, timestamp=0, observed_timestamp=17)])
    @example(records=[record(0, resource={"a": 1.0, "b": [1, 2], "c": b"x"}, scope={"d": True})])
    def test_any_record(self, ways: TwoWays, records: list[ReadableLogRecord]) -> None:
        """Records of any kind: every type of value, odd names, numbers and ids as text."""
        ways.check(records)

    def test_floats(self, ways: TwoWays) -> None:
        """Floats are the same texts, as attributes and in lists."""
        floats = (0.0, -0.0, 1.0, 0.1, 1e20, 1e21, 1e-6, 1e-7, 5e-324, float("nan"), float("inf"), float("-inf"))
        ways.check([record(number, {"f": value, "l": [value]}) for number, value in enumerate(floats)])

    def test_what_differs(self, ways: TwoWays) -> None:
        """What collector-config/OPERATORS.md says is not the same, and nothing else."""
        direct, collected = ways.rows(
            [
                record(0, {"none": None}),
                record(1, {"activity.event.name": "its.own"}),
                record(2, {"numbers": [2**70]}),
            ]
        )
        found = [
            {name: pair for name, pair in different(*rows).items() if name != "LogAttributes"}
            for rows in zip(direct, collected, strict=True)
        ]
        assert found == [
            {"Attributes": ({}, {"none": ""})},
            {"Attributes": ({"activity.event.name": "its.own"}, {})},
            {"Attributes": ({"numbers": "[1180591620717411303424]"}, {"numbers": '["1180591620717411303424"]'})},
        ]

    def test_numbers_and_ids_as_text(self, ways: TwoWays) -> None:
        """What only looks like a number or an id stays a text on both ways."""
        texts = ["0", "007", "1e3", "-5", "65536", " 7", "1.50", "", "1e21", "18446744073709551616"]
        names = ["activity.count", "activity.duration", "http.response.status_code", "activity.sample.weight"]
        made = [record(0, dict.fromkeys(names, text)) for text in texts]
        made += [record(0, {"log.record.uid": text}) for text in (UUID_TEXT, *ODD_UUIDS)]
        for number, one in enumerate(made):
            one.log_record.span_id = number + 1
        ways.check(made)

    def test_times(self, ways: TwoWays) -> None:
        """Nanoseconds are kept, from the first one of 1970 to the last one that 64 bits hold."""
        times = [1, 999, 1_000, 1_767_225_600_123_456_789, 2**63 - 1]
        ways.check([record(number, timestamp=time) for number, time in enumerate(times)])

    def test_events_of_a_service(self, ways: TwoWays) -> None:
        """What a service emits, through the real chain."""
        events: Any = generate(5_000, seed=3, end_ns=time.time_ns())
        ways.check(list(records_of(islice(events, 5_000))), order="Seq")
