"""Destinations with a spool: where it is, what it keeps, and what happens where there can be none."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord

from activitylog.assembly import build_pipeline
from activitylog.exceptions import ConfigurationError
from activitylog.pipeline import Pipeline
from activitylog.rules import parse_rules
from activitylog.settings import Settings, load_settings
from activitylog.spooling import (
    SpooledDestination,
    durability_of,
    spool_directory,
    spool_folder,
    spooled_destination,
)
from activitylog.url import parse
from otel_delivery import Answer
from tests.exporters_for_tests import DeliversOnly

SERVER = "clickhouse://writer:secret@db.example:8123/activity"


class Backend(DeliversOnly):
    """Keeps what it is given, once a token; or is away."""

    def __init__(self) -> None:
        self.away = False
        self.batches: dict[str, list[ReadableLogRecord]] = {}

    def deliver(self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None) -> Answer:
        if self.away:
            return Answer("retry", "unavailable", "it is away")
        self.batches.setdefault(token, list(records))
        return Answer("delivered")

    @property
    def records(self) -> list[Any]:
        return [record.log_record for records in self.batches.values() for record in records]

    @property
    def names(self) -> list[str]:
        return [record.event_name for record in self.records]


class TestWhere:
    @pytest.mark.parametrize(
        ("url", "level"),
        [
            ("chdb:///var/lib/activity", "process"),
            (SERVER, "process"),
            ("otlp://collector:4317", "process"),
            ("otlp+http://collector:4318", "process"),
            ("chdb://memory", "memory"),
            ("console:", "memory"),
            ("memory:", "memory"),
        ],
    )
    def test_what_keeps_events_has_a_spool(self, url: str, level: str) -> None:
        """What prints or forgets them needs none."""
        assert durability_of(parse(url), Settings()) == level

    def test_what_is_set_is_what_is(self) -> None:
        """For all destinations."""
        assert durability_of(parse(SERVER), Settings(durability="power")) == "power"
        assert durability_of(parse("console:"), Settings(durability="process")) == "process"

    def test_the_folder_shows_no_secret_and_is_the_same_for_another_password(self, tmp_path: Path) -> None:
        """A process with the new password finds what was left under the old one."""
        settings = Settings(spool_directory=tmp_path)
        folder = spool_folder(parse(SERVER), settings)
        assert folder == spool_folder(parse(SERVER.replace("secret", "other")), settings)
        assert folder.parent == tmp_path
        assert folder.name.startswith("clickhouse-db.example-8123-")
        assert "secret" not in str(folder)

    @pytest.mark.parametrize(
        "other",
        [
            SERVER.replace("activity", "other"),
            SERVER.replace("8123", "8124"),
            SERVER.replace("writer", "reader"),
            "otlp://db.example:8123",
        ],
    )
    def test_each_destination_has_its_own(self, other: str) -> None:
        """Events are never sent to another one than they were meant for."""
        assert spool_folder(parse(SERVER), Settings()) != spool_folder(parse(other), Settings())

    def test_the_state_folder_of_the_user(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """As the XDG base directory specification has it; a relative one is to be ignored."""
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        assert spool_directory(Settings()) == tmp_path / "activitylog" / "spool"
        monkeypatch.setenv("XDG_STATE_HOME", "relative")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        (tmp_path / "home").mkdir()
        assert spool_directory(Settings()) == tmp_path / "home" / ".local" / "state" / "activitylog" / "spool"

    def test_without_a_home_there_is_a_folder_of_this_user(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Services often run without one."""
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
        assert spool_directory(Settings()).parts[-2:] == (f"activitylog-{os.geteuid()}", "spool")


class TestWithout:
    @pytest.fixture
    def blocked(self, tmp_path: Path) -> Path:
        """A path that cannot be a folder."""
        (tmp_path / "file").write_text("")
        return tmp_path / "file" / "spool"

    def test_events_wait_in_memory_and_the_log_says_so(
        self, blocked: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An application starts all the same."""
        settings = Settings(spool_directory=blocked)
        assert spooled_destination(Backend, parse(SERVER), settings) is None
        assert "wait in memory only" in caplog.text
        assert "secret" not in caplog.text

    def test_who_asked_for_it_is_told(self, blocked: Path) -> None:
        """A promise that was asked for and cannot be kept is an error at configure time."""
        settings = Settings(spool_directory=blocked, durability="process")
        with pytest.raises(ConfigurationError, match="Set spool_directory to a folder that this user can write"):
            spooled_destination(Backend, parse(SERVER), settings)


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def made() -> Iterator[list[Pipeline]]:
    pipelines: list[Pipeline] = []
    yield pipelines
    for pipeline in pipelines:
        pipeline.shutdown(10)


def pipeline_into(backend: Backend, folder: Path, made: list[Pipeline], **values: Any) -> Pipeline:
    """A pipeline with a spool in front of the backend; it sends at once."""
    settings = Settings(schedule_delay_millis=10, **values)
    made.append(
        Pipeline(
            settings, destinations=[SpooledDestination(lambda: backend, "test:", folder, "process", settings)]
        )
    )
    return made[-1]


class TestSpooledDestination:
    @pytest.mark.slow
    def test_the_files_are_the_users_own(self, backend: Backend, made: list[Pipeline], tmp_path: Path) -> None:
        """Events may hold what is nobody else's business."""
        backend.away = True
        pipeline = pipeline_into(backend, tmp_path / "spool", made)
        pipeline.submit("info", "a.b", {})
        paths = [tmp_path / "spool", *(tmp_path / "spool").rglob("*")]
        modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in paths}
        assert modes == {(True, 0o700), (False, 0o600)}

    def test_what_is_unsent_is_queued_and_spooled(
        self, backend: Backend, made: list[Pipeline], tmp_path: Path
    ) -> None:
        """An outage loses nothing, and shutdown says how much is left on disk."""
        backend.away = True
        pipeline = pipeline_into(backend, tmp_path, made)
        for _ in range(3):
            assert pipeline.submit("info", "a.b", {})
        counts = pipeline.stats().destinations["test:"]
        assert (counts.delivered, counts.queued, counts.spooled, counts.dropped) == (0, 3, 3, {})
        result = pipeline.shutdown(0.2)
        assert (result.complete, result.queued, result.spooled, result.dropped) == (False, 3, 3, 0)
        again = pipeline_into(later := Backend(), tmp_path, made)
        again.submit("info", "c.d", {})
        assert again.flush(10).complete
        wait_for_recovery(again, 3)
        again.shutdown(10)
        assert sorted(later.names) == ["a.b", "a.b", "a.b", "c.d"]
        assert again.stats().destinations["test:"].recovered == 3

    def test_events_after_the_shutdown_are_for_the_next_process(
        self, backend: Backend, made: list[Pipeline], tmp_path: Path
    ) -> None:
        """An exit handler of the application may run after ours."""
        pipeline = pipeline_into(backend, tmp_path, made)
        pipeline.submit("info", "a.b", {})
        pipeline.shutdown(10)
        assert pipeline.submit("info", "late.one", {})
        assert pipeline.stats().destinations["test:"].spooled == 1
        assert backend.names == ["a.b"]

    def test_a_durable_event_is_synced_before_emit_returns(
        self, backend: Backend, made: list[Pipeline], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And an ordinary one is not; the word is no attribute."""
        synced: list[int] = []
        monkeypatch.setattr(os, "fdatasync", synced.append)
        pipeline = pipeline_into(
            backend, tmp_path, made, rules=parse_rules([{"match": "audit.*", "durable": True}])
        )
        pipeline.submit("info", "a.b", {})
        assert len(synced) == 0
        pipeline.submit("info", "a.b", {"durable": True})
        assert len(synced) == 1
        pipeline.submit("info", "audit.read", {})
        assert len(synced) == 2
        assert pipeline.flush(10).complete
        assert all("durable" not in record.attributes for record in backend.records)

    @pytest.mark.parametrize(
        "rule", [{"rollup": "1h"}, {"max_per_second": 1}, {"sample": 0.0001}, {"target_per_second": 0.001}]
    )
    def test_a_durable_event_is_neither_thinned_nor_waits(
        self,
        rule: dict[str, Any],
        backend: Backend,
        made: list[Pipeline],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Whatever its rule does with others; an event that stands for itself, counted under the rule."""
        synced: list[int] = []
        monkeypatch.setattr(os, "fdatasync", synced.append)
        pipeline = pipeline_into(backend, tmp_path, made, rules=parse_rules([{"match": "a.*", **rule}]))
        for _ in range(20):
            pipeline.submit("info", "a.b", {})
        assert len(synced) == 0
        for number in range(5):
            assert pipeline.submit("info", "a.b", {"durable": True, "n": number})
        assert len(synced) == 5
        assert pipeline.flush(10).complete
        kept = [record for record in backend.records if "n" in record.attributes]
        assert [record.attributes["n"] for record in kept] == list(range(5))
        assert all("activity.sample.rule" in record.attributes for record in kept)
        assert all("activity.sample.weight" not in record.attributes for record in kept)

    def test_a_rule_that_drops_drops_durable_events_too(
        self, backend: Backend, made: list[Pipeline], tmp_path: Path
    ) -> None:
        """Who wrote it wanted none of them; the caller is told."""
        rules = parse_rules([{"match": {"event": "a.*", "tenant": "x"}, "drop": True}])
        pipeline = pipeline_into(backend, tmp_path, made, rules=rules)
        assert not pipeline.submit("info", "a.b", {"durable": True, "tenant": "x"})
        assert pipeline.stats().dropped == {"drop": 1}

    def test_a_url_makes_it(self, tmp_path: Path) -> None:
        """As configure does."""
        settings = load_settings(
            {"url": "clickhouse://127.0.0.1:1/x", "spool_directory": str(tmp_path)}, environ={}
        )
        pipeline = build_pipeline(settings)
        assert [type(destination) for destination in pipeline.destinations] == [SpooledDestination]
        pipeline.shutdown(0.1)


RULES = [{"match": "typing.*", "rollup": "60s"}, {"match": "search.*", "max_per_second": 50}]

#: Emits 40 events into two rolled-up windows and a budget, and dies before anything is decided.
KILLED = """
import os, sys
from pathlib import Path
from activitylog.pipeline import Pipeline
from activitylog.rules import parse_rules
from activitylog.settings import Settings
from activitylog.spooling import SpooledDestination
from tests.activitylog.test_spooling import RULES, Backend
settings = Settings(rules=parse_rules(RULES))
pipeline = Pipeline(
    settings, destinations=[SpooledDestination(Backend, "test:", Path(sys.argv[1]), "process", settings)]
)
for number in range(20):
    assert pipeline.submit("info", "typing.started", {"actor": f"user:{number % 2}", "n": number})
    assert pipeline.submit("info", "search.done", {"n": 100 + number})
assert pipeline.stats().held == 40
os._exit(9)
"""


class TestHeld:
    """Events that wait in the windows of rules."""

    @pytest.mark.slow
    def test_survive_the_process_one_by_one(self, backend: Backend, made: list[Pipeline], tmp_path: Path) -> None:
        """Nobody decided about them, so each stands for itself, and says so."""
        root = str(Path(__file__).parents[2])
        killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=root, timeout=60, check=False)
        assert killed.returncode == 9
        pipeline = pipeline_into(backend, tmp_path, made)
        pipeline.submit("info", "a.b", {})
        wait_for_recovery(pipeline, 40)
        found = [record.attributes for record in backend.records if record.event_name != "a.b"]
        assert sorted(attributes["n"] for attributes in found) == [*range(20), *range(100, 120)]
        assert all(attributes["activity.undecided"] is True for attributes in found)
        assert len({attributes["log.record.uid"] for attributes in found}) == 40

    def test_are_gone_when_they_are_decided(self, backend: Backend, made: list[Pipeline], tmp_path: Path) -> None:
        """What was decided takes their place; a second process finds nothing."""
        pipeline = pipeline_into(backend, tmp_path, made, rules=parse_rules(RULES), counters=False)
        for number in range(20):
            pipeline.submit("info", "typing.started", {"actor": "user:1", "n": number})
        assert pipeline.stats().destinations["test:"].queued == 0
        assert pipeline.flush(10).complete
        pipeline.shutdown(10)
        (record,) = backend.records
        assert record.attributes["activity.count"] == 20
        assert "activity.undecided" not in record.attributes
        assert not list(tmp_path.rglob("*.seg"))

    @pytest.mark.slow
    def test_a_decision_is_one_frame(self, backend: Backend, made: list[Pipeline], tmp_path: Path) -> None:
        """A process that dies right after the decision leaves what was decided, and nothing of what was held."""
        backend.away = True
        pipeline = pipeline_into(backend, tmp_path, made, rules=parse_rules(RULES), counters=False)
        for number in range(20):
            pipeline.submit("info", "typing.started", {"actor": "user:1", "n": number})
        pipeline.flush(0.05)
        copy = tmp_path.parent / f"{tmp_path.name}-copy"
        for path in tmp_path.rglob("*"):
            # The journal is left out: what the frame itself says must be enough.
            if path.is_file() and path.name != "journal":
                target = copy / path.relative_to(tmp_path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        copy.chmod(0o700)
        again = pipeline_into(later := Backend(), copy, made)
        again.submit("info", "a.b", {})
        wait_for_recovery(again, 1)
        again.shutdown(10)
        counts = [
            record.attributes.get("activity.count") for record in later.records if record.event_name != "a.b"
        ]
        assert counts == [20]


def wait_for_recovery(pipeline: Pipeline, events: int) -> None:
    """Until the pipeline has delivered so many events of dead processes."""
    processor: Any = pipeline.destinations[0].holder
    with processor.spool.space:
        assert processor.spool.space.wait_for(lambda: processor.spool.accounts.recovered.delivered >= events, 20)
