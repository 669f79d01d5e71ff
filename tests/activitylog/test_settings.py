"""Settings: where they come from, which place wins, what is wrong with them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from activitylog.exceptions import ConfigurationError
from activitylog.settings import Settings, load_settings, setting_names


def load(tmp_path: Path, given: dict[str, Any] | None = None, **environ: str) -> Settings:
    """Settings from these places only."""
    return load_settings(given, environ=environ, directory=tmp_path)


class TestPrecedence:
    def test_arguments_win_over_everything(self, tmp_path: Path) -> None:
        """configure() > ACTIVITYLOG_* > OTEL_* > file > default, place by place."""
        (tmp_path / "activitylog.toml").write_text('service_name = "file"\n')
        environ = {"ACTIVITYLOG_SERVICE_NAME": "own", "OTEL_SERVICE_NAME": "otel"}
        assert load(tmp_path, {"service_name": "code"}, **environ).service_name == "code"
        assert load(tmp_path, {}, **environ).service_name == "own"
        del environ["ACTIVITYLOG_SERVICE_NAME"]
        assert load(tmp_path, {}, **environ).service_name == "otel"
        assert load(tmp_path).service_name == "file"
        (tmp_path / "activitylog.toml").unlink()
        assert load(tmp_path).service_name is None

    def test_none_in_code_is_absent(self, tmp_path: Path) -> None:
        """A None argument leaves the other places in force."""
        assert load(tmp_path, {"service_name": None}, OTEL_SERVICE_NAME="chat").service_name == "chat"

    def test_resource_attributes_are_merged(self, tmp_path: Path) -> None:
        """Each place adds its attributes; for one key the higher place wins."""
        (tmp_path / "activitylog.toml").write_text('[resource_attributes]\na = "file"\nb = "file"\n')
        settings = load(
            tmp_path, {"resource_attributes": {"c": "code"}}, OTEL_RESOURCE_ATTRIBUTES="b=otel,d=x%2Cy"
        )
        assert dict(settings.resource_attributes) == {"a": "file", "b": "otel", "c": "code", "d": "x,y"}

    def test_standard_blrp_variables(self, tmp_path: Path) -> None:
        """The SDK's own variables set queue, batch and delay."""
        settings = load(
            tmp_path,
            OTEL_BLRP_MAX_QUEUE_SIZE="4096",
            OTEL_BLRP_MAX_EXPORT_BATCH_SIZE="100",
            OTEL_BLRP_SCHEDULE_DELAY="250",
        )
        assert (settings.max_queue_size, settings.max_export_batch_size, settings.schedule_delay_millis) == (
            4096,
            100,
            250,
        )

    def test_defaults_fit_activity(self, tmp_path: Path) -> None:
        """Not the SDK's 2,048 and 512: a burst must fit, and an insert must be worth it."""
        settings = load(tmp_path)
        assert (settings.max_queue_size, settings.max_export_batch_size, settings.schedule_delay_millis) == (
            65536,
            8192,
            1000,
        )


class TestFiles:
    def test_the_nearest_file_upwards(self, tmp_path: Path) -> None:
        """A file in the working directory or above it is found; the nearest one counts."""
        below = tmp_path / "a" / "b"
        below.mkdir(parents=True)
        (tmp_path / "activitylog.toml").write_text('service_name = "above"\n')
        assert load(below).service_name == "above"
        (tmp_path / "a" / "pyproject.toml").write_text('[tool.activitylog]\nservice_name = "near"\n')
        assert load(below).service_name == "near"

    def test_a_named_file(self, tmp_path: Path) -> None:
        """ACTIVITYLOG_CONFIG names the file."""
        path = tmp_path / "other.toml"
        path.write_text('url = ["memory:", "console:"]\n')
        assert [url.kind for url in load(tmp_path, ACTIVITYLOG_CONFIG=str(path)).url] == ["memory", "console"]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("service_nam = 'x'\n", "Did you mean 'service_name'?"),
            ("strict = 'maybe'\n", "expected true or false, got 'maybe'"),
            ("max_queue_size = 0\n", "at least 1, got 0"),
            ("max_queue_size = true\n", "at least 1, got True"),
            ("not toml", "is not TOML"),
            ("url = 5\n", "expected a URL or a list of URLs"),
            ("overflow = 'wait'\n", "expected 'drop' or 'block'"),
            ("max_queue_size = 10\n", "larger than max_queue_size"),
            ("shutdown_timeout_seconds = -1\n", "seconds above 0"),
        ],
    )
    def test_mistakes_name_the_file_and_the_next_step(self, tmp_path: Path, content: str, message: str) -> None:
        """A wrong file fails at once."""
        (tmp_path / "activitylog.toml").write_text(content)
        with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
            load(tmp_path)
        assert "activitylog.toml" in str(caught.value) or "larger than" in message

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        """A named file must exist."""
        with pytest.raises(ConfigurationError, match=r"cannot be read.*Correct ACTIVITYLOG_CONFIG"):
            load(tmp_path, ACTIVITYLOG_CONFIG=str(tmp_path / "missing.toml"))


class TestEnvironment:
    def test_an_unknown_variable_is_an_error(self, tmp_path: Path) -> None:
        """A misspelt variable must not be silent."""
        with pytest.raises(ConfigurationError, match="Did you mean 'service_name'"):
            load(tmp_path, ACTIVITYLOG_SERVICE_NAM="chat")

    def test_an_empty_variable_is_absent(self, tmp_path: Path) -> None:
        """As OpenTelemetry's specification has it."""
        assert load(tmp_path, ACTIVITYLOG_SERVICE_NAME="").service_name is None

    def test_several_urls_in_one_variable(self, tmp_path: Path) -> None:
        """A comma separates URLs where a scheme follows, and nowhere else."""
        settings = load(tmp_path, ACTIVITYLOG_URL="clickhouse://a:p,w@db/x, memory:")
        assert [url.kind for url in settings.url] == ["clickhouse", "memory"]
        assert settings.url[0].password == "p,w"

    def test_the_same_destination_twice(self, tmp_path: Path) -> None:
        """Every event would be stored twice."""
        with pytest.raises(ConfigurationError, match="named twice"):
            load(tmp_path, {"url": ["memory:", "memory:"]})


def test_a_password_in_settings_is_not_shown(tmp_path: Path) -> None:
    """Settings may be logged."""
    settings = load(tmp_path, {"url": "clickhouse://alice:topsecret@db/activity"})
    assert "topsecret" not in repr(settings)
    assert "topsecret" not in str(settings)


def test_every_setting_can_be_set_by_name(tmp_path: Path) -> None:
    """Each field of Settings has a reader, and each reader a field."""
    from activitylog.settings import _READERS

    assert set(setting_names()) == set(_READERS)
