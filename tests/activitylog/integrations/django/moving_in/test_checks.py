"""``manage.py check`` on old models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.checks import run_checks

from activitylog.integrations.django.moving_in import LegacyMapping, checks
from activitylog.integrations.django.moving_in.old_model import LegacyModel
from tests.activitylog.integrations.django.moving_in.models import NumberedRow, PlainRow, UUIDRow


@pytest.fixture
def watched() -> Iterator[list[LegacyModel]]:
    """Models that are checked only by this test."""
    before = list(checks._watched)
    checks._watched.clear()
    yield checks._watched
    checks._watched[:] = before


def messages(watched: list[LegacyModel], model: Any, mapping: LegacyMapping, write: Any = "events") -> list[str]:
    """What the check says of a model."""
    watched.append(LegacyModel(model, mapping, write, on_commit=True, source=None))
    return [f"{message.id} {message.msg} {message.hint}" for message in checks.check_legacy_models()]


class TestCheck:
    """Before a request finds out."""

    def test_nothing_is_wrong_with_the_models_of_these_tests(self) -> None:
        """The check is one of Django's, by the decorator."""
        assert [message for message in run_checks() if (message.id or "").startswith("activitylog.E1")] == []

    def test_a_column_that_is_not_there(self, watched: list[LegacyModel]) -> None:
        """With the one that was meant."""
        (said,) = messages(watched, PlainRow, LegacyMapping(actor="usr", ignore=["description"]))
        assert said == (
            "activitylog.E101 The mapping of chat.PlainRow names a column 'usr', which the model does not have. "
            "Did you mean 'user'?"
        )

    def test_no_column_of_actions(self, watched: list[LegacyModel]) -> None:
        """Unless all events are to have one name."""
        (said,) = messages(watched, UUIDRow, LegacyMapping(event=""))
        assert said.startswith(
            "activitylog.W101 No column of chat.UUIDRow says what happened: every event will be"
        )
        assert messages(watched[:0], UUIDRow, LegacyMapping(event="", names={"": "a.seen"})) != []
        watched.clear()
        assert messages(watched, UUIDRow, LegacyMapping(event="", names={"": "a.seen"})) == []

    def test_rows_that_others_refer_to(self, watched: list[LegacyModel]) -> None:
        """New ones will not be there, unless both are written."""
        from django.contrib.auth.models import User

        said = messages(watched, User, LegacyMapping(event="username"))
        assert any(
            line.startswith("activitylog.W102 admin.LogEntry.user refers to rows of auth.User") for line in said
        )
        watched.clear()
        assert messages(watched, User, LegacyMapping(event="username"), "both") == []

    def test_numbers_with_labels_are_actions(self, watched: list[LegacyModel]) -> None:
        """Nothing to say."""
        assert messages(watched, NumberedRow, LegacyMapping()) == []
