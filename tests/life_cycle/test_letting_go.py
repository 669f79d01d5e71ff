"""Folders that a process lets go of, and what it still emits afterwards."""

from __future__ import annotations

from pathlib import Path

from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource

from activitylog.pipeline import Pipeline
from activitylog.provider import BoundedProcessor
from activitylog.settings import load_settings
from activitylog.spooling import SpooledDestination
from otel_spool.folder import Entry, Folder
from otel_spool.spool import Spool
from tests.life_cycle.exporters import Backend


def spooled_event(spool: Spool) -> tuple[Folder, Entry]:
    """An event on disk, and its folder."""
    entry = spool.append(ReadableLogRecord(LogRecord(body="one"), Resource.get_empty()))
    assert isinstance(entry, Entry)
    assert spool.writer.folder is not None
    return spool.writer.folder, entry


def test_a_batch_is_in_flight_from_the_moment_it_is_frozen(tmp_path: Path) -> None:
    """The thread of the backlog must never find it frozen and not in flight: it would send it, too."""
    spool = Spool(tmp_path)
    token = spool.freeze(*_one(spooled_event(spool)))
    assert token in spool.in_flight


def test_no_batch_is_made_of_a_folder_that_was_let_go_of(tmp_path: Path) -> None:
    """It may be somebody else's, who sends its events in a batch of his own."""
    spool = Spool(tmp_path)
    folder, entry = spooled_event(spool)
    spool.leave()
    assert spool.freeze(folder, [entry]) is None
    other = Spool(tmp_path)
    assert other.adopted.take() == 1
    assert next(iter(other.adopted)).journal.pending == {}


def test_tokens_of_two_pipelines_in_one_process_differ(tmp_path: Path) -> None:
    """A process that configures twice takes its own old folder over: the store must not mistake its batches."""
    first = Spool(tmp_path)
    folder, entry = spooled_event(first)
    token = first.freeze(folder, [entry])
    first.leave()
    second = Spool(tmp_path)
    second.adopted.take()
    adopted = next(iter(second.adopted))
    assert second.freeze(adopted, []) != token


def test_a_destination_without_a_spool_refuses_late_events_for_itself_only(tmp_path: Path) -> None:
    """After the shutdown the one beside it still writes them down, for the next process."""
    settings = load_settings({"url": "memory:"}, environ={})
    bounded = BoundedProcessor(Backend, "memory:", settings)
    spooled = SpooledDestination(Backend, "spooled:", tmp_path, "process", settings)
    pipeline = Pipeline(settings, destinations=[bounded, spooled])
    pipeline.shutdown(10)
    assert pipeline.submit("info", "thing.done", {})
    stats = pipeline.stats()
    assert stats.emitted == 1
    assert dict(stats.destinations["memory:"].dropped) == {"shutdown": 1}
    assert (stats.destinations["spooled:"].spooled, stats.destinations["spooled:"].accepted) == (1, 1)


def _one(found: tuple[Folder, Entry]) -> tuple[Folder, list[Entry]]:
    return found[0], [found[1]]
