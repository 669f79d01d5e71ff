"""``manage.py check``: what is wrong with the settings, one by one, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core import checks as django_checks
from django.core.checks import CheckMessage

from activitylog import config
from activitylog.exceptions import StoreLockedError
from activitylog.integrations.django import ActivityMiddleware, checks, conf
from activitylog.integrations.django.apps import command_in_charge

Run = Callable[..., list[CheckMessage]]


@pytest.fixture
def run(settings: Any) -> Run:
    """Runs one check with these settings of Django, ``ACTIVITYLOG`` among them."""

    def with_settings(check: Callable[..., list[CheckMessage]], **changed: Any) -> list[CheckMessage]:
        for name, value in changed.items():
            setattr(settings, name, value)
        return check()

    return with_settings


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The application, whose failure is forgotten afterwards."""
    found = apps.get_app_config("activitylog")
    monkeypatch.setattr(found, "failure", None)
    return found


def ids(found: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in found]


class TestSettings:
    def test_the_project_of_the_tests_is_right(self) -> None:
        """All checks, as Django runs them."""
        found = django_checks.run_checks(include_deployment_checks=True, tags=["activitylog"])
        assert ids(found) == ["activitylog.W012"]

    @pytest.mark.parametrize("given", [[], "chdb://memory", 1])
    def test_no_dict(self, run: Run, given: Any) -> None:
        """E001."""
        (found,) = run(checks.check_settings, ACTIVITYLOG=given)
        assert (found.id, found.msg) == (
            "activitylog.E001",
            f"ACTIVITYLOG: expected a dict, got {type(given).__name__}.",
        )

    @pytest.mark.parametrize(
        ("key", "hint"),
        [
            ("urls", "Did you mean 'url'?"),
            ("URL", "Did you mean 'url'?"),
            ("trusted_proxy", "Did you mean 'trusted_proxies'?"),
            ("auth_event", "Did you mean 'auth_events'?"),
            ("load_users", "Did you mean 'load_user'?"),
            ("max_queu_size", "Did you mean 'max_queue_size'?"),
        ],
    )
    def test_unknown(self, run: Run, key: str, hint: str) -> None:
        """E002, with what may have been meant."""
        (found,) = run(checks.check_settings, ACTIVITYLOG={"url": "memory:", key: 1})
        assert (found.id, found.hint) == ("activitylog.E002", hint)

    def test_unknown_altogether(self, run: Run) -> None:
        """E002, with all that there are."""
        (found,) = run(checks.check_settings, ACTIVITYLOG={"url": "memory:", "zzz": 1, "tenant": None})
        assert found.msg == "ACTIVITYLOG: there is no setting 'zzz'."
        assert str(found.hint).startswith("There are: actor, auth_events, client_address_header, ")

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("url", "htp://x", "The destination 'htp://...' begins with no known scheme."),
            ("url", "clickhouse://u:s3cret@h:x/db", "is not a URL"),
            ("max_queue_size", "many", "expected a whole number from 1 to 10,000,000, got 'many'."),
            ("durability", "disk", "expected 'memory', 'process' or 'power', got 'disk'."),
            ("rules", "drop all", "rules cannot be given as a text."),
            ("trusted_proxies", ["10.0.0.0/99"], "'10.0.0.0/99' is no network."),
            ("request_event", "Request", "'Request' is no event name."),
            ("omit", ["ip"], "'ip' is nothing that a request says."),
            ("client_address_header", "X Real IP", "expected the name of a header, got 'X Real IP'."),
            ("load_user", "no", "expected True or False, got 'no'."),
            ("auth_events", 1, "expected True or False, got 1."),
            ("return_request_id", 1, "expected True or False, got 1."),
            ("actor", "no.such.module", "'no.such.module' cannot be imported (ModuleNotFoundError"),
            ("actor", 7, "expected a function, got 7."),
            ("tenant", "asyncio.sleep", "expected a function, got a coroutine function."),
            ("processors", "x.y", "expected a list, got 'x.y'."),
            ("processors", ["builtins.dict"], "is no processor."),
            ("processors", ["os.sep"], "'/' is no processor."),
            ("logger_provider", "os.sep", "expected an OpenTelemetry LoggerProvider"),
        ],
    )
    def test_a_bad_value(self, run: Run, key: str, value: Any, message: str) -> None:
        """E003, with the key, and without anything that may be a secret."""
        (found,) = run(checks.check_settings, ACTIVITYLOG={"url": "memory:", key: value})
        assert found.id == "activitylog.E003"
        assert found.msg.startswith(f"ACTIVITYLOG['{key}']: ")
        assert message in found.msg
        assert "s3cret" not in f"{found.msg}{found.hint}"

    def test_all_at_once(self, run: Run) -> None:
        """Everything that is wrong is said."""
        given = {"url": "memory:", "strict": "maybe", "tenant": 1, "urll": "x", 7: "y", "omit": "client.address"}
        found = run(checks.check_settings, ACTIVITYLOG=given)
        assert ids(found) == ["activitylog.E003", "activitylog.E003", "activitylog.E002", "activitylog.E002"]

    def test_settings_that_contradict(self, run: Run) -> None:
        """E003, of what only shows when all are read."""
        (found,) = run(
            checks.check_settings,
            ACTIVITYLOG={"url": "memory:", "max_queue_size": 10, "max_export_batch_size": 20},
        )
        assert (found.id, "is larger than max_queue_size" in found.msg) == ("activitylog.E003", True)

    def test_another_place(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        """E003 names the variable that is wrong; a variable may also say where events go."""
        monkeypatch.setenv("ACTIVITYLOG_URL", "memory:")
        assert run(checks.check_settings, ACTIVITYLOG={}) == []
        monkeypatch.setenv("ACTIVITYLOG_STRICT", "maybe")
        (found,) = run(checks.check_settings, ACTIVITYLOG={})
        assert "the variable ACTIVITYLOG_STRICT" in found.msg

    @pytest.mark.parametrize(("debug", "hint"), [(True, "chdb://{BASE_DIR}"), (False, "clickhouse://user")])
    def test_nowhere(self, run: Run, debug: bool, hint: str) -> None:
        """E004: while developing the embedded engine will do."""
        (found,) = run(checks.check_settings, ACTIVITYLOG={"service_name": "chat"}, DEBUG=debug)
        assert found.id == "activitylog.E004"
        assert hint in str(found.hint)

    @pytest.mark.parametrize("given", [{"enabled": False}, {"logger_provider": SimpleNamespace(get_logger=None)}])
    def test_nowhere_is_right(self, run: Run, given: dict[str, Any]) -> None:
        """For who drops all events, or has a provider."""
        assert run(checks.check_settings, ACTIVITYLOG=given) == []

    def test_what_was_met_at_the_start(self, run: Run, app: Any) -> None:
        """E005."""
        app.failure = StoreLockedError("Another process has it open.", hint="Use `activitylog serve`.")
        (found,) = run(checks.check_settings)
        assert (found.id, found.msg, found.hint) == (
            "activitylog.E005",
            "Another process has it open.",
            "Use `activitylog serve`.",
        )


class TestMiddleware:
    OURS = "activitylog.integrations.django.ActivityMiddleware"
    AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"

    @pytest.mark.parametrize(
        ("middleware", "expected"),
        [
            ([], ["activitylog.W001"]),
            ([AUTH], ["activitylog.W001"]),
            ([OURS, AUTH], []),
            ([OURS, f"{__name__}.SubClass", AUTH], ["activitylog.W002"]),
            (["activitylog.integrations.django.middleware.ActivityMiddleware", AUTH, "no.such.one"], []),
            ([OURS], ["activitylog.W003"]),
        ],
    )
    def test_places(self, run: Run, settings: Any, middleware: list[str], expected: list[str]) -> None:
        """W001 where it is missing, W002 where it is twice, W003 where nobody says who asks."""
        settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if "rest_framework" not in name]
        assert ids(run(checks.check_middleware, MIDDLEWARE=middleware)) == expected

    def test_somebody_else_says_who_asks(self, run: Run, settings: Any) -> None:
        """No W003 with an ``actor`` of one's own, or with Django REST framework."""
        assert run(checks.check_middleware, MIDDLEWARE=[self.OURS]) == []
        settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if "rest_framework" not in name]
        given = {"url": "memory:", "actor": lambda request: None}
        assert run(checks.check_middleware, MIDDLEWARE=[self.OURS], ACTIVITYLOG=given) == []


class SubClass(ActivityMiddleware):
    """One of a project's own."""


class TestSpool:
    URL = "clickhouse://127.0.0.1:1/activity"

    def test_a_folder_that_cannot_be_made(self, run: Run, tmp_path: Path) -> None:
        """W004: events would be lost with the process."""
        (tmp_path / "file").touch()
        given = {"url": [self.URL, "memory:"], "spool_directory": tmp_path / "file" / "spool"}
        (found,) = run(checks.check_spool, ACTIVITYLOG=given)
        assert found.id == "activitylog.W004"
        assert str(tmp_path) in found.msg

    def test_a_folder_that_can_be_made(self, run: Run, tmp_path: Path) -> None:
        """Nothing to say."""
        given = {"url": self.URL, "spool_directory": tmp_path / "new" / "spool"}
        assert run(checks.check_spool, ACTIVITYLOG=given) == []

    @pytest.mark.parametrize(
        "given",
        [
            {"url": URL, "durability": "memory"},
            {"url": URL, "durability": "process"},  # cannot be configured: E005
            {"url": "memory:"},
            {"url": URL, "enabled": False},
            {"url": "htp://wrong"},
        ],
    )
    def test_nothing_to_say(self, run: Run, tmp_path: Path, given: Any) -> None:
        """Where the folder is not wanted, or something else is wrong."""
        (tmp_path / "file").touch()
        given = {**given, "spool_directory": tmp_path / "file" / "spool"}
        assert run(checks.check_spool, ACTIVITYLOG=given) == []


class TestDeployment:
    @pytest.mark.parametrize(
        ("given", "others", "expected"),
        [
            ({"url": "clickhouse://h/activity"}, {}, []),
            ({"url": "chdb:///var/lib/activity"}, {}, ["W011"]),
            ({"url": "memory:"}, {}, ["W012"]),
            ({"url": "chdb://memory"}, {}, ["W012"]),
            ({"url": ["memory:", "otlp://h:4317"]}, {}, []),
            ({"url": "otlp://h:4317"}, {"USE_X_FORWARDED_HOST": True}, ["W013"]),
            ({"url": "otlp://h:4317"}, {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}, ["W013"]),
            ({"url": "otlp://h:4317", "trusted_proxies": 1}, {"USE_X_FORWARDED_HOST": True}, []),
            ({"url": "otlp://h:4317", "strict": True}, {}, ["W014"]),
            ({"enabled": False}, {"USE_X_FORWARDED_HOST": True}, []),
            ({"url": "htp://wrong"}, {"USE_X_FORWARDED_HOST": True}, []),
        ],
    )
    def test_warnings(self, run: Run, given: Any, others: dict[str, Any], expected: list[str]) -> None:
        """Each names what is not for production."""
        found = run(checks.check_deployment, ACTIVITYLOG=given, **others)
        assert ids(found) == [f"activitylog.{number}" for number in expected]

    def test_they_are_for_deployments(self) -> None:
        """``check`` without ``--deploy`` does not say them."""
        assert django_checks.run_checks(tags=["activitylog"]) == []

    def test_advice_that_can_be_typed(self, run: Run) -> None:
        """The command for several processes is one that exists."""
        (found,) = run(checks.check_deployment, ACTIVITYLOG={"url": "chdb:///var/lib/activity"})
        assert "activitylog serve --url chdb:///var/lib/activity" in str(found.hint)


class TestReading:
    def test_what_is_right_is_read_beside_what_is_wrong(self) -> None:
        """One mistake does not hide what else there is."""
        found, wrong = conf.read({"url": "memory:", "omit": "url.path", "tenant": 1, "processors": [dict.copy]})
        assert (dict(found.pipeline), found.http.omit) == (
            {"url": "memory:", "processors": (dict.copy,)},
            frozenset({"url.path"}),
        )
        assert list(wrong) == ["tenant"]

    def test_none_is_as_if_it_were_absent(self) -> None:
        """So that settings can be written as expressions."""
        found, wrong = conf.read({"url": None, "tenant": None, "auth_events": None})
        assert (found, wrong) == (conf.DjangoOptions(), {})
        assert found.elsewhere["auth_events"] is True

    def test_settings_of_other_modules(self) -> None:
        """Each is checked where it belongs."""
        found, wrong = conf.read({"models": ["chat.Message"], "legacy_write": "both", "read_url": "memory:"})
        assert set(found.elsewhere) == {"auth_events", "models", "legacy_write"}
        assert list(wrong) == ["read_url"]
        for key, (_, reader) in conf.ELSEWHERE.items():
            assert callable(getattr(conf.module_of(key), reader))

    def test_a_provider(self) -> None:
        """A provider, what returns one, or its path."""
        provider = SimpleNamespace(get_logger=print)
        for given in (provider, lambda: provider, f"{__name__}.a_provider"):
            found, wrong = conf.read({"logger_provider": given})
            assert wrong == {}
            assert found.pipeline["logger_provider"].get_logger is print

    def test_every_check_is_in_the_table(self) -> None:
        """The module's own list of ids is complete."""
        source = Path(checks.__file__).read_text()
        listed = set(re.findall(r"``activitylog\.([EW]\d{3})``", source))
        used = set(re.findall(r'\{TAG\}\.([EW]\d{3})"', source)) | {
            f"E00{n}" for n in re.findall(r"_error\(\w+, (\d)", source)
        }
        assert used | {"E002", "E003"} == listed


a_provider = SimpleNamespace(get_logger=print)


def test_tests_are_under_no_command() -> None:
    """pytest is a process like any server."""
    assert command_in_charge() is None
    assert not config.configured()


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # below no settings file
