"""Losses are counted always and told rarely."""

from __future__ import annotations

from otel_clickhouse.losses import Losses


class TestLosses:
    def test_one_line_a_minute_and_what_was_left_out(self, lines):
        """A long outage is in the log once a minute, with the number of lines between."""
        now = [0.0]
        losses = Losses(clock=lambda: now[0])
        for seconds in (0, 1, 59, 60, 61, 121):
            now[0] = float(seconds)
            losses.add("deadline", 2, "busy")
        assert lines() == [
            "2 records dropped (deadline), 2 in all: busy",
            "2 records dropped (deadline), 8 in all: busy (2 similar lines left out)",
            "2 records dropped (deadline), 12 in all: busy (1 similar lines left out)",
        ]
        assert losses.counts() == {"deadline": 12}

    def test_each_reason_has_its_own_minute(self, lines):
        """A new kind of trouble is told at once."""
        losses = Losses(clock=lambda: 0.0)
        losses.add("deadline", 1, "busy")
        losses.add("permanent", 1, "no")
        assert len(lines()) == 2

    def test_counts_are_a_copy(self):
        """What was read does not change under the reader."""
        losses = Losses()
        before = losses.counts()
        losses.add("encode", 1)
        assert (before, losses.counts()) == ({}, {"encode": 1})
