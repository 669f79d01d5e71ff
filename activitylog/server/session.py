"""
Sessions: ``session_id`` keeps a handle between requests, with its temporary tables, its SET and its USE.

As in ClickHouse a session serves one request at a time (a second one waits a little and is then refused with
SESSION_IS_LOCKED), ends when it was idle for ``session_timeout`` seconds (60, at most 3600), and
``session_check=1`` refuses to begin a new one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from activitylog.server.engine import Engine, Handle
from activitylog.server.errors import ServerError

DEFAULT_TIMEOUT_SECONDS = 60
MAX_TIMEOUT_SECONDS = 3600
MAX_SESSIONS = 1000
PATIENCE_SECONDS = 2.0


@dataclass(slots=True)
class _Session:
    handle: Handle
    timeout_seconds: float
    busy: bool = True
    idle_since: float = 0.0


class Sessions:
    """
    The sessions of one server.

    Args:
        engine: opens their handles.
        clock: seconds, monotonic.
        patience_seconds: how long a request waits for a session in use. A client that has the last byte of an
            answer may be quicker with its next request than we are with the end of this one.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], float] = time.monotonic,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._patience_seconds = patience_seconds
        self._released = threading.Condition()
        self._sessions: dict[str, _Session] = {}

    @contextmanager
    def use(self, parameters: Mapping[str, str]) -> Iterator[Handle]:
        """
        Have the handle of the request's session, or one for this request alone.

        Args:
            parameters: the request's ``session_id``, ``session_timeout``, ``session_check``, if given.

        Raises:
            ServerError: the session is in use, or missing under ``session_check=1``, or there are too many.
        """
        self.expire()
        name = parameters.get("session_id", "")
        if not name:
            handle = self._engine.open()
            try:
                yield handle
            finally:
                handle.close()
            return
        timeout = _timeout_seconds(parameters)
        session = self._take(name, timeout, must_exist=parameters.get("session_check") == "1")
        try:
            yield session.handle
        finally:
            self._release(name, session, ended=parameters.get("close_session") == "1")

    def expire(self) -> None:
        """Close the sessions that were idle for too long."""
        with self._released:
            now = self._clock()
            over = [
                name
                for name, session in self._sessions.items()
                if not session.busy and now - session.idle_since > session.timeout_seconds
            ]
            ended = [self._sessions.pop(name) for name in over]
        for session in ended:
            session.handle.close()

    def close(self) -> None:
        """Close all sessions that are not in use; those in use are closed by the engine's end."""
        with self._released:
            ended = [session for session in self._sessions.values() if not session.busy]
            self._sessions = {}
        for session in ended:
            session.handle.close()

    def _take(self, name: str, timeout: float, *, must_exist: bool) -> _Session:
        with self._released:
            self._released.wait_for(lambda: not self._is_busy(name), self._patience_seconds)
            session = self._sessions.get(name)
            if session is None:
                if must_exist:
                    raise ServerError(372, "Session not found")
                if len(self._sessions) >= MAX_SESSIONS:
                    raise ServerError(202, f"Too many sessions: the limit is {MAX_SESSIONS}; they end when idle")
                session = self._sessions[name] = _Session(self._engine.open(), timeout)
            elif session.busy:
                raise ServerError(373, f"Session {name} is locked by a concurrent client")
            session.busy, session.timeout_seconds = True, timeout
            return session

    def _is_busy(self, name: str) -> bool:
        session = self._sessions.get(name)
        return session is not None and session.busy

    def _release(self, name: str, session: _Session, *, ended: bool) -> None:
        with self._released:
            # Out of the list before anybody else can take it.
            if ended and self._sessions.get(name) is session:
                del self._sessions[name]
            session.idle_since, session.busy = self._clock(), False
            self._released.notify_all()
        if ended:
            session.handle.close()


def _timeout_seconds(parameters: Mapping[str, str]) -> float:
    given = parameters.get("session_timeout")
    if given is None:
        return DEFAULT_TIMEOUT_SECONDS
    if not given.isascii() or not given.isdigit():
        raise ServerError(374, f"Invalid session timeout: '{given}'")
    if int(given) > MAX_TIMEOUT_SECONDS:
        raise ServerError(
            374, f"Session timeout '{given}' is larger than the maximum of {MAX_TIMEOUT_SECONDS} seconds"
        )
    return int(given)
