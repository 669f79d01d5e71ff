"""The load balancer before two gateways with TLS: whose events come to which, and that each comes once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from otel_otlp import OTLPGRPCLogExporter
from tests.closed_afterwards import closed_afterwards
from tests.collector.arrivals import Arrivals
from tests.collector.authority import Authority
from tests.collector.deployment import behind
from tests.collector.otelcol import Otelcol
from tests.collector.service import Service
from tests.otel_clickhouse.records import record
from tests.serving import ServedStore
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

ACTORS: Final = 60
ROUNDS: Final = 4


class Gateways(NamedTuple):
    """Two, each in front of a database of its own."""

    running: tuple[Otelcol, Otelcol]
    arrivals: tuple[Arrivals, Arrivals]
    authority: Authority

    def wait_for(self, name: str, events: int) -> None:
        """Until so many rows of an event are in both databases together."""
        wait_until(lambda: sum(one.of(name)[0] for one in self.arrivals) >= events)

    def groups(self, name: str, column: str) -> tuple[Mapping[Any, int], Mapping[Any, int]]:
        """How many different events each gateway has of each value of a column; every row is a different one."""
        first, second = (self._groups(one, name, column) for one in self.arrivals)
        return first, second

    @staticmethod
    def _groups(arrivals: Arrivals, name: str, column: str) -> Mapping[Any, int]:
        identity = "(EventId, LogAttributes['order.id'])"
        rows = arrivals.ask(
            f"SELECT {column}, count(), uniqExact({identity}) FROM activity_events "
            f"WHERE EventName = '{name}' GROUP BY 1"
        )
        assert all(rows == different for _, rows, different in rows)
        return {value: rows for value, rows, _ in rows}


@pytest.fixture(scope="module")
def gateways(
    otelcol: None, served_store: ServedStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateways]:
    """Their certificate is for the name ``gateway``."""
    folder = tmp_path_factory.mktemp("gateways")
    authority = Authority(folder)
    server = authority.identity("server", names=["gateway"])
    shown = {"TLS_CERT_FILE": str(server.certificate), "TLS_KEY_FILE": str(server.key)}
    first, second = (Arrivals(served_store, f"balanced_{number}") for number in (1, 2))
    files = ["gateway.yaml", "overlays/tls.yaml"]
    with (
        Otelcol(files, folder / "1", environment=behind(served_store, first.database, **shown)) as one,
        Otelcol(files, folder / "2", environment=behind(served_store, second.database, **shown)) as other,
    ):
        yield Gateways((one, other), (first, second), authority)
    first.close()
    second.close()


Balance = Callable[..., Otelcol]


@pytest.fixture
def balance(gateways: Gateways, tmp_path: Path) -> Iterator[Balance]:
    """Start a load balancer, with more settings of its exporter."""

    def make(**settings: Any) -> Otelcol:
        resolver = {"dns": None, "static": {"hostnames": [one.grpc for one in gateways.running]}}
        overlay = tmp_path / "overlay.yaml"
        overlay.write_text(json.dumps({"exporters": {"load_balancing": {"resolver": resolver, **settings}}}))
        return Otelcol(
            ["load-balancer.yaml", "overlays/tls-to-gateways.yaml", overlay],
            tmp_path / "balancer",
            environment={"GATEWAY_CA_FILE": str(gateways.authority.file)},
        )

    yield from closed_afterwards(make, lambda balancer: balancer.__exit__(None, None, None))


def test_all_events_of_an_actor_come_to_one_gateway(balance: Balance, gateways: Gateways, tmp_path: Path) -> None:
    """Actors are spread over both; every event arrives once."""
    balancer = balance()
    with Service(f"otlp://{balancer.grpc}", tmp_path / "service", {}) as service:
        for number in range(1, ROUNDS + 1):
            service.emit("by.actor", ACTORS)
            wait_until(lambda events=number * ACTORS: service.stats()["delivered"] == events)  # type: ignore[misc]
    gateways.wait_for("by.actor", ROUNDS * ACTORS)
    first, second = gateways.groups("by.actor", "ActorId")
    assert not set(first) & set(second)
    assert {**first, **second} == {str(number): ROUNDS for number in range(ACTORS)}
    assert min(len(first), len(second)) >= ACTORS // 5
    assert balancer.metric("otelcol_exporter_send_failed_log_records") == 0


def test_events_without_an_actor_come_to_one_gateway(balance: Balance, gateways: Gateways) -> None:
    """All of them to the same."""
    balancer = balance()
    _send(balancer, "no.actor", [0] * ACTORS)
    gateways.wait_for("no.actor", ACTORS)
    first, second = gateways.groups("no.actor", "ActorId")
    assert [*first.values(), *second.values()] == [ACTORS]


def test_all_events_of_a_trace_come_to_one_gateway(balance: Balance, gateways: Gateways) -> None:
    """With ``routing_key: traceID``; traces are spread over both, and so are events without one."""
    balancer = balance(routing_key="traceID", routing_attributes=[])
    for _ in range(ROUNDS):
        _send(balancer, "by.trace", range(1, ACTORS + 1))
    _send(balancer, "no.trace", [0] * ACTORS)
    gateways.wait_for("by.trace", ROUNDS * ACTORS)
    first, second = gateways.groups("by.trace", "TraceId")
    assert not set(first) & set(second)
    assert sorted({**first, **second}.values()) == [ROUNDS] * ACTORS
    assert min(len(first), len(second)) >= ACTORS // 5
    gateways.wait_for("no.trace", ACTORS)
    assert all(one.of("no.trace")[0] for one in gateways.arrivals)


def test_a_gateway_that_is_away(balance: Balance, gateways: Gateways) -> None:
    """
    Nothing is lost. What is for the other gateway goes there again with each attempt of the whole request: at
    least once, and ``EventId`` tells.
    """
    retry = {"initial_interval": "100ms", "max_interval": "200ms"}
    inner = {"retry_on_failure": {**retry, "max_elapsed_time": "300ms"}}
    balancer = balance(protocol={"otlp": inner}, retry_on_failure=retry)
    away = gateways.running[1]
    away.kill()
    try:
        _send(balancer, "away", range(ACTORS), actors=True)
        wait_until(lambda: gateways.arrivals[0].of("away")[0] > 2 * gateways.arrivals[0].of("away")[1] > 0)
        assert balancer.metric("otelcol_exporter_queue_size") > 0
        assert balancer.metric("otelcol_exporter_send_failed_log_records") == 0
    finally:
        away.start()
    wait_until(lambda: sum(one.of("away")[1] for one in gateways.arrivals) == ACTORS)
    rows, different = gateways.arrivals[1].of("away")
    assert 0 < different <= rows
    wait_until(lambda: balancer.metric("otelcol_exporter_queue_size") == 0)


_orders = iter(range(1_000_000))


def _send(balancer: Otelcol, name: str, traces: Iterable[int], *, actors: bool = False) -> None:
    """One batch with an event for each trace, by one actor each or by nobody."""
    exporter = OTLPGRPCLogExporter(f"http://{balancer.grpc}")
    batch = [
        record(
            {"order.id": next(_orders), **({"user.id": str(trace)} if actors else {})},
            event_name=name,
            trace_id=trace and (trace << 64 | 7),
        )
        for trace in traces
    ]
    assert exporter.export(batch).name == "SUCCESS"
    exporter.shutdown()
