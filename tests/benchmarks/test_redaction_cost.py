"""
What redaction costs its caller, beside searching each value for each pattern, on the same events, in one run.

    pytest tests/benchmarks/test_redaction_cost.py --benchmark-enable --benchmark-columns=median,iqr,ops

Compare within a run: what lasts is the ratio of ``on`` to ``off`` in the group of whole emits, and of ours to the
naive loop among the parts. *Fresh* events have ids and messages that nobody has seen before: nothing remembered
helps with them.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import activitylog
from activitylog import config
from activitylog.pipeline import Pipeline
from activitylog.provider import BoundedProcessor
from activitylog.redaction import RedactionKey, RedactionSettings, Redactor
from activitylog.redaction.keys import names_secret, words_of
from activitylog.redaction.patterns import ANCHORS, CARDS, CERTAIN, EMAILS, IBANS, may_have_card
from activitylog.settings import Settings
from tests.activitylog.redaction.corpus import HOSTILE, JWT
from tests.benchmarks.test_emit_cost import QUEUE, NullExporter

ORDINARY: dict[str, Any] = {
    "event": "message.sent",
    "timestamp": 1_763_000_000_000_000_000,
    "user.id": "42",
    "activity.object.type": "message",
    "activity.object.id": "7",
    "activity.tenant.id": "acme",
    "channel": "general",
    "length": 312,
    "pinned": True,
    "ratio": 0.5,
}
OF_A_REQUEST: dict[str, Any] = {
    **ORDINARY,
    "session.id": "6f1c2b3a4d5e6f708192a3b4c5d6e7f8",
    "http.route": "/api/channels/{channel}/messages",
    "url.path": "/api/channels/general/messages",
    "client.address": "203.0.113.7",
    "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0",
    "message": "Ada sent a message to the channel general",
}
WITH_SECRETS: dict[str, Any] = {
    **ORDINARY,
    "password": "open sesame",
    "message": f"logged in with Bearer {JWT} at postgres://ada:open-sesame@db/shop",
}


def fresh_events() -> Iterator[dict[str, Any]]:
    """Events of a request, no two of which share their ids and their message."""
    for number in itertools.count():
        yield {
            **OF_A_REQUEST,
            "session.id": uuid.uuid4().hex,
            "order": str(uuid.uuid4()),
            "message": f"Ada sent message {number} to the channel general",
        }


def naive(event: dict[str, Any]) -> dict[str, Any]:
    """Each key by its words, each text by each pattern: what one writes first."""
    for key, value in event.items():
        if names_secret(words_of(key)):
            event[key] = "[redacted]"
        elif isinstance(value, str):
            for pattern in (*CERTAIN, CARDS):
                value = pattern.mask(value, "[redacted]")  # noqa: PLW2901
            event[key] = value
    return event


CASES = [ORDINARY, OF_A_REQUEST, WITH_SECRETS]
EACH_CASE = pytest.mark.parametrize("event", CASES, ids=["ordinary", "request", "secrets"])


@pytest.mark.benchmark(group="redaction alone")
class TestParts:
    @EACH_CASE
    def test_redactor(self, benchmark: Any, event: dict[str, Any]) -> None:
        """One event of this kind after the other; the copy of the dict is in the time of all."""
        redactor = Redactor(RedactionSettings())
        benchmark(lambda: redactor.redact(dict(event)))

    @EACH_CASE
    def test_naive(self, benchmark: Any, event: dict[str, Any]) -> None:
        """The same without remembering anything."""
        benchmark(lambda: naive(dict(event)))

    @EACH_CASE
    def test_copy_only(self, benchmark: Any, event: dict[str, Any]) -> None:
        """What to subtract from the others."""
        benchmark(lambda: dict(event))

    def test_redactor_on_fresh_events(self, benchmark: Any) -> None:
        """Texts that were never seen; the copy of the dict is replaced by making the event."""
        redactor, events = Redactor(RedactionSettings()), fresh_events()
        benchmark.pedantic(redactor.redact, setup=lambda: ((next(events),), {}), rounds=20_000)

    def test_naive_on_fresh_events(self, benchmark: Any) -> None:
        """The same without the first look."""
        events = fresh_events()
        benchmark.pedantic(naive, setup=lambda: ((next(events),), {}), rounds=2_000)

    def test_pseudonyms(self, benchmark: Any) -> None:
        """Two of them in each event."""
        settings = RedactionSettings(pseudonymize=("actor", "tenant"), key=RedactionKey("k" * 32))
        redactor = Redactor(settings)
        benchmark(lambda: redactor.redact(dict(ORDINARY)))


@pytest.fixture
def emitting() -> Iterator[Callable[[bool], None]]:
    """Puts a pipeline into a null exporter in place, with redaction on or off."""
    made: list[Pipeline] = []

    def build(enabled: bool) -> None:
        settings = Settings(max_queue_size=QUEUE, redaction=RedactionSettings(enabled=enabled))
        made.append(Pipeline(settings, destinations=[BoundedProcessor(NullExporter, "null:", settings)]))
        config.swap(made[-1])

    yield build
    config.swap(None)
    for one in made:
        one.shutdown(10)


@pytest.mark.benchmark(group="whole emit")
@pytest.mark.parametrize("enabled", [True, False], ids=["on", "off"])
class TestWholeEmit:
    def test_ordinary(self, benchmark: Any, emitting: Callable[[bool], None], enabled: bool) -> None:
        """Who, what, to which object, four attributes."""
        emitting(enabled)
        attributes: dict[str, Any] = {"channel": "general", "length": 312, "pinned": True, "ratio": 0.5}
        assert benchmark(
            lambda: activitylog.emit(
                "message.sent", actor="user:42", object="message:7", tenant="acme", **attributes
            )
        )

    def test_fresh(self, benchmark: Any, emitting: Callable[[bool], None], enabled: bool) -> None:
        """In a request, with ids and a message that are new each time."""
        emitting(enabled)
        numbers = itertools.count()
        request = {
            key: value for key, value in OF_A_REQUEST.items() if key[:4] in ("http", "url.", "clie", "user_")
        }

        def emit() -> bool:
            number = next(numbers)
            return activitylog.emit(
                "message.sent",
                actor="user:42",
                object=f"message:{number}",
                session=f"{number * 7_919 << 90:032x}",
                request=request,
                message=f"Ada sent message {number} to the channel general",
            )

        assert benchmark(emit)


@pytest.mark.benchmark(group="100 kB, hostile")
@pytest.mark.parametrize("name", ["a", "1 ", "://", "eyJ", "password=", "-----BEGIN ", "a@"])
def test_hostile(benchmark: Any, name: str) -> None:
    """All patterns and the first look over one text: the whole cost of what was made to be costly."""
    text = HOSTILE[name](100_000)

    def search() -> None:
        ANCHORS.search(text)
        may_have_card(text)
        for pattern in (*CERTAIN, CARDS, EMAILS, IBANS):
            if pattern.may_match(text):
                pattern.mask(text, "#")

    benchmark(search)
