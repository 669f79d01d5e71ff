"""Lines about deliveries: one a minute for each subject, printable, and no trouble for who tells."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from otel_delivery.rare_log import RareLog


def test_one_line_a_minute_and_what_was_left_out(lines_of):
    """A long outage is in the log once a minute, with the number of lines between."""
    now = [0.0]
    log = RareLog("shop", clock=lambda: now[0])
    for seconds in (0, 1, 59, 60, 61, 121, 200):
        now[0] = float(seconds)
        log.tell("deadline", "late by %d s", seconds)
    assert lines_of("shop") == [
        "late by 0 s",
        "late by 60 s (2 similar lines left out)",
        "late by 121 s (1 similar lines left out)",
        "late by 200 s",
    ]


def test_each_subject_has_its_own_minute(lines_of):
    """A new kind of trouble is told at once."""
    log = RareLog("shop", clock=lambda: 0.0)
    for subject in ("deadline", "permanent", "deadline"):
        log.tell(subject, subject)
    assert lines_of("shop") == ["deadline", "permanent"]


def test_what_servers_say_is_printable(lines_of):
    """Numbers are numbers; every other value may hold what a terminal would obey."""
    RareLog("shop").tell("retry", "%.1f s, %d times: %s", 0.25, 3, ValueError("\u202eno\x07\n"))
    assert lines_of("shop") == ["0.2 s, 3 times: \\u202eno\\x07\\n"]


@pytest.fixture
def failing_handler() -> Iterator[None]:
    """What an application may have put on its loggers."""

    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("the disk of the log is full")

    handler = Failing()
    logging.getLogger("shop").addHandler(handler)
    yield
    logging.getLogger("shop").removeHandler(handler)


def test_a_handler_that_fails_disturbs_nobody(failing_handler):
    """An export must not end because its log line could not be written."""
    RareLog("shop").tell("retry", "again")
