"""Exporters that behave badly on purpose, to see what becomes of the events."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from otel_delivery import Answer


class DeliversOnly(LogRecordExporter):
    """Gives definite answers, and is never asked for any other. Nothing is kept in it, and nothing open."""

    def deliver(self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None) -> Answer:
        raise NotImplementedError

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        raise AssertionError("a spool asks for definite answers")

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    def shutdown(self) -> None:
        pass


class ScriptedExporter(LogRecordExporter):
    """Answers each batch with the next item of a script: a result, an exception to raise, or a function."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.batches: list[list[ReadableLogRecord]] = []
        self.losses: dict[str, int] = {}
        self.shutdowns = 0
        #: What ``deliver`` answers in turn, and then that all is delivered.
        self.answers: list[Answer] = []
        #: What it was given: records, token, time of the first attempt.
        self.attempts: list[tuple[list[ReadableLogRecord], str, int | None]] = []

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        answer: Any = self.script.pop(0) if self.script else LogRecordExportResult.SUCCESS
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Mapping):  # part of the batch is lost, for these reasons
            for reason, count in answer.items():
                self.losses[reason] = self.losses.get(reason, 0) + count
            answer = LogRecordExportResult.FAILURE
        elif callable(answer):
            answer = answer()
        if answer is LogRecordExportResult.SUCCESS:
            self.batches.append(list(batch))
        return LogRecordExportResult(answer)

    def deliver(self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None) -> Answer:
        self.attempts.append((list(records), token, first_attempt_ns))
        return self.answers.pop(0) if self.answers else Answer("delivered")

    def interrupt(self) -> None:
        """Nothing waits here."""

    def dropped(self) -> Mapping[str, int]:
        return self.losses

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True

    def shutdown(self) -> None:
        self.shutdowns += 1


class GatedExporter(ScriptedExporter):
    """Holds every batch until the gate is opened; tells when one has arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.arrived = threading.Event()
        self.interrupted = threading.Event()

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        self.arrived.set()
        self.gate.wait(30)
        return super().export(batch)

    def interrupt(self) -> None:
        self.interrupted.set()
        self.gate.set()
