"""TLS: who is trusted, what is shown, and the deadline, which holds inside it as well."""

from __future__ import annotations

import shutil
import time

import grpc
import pytest

from otel_otlp.tls_files import TLSFiles, hint_of
from tests.otel_otlp.certificates import Certificate, make_certificate, server_context
from tests.otel_otlp.fault_server import HANG, NEVER_READS, OK, RESET_AFTER, RESET_AT_ONCE, Step
from tests.otel_otlp.fault_server import answer as answer_of
from tests.otel_otlp.records import batch, deliver


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Certificate:
    """The server's certificate."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "server")


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> Certificate:
    """The client's certificate."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "client")


class TestHTTP:
    def test_both_sides_show_a_certificate(self, serve, http_exporter, server, client):
        """And connections are kept."""
        there = serve(tls=server_context(server, client))
        exporter = http_exporter(
            there.url,
            certificate_file=str(server.file),
            client_certificate_file=str(client.file),
            client_key_file=str(client.key),
        )
        assert [deliver(exporter, batch()).status for _ in range(3)] == ["delivered"] * 3
        assert (there.stored, there.connections) == (9, 1)

    def test_nobody_else_is_trusted(self, serve, http_exporter, server, client):
        """Nothing is sent to a server of another authority; the batch waits for the right one."""
        there = serve(tls=server_context(server))
        for values in ({}, {"certificate_file": str(client.file)}):
            answer = deliver(http_exporter(there.url, **values), batch())
            assert (answer.status, answer.reason) == ("retry", "tls")
        assert there.requests == []

    def test_a_file_that_is_put_right(self, serve, http_exporter, server, client, tmp_path):
        """Files are read again after an error, without a new process."""
        there = serve(tls=server_context(server))
        file = tmp_path / "ca.pem"
        exporter = http_exporter(there.url, certificate_file=str(file))
        answer = deliver(exporter, batch())
        assert (answer.status, answer.reason) == ("retry", "tls")
        assert "No such file" in answer.detail
        shutil.copy(client.file, file)
        assert deliver(exporter, batch()).reason == "tls"
        shutil.copy(server.file, file)
        assert deliver(exporter, batch()).status == "delivered"

    @pytest.mark.parametrize(
        ("step", "status"),
        [
            (HANG, "retry"),
            (NEVER_READS, "retry"),
            (Step(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 4000, every_seconds=0.05), "retry"),
            (RESET_AFTER, "retry"),
            (OK, "delivered"),
        ],
        ids=["hang", "nothing is read", "headers byte by byte", "reset", "success"],
    )
    def test_one_deadline_for_all(self, serve, http_exporter, server, step, status):
        """As without TLS: no call on the socket begins the timeout anew."""
        there = serve(step, tls=server_context(server))
        exporter = http_exporter(
            there.url, certificate_file=str(server.file), timeout_seconds=20 if step is OK else 0.7
        )
        began = time.monotonic()
        answer = deliver(exporter, batch(200, severity_text="x" * 20_000))
        assert answer.status == status
        assert time.monotonic() - began < (20 if step is OK else 4)

    @pytest.mark.parametrize("tls", [False, True])
    def test_a_refusal_before_the_batch_is_read(self, serve, http_exporter, server, tls):
        """The server says 413 and closes; the write fails, and the answer is read all the same."""
        there = serve(
            answer_of(413, b"too large", before="unread", after="close"),
            RESET_AT_ONCE,
            tls=server_context(server) if tls else None,
        )
        exporter = http_exporter(there.url, certificate_file=str(server.file), timeout_seconds=20)
        records = batch(200, severity_text="x" * 100_000)
        answers = [deliver(exporter, records) for _ in range(2)]
        assert [(one.status, one.reason) for one in answers] == [
            ("refused", "too_large"),
            ("retry", "connection_lost"),
        ]

    @pytest.mark.slow
    def test_a_handshake_that_never_ends(self, serve, http_exporter):
        """A server that listens and says nothing costs the timeout."""
        there = serve(NEVER_READS)
        began = time.monotonic()
        answer = deliver(http_exporter(there.url.replace("http:", "https:"), timeout_seconds=0.5), batch())
        assert answer.status == "retry"
        assert 0.4 < time.monotonic() - began < 4


class TestGRPC:
    def test_both_sides_show_a_certificate(self, serve_grpc, grpc_exporter, server, client):
        """Trust and identity come from the files."""
        pair = (server.key.read_bytes(), server.file.read_bytes())
        credentials = grpc.ssl_server_credentials([pair], client.file.read_bytes(), require_client_auth=True)
        there = serve_grpc(credentials=credentials)
        exporter = grpc_exporter(
            there.url.replace("http:", "https:"),
            certificate_file=str(server.file),
            client_certificate_file=str(client.file),
            client_key_file=str(client.key),
        )
        assert deliver(exporter, batch()).status == "delivered"
        assert there.stored == 3

    def test_nobody_else_is_trusted(self, serve_grpc, grpc_exporter, server, client, tmp_path):
        """And a file that is missing is told, and read when it is there."""
        credentials = grpc.ssl_server_credentials([(server.key.read_bytes(), server.file.read_bytes())])
        there = serve_grpc(credentials=credentials)
        url = there.url.replace("http:", "https:")
        wrong = grpc_exporter(url, certificate_file=str(client.file), timeout_seconds=3)
        answer = deliver(wrong, batch())
        assert (answer.status, answer.reason) == ("retry", "tls")
        assert str(client.file) in answer.detail
        file = tmp_path / "ca.pem"
        exporter = grpc_exporter(url, certificate_file=str(file))
        assert deliver(exporter, batch()).reason == "tls"
        shutil.copy(server.file, file)
        assert deliver(exporter, batch()).status == "delivered"
        assert there.stored == 3

    def test_files_that_cannot_be_used(self, serve_grpc, grpc_exporter, server, client, tmp_path):
        """gRPC does not say which one; the answer does, and why."""
        there = serve_grpc(
            credentials=grpc.ssl_server_credentials([(server.key.read_bytes(), server.file.read_bytes())])
        )
        rubbish = tmp_path / "rubbish.pem"
        rubbish.write_text("rubbish")
        for files, named in (
            ({"certificate_file": rubbish}, rubbish),
            ({"certificate_file": server.file, "client_certificate_file": rubbish}, rubbish),
            ({"client_certificate_file": client.file, "client_key_file": server.key}, server.key),
        ):
            exporter = grpc_exporter(
                there.url.replace("http:", "https:"), **{name: str(file) for name, file in files.items()}
            )
            answer = deliver(exporter, batch())
            assert (answer.status, answer.reason) == ("retry", "tls")
            assert f"{named} cannot be used" in answer.detail

    def test_one_side_alone(self, serve_grpc, grpc_exporter, server):
        """Which side has no TLS is in the answer."""
        with_tls = serve_grpc(
            credentials=grpc.ssl_server_credentials([(server.key.read_bytes(), server.file.read_bytes())])
        )
        answer = deliver(grpc_exporter(with_tls.url), batch())
        assert (answer.status, answer.reason) == ("retry", "grpc_unavailable")
        assert "Perhaps it expects TLS" in answer.detail
        without = serve_grpc()
        url = without.url.replace("http:", "https:")
        answer = deliver(grpc_exporter(url, certificate_file=str(server.file)), batch())
        assert (answer.status, answer.reason) == ("retry", "tls")
        assert "The server speaks no TLS at this port" in answer.detail
        assert with_tls.stored == without.stored == 0

    def test_a_client_that_is_refused(self, serve_grpc, grpc_exporter, server, client):
        """It has no certificate, or one of another authority."""
        pair = (server.key.read_bytes(), server.file.read_bytes())
        credentials = grpc.ssl_server_credentials([pair], client.file.read_bytes(), require_client_auth=True)
        url = serve_grpc(credentials=credentials).url.replace("http:", "https:")
        shown = {"client_certificate_file": str(server.file), "client_key_file": str(server.key)}
        for files in ({}, shown):
            answer = deliver(grpc_exporter(url, certificate_file=str(server.file), **files), batch())
            assert answer.status == "retry"
            assert "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE" in answer.detail


class TestHints:
    @pytest.mark.parametrize(
        ("text", "begins"),
        [
            ("verify failed: certificate is not yet valid", "The server's certificate is not valid now"),
            ("CERTIFICATE_VERIFY_FAILED: certificate has expired", "The server's certificate is not valid now"),
            ("CERTIFICATE_VERIFY_FAILED] IP address mismatch, certificate is not valid for '::1'",
             "The server's certificate is for another name"),
            ("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed", "The server's certificate is of no authority"),
            ("[SSL: RECORD_LAYER_FAILURE] record layer failure", "The server speaks no TLS"),
            ("[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert", "The server and this machine have no version"),
            ("[SSL: SSLV3_ALERT_BAD_CERTIFICATE] sslv3 alert", "The server seems to want a client certificate"),
            ("[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert", "The server seems to want a client certificate"),
            ("[SSL: TLSV1_ALERT_INTERNAL_ERROR] tlsv1 alert", ""),
        ],
    )  # fmt: skip
    def test_what_to_do(self, text, begins):
        """The words of OpenSSL and BoringSSL."""
        hint = hint_of(text, TLSFiles())
        assert hint.startswith(begins)
        assert bool(hint) == bool(begins)
