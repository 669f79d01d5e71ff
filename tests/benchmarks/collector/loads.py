"""
What is sent: a service as fast as it can, or ready requests with only a socket between them and a Collector.

As a program it is the service::

    python -m tests.benchmarks.collector.loads URL SPOOL EVENTS
"""

from __future__ import annotations

import json
import sys
import time
from itertools import cycle, islice
from typing import Any

import activitylog

_EVENTS_A_REQUEST = 8_192
_ATTEMPTS = 1_200


def emit(url: str, spool: str, events: int) -> dict[str, float]:
    """
    Emit as fast as the pipeline takes them, until all are delivered.

    Returns:
        Seconds, and CPU seconds of this process, from the first event to the last answer.
    """
    activitylog.configure(
        url,
        service_name="service",
        spool_directory=spool,
        overflow="block",
        overflow_timeout_seconds=600,
        shutdown_timeout_seconds=600,
    )
    activitylog.emit("service.started")
    activitylog.flush(60)  # what is imported and opened with the first batch is not what an event costs
    begun, cpu = time.perf_counter(), time.process_time()
    for number in range(events - 1):
        activitylog.emit(
            "message.sent",
            actor=("user", number % 5_000),
            object=("message", number),
            tenant=f"t{number % 20}",
            session=f"s{number % 50_000}",
            message="sent a message",
            channel="general",
            length=number % 280,
            mobile=number % 3 == 0,
        )
    result = activitylog.shutdown()
    assert result.complete, result
    return {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - cpu}


def requests(count: int) -> list[Any]:
    """So many OTLP requests of 8,192 events each, as the client encodes them."""
    from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs

    from activitylog.cli.demo_service import generate
    from tests.end_to_end.ways import records_of

    events = generate(count * _EVENTS_A_REQUEST, seed=5, end_ns=time.time_ns())
    made = records_of(events)
    return [encode_logs(list(islice(made, _EVENTS_A_REQUEST))) for _ in range(count)]


def send(target: str, made: list[Any], times: int) -> int:
    """
    Send ready requests one after the other, each again where it is refused.

    Returns:
        How many events were taken.

    Raises:
        TimeoutError: one was refused for a minute.
    """
    import grpc
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub

    channel = grpc.insecure_channel(target, options=[("grpc.max_send_message_length", -1)])
    stub = LogsServiceStub(channel)  # type: ignore[no-untyped-call]
    for request in islice(cycle(made), times):
        for _ in range(_ATTEMPTS):
            try:
                stub.Export(request, timeout=60)
                break
            except grpc.RpcError:
                time.sleep(0.05)
        else:
            raise TimeoutError(f"{target} refused a request {_ATTEMPTS} times")
    channel.close()
    return times * _EVENTS_A_REQUEST


if __name__ == "__main__":
    print(json.dumps(emit(sys.argv[1], sys.argv[2], int(sys.argv[3]))))  # noqa: T201
