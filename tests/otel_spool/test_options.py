"""Settings that cannot be used are refused at once."""

from __future__ import annotations

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber

from otel_spool.exceptions import ConfigurationError
from otel_spool.options import SpoolOptions, importance


@pytest.mark.parametrize(
    "given",
    [
        {"durability": "memory"},
        {"overflow": "drop"},
        {"segment_bytes": 4095},
        {"max_bytes": 8191, "segment_bytes": 4096},
        {"max_bytes": True},
        {"max_queue_bytes": 0},
        {"max_age_seconds": 0},
        {"max_age_seconds": float("inf")},
        {"overflow_timeout_seconds": -1},
        {"sync_interval_seconds": float("nan")},
        {"max_age_seconds": "7"},
    ],
)
def test_what_cannot_be_used(given):
    """The error says what was given and what is accepted."""
    with pytest.raises(ConfigurationError, match=rf"{next(iter(given))} is .* It is "):
        SpoolOptions(**given)


def test_shares_of_the_bound():
    """Letters and what cannot be read leave most of the spool to events."""
    options = SpoolOptions(max_bytes=80_000, segment_bytes=4096)
    assert (options.letters_bytes, options.quarantine_bytes) == (20_000, 10_000)


@pytest.mark.parametrize(
    ("severity", "lane"),
    [(None, 0), (SeverityNumber.INFO4, 0), (SeverityNumber.WARN, 1), (SeverityNumber.FATAL, 1)],
)
def test_importance(severity, lane):
    """Warnings and errors are dropped last."""
    assert importance(LogRecord(severity_number=severity)) == lane
