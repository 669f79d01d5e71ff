"""Reasons of losses: counts stay few, whatever an exporter says."""

from __future__ import annotations

from pathlib import Path

from otel_delivery import Answer
from otel_spool import SpooledLogRecordProcessor
from otel_spool.dead_letters import letter_files, read_letters
from otel_spool.filesystem import LocalFileSystem
from tests.life_cycle.exporters import Backend, Emitter


def test_an_exporter_that_refuses_each_event_for_a_reason_of_its_own(tmp_path: Path) -> None:
    """Counts stay few and exact, and the dead letters still say why."""
    backend = Backend(lambda attempt: Answer("refused", f"event {attempt} is bad", "no"))
    spooled = SpooledLogRecordProcessor(backend, tmp_path, schedule_delay_millis=5, max_export_batch_size=1)
    emitter = Emitter(spooled)
    for number in range(80):
        emitter.emit(number)
    assert spooled.flush(20).complete
    dropped = spooled.stats().dropped
    spooled.shutdown_within(10)
    assert len(dropped) == 65
    assert dropped["other"] == 16
    assert sum(dropped.values()) == 80
    files = LocalFileSystem()
    letters = [letter for path in letter_files(files, tmp_path) for letter in read_letters(files, path)]
    others = [letter.detail for letter in letters if letter.reason == "other"]
    assert others == [f"event {attempt} is bad: no" for attempt in range(65, 81)]
