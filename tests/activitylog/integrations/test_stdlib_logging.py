"""Records of ``logging`` as activity events."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import activitylog
from activitylog.exceptions import ConfigurationError
from activitylog.integrations.stdlib_logging import ActivityHandler
from activitylog.testing import CapturedActivities, capture_activities


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger with our handler, as an application has one."""
    found = logging.getLogger("shop.orders")
    handler = ActivityHandler()
    found.addHandler(handler)
    found.setLevel(1)
    yield found
    found.removeHandler(handler)


@pytest.fixture
def others() -> Iterator[logging.Logger]:
    """A logger whose other records become events, too."""
    found = logging.getLogger("shop.others")
    handler = ActivityHandler(other_records="log.written")
    found.addHandler(handler)
    found.setLevel(1)
    yield found
    found.removeHandler(handler)


@activitylog.event("message.sent", version=2)
@dataclass(frozen=True)
class MessageSent:
    channel: str


def ours(logger: logging.Logger) -> ActivityHandler:
    """Our handler of the logger; pytest has one, too."""
    (found,) = [handler for handler in logger.handlers if isinstance(handler, ActivityHandler)]
    return found


def log_to_ours(logger: logging.Logger, message: Any, *args: Any, **extra: Any) -> None:
    """Log what is wrong on purpose: pytest's own handler would raise."""
    ours(logger).handle(logger.makeRecord(logger.name, logging.INFO, "f", 1, message, args, None, extra=extra))


class TestWhatIsAnEvent:
    def test_a_name_and_its_keywords(self, activity: CapturedActivities, logger: logging.Logger) -> None:
        """The message is the event's name, and ``extra`` has the keywords of ``emit``."""
        logger.info(
            "order.paid", extra={"actor": "user:42", "object": ("order", 7), "amount": 312, "tenant": None}
        )
        event = activity.one("order.paid", actor="user:42", object="order:7", amount=312)
        named = {name for name in event.attributes if not name.startswith(("activity.p", "activity.s", "log."))}
        assert named == {"user.id", "activity.object.type", "activity.object.id", "amount"}
        assert event.message is None

    @pytest.mark.parametrize(
        ("message", "args"),
        [("Order paid", ()), ("order", ()), ("order.%s", ("paid",)), ("order.paid", (1,)), (7, ())],
    )
    def test_other_records_are_left_alone(
        self, activity: CapturedActivities, logger: logging.Logger, message: Any, args: tuple[Any, ...]
    ) -> None:
        """What is no name, or has arguments, is a log line like any other."""
        log_to_ours(logger, message, *args, actor="user:1")
        assert activity.names == []

    def test_other_records_when_asked_for(self, activity: CapturedActivities, others: logging.Logger) -> None:
        """With ``other_records`` they are events under that name, with their text and their logger."""
        others.warning("took %d ms", 7, extra={"actor": "user:1"})
        others.info("order.paid")
        event = activity.one("log.written", message="took 7 ms", severity="WARN", actor="user:1")
        assert event.attributes["log.logger"] == "shop.others"
        assert activity.names == ["log.written", "order.paid"]

    @pytest.mark.parametrize("key", ["event", "activity_event"])
    def test_a_name_beside_a_text(self, activity: CapturedActivities, logger: logging.Logger, key: str) -> None:
        """With the name in ``extra`` the text is the event's message."""
        logger.info("order %s was paid", "A-1", extra={key: "order.paid"})
        assert activity.one("order.paid").message == "order A-1 was paid"

    def test_an_extra_that_is_called_event(self, activity: CapturedActivities, logger: logging.Logger) -> None:
        """Many applications have an ``event`` of their own: it makes no event, and is kept beside a name."""
        logger.info("click", extra={"event": "A button was clicked"})
        assert activity.names == []
        logger.info("button.clicked", extra={"event": "left button"})
        assert activity.one("button.clicked", event_="left button").message is None

    def test_activity_event_is_an_event_whatever_it_is(self, logger: logging.Logger) -> None:
        """Who says so means it; the pipeline flags the name."""
        with capture_activities(strict=False) as captured:
            logger.info("text", extra={"activity_event": "Order paid"})
        assert captured.one("Order paid").attributes["activity.sanitized"] == ["event:name"]

    def test_typed_events(self, activity: CapturedActivities, logger: logging.Logger) -> None:
        """An instance of a declared class is an event, as the message and as ``extra``."""
        logger.info(MessageSent("general"), extra={"actor": "user:1"})
        logger.info("sent it", extra={"event": MessageSent("random")})
        assert (
            activity.one("message.sent", channel="general", actor="user:1").attributes["activity.schema.version"]
            == 2
        )
        assert activity.one("message.sent", channel="random").message == "sent it"

    def test_a_name_for_others_that_is_none(self) -> None:
        """It is refused, in words that dictConfig passes on."""
        with pytest.raises(ConfigurationError, match="other_records is 'Log'"):
            ActivityHandler(other_records="Log")


class TestWhatComesAlong:
    @pytest.mark.parametrize(
        ("level", "severity"),
        [
            (1, "DEBUG"),
            (10, "DEBUG"),
            (19, "DEBUG"),
            (20, "INFO"),
            (25, "INFO"),
            (30, "WARN"),
            (45, "ERROR"),
            (99, "FATAL"),
        ],
    )
    def test_levels(self, activity: CapturedActivities, logger: logging.Logger, level: int, severity: str) -> None:
        """Levels become severities; one between two counts as the lower."""
        logger.log(level, "order.paid")
        assert activity.one("order.paid").severity == severity

    def test_time(self, activity: CapturedActivities, logger: logging.Logger) -> None:
        """The event's time is the record's, in whole microseconds; an extra that is None says nothing."""
        record = logger.makeRecord(logger.name, logging.INFO, "f", 1, "order.paid", (), None)
        record.created = 1_700_000_000.123456
        record.timestamp = None
        logger.handle(record)
        assert activity.one("order.paid").timestamp_ns == 1_700_000_000_123_456_000

    def test_exceptions(self, activity: CapturedActivities, logger: logging.Logger) -> None:
        """An exception is the event's error, with its stack, and the outcome is a failure."""
        try:
            raise ValueError("no money")
        except ValueError:
            logger.exception("order.paid", extra={"actor": "user:1"})
        event = activity.one("order.paid", outcome="failure", severity="ERROR")
        assert event.attributes["error.type"] == "ValueError"
        assert event.attributes["exception.message"] == "no money"
        assert "test_exceptions" in event.attributes["exception.stacktrace"]

    def test_no_exception(self, activity: CapturedActivities, logger: logging.Logger) -> None:
        """``exc_info=True`` outside of a handler is no failure."""
        logger.info("order.paid", exc_info=True)
        assert activity.one("order.paid").outcome == "success"

    def test_what_is_bound(self, activity: CapturedActivities, logger: logging.Logger) -> None:
        """The context of the thread is the event's, and a LoggerAdapter's extra, too."""
        with activitylog.bind(tenant="acme"):
            logging.LoggerAdapter(logger, {"session": "s1"}).info("order.paid")
        activity.one("order.paid", tenant="acme", session="s1")

    def test_ids_of_the_instrumentation(self, activity: CapturedActivities, logger: logging.Logger) -> None:
        """OpenTelemetry's instrumentation leaves ids on records: they are the trace, not attributes."""
        ids = {"otelTraceID": "a" * 32, "otelSpanID": "b" * 16, "otelServiceName": "x", "otelTraceSampled": True}
        logger.info("order.paid", extra=ids)
        logger.info("order.sent", extra={**ids, "otelTraceID": "0", "otelSpanID": "0"})
        event = activity.one("order.paid")
        assert (event.trace_id, event.span_id) == (int("a" * 32, 16), int("b" * 16, 16))
        assert activity.one("order.sent").trace_id == 0
        assert not [name for event in activity.events for name in event.attributes if name.startswith("otel")]


class TestSafety:
    @pytest.mark.parametrize(
        "name", ["activitylog", "otel_clickhouse", "opentelemetry.sdk._logs", "activitylog.server"]
    )
    def test_own_loggers(self, activity: CapturedActivities, name: str) -> None:
        """Lines about the delivery of events are not events, also under the root logger."""
        handler = ActivityHandler(other_records="log.written")
        logging.getLogger().addHandler(handler)
        try:
            logging.getLogger(name).warning("order.paid")
        finally:
            logging.getLogger().removeHandler(handler)
        assert activity.names == []

    def test_a_processor_that_logs(self, others: logging.Logger) -> None:
        """What is logged inside the pipeline does not go round in circles."""

        def logging_one(_logger: Any, _method: str, event_dict: Any) -> Any:
            others.info("seen %s", event_dict["event"])
            return event_dict

        with capture_activities(processors=[logging_one]) as captured:
            others.info("order.paid")
            others.info("order.sent")
        assert captured.names == ["order.paid", "order.sent"]

    def test_nothing_is_raised(
        self, logger: logging.Logger, others: logging.Logger, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Neither hostile values nor wrong arguments reach the application, nor does the next event suffer."""

        class Hostile:
            def __getattr__(self, name: str) -> Any:
                raise RuntimeError(name)

            def __str__(self) -> str:
                raise RuntimeError("no text")

        with capture_activities(strict=False) as captured:
            log_to_ours(logger, "order.paid", actor=Hostile(), value=Hostile())
            log_to_ours(others, "%d", "no number")
            log_to_ours(others, Hostile())
            logger.info("order.sent")
        assert captured.names == ["order.paid", "order.sent"]
        assert "Logging error" in capsys.readouterr().err

    def test_strict(self, logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
        """Under ``strict`` an error is shown, and still not raised."""
        with capture_activities(strict=True):
            logger.info("order.paid", extra={"value": float("nan")})
        assert "value:not_finite" in capsys.readouterr().err

    def test_before_configure(self, logger: logging.Logger) -> None:
        """Without a pipeline events are counted, as those of emit are."""
        before = activitylog.config.swap(None)
        try:
            counted = activitylog.stats().dropped.get("not_configured", 0)
            logger.info("order.paid")
            assert activitylog.stats().dropped["not_configured"] == counted + 1
        finally:
            activitylog.config.swap(before)

    def test_threads_do_not_wait(self, logger: logging.Logger) -> None:
        """A thread that is held up inside a processor keeps no other one from logging."""
        inside, go_on = threading.Event(), threading.Event()

        def slow(_logger: Any, _method: str, event_dict: Any) -> Any:
            if event_dict["event"] == "order.held":
                inside.set()
                assert go_on.wait(10)
            return event_dict

        with capture_activities(processors=[slow]) as captured:
            held = threading.Thread(target=logger.info, args=("order.held",))
            held.start()
            assert inside.wait(10)
            logger.info("order.paid")
            assert captured.names == ["order.paid"]
            go_on.set()
            held.join()

    def test_filters(self, activity: CapturedActivities, logger: logging.Logger) -> None:
        """A filter of the handler decides, and may change the record."""
        ours(logger).addFilter(lambda record: record.msg != "order.secret")
        logger.info("order.secret")
        logger.info("order.paid")
        assert activity.names == ["order.paid"]


CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(message)s"}},
    "handlers": {
        "activity": {
            "class": "activitylog.integrations.stdlib_logging.ActivityHandler",
            "level": "INFO",
            "other_records": "log.written",
        },
        "console": {"class": "logging.StreamHandler", "formatter": "plain"},
    },
    "loggers": {"configured": {"level": "DEBUG", "handlers": ["activity", "console"], "propagate": False}},
}


class TestAsApplicationsWriteIt:
    def test_dict_config(self, activity: CapturedActivities, capsys: pytest.CaptureFixture[str]) -> None:
        """Configured by a dictionary, beside other handlers, which get the records as they were."""
        logging.config.dictConfig(CONFIG)
        log = logging.getLogger("configured.part")
        log.debug("order.debugged")
        log.info("order.paid", extra={"actor": "user:1"})
        log.error("failed: %s", "why")
        assert activity.names == ["order.paid", "log.written"]
        assert capsys.readouterr().err.splitlines()[-2:] == ["INFO order.paid", "ERROR failed: why"]

    def test_a_wrong_dict_config(self) -> None:
        """A name that is none is a ValueError with our words."""
        handlers: dict[str, Any] = {"activity": {**CONFIG["handlers"]["activity"], "other_records": "Log written"}}
        with pytest.raises(ValueError, match="Unable to configure handler 'activity'") as caught:
            logging.config.dictConfig({"version": 1, "handlers": handlers})
        assert "other_records is 'Log written'" in str(caught.value.__cause__)

    def test_behind_a_queue(self, activity: CapturedActivities) -> None:
        """Behind a QueueHandler names, extras, times and stacks arrive."""
        lines: queue.Queue[Any] = queue.Queue()
        log = logging.getLogger("shop.queued")
        log.setLevel(logging.INFO)
        log.addHandler(logging.handlers.QueueHandler(lines))
        listener = logging.handlers.QueueListener(lines, ActivityHandler(other_records="log.written"))
        listener.start()
        try:
            log.info("order.paid", extra={"actor": "user:1"})
            log.info("paid %d", 3, extra={"event": "order.counted"})
            try:
                raise KeyError("missing")
            except KeyError:
                log.exception("order.failed", extra={"amount": 3})
                log.exception("that went %s", "wrong")
        finally:
            listener.stop()
            log.handlers.clear()
        activity.one("order.paid", actor="user:1")
        assert activity.one("order.counted").message == "paid 3"
        failed = activity.one("order.failed", outcome="failure", amount=3)
        assert failed.attributes["error.type"] == "KeyError"
        assert failed.attributes["exception.stacktrace"].endswith("KeyError: 'missing'")
        assert activity.one("log.written", outcome="failure").message == "that went wrong"

    @pytest.mark.slow
    def test_it_imports_nothing_of_structlog_s_configuration(self) -> None:
        """Importing the handler leaves structlog as it was."""
        script = (
            "import activitylog.integrations.stdlib_logging, structlog, logging\n"
            "assert not structlog.is_configured()\n"
            "assert logging.getLogger().handlers == []\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
