"""Where old call sites write."""

from __future__ import annotations

from typing import Any

import pytest

from activitylog.exceptions import ConfigurationError
from activitylog.integrations.django import conf
from activitylog.integrations.django.moving_in import switch


class TestMode:
    """Asked at each call."""

    def test_events_where_nothing_is_said(self) -> None:
        """That is what one moves in for."""
        assert switch.mode(None) == "events"

    def test_what_the_setting_says(self, settings: Any) -> None:
        """For all call sites at once; changed without a new process, where settings can be."""
        settings.ACTIVITYLOG = {"url": "memory:", "legacy_write": "both"}
        assert switch.mode(None) == "both"
        assert switch.mode("table") == "table"
        assert switch.mode(lambda: "events") == "events"

    def test_nothing_is_lost_by_a_mode_that_is_none(self, settings: Any) -> None:
        """Neither by a function that fails: both are written."""
        settings.ACTIVITYLOG = {"url": "memory:", "legacy_write": "nowhere"}
        assert switch.mode(None) == "both"
        assert switch.mode(lambda: 1 / 0) == "both"  # type: ignore[arg-type,return-value]


class TestSetting:
    """``ACTIVITYLOG["legacy_write"]``."""

    def test_it_is_checked(self) -> None:
        """With all other settings."""
        assert conf.read({"legacy_write": "table"})[1] == {}
        wrong = conf.read({"legacy_write": "tabel"})[1]["legacy_write"]
        assert "'tabel' is nowhere to write" in str(wrong)
        assert "events, both, table" in str(wrong)

    def test_of_a_decorator_it_is_checked_at_once(self) -> None:
        """A function is asked later."""
        assert switch.checked(None) is None
        assert switch.checked("both") == "both"
        with pytest.raises(ConfigurationError):
            switch.checked("all")  # type: ignore[arg-type]
