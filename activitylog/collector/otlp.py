"""
OTLP in and out: the ``otlp`` receiver and the ``otlp_grpc`` and ``otlp_http`` exporters.

Defaults are those of config/configgrpc, config/confighttp and receiver/otlpreceiver; gRPC's own limit of a
message is 4 MiB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from activitylog.collector.addresses import Endpoint, endpoint_of
from activitylog.collector.examined import Examined
from activitylog.collector.finding import Check, Problem, error, example, warning
from activitylog.collector.pipelines import Component
from activitylog.collector.queue import extensions_example
from activitylog.collector.value import Setting

_PORTS: Final = {"grpc": 4317, "http": 4318}
_MIB: Final = 1024 * 1024
_LEAST_MIB: Final = 16
_GRPC_MIB: Final = 4
_HTTP_BYTES: Final = 20 * _MIB
#: Parts of the names of headers that hold a secret.
_SECRET_HEADERS: Final = ("auth", "token", "key", "secret", "password", "cookie")


@dataclass(frozen=True, slots=True)
class Server:
    """A protocol that a receiver speaks."""

    receiver: Component
    protocol: str
    setting: Setting
    configuration: Setting

    @property
    def is_local(self) -> bool:
        """Whether nobody on another machine reaches it."""
        return self.setting.at("transport").text().startswith("unix") or self.endpoint.is_loopback

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens."""
        return endpoint_of(self.setting.at("endpoint").text(f"localhost:{_PORTS[self.protocol]}"))

    @property
    def has_tls(self) -> bool:
        """A mapping that is there, even an empty one, turns it on."""
        tls = self.setting.at("tls")
        return tls.at("enabled").flag(True) and tls.kind == "a mapping"

    def __str__(self) -> str:
        return self.setting.name


def _servers(examined: Examined) -> list[Server]:
    return [
        Server(receiver, protocol, setting, examined.configuration)
        for receiver in examined.used("receivers", ("otlp",))
        for protocol, setting in receiver.setting.at("protocols").items()
        if protocol in _PORTS and (not setting.is_known or setting.at("enabled").flag(True))
    ]


def judge_server_tls(server: Server) -> Iterator[Problem]:
    """Events in plain text."""
    if not server.is_local and not server.has_tls:
        yield warning(
            server.setting.at("endpoint"),
            f"listens on {server.endpoint} without tls",
            *example(
                (*server.setting.path, "tls"),
                ("cert_file: /etc/otelcol/tls/tls.crt", "key_file: /etc/otelcol/tls/tls.key"),
            ),
        )


SERVER_TLS: Final = Check(
    "otlp_receiver.tls",
    "Receiver with TLS",
    "Activity events say who did what. In plain text everybody on the way can read and change them.",
    _servers,
    judge_server_tls,
    str,
)


def judge_server_auth(server: Server) -> Iterator[Problem]:
    """Anybody may write."""
    if server.is_local:
        return
    certificates = server.has_tls and server.setting.at("tls", "client_ca_file").text()
    if not certificates and not server.setting.at("auth", "authenticator").text():
        yield warning(
            server.setting.at("endpoint"),
            f"listens on {server.endpoint} without auth",
            *example(("extensions", "bearertokenauth", "filename"), "/etc/otelcol/tokens"),
            *example((*server.setting.path, "auth", "authenticator"), "bearertokenauth"),
            *extensions_example(server.configuration, "bearertokenauth"),
            "# Or ask for certificates:",
            *example((*server.setting.path, "tls", "client_ca_file"), "/etc/otelcol/tls/clients-ca.crt"),
        )


SERVER_AUTH: Final = Check(
    "otlp_receiver.auth",
    "Receiver that asks who sends",
    "Whoever reaches the port can write events of any actor and tenant.",
    _servers,
    judge_server_auth,
    str,
)


def judge_message_size(server: Server) -> Iterator[Problem]:
    """A client's batch that does not fit."""
    if server.protocol == "grpc":
        setting = server.setting.at("max_recv_msg_size_mib")
        given = setting.number(0)
        size, value = (given if given > 0 else _GRPC_MIB) * _MIB, "32"
        default = "4 MiB"
    else:
        setting = server.setting.at("max_request_body_size")
        given = setting.number(0)
        size, value = given if given > 0 else _HTTP_BYTES, str(32 * _MIB)
        default = "20 MiB"
    if size < _LEAST_MIB * _MIB:
        state = f"is {size / _MIB:g} MiB" if setting.is_set and given > 0 else f"is not set: {default}"
        yield warning(
            setting,
            f"{state}; a client's batch of 8,192 events has 2 to 10 MiB",
            *example((*server.setting.path, setting.path[-1]), value),
        )


MESSAGE_SIZE: Final = Check(
    "otlp_receiver.message_size",
    "Size of requests",
    "A larger batch is refused; activitylog's client halves it until it fits, which costs it every batch "
    "again, and other clients and agents drop it.",
    _servers,
    judge_message_size,
    str,
)


def _clients(examined: Examined) -> list[Component]:
    return examined.used("exporters", ("otlp_grpc", "otlp_http"))


def judge_client_tls(exporter: Component) -> Iterator[Problem]:
    """Events, or even a token, in plain text."""
    own = exporter.setting.at("logs_endpoint")
    setting = own if exporter.type == "otlp_http" and own.is_set else exporter.setting.at("endpoint")
    endpoint = endpoint_of(setting.text())
    if endpoint.is_loopback or not setting.text() or not _is_plain(exporter, endpoint):
        return
    do = _with_tls(exporter, endpoint)
    if _has_secret(exporter.setting):
        yield error(setting, f"leads to {endpoint} in plain text, with credentials", *do)
    else:
        yield warning(setting, f"leads to {endpoint} in plain text", *do)


def _with_tls(exporter: Component, endpoint: Endpoint) -> tuple[str, ...]:
    if endpoint.scheme == "http":
        return ("# Let the endpoint begin with https://",)
    return example((*exporter.path, "tls"), ("insecure: false", "ca_file: /etc/otelcol/tls/ca.crt"))


def _is_plain(exporter: Component, endpoint: Endpoint) -> bool:
    """As configgrpc and confighttp decide: the scheme first, then ``tls.insecure``."""
    if endpoint.scheme in ("http", "https"):
        return endpoint.scheme == "http"
    tls = exporter.setting.at("tls")
    return exporter.type == "otlp_grpc" and tls.at("insecure").flag(False) and not tls.at("ca_file").text()


def _has_secret(setting: Setting) -> bool:
    if setting.at("auth", "authenticator").text():
        return True
    headers = setting.at("headers")
    if headers.kind == "a list":
        names = [header.at("name").text() for header in headers.elements()]
    else:
        names = [name for name, _ in headers.items()]
    return any(part in name.lower() for name in names for part in _SECRET_HEADERS)


CLIENT_TLS: Final = Check(
    "otlp_exporter.tls",
    "Exporter with TLS",
    "Activity events say who did what. Who reads a token on the way can write events of anybody.",
    _clients,
    judge_client_tls,
    str,
)


def judge_client_endpoint(exporter: Component) -> Iterator[Problem]:
    """No address."""
    setting = exporter.setting.at("endpoint")
    if not setting.text() and not (exporter.type == "otlp_http" and exporter.setting.at("logs_endpoint").text()):
        value = "gateway.example:4317" if exporter.type == "otlp_grpc" else "https://gateway.example:4318"
        yield error(
            setting, "is not set: the Collector does not start", *example((*exporter.path, "endpoint"), value)
        )


CLIENT_ENDPOINT: Final = Check(
    "otlp_exporter.endpoint",
    "Address of the gateway",
    "Without an address events go nowhere.",
    _clients,
    judge_client_endpoint,
    str,
)

CHECKS: Final = (SERVER_TLS, SERVER_AUTH, MESSAGE_SIZE, CLIENT_ENDPOINT, CLIENT_TLS)
