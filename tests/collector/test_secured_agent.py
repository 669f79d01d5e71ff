"""
From an agent to its gateway with TLS, certificates and tokens: what arrives, what waits, and what is lost.

The overlays of ``collector-config`` say so, and this holds them to it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from otel_otlp import OTLPGRPCLogExporter
from tests.collector.arrivals import Arrivals
from tests.collector.authority import Authority, Identity, put
from tests.collector.deployment import behind
from tests.collector.otelcol import CONFIG, Otelcol, built
from tests.otel_clickhouse.records import record
from tests.serving import ServedStore
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

EVENTS: Final = 20
TLS: Final = "overlays/tls.yaml"
MTLS: Final = "overlays/mtls.yaml"
AUTH: Final = "overlays/auth.yaml"
TO_GATEWAY: Final = "overlays/tls-to-gateway.yaml"
CERTIFICATE: Final = "overlays/mtls-to-gateway.yaml"
TOKEN: Final = "overlays/auth-to-gateway.yaml"
#: Instead of once an hour.
RELOAD_SERVER: Final = "receivers: {otlp: {protocols: {grpc: {tls: {reload_interval: 50ms}}}}}"
RELOAD_CLIENT: Final = "exporters: {otlp_grpc: {tls: {reload_interval: 50ms}}}"


class Secured:
    """
    An agent, a gateway, their files, and a database.

    Attributes:
        tokens: file of the gateway's tokens.
        token: file of the agent's token.
    """

    def __init__(self, folder: Path, store: ServedStore, arrivals: Arrivals) -> None:
        self._folder = folder
        self._store = store
        self._running = ExitStack()
        self.arrivals = arrivals
        self.authority = Authority(folder)
        self.other = Authority(folder, "other")
        self.server = self.authority.identity("server")
        self.client = self.authority.identity("client")
        self.trusted = folder / "trusted.pem"
        put(self.trusted, self.authority.file.read_bytes())
        self.tokens = folder / "tokens"
        self.token = folder / "token"
        put(self.tokens, b"the-old-token\nthe-right-token\n")
        put(self.token, b"the-right-token\n")

    def gateway(self, *overlays: str, quick: bool = False, server: Identity | None = None) -> Otelcol:
        """
        Start one.

        Args:
            quick: look at certificates on disk all the time.
        """
        shown = server or self.server
        told = behind(
            self._store,
            self.arrivals.database,
            TLS_CERT_FILE=str(shown.certificate),
            TLS_KEY_FILE=str(shown.key),
            TLS_CLIENT_CA_FILE=str(self.authority.file),
            TOKENS_FILE=str(self.tokens),
        )
        return self._start("gateway", ["gateway.yaml", *overlays, *self._quick(quick, RELOAD_SERVER)], told)

    def agent(self, endpoint: str, *overlays: str, quick: bool = False, client: Identity | None = None) -> Otelcol:
        """
        Start one.

        Args:
            quick: look at certificates on disk all the time.
        """
        shown = client or self.client
        told = {
            "GATEWAY_ENDPOINT": endpoint,
            "GATEWAY_CA_FILE": str(self.trusted),
            "AGENT_CERT_FILE": str(shown.certificate),
            "AGENT_KEY_FILE": str(shown.key),
            "TOKENS_FILE": str(self.token),
        }
        return self._start("agent", ["agent.yaml", *overlays, *self._quick(quick, RELOAD_CLIENT)], told)

    def _quick(self, wanted: bool, text: str) -> list[Path]:
        file = self._folder / f"{abs(hash(text))}.yaml"
        file.write_text(text)
        return [file] if wanted else []

    def _start(self, name: str, files: list[str | Path], told: dict[str, str]) -> Otelcol:
        return self._running.enter_context(Otelcol(files, self._folder / name, environment=told))

    def close(self) -> None:
        """End what runs."""
        self._running.close()


@pytest.fixture(scope="module")
def arrivals(otelcol: None, served_store: ServedStore) -> Iterator[Arrivals]:
    """Behind the gateways of this module."""
    found = Arrivals(served_store, "secured")
    yield found
    found.close()


@pytest.fixture
def secured(tmp_path: Path, served_store: ServedStore, arrivals: Arrivals) -> Iterator[Secured]:
    """With files of its own."""
    found = Secured(tmp_path, served_store, arrivals)
    yield found
    found.close()


def send(agent: Otelcol, name: str) -> None:
    """What a service sends, and the agent acknowledges."""
    exporter = OTLPGRPCLogExporter(f"http://{agent.grpc}")
    batch = [record({"order.id": number}, event_name=name) for number in range(EVENTS)]
    assert exporter.export(batch).name == "SUCCESS"
    exporter.shutdown()


def assert_waiting(agent: Otelcol) -> None:
    """Attempts fail and go on, and all is in the agent's queue."""
    before = agent.said().count("Will retry the request")
    wait_until(lambda: agent.said().count("Will retry the request") > before + 1)
    assert agent.metric("otelcol_exporter_queue_size") > 0
    assert agent.metric("otelcol_exporter_send_failed_log_records") == 0


def assert_lost(agent: Otelcol, events: int = EVENTS) -> None:
    """The agent has given events up, counts them and says so."""
    wait_until(lambda: agent.metric("otelcol_exporter_send_failed_log_records") == events)
    wait_until(lambda: agent.metric("otelcol_exporter_queue_size") == 0)
    wait_until(lambda: agent.said().count("Dropping data") == events // EVENTS)


class TestWhatArrives:
    def test_tls_certificates_and_tokens(self, secured: Secured) -> None:
        """All three."""
        gateway = secured.gateway(TLS, MTLS, AUTH)
        agent = secured.agent(gateway.grpc, TO_GATEWAY, CERTIFICATE, TOKEN)
        send(agent, "arrives")
        assert secured.arrivals.wait_for("arrives", EVENTS) == (EVENTS, EVENTS)

    def test_a_new_token(self, secured: Secured) -> None:
        """In the order that the overlay says: no event is lost."""
        put(secured.tokens, b"the-old-token\n")
        put(secured.token, b"the-old-token\n")
        gateway = secured.gateway(TLS, AUTH)
        agent = secured.agent(gateway.grpc, TO_GATEWAY, TOKEN)
        send(agent, "token.old")
        for collector, file, content in (
            (gateway, secured.tokens, b"the-old-token\nthe-new-token\n"),
            (agent, secured.token, b"the-new-token\n"),
            (gateway, secured.tokens, b"the-new-token\n"),
        ):
            read = collector.said().count("refresh token")
            put(file, content)
            wait_until(lambda to=collector, read=read: to.said().count("refresh token") > read)  # type: ignore[misc]
            send(agent, "token.new")
        for name, events in (("token.old", EVENTS), ("token.new", 3 * EVENTS)):
            wait_until(lambda name=name, events=events: secured.arrivals.of(name)[0] == events)  # type: ignore[misc]
        assert agent.metric("otelcol_exporter_send_failed_log_records") == 0


class TestWhatWaits:
    def test_an_expired_certificate_of_the_gateway(self, secured: Secured) -> None:
        """It is renewed on the gateway's disk; neither is started anew."""
        gateway = secured.gateway(TLS, quick=True, server=secured.authority.identity("renewed", expired=True))
        agent = secured.agent(gateway.grpc, TO_GATEWAY)
        send(agent, "expired")
        assert_waiting(agent)
        assert "certificate has expired" in agent.said()
        secured.authority.identity("renewed")
        assert secured.arrivals.wait_for("expired", EVENTS) == (EVENTS, EVENTS)

    def test_a_certificate_of_the_agent_that_is_refused(self, secured: Secured) -> None:
        """It is replaced on the agent's disk; neither is started anew. Unlike a token, it loses nothing."""
        gateway = secured.gateway(TLS, MTLS)
        wrong = secured.other.identity("agent")
        agent = secured.agent(gateway.grpc, TO_GATEWAY, CERTIFICATE, quick=True, client=wrong)
        send(agent, "refused")
        assert_waiting(agent)
        put(wrong.key, secured.client.key.read_bytes())
        put(wrong.certificate, secured.client.certificate.read_bytes())
        assert secured.arrivals.wait_for("refused", EVENTS) == (EVENTS, EVENTS)

    def test_another_authority_of_the_gateway(self, secured: Secured) -> None:
        """The agent reads its file of authorities when it starts, and not again."""
        gateway = secured.gateway(TLS, server=secured.other.identity("server"))
        agent = secured.agent(gateway.grpc, TO_GATEWAY, CERTIFICATE, quick=True)
        send(agent, "authority")
        assert_waiting(agent)
        put(secured.trusted, secured.authority.file.read_bytes() + secured.other.file.read_bytes())
        assert_waiting(agent)
        assert secured.arrivals.of("authority") == (0, 0)
        agent.stop()
        agent.start()
        assert secured.arrivals.wait_for("authority", EVENTS) == (EVENTS, EVENTS)

    def test_one_side_with_tls_alone(self, secured: Secured) -> None:
        """Plain text to a gateway with TLS."""
        gateway = secured.gateway(TLS)
        agent = secured.agent(gateway.grpc)
        send(agent, "plain")
        assert_waiting(agent)

    def test_a_token_file_that_comes_late(self, secured: Secured) -> None:
        """The agent waits for it before it sends what is in its queue."""
        gateway = secured.gateway(TLS, AUTH)
        gateway.kill()
        agent = secured.agent(gateway.grpc, TO_GATEWAY, TOKEN)
        send(agent, "late")
        agent.kill()
        secured.token.unlink()
        gateway.start()
        with ThreadPoolExecutor(1) as pool:
            started = pool.submit(agent.start)
            wait_until(lambda: agent.said().count("retrying to read credentials file") > 1)
            put(secured.token, b"the-right-token\n")
            started.result()
        assert secured.arrivals.wait_for("late", EVENTS) == (EVENTS, EVENTS)
        assert "Dropping data" not in agent.said()


class TestWhatIsLost:
    def test_a_token_that_the_gateway_does_not_know(self, secured: Secured) -> None:
        """Also what waited in the agent's queue; what comes once the token is right arrives."""
        put(secured.token, b"the-wrong-token\n")
        gateway = secured.gateway(TLS, AUTH)
        gateway.kill()
        agent = secured.agent(gateway.grpc, TO_GATEWAY, TOKEN)
        send(agent, "lost")
        assert_waiting(agent)
        gateway.start()
        assert_lost(agent)
        send(agent, "lost")
        assert_lost(agent, 2 * EVENTS)
        assert "code = Unauthenticated" in agent.said()
        put(secured.token, b"the-right-token\n")
        wait_until(lambda: agent.said().count("refresh token") > 1)
        send(agent, "found")
        assert secured.arrivals.wait_for("found", EVENTS) == (EVENTS, EVENTS)
        assert secured.arrivals.of("lost") == (0, 0)

    def test_an_agent_without_a_token(self, secured: Secured) -> None:
        """A forgotten overlay is the same."""
        gateway = secured.gateway(TLS, AUTH)
        agent = secured.agent(gateway.grpc, TO_GATEWAY)
        send(agent, "forgotten")
        assert_lost(agent)

    def test_the_port_for_http(self, secured: Secured) -> None:
        """With TLS it answers what comes over gRPC, finally."""
        gateway = secured.gateway(TLS)
        agent = secured.agent(gateway.http, TO_GATEWAY)
        send(agent, "port")
        assert_lost(agent)
        assert "code = Unimplemented" in agent.said()


class TestConfiguration:
    def test_a_token_without_tls(self, secured: Secured) -> None:
        """The agent does not start."""
        with pytest.raises(AssertionError, match="credentials require transport level security"):
            secured.agent("127.0.0.1:1", TOKEN)

    @pytest.mark.parametrize(
        "files",
        [
            *([base, *over] for base in ("agent", "gateway", "load-balancer") for over in
              (["tls"], ["tls", "mtls"], ["tls", "auth"], ["tls", "mtls", "auth"])),
            ["agent", "tls-to-gateway"],
            ["agent", "tls-to-gateway", "mtls-to-gateway"],
            ["agent", "tls", "auth", "tls-to-gateway", "auth-to-gateway"],
            ["load-balancer", "tls", "mtls", "auth", "tls-to-gateways"],
            ["load-balancer", "tls-to-gateways", "mtls-to-gateways", "auth-to-gateways"],
        ],
        ids="+".join,
    )  # fmt: skip
    def test_is_valid(self, otelcol: None, files: list[str]) -> None:
        """``otelcol validate`` takes it."""
        base, *overlays = files
        paths = [CONFIG / f"{base}.yaml", *(CONFIG / "overlays" / f"{name}.yaml" for name in overlays)]
        command = [str(built()), "validate", *(f"--config={path}" for path in paths)]
        done = subprocess.run(
            command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
