"""One chunk to the store, until there is a definite answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from activitylog.exceptions import StoreUnavailableError
from activitylog.integrations.django.moving_in.importing.delivery import Delivery
from otel_delivery import Answer

Script = Callable[[Sequence[Any], str, int | None], Answer]


class Scripted:
    """An exporter that answers what a test says, and notes what it was asked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[tuple[list[Any], str, bool]] = []

    def deliver(self, records: Sequence[Any], *, token: str, first_attempt_ns: int | None) -> Answer:
        """As the protocol has it."""
        self.asked.append((list(records), token, first_attempt_ns is not None))
        return self.script(records, token, first_attempt_ns)


def send(script: Script, records: list[Any], first_attempt_ns: int | None = None, patience: float = 5.0) -> Any:
    """What was refused, what was asked, and what was told."""
    exporter, told = Scripted(script), []
    refused = Delivery(exporter, patience, told.append).send(records, "t", first_attempt_ns)
    return refused, exporter.asked, told


class TestSend:
    """One chunk."""

    def test_delivered(self) -> None:
        """At once."""
        assert send(lambda *_: Answer("delivered"), [1, 2]) == ({}, [([1, 2], "t", False)], [])

    def test_again_with_the_same_token(self) -> None:
        """After the first attempt the exporter knows that there was one."""
        answers = iter([Answer("retry", "unavailable", "nobody answers"), Answer("delivered")])
        refused, asked, told = send(lambda *_: next(answers), [1])
        assert (refused, told) == ({}, ["nobody answers"])
        assert asked == [([1], "t", False), ([1], "t", True)]

    def test_a_chunk_that_a_dead_process_began(self) -> None:
        """The exporter is told when."""
        assert send(lambda *_: Answer("delivered"), [1], first_attempt_ns=7)[1] == [([1], "t", True)]

    def test_what_is_refused_as_a_whole_is_halved(self) -> None:
        """Until the one that is at fault is left, by tokens that follow from the chunk's."""
        refused, asked, _ = send(
            lambda records, *_: Answer("refused", "too_odd", "no") if 3 in records else Answer("delivered"),
            [1, 2, 3, 4, 5],
        )
        assert refused == {2: "too_odd: no"}
        assert [(records, token) for records, token, _ in asked] == [
            ([1, 2, 3, 4, 5], "t"), ([1, 2], "t/0"), ([3, 4, 5], "t/1"), ([3], "t/1/0"), ([4, 5], "t/1/1")
        ]  # fmt: skip

    def test_what_is_left_out_is_named(self) -> None:
        """Though the rest is stored."""
        refused, _, _ = send(lambda *_: Answer("delivered", rejected={1: "encode: no text"}), [1, 2])
        assert refused == {1: "encode: no text"}

    @pytest.mark.parametrize(
        "answer", [Answer("retry", "unavailable", "away"), Answer("elsewhere", "locked", "away")]
    )
    def test_patience_ends(self, answer: Answer) -> None:
        """What was stored is not sent again by who goes on."""
        with pytest.raises(StoreUnavailableError, match=r"does not take the rows: away.*--resume"):
            send(lambda *_: answer, [1], patience=0.1)
