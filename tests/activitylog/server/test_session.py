"""Sessions: what they keep, whom they serve, when they end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from activitylog.server import session as sessions_module
from activitylog.server.engine import Engine
from activitylog.server.errors import ServerError
from activitylog.server.opening import engine_path
from activitylog.server.session import Sessions
from tests.activitylog.server.conftest import Http


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(open_store: str, clock: Clock) -> Iterator[Sessions]:
    engine = Engine(engine_path(open_store))
    kept = Sessions(engine, clock, patience_seconds=0.05)
    yield kept
    kept.close()
    engine.close()


def code_of(sessions: Sessions, **parameters: str) -> int:
    with pytest.raises(ServerError) as caught, sessions.use(parameters):
        pass
    return caught.value.code


class TestHandles:
    def test_without_a_session_nothing_is_kept(self, sessions: Sessions):
        """Two requests have nothing in common."""
        with sessions.use({}) as handle:
            handle.run("SET max_threads = 7")
            handle.run("CREATE TEMPORARY TABLE t AS SELECT 1 AS a")
        with sessions.use({}) as handle:
            assert handle.run("SELECT getSetting('max_threads') = 7")[0] == b"0\n"
            with pytest.raises(ServerError, match="Unknown table"):
                handle.run("SELECT a FROM t")

    def test_a_session_keeps_its_handle(self, sessions: Sessions):
        """Settings and temporary tables stay for the next request of the session, and for no other."""
        with sessions.use({"session_id": "one"}) as handle:
            handle.run("SET max_threads = 7")
            handle.run("CREATE TEMPORARY TABLE t AS SELECT 1 AS a")
        with sessions.use({"session_id": "one"}) as handle:
            assert handle.run("SELECT a, getSetting('max_threads') FROM t")[0] == b"1\t7\n"
        with sessions.use({"session_id": "two"}) as handle, pytest.raises(ServerError, match="Unknown table"):
            handle.run("SELECT a FROM t")

    def test_one_request_at_a_time(self, sessions: Sessions):
        """A second request of a busy session is refused after a little patience: 373."""
        with sessions.use({"session_id": "one"}):
            assert code_of(sessions, session_id="one") == 373
        with sessions.use({"session_id": "one"}):
            pass

    def test_a_request_waits_for_the_one_before_it(self, open_store: str, clock: Clock):
        """A client that is quicker than the end of its last request is served, not refused."""
        engine = Engine(engine_path(open_store))
        patient = Sessions(engine, clock, patience_seconds=30)
        inside, leave = threading.Event(), threading.Event()

        def first() -> None:
            with patient.use({"session_id": "one"}):
                inside.set()
                leave.wait(30)

        thread = threading.Thread(target=first)
        thread.start()
        assert inside.wait(10)
        threading.Timer(0.05, leave.set).start()
        with patient.use({"session_id": "one"}):
            assert leave.is_set()
        thread.join(10)
        patient.close()
        engine.close()

    def test_a_failed_request_frees_the_session(self, sessions: Sessions):
        """An error leaves the session to the next request."""
        with pytest.raises(ServerError), sessions.use({"session_id": "one"}) as handle:
            handle.run("SELEC 1")
        with sessions.use({"session_id": "one"}) as handle:
            assert handle.run("SELECT 1")[0] == b"1\n"


class TestEnd:
    def test_idle_sessions_end(self, sessions: Sessions, clock: Clock):
        """After session_timeout seconds without a request a session is gone."""
        parameters = {"session_id": "one", "session_timeout": "10"}
        with sessions.use(parameters) as handle:
            handle.run("CREATE TEMPORARY TABLE t AS SELECT 1 AS a")
        clock.now = 10
        with sessions.use({**parameters, "session_check": "1"}) as handle:
            assert handle.run("SELECT a FROM t")[0] == b"1\n"
        clock.now = 21
        assert code_of(sessions, session_id="one", session_check="1") == 372

    def test_a_busy_session_does_not_end(self, sessions: Sessions, clock: Clock):
        """A query that runs for longer than the timeout keeps its handle."""
        with sessions.use({"session_id": "one", "session_timeout": "1"}) as handle:
            clock.now = 100
            sessions.expire()
            assert handle.run("SELECT 1")[0] == b"1\n"

    def test_close_session(self, sessions: Sessions):
        """close_session=1 ends it with the request."""
        with sessions.use({"session_id": "one", "close_session": "1"}):
            pass
        assert code_of(sessions, session_id="one", session_check="1") == 372

    @pytest.mark.parametrize("timeout", ["3601", "-1", "x", "", "1.5"])
    def test_timeouts_that_cannot_be(self, sessions: Sessions, timeout: str):
        """At most an hour, in whole seconds: 374."""
        assert code_of(sessions, session_id="one", session_timeout=timeout) == 374

    def test_there_is_a_limit(self, sessions: Sessions, monkeypatch: pytest.MonkeyPatch):
        """Sessions are bounded; the error says so, and idle ones make room."""
        monkeypatch.setattr(sessions_module, "MAX_SESSIONS", 2)
        for name in ("one", "two"):
            with sessions.use({"session_id": name}):
                pass
        assert code_of(sessions, session_id="three") == 202


class TestThroughTheSocket:
    def test_settings_and_database_of_a_request_stay_with_it(self, http_request: Http):
        """In a session, what the URL sets holds for one request; what SET and USE set holds for the next, too."""
        ask = "SELECT currentDatabase(), getSetting('max_block_size'), getSetting('max_threads')"
        session = Http(http_request.server, "default")
        session("SET max_threads = 3", session_id="s")
        session(f"USE {http_request.database}", session_id="s")
        within = session(ask, session_id="s", max_block_size="77", max_threads="2").text.split()
        assert within == ["default", "77", "2"]
        with closing(http_request.connection()) as connection:
            connection.request("POST", "/?session_id=s", ask)
            assert connection.getresponse().read().decode().split()[::2] == [http_request.database, "3"]
