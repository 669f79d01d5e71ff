"""
Nothing secret leaves the process: the corpus through the whole pipeline, then looked for in all that there is.

Redaction comes before ``Logger.emit``: whatever stores, spools or prints events stands behind it, and sees the
same.
"""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

import activitylog
from activitylog import config
from activitylog.exceptions import StrictModeError
from activitylog.pipeline import Pipeline
from activitylog.provider import BoundedProcessor
from activitylog.settings import Settings
from activitylog.testing import capture_activities
from tests.activitylog.redaction.corpus import SECRETS, Secret
from tests.exporters_for_tests import ScriptedExporter

KEY = "correct-horse-battery-" + "staple"
TOKEN = "gh" + "p_" + "Zq3Xv9LmT7bRk2WcY8nJ5hGd4sPf6aUeB1oN"


class Unprintable:
    """An object whose text cannot be had; the error holds a secret."""

    def __str__(self) -> str:
        raise ValueError(f"cannot print with {TOKEN}")


def emit_everywhere(secret: Secret) -> None:
    """One event with the secret in every place where a caller may put it, and some for the names of events."""
    text = secret.text
    ids = text if secret.kind != "card" else "7"
    log = activitylog.get_logger(bound=text)
    with activitylog.bind(session=ids, lazily=lambda: {"nested": [text, text.encode("latin-1", "replace")]}):
        try:
            raise ConnectionError(text) from ValueError(text)
        except ConnectionError as error:
            log.exception(
                "secret.stored",
                actor=f"user:{ids}",
                object={"type": "thing", "id": ids, "name": text},
                target=("thing", ids),
                tenant=ids,
                on_behalf_of=ids,
                request_id=ids,
                error=error,
                message=text,
                request={"url.path": text, "user_agent.original": text, "client.address": ids, "http.route": ids},
                objects=[ids, "8"],
                password=secret.secret,
                form={"Api-Key": secret.secret, text: text, "n": [{"token": secret.secret.encode("latin-1")}]},
                long="x " * 4_080 + text + " tail" * 3_000,
                **{text: 1},
            )
    activitylog.emit(text)
    activitylog.emit("secret.stored", error=text, unprintable=Unprintable())


def secrets_in(text: str) -> list[str]:
    """Those of the secrets that are in the text, as they are or as a repr writes them."""
    forms = {form for secret in SECRETS for form in (secret.secret, repr(secret.secret)[1:-1])}
    return sorted(form for form in forms if form in text)


@pytest.fixture(scope="module")
def store(chdb_url: str, _chdb_engine: Any) -> Iterator[Any]:
    """The store with the corpus in it; yields a client that reads it."""
    activitylog.configure(chdb_url, service_name="chat", schedule_delay_millis=60_000)
    for secret in SECRETS:
        emit_everywhere(secret)
    assert activitylog.flush().complete
    assert activitylog.stats().dropped == {}
    yield _chdb_engine
    activitylog.shutdown()
    config.swap(None)


_PARTS = "SELECT path FROM system.parts WHERE database = currentDatabase() AND active"


class TestStore:
    def test_rows(self, store: Any) -> None:
        """All columns of all rows of every table and view: none holds a secret, and the events are there."""
        names = store.query("SELECT name FROM system.tables WHERE database = currentDatabase()").result_rows
        assert "activity_events" in {name for (name,) in names}
        count = store.command("SELECT count() FROM activity_events WHERE EventName = 'secret.stored'")
        assert count >= 2 * len(SECRETS)
        for (name,) in names:
            assert secrets_in(repr(store.query(f"SELECT * FROM `{name}`").result_rows)) == []

    def test_columns_by_their_opentelemetry_names(self, store: Any) -> None:
        """ALIAS columns, too, which SELECT * leaves out."""
        rows = store.query("SELECT *, Body, LogAttributes, ResourceAttributes FROM activity_events").result_rows
        assert secrets_in(repr(rows)) == []

    def test_files(self, store: Any) -> None:
        """Nor any file of its tables, as far as it is not compressed."""
        forms = [secret.secret.encode() for secret in SECRETS]
        store.command("SYSTEM STOP MERGES")
        try:
            folders = [path for (path,) in store.query(_PARTS).result_rows]
            files = [path for folder in folders for path in Path(folder).iterdir() if path.is_file()]
            assert files
            for path in files:
                content = path.read_bytes()
                assert not [form for form in forms if form in content], path
        finally:
            store.command("SYSTEM START MERGES")

    def test_what_was_redacted_can_be_asked_for(self, store: Any) -> None:
        """The note is an attribute like any other, so that people find why a value is gone."""
        count = store.command(
            "SELECT count() FROM activity_events WHERE LogAttributes['activity.redacted'] LIKE '%password:key%'"
        )
        assert count >= len(SECRETS)


def print_corpus() -> None:
    """Send the corpus to the console: run in a process of its own, because the exporter knows its first stdout."""
    activitylog.configure("console:", service_name="chat", schedule_delay_millis=60_000)
    for secret in SECRETS:
        emit_everywhere(secret)


@pytest.mark.slow
def test_console() -> None:
    """What is printed for people has gone the same way."""
    code = f"from {__name__} import print_corpus; print_corpus()"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.count("[redacted]") > len(SECRETS)
    assert len(done.stdout.splitlines()) == 3 * len(SECRETS)
    assert secrets_in(done.stdout + done.stderr) == []


class TestFailures:
    def test_log_lines(self, caplog: pytest.LogCaptureFixture) -> None:
        """Of processors that raise and of exporters that fail: the event's name is shown, without its secrets."""
        caplog.set_level(logging.DEBUG)

        def fail(_logger: Any, _name: str, event: Any) -> Any:
            raise RuntimeError(f"no way to send {event}")

        settings = Settings(schedule_delay_millis=60_000)
        exporter = ScriptedExporter(RuntimeError("down"))
        pipeline = Pipeline(settings, destinations=[BoundedProcessor(lambda: exporter, "scripted:", settings)])
        failing = Pipeline(settings, processors=[fail], destinations=[])
        previous = config.swap(pipeline)
        try:
            for secret in SECRETS:
                emit_everywhere(secret)
            pipeline.flush(10)
            config.swap(failing)
            for secret in SECRETS:
                failing._errors._next_at = 0.0
                emit_everywhere(secret)
                failing._errors._next_at = 0.0  # one line a minute: this one shall be of the name that is none
                activitylog.emit(secret.text)
        finally:
            config.swap(previous)
            pipeline.shutdown(10)
        assert "an event was dropped because of a RuntimeError" in caplog.text
        assert secrets_in(caplog.text) == []

    @pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: f"{secret.kind}:{secret.text[:24]!r}")
    def test_strict_mode(self, secret: Secret) -> None:
        """The error names the event and the keys, none of which shows a secret."""
        with capture_activities(), pytest.raises(StrictModeError) as caught:
            activitylog.get_logger().info(secret.text, **{secret.text + "\x00": float("nan")})
        assert secrets_in(str(caught.value)) == []

    def test_assertions(self) -> None:
        """A test that fails prints what was emitted as it would have been stored."""
        with capture_activities(strict=False) as captured:
            for secret in SECRETS:
                emit_everywhere(secret)
            with pytest.raises(AssertionError) as caught:
                captured.one("never.emitted")
            assert secrets_in(str(caught.value) + repr(captured.events)) == []


class TestReprs:
    def test_of_what_holds_the_key(self) -> None:
        """Settings, pipeline, redactor, their attributes and their errors."""
        settings = Settings(redaction=activitylog_redaction(pseudonymize=["actor"], key=KEY))
        pipeline = Pipeline(settings)
        texts = [repr(settings), str(settings.redaction), repr(pipeline), repr(vars(pipeline))]
        texts += [repr(vars(pipeline._redactor)), repr(pipeline._chain)]
        assert not [text for text in texts if KEY in text]
        assert KEY.encode() not in pickle.dumps(settings.redaction.key)

    def test_of_an_error_while_configuring(self) -> None:
        """Reporters of errors print the values of all frames."""
        with pytest.raises(activitylog.ConfigurationError) as caught:
            activitylog.configure("memory:", redaction={"key": KEY, "pseudonymise": ["actor"]})
        exception = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        own = [frame for frame in exception.stack if "/activitylog/" in frame.filename.replace("/tests/", "/")]
        assert own
        shown = "".join(repr(frame.locals) for frame in exception.stack if "test_redaction" not in frame.filename)
        assert KEY not in shown

    def test_of_records(self) -> None:
        """What processors of OpenTelemetry see is redacted."""
        exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        previous = config.swap(Pipeline(Settings(), logger_provider=provider))
        try:
            for secret in SECRETS:
                emit_everywhere(secret)
        finally:
            config.swap(previous)
        assert len(exporter.get_finished_logs()) > len(SECRETS)
        for data in exporter.get_finished_logs():
            assert secrets_in(repr(vars(data.log_record)) + data.to_json()) == []


def activitylog_redaction(**table: Any) -> Any:
    """Settings of redaction, checked."""
    from activitylog.redaction import parse_redaction

    return parse_redaction(table)


class TestProcessorsOfTheApplication:
    def test_what_they_add_is_redacted(self) -> None:
        """They run first: enrichment cannot go around redaction."""

        def enrich(_logger: Any, _name: str, event: Any) -> Any:
            event["headers"] = {"Authorization": "open sesame", "Accept": "*/*"}
            event["dsn"] = "postgres://ada:open-sesame@db/shop"
            event["actor"] = "user:42"
            return event

        settings = activitylog_redaction(pseudonymize=["actor"], key=KEY)
        with capture_activities(processors=[enrich], redaction=settings) as captured:
            activitylog.emit("order.paid")
        event = captured.one("order.paid")
        assert event.attributes["headers"] == {"Authorization": "[redacted]", "Accept": "*/*"}
        assert event.attributes["dsn"] == "postgres://ada:[redacted]@db/shop"
        assert event.attributes["user.id"].startswith("pseudonym-1-")
        assert event.attributes["activity.redacted"] == [
            "headers.Authorization:key",
            "dsn:url_password",
            "user.id:pseudonymize",
        ]

    def test_a_finder_of_names_as_a_hook(self) -> None:
        """What finds personal data by language models works as a processor of the application's."""

        class Analyzer:
            """Finds people, as presidio's analyzer and anonymizer would."""

            def anonymize(self, text: str) -> str:
                return text.replace("Ada Lovelace", "<PERSON>")

        analyzer = Analyzer()

        def anonymize(_logger: Any, _name: str, event: Any) -> Any:
            message = event.get("message")
            if isinstance(message, str):
                event["message"] = analyzer.anonymize(message)
            return event

        with capture_activities(processors=[anonymize]) as captured:
            activitylog.emit("note.added", message="Ada Lovelace wrote with token=open-sesame")
        assert captured.one("note.added").message == "<PERSON> wrote with token=[redacted]"

    def test_off(self) -> None:
        """One word turns it off."""
        with capture_activities(redaction=activitylog_redaction(enabled=False)) as captured:
            activitylog.emit("note.added", password="open sesame")
        assert captured.one("note.added").attributes["password"] == "open sesame"
