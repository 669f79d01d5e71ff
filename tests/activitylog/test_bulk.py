"""The events of one call are written down together: on disk when it returns, or whatever interrupts it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter

import activitylog
from activitylog import bulk, config
from activitylog.pipeline import Pipeline
from activitylog.provider import BoundedProcessor, Destination
from activitylog.rules import parse_rules
from activitylog.settings import Settings
from activitylog.spooling import SpooledDestination
from otel_spool import SpooledLogRecordProcessor
from otel_spool.filesystem import LocalFileSystem
from tests.activitylog.test_spooling import Backend
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def backend() -> Backend:
    """One that is away until a test wants its events."""
    found = Backend()
    found.away = True
    return found


@pytest.fixture
def pipeline(backend: Backend, tmp_path: Path) -> Iterator[Pipeline]:
    """In force, behind a spool."""
    yield from _in_force(Settings(), backend, tmp_path)


def _in_force(settings: Settings, backend: Backend, folder: Path) -> Iterator[Pipeline]:
    made = Pipeline(
        settings, destinations=[SpooledDestination(lambda: backend, "test:", folder, "process", settings)]
    )
    config.swap(made)
    yield made
    config.swap(None)
    backend.away = False
    made.shutdown(10)


def numbers_of(backend: Backend) -> list[int]:
    """Of the objects that have arrived, in their order."""
    return [int(record.attributes["activity.object.id"]) for record in backend.records]


def test_all_arrive_once_and_in_order(pipeline: Pipeline, backend: Backend) -> None:
    """More than are written at one go."""
    assert activitylog.emit_many("user.activated", (("user", number) for number in range(1000))) == 1000
    stats = pipeline.stats()
    assert (stats.emitted, stats.destinations["test:"].spooled) == (1000, 1000)
    backend.away = False
    assert activitylog.flush(30).complete
    assert numbers_of(backend) == list(range(1000))
    assert [record.attributes["activity.seq"] for record in backend.records] == list(range(1, 1001))


KILLED = """
import os, sys
from pathlib import Path
import activitylog
from activitylog import config
from activitylog.pipeline import Pipeline
from activitylog.settings import Settings
from activitylog.spooling import SpooledDestination
from tests.activitylog.test_spooling import Backend
backend, settings = Backend(), Settings()
backend.away = True
destination = SpooledDestination(lambda: backend, "test:", Path(sys.argv[1]), "process", settings)
config.swap(Pipeline(settings, destinations=[destination]))
activitylog.emit_many("user.activated", [("user", number) for number in range(300)])
os._exit(9)
"""


def left_by(program: str, backend: Backend, folder: Path, events: int) -> list[int]:
    """What a process leaves that ends by it, when so much has arrived: the pipeline in force sends it."""
    done = subprocess.run([sys.executable, "-c", program, str(folder)], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 9
    backend.away = False
    activitylog.emit("user.activated", object=("user", -1))  # the first event looks for what others left
    wait_until(lambda: len(numbers_of(backend)) > events and activitylog.flush(30).complete)
    return sorted(number for number in numbers_of(backend) if number >= 0)


@pytest.mark.slow
def test_they_survive_the_process(pipeline: Pipeline, backend: Backend, tmp_path: Path) -> None:
    """One that is killed when the call has returned."""
    assert left_by(KILLED, backend, tmp_path, 300) == list(range(300))


FORKED = KILLED.replace(
    'activitylog.emit_many("user.activated", [("user", number) for number in range(300)])',
    """
def items():
    yield ("user", 1)
    yield ("user", 2)
    child = os.fork()
    yield ("user", 3 if child else 4)
    if child:
        os.waitpid(child, 0)
activitylog.emit_many("user.activated", items())""",
)


@pytest.mark.slow
def test_a_fork_in_the_midst(pipeline: Pipeline, backend: Backend, tmp_path: Path) -> None:
    """What was emitted before it is the parent's, and not written by the child as well."""
    assert left_by(FORKED, backend, tmp_path, 4) == [1, 2, 3, 4]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_iterable_that_fails(pipeline: Pipeline, backend: Backend, error: type[BaseException]) -> None:
    """What it has given is written; a program that is told to end does end."""

    def items() -> Iterator[Any]:
        yield ("user", 1)
        yield ("user", 2)
        raise error("no more")

    if issubclass(error, Exception):
        assert activitylog.emit_many("user.activated", items()) == 2
    else:
        with pytest.raises(error):
            activitylog.emit_many("user.activated", items())
    stats = pipeline.stats()
    assert (stats.emitted, stats.destinations["test:"].spooled) == (2, 2)
    assert stats.dropped == ({"error": 1} if issubclass(error, Exception) else {})


def test_events_of_others_do_not_wait_with_them(pipeline: Pipeline) -> None:
    """Of a signal handler, or of the iterable itself: what ``emit`` has returned from is on disk."""

    def items() -> Iterator[Any]:
        yield ("user", 1)
        activitylog.emit("other.done")
        assert pipeline.stats().destinations["test:"].spooled == 1
        assert activitylog.emit_many("other.done", ["a:1", "a:2"]) == 2
        assert pipeline.stats().destinations["test:"].spooled == 3
        yield ("user", 2)

    assert activitylog.emit_many("user.activated", items()) == 2
    assert pipeline.stats().destinations["test:"].spooled == 5


def test_a_slow_iterable(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it gave long ago does not wait for what it will give."""
    now = [0.0]
    monkeypatch.setattr(bulk, "monotonic", lambda: now[0])

    def items() -> Iterator[Any]:
        yield ("user", 1)
        assert pipeline.stats().destinations["test:"].spooled == 0
        now[0] += 1
        yield ("user", 2)
        assert pipeline.stats().destinations["test:"].spooled == 2
        yield ("user", 3)

    assert activitylog.emit_many("user.activated", items()) == 3


def test_an_interruption_while_they_are_written(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are counted as lost, and not as emitted."""

    def write_gathered(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SpooledLogRecordProcessor, "write_gathered", write_gathered)
        with pytest.raises(KeyboardInterrupt):
            activitylog.emit_many("user.activated", ["user:1", "user:2"])
    stats = pipeline.stats()
    assert (stats.emitted, stats.dropped) == (0, {"interrupted": 2})


@pytest.mark.parametrize("by_rule", [True, False])
def test_durable_ones_take_one_sync(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, by_rule: bool
) -> None:
    """Each waits for the medium; together they wait once."""
    synced: list[str] = []
    sync_file = LocalFileSystem.sync_file

    def noted(disk: LocalFileSystem, path: Path) -> None:
        synced.append(path.suffix)
        sync_file(disk, path)

    monkeypatch.setattr(LocalFileSystem, "sync_file", noted)
    rules = parse_rules([{"match": "audit.*", "durable": True}]) if by_rule else ()
    for _ in _in_force(Settings(rules=rules), backend, tmp_path):
        options = {} if by_rule else {"durable": True}
        assert activitylog.emit_many("audit.read", [("file", number) for number in range(100)], **options) == 100
        assert synced.count(".seg") == 1


def test_a_rule_decides_about_each(backend: Backend, tmp_path: Path) -> None:
    """By what they share as well as by what they do not."""
    rules = parse_rules(
        [
            {"match": {"event": "user.activated", "object_type": "bot"}, "drop": True},
            {"match": {"event": "user.activated", "tenant": "test"}, "drop": True},
        ]
    )
    for made in _in_force(Settings(rules=rules), backend, tmp_path):
        items = [*(f"user:{number}" for number in range(5)), "bot:1"]
        assert activitylog.emit_many("user.activated", items, tenant="acme") == 5
        assert activitylog.emit_many("user.activated", items, tenant="test") == 0
        assert (made.stats().emitted, made.stats().dropped) == (5, {"drop": 7})


def test_beside_a_destination_without_a_spool(backend: Backend, tmp_path: Path) -> None:
    """Both get every event."""
    settings, second = Settings(), InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    destinations: list[Destination] = [
        SpooledDestination(lambda: backend, "test:", tmp_path, "process", settings),
        BoundedProcessor(lambda: second, "memory:", settings),
    ]
    made = Pipeline(settings, destinations=destinations)
    config.swap(made)
    backend.away = False
    try:
        assert activitylog.emit_many("user.activated", [("user", number) for number in range(300)]) == 300
        assert activitylog.flush(30).complete
    finally:
        config.swap(None)
        made.shutdown(10)
    assert numbers_of(backend) == list(range(300))
    assert len(second.get_finished_logs()) == 300
