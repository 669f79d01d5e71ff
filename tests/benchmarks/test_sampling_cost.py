"""
What an event costs its caller that is not kept, or kept under rules, beside the peers, in one run.

    pytest tests/benchmarks/test_sampling_cost.py --benchmark-enable --benchmark-columns=median,iqr,ops

Compare within a run: the ratio to ``structlog drop event`` is what lasts, and what is left over an empty function
that takes the same keywords. The exporter is null. Logfire is measured where it is installed (``pip install
logfire``); it is no dependency. What it costs to find a rule among many is in ``test_rules_cost.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from structlog.exceptions import DropEvent

import activitylog
from activitylog import config
from activitylog.pipeline import Pipeline
from activitylog.provider import BoundedProcessor
from activitylog.rules import parse_rules
from activitylog.settings import Settings
from tests.benchmarks.test_emit_cost import ATTRIBUTES, NAMED, QUEUE, NullExporter

#: A share so small that no event of a run is kept.
NONE = 1e-9
ALMOST_ALL = 0.999999

Under = Callable[..., None]


def emit() -> bool:
    """The event of all cases: who, what, to which object, in which session, four attributes."""
    return activitylog.emit(
        "message.sent", actor="user:42", object="message:7", tenant="acme", session="s-1", **ATTRIBUTES
    )


def guarded() -> bool:
    """The same behind the guard."""
    return activitylog.enabled("message.sent") and emit()


@pytest.fixture
def under() -> Iterator[Callable[..., None]]:
    """Puts a pipeline with one rule, or none, into a null exporter in place."""
    made: list[Pipeline] = []

    def build(**rule: Any) -> None:
        rules = parse_rules([{"match": "message.*", **rule}]) if rule else ()
        settings = Settings(max_queue_size=QUEUE, rules=rules)
        made.append(Pipeline(settings, destinations=[BoundedProcessor(NullExporter, "null:", settings)]))
        config.swap(made[-1])

    yield build
    config.swap(None)
    for one in made:
        one.shutdown(10)


@pytest.mark.benchmark(group="not kept")
class TestNotKept:
    def test_empty_function(self, benchmark: Any) -> None:
        """What Python charges for the call and its keywords."""

        def empty(event: str, /, **attributes: Any) -> bool:
            return False

        given = {"actor": "user:42", "object": "message:7", "tenant": "acme", "session": "s-1"}
        assert not benchmark(lambda: empty("message.sent", **given, **ATTRIBUTES))

    def test_rule_drops_unless_failed(self, benchmark: Any, under: Under) -> None:
        """``drop = true, keep = ["failure"]``: the outcome is looked at."""
        under(drop=True, keep=["failure"])
        assert not benchmark(emit)

    def test_rule_drops(self, benchmark: Any, under: Under) -> None:
        """``drop = true``: whatever the event has."""
        under(drop=True)
        assert not benchmark(emit)

    def test_guard(self, benchmark: Any, under: Under) -> None:
        """``activitylog.enabled`` before the keywords are made."""
        under(drop=True)
        assert not benchmark(guarded)

    def test_sampled_out_by_event(self, benchmark: Any, under: Under) -> None:
        """A share of single events."""
        under(sample=NONE)
        assert not benchmark(emit)

    def test_sampled_out_by_session(self, benchmark: Any, under: Under) -> None:
        """A share of sessions; this one is known."""
        under(sample=NONE, by="session")
        assert not benchmark(emit)

    def test_sampled_out_by_actor(self, benchmark: Any, under: Under) -> None:
        """A share of actors; this one is known."""
        under(sample=NONE, by="actor")
        assert not benchmark(emit)

    def test_over_the_budget(self, benchmark: Any, under: Under) -> None:
        """One event a second is kept, and waits; the median is of the others."""
        under(max_per_second=1)
        benchmark(emit)

    def test_structlog_drop_event(self, benchmark: Any) -> None:
        """structlog's own way: the first processor raises."""

        def drop(_logger: Any, _name: str, _event: Any) -> Any:
            raise DropEvent

        log = structlog.wrap_logger(None, processors=[drop], wrapper_class=structlog.BoundLogger).bind()
        benchmark(lambda: log.info("message.sent", **NAMED, **ATTRIBUTES))

    def test_structlog_below_the_level(self, benchmark: Any) -> None:
        """structlog's filtering logger: no decision, the method is empty."""
        log = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(30)).bind()
        benchmark(lambda: log.info("message.sent", **NAMED, **ATTRIBUTES))

    def test_opentelemetry_logger_disabled(self, benchmark: Any) -> None:
        """The SDK's logger, switched off by its configurator (no public way yet): it samples no logs itself."""
        from opentelemetry.sdk._logs._internal import _disable_logger_configurator

        provider = LoggerProvider(shutdown_on_exit=False, _logger_configurator=_disable_logger_configurator)
        logger = provider.get_logger("bench")
        benchmark(
            lambda: logger.emit(
                severity_number=SeverityNumber.INFO,
                event_name="message.sent",
                attributes={**NAMED, **ATTRIBUTES},
            )
        )
        provider.shutdown()

    @pytest.mark.parametrize("options", ["head", "min_level"])
    def test_logfire(self, benchmark: Any, options: str) -> None:
        """Logfire: ``SamplingOptions(head=0)``, and a level that is too low."""
        logfire = pytest.importorskip("logfire", reason="Logfire is not installed")
        given = {"sampling": logfire.SamplingOptions(head=0.0)} if options == "head" else {"min_level": "error"}
        log = logfire.configure(
            local=True, send_to_logfire=False, console=False, metrics=False, scrubbing=False, **given
        )
        benchmark(lambda: log.info("message.sent", **NAMED, **ATTRIBUTES))
        log.shutdown()


@pytest.mark.benchmark(group="kept under rules")
class TestKept:
    def test_no_rules(self, benchmark: Any, under: Under) -> None:
        """The pipeline without any."""
        under()
        assert benchmark(emit)

    def test_rule_keeps(self, benchmark: Any, under: Under) -> None:
        """``keep = true``: decided and counted."""
        under(keep=True)
        assert benchmark(emit)

    def test_sampled_in_by_event(self, benchmark: Any, under: Under) -> None:
        """Kept by chance, with its weight."""
        under(sample=ALMOST_ALL)
        benchmark(emit)

    def test_sampled_in_by_session(self, benchmark: Any, under: Under) -> None:
        """Kept with its session, with weight, threshold and unit."""
        under(sample=ALMOST_ALL, by="session")
        benchmark(emit)

    def test_within_the_budget(self, benchmark: Any, under: Under) -> None:
        """Kept until its second is over, then sent by the ticker."""
        under(max_per_second=QUEUE)
        assert benchmark(emit)

    def test_rolled_up(self, benchmark: Any, under: Under) -> None:
        """Through the chain, then one of many in a window."""
        under(rollup="10s")
        assert benchmark(emit)
