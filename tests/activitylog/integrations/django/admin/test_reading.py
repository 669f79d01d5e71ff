from __future__ import annotations

import fcntl
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from activitylog.integrations.django.admin.reading import UnreadableError, read


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: Any, tmp_path: Any) -> None:
    """No settings of whoever runs the tests."""
    monkeypatch.delenv("ACTIVITYLOG_URL", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        yield f"clickhouse://reader:hidden@127.0.0.1:{listener.getsockname()[1]}/activity"


def sentence(settings: Any, **given: Any) -> UnreadableError:
    """What a page says for these settings."""
    settings.ACTIVITYLOG = given
    with pytest.raises(UnreadableError) as raised:
        read(lambda client, sent: client.query("SELECT 1", settings=dict(sent)))
    return raised.value


@pytest.mark.usefixtures("_chdb_engine")
class TestRead:
    def test_asks_the_embedded_store_of_this_process(self, settings, chdb_url):
        """While others have it open, too; with a limit that the engine keeps."""
        settings.ACTIVITYLOG = {"url": chdb_url, "read_timeout_seconds": 3}
        answer = read(lambda client, sent: (client.query("SELECT 1").result_rows, dict(sent)))
        assert answer == ([(1,)], {"max_execution_time": 3})

    def test_asks_a_server(self, settings, server_url):
        """Across a socket."""
        settings.ACTIVITYLOG = {"url": server_url}
        assert read(lambda client, _sent: client.query("SELECT 1").result_rows) == [(1,)]

    def test_nothing_is_set(self, settings):
        """No dict, no destination."""
        assert "No store of activity is set up" in sentence(settings).sentence

    def test_wrong_settings_are_said_too(self, settings):
        """Whatever manage.py check says of them."""
        assert "No store" in sentence(settings, url="chdb:///x", read_timeout_seconds="soon").sentence
        settings.ACTIVITYLOG = 7
        with pytest.raises(UnreadableError, match="expected a dict"):
            read(lambda _client, _sent: None)

    def test_nobody_listens(self, settings):
        """At once."""
        found = sentence(settings, url="clickhouse://reader:hidden@127.0.0.1:1/activity")
        assert found.sentence == "The store of activity does not answer."
        assert "127.0.0.1:1" in found.reason
        assert "hidden" not in str(found)

    @pytest.mark.slow
    def test_somebody_listens_and_says_nothing(self, settings, silent):
        """For as long as is set, and not the five minutes of the driver."""
        began = time.monotonic()
        found = sentence(settings, url=silent, read_timeout_seconds=1)
        assert time.monotonic() - began < 4
        assert found.sentence == "The store of activity does not answer."
        assert "hidden" not in str(found)

    @pytest.mark.slow
    def test_a_question_takes_too_long(self, settings, server_url):
        """The engine ends it."""
        settings.ACTIVITYLOG = {"url": server_url, "read_timeout_seconds": 1}
        with pytest.raises(UnreadableError, match="took too long"):
            read(
                lambda client, sent: client.query(
                    "SELECT sum(sleepEachRow(0.5)) FROM numbers(60) SETTINGS max_block_size = 1",
                    settings=dict(sent),
                )
            )

    def test_there_are_no_tables(self, settings, server_url, chdb_client):
        """Before the first event, and before `schema apply`."""
        settings.ACTIVITYLOG = {"url": f"{server_url.rpartition('/')[0]}/{chdb_client.database}"}
        with pytest.raises(UnreadableError, match="has no tables yet"):
            read(lambda client, _sent: client.query("SELECT * FROM activity_events"))

    def test_there_is_no_database(self, settings, server_url):
        """Nobody has made it."""
        found = sentence(settings, url=f"{server_url.rpartition('/')[0]}/nowhere")
        assert found.sentence == "The store of activity does not answer."
        assert "no database 'nowhere'" in found.reason

    def test_another_process_has_it_open(self, settings, tmp_path):
        """The engine serves one at a time; says whose it is, to those who may know."""
        (tmp_path / "status").write_text("PID: 1\n")
        with (tmp_path / "status").open() as status:
            fcntl.flock(status, fcntl.LOCK_EX)
            found = sentence(settings, url=f"chdb://{tmp_path}")
        assert "open in another process" in found.sentence
        assert "activitylog serve" in found.reason

    @pytest.mark.parametrize(
        ("code", "expected"),
        [(497, "does not let this site read it"), (159, "took too long"), (241, "at the moment")],
    )
    def test_what_the_engine_refuses_is_a_sentence(self, settings, chdb_url, code, expected):
        """By the code of its error; grants and memory cannot be had here."""
        settings.ACTIVITYLOG = {"url": chdb_url}

        def refuse(_client: Any, _sent: Any) -> None:
            raise DatabaseError(f"Code: {code}. no\nStack trace", code=code)

        with pytest.raises(UnreadableError, match=expected) as raised:
            read(refuse)
        assert raised.value.reason == f"Code: {code}. no"

    def test_anything_else_is_a_sentence(self, settings, chdb_url):
        """Not a page of status 500."""
        settings.ACTIVITYLOG = {"url": chdb_url}

        def fail(_client: Any, _sent: Any) -> None:
            raise RuntimeError

        with pytest.raises(UnreadableError, match="cannot be read at the moment") as raised:
            read(fail)
        assert raised.value.reason == "RuntimeError"
