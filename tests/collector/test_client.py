"""
The OTLP way of a client into a real Collector: variables, TLS, tokens, limits and a full queue.

What a client cannot deliver it keeps, says why and what to do about it, and delivers once that is done.
"""

from __future__ import annotations

import os
import random
import signal
import string
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from otel_otlp import OTLPExporter, OTLPGRPCLogExporter, OTLPHTTPLogExporter
from tests.closed_afterwards import closed_afterwards
from tests.collector.arrivals import Arrivals
from tests.collector.authority import Authority, Identity, put
from tests.collector.deployment import behind
from tests.collector.otelcol import CONFIG, Otelcol
from tests.collector.service import Service, environment, run
from tests.otel_clickhouse.records import record
from tests.otel_otlp.records import deliver
from tests.serving import ServedStore
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

EVENTS: Final = 20
TLS: Final = "overlays/tls.yaml"
MTLS: Final = "overlays/mtls.yaml"
AUTH: Final = "overlays/auth.yaml"
#: Certificates are looked at on disk all the time, instead of once an hour.
QUICK_RELOAD: Final = (
    "receivers: {otlp: {protocols: {grpc: {tls: {reload_interval: 50ms}}, http: {tls: {reload_interval: 50ms}}}}}"
)
NOTHING: Final = "{}"
SMALL: Final = (
    "receivers: {otlp: {protocols: {grpc: {max_recv_msg_size_mib: 1}, http: {max_request_body_size: 1048576}}}}"
)


@dataclass(frozen=True, slots=True)
class Way:
    """gRPC or HTTP."""

    kind: str

    @property
    def http(self) -> bool:
        """Whether it is HTTP."""
        return self.kind == "otel_otlp_http"

    def address(self, gateway: Otelcol) -> str:
        """Host and port."""
        return gateway.http if self.http else gateway.grpc

    def url(self, gateway: Otelcol, *, secure: bool = False) -> str:
        """For ``activitylog.configure``."""
        scheme = ("otlp+https" if secure else "otlp+http") if self.http else ("otlps" if secure else "otlp")
        return f"{scheme}://{self.address(gateway)}"

    def exporter(self, gateway: Otelcol, **values: Any) -> OTLPExporter:
        """In this process."""
        if self.http:
            return OTLPHTTPLogExporter(f"http://{gateway.http}/v1/logs", **values)
        return OTLPGRPCLogExporter(f"http://{gateway.grpc}", **values)


@pytest.fixture(params=["otel_otlp_grpc", "otel_otlp_http"], ids=["grpc", "http"])
def way(request: pytest.FixtureRequest) -> Way:
    """Each of both."""
    return Way(request.param)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(os.environ) - set(environment({})):
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def arrivals(otelcol: None, served_store: ServedStore) -> Iterator[Arrivals]:
    """Behind the gateways of this module."""
    found = Arrivals(served_store, "client")
    yield found
    found.close()


@pytest.fixture(scope="module")
def gateway(
    arrivals: Arrivals, served_store: ServedStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Otelcol]:
    """One without TLS."""
    told = behind(served_store, arrivals.database)
    with Otelcol(["gateway.yaml"], tmp_path_factory.mktemp("plain"), environment=told) as found:
        yield found


Gateways = Callable[..., Otelcol]


@pytest.fixture
def gateways(arrivals: Arrivals, served_store: ServedStore, tmp_path: Path) -> Iterator[Gateways]:
    """Make gateways: of overlays, with variables."""

    def make(*overlays: str | Path, **variables: object) -> Otelcol:
        told = {name: str(value) for name, value in variables.items()}
        return Otelcol(
            ["gateway.yaml", *overlays],
            tmp_path / "gateway",
            environment=behind(served_store, arrivals.database, **told),
        )

    yield from closed_afterwards(make, lambda gateway: gateway.__exit__(None, None, None))


Services = Callable[..., Service]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Make services that have one folder after the other."""

    def make(url: str, **variables: object) -> Service:
        return Service(url, tmp_path / "service", variables)

    yield from closed_afterwards(make, Service.kill)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who is trusted."""
    return Authority(tmp_path)


@pytest.fixture
def other(tmp_path: Path) -> Authority:
    """Who is not."""
    return Authority(tmp_path, "other")


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Write an overlay of the test."""

    def write(text: str) -> Path:
        file = tmp_path / "overlay.yaml"
        file.write_text(text)
        return file

    return write


@contextmanager
def starting(gateway: Otelcol) -> Iterator[None]:
    """A gateway that does not come at once: it is there at the end."""
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(gateway.start)
        yield
        started.result()


def shown(server: Identity) -> dict[str, object]:
    """What a gateway shows."""
    return {"TLS_CERT_FILE": server.certificate, "TLS_KEY_FILE": server.key}


def trusting(file: Path) -> dict[str, object]:
    """What a client trusts."""
    return {"OTEL_EXPORTER_OTLP_CERTIFICATE": file}


def showing(client: Identity) -> dict[str, object]:
    """What a client shows."""
    return {
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": client.certificate,
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": client.key,
    }


def assert_kept(service: Service, arrivals: Arrivals, name: str, *words: str) -> None:
    """Events that cannot be delivered wait on disk, attempts go on, and a log line has the words."""
    service.emit(name, EVENTS)
    wait_until(lambda: "wait for the next attempt" in service.said())
    wait_until(lambda: service.stats()["retries"] > 1)
    assert_waiting(service)
    assert arrivals.of(name) == (0, 0)
    for word in words:
        assert word in service.said()


def assert_waiting(service: Service) -> None:
    """All is on disk, and nothing is given up."""
    stats = service.stats()
    assert (stats["accepted"], stats["delivered"], stats["spooled"], stats["dropped"]) == (EVENTS, 0, EVENTS, {})


def assert_delivered(service: Service, arrivals: Arrivals, name: str) -> None:
    """All of it, once."""
    wait_until(lambda: service.stats()["delivered"] == EVENTS)
    assert arrivals.wait_for(name, EVENTS) == (EVENTS, EVENTS)
    assert service.stats()["dropped"] == {}


class TestVariables:
    @pytest.mark.parametrize(
        "variables",
        [
            {},
            {"COMPRESSION": "gzip"},
            {"COMPRESSION": "none", "TIMEOUT": "9000"},
            {"ENDPOINT": "http://127.0.0.1:1", "LOGS_ENDPOINT": "{logs}"},
            {"COMPRESSION": "none", "LOGS_COMPRESSION": "gzip", "LOGS_TIMEOUT": "9", "HEADERS": "x-tenant=a%2Cb"},
        ],
        ids=["endpoint", "gzip", "none", "endpoint for logs", "of logs"],
    )
    def test_an_exporter(
        self, way: Way, gateway: Otelcol, arrivals: Arrivals, variables: Mapping[str, str], request: Any
    ) -> None:
        """It needs no code: an endpoint is a base, and the one for logs is used as it is, before the other."""
        base = f"http://{way.address(gateway)}"
        logs = f"{base}/v1/logs" if way.http else base
        told = {"ENDPOINT": base, **variables}
        name = f"variables.{request.node.callspec.id}"
        done = run(
            way.kind, name, EVENTS, {f"OTEL_EXPORTER_OTLP_{key}": told[key].format(logs=logs) for key in told}
        )
        assert (done["result"], done["dropped"]) == ("SUCCESS", {})
        assert arrivals.wait_for(name, EVENTS) == (EVENTS, EVENTS)

    def test_grpc_without_a_scheme(self, gateway: Otelcol, arrivals: Arrivals) -> None:
        """``INSECURE`` says that there is no TLS."""
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": gateway.grpc, "OTEL_EXPORTER_OTLP_INSECURE": "true"}
        assert run("otel_otlp_grpc", "no.scheme", EVENTS, told)["result"] == "SUCCESS"
        assert arrivals.wait_for("no.scheme", EVENTS) == (EVENTS, EVENTS)

    def test_opentelemetry_configures_itself(self, way: Way, gateway: Otelcol, arrivals: Arrivals) -> None:
        """By the name of the exporter."""
        told = {
            "OTEL_LOGS_EXPORTER": way.kind,
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{way.address(gateway)}",
        }
        assert run("auto", f"auto.{way.kind}", EVENTS, told)["result"] == "SUCCESS"
        assert arrivals.wait_for(f"auto.{way.kind}", EVENTS) == (EVENTS, EVENTS)

    def test_activitylog(self, way: Way, gateway: Otelcol, arrivals: Arrivals, services: Services) -> None:
        """One URL."""
        service = services(way.url(gateway))
        service.emit(f"url.{way.kind}", EVENTS)
        assert_delivered(service, arrivals, f"url.{way.kind}")

    def test_timeout(
        self, way: Way, gateway: Otelcol, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A Collector that hangs costs the timeout, and the batch comes again. It may find the first attempt when it
        goes on, and then has the batch twice: at least once.
        """
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1500")
        exporter = way.exporter(gateway)
        batch = [record({"order.id": number}, event_name=f"hang.{way.kind}") for number in range(EVENTS)]
        os.kill(gateway.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            answer = deliver(exporter, batch)
            took = time.monotonic() - began
        finally:
            os.kill(gateway.pid, signal.SIGCONT)
        assert (answer.status, answer.reason) == ("retry", "timeout" if way.http else "grpc_deadline_exceeded")
        assert 1.4 < took < 8
        assert deliver(exporter, batch).status == "delivered"
        exporter.shutdown()
        rows, different = arrivals.wait_for(f"hang.{way.kind}", EVENTS)
        assert different == EVENTS
        assert rows in (EVENTS, 2 * EVENTS)

    def test_a_compression_that_the_server_does_not_take(
        self, arrivals: Arrivals, gateways: Gateways, services: Services, written: Callable[[str], Path]
    ) -> None:
        """Over HTTP the Collector says 400 to it, which is about any batch: it waits for who puts that right."""
        overlay = written('receivers: {otlp: {protocols: {http: {compression_algorithms: [""]}}}}')
        gateway = gateways(overlay)
        service = services(Way("otel_otlp_http").url(gateway), OTEL_EXPORTER_OTLP_COMPRESSION="gzip")
        assert_kept(
            service, arrivals, "gzip.refused", "unsupported Content-Encoding: gzip", "Check path and compression"
        )
        overlay.write_text("receivers: {otlp: {protocols: {http: {compression_algorithms: [gzip]}}}}")
        gateway.kill()
        gateway.start()
        assert_delivered(service, arrivals, "gzip.refused")


class TestTLS:
    def test_another_authority(
        self,
        way: Way,
        arrivals: Arrivals,
        gateways: Gateways,
        services: Services,
        authority: Authority,
        other: Authority,
        tmp_path: Path,
    ) -> None:
        """Who is not trusted gets nothing; the file that is put right is read by the same process."""
        gateway = gateways(TLS, **shown(authority.identity("server")))
        trusted = tmp_path / "trusted.pem"
        put(trusted, other.file.read_bytes())
        service = services(way.url(gateway, secure=True), **trusting(trusted))
        name = f"untrusted.{way.kind}"
        said = f"of no authority that is trusted here ({trusted}): give the PEM file of its authority in"
        assert_kept(service, arrivals, name, f"{said} OTEL_EXPORTER_OTLP_CERTIFICATE")
        put(trusted, authority.file.read_bytes())
        assert_delivered(service, arrivals, name)

    def test_an_expired_certificate_is_renewed(
        self,
        way: Way,
        arrivals: Arrivals,
        gateways: Gateways,
        services: Services,
        authority: Authority,
        written: Callable[[str], Path],
    ) -> None:
        """On the disk of the gateway: neither it nor the service is started anew."""
        gateway = gateways(TLS, written(QUICK_RELOAD), **shown(authority.identity("server", expired=True)))
        service = services(way.url(gateway, secure=True), **trusting(authority.file))
        name = f"expired.{way.kind}"
        assert_kept(service, arrivals, name, "The server's certificate is not valid now: renew it")
        authority.identity("server")
        assert_delivered(service, arrivals, name)

    def test_another_name(
        self, way: Way, arrivals: Arrivals, gateways: Gateways, services: Services, authority: Authority
    ) -> None:
        """A certificate is for its names only."""
        server = authority.identity("server", names=["elsewhere.example"])
        service = services(way.url(gateways(TLS, **shown(server)), secure=True), **trusting(authority.file))
        assert_kept(service, arrivals, f"named.{way.kind}", "The server's certificate is for another name")

    @pytest.mark.parametrize("secure", [False, True], ids=["plain text to TLS", "TLS to plain text"])
    def test_one_side_alone(
        self,
        way: Way,
        arrivals: Arrivals,
        gateways: Gateways,
        services: Services,
        authority: Authority,
        written: Callable[[str], Path],
        secure: bool,
    ) -> None:
        """Nothing is sent, and the line says which side has TLS. The gateway is put right."""
        with_tls = (CONFIG / TLS).read_text()
        overlay = written(NOTHING if secure else with_tls)
        gateway = gateways(overlay, **shown(authority.identity("server")))
        service = services(way.url(gateway, secure=secure), **trusting(authority.file))
        name = f"one.side.{way.kind}.{secure}"
        with_http = "the server expects TLS. Set the endpoint to https://"
        with_grpc = "Perhaps it expects TLS: then set the endpoint to https://"
        hint = "The server speaks no TLS at this port" if secure else with_http if way.http else with_grpc
        assert_kept(service, arrivals, name, hint)
        overlay.write_text(with_tls if secure else NOTHING)
        gateway.kill()
        gateway.start()
        assert_delivered(service, arrivals, name)

    @pytest.mark.parametrize("records", [1, 100, 20_000])
    def test_plain_text_to_tls_of_any_size(self, gateways: Gateways, authority: Authority, records: int) -> None:
        """The Collector says 400 and resets the connection: no batch is refused, however little can be read."""
        gateway = gateways(TLS, **shown(authority.identity("server")))
        exporter = Way("otel_otlp_http").exporter(gateway)
        batch = [record({"order.id": number}) for number in range(records)]
        for _ in range(5):
            answer = deliver(exporter, batch)
            assert (answer.status, "https://" in answer.detail) == ("retry", True), answer
        exporter.shutdown()

    @pytest.mark.parametrize("content", ["", "rubbish"], ids=["missing", "rubbish"])
    def test_a_file_that_cannot_be_used(
        self,
        way: Way,
        arrivals: Arrivals,
        gateways: Gateways,
        services: Services,
        authority: Authority,
        tmp_path: Path,
        content: str,
    ) -> None:
        """It is named, and read when it is there."""
        gateway = gateways(TLS, **shown(authority.identity("server")))
        trusted = tmp_path / "trusted.pem"
        if content:
            trusted.write_text(content)
        service = services(way.url(gateway, secure=True), **trusting(trusted))
        name = f"file.{way.kind}.{content}"
        assert_kept(service, arrivals, name, str(trusted), "cannot be used")
        put(trusted, authority.file.read_bytes())
        assert_delivered(service, arrivals, name)


class TestMutualTLS:
    def test_without_a_certificate(
        self, way: Way, arrivals: Arrivals, gateways: Gateways, services: Services, authority: Authority
    ) -> None:
        """Events wait for a process that has one."""
        server = shown(authority.identity("server"))
        gateway = gateways(TLS, MTLS, TLS_CLIENT_CA_FILE=authority.file, **server)
        url, name = way.url(gateway, secure=True), f"mtls.{way.kind}"
        first = services(url, **trusting(authority.file))
        assert_kept(first, arrivals, name, "client certificate", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")
        first.kill()
        second = services(url, **trusting(authority.file), **showing(authority.identity("client")))
        wait_until(lambda: second.stats()["recovered"] == EVENTS)
        assert arrivals.wait_for(name, EVENTS) == (EVENTS, EVENTS)

    def test_a_certificate_of_another_authority(
        self,
        way: Way,
        arrivals: Arrivals,
        gateways: Gateways,
        services: Services,
        authority: Authority,
        other: Authority,
        tmp_path: Path,
    ) -> None:
        """It is named; the authorities of clients are read again by the gateway."""
        clients = tmp_path / "clients.pem"
        put(clients, authority.file.read_bytes())
        server = shown(authority.identity("server"))
        gateway = gateways(TLS, MTLS, TLS_CLIENT_CA_FILE=clients, **server)
        client = other.identity("client")
        service = services(way.url(gateway, secure=True), **trusting(authority.file), **showing(client))
        name = f"mtls.other.{way.kind}"
        assert_kept(service, arrivals, name, "client certificate")
        assert not way.http or f"seems not to take the client certificate {client.certificate}" in service.said()
        put(clients, authority.file.read_bytes() + other.file.read_bytes())
        assert_delivered(service, arrivals, name)


class TestToken:
    TOKEN: Final = "the-right-token"

    def test_the_right_one(
        self, way: Way, arrivals: Arrivals, gateways: Gateways, authority: Authority, tmp_path: Path
    ) -> None:
        """Percent-encoded in the variable, over TLS."""
        put(tmp_path / "tokens", f"another-token\n{self.TOKEN} of the shop\n".encode())
        server = shown(authority.identity("server"))
        gateway = gateways(TLS, AUTH, TOKENS_FILE=tmp_path / "tokens", **server)
        told = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"https://{way.address(gateway)}",
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{self.TOKEN}",
            **trusting(authority.file),
        }
        assert run(way.kind, f"token.{way.kind}", EVENTS, told)["result"] == "SUCCESS"
        assert arrivals.wait_for(f"token.{way.kind}", EVENTS) == (EVENTS, EVENTS)

    @pytest.mark.parametrize("header", ["", f"authorization=Bearer%20{TOKEN}"], ids=["none", "wrong"])
    def test_events_wait_for_it(
        self, way: Way, arrivals: Arrivals, gateways: Gateways, services: Services, tmp_path: Path, header: str
    ) -> None:
        """They are not given up, and go when the gateway has the token; a service without one is started anew."""
        tokens = tmp_path / "tokens"
        put(tokens, b"another-token\n")
        gateway = gateways(AUTH, TOKENS_FILE=tokens)
        service = services(way.url(gateway), **({"OTEL_EXPORTER_OTLP_HEADERS": header} if header else {}))
        name = f"token.wait.{way.kind}.{bool(header)}"
        said = [
            "HTTP 401" if way.http else "UNAUTHENTICATED",
            "Check the credentials in OTEL_EXPORTER_OTLP_HEADERS",
        ]
        assert_kept(service, arrivals, name, *said)
        assert self.TOKEN not in service.said()
        put(tokens, f"another-token\n{self.TOKEN}\n".encode())
        if header:
            assert_delivered(service, arrivals, name)
            return
        wait_until(lambda: gateway.said().count("refresh token") > 1)
        assert_waiting(service)
        service.kill()
        second = services(way.url(gateway), OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{self.TOKEN}")
        wait_until(lambda: second.stats()["recovered"] == EVENTS)
        assert arrivals.wait_for(name, EVENTS) == (EVENTS, EVENTS)

    def test_a_file_that_comes_late(
        self, way: Way, arrivals: Arrivals, gateways: Gateways, services: Services, tmp_path: Path
    ) -> None:
        """A gateway takes nothing before it has tokens; one that was given them and lost the file goes on."""
        tokens = tmp_path / "tokens"
        put(tokens, f"{self.TOKEN}\n".encode())
        gateway = gateways(AUTH, TOKENS_FILE=tokens)
        header = {"OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{self.TOKEN}"}
        service, name = services(way.url(gateway), **header), f"token.late.{way.kind}"
        gateway.kill()
        tokens.unlink()
        with starting(gateway):
            wait_until(lambda: "retrying to read credentials file" in gateway.said())
            assert_kept(service, arrivals, name)
            put(tokens, f"{self.TOKEN}\n".encode())
        assert_delivered(service, arrivals, name)
        tokens.unlink()
        wait_until(lambda: "keeping last value" in gateway.said())
        service.emit(f"{name}.more", EVENTS)
        assert arrivals.wait_for(f"{name}.more", EVENTS) == (EVENTS, EVENTS)


class TestTooLarge:
    @pytest.mark.parametrize("compression", ["none", "gzip"])
    def test_halves(
        self,
        way: Way,
        arrivals: Arrivals,
        gateways: Gateways,
        written: Callable[[str], Path],
        compression: str,
    ) -> None:
        """Ten times what the gateway takes arrives, once; a record that is too large by itself is lost."""
        gateway = gateways(written(SMALL))
        exporter = way.exporter(gateway, compression=compression)
        name = f"large.{way.kind}.{compression}"
        noise = "".join(random.Random(7).choices(string.printable, k=1_200_000))
        batch = [
            record({"order.id": number, "noise": noise[number * 1_000 :][:250_000]}, event_name=name)
            for number in range(40)
        ]
        answer = deliver(exporter, batch)
        assert (answer.status, answer.reason) == ("refused", "too_large"), answer.detail
        assert exporter.export(batch).name == "SUCCESS"
        assert arrivals.wait_for(name, 40) == (40, 40)
        batch[7] = record({"order.id": 7, "noise": noise}, event_name=f"{name}.more")
        batch[8] = record({"order.id": 8}, event_name=f"{name}.more")
        assert exporter.export(batch[6:10]).name == "FAILURE"
        assert exporter.dropped() == {"too_large": 1}
        assert arrivals.wait_for(f"{name}.more", 1) == (1, 1)
        exporter.shutdown()

    def test_unpacked_it_is(self, way: Way, gateways: Gateways, written: Callable[[str], Path]) -> None:
        """The limit is one of the bytes after decompression, too."""
        exporter = way.exporter(gateways(written(SMALL)), compression="gzip")
        answer = deliver(exporter, [record({"blank": " " * 250_000}) for _ in range(10)])
        assert (answer.status, answer.reason) == ("refused", "too_large")
        assert way.http or "after decompression" in answer.detail
        exporter.shutdown()

    def test_through_the_spool(
        self,
        way: Way,
        arrivals: Arrivals,
        gateways: Gateways,
        services: Services,
        written: Callable[[str], Path],
    ) -> None:
        """A batch of 3,000 events of 2 KiB."""
        service = services(way.url(gateways(written(SMALL))), ACTIVITYLOG_SCHEDULE_DELAY_MILLIS=1_000)
        name = f"large.spool.{way.kind}"
        service.emit(name, 3_000, text="x" * 2_000)
        wait_until(lambda: service.stats()["delivered"] == 3_000)
        assert arrivals.wait_for(name, 3_000) == (3_000, 3_000)
        assert service.stats()["dropped"] == {}


class TestFullQueue:
    def test_events_wait_with_the_client(
        self, way: Way, otelcol: None, services: Services, tmp_path: Path
    ) -> None:
        """
        The store is away, and the gateway's queue is full: it refuses what does not fit, the client keeps that,
        and when the store is back all events are there once.
        """
        name = f"full.{way.kind}"
        with ServedStore(tmp_path / "store") as store:
            arrivals = Arrivals(store, "full")
            told = behind(store, "full", QUEUE_BYTES="150000")
            with Otelcol(["gateway.yaml"], tmp_path / "gateway", environment=told) as gateway:
                store.kill()
                service = services(way.url(gateway), ACTIVITYLOG_MAX_EXPORT_BATCH_SIZE=50)
                service.emit(name, 1_000)
                wait_until(lambda: service.stats()["retries"] > 2)
                stats = service.stats()
                assert stats["delivered"] + stats["spooled"] == stats["accepted"] == 1_000
                assert 0 < stats["delivered"] < 1_000
                assert stats["dropped"] == {}
                assert ("HTTP 503" if way.http else "UNAVAILABLE") in service.said()
                assert "sending queue is full" in service.said()
                assert gateway.metric("otelcol_exporter_enqueue_failed_log_records") >= 50
                assert gateway.metric("otelcol_receiver_refused_log_records") >= 50
                store.start()
                store.wait()
                wait_until(lambda: service.stats()["delivered"] == 1_000, 120)
                assert arrivals.wait_for(name, 1_000, 120) == (1_000, 1_000)
                assert service.stats()["dropped"] == {}
            arrivals.close()
