"""Held records: each is decided once, and what takes its place comes instead of it, whatever becomes of that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource

from otel_delivery import Answer
from otel_spool import Drain, replacing
from otel_spool.folder import Entry
from otel_spool.spool import Spool
from otel_spool.writer import NotWritten
from tests.otel_spool.backend import Backend as CountingBackend
from tests.otel_spool.producer import Producer, deliver_the_rest
from tests.otel_spool.records import record
from tests.otel_spool.spools import SMALL, Backend, Process


class Unwritable:
    """What has no text."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


def _hold(spool: Spool, number: int) -> Entry:
    entry = spool.hold(record(number))
    assert entry is not None
    return entry


def _rest(producer: Producer) -> list[int]:
    """The process is killed; what the next one delivers."""
    producer.die()
    backend = CountingBackend()
    last = deliver_the_rest(producer.spool.directory, backend, SMALL)
    assert last.spool.accounts.recovered.dropped == {}
    return sorted(backend.rows.elements())


def twice(spool: Spool, held: Entry) -> None:
    spool.forget([held])
    spool.forget([held])


def twice_in_one_call(spool: Spool, held: Entry) -> None:
    spool.forget([held, held])


def when_it_was_replaced(spool: Spool, held: Entry) -> None:
    """A later processor has raised, so whoever emits takes the record for one that was not sent."""
    spool.append(record(9), replaces=[held])
    spool.forget([held])


@pytest.mark.parametrize("decide", [twice, twice_in_one_call, when_it_was_replaced])
def test_one_that_is_forgotten_again_takes_no_other_with_it(
    decide: Callable[[Spool, Entry], None], tmp_path: Path
) -> None:
    """The other one, about which nothing is decided, is sent by the next process."""
    producer = Producer(tmp_path, CountingBackend(), SMALL)
    held = _hold(producer.spool, 1)
    _hold(producer.spool, 2)
    decide(producer.spool, held)
    producer.spool.writer.seal_all()
    assert [number for number in _rest(producer) if number != 9] == [2]


def test_what_takes_its_place_cannot_be_written_down(tmp_path: Path) -> None:
    """That is delivered from memory; the next process does not send the held one as well."""
    producer = Producer(tmp_path, CountingBackend(), SMALL)
    held = _hold(producer.spool, 1)
    assert producer.spool.append(record(2, text=Unwritable()), replaces=[held]) is NotWritten.UNWRITABLE
    assert _rest(producer) == []


def test_what_takes_its_place_comes_from_the_export_itself(tmp_path: Path) -> None:
    """It is counted as given up; the next process does not send the held one."""

    class Emitting(Backend):
        def deliver(
            self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None
        ) -> Answer:
            process.logger.emit(LogRecord(body="in its place", context=replacing([held])))
            return super().deliver(records, token=token, first_attempt_ns=first_attempt_ns)

    process = Process(Emitting(), tmp_path)
    entry = process.processor.hold(ReadableLogRecord(LogRecord(body="held"), Resource.get_empty()))
    assert entry is not None
    held = {process.processor: entry}
    process.emit("a")
    assert process.processor.flush(20).complete
    process.leave()
    assert process.processor.stats().dropped == {"reentrant": 1}
    backend = Backend()
    Drain(backend, tmp_path).run(20)
    assert backend.stored == []
