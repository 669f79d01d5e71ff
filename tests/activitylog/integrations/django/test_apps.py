"""The Django application: what it configures when Django is ready, and what becomes of bad settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import ImproperlyConfigured

import activitylog
from activitylog import config
from activitylog.integrations.django import auth_signals
from tests.activitylog.integrations.django.fresh_project import FreshProject

BAD = '{"url": "memory:", "max_queue_size": "many", "tenent": "acme.tenant_of"}'
SETUP = "import django; django.setup(); import activitylog; "


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The application."""
    monkeypatch.chdir(tmp_path)  # below no settings file
    found = apps.get_app_config("activitylog")
    monkeypatch.setattr(found, "failure", None)
    return found


class TestReady:
    def test_it_configures(self, app: Any, settings: Any) -> None:
        """By what ``ACTIVITYLOG`` says, processors included."""

        def note(_logger: Any, _method: str, event_dict: Any) -> Any:
            event_dict["noted"] = True
            return event_dict

        settings.ACTIVITYLOG = {"url": "memory:", "service_name": "chat", "processors": [note], "seals": False}
        app.ready()
        pipeline = config.swap(None)
        config.swap(pipeline)
        assert pipeline is not None
        assert (pipeline.settings.service_name, [str(url) for url in pipeline.settings.url]) == (
            "chat",
            ["memory:"],
        )
        activitylog.emit("message.sent")
        assert activitylog.stats().emitted == 1

    def test_what_is_bad_stops_the_process(self, app: Any, settings: Any) -> None:
        """In any process but one of ``manage.py``, with what is wrong and what to do."""
        settings.ACTIVITYLOG = {"url": "memory:", "tenent": "acme.tenant_of"}
        with pytest.raises(ImproperlyConfigured, match=r"there is no setting 'tenent'\. Did you mean 'tenant'\?"):
            app.ready()
        assert not config.configured()

    def test_no_password_in_the_error(self, app: Any, settings: Any) -> None:
        """Neither in its text nor in the frames that reporters of errors print."""
        settings.ACTIVITYLOG = {"url": "clickhouse://ada:s3cret@host:no-port/activity"}
        with pytest.raises(ImproperlyConfigured) as caught:
            app.ready()
        assert "s3cret" not in str(caught.value)
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        trace = caught.value.__traceback__
        while trace is not None:
            if "activitylog/integrations" in trace.tb_frame.f_code.co_filename.replace("tests/activitylog", ""):
                assert "s3cret" not in repr(trace.tb_frame.f_locals)
            trace = trace.tb_next

    def test_who_configured_by_hand(self, app: Any, settings: Any) -> None:
        """Without ``ACTIVITYLOG`` what is configured stays."""
        activitylog.configure("memory:", service_name="mine")
        del settings.ACTIVITYLOG
        app.ready()
        pipeline = config.swap(None)
        config.swap(pipeline)
        assert pipeline is not None
        assert pipeline.settings.service_name == "mine"

    def test_logins_are_left_alone(self, app: Any, settings: Any) -> None:
        """With ``auth_events: False`` nothing listens to Django's signals."""
        auth_signals.disconnect()
        before = len(user_logged_in.receivers)
        settings.ACTIVITYLOG = {"url": "memory:", "auth_events": False}
        app.ready()
        assert len(user_logged_in.receivers) == before
        settings.ACTIVITYLOG = {"url": "memory:"}
        app.ready()
        assert len(user_logged_in.receivers) == before + 1

    def test_nothing_at_all(self, app: Any, settings: Any) -> None:
        """The application without a destination is a mistake."""
        del settings.ACTIVITYLOG
        with pytest.raises(ImproperlyConfigured, match="No destination is configured"):
            app.ready()


@pytest.mark.slow
class TestProcesses:
    def test_a_server(self, tmp_path: Path) -> None:
        """What is bad stops what is no command: here as gunicorn would begin."""
        project = FreshProject(tmp_path, BAD)
        result = project.run("-c", "from django.core.wsgi import get_wsgi_application as get; get()")
        assert result.returncode == 1
        last = result.stderr.strip().splitlines()[-1]
        assert last.startswith(
            "django.core.exceptions.ImproperlyConfigured: ACTIVITYLOG['max_queue_size']: expected"
        )

    def test_commands(self, tmp_path: Path) -> None:
        """``check`` says all of it; commands without checks go on, and events are refused and counted."""
        project = FreshProject(tmp_path, BAD)
        result = project.manage("check")
        assert result.returncode == 1
        assert "(activitylog.E003) ACTIVITYLOG['max_queue_size']: expected a whole number" in result.stderr
        assert "(activitylog.E002) ACTIVITYLOG: there is no setting 'tenent'." in result.stderr
        assert "HINT: Did you mean 'tenant'?" in result.stderr
        result = project.manage(
            "shell",
            "-v",
            "0",
            "-c",
            "import activitylog; activitylog.emit('a.b'); print(activitylog.stats().dropped)",
        )
        assert (result.returncode, result.stdout) == (0, "{'not_configured': 1}\n")

    def test_a_project_that_is_right(self, tmp_path: Path) -> None:
        """Nothing to say, also about a deployment but for Django's own; and events are taken."""
        project = FreshProject(
            tmp_path, '{"url": "clickhouse://127.0.0.1:1/x", "spool_directory": BASE_DIR / "s"}'
        )
        result = project.manage("check", "--deploy")
        assert "activitylog" not in result.stdout + result.stderr
        result = project.run("-c", f"{SETUP} print(activitylog.emit('a.b')); activitylog.shutdown(0)")
        assert (result.returncode, result.stdout) == (0, "True\n")

    def test_importing_costs_no_drivers(self, tmp_path: Path) -> None:
        """A server of Django begins without ClickHouse's driver, gRPC or the engine."""
        project = FreshProject(
            tmp_path, '{"url": "clickhouse://127.0.0.1:1/x", "spool_directory": BASE_DIR / "s"}'
        )
        code = f"{SETUP} import sys; print({{'clickhouse_connect', 'grpc', 'chdb', 'click'}} & set(sys.modules))"
        assert project.run("-c", code).stdout == "set()\n"
