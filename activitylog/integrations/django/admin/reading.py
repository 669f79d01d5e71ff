"""
Where the admin reads activity, how long it waits, and what it says where it cannot.

A client is opened for each page and closed after it. That costs a few short questions, and spares all else: a pool
to be renewed after a fork or an outage, and, of the embedded engine, a lock that this process would keep.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from activitylog.exceptions import ConfigurationError, StoreError, StoreLockedError, StoreUnavailableError
from activitylog.integrations.django import conf
from activitylog.integrations.django.admin.read_settings import read_timeout_seconds, read_url
from activitylog.url import DestinationURL

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_T = TypeVar("_T")
#: Until there is a connection; the driver tries twice.
_CONNECT_TIMEOUT_SECONDS: Final = 2

#: Codes of ClickHouse's errors, and what they mean to somebody in the admin.
_NO_TABLE: Final = frozenset({60, 81})
_TOO_SLOW: Final = frozenset({159, 160, 209})
_REFUSED: Final = frozenset({164, 192, 193, 194, 497, 516})


class UnreadableError(Exception):
    """
    The store cannot be read now.

    Attributes:
        sentence: for everybody.
        reason: with addresses, for those who may see them.
    """

    def __init__(self, sentence: str, reason: str) -> None:
        super().__init__(f"{sentence} {reason}")
        self.sentence = sentence
        self.reason = reason


def read(question: Callable[[Client, Mapping[str, Any]], _T]) -> _T:
    """
    Ask the store.

    Args:
        question: gets a client and the settings to be sent along.

    Raises:
        UnreadableError: it cannot be read, for whatever reason.
    """
    try:
        given = conf.given()
        seconds = math.ceil(read_timeout_seconds(given))
        return _ask(_impatient(read_url(given), seconds), seconds, question)
    except Exception as error:
        raise _unreadable(error) from error


def _ask(url: DestinationURL, seconds: int, question: Callable[[Client, Mapping[str, Any]], _T]) -> _T:
    from activitylog.store import connect

    client = connect(url)
    try:
        limit = client.server_settings.get("max_execution_time")
        fixed = limit is not None and limit.readonly
        return question(client, {} if fixed else {"max_execution_time": seconds})
    finally:
        client.close()


def _impatient(url: DestinationURL, seconds: int) -> DestinationURL:
    if url.kind != "clickhouse":
        return url
    # A second more: the server's own limit comes first, and says what it is.
    waits = {
        "connect_timeout": str(min(seconds, _CONNECT_TIMEOUT_SECONDS)),
        "send_receive_timeout": str(seconds + 1),
    }
    return replace(url, options={**url.options, **waits})


def _unreadable(error: Exception) -> UnreadableError:
    return UnreadableError(_sentence(error), str(error).splitlines()[0] if str(error) else type(error).__name__)


def _sentence(error: Exception) -> str:
    code = getattr(error, "code", None)
    if isinstance(error, StoreLockedError):
        return "The store of activity is open in another process, and only one at a time can read it."
    if isinstance(error, StoreUnavailableError):
        return "The store of activity does not answer."
    if code in _NO_TABLE:
        return "The store of activity has no tables yet."
    if code in _TOO_SLOW or _timed_out(error):
        return "The store of activity took too long to answer."
    if code in _REFUSED:
        return "The store of activity does not let this site read it."
    if isinstance(error, (ConfigurationError, StoreError)):
        return "No store of activity is set up that this site can read."
    return "The store of activity cannot be read at the moment."


def _timed_out(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, TimeoutError) or "timed out" in str(error):
            return True
        error = error.__cause__
    return False
