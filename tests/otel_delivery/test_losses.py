"""Losses are counted always and told rarely."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from otel_delivery.losses import Losses
from otel_delivery.rare_log import RareLog


@pytest.fixture
def losses() -> Losses:
    """Of one moment."""
    return Losses(RareLog("shop", clock=lambda: 0.0))


def test_every_record_is_counted_and_the_first_loss_told(losses, lines_of):
    """By reason; the line has what this loss was, and all so far."""
    losses.add("deadline", 2, "busy")
    losses.add("deadline", 3, "busy")
    losses.add("permanent", 1, "no\n\x1b")
    losses.add("encode", 4)
    assert losses.counts() == {"deadline": 5, "permanent": 1, "encode": 4}
    assert lines_of("shop") == [
        "2 records dropped (deadline), 2 in all: busy",
        "1 records dropped (permanent), 1 in all: no\\n\\x1b",
    ]


def test_what_is_told_besides_counts_nothing(losses, lines_of):
    """A retry is no loss."""
    losses.tell("retry", "Export failed, trying again: %s", ValueError("no"))
    assert (losses.counts(), lines_of("shop")) == ({}, ["Export failed, trying again: no"])


def test_counts_are_a_copy(losses):
    """What was read does not change under the reader."""
    before = losses.counts()
    losses.add("encode", 1)
    assert (before, losses.counts()) == ({}, {"encode": 1})


@pytest.fixture
def _threads_take_turns_all_the_time() -> Iterator[None]:
    """So that whatever may happen between two threads does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_threads_take_turns_all_the_time")
def test_threads_lose_no_count(losses):
    """Several exports may give up at the same time."""

    def lose() -> None:
        for _ in range(5_000):
            losses.add("deadline", 1)

    threads = [threading.Thread(target=lose) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert losses.counts() == {"deadline": 20_000}
