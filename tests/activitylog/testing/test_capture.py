"""What is captured: from where, through which pipeline, and what the application may do meanwhile."""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from structlog import DropEvent
from structlog.typing import EventDict

import activitylog
from activitylog import config
from activitylog.exceptions import ConfigurationError, StrictModeError
from activitylog.testing import CapturedActivities, capture_activities


class TestWhere:
    def test_in_other_threads(self, activity: CapturedActivities) -> None:
        """Those of a pool, and those that were there before."""
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda n: activitylog.emit("a.b", n=n), range(100)))
        thread = threading.Thread(target=activitylog.emit, args=("c.d",))
        thread.start()
        thread.join()
        assert activity.counts == {"a.b": 100, "c.d": 1}
        assert sorted(event["n"] for event in activity.find("a.b")) == list(range(100))

    def test_ids_of_threads_are_dense(self, activity: CapturedActivities) -> None:
        """And in the order of the events, also where time stands still."""
        activity.freeze("2026-01-01T00:00:00Z")
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda n: activitylog.emit("a.b", n=n), range(1000)))
        finally:
            sys.setswitchinterval(interval)
        assert [event["activity.seq"] for event in activity] == list(range(1, 1001))

    def test_in_tasks(self, activity: CapturedActivities) -> None:
        """Each with what is bound to it; asyncio.to_thread included."""

        async def work(user: int) -> None:
            with activitylog.bind(actor=("user", user)):
                await asyncio.sleep(0)
                activitylog.emit("a.b")
                await asyncio.to_thread(activitylog.emit, "c.d")

        async def main() -> None:
            await asyncio.gather(*(work(user) for user in range(3)))
            await activitylog.aflush()

        asyncio.run(main())
        expected = [(name, {"actor": ("user", user)}) for name in ("a.b", "c.d") for user in range(3)]
        activity.assert_emitted_exactly(expected, any_order=True)

    def test_not_behind_the_block(self) -> None:
        """What was captured stays readable."""
        with capture_activities() as activity:
            activitylog.emit("a.b")
        with capture_activities():
            activitylog.emit("c.d")
        assert activity.names == ["a.b"]


class TestTheApplicationItself:
    def test_may_configure(self, activity: CapturedActivities) -> None:
        """As an application does when it starts inside the test: its settings are checked, nothing is opened."""
        activitylog.configure("clickhouse://nobody@127.0.0.1:1/none", rules=[{"match": "a.*", "drop": True}])
        activitylog.emit("a.b")
        assert activity.names == ["a.b"]
        assert activitylog.stats().destinations == {}

    def test_is_told_what_is_wrong_with_its_settings(self, activity: CapturedActivities) -> None:
        """A test that starts the application finds them."""
        with pytest.raises(ConfigurationError, match="There is no setting 'rulez'"):
            activitylog.configure("memory:", rulez=[])

    @pytest.mark.activity(rules=[{"match": "message.typing", "rollup": "10s"}])
    def test_may_shut_down(self, activity: CapturedActivities) -> None:
        """As at the end of its lifespan: what waits is emitted, and so is what comes after it."""
        activitylog.emit("message.typing")
        activitylog.shutdown()
        assert activity.names == ["message.typing"]
        activitylog.emit("a.b")
        assert activity.names == ["message.typing", "a.b"]

    def test_finds_its_own_pipeline_afterwards(self) -> None:
        """A capture is no end of it."""
        before = config.swap(None)
        try:
            activitylog.configure("memory:")
            pipeline = config.swap(None)
            config.swap(pipeline)
            with capture_activities():
                activitylog.configure("memory:")
            assert config.swap(before) is pipeline
            assert pipeline is not None
            pipeline.shutdown(0)
        finally:
            config.swap(before)


class TestStrict:
    def test_what_the_application_swallows_is_not_forgotten(self, activity: CapturedActivities) -> None:
        """An error raised by emit may be caught by anybody between emit and the test."""
        with pytest.raises(StrictModeError):
            activitylog.emit("a.b", payload=object())
        assert [type(error) for error in activity.failures] == [StrictModeError]
        assert activity.dropped == {"error": 1}
        activity.clear()
        assert activity.failures == []

    @pytest.mark.activity(strict=False)
    def test_may_be_left_out(self, activity: CapturedActivities) -> None:
        """Then events are repaired, as in production."""
        activitylog.emit("a.b", payload=object())
        assert activity.one("a.b")["activity.sanitized"] == ["payload:type"]
        assert activity.failures == []


class TestSettings:
    def test_are_those_of_configure(self) -> None:
        """In the forms in which it takes them."""
        with capture_activities(
            strict=False, max_value_bytes="64", rules=[{"match": "a.*", "drop": True}]
        ) as activity:
            activitylog.emit("a.b")
            activitylog.emit("c.d", text="x" * 100)
        assert activity.names == ["c.d"]
        assert len(activity[0]["text"]) == 64
        assert activity.dropped == {"drop": 1}

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"rulez": []}, "There is no setting 'rulez' (found in configure()). Did you mean 'rules'?"),
            ({"rules": [{"match": "a.*", "sample": 2}]}, "rules in configure(): rule 1: sample is 2."),
            ({"rules": [], "rules_file": "/a"}, "There are rules and a rules_file in configure()."),
            ({"strict": "perhaps"}, "strict in configure(): expected true or false, got 'perhaps'."),
        ],
    )
    def test_that_are_wrong_are_refused(self, settings: dict[str, Any], message: str) -> None:
        """And what was configured before stays."""
        before = config.swap(None)
        config.swap(before)
        with pytest.raises(ConfigurationError) as caught, capture_activities(**settings):
            pass
        assert str(caught.value).startswith(message)
        assert config.swap(before) is before

    def test_variables_and_files_are_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A test is the same wherever it runs."""
        monkeypatch.setenv("ACTIVITYLOG_ENABLED", "false")
        with capture_activities() as activity:
            activitylog.emit("a.b")
        assert activity.names == ["a.b"]


class TestConfigure:
    def test_changes_what_comes_next(self, activity: CapturedActivities) -> None:
        """What was captured stays, and so do the options that are not named."""
        activitylog.emit("a.b")
        activity.configure(strict=False)
        activitylog.emit("a.b", payload=object())
        activity.configure(rules=[{"match": "a.*", "drop": True}])
        activitylog.emit("a.b", payload=object())
        activitylog.emit("c.d", payload=object())
        assert activity.names == ["a.b", "a.b", "c.d"]

    def test_sends_what_waits(self, activity: CapturedActivities) -> None:
        """The windows of the rules before are over."""
        activity.configure(rules=[{"match": "a.*", "rollup": "10s"}])
        activitylog.emit("a.b")
        assert activity.held == 1
        activity.configure(rules=[])
        assert (activity.held, activity.names) == (0, ["a.b"])

    def test_takes_processors_of_the_application(self, activity: CapturedActivities) -> None:
        """They run first, and may drop an event."""

        def only_ours(_logger: object, _name: str, event_dict: EventDict) -> EventDict:
            if event_dict.get("bot"):
                raise DropEvent
            return {**event_dict, "region": "eu"}

        activity.configure(processors=[only_ours])
        activitylog.emit("a.b", bot=True)
        activitylog.emit("a.b")
        assert activity.one("a.b")["region"] == "eu"
        assert activity.dropped == {"filtered": 1}

    def test_with_a_wrong_setting_changes_nothing(self, activity: CapturedActivities) -> None:
        """Neither now nor with the next one."""
        with pytest.raises(ConfigurationError, match="There is no setting 'rulez'"):
            activity.configure(rulez=[], strict=False)
        activity.configure(rules=[])
        with pytest.raises(StrictModeError):
            activitylog.emit("a.b", payload=object())

    def test_keeps_what_went_wrong(self, activity: CapturedActivities) -> None:
        """A failure is not forgotten by it."""
        with pytest.raises(StrictModeError):
            activitylog.emit("a.b", payload=object())
        activity.configure(rules=[])
        assert [type(error) for error in activity.failures] == [StrictModeError]

    def test_keeps_the_time(self, activity: CapturedActivities) -> None:
        """That stands still, and the numbers of events."""
        activity.freeze("2026-01-01T00:00:00Z")
        activitylog.emit("a.b")
        activity.configure(strict=False)
        activitylog.emit("a.b")
        assert [event["activity.seq"] for event in activity] == [1, 2]
        assert {event.timestamp.year for event in activity} == {2026}
