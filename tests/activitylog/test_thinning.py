"""Rules and roll-up in somebody else's structlog chain."""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections import Counter
from typing import Any

import pytest
import structlog

from activitylog.exceptions import ConfigurationError
from activitylog.processors import RollUpEvents, Sample, release_to

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now_ns = START

    def __call__(self) -> int:
        return self.now_ns


class Chain:
    """An application's chain with our processors in it, and what it prints."""

    def __init__(self, rules: list[Any], clock: Clock, *more: Any, **options: Any) -> None:
        self.out = io.StringIO()
        render = structlog.processors.JSONRenderer()
        rest = structlog.wrap_logger(structlog.PrintLogger(self.out), processors=[render])
        self.sample = Sample(rules, release=release_to(rest), clock=clock, **options)
        self.rollup = RollUpEvents(rules, release=release_to(rest), clock=clock)
        self.log = structlog.wrap_logger(
            structlog.PrintLogger(self.out),
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso"),
                *more,
                self.sample,
                self.rollup,
                render,
            ],
        )

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    @property
    def names(self) -> list[str]:
        return [event["event"] for event in self.events]


@pytest.fixture
def clock() -> Clock:
    return Clock()


class TestSample:
    def test_drop_keep_and_mark(self, clock: Clock) -> None:
        """What a rule drops is gone and counted; what is kept goes on, with the rule that took it."""
        chain = Chain(
            [{"match": "health.*", "drop": True}, {"match": "order.*", "name": "orders", "keep": True}], clock
        )
        for name in ("health.checked", "order.paid", "user.created"):
            chain.log.info(name, actor="user:1")
        assert chain.names == ["order.paid", "user.created"]
        assert chain.events[0]["activity.sample.rule"] == "orders"
        assert chain.events[0]["level"] == "info"
        assert chain.sample.dropped() == {"drop": 1}

    def test_weights(self, clock: Clock) -> None:
        """A sampled event says for how many it stands; failures are not sampled."""
        chain = Chain([{"match": "page.*", "sample": 0.25}], clock)
        for _ in range(2000):
            chain.log.info("page.viewed")
        for _ in range(20):
            chain.log.error("page.failed", outcome="failure")
        kept = [event for event in chain.events if event["event"] == "page.viewed"]
        assert {event["activity.sample.weight"] for event in kept} == {4.0}
        assert len(kept) + chain.sample.dropped()["sample"] == 2000
        assert 350 < len(kept) < 650
        assert chain.names.count("page.failed") == 20

    def test_whole_units(self, clock: Clock) -> None:
        """With the same key two processes keep the same sessions, whole."""
        rules = [{"match": "*", "sample": 0.5, "by": "session"}]
        chains = [Chain(rules, clock, key=b"secret") for _ in range(2)]
        for chain in chains:
            for number in range(300):
                chain.log.info("page.viewed", session=f"s{number % 100}")
        counts = [Counter(event["session"] for event in chain.events) for chain in chains]
        assert counts[0] == counts[1]
        assert set(counts[0].values()) == {3}
        assert 20 < len(counts[0]) < 80

    def test_a_hard_budget(self, clock: Clock) -> None:
        """No second has more than its budget, nothing is lost uncounted, and the weights add up."""
        chain = Chain([{"match": "search.*", "max_per_second": 10}], clock)
        for _ in range(5):
            for number in range(100):
                chain.log.info("search.run", number=number)
            clock.now_ns += SECOND
        chain.log.info("user.created")  # the last second is closed by whatever comes
        searches = [event for event in chain.events if event["event"] == "search.run"]
        assert len(searches) == 50
        assert sum(event["activity.sample.weight"] for event in searches) == pytest.approx(500)
        assert chain.sample.dropped() == {"budget": 450}
        assert all(event["level"] == "info" and event["timestamp"] for event in searches)

    def test_flush(self, clock: Clock) -> None:
        """Nothing comes any more: flush hands on what the budget keeps, once its second is over."""
        chain = Chain([{"match": "*", "max_per_second": 10}], clock)
        chain.log.warning("search.run")
        assert (chain.names, chain.sample.held()) == ([], 1)
        clock.now_ns += SECOND
        chain.sample.flush()
        assert (chain.names, chain.sample.held()) == (["search.run"], 0)
        assert chain.events[0]["level"] == "warning"

    def test_dry_run(self, clock: Clock) -> None:
        """Nothing is dropped; each event says what would have become of it."""
        chain = Chain([{"match": "*", "drop": True}], clock, dry_run=True)
        chain.log.info("a.b")
        assert chain.events[0]["activity.sample.dry_run"] == "drop"

    def test_a_budget_needs_somewhere_to_go(self) -> None:
        """Without ``release`` a rule that holds events is refused, with what to do; others need none."""
        with pytest.raises(ConfigurationError, match=r"rule 'search' has max_per_second.*Pass release=") as caught:
            Sample([{"match": "search.*", "name": "search", "max_per_second": 5}])
        assert "release_to(logger)" in str(caught.value)
        Sample([{"match": "search.*", "sample": 0.5}, {"match": "*", "rollup": "1s"}])

    def test_wrong_rules(self) -> None:
        """Rules are checked as those of a configuration are."""
        with pytest.raises(ConfigurationError):
            Sample([{"match": "search.*", "sample": 7}])


class TestRollUpEvents:
    RULES = ({"match": "message.typing", "rollup": "10s", "rollup_sum": ["length"]},)

    def test_many_become_one(self, clock: Clock) -> None:
        """Similar events become one, by keywords as they were given; times of any form stay."""
        chain = Chain(list(self.RULES), clock)
        for length in range(5):
            chain.log.info("message.typing", actor="user:1", object="channel:9", length=length)
        chain.log.info("message.typing", actor="user:2", object="channel:9", length=7)
        chain.log.info("message.sent", actor="user:1")
        assert (chain.names, chain.rollup.held()) == (["message.sent"], 6)
        clock.now_ns += 10 * SECOND
        chain.log.info("message.sent", actor="user:1")
        first, second = (event for event in chain.events if event["event"] == "message.typing")
        assert (first["activity.count"], first["length.sum"], first["actor"]) == (5, 10, "user:1")
        assert "activity.count" not in second
        assert second["length"] == 7

    def test_rule_of_the_sample(self, clock: Clock) -> None:
        """Where Sample has marked an event, it is rolled up by that rule; weights never mix."""
        rules = [{"match": "a.*", "name": "thin", "sample": 0.5, "rollup": "10s"}]
        chain = Chain(rules, clock)
        for _ in range(400):
            chain.log.info("a.b", actor="user:1")
        chain.rollup.flush()
        (event,) = chain.events
        assert event["activity.sample.weight"] == 2.0
        assert event["activity.count"] + chain.sample.dropped()["sample"] == 400

    def test_failures_go_on(self, clock: Clock) -> None:
        """What is never rolled up goes on at once, however the failure is said."""
        chain = Chain(list(self.RULES), clock)
        chain.log.info("message.typing", outcome="denied")
        chain.log.info("message.typing", error="Timeout")
        assert len(chain.names) == 2

    def test_it_needs_somewhere_to_go(self) -> None:
        """Without ``release`` nothing can be held."""
        with pytest.raises(ConfigurationError, match=r"has rollup.*Pass release="):
            RollUpEvents(list(self.RULES))

    def test_stdlib_backed_structlog(self, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
        """In a chain that ends in ``logging``, the events come out there, at their level."""
        final = structlog.stdlib.ProcessorFormatter.wrap_for_formatter
        rest = structlog.wrap_logger(
            logging.getLogger("foreign"), processors=[final], wrapper_class=structlog.stdlib.BoundLogger
        )
        rollup = RollUpEvents(list(self.RULES), release=release_to(rest), clock=clock)
        log = structlog.wrap_logger(
            logging.getLogger("foreign"),
            processors=[
                structlog.stdlib.filter_by_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.PositionalArgumentsFormatter(),
                rollup,
                final,
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
        )
        with caplog.at_level(logging.INFO, "foreign"):
            for _ in range(3):
                log.warning("message.typing", actor="user:1")
            rollup.flush()
        (record,) = caplog.records
        assert record.levelname == "WARNING"
        assert isinstance(record.msg, dict)
        assert (record.msg["activity.count"], record.msg["logger"]) == (3, "foreign")


class TestHolding:
    def test_the_exception_of_then(self, clock: Clock) -> None:
        """``exc_info=True`` means the exception that was handled when it was logged."""
        seen: list[Any] = []
        rollup = RollUpEvents(
            [{"match": "*", "rollup": "1s", "keep": []}], release=lambda _, event: seen.append(event), clock=clock
        )
        try:
            raise ValueError("then")
        except ValueError:
            with pytest.raises(structlog.DropEvent):
                rollup(None, "info", {"event": "a.b", "exc_info": True})
        rollup.flush()
        assert seen[0]["exc_info"][0] is ValueError

    def test_a_release_that_fails(self, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
        """Whoever logs next is not hit by it; it is counted, and told once."""

        def release(_method: str, _event: Any) -> None:
            raise OSError("secret")

        rollup = RollUpEvents([{"match": "*", "rollup": "1s"}], release=release, clock=clock)
        for name in ("a.b", "c.d"):
            with pytest.raises(structlog.DropEvent):
                rollup(None, "info", {"event": name})
        rollup.flush()
        assert rollup.dropped() == {"error": 2}
        assert [record.getMessage() for record in caplog.records] == [
            "activitylog: release failed with a OSError; see dropped()."
        ]

    def test_a_chain_that_is_thrown_away(self, clock: Clock) -> None:
        """Configuring anew loses nothing that the old processors held."""
        seen: list[Any] = []
        rollup = RollUpEvents(
            [{"match": "*", "rollup": "1s"}], release=lambda _, event: seen.append(event), clock=clock
        )
        with pytest.raises(structlog.DropEvent):
            rollup(None, "info", {"event": "a.b"})
        del rollup
        gc.collect()
        assert [event["event"] for event in seen] == ["a.b"]

    def test_threads(self) -> None:
        """Many threads, one chain: every event is in one that comes out."""
        counts: list[int] = []
        rollup = RollUpEvents(
            [{"match": "*", "rollup": "1s"}],
            release=lambda _, event: counts.append(event.get("activity.count", 1)),
            max_keys=3,
        )

        def work() -> None:
            for number in range(1000):
                with pytest.raises(structlog.DropEvent):
                    rollup(None, "info", {"event": "a.b", "actor": f"user:{number % 5}"})

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        rollup.flush()
        assert sum(counts) == 4000

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_the_end_and_forks(self) -> None:
        """At exit what is held comes out, once: what the parent holds is not the child's."""
        script = """
import os, sys
import structlog
from activitylog.processors import RollUpEvents, Sample, release_to
render = structlog.processors.JSONRenderer()
rest = structlog.wrap_logger(structlog.PrintLogger(), processors=[render])
rules = [{"match": "b.*", "max_per_second": 5}, {"match": "a.*", "rollup": "60s"}]
sample, rollup = (kind(rules, release=release_to(rest)) for kind in (Sample, RollUpEvents))
structlog.configure(processors=[sample, rollup, render])
del sample, rollup
log = structlog.get_logger()
for name in ("a.parent", "a.parent", "b.parent"):
    log.info(name)
child = os.fork()
if child == 0:
    log.info("a.child")
    log.info("b.child")
    sys.exit(0)
os.waitpid(child, 0)
"""
        done = subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
        )
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert Counter((event["event"], event.get("activity.count", 1)) for event in events) == {
            ("a.parent", 2): 1,
            ("b.parent", 1): 1,
            ("a.child", 1): 1,
            ("b.child", 1): 1,
        }
        assert done.stderr == ""
