from __future__ import annotations

from typing import Any

import pytest

from activitylog.exceptions import ConfigurationError
from activitylog.integrations.django import conf
from activitylog.integrations.django.admin.read_settings import (
    read_timeout_seconds,
    read_url,
    readable_url,
    timeout_seconds,
)


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: Any, tmp_path: Any) -> None:
    """No settings of whoever runs the tests."""
    monkeypatch.delenv("ACTIVITYLOG_URL", raising=False)
    monkeypatch.chdir(tmp_path)


class TestReadURL:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"url": "clickhouse://w@db/activity"}, "clickhouse://w@db:8123/activity"),
            ({"url": ["otlp://collector", "console:", "chdb:///var/a"]}, "chdb:///var/a"),
            (
                {"url": "clickhouse://w@db/x", "read_url": "clickhouse://r@replica/x"},
                "clickhouse://r@replica:8123/x",
            ),
            ({"url": "otlp://collector", "read_url": "chdb:///var/a"}, "chdb:///var/a"),
        ],
    )
    def test_is_the_own_one_or_the_first_that_can_be_read(self, given, expected):
        """A Collector and a console only take."""
        assert str(read_url(given)) == expected

    def test_comes_from_wherever_settings_come_from(self, monkeypatch):
        """The environment, when the dict says nothing."""
        monkeypatch.setenv("ACTIVITYLOG_URL", "chdb:///var/b")
        assert str(read_url({"service_name": "chat"})) == "chdb:///var/b"

    @pytest.mark.parametrize("given", [{}, {"url": "otlp://collector"}, {"url": "memory:"}])
    def test_without_any_says_what_to_set(self, given):
        """Events go where nobody can ask."""
        with pytest.raises(ConfigurationError, match="read_url"):
            read_url(given)

    def test_one_that_only_takes_is_refused(self):
        """With its name, and without its password."""
        with pytest.raises(ConfigurationError, match="can be sent to, not read"):
            readable_url("otlp://collector")


class TestTimeoutSeconds:
    @pytest.mark.parametrize("value", [0.5, 3])
    def test_is_a_number_of_seconds(self, value):
        """Whole or not."""
        assert timeout_seconds(value) == value

    @pytest.mark.parametrize("value", [0, -1, "5", True, float("inf"), float("nan"), None])
    def test_anything_else_is_refused(self, value):
        """Nobody waits for ever."""
        with pytest.raises(ConfigurationError, match="read_timeout_seconds"):
            timeout_seconds(value)

    def test_is_five_unless_set(self):
        """Long enough for a busy store, and short enough for whoever waits."""
        assert read_timeout_seconds({}) == read_timeout_seconds({"read_timeout_seconds": None}) == 5
        assert read_timeout_seconds({"read_timeout_seconds": 2}) == 2


class TestTheSettingsDict:
    def test_knows_both(self):
        """And says what is wrong with them."""
        found, wrong = conf.read({"read_url": "chdb:///var/a", "read_timeout_seconds": 3})
        assert wrong == {}
        assert str(found.elsewhere["read_url"]) == "chdb:///var/a"
        assert found.elsewhere["read_timeout_seconds"] == 3
        _, wrong = conf.read({"read_url": "memory:", "read_timeout_seconds": 0})
        assert set(wrong) == {"read_url", "read_timeout_seconds"}
