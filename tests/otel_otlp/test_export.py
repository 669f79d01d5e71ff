"""Without a spool: export tries until its deadline, says the truth, and counts what it gives up."""

from __future__ import annotations

import errno
import logging
import sys
import threading
import time

import pytest
from google.protobuf.message import EncodeError
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_delivery import Answer
from otel_otlp import OTLPExporter, request
from tests.otel_clickhouse.records import record
from tests.otel_otlp.fault_server import (
    GATED,
    HANG,
    OK,
    PROTOBUF,
    RESET_AFTER,
    FaultServer,
    answer,
    partial,
    record_count,
)
from tests.otel_otlp.records import UNENCODABLE, batch, deliver

SUCCESS, FAILURE = LogRecordExportResult.SUCCESS, LogRecordExportResult.FAILURE
BUSY = answer(503)


class ScriptedTransport:
    """Does to each request what the next item of a script says."""

    def __init__(self, *script: Answer | BaseException) -> None:
        self.script = list(script)
        self.payloads: list[bytes] = []
        self.closed = 0

    def send(self, payload: bytes, records: int, timeout_seconds: float) -> Answer:
        self.payloads.append(payload)
        step = self.script.pop(0) if self.script else Answer("delivered")
        if isinstance(step, BaseException):
            raise step
        return step

    def close(self) -> None:
        self.closed += 1

    def before_fork(self) -> None:
        pass

    def after_fork_in_parent(self) -> None:
        pass


def scripted(*script: Answer | BaseException, **values: float) -> tuple[OTLPExporter, ScriptedTransport]:
    """An exporter, and the transport that it sends through."""
    transport = ScriptedTransport(*script)
    times = {"timeout_seconds": 1.0, "retry_deadline_seconds": 1.0, **values}
    return OTLPExporter(lambda: transport, shown="test", **times), transport  # type: ignore[arg-type]


class TestExport:
    @pytest.mark.slow
    def test_faults_that_pass(self, serve, http_exporter):
        """A batch is sent until it arrives, as the same bytes."""
        server = serve(BUSY, answer(500), answer(408), answer(302), OK)
        exporter = http_exporter(server.url)
        assert exporter.export(batch()) is SUCCESS
        assert (server.stored, len(server.bodies), len(set(server.bodies))) == (3, 5, 1)
        assert exporter.dropped() == {}

    @pytest.mark.slow
    def test_until_the_deadline(self, serve, http_exporter, lines):
        """After that the batch is lost, counted, and told once."""
        server = serve(*[BUSY] * 500)
        exporter = http_exporter(server.url, retry_deadline_seconds=0.5)
        began = time.monotonic()
        assert exporter.export(batch()) is FAILURE
        assert 0.5 <= time.monotonic() - began < 20
        assert len(server.bodies) >= 2
        assert exporter.dropped() == {"deadline": 3}
        assert lines()[-1] == (
            f"3 records dropped (deadline), 3 in all: {server.url}: HTTP 503: the server is not ready."
        )

    @pytest.mark.slow
    def test_the_wall_clock_does_not_matter(self, serve, http_exporter, monkeypatch):
        """An hour forth ends no attempts, an hour back adds none."""
        hours = iter([0.0, 3600.0, -3600.0] * 50)
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + next(hours))
        server = serve(*[BUSY] * 3)
        exporter = http_exporter(server.url, retry_deadline_seconds=10)
        assert exporter.export(batch()) is SUCCESS
        assert len(server.bodies) == 4

    @pytest.mark.slow
    def test_the_servers_wish_is_waited_for(self, serve, http_exporter):
        """No attempt comes before the time that a server asked for."""
        exporter = http_exporter(serve(answer(429, headers={"Retry-After": "1"})).url)
        began = time.monotonic()
        assert exporter.export(batch()) is SUCCESS
        assert time.monotonic() - began >= 1

    def test_a_wish_beyond_the_deadline(self, serve, http_exporter):
        """Who would be lost is tried a last time at the deadline, rather than given up at once."""
        server = serve(answer(429, headers={"Retry-After": "300"}))
        began = time.monotonic()
        assert http_exporter(server.url, retry_deadline_seconds=0.4).export(batch()) is SUCCESS
        assert 0.4 <= time.monotonic() - began < 20

    def test_what_is_refused_is_not_repeated(self, serve, http_exporter):
        """400 is a definite answer."""
        server = serve(answer(400, b"bad"))
        exporter = http_exporter(server.url)
        assert exporter.export(batch()) is FAILURE
        assert (len(server.bodies), exporter.dropped()) == (1, {"permanent": 3})

    def test_partial_success_is_no_success(self, serve, http_exporter):
        """Two of five are lost, and counted; the batch is not sent again."""
        server = serve(partial(2, "bad"))
        exporter = http_exporter(server.url)
        assert exporter.export(batch(5)) is FAILURE
        assert (server.stored, len(server.bodies)) == (3, 1)
        assert exporter.dropped() == {"partial_success": 2}

    def test_a_warning_is_told(self, serve, http_exporter, lines):
        """All is delivered, and the server's words are in the log."""
        server = serve(partial(0, "deprecated"))
        assert http_exporter(server.url).export(batch()) is SUCCESS
        assert lines() == [f"Delivered: {server.url}: The server warns: deprecated"]

    def test_a_record_that_cannot_be_encoded(self, serve, http_exporter):
        """It alone is lost."""
        server = serve()
        exporter = http_exporter(server.url)
        assert exporter.export([*batch(), UNENCODABLE]) is FAILURE
        assert (server.stored, exporter.dropped()) == (3, {"encode": 1})

    def test_a_batch_that_is_too_large_is_halved(self, serve, http_exporter):
        """By the server's word (413), as often as it takes; every record arrives once."""
        server = serve(answer(413), answer(413), OK)
        assert http_exporter(server.url).export(batch(8)) is SUCCESS
        assert server.stored == 8
        assert [record_count(request) for request in server.requests] == [8, 4, 2, 2, 4]

    def test_our_own_limit(self, serve, http_exporter):
        """What is larger than a request may be is not sent as it is; one large record costs the others nothing."""
        server = serve()
        exporter = http_exporter(server.url, max_request_bytes=1000)
        assert exporter.export([*batch(3), *batch(1, severity_text="x" * 2000)]) is FAILURE
        assert (server.stored, exporter.dropped()) == (3, {"too_large": 1})
        assert max(map(len, server.bodies)) <= 1000

    def test_an_empty_batch(self, serve, http_exporter):
        """Nothing is sent, all of it is delivered."""
        server = serve()
        exporter = http_exporter(server.url)
        assert exporter.export([]) is SUCCESS
        assert deliver(exporter, []).status == "delivered"
        assert server.requests == []


class TestEnds:
    def test_interrupt_ends_a_wait(self, serve, http_exporter):
        """And later batches get one attempt each."""
        server = serve(*[answer(429, headers={"Retry-After": "300"})] * 5)
        exporter = http_exporter(server.url, retry_deadline_seconds=300)
        found: list[LogRecordExportResult] = []
        thread = threading.Thread(target=lambda: found.append(exporter.export(batch())))
        thread.start()
        assert server.arrived.acquire(timeout=10)
        exporter.interrupt()
        thread.join(10)
        assert found == [FAILURE]
        assert exporter.export(batch()) is FAILURE
        assert exporter.dropped() == {"shutdown": 6}
        assert len(server.bodies) == 2

    def test_after_shutdown(self):
        """What comes is counted, and nothing is sent; the second time closes as well as the first."""
        exporter, transport = scripted()
        exporter.shutdown()
        exporter.shutdown()
        assert exporter.export(batch()) is FAILURE
        assert (exporter.dropped(), transport.payloads) == ({"shutdown": 3}, [])

    @pytest.mark.slow
    def test_force_flush_waits_for_what_is_under_way(self, serve, http_exporter):
        """And says whether it came to an end."""
        server = serve(HANG)
        exporter = http_exporter(server.url, timeout_seconds=0.5)
        assert exporter.force_flush(10) is True
        thread = threading.Thread(target=deliver, args=(exporter, batch()))
        thread.start()
        assert server.arrived.acquire(timeout=10)
        assert exporter.force_flush(10) is False
        assert exporter.force_flush(10_000) is True
        thread.join(10)


class Short(list[int]):
    """A value at which the process is short of something the first two times: in the batch, and by itself."""

    def __init__(self, error: Exception) -> None:
        super().__init__([1])
        self._errors = [error, error]

    def __iter__(self):
        if self._errors:
            raise self._errors.pop()
        return super().__iter__()


SHORT_OF = [MemoryError(), OSError(errno.EMFILE, "Too many open files"), ImportError("half a package")]


class TestWhatIsNoRecordsFault:
    """It passes: no record is refused for it, and the same batch is encoded again."""

    def test_while_a_record_is_encoded(self):
        """In one attempt, and in an export."""
        error = MemoryError()
        exporter, transport = scripted()
        short = record(body=Short(error))
        first, second = (deliver(exporter, [*batch(2), short]) for _ in range(2))
        assert (first.status, first.reason) == ("retry", "unexpected")
        assert first.detail == f"Not encoded: {type(error).__name__}."
        assert (second.status, dict(second.rejected), len(transport.payloads)) == ("delivered", {}, 1)
        assert exporter.export([*batch(2), record(body=Short(error))]) is SUCCESS
        assert exporter.dropped() == {}

    def test_a_value_that_fails_is_its_records_own(self):
        """As a lazy one does that reads a file: it costs no other record its delivery."""
        exporter, _ = scripted()
        answer = deliver(exporter, [*batch(2), record(body=Short(OSError(errno.EMFILE, "Too many open files")))])
        assert (answer.status, list(answer.rejected)) == ("delivered", [2])

    @pytest.mark.parametrize(
        "error", [*SHORT_OF, TypeError(), ValueError()], ids=lambda error: type(error).__name__
    )
    def test_while_the_encoder_is_imported(self, error, monkeypatch):
        """Half a package raises anything."""
        errors = [error, error]

        def import_modules(*names: str) -> None:
            if errors:
                raise errors.pop()

        monkeypatch.setattr("otel_otlp.request.import_modules", import_modules)
        exporter, transport = scripted()
        answer = deliver(exporter, batch())
        assert (answer.status, answer.reason, transport.payloads) == ("retry", "unexpected", [])
        assert exporter.export(batch()) is SUCCESS
        assert (exporter.dropped(), len(transport.payloads)) == ({}, 1)

    def test_a_package_that_is_not_there(self, monkeypatch):
        """The batch waits until it is."""
        exporter, _ = scripted()
        with monkeypatch.context() as upgrade:
            upgrade.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.common._log_encoder", None)
            assert deliver(exporter, batch()).status == "retry"
        assert deliver(exporter, batch()).status == "delivered"

    def test_what_cannot_be_one_request(self, monkeypatch):
        """More than 2 GiB: records that are encoded one by one are still halved."""
        serialized = request._serialized

        def of_two(records):
            if len(records) > 2:
                raise EncodeError("exceeds maximum protobuf size of 2GB")
            return serialized(records)

        monkeypatch.setattr(request, "_serialized", of_two)
        exporter, transport = scripted()
        answer = deliver(exporter, batch(4))
        assert (answer.status, answer.reason) == ("refused", "too_large")
        assert exporter.export(batch(4)) is SUCCESS
        assert len(transport.payloads) == 2


class TestNeverRaises:
    @pytest.mark.parametrize("error", [RuntimeError("a bug"), MemoryError(), RecursionError()])
    def test_errors(self, error):
        """Whatever goes wrong is an answer, and a counted loss."""
        exporter, _ = scripted(error, error)
        assert deliver(exporter, batch()).status == "retry"
        assert exporter.export(batch()) is FAILURE
        assert exporter.dropped() == {"permanent": 3}

    def test_system_exit_in_a_worker(self):
        """It would end the SDK's worker for good; the main thread may leave."""
        exporter, _ = scripted(SystemExit(), SystemExit(), SystemExit(), SystemExit())
        found: list[object] = []
        thread = threading.Thread(
            target=lambda: found.extend([exporter.export(batch()), deliver(exporter, batch()).status])
        )
        thread.start()
        thread.join(10)
        assert found == [FAILURE, "retry"]
        with pytest.raises(SystemExit):
            exporter.export(batch())
        with pytest.raises(SystemExit):
            deliver(exporter, batch())
        assert exporter.dropped() == {"shutdown": 6}
        assert exporter.force_flush(10) is True

    def test_an_answer_in_the_middle_of_an_attempt(self):
        """A record that exports when it is encoded does not come in again."""
        exporter, _ = scripted()
        found: list[object] = []

        class Exporting(list[int]):
            def __iter__(self):
                found.extend([deliver(exporter, batch()).reason, exporter.export(batch(2))])
                return super().__iter__()

        assert deliver(exporter, [record(body=Exporting([1]))]).status == "delivered"
        assert found[:2] == ["reentrant", FAILURE]
        assert exporter.dropped()["reentrant"] >= 2


class TestTwoThreads:
    def test_at_once(self, serve, http_exporter):
        """Live batches and a backlog go side by side: each has its own connection and its own answer."""
        server = serve(GATED, *[OK] * 40)
        exporter = http_exporter(server.url, timeout_seconds=20)
        found: list[str] = []
        slow = threading.Thread(target=lambda: found.append(deliver(exporter, batch()).status))
        slow.start()
        assert server.arrived.acquire(timeout=10)
        assert {deliver(exporter, batch()).status for _ in range(20)} == {"delivered"}
        server.gate.set()
        slow.join(20)
        assert (found, server.stored) == (["delivered"], 63)


class TestOwnLines:
    def test_lines_about_the_export_stay_out_of_it(self):
        """They would keep the exporter busy with itself."""
        exporter, transport = scripted()
        own = InstrumentationScope("otel_otlp")
        assert exporter.export(batch(2, scope=own)) is FAILURE
        assert (exporter.dropped(), transport.payloads) == ({"reentrant": 2}, [])

    @pytest.mark.parametrize("processor", [SimpleLogRecordProcessor, BatchLogRecordProcessor])
    def test_a_handler_that_exports_every_line(self, serve, http_exporter, processor):
        """Also urllib3's: an export that fails makes no lines that must be exported."""
        server: FaultServer = serve(RESET_AFTER, OK)
        exporter = http_exporter(server.url)
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(processor(exporter))
        handler = _Exporting(provider)
        logging.getLogger().addHandler(handler)
        level = logging.getLogger().level
        logging.getLogger().setLevel(logging.DEBUG)
        try:
            provider.get_logger("shop").emit(body="hello")
            provider.force_flush()
            provider.shutdown()
        finally:
            logging.getLogger().removeHandler(handler)
            logging.getLogger().setLevel(level)
        assert [record_count(request) for request in server.requests] == [1, 1]


class _Exporting(logging.Handler):
    """Sends every line to OpenTelemetry, as many applications do."""

    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__()
        self._provider = provider

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in ("otel_otlp", "urllib3"):
            self._provider.get_logger(record.name).emit(body=record.getMessage())


def test_a_protobuf_answer_is_needed_for_export_too(serve, http_exporter):
    """A login page with 200 is no success; once the way is right the batch arrives."""
    server = serve(answer(200, b"<html>", kind="text/html"), answer(200, b"\n\0", kind=PROTOBUF, stores=True))
    assert http_exporter(server.url).export(batch()) is SUCCESS
    assert server.stored == 3
