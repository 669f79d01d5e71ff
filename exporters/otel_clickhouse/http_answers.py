"""
What the driver does not tell of an answer: who gave it, what was in it, and when to come again.

For the driver an insert has succeeded when the status is 200 to 299 and no header says otherwise. But a login page
has that status, too, and so has what a proxy says of a server that is away; then nothing is stored. ClickHouse
names the query in a header, and has nothing to say of an insert that succeeded: that is looked at here.
"""

from __future__ import annotations

import math
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from otel_clickhouse.dsn import DSN
from otel_clickhouse.exceptions import RetryableError
from otel_clickhouse.translation import NOT_CLICKHOUSE, one_line

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_QUERY_ID: Final = "X-ClickHouse-Query-Id"
_LONGEST_WAIT_SECONDS: Final = 3600.0


class HTTPAnswers:
    """
    Keeps the last answer that came over a connection pool.

    Args:
        pool: the driver's; from now on each request goes through here.
    """

    def __init__(self, pool: Any) -> None:
        self._request = pool.request
        self._last: BaseHTTPResponse | None = None
        pool.request = self._remembering

    def _remembering(self, *args: Any, **kwargs: Any) -> Any:
        self._last = None
        self._last = self._request(*args, **kwargs)
        return self._last

    def check_insert(self, dsn: DSN) -> None:
        """
        Look whether the last answer is that of a ClickHouse that has stored something.

        Raises:
            RetryableError: it is not; nobody knows whether anything is stored.
        """
        answer = self._last
        if answer is None:
            return
        words = self.text().strip()
        if words or not answer.headers.get(_QUERY_ID):
            raise RetryableError(
                f"{dsn}: an insert was answered by somebody else, status {answer.status}: {one_line(words, dsn)}",
                hint=NOT_CLICKHOUSE,
                code="not_clickhouse",
            )

    def text(self) -> str:
        """All that the last answer says."""
        return "" if self._last is None else self._last.data.decode("utf-8", "replace")

    def retry_after_seconds(self) -> float | None:
        """What the last answer says in ``Retry-After``, an hour at most; None where it says nothing of use."""
        answer = self._last
        return None if answer is None else retry_after(answer.headers.get("Retry-After", ""))


def retry_after(text: str, *, now: float | None = None) -> float | None:
    """
    Seconds to wait, from a ``Retry-After`` header (RFC 9110, 10.2.3): a number of seconds, or a date.

    Args:
        now: seconds since the epoch.

    Returns:
        From 0 to an hour; None where the text is neither.
    """
    try:
        seconds = (
            float(text)
            if text.isascii() and text.strip().isdigit()
            else _until(text, time.time() if now is None else now)
        )
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS) if math.isfinite(seconds) else None


def _until(date: str, now: float) -> float:
    return parsedate_to_datetime(date).timestamp() - now
