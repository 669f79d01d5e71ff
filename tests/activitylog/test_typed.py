"""Typed events: the decorator, and the classes that are known to be declared."""

from __future__ import annotations

import gc
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import activitylog
from activitylog.exceptions import ConfigurationError
from activitylog.testing import CapturedActivities
from activitylog.typed import EventType, declared_classes, event_type


def _names() -> list[str]:
    return [declared.name for _, declared in declared_classes()]


class TestEvent:
    def test_what_is_left_on_the_class(self) -> None:
        """Name, version and owner; the last one is part of no event."""

        @activitylog.event("typed.marked", version=2, owner="team-chat")
        @dataclass
        class Marked:
            channel: str

        assert event_type(Marked("general")) == EventType("typed.marked", 2, "team-chat")

    def test_the_owner_is_not_emitted(self, activity: CapturedActivities) -> None:
        """It is for the catalogue."""

        @activitylog.event("typed.owned", owner="team-chat")
        @dataclass
        class Owned:
            channel: str

        activitylog.emit(Owned("general"))
        assert "team-chat" not in activity.one("typed.owned").attributes.values()

    @pytest.mark.parametrize("owner", ["", " ", 3])
    def test_an_owner_is_a_text(self, owner: object) -> None:
        """An empty one is a slip."""
        with pytest.raises(ConfigurationError, match="is no owner"):
            activitylog.event("typed.wrong", owner=owner)  # type: ignore[arg-type]


class TestDeclaredClasses:
    def test_a_class_is_known_for_as_long_as_it_lives(self) -> None:
        """Classes of a function go with it."""

        @activitylog.event("typed.shortlived")
        @dataclass
        class Shortlived:
            x: int

        assert "typed.shortlived" in _names()
        del Shortlived
        gc.collect()
        assert "typed.shortlived" not in _names()

    def test_a_module_that_is_loaded_again_declares_nothing_twice(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Notebooks and servers reload; an instance of the old class may still be there."""
        module = tmp_path / "typed_reloaded.py"
        text = (
            "import activitylog\nfrom dataclasses import dataclass\n"
            "@activitylog.event('typed.reloaded', version={})\n@dataclass\nclass Reloaded:\n    x: int\n"
        )
        module.write_text(text.format(1))
        monkeypatch.syspath_prepend(str(tmp_path))
        loaded = importlib.import_module("typed_reloaded")
        old = loaded.Reloaded(1)
        module.write_text(text.format(22))
        importlib.reload(loaded)
        found = [declared for _, declared in declared_classes() if declared.name == "typed.reloaded"]
        assert found == [EventType("typed.reloaded", 22, None)]
        assert event_type(old) == EventType("typed.reloaded", 1, None)
        monkeypatch.delitem(sys.modules, "typed_reloaded")

    def test_a_class_without_fields_is_not_known(self) -> None:
        """It was refused."""
        with pytest.raises(ConfigurationError, match="has no fields"):
            activitylog.event("typed.fieldless")(type("Fieldless", (), {}))
        assert "typed.fieldless" not in _names()
