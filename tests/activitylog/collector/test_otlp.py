"""OTLP in and out."""

from __future__ import annotations

from tests.activitylog.collector.good import AGENT, Breakage, assert_broken, broken, each, examined, problems

BREAKAGES: list[Breakage] = [
    (
        AGENT,
        (
            ("endpoint: localhost:4318", "endpoint: 0.0.0.0:4318\n        auth: {authenticator: bearertokenauth}"),
            ("extensions:\n  file", "extensions:\n  bearertokenauth: {filename: /etc/tokens}\n  file"),
            ("[file_storage/queue]", "[file_storage/queue, bearertokenauth]"),
        ),
        "otlp_receiver.tls",
        "warning",
        "receivers.otlp.protocols.http.endpoint",
        "listens on 0.0.0.0:4318 without tls",
    ),
    (
        AGENT,
        (("endpoint: 127.0.0.1:4317", "endpoint: ':4317'\n        tls: {cert_file: /a, key_file: /b}"),),
        "otlp_receiver.auth",
        "warning",
        "receivers.otlp.protocols.grpc.endpoint",
        "without auth",
    ),
    (
        AGENT,
        (("        max_recv_msg_size_mib: 32\n", ""),),
        "otlp_receiver.message_size",
        "warning",
        "receivers.otlp.protocols.grpc.max_recv_msg_size_mib",
        "is not set: 4 MiB",
    ),
    (
        AGENT,
        (("33554432", "8388608"),),
        "otlp_receiver.message_size",
        "warning",
        "receivers.otlp.protocols.http.max_request_body_size",
        "is 8 MiB",
    ),
    (
        AGENT,
        (("    endpoint: gateway:4317\n", ""),),
        "otlp_exporter.endpoint",
        "error",
        "exporters.otlp_grpc.endpoint",
        "is not set",
    ),
    (
        AGENT,
        (
            ("      ca_file: /etc/otelcol/tls/ca.crt\n", "      insecure: true\n"),
            ("    headers:\n      authorization: Bearer correct-horse\n", ""),
        ),
        "otlp_exporter.tls",
        "warning",
        "exporters.otlp_grpc.endpoint",
        "in plain text",
    ),
    (
        AGENT,
        (("      ca_file: /etc/otelcol/tls/ca.crt\n", "      insecure: true\n"),),
        "otlp_exporter.tls",
        "error",
        "exporters.otlp_grpc.endpoint",
        "with credentials",
    ),
    (
        AGENT,
        (("gateway:4317", "http://gateway:4318"), ("otlp_grpc", "otlp_http")),
        "otlp_exporter.tls",
        "error",
        "exporters.otlp_http.endpoint",
        "http://gateway:4318 in plain text",
    ),
]


@each(BREAKAGES)
def test_one_thing_is_broken(breakage: Breakage) -> None:
    """The check says so, and no other one."""
    assert_broken(breakage)


def test_a_socket_is_of_this_machine() -> None:
    """Whatever its path looks like."""
    assert problems(broken(AGENT, ("127.0.0.1:4317", "/run/otel.sock\n        transport: unix"))) == []


def test_all_extensions_are_listed() -> None:
    """A list replaces the one that is there."""
    text = broken(AGENT, ("127.0.0.1:4317", "0.0.0.0:4317"))
    (finding,) = [finding for finding in examined(text) if finding.check == "otlp_receiver.auth"][:1]
    assert "  extensions: [file_storage/queue, bearertokenauth]" in finding.do
