"""What an event says before it is processed."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from activitylog import context
from activitylog.event import FIELDS
from activitylog.output import _SEVERITIES
from activitylog.rules.reading import outcome_of, reader, severity_of, tenant_of, unit_reader
from tests.activitylog.rules.events import METHODS, User, bound_values, event_dicts, one_actor, record_of, says
from tests.strategies import Hostile, any_value

KEYS = [field.attribute for field in FIELDS] + [field.key for field in FIELDS if field.key]
UNITS = ["event", "trace", "session", "actor", "tenant", "name", "amount", "object", "outcome", "http.route"]


class Name(enum.StrEnum):
    """Names of events as an application declares them."""

    SENT = "message.sent"


class UnboundProxy:
    """A lazy proxy outside its request: it raises even when it is asked for its class."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise RuntimeError("outside of a request")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("outside of a request")

    def __call__(self) -> Any:
        raise RuntimeError("outside of a request")


def read(key: str, **event: Any) -> Any:
    """What an event says under a key."""
    return reader(key)("info", event)


class TestAgainstTheChain:
    @pytest.mark.slow
    @settings(max_examples=150, deadline=None)
    @given(event=event_dicts(), bound=bound_values(), method_name=st.sampled_from(METHODS))
    def test_what_the_record_will_say(
        self, event: dict[str, Any], bound: dict[str, Any], method_name: str
    ) -> None:
        """Whatever is given, bound or in the request: the readers answer as the chain will."""
        assume(one_actor(event, bound))
        record = record_of(method_name, event, bound)
        token = context.push(bound)
        try:
            assert outcome_of(method_name, dict(event)) == says(record, method_name, "outcome")
            assert severity_of(method_name, dict(event)) == says(record, method_name, "severity")
            assert tenant_of(dict(event)) == (says(record, method_name, "tenant") or "")
            for key in ("actor", "object", "target", "session", "amount", "colour", "http.route", "duration"):
                assert reader(key)(method_name, dict(event)) == says(record, method_name, key), key
        finally:
            context.pop(token)

    def test_severities_are_those_of_the_record(self) -> None:
        """Method by method and outcome by outcome."""
        for (method_name, outcome), (severity, _) in _SEVERITIES.items():
            assert severity_of(method_name, {"event": "a", "outcome": outcome}) == severity.value


class TestNeverRaises:
    @pytest.mark.slow
    @settings(max_examples=150, deadline=None)
    @given(
        event=st.dictionaries(
            st.sampled_from(["event", "request", "objects", "exc_info", "trace_id", *KEYS]), any_value()
        ),
        method_name=st.sampled_from(METHODS),
    )
    def test_for_any_values(self, event: dict[str, Any], method_name: str) -> None:
        """What cannot be read is None; units are text."""
        for key in KEYS:
            reader(key)(method_name, dict(event))
        for by in UNITS:
            unit = unit_reader(by)(dict(event))
            assert unit is None or (type(unit) is str and 0 < len(unit) <= 1024)
        assert type(outcome_of(method_name, dict(event))) is str
        assert type(tenant_of(dict(event))) is str

    @pytest.mark.parametrize("kind", [UnboundProxy, Hostile])
    def test_for_objects_that_refuse_everything(self, kind: type) -> None:
        """A proxy that raises for its own class is nothing more than unreadable, given or bound."""
        odd: Any = kind()
        keys = ["event", "request", "objects", "exc_info", "trace_id", "amount", *KEYS]
        for given_values, bound in ((dict.fromkeys(keys, odd), {}), ({}, dict.fromkeys(keys, odd))):
            token = context.push(bound)
            try:
                for key in keys:
                    reader(key)("info", dict(given_values))
                for by in UNITS:
                    unit_reader(by)(dict(given_values))
                assert tenant_of(dict(given_values)) in ("", f"<{kind.__name__}>")
                assert outcome_of("info", dict(given_values)) in ("unknown", "success", "failure")
            finally:
                context.pop(token)


class TestContext:
    def test_a_callable_is_called_once(self) -> None:
        """What it gave is in the event, where the next reader and the chain find it."""
        calls: list[int] = []

        def actor() -> str:
            calls.append(1)
            return "user:1"

        event: dict[str, Any] = {"event": "a"}
        with context.bind(actor=actor):
            assert [unit_reader("actor")(event) for _ in range(3)] == ["user:1"] * 3
        assert (len(calls), event["actor"]) == (1, "user:1")

    def test_a_callable_that_raises_says_nothing(self) -> None:
        """It leaves nothing behind, so that the chain can flag it."""
        event: dict[str, Any] = {"event": "a"}
        with context.bind(tenant=lambda: 1 / 0):
            assert tenant_of(event) == ""
        assert event == {"event": "a"}

    def test_what_is_bound_plainly_is_not_copied(self) -> None:
        """Only what a callable gave is worth keeping."""
        event: dict[str, Any] = {"event": "a"}
        with context.bind(tenant="acme"):
            assert tenant_of(event) == "acme"
        assert event == {"event": "a"}

    def test_the_event_wins_over_the_request(self) -> None:
        """And a bound request over nothing."""
        with context.bind(request={"http.route": "/a", "client.address": "::1"}):
            assert read("http.route", **{"http.route": "/b"}) == "/b"
            assert read("client.address") == "::1"


class TestValues:
    def test_as_they_will_be_stored(self) -> None:
        """Dates, ids, enumerations: their text."""
        assert read("x", x=uuid.UUID(int=7)) == "00000000-0000-0000-0000-000000000007"
        assert read("x", x=dt.date(2026, 1, 2)) == "2026-01-02"
        assert read("x", x=Name.SENT) == "message.sent"
        assert read("duration", duration=dt.timedelta(milliseconds=1500)) == 1.5

    def test_an_error_is_its_class(self) -> None:
        """As the attribute error.type names it."""
        assert read("error", error=ValueError("x")) == "ValueError"
        assert read("error.type", exc_info=(None, KeyError("x"), None)) == "KeyError"
        assert read("error", error="timeout") == "timeout"
        assert read("exception.type", error=ValueError("x")) == "ValueError"

    @pytest.mark.parametrize(
        ("event", "outcome"),
        [
            ({}, "success"),
            ({"outcome": None}, "success"),
            ({"outcome": "denied"}, "denied"),
            ({"outcome": "odd"}, "unknown"),
            ({"outcome": ["unhashable"]}, "unknown"),
            ({"error": "timeout"}, "failure"),
            ({"error": "timeout", "outcome": "denied"}, "denied"),
            ({"exc_info": ValueError()}, "failure"),
            ({"exc_info": (ValueError, ValueError(), None)}, "failure"),
            ({"activity.outcome": "denied"}, "denied"),
            ({"error": "timeout", "activity.outcome": "denied"}, "failure"),
        ],
    )
    def test_outcomes(self, event: dict[str, Any], outcome: str) -> None:
        """Given and bound alike."""
        assert outcome_of("info", {"event": "a", **event}) == outcome
        with context.bind(**event):
            assert outcome_of("info", {"event": "a"}) == outcome

    def test_an_exception_that_is_being_handled(self) -> None:
        """log.exception makes a failure of it, where there is one."""
        assert outcome_of("exception", {"event": "a"}) == "success"
        try:
            raise ValueError
        except ValueError:
            assert outcome_of("exception", {"event": "a"}) == "failure"
            assert outcome_of("exception", {"event": "a", "exc_info": False}) == "success"

    def test_objects_share_a_type_and_are_counted(self) -> None:
        """What can be read only once is left alone."""
        assert read("activity.object.type", objects=["message:1", "message:2"]) == "message"
        assert read("activity.object.type", objects=["message:1", "user:2"]) is None
        assert read("count", objects=("message:1", "message:2")) == 2
        once = iter(["message:1"])
        assert read("activity.object.type", objects=once) is None
        assert list(once) == ["message:1"]


class TestUnits:
    def test_trace(self) -> None:
        """The given id, else the one of the active span, in 32 digits; None without."""
        trace_of = unit_reader("trace")
        assert trace_of({"event": "a"}) is None
        assert trace_of({"event": "a", "trace_id": "ABC"}) == f"{0xABC:032x}"
        assert trace_of({"event": "a", "trace_id": "no"}) is None
        span = NonRecordingSpan(SpanContext(0x1234, 0x5, is_remote=False, trace_flags=TraceFlags(1)))
        with trace.use_span(span):
            assert trace_of({"event": "a"}) == f"{0x1234:032x}"
            assert trace_of({"event": "a", "trace_id": 7}) == f"{7:032x}"

    @pytest.mark.parametrize(
        ("by", "event", "unit"),
        [
            ("event", {"event": "a"}, None),
            ("name", {"event": "a.b"}, "a.b"),
            ("name", {"event": Name.SENT}, "message.sent"),
            ("name", {"event": 3}, None),
            ("session", {"session": 5}, "5"),
            ("session", {"session": ""}, None),
            ("session", {"session.id": "s"}, "s"),
            ("actor", {"actor": "42"}, "user:42"),
            ("actor", {"actor": User(0)}, "user:0"),
            ("actor", {"actor": User(None)}, None),
            ("tenant", {"tenant": ("org", 7)}, "7"),
            ("shard", {"shard": 3}, "3"),
            ("shard", {"shard": True}, "true"),
            ("shard", {"shard": [3]}, None),
            ("shard", {"shard": 10**5000}, None),
            ("shard", {"shard": "x" * 5000}, "x" * 1024),
            ("http.route", {"request": {"http.route": "/a"}}, "/a"),
        ],
    )
    def test_text(self, by: str, event: dict[str, Any], unit: str | None) -> None:
        """The same thing has the same text in every process."""
        assert unit_reader(by)(event) == unit

    def test_a_tenant_is_bounded(self) -> None:
        """Counters are kept by it."""
        assert len(tenant_of({"tenant": "x" * 5000})) == 256
