"""No half of a secret is left where values are cut: it is taken out before the cut."""

from __future__ import annotations

from typing import Any

import pytest

import activitylog
from activitylog.event import Limits
from activitylog.processors import Redact, Sanitize
from activitylog.redaction import RedactionSettings, Redactor
from activitylog.sanitize import sanitize
from activitylog.testing import capture_activities
from tests.activitylog.redaction.corpus import SECRETS, Secret, pem

ROOM = 256
LONGEST_REST = 8

EACH_SECRET = pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: f"{secret.kind}:{secret.text[:24]!r}")


def stored(text: Any, key: str = "note") -> Any:
    """The value after Sanitize and Redact, as the pipeline puts them together."""
    redactor = Redactor(RedactionSettings())
    event: Any = {"event": "a.b", key: text}
    sanitized = Sanitize(Limits(max_value_bytes=ROOM), redactor.redact_text)(None, "info", event)
    return Redact(redactor)(None, "info", sanitized)


def parts_of(secret: str) -> set[str]:
    """Every piece of the secret that is long enough to be one."""
    return {secret[at : at + LONGEST_REST] for at in range(len(secret) - LONGEST_REST + 1)}


def texts_across_the_cut(secret: Secret, filler: str) -> list[str]:
    """The secret at many places around the cut, with prose on both sides."""
    lead = secret.text.index(secret.secret)
    length = len(secret.secret)
    starts = {ROOM - cut for cut in range(1, min(length, ROOM - lead - 4), max(1, length // 12))}
    before = [(filler * ROOM).encode()[: start - lead - 1] for start in starts if start > lead + 1]
    return [part.decode("utf-8", "ignore") + " " + secret.text + " tail" * 600 for part in before]


@EACH_SECRET
@pytest.mark.parametrize("filler", ["so ", "né "], ids=["ascii", "utf-8"])
class TestValues:
    def test_texts(self, secret: Secret, filler: str) -> None:
        """Wherever the cut falls in the secret, no part of it is stored."""
        for text in texts_across_the_cut(secret, filler):
            left = str(stored(text))
            assert not [part for part in parts_of(secret.secret) if part in left]

    def test_bytes(self, secret: Secret, filler: str) -> None:
        """The same for bytes."""
        for text in texts_across_the_cut(secret, filler):
            left = stored(text.encode("latin-1"))["note"]
            assert not [part for part in parts_of(secret.secret) if part.encode("latin-1") in left]


@EACH_SECRET
class TestNames:
    def test_keys(self, secret: Secret) -> None:
        """A key is cut at 128 characters, at the top and nested, and is shown in the flags."""
        key = "k" * 120 + " " + secret.text + "k" * 50
        for value in (stored(1, key), stored({key: 1})):
            assert not [part for part in parts_of(secret.secret) if part in str(value)]

    def test_event_names(self, secret: Secret) -> None:
        """So is an event's name."""
        redactor = Redactor(RedactionSettings())
        event: Any = {"event": "n" * 100 + " " + secret.text + " tail" * 20}
        left = Sanitize(Limits(), redactor.redact_text)(None, "info", event)["event"]
        assert len(left) <= 128
        assert not [part for part in parts_of(secret.secret) if part in left]


class TestStacks:
    @pytest.mark.parametrize("lines", [2, 300])
    def test_the_beginning_is_cut_at_a_line(self, lines: int) -> None:
        """A stack keeps its end: what begins in the middle of a secret would not be known as one."""
        token = "gh" + "p_" + "Zq3Xv9LmT7bRk2WcY8nJ5hGd4sPf6aUeB1oN"
        for shift in range(0, 60, 7):
            message = " ".join(["x" * (7_900 // lines)] + [f"{token} \n{'y' * shift}"] * lines)
            with capture_activities(strict=False) as captured:
                try:
                    raise ValueError(message + " end" * 1_950)
                except ValueError:
                    activitylog.get_logger().exception("job.failed")
            left = str(captured.events[0])
            assert not [part for part in parts_of(token) if part in left]

    def test_the_end_of_a_key_without_its_beginning(self) -> None:
        """A PEM text whose BEGIN was cut off is known by its END."""
        key = pem("RSA PRIVATE " + "KEY", 200)
        with capture_activities(strict=False) as captured:
            try:
                raise ValueError(key)
            except ValueError:
                activitylog.get_logger().exception("job.failed")
        left = str(captured.events[0])
        assert not [part for part in parts_of(key[40:-30]) if part in left]


class TestSanitize:
    def test_values_that_fit_are_not_cleaned(self) -> None:
        """The fast way stays as it is: Redact comes later."""
        calls: list[str] = []
        sanitize({"a": "x" * 100, "b": "é"}, Limits(max_value_bytes=ROOM), lambda text: calls.append(text) or text)  # type: ignore[func-returns-value]
        assert calls == []

    def test_what_was_taken_out_is_flagged(self) -> None:
        """Beside that the value was cut."""
        token = "gh" + "p_" + "Zq3Xv9LmT7bRk2WcY8nJ5hGd4sPf6aUeB1oN"
        event = stored("x " * 120 + token + " tail" * 100)
        assert event["activity.sanitized"] == ["note:redacted", "note:truncated"]
        assert event["note"].startswith("x x")
        assert "[redacted]" in event["note"]

    def test_no_secret_moves_in_from_behind_the_margin(self) -> None:
        """Where much was taken out, the end of what was looked at moves up, and with it the half of a secret."""
        token = "gh" + "p_" + "Zq3Xv9LmT7bRk2WcY8nJ5hGd4sPf6aUeB1oN"
        for size in range(100, 1300, 23):
            left = str(stored("sk" + "-" + "aB3" * (size // 3) + " " + (token + " ") * 60))
            assert not [part for part in parts_of(token) if part in left]

    def test_without_a_cleaner(self) -> None:
        """Sanitize alone cuts as it always did."""
        values: Any = {"a": "x" * 300, "b": "é" * 200, "c": b"y" * 300}
        assert sanitize(values, Limits(max_value_bytes=ROOM)) == ["a:truncated", "b:truncated", "c:truncated"]
        assert values == {"a": "x" * ROOM, "b": "é" * (ROOM // 2), "c": b"y" * ROOM}
