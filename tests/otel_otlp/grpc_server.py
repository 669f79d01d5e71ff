"""A real gRPC server that answers each call as a script says."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent import futures
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

_METHOD: Final = ("opentelemetry.proto.collector.logs.v1.LogsService", "Export")


@dataclass(frozen=True, slots=True)
class Call:
    """
    What the server does to one call.

    Attributes:
        code: the name of the status code, or ``hang``, or ``gated``: succeed when the gate is opened.
        stores: whether it keeps the records (all but ``refuses``) before that.
        sends: the answer, when the code is ``OK``.
        retry_info: seconds, in the status' details; ``bare``: in a trailer of its own, as older servers do.
    """

    code: str = "OK"
    message: str = ""
    stores: bool = False
    refuses: int = 0
    sends: bytes = b""
    retry_info: float | None = None
    bare: bool = False


OK: Final = Call(stores=True)
GATED: Final = Call("gated", stores=True)
HANG: Final = Call("hang")
HANG_AFTER: Final = Call("hang", stores=True)


def partial(refuses: int, message: str = "") -> Call:
    """A success for all records but so many."""
    success = ExportLogsPartialSuccess(rejected_log_records=refuses, error_message=message)
    body = ExportLogsServiceResponse(partial_success=success).SerializeToString()
    return Call(stores=True, refuses=refuses, sends=body)


class GRPCServer:
    """
    Listens on a free port of the loopback interface.

    Args:
        script: one step for each call, in turn; then all succeed.
        port: where to listen instead.

    Attributes:
        bodies: what arrived, with the metadata of each in ``metadata``.
        stored: how many records the server keeps.
        arrived: is released once for each call.
    """

    def __init__(
        self, script: Iterable[Call] = (), *, port: int = 0, options: Any = (), credentials: Any = None
    ) -> None:
        self.bodies: list[bytes] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.stored = 0
        self.arrived = threading.Semaphore(0)
        self.gate = threading.Event()
        self._steps = iter(script)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        handler = grpc.unary_unary_rpc_method_handler(self._export)
        self._server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0), *options])
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(_METHOD[0], {_METHOD[1]: handler}),)
        )
        address = f"127.0.0.1:{port}"
        self.port: int = (
            self._server.add_secure_port(address, credentials)
            if credentials
            else self._server.add_insecure_port(address)
        )
        self._server.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop listening, and end what hangs."""
        self._closing.set()
        self.gate.set()
        self._server.stop(0).wait(10)

    def _export(self, body: bytes, context: Any) -> bytes:
        with self._lock:
            step = next(self._steps, OK)
            self.bodies.append(body)
            self.metadata.append(dict(context.invocation_metadata()))
            if step.stores:
                self.stored += _record_count(body) - step.refuses
        self.arrived.release()
        if step.code == "hang":
            self._closing.wait()
        elif step.code == "gated":
            self.gate.wait()
        elif step.code != "OK":
            if step.retry_info is not None:
                context.set_trailing_metadata((_retry_info(step),))
            context.abort(grpc.StatusCode[step.code], step.message)
        return step.sends


def _retry_info(step: Call) -> tuple[str, bytes]:
    delay = Duration()
    delay.FromMilliseconds(int((step.retry_info or 0) * 1000))
    info = RetryInfo(retry_delay=delay)
    if step.bare:
        return "google.rpc.retryinfo-bin", info.SerializeToString()
    packed = AnyMessage()
    packed.Pack(info)
    status = Status(code=grpc.StatusCode[step.code].value[0], message=step.message, details=[packed])
    return "grpc-status-details-bin", status.SerializeToString()


def _record_count(body: bytes) -> int:
    parsed = ExportLogsServiceRequest.FromString(body)
    return sum(len(scope.log_records) for one in parsed.resource_logs for scope in one.scope_logs)
