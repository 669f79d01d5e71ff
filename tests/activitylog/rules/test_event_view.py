"""The event as a match in code sees it."""

from __future__ import annotations

from typing import Any

import pytest

from activitylog import context
from activitylog.rules.event_view import EventView


class TestEventView:
    def test_shows_what_is_given_and_what_is_bound(self) -> None:
        """None says nothing, here as everywhere; callables are called."""
        event: dict[str, Any] = {"event": "a.b", "n": 1, "tenant": None}
        with context.bind(tenant="acme", actor=lambda: "user:1", session=lambda: None, n=2):
            view = EventView(event)
            assert dict(view) == {"event": "a.b", "n": 1, "tenant": "acme", "actor": "user:1"}
            assert len(view) == 4
            assert view["n"] == 1
            assert (view.get("tenant"), view.get("none"), view.get("none", 3)) == ("acme", None, 3)
            assert "tenant" in view
            assert "session" not in view

    def test_cannot_be_changed(self) -> None:
        """A match looks and does not touch; a missing key is a KeyError."""
        view: Any = EventView({"event": "a"})
        with pytest.raises(TypeError):
            view["x"] = 1
        with pytest.raises(KeyError):
            view["x"]

    def test_its_repr_has_no_values(self) -> None:
        """They may be secrets."""
        assert repr(EventView({"event": "a", "token": "secret"})) == "<EventView of 'a'>"
