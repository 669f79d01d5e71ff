"""What secrets look like, and what only looks like them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.redaction import RedactionSettings, Redactor
from activitylog.redaction.patterns import (
    ANCHORS,
    CARDS,
    CERTAIN,
    EMAILS,
    IBANS,
    Pattern,
    may_have_card,
)
from tests.activitylog.redaction.corpus import HOSTILE, INNOCENT, SECRETS, Secret
from tests.activitylog.redaction.steps import grows_linearly

PATTERNS = (*CERTAIN, CARDS, EMAILS, IBANS)


def redacted(text: str) -> str:
    """The text as a message of an event is stored."""
    return str(Redactor(RedactionSettings()).redact({"event": "a.b", "message": text})["message"])


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: f"{secret.kind}:{secret.text[:24]!r}")
class TestSecrets:
    def test_only_the_secret_goes(self, secret: Secret) -> None:
        """The text around it stays, so that one can still tell what happened."""
        assert redacted(secret.text) == secret.prose_left

    def test_its_kind_is_noted(self, secret: Secret) -> None:
        """The note names the key and the kind."""
        event = Redactor(RedactionSettings()).redact({"event": "a.b", "message": secret.text})
        assert event["activity.redacted"] == [f"message:{secret.kind}"]

    def test_the_first_look_does_not_miss_it(self, secret: Secret) -> None:
        """Whatever a pattern finds, the one cheap search over all texts finds it, too."""
        hit = may_have_card if secret.kind == "card" else ANCHORS.search
        assert hit(secret.text)

    def test_redacting_twice_changes_nothing_more(self, secret: Secret) -> None:
        """Two stages, one in the application's chain and ours, agree."""
        once = redacted(secret.text)
        event = Redactor(RedactionSettings()).redact({"event": "a.b", "message": once})
        assert event == {"event": "a.b", "message": once}

    def test_inside_bytes(self, secret: Secret) -> None:
        """Bytes are searched as well."""
        for encoding in ("utf-8", "latin-1"):
            event = Redactor(RedactionSettings()).redact({"blob": secret.text.encode(encoding)})
            assert event["blob"] == secret.prose_left.encode(encoding)


@pytest.mark.parametrize("text", INNOCENT)
def test_look_alikes_stay(text: str) -> None:
    """UUIDs, hashes, times, phone numbers, prose: nothing of it is touched."""
    assert redacted(text) == text
    event = {"event": "a.b", "reference": text, "user.id": text}
    assert Redactor(RedactionSettings()).redact(dict(event)) == event


class TestOnRequest:
    def test_emails(self) -> None:
        """Addresses go when asked for, only they."""
        event = Redactor(RedactionSettings(emails=True)).redact({"message": "from ada.l+x@mail.example.com, now"})
        assert event["message"] == "from [redacted], now"

    @pytest.mark.parametrize("iban", ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819"])
    def test_ibans(self, iban: str) -> None:
        """With the right check digits, spaced or not; upper-case words behind it stay."""
        redactor = Redactor(RedactionSettings(ibans=True))
        assert redactor.redact({"message": f"to {iban} TODAY"})["message"] == "to [redacted] TODAY"
        wrong = f"to {iban[:-1]}{9 - int(iban[-1])} today"
        assert redactor.redact({"message": wrong})["message"] == wrong

    def test_patterns_of_the_application(self) -> None:
        """They are replaced in all texts, ids included, and noted by their name."""
        redactor = Redactor(RedactionSettings(patterns={"employee": "EMP-[0-9]{6}"}))
        event = redactor.redact({"event": "a.b", "message": "by EMP-123456", "user.id": "EMP-123456"})
        assert event["message"] == "by [redacted]"
        assert event["user.id"] == "[redacted]"
        assert event["activity.redacted"] == ["message:employee", "user.id:employee"]


_PIECES = st.sampled_from(
    [secret.text for secret in SECRETS] + [secret.secret for secret in SECRETS] + list(INNOCENT)
)


@given(st.lists(st.one_of(_PIECES, st.text(max_size=12), st.sampled_from(list(HOSTILE)[:40])), max_size=4))
def test_the_first_look_is_never_stricter_than_the_patterns(pieces: list[str]) -> None:
    """What the quick search lets through is what no pattern would have changed."""
    text = "".join(pieces)
    if ANCHORS.search(text) is None:
        assert all(pattern.mask(text, "#") == text for pattern in CERTAIN)
    if not may_have_card(text):
        assert CARDS.mask(text, "#") == text


@given(st.lists(st.one_of(_PIECES, st.text(max_size=12)), max_size=4))
def test_hints_are_never_stricter_than_their_pattern(pieces: list[str]) -> None:
    """A pattern whose hints are absent would have found nothing."""
    text = " ".join(pieces)
    for pattern in PATTERNS:
        assert pattern.may_match(text) or pattern.mask(text, "#") == text


@pytest.mark.parametrize("name", HOSTILE)
def test_work_grows_with_the_size_only(name: str) -> None:
    """For hostile texts of 25 and 100 kB: four times the work, not sixteen times."""
    small, large = HOSTILE[name](25_000), HOSTILE[name](100_000)
    slow = [pattern.name for pattern in PATTERNS if not _is_linear(pattern, small, large)]
    assert slow == []


def _is_linear(pattern: Pattern, small: str, large: str) -> bool:
    return grows_linearly(lambda: pattern.mask(small, "#"), lambda: pattern.mask(large, "#"))


@pytest.mark.parametrize("name", HOSTILE)
def test_the_first_look_grows_with_the_size_only(name: str) -> None:
    """So does the search over all texts of an event."""
    small, large = HOSTILE[name](25_000), HOSTILE[name](100_000)
    for look in (ANCHORS.search, may_have_card):
        assert grows_linearly(lambda look=look: look(small), lambda look=look: look(large))  # type: ignore[misc]
