"""Each processor alone, and all of them in somebody else's structlog chain."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
import structlog

import activitylog
from activitylog.processors import (
    Redact,
    Sanitize,
    add_timestamp,
    merge_context,
    name_attributes,
    name_entities,
    name_error,
)
from activitylog.redaction import RedactionSettings, Redactor
from tests.strategies import HostileMapping


def run(processor: Any, _method: str = "info", /, **event_dict: Any) -> dict[str, Any]:
    """The event dict after one processor."""
    result: dict[str, Any] = processor(None, _method, event_dict)
    return result


class TestAddTimestamp:
    @pytest.mark.parametrize(
        ("given", "nanoseconds"),
        [
            (1_536_864_291_000_000_001, 1_536_864_291_000_000_001),
            (1_536_864_291.25, 1_536_864_291_250_000_000),
            (dt.datetime(2018, 9, 13, 18, 44, 51, 123456, tzinfo=dt.UTC), 1_536_864_291_123_456_000),
            (
                dt.datetime(2018, 9, 13, 20, 44, 51, tzinfo=dt.timezone(dt.timedelta(hours=2))),
                1_536_864_291_000_000_000,
            ),
        ],
    )
    def test_an_explicit_time_becomes_integer_nanoseconds(self, given: Any, nanoseconds: int) -> None:
        """No digit of it is lost on the way."""
        assert run(add_timestamp, timestamp=given) == {"timestamp": nanoseconds}

    def test_now_is_in_whole_microseconds(self) -> None:
        """Time is an integer from the beginning; its last three digits would be noise."""
        stamp = run(add_timestamp)["timestamp"]
        assert type(stamp) is int
        assert stamp % 1000 == 0
        assert stamp > 1_700_000_000_000_000_000

    def test_a_time_without_a_zone_is_utc_and_flagged(self) -> None:
        """Nobody knows what it means, so it must be seen."""
        result = run(add_timestamp, timestamp=dt.datetime(1970, 1, 1, 0, 0, 1))  # noqa: DTZ001 - the case
        assert result == {"timestamp": 1_000_000_000, "activity.sanitized": ["timestamp:naive"]}

    def test_a_time_given_in_seconds_is_flagged(self) -> None:
        """int(time.time()) would be January 1970 in silence."""
        assert run(add_timestamp, timestamp=1_536_864_291) == {
            "timestamp": 1_536_864_291,
            "activity.sanitized": ["timestamp:early"],
        }

    def test_a_zone_that_fails_is_flagged(self) -> None:
        """The event is kept with the time it was emitted."""

        class Broken(dt.tzinfo):
            def utcoffset(self, _when: dt.datetime | None) -> dt.timedelta | None:
                raise TypeError

            def dst(self, _when: dt.datetime | None) -> dt.timedelta | None:
                return None

            def tzname(self, _when: dt.datetime | None) -> str | None:
                return None

        given = dt.datetime(2026, 1, 1, tzinfo=Broken())
        assert run(add_timestamp, timestamp=given)["activity.sanitized"] == ["timestamp:invalid"]

    @pytest.mark.parametrize("given", [-1, 2**63, "2026-01-01", float("nan"), float("inf"), True, object()])
    def test_anything_else_is_now_and_flagged(self, given: Any) -> None:
        """An event with a wrong time is kept, with the time it was emitted."""
        result = run(add_timestamp, timestamp=given)
        assert result["timestamp"] > 1_700_000_000_000_000_000
        assert result["activity.sanitized"] == ["timestamp:invalid"]


class TestMergeContext:
    def test_explicit_values_win_and_none_does_not(self) -> None:
        """The rule of the context, in one place."""
        with activitylog.bind(actor="user:1", tenant="acme", session="s"):
            result = run(merge_context, actor=None, tenant="other")
        assert result == {"actor": "user:1", "tenant": "other", "session": "s"}


class TestNameEntities:
    @pytest.mark.parametrize(
        ("actor", "expected"),
        [
            ("user:42", {"user.id": "42"}),
            ("42", {"user.id": "42"}),
            (("User", 42), {"user.id": "42"}),
            ("service:billing", {"activity.actor.type": "service", "activity.actor.id": "billing"}),
        ],
    )
    def test_an_actor_is_a_user_unless_it_says_otherwise(self, actor: Any, expected: dict[str, Any]) -> None:
        """Semantic conventions have a name for users, and none for other actors."""
        assert run(name_entities, actor=actor) == expected

    def test_a_framework_user_is_a_user(self) -> None:
        """Whatever the application calls the class."""

        class Account:
            pk = 0
            is_authenticated = True

        assert run(name_entities, actor=Account()) == {"user.id": "0"}

    def test_object_with_a_name_and_target(self) -> None:
        """Added the message to the channel."""
        assert run(name_entities, object=("message", 7, "Hello"), target="channel:1") == {
            "activity.object.type": "message",
            "activity.object.id": "7",
            "activity.object.name": "Hello",
            "activity.target.type": "channel",
            "activity.target.id": "1",
        }

    def test_many_objects_of_one_type(self) -> None:
        """One event about many things says which and how many."""
        assert run(name_entities, objects=["user:1", ("user", 2)]) == {
            "activity.object.type": "user",
            "activity.object.ids": ["1", "2"],
            "count": 2,
        }

    def test_many_objects_of_several_types(self) -> None:
        """Each id then carries its type."""
        assert run(name_entities, objects=["user:1", "team:2"]) == {
            "activity.object.ids": ["user:1", "team:2"],
            "count": 2,
        }

    def test_endless_objects_end(self) -> None:
        """An iterator without an end is cut, flagged, and does not hang the caller."""
        import itertools

        result = run(name_entities, objects=itertools.count())
        assert len(result["activity.object.ids"]) == 32_768
        assert result["activity.sanitized"] == ["objects:truncated"]

    def test_more_objects_than_fit_are_still_counted(self) -> None:
        """The count is of all that were given."""
        result = run(name_entities, objects=range(100_000))
        assert result["count"] == 100_000
        assert len(result["activity.object.ids"]) == 32_768

    def test_one_text_is_one_object(self) -> None:
        """Not its letters."""
        assert run(name_entities, objects="user:1")["activity.object.ids"] == ["1"]

    def test_tenant_and_on_behalf_of_in_any_form(self) -> None:
        """A tenant is its id; on whose behalf keeps the type."""
        assert run(name_entities, tenant=("org", 7), on_behalf_of=("user", 3)) == {
            "tenant": "7",
            "on_behalf_of": "user:3",
        }

    @pytest.mark.parametrize("role", ["actor", "object", "target"])
    def test_what_names_nobody_is_flagged(self, role: str) -> None:
        """The event is kept without it."""
        assert run(name_entities, **{role: object()}) == {"activity.sanitized": [f"{role}:unreadable"]}

    def test_an_object_that_was_not_saved_is_flagged(self) -> None:
        """pk=None is no id."""

        class Draft:
            pk = None

        assert run(name_entities, object=Draft()) == {
            "activity.object.type": "Draft",
            "activity.object.id": "",
            "activity.sanitized": ["object:no_id"],
        }


class TestNameError:
    def test_an_exception(self) -> None:
        """Its class and text are noted, and the event is a failure."""
        assert run(name_error, error=json.JSONDecodeError("bad", "x", 0)) == {
            "error.type": "json.decoder.JSONDecodeError",
            "exception.type": "json.decoder.JSONDecodeError",
            "exception.message": "bad: line 1 column 1 (char 0)",
            "outcome": "failure",
        }

    def test_a_code(self) -> None:
        """A short code is enough."""
        assert run(name_error, error="bad_password", outcome="denied") == {
            "error.type": "bad_password",
            "outcome": "denied",
        }

    def test_log_exception_adds_the_stack(self) -> None:
        """structlog's habit."""
        try:
            raise KeyError("missing")
        except KeyError:
            result = run(name_error, "exception")
        assert result["error.type"] == "KeyError"
        assert "test_processors.py" in result["exception.stacktrace"]

    def test_a_long_stack_keeps_its_end(self) -> None:
        """The line with the error is the last one."""

        def dive(depth: int) -> None:
            if depth:
                dive(depth - 1)
            raise KeyError("the error itself")

        try:
            dive(300)
        except KeyError:
            stack = run(name_error, exc_info=True)["exception.stacktrace"]
        assert stack.endswith("KeyError: 'the error itself'\n")
        assert len(stack) <= 8000

    def test_success_is_what_absence_means(self) -> None:
        """The commonest value costs nothing."""
        assert run(name_error, outcome="success") == {}

    def test_an_outcome_that_is_none_is_unknown(self) -> None:
        """A misspelt outcome must not look like a success."""
        assert run(name_error, outcome="failled") == {
            "outcome": "unknown",
            "activity.sanitized": ["outcome:invalid"],
        }

    def test_an_outcome_of_a_wrong_type_is_unknown(self) -> None:
        """Unhashable ones, too."""
        assert run(name_error, outcome=["success"])["outcome"] == "unknown"

    def test_an_exception_that_cannot_be_printed(self) -> None:
        """Its class is known all the same."""

        class MuteError(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        result = run(name_error, error=MuteError())
        assert result["activity.sanitized"] == ["error:unreadable"]
        assert result["error.type"].endswith("MuteError")


class TestNameAttributes:
    def test_keywords_get_their_names(self) -> None:
        """From one table, semantic conventions first."""
        assert run(name_attributes, tenant="acme", session="s", request_id="r", duration=0.25, channel="x") == {
            "activity.tenant.id": "acme",
            "session.id": "s",
            "activity.request.id": "r",
            "activity.duration": 0.25,
            "channel": "x",
        }

    def test_duration_is_seconds_to_the_microsecond(self) -> None:
        """A timedelta and a float are the same thing."""
        assert run(name_attributes, duration=dt.timedelta(milliseconds=1)) == {"activity.duration": 0.001}
        assert run(name_attributes, duration=0.12345678) == {"activity.duration": 0.123457}

    @pytest.mark.parametrize("duration", ["fast", -1, float("nan"), True])
    def test_a_duration_that_is_none_is_flagged(self, duration: Any) -> None:
        """The event is kept without it."""
        assert run(name_attributes, duration=duration) == {"activity.sanitized": ["duration:invalid"]}

    def test_a_request_is_a_mapping_of_attributes(self) -> None:
        """Explicit values win over the request's."""
        request = {"http.route": "/a/{id}", "http.request.method": "GET"}
        assert run(name_attributes, request=request, **{"http.route": "/b"}) == {
            "http.route": "/b",
            "http.request.method": "GET",
        }
        assert run(name_attributes, request="GET /") == {"activity.sanitized": ["request:type"]}
        assert run(name_attributes, request=HostileMapping(a=1)) == {"activity.sanitized": ["request:unreadable"]}


class TestSanitize:
    def test_a_wrong_name_is_flagged_and_kept(self) -> None:
        """An event with a bad name is still an event."""
        assert run(Sanitize(), event="User Logged In") == {
            "event": "User Logged In",
            "activity.sanitized": ["event:name"],
        }
        assert run(Sanitize(), event=None)["event"] == "unnamed"

    def test_flags_are_bounded(self) -> None:
        """A hundred bad values do not make a hundred flags."""
        result = run(Sanitize(), event="a.b", **{f"key_{n}": float("nan") for n in range(40)})
        assert len(result["activity.sanitized"]) == 17
        assert result["activity.sanitized"][-1] == "+24"


class TestRedact:
    def test_alone_in_somebody_elses_chain(self) -> None:
        """Without any other processor of ours: secrets in what the renderer would write are gone."""
        lines: list[Any] = []

        class Sink:
            def msg(self, line: Any) -> None:
                lines.append(line)

            info = msg

        thing = object()
        form = {"password": "open sesame", "names": ("ada", b"redis://:open-sesame@h")}
        log = structlog.wrap_logger(
            Sink(),
            processors=[structlog.processors.add_log_level, Redact(), structlog.processors.KeyValueRenderer()],
            wrapper_class=structlog.BoundLogger,
        )
        log.info("User logged in with token=open-sesame", form=form, thing=thing, n=1, cookies={"a": "b"})
        assert lines == [
            "form={'password': '[redacted]', 'names': ('ada', b'redis://:[redacted]@h')} "
            f"thing={thing!r} n=1 cookies='[redacted]' event='User logged in with token=[redacted]' level='info' "
            "activity.redacted=['form.password:key', 'form.names:url_password', 'cookies:key', 'event:assignment']"
        ]
        assert form["password"] == "open sesame"

    def test_one_redactor_for_several_stages(self) -> None:
        """It takes settings or a redactor."""
        redactor = Redactor(RedactionSettings(mask=("salary",)))
        assert run(Redact(redactor), salary=1)["salary"] == run(Redact(redactor.settings), salary=1)["salary"]


def test_they_work_in_somebody_elses_chain() -> None:
    """An application with a chain of its own puts ours in it, before its own renderer."""
    lines: list[str] = []

    class Sink:
        def msg(self, line: str) -> None:
            lines.append(line)

        info = msg

    log = structlog.wrap_logger(
        Sink(),
        processors=[
            merge_context,
            add_timestamp,
            name_entities,
            name_error,
            name_attributes,
            Sanitize(),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.BoundLogger,
    )
    with activitylog.bind(tenant="acme"):
        log.info("message.sent", actor="user:1", object="message:2", timestamp=10**18, when=dt.date(2026, 1, 1))
    assert json.loads(lines[0]) == {
        "event": "message.sent",
        "timestamp": 10**18,
        "user.id": "1",
        "activity.object.type": "message",
        "activity.object.id": "2",
        "activity.tenant.id": "acme",
        "when": "2026-01-01",
    }
