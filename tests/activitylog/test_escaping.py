"""Events of anybody, printed by a console renderer."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from activitylog.processors import EscapeUnprintable
from activitylog.visible import visible, visible_lines

HOSTILE = [
    "\x1b[2J",
    "\x1b]0;t\x07",
    "\x9b2J",
    "a\rb\x08",
    "a\n[error] forged",
    "\u202eabc",
    "a\u200bb",
    "\u2028",
    "\x7f\x00",
]


def printed(*, exc: BaseException | None = None, **event: Any) -> str:
    """What structlog's console renderer prints of an event, without colours."""
    out = io.StringIO()
    log = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[
            structlog.processors.add_log_level,
            EscapeUnprintable(),
            structlog.dev.ConsoleRenderer(colors=False),
        ],
    )
    if exc is not None:
        event["exc_info"] = exc
    log.info(event.pop("event", "x"), **event)
    return out.getvalue()


@dataclass
class Record:
    name: str


class Odd:
    def __repr__(self) -> str:
        return "Odd(\x1b[2J)"


class Failing:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("text", HOSTILE)
class TestOnAConsole:
    def test_every_place(self, text: str) -> None:
        """In the event, in keys and values, nested, in objects: one line, nothing raw, and it is still there."""
        keyed: dict[str, Any] = {text: 1}
        shown = printed(
            event=text,
            value=text,
            nested={text: [text, (text, {text})]},
            record=Record(text),
            odd=Odd(),
            **keyed,
        )
        assert shown.count("\n") == 1
        assert visible(shown.rstrip("\n")) == shown.rstrip("\n")
        assert shown.count(visible(text)) >= 3

    def test_exceptions(self, text: str) -> None:
        """The message of an exception is part of what is printed; lines of the stack stay lines."""
        try:
            raise ValueError(text)
        except ValueError as error:
            shown = printed(exc=error)
        assert visible_lines(shown) == shown
        assert "test_exceptions" in shown
        assert shown.count("\n") > 3


class TestValues:
    def test_what_is_safe_stays(self) -> None:
        """Numbers, bytes and objects that print safely are the same objects as before."""
        record, values = Record("plain"), [1, True, None, b"\x1b", 2.5]
        event = EscapeUnprintable()(
            None, "info", {"event": "a.b", "record": record, "values": values, "é日本😀": "é日本😀"}
        )
        assert event["record"] is record
        assert event["values"] == values
        assert event["é日本😀"] == "é日本😀"

    def test_keys_that_become_equal(self) -> None:
        """Two keys that look the same once they are visible stay two."""
        event = EscapeUnprintable()(None, "info", {"a\x1b": 1, "a\\x1b": 2, "in": {"b\x1b": 1, "b\\x1b": 2}})
        assert event == {"a\\x1b_": 1, "a\\x1b": 2, "in": {"b\\x1b": 1, "b\\x1b_": 2}}

    def test_nothing_is_raised(self) -> None:
        """An object that cannot be printed is named by its class; a list that contains itself ends."""
        loop: list[Any] = ["\x1b"]
        loop.append(loop)
        event = EscapeUnprintable()(None, "info", {"event": "x", "failing": Failing(), "loop": loop})
        assert event["failing"] == "<Failing>"
        assert "\x1b" not in str(event)

    @pytest.mark.slow
    @given(
        st.dictionaries(
            st.text(min_size=1),
            st.recursive(
                st.text() | st.integers() | st.binary(),
                lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
            ),
        )
    )
    def test_any_event(self, event: dict[str, Any]) -> None:
        """Whatever an event holds, as many keys come out, and no text in it is unsafe."""
        event = {key: value for key, value in event.items() if key not in ("exc_info", "exception", "stack")}
        safe = EscapeUnprintable()(None, "info", dict(event))
        assert len(safe) == len(event)

        def check(value: Any) -> None:
            if isinstance(value, str):
                assert visible(value) == value
            elif isinstance(value, dict):
                for key, item in value.items():
                    check(key)
                    check(item)
            elif isinstance(value, (list, tuple)):
                for item in value:
                    check(item)

        check(safe)
