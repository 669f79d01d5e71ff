"""Settings: where they come from, which place wins, what is wrong with them."""

from __future__ import annotations

import dataclasses
import logging
import re
import traceback
from pathlib import Path
from typing import Any

import pytest

from activitylog.exceptions import ConfigurationError
from activitylog.rules import Rule
from activitylog.settings import Settings, load_settings


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
            ("max_queue_size = 0\n", "from 1 to 10,000,000, got 0"),
            ("max_queue_size = true\n", "from 1 to 10,000,000, got True"),
            ("not toml", "is not TOML"),
            ("url = 5\n", "expected a URL or a list of URLs"),
            ("overflow = 'wait'\n", "expected 'drop', 'drop_newest' or 'block'"),
            ("max_queue_size = 10\nmax_export_batch_size = 11\n", "larger than max_queue_size"),
            ("shutdown_timeout_seconds = -1\n", "seconds above 0"),
        ],
    )
    def test_mistakes_name_the_file_and_the_next_step(self, tmp_path: Path, content: str, message: str) -> None:
        """A wrong file fails at once."""
        (tmp_path / "activitylog.toml").write_text(content)
        with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
            load(tmp_path)
        assert "activitylog.toml" in str(caught.value)

    @pytest.mark.parametrize("content", ["[tool.ruff]\n", "[tool]\n", "[project]\n"])
    def test_a_nearer_pyproject_of_something_else_is_passed_over(self, tmp_path: Path, content: str) -> None:
        """Only a file that speaks of activitylog ends the search."""
        below = tmp_path / "package"
        below.mkdir()
        (tmp_path / "activitylog.toml").write_text('service_name = "outer"\n')
        (below / "pyproject.toml").write_text(content)
        assert load(below).service_name == "outer"

    @pytest.mark.parametrize("content", ["tool = 3\n", "[tool]\nactivitylog = 3\n"])
    def test_a_section_that_is_no_table(self, tmp_path: Path, content: str) -> None:
        """A pyproject.toml with something else in that place is named, with what to write."""
        (tmp_path / "pyproject.toml").write_text(content)
        with pytest.raises(ConfigurationError, match=r"pyproject\.toml.*is not a table.*\[tool\.activitylog\]"):
            load(tmp_path)

    @pytest.mark.parametrize(
        "content", [b"a = \xff\n", b"max_queue_size = " + b"9" * 5000], ids=["utf-8", "number"]
    )
    def test_a_file_that_python_cannot_read(self, tmp_path: Path, content: bytes) -> None:
        """Neither wrong UTF-8 nor a number without end is a raw error."""
        (tmp_path / "activitylog.toml").write_bytes(content)
        with pytest.raises(ConfigurationError, match="is not TOML"):
            load(tmp_path)

    def test_an_unreadable_file_that_nobody_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The advice is about the file, not about a variable that is not set."""
        (tmp_path / "activitylog.toml").touch()

        def refuse(*args: Any, **kwargs: Any) -> str:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "read_text", refuse)
        with pytest.raises(ConfigurationError, match="cannot be read: Permission denied") as caught:
            load(tmp_path)
        assert "ACTIVITYLOG_CONFIG" not in str(caught.value)

    def test_a_deleted_working_directory_has_no_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Settings from other places are still read."""
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()
        assert load_settings({"service_name": "chat"}, environ={}).service_name == "chat"

    def test_a_folder_that_may_not_be_searched_has_no_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A folder above that is closed to this user is passed over."""

        def refuse(path: Path) -> bool:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "is_file", refuse)
        assert load(tmp_path).service_name is None

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        """A named file must exist."""
        with pytest.raises(ConfigurationError, match=r"cannot be read.*Correct ACTIVITYLOG_CONFIG"):
            load(tmp_path, ACTIVITYLOG_CONFIG=str(tmp_path / "missing.toml"))


class TestServiceName:
    """``service_name`` and the attribute ``service.name`` are the same fact."""

    def test_the_attribute_in_code_beats_a_variable(self, tmp_path: Path) -> None:
        """A higher place wins, whichever of the two forms it uses."""
        settings = load(
            tmp_path, {"resource_attributes": {"service.name": "code", "a": "b"}}, OTEL_SERVICE_NAME="otel"
        )
        assert settings.service_name == "code"
        assert dict(settings.resource_attributes) == {"a": "b"}

    def test_the_attribute_in_a_variable_beats_a_file(self, tmp_path: Path) -> None:
        """OTEL_RESOURCE_ATTRIBUTES stands above the file, for service.name, too."""
        (tmp_path / "activitylog.toml").write_text('service_name = "file"\n')
        assert load(tmp_path, OTEL_RESOURCE_ATTRIBUTES="service.name=otel").service_name == "otel"

    def test_the_attribute_in_a_file_yields_to_a_variable(self, tmp_path: Path) -> None:
        """A lower place does not come back through the attributes."""
        (tmp_path / "activitylog.toml").write_text('[resource_attributes]\n"service.name" = "file"\n')
        settings = load(tmp_path, ACTIVITYLOG_SERVICE_NAME="own")
        assert (settings.service_name, dict(settings.resource_attributes)) == ("own", {})

    def test_inside_one_place_the_setting_wins(self, tmp_path: Path) -> None:
        """As OTEL_SERVICE_NAME does in OpenTelemetry."""
        environ = {"OTEL_SERVICE_NAME": "name", "OTEL_RESOURCE_ATTRIBUTES": "service.name=attribute"}
        assert load(tmp_path, {}, **environ).service_name == "name"
        given = {"service_name": "name", "resource_attributes": {"service.name": "attribute"}}
        assert load(tmp_path, given).service_name == "name"

    def test_an_empty_attribute_is_an_error(self, tmp_path: Path) -> None:
        """It is checked as the setting is."""
        with pytest.raises(ConfigurationError, match=r"service_name in configure\(\): expected a text"):
            load(tmp_path, {"resource_attributes": {"service.name": " "}})


class TestBatchAndQueue:
    def test_a_default_batch_fits_a_smaller_queue(self, tmp_path: Path) -> None:
        """Who sets the queue alone need not know the default of the batch."""
        settings = load(tmp_path, OTEL_BLRP_MAX_QUEUE_SIZE="2048")
        assert (settings.max_queue_size, settings.max_export_batch_size) == (2048, 2048)
        settings = load(tmp_path, {"max_queue_size": 1000})
        assert (settings.max_queue_size, settings.max_export_batch_size) == (1000, 1000)

    def test_a_contradiction_is_an_error_that_names_both_places(self, tmp_path: Path) -> None:
        """Two given values that exclude each other are not repaired."""
        with pytest.raises(ConfigurationError, match=r"configure\(\).*ACTIVITYLOG_MAX_QUEUE_SIZE"):
            load(tmp_path, {"max_export_batch_size": 200}, ACTIVITYLOG_MAX_QUEUE_SIZE="100")
        with pytest.raises(ConfigurationError, match="the default"):
            load(tmp_path, {"max_export_batch_size": 100_000})

    def test_a_contradicting_standard_batch_is_capped(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A variable of OpenTelemetry is never fatal."""
        settings = load(tmp_path, {"max_queue_size": 100}, OTEL_BLRP_MAX_EXPORT_BATCH_SIZE="512")
        assert (settings.max_queue_size, settings.max_export_batch_size) == (100, 100)
        assert "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE" in caplog.text

    def test_a_contradicting_standard_queue_is_ignored(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The value that the application gave stays as it is."""
        settings = load(tmp_path, {"max_export_batch_size": 1000}, OTEL_BLRP_MAX_QUEUE_SIZE="100")
        assert (settings.max_queue_size, settings.max_export_batch_size) == (65_536, 1000)
        assert "OTEL_BLRP_MAX_QUEUE_SIZE" in caplog.text


class TestNumbers:
    @pytest.mark.parametrize(
        ("name", "largest"),
        [
            ("max_queue_size", 10_000_000),
            ("max_export_batch_size", 10_000_000),
            ("schedule_delay_millis", 86_400_000),
            ("max_depth", 2**30),
            ("max_attributes", 2**30),
            ("max_value_bytes", 2**30),
            ("max_event_bytes", 2**30),
        ],
    )
    def test_have_an_upper_bound(self, tmp_path: Path, name: str, largest: int) -> None:
        """The largest accepted number is accepted, the next one is not, and the message names both ends."""
        given = {"max_queue_size": 10_000_000, name: largest}
        assert getattr(load(tmp_path, given), name) == largest
        with pytest.raises(ConfigurationError, match=f"to {largest:,}, got {largest + 1}"):
            load(tmp_path, {name: largest + 1})

    @pytest.mark.parametrize("value", [10**30, 10**5000, "9" * 5000], ids=["long", "unprintable", "text"])
    @pytest.mark.parametrize("name", ["max_queue_size", "export_timeout_seconds"])
    def test_without_end_are_configuration_errors(self, tmp_path: Path, name: str, value: Any) -> None:
        """No number, however long, fails in another way or fills the screen."""
        with pytest.raises(ConfigurationError) as caught:
            load(tmp_path, {name: value})
        assert len(str(caught.value)) < 300


class TestOpenTelemetryVariables:
    """Unusable values are ignored with a warning, as OpenTelemetry's specification has it."""

    def test_a_wrong_attribute_leaves_the_others(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """One entry that is not key=value does not cost the rest."""
        settings = load(tmp_path, OTEL_RESOURCE_ATTRIBUTES="foo,a=b,service.name=,=x")
        assert (settings.service_name, dict(settings.resource_attributes)) == (None, {"a": "b"})
        assert [record.name for record in caplog.records] == ["activitylog"]
        assert caplog.records[0].levelno == logging.WARNING
        assert "OTEL_RESOURCE_ATTRIBUTES" in caplog.text

    @pytest.mark.parametrize("value", ["many", "-1", "0", "1e3", "9" * 5000])
    @pytest.mark.parametrize(
        ("variable", "name"),
        [
            ("OTEL_BLRP_SCHEDULE_DELAY", "schedule_delay_millis"),
            ("OTEL_BLRP_MAX_QUEUE_SIZE", "max_queue_size"),
            ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "max_export_batch_size"),
        ],
    )
    def test_a_wrong_number_leaves_the_default(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, variable: str, name: str, value: str
    ) -> None:
        """The warning names the variable."""
        assert getattr(load(tmp_path, {}, **{variable: value}), name) == getattr(Settings(), name)
        assert variable in caplog.text

    def test_a_wrong_number_leaves_the_file(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """An ignored variable does not hide a lower place."""
        (tmp_path / "activitylog.toml").write_text("schedule_delay_millis = 7\n")
        assert load(tmp_path, OTEL_BLRP_SCHEDULE_DELAY="soon").schedule_delay_millis == 7

    def test_a_blank_name_is_ignored(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """White space names no service."""
        assert load(tmp_path, OTEL_SERVICE_NAME="  ").service_name is None
        assert "OTEL_SERVICE_NAME" in caplog.text


class TestEnvironment:
    @pytest.mark.parametrize(
        "name",
        [
            "ACTIVITYLOG_SERVICE_HOST",
            "ACTIVITYLOG_SERVICE_PORT",
            "ACTIVITYLOG_SERVICE_PORT_HTTP",
            "ACTIVITYLOG_PORT",
            "ACTIVITYLOG_PORT_8123_TCP",
            "ACTIVITYLOG_PORT_8123_TCP_ADDR",
        ],
    )
    def test_a_kubernetes_service_of_that_name_is_ignored(self, tmp_path: Path, name: str) -> None:
        """Kubernetes gives every container variables named after the services beside it."""
        settings = load(tmp_path, {}, ACTIVITYLOG_SERVICE_NAME="chat", **{name: "tcp://10.0.0.1:8123"})
        assert settings.service_name == "chat"

    @pytest.mark.parametrize("name", ["ACTIVITYLOG_PORTS", "ACTIVITYLOG_SERVICE"])
    def test_what_only_looks_like_one_is_an_error(self, tmp_path: Path, name: str) -> None:
        """Only the names that Kubernetes gives are passed over."""
        with pytest.raises(ConfigurationError, match=name):
            load(tmp_path, {}, **{name: "1"})

    def test_a_wrong_value_names_its_variable(self, tmp_path: Path) -> None:
        """Whoever reads the error knows which line of the deployment to change."""
        with pytest.raises(ConfigurationError, match="ACTIVITYLOG_MAX_QUEUE_SIZE: expected a whole number"):
            load(tmp_path, ACTIVITYLOG_MAX_QUEUE_SIZE="many")

    def test_an_unknown_variable_is_an_error(self, tmp_path: Path) -> None:
        """A misspelt variable must not be silent."""
        with pytest.raises(ConfigurationError, match="Did you mean 'service_name'"):
            load(tmp_path, ACTIVITYLOG_SERVICE_NAM="chat")

    def test_a_table_is_no_variable(self, tmp_path: Path) -> None:
        """What belongs to [store] has no variables of its own, and the error says where it goes."""
        with pytest.raises(ConfigurationError, match="There is no setting 'store_partition_by'") as caught:
            load(tmp_path, ACTIVITYLOG_STORE_PARTITION_BY="day")
        assert "settings file" in (caught.value.hint or "")

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


class TestSecretsInErrors:
    @pytest.mark.parametrize(
        "url",
        [
            "clickhouse://alice:topsecret@[db/activity",
            "clickhouse://alice:topsecret",
            "clickhouse:alice:topsecret",
            "clickhouse://alice:12/topsecret@db",
            "clickhouse://a:p,topsecret:b@db",
            "clickhouse://alice:topsecret\u2100@db",
            "http://h/?password=topsecret",
        ],
    )
    def test_no_error_of_the_chain_holds_one(self, tmp_path: Path, url: str) -> None:
        """Message, hint, args, cause and context are free of the URL's text, from every place."""
        (tmp_path / "activitylog.toml").write_text(f"url = '{url}'\n")
        places: list[tuple[dict[str, Any], dict[str, str]]]
        places = [({"url": url}, {}), ({}, {"ACTIVITYLOG_URL": url}), ({}, {})]
        for given, environ in places:
            with pytest.raises(ConfigurationError) as caught:
                load(tmp_path, given, **environ)
            assert chain(caught.value) == [caught.value]
            assert "topsecret" not in f"{caught.value} {caught.value.args} {caught.value.hint}"

    @pytest.mark.parametrize("content", [b"url = 'topsecret\xff'\n", b"url = 'topsecret\n"])
    def test_a_broken_file_is_not_repeated(self, tmp_path: Path, content: bytes) -> None:
        """The decoder's error holds the whole file, so it is not kept."""
        (tmp_path / "activitylog.toml").write_bytes(content)
        with pytest.raises(ConfigurationError) as caught:
            load(tmp_path)
        assert chain(caught.value) == [caught.value]
        assert "topsecret" not in "".join(traceback.format_exception(caught.value))

    def test_a_table_in_the_wrong_setting_is_not_repeated(self, tmp_path: Path) -> None:
        """Of a value with parts only the type is named."""
        with pytest.raises(ConfigurationError, match="got dict") as caught:
            load(tmp_path, {"service_name": {"password": "topsecret"}})
        assert "topsecret" not in str(caught.value)

    def test_a_url_in_the_wrong_setting_is_not_repeated(self, tmp_path: Path) -> None:
        """A variable that was given the URL by mistake does not print it."""
        with pytest.raises(ConfigurationError, match="got a URL") as caught:
            load(tmp_path, ACTIVITYLOG_ENABLED="clickhouse://alice:topsecret@db")
        assert "topsecret" not in str(caught.value)


def chain(error: BaseException | None) -> list[BaseException]:
    """The error and all that it came from or happened in."""
    if error is None:
        return []
    return [error, *chain(error.__cause__), *chain(error.__context__)]


def test_every_setting_can_be_set_by_name(tmp_path: Path) -> None:
    """Each field of Settings has a reader, and each reader a field."""
    from activitylog.setting_values import READERS

    assert {field.name for field in dataclasses.fields(Settings)} == set(READERS)


class TestRules:
    RULE = '[[rules]]\nmatch = "a.*"\nsample = 0.5\n'

    def test_from_a_file_and_from_code(self, tmp_path: Path) -> None:
        """Tables and Rules, checked and equal; those of the code win."""
        (tmp_path / "activitylog.toml").write_text(self.RULE)
        settings = load(tmp_path)
        assert settings.rules == load(tmp_path / "none", {"rules": [Rule(match="a.*", sample=0.5)]}).rules
        assert settings == load(tmp_path)
        assert load(tmp_path, {"rules": []}).rules == ()

    def test_a_wrong_rule_is_named_with_its_line(self, tmp_path: Path) -> None:
        """Of the settings file; in code with its number."""
        (tmp_path / "pyproject.toml").write_text(
            '[project]\nname = "x"\n\n[[tool.activitylog.rules]]\nmatch = "a"\nsampel = 1\n'
        )
        with pytest.raises(
            ConfigurationError, match=r"rule 1 at line 4 of .*pyproject\.toml: there is no key"
        ) as e:
            load(tmp_path)
        assert e.value.hint == "Did you mean 'sample'?"
        (tmp_path / "pyproject.toml").unlink()
        with pytest.raises(ConfigurationError, match=r"rules in configure\(\): rule 1: match is missing"):
            load(tmp_path, {"rules": [{"drop": True}]})

    def test_not_from_a_variable(self, tmp_path: Path) -> None:
        """It has no room for tables, but may name a file of them."""
        with pytest.raises(ConfigurationError, match=r"the variable ACTIVITYLOG_RULES.*ACTIVITYLOG_RULES_FILE"):
            load(tmp_path, ACTIVITYLOG_RULES="[]")

    def test_a_file_of_rules_is_found_from_where_it_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Beside the settings file, else from the working directory."""
        (tmp_path / "activitylog.toml").write_text('rules_file = "conf/rules.toml"\n')
        (tmp_path / "below").mkdir()
        assert load(tmp_path / "below").rules_file == tmp_path / "conf" / "rules.toml"
        monkeypatch.chdir(tmp_path / "below")
        assert load(tmp_path, ACTIVITYLOG_RULES_FILE="r.toml").rules_file == tmp_path / "below" / "r.toml"
        assert load(tmp_path, {"rules_file": Path("/etc/r.toml")}).rules_file == Path("/etc/r.toml")

    @pytest.mark.parametrize("key", ["rules_file", "spool_directory"])
    def test_every_path_of_a_file_is_found_from_that_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
    ) -> None:
        """Whoever is in a folder below it finds the same; variables and arguments mean the working directory."""
        (tmp_path / "below").mkdir()
        monkeypatch.chdir(tmp_path / "below")
        (tmp_path / "pyproject.toml").write_text(f'[tool.activitylog]\n{key} = "state/x"\n')
        assert getattr(load(tmp_path / "below"), key) == tmp_path / "state" / "x"
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        (tmp_path / "activitylog.toml").write_text(f'{key} = " ~/x "\n')
        assert getattr(load(tmp_path / "below"), key) == tmp_path / "home" / "x"
        (tmp_path / "other.toml").write_text(f'{key} = "x"\n')
        assert getattr(load(tmp_path, ACTIVITYLOG_CONFIG="../other.toml"), key).resolve() == tmp_path / "x"
        of_variable = load(tmp_path, None, **{f"ACTIVITYLOG_{key.upper()}": "x"})
        assert getattr(of_variable, key) == getattr(load(tmp_path, {key: "x"}), key) == tmp_path / "below" / "x"

    def test_rules_in_code_replace_a_rules_file_of_the_settings(self, tmp_path: Path) -> None:
        """None at all, too: that is how an import is kept from being sampled."""
        (tmp_path / "activitylog.toml").write_text('rules_file = "rules.toml"\n')
        settings = load(tmp_path, {"rules": []}, ACTIVITYLOG_RULES_FILE=str(tmp_path / "other.toml"))
        assert (settings.rules, settings.rules_file) == ((), None)

    def test_a_rules_file_in_a_variable_replaces_the_rules_of_the_settings(self, tmp_path: Path) -> None:
        """The higher place wins, whichever of the two forms it uses."""
        (tmp_path / "activitylog.toml").write_text('[[rules]]\nmatch = "a.*"\ndrop = true\n')
        settings = load(tmp_path, ACTIVITYLOG_RULES_FILE=str(tmp_path / "other.toml"))
        assert (settings.rules, settings.rules_file) == ((), tmp_path / "other.toml")
        assert len(load(tmp_path).rules) == 1

    def test_both_in_one_place_are_an_error(self, tmp_path: Path) -> None:
        """Nobody knows which was meant."""
        with pytest.raises(ConfigurationError, match=r"There are rules and a rules_file in configure\(\)"):
            load(tmp_path, {"rules": [], "rules_file": "rules.toml"})

    @pytest.mark.parametrize("given", ["", "  ", 5, "a\0b"])
    def test_a_path_that_is_none(self, tmp_path: Path, given: Any) -> None:
        """Is refused at once."""
        with pytest.raises(ConfigurationError, match="expected the path of a file"):
            load(tmp_path, {"rules_file": given})

    def test_a_sampling_key_is_shown_nowhere(self, tmp_path: Path) -> None:
        """Neither by repr nor by the error about a short one."""
        key = "correct horse battery staple"
        settings = load(tmp_path, ACTIVITYLOG_SAMPLING_KEY=key)
        assert settings.sampling_key == key
        assert key not in repr(settings)
        assert settings != load(tmp_path)
        short = key[:7]
        with pytest.raises(ConfigurationError, match="16 to 1,024 characters") as caught:
            load(tmp_path, {"sampling_key": short})
        assert short not in "".join(traceback.format_exception(caught.value))

    def test_defaults(self, tmp_path: Path) -> None:
        """No rules, a file looked at every five seconds, counters where there are rules."""
        settings = load(tmp_path)
        assert (settings.rules, settings.rules_file, settings.rules_reload_seconds) == ((), None, 5.0)
        assert (settings.dry_run, settings.counters, settings.sampling_key) == (False, None, None)
        assert load(tmp_path, ACTIVITYLOG_COUNTERS="off", ACTIVITYLOG_DRY_RUN="1").counters is False
