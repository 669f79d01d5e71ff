"""What a drain tells the destination: that events which it had refused, and which count as lost, are there now."""

from __future__ import annotations

from pathlib import Path

import pytest

from activitylog import draining
from activitylog.event import COUNTER_EVENT_NAME
from activitylog.pipeline import Pipeline
from activitylog.settings import Settings
from activitylog.spooling import SpooledDestination, spool_folder
from activitylog.url import parse
from tests.otel_spool.spools import Backend, Process


def test_letters_that_arrive_are_no_losses_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their producers, in a record of no number; a letter that has no number itself is no gap either."""
    url = parse("otlp+http://127.0.0.1:9")
    settings = Settings(spool_directory=tmp_path, schedule_delay_millis=10)
    folder = spool_folder(url, settings)
    refusing = Backend()
    refusing.refuses = frozenset({"poison"})
    producers: list[str] = []
    for events in (2, 3):
        destination = SpooledDestination(lambda: refusing, str(url), folder, "process", settings)
        pipeline = Pipeline(settings, destinations=[destination])
        producers.append(pipeline._render.producer)
        for _ in range(events):
            pipeline.submit("info", "a.b", {"message": "poison"})
        assert pipeline.flush(10).complete
        pipeline.shutdown(5)
    other = Process(refusing, folder)
    other.emit("poison")
    assert other.processor.flush(10).complete
    other.leave()
    backend = Backend()
    monkeypatch.setattr(draining, "exporter_builder", lambda _url, _settings: lambda: backend)
    found = draining.drain(url, settings, letters=True, timeout_seconds=20)
    assert (found.delivered, found.left, found.left_letters) == (6, 0, 0)
    told = [record.log_record for record in backend.records if record.log_record.event_name == COUNTER_EVENT_NAME]
    rows = {str(values["activity.producer"]): values for one in told if (values := dict(one.attributes or {}))}
    assert {producer: values["activity.count"] for producer, values in rows.items()} == {
        producers[0]: 2, producers[1]: 3,
    }  # fmt: skip
    for values in rows.values():
        assert (values["activity.counter.reason"], values["activity.sample.rule"]) == ("redelivered", str(url))
        assert "activity.seq" not in values
