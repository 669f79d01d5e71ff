"""
One unary call over gRPC: no retries inside gRPC, one deadline, an answer of bounded size.

The bytes are ours, so that each attempt sends the same; gRPC neither encodes nor decodes.

A channel whose call found nobody, or no answer in time, is not used again: gRPC itself would wait up to two
minutes before it connects again, while each call fails at once, and it does not notice a connection that is dead.

A fork while a thread is inside gRPC leaves a child in which every call hangs. So calls are ended before a fork;
they come again as any call that was cancelled.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from otel_delivery import Answer
from otel_otlp.acknowledgement import acknowledged
from otel_otlp.endpoint import Endpoint
from otel_otlp.exceptions import NoAnswerError
from otel_otlp.first_use import import_modules
from otel_otlp.grpc_statuses import ANSWER_LIMIT, judge
from otel_otlp.reentrancy import REENTRANCY
from otel_otlp.secrets import Secrets
from otel_otlp.tls_files import TLSFiles, hint_of, load, unusable

_MODULES: Final = ("grpc", "google.protobuf.message", "google.rpc.error_details_pb2", "google.rpc.status_pb2")
_METHOD: Final = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_OPTIONS: Final = (
    ("grpc.primary_user_agent", "otel-otlp-python"),
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),  # nor by what a name server says
    ("grpc.max_receive_message_length", ANSWER_LIMIT),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),  # a new channel has a new connection
)
_FORK_WAIT_SECONDS: Final = 1.0

#: gRPC's own words.
_NOT_CONNECTED: Final = "failed to connect to all addresses"
_CLOSED_BY_SERVER: Final = ("Socket closed", "Connection reset by peer")
_FILES_REFUSED: Final = "Failed to create security handshaker"
_HANDSHAKE: Final = re.compile("handshake|verification check", re.IGNORECASE)

_PERHAPS_TLS: Final = "it expects TLS: then set the endpoint to https://."
_PERHAPS_CLIENT: Final = (
    "it wants a client certificate, or another one: see OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE."
)

#: After these the connection is in doubt.
_DOUBTFUL: Final = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN"})


class GRPCTransport:
    """
    Calls ``LogsService/Export``. Opens lazily; any number of threads may use it.

    Args:
        headers: sent as metadata.
        compress: with gzip.
    """

    def __init__(self, endpoint: Endpoint, headers: Mapping[str, str], tls: TLSFiles, *, compress: bool) -> None:
        self._endpoint = endpoint
        self._metadata = tuple(headers.items())
        self._tls = tls
        self._compress = compress
        self._secrets = Secrets(headers.values())
        self._changed = threading.Condition()
        self._current: _Channel | None = None
        self._open: set[_Channel] = set()
        self._inside = 0  # threads that are, to open, call or close
        self._forking = False

    def send(self, payload: bytes, records: int, timeout_seconds: float) -> Answer:
        """One attempt. Never raises an Exception."""
        try:
            import_modules(*_MODULES)
            answer = self._call(payload, records, timeout_seconds)
        except NoAnswerError as error:
            answer = Answer("retry", error.reason, str(error))
        except Exception as error:  # noqa: BLE001 - all that a network can do ends in an answer
            answer = Answer("retry", "unexpected", f"{type(error).__name__}: {error}")
        shown = f"{self._endpoint.shown}: {answer.detail}" if answer.detail else ""
        return replace(answer, detail=self._secrets.line(shown))

    def close(self) -> None:
        """Close the channels; calls that are under way are cancelled. Idempotent; ``send`` opens another."""
        with self._changed:
            channels, self._open, self._current = self._open, set(), None
            self._inside += 1
        self._leave(channels)

    def before_fork(self) -> None:
        """Have no thread inside gRPC, nor let one in; waits a second at most."""
        with self._changed:
            self._forking = True
        self.close()
        with self._changed:
            self._changed.wait_for(lambda: self._inside == 0, _FORK_WAIT_SECONDS)

    def after_fork_in_parent(self) -> None:
        """Let them in again."""
        with self._changed:
            self._forking = False
            self._changed.notify_all()

    def _call(self, payload: bytes, records: int, timeout_seconds: float) -> Answer:
        import grpc

        with self._leased() as channel:
            try:
                body = channel.grpc.unary_unary(_METHOD)(payload, timeout=timeout_seconds, metadata=self._metadata)
            except grpc.RpcError as error:
                code, message, trailers = _told(error)
                if code in _DOUBTFUL:
                    self._retire(channel)
                return self._not_connected(code, message) or judge(code, message, trailers)
        return acknowledged(body, records) or Answer(
            "retry", "not_otlp", "The answer is no OTLP server's. Check host and port of the endpoint."
        )

    def _not_connected(self, code: str, message: str) -> Answer | None:
        """What keeps a connection from being made, where it is something about TLS."""
        if code != "UNAVAILABLE" or not message.startswith(_NOT_CONNECTED):
            return None
        if message.endswith(_CLOSED_BY_SERVER):
            perhaps = _PERHAPS_CLIENT if self._endpoint.secure else _PERHAPS_TLS
            detail = f"UNAVAILABLE: the server closes each connection. Perhaps {perhaps} (gRPC says: {message})"
            return Answer("retry", "grpc_unavailable", detail)
        if not self._endpoint.secure:
            return None
        if _FILES_REFUSED in message:
            load(self._tls)  # says which one, and why
        hint = hint_of(message, self._tls)
        if not hint and not _HANDSHAKE.search(message):
            return None
        return Answer("retry", "tls", " ".join(filter(None, ("TLS failed:", hint, f"(gRPC says: {message})"))))

    @contextmanager
    def _leased(self) -> Iterator[_Channel]:
        """A channel that stays open for this call; who lets go last of one that was retired closes it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._forking)
            channel = self._current
            if channel is None:
                channel = self._current = _Channel(_open(self._endpoint, self._tls, self._compress))
                self._open.add(channel)
            channel.calls += 1
            self._inside += 1
        try:
            yield channel
        finally:
            with self._changed:
                channel.calls -= 1
                unused = {channel} if channel is not self._current and channel.calls == 0 else set()
                self._open -= unused
            self._leave(unused)

    def _leave(self, unused: set[_Channel]) -> None:
        """Close channels, and be out of gRPC."""
        try:
            for channel in unused:
                channel.grpc.close()
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def _retire(self, channel: _Channel) -> None:
        with self._changed:
            if self._current is channel:
                self._current = None


@dataclass(slots=True, eq=False)
class _Channel:
    """A channel of gRPC, and how many calls are under way on it."""

    grpc: Any
    calls: int = 0


def _open(endpoint: Endpoint, tls: TLSFiles, compress: bool) -> Any:
    import grpc

    REENTRANCY.quiet_drivers()
    compression = grpc.Compression.Gzip if compress else grpc.Compression.NoCompression
    if not endpoint.secure:
        return grpc.insecure_channel(endpoint.target, options=_OPTIONS, compression=compression)
    try:
        pem = [Path(path).read_bytes() if path else None for path in _paths(tls)]
    except OSError as error:
        raise unusable("A certificate file", error) from error
    credentials = grpc.ssl_channel_credentials(*pem)
    return grpc.secure_channel(endpoint.target, credentials, options=_OPTIONS, compression=compression)


def _paths(tls: TLSFiles) -> tuple[str, str, str]:
    """As gRPC wants them: authorities, key, certificate. One file may hold both of the latter."""
    return tls.certificate, tls.client_key or tls.client_certificate, tls.client_certificate


def _told(error: Any) -> tuple[str, str, list[tuple[str, str | bytes]]]:
    """Code, message and trailers of a call that failed; each may be missing."""
    code = error.code()
    return (
        "UNKNOWN" if code is None else str(code.name),
        str(error.details() or ""),
        [(name, value) for name, value in error.trailing_metadata() or ()],
    )
