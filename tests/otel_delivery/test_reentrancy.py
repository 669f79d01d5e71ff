"""Lines that are logged while a batch is exported do not become part of a batch."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import threading

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_delivery.reentrancy import Reentrancy

OURS = Reentrancy("shop_exporter", drivers=("shop_driver",))
OTHERS = Reentrancy("other_exporter", drivers=("shop_driver",))


def test_the_thread_that_exports_is_marked():
    """And no other thread, no other package, and only until its export ends or fails."""
    elsewhere: list[bool] = []
    with contextlib.suppress(OSError), OURS.exporting():
        thread = threading.Thread(target=lambda: elsewhere.append(OURS.is_exporting()))
        thread.start()
        thread.join()
        with OURS.exporting():
            pass
        assert (OURS.is_exporting(), elsewhere, OTHERS.is_exporting()) == (True, [False], False)
        raise OSError
    assert not OURS.is_exporting()


def test_greenlets_of_one_thread_export_side_by_side():
    """Each has a context of its own, whenever gevent came: one that exports makes no other one a reentry."""
    with OURS.exporting():
        assert not contextvars.Context().run(OURS.is_exporting)


@pytest.mark.parametrize(
    ("scope", "ours"),
    [("shop_exporter", True), ("other_exporter", False), ("shop_exporter.more", False), (None, False)],
)
def test_own_lines_are_known_by_their_logger(scope, ours):
    """A handler makes the logger's name the record's scope."""
    scoped = InstrumentationScope(scope) if scope else None
    record = ReadableLogRecord(LogRecord(body="x"), Resource({}), instrumentation_scope=scoped)
    assert OURS.is_own_line(record) is ours


def test_drivers_are_silent_while_a_thread_exports(lines_of):
    """Their lines from elsewhere, and those of loggers whose names only begin alike, stay."""
    driver, below, alike = (
        logging.getLogger(name) for name in ("shop_driver", "shop_driver.pool", "shop_driver2")
    )
    for _ in range(2):
        OURS.quiet_drivers()
    with OURS.exporting():
        for logger in (driver, below, alike):
            logger.warning("failed")
    with OTHERS.exporting():
        below.warning("another package's, which silenced nothing")
    driver.warning("free")
    assert lines_of("shop_driver") == ["free"]
    assert lines_of("shop_driver.pool") == ["another package's, which silenced nothing"]
    assert lines_of("shop_driver2") == ["failed"]
    assert (len(driver.filters), len(below.filters)) == (1, 1)
