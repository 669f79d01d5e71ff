"""
One at a time, across processes and machines: claims that expire, and what their holders have begun.

A claim is a history in ``activity_claims``; its row with the highest number says who has it, until when, and what
was begun. Whoever takes, renews or gives back the claim writes the next number, and the number is the
deduplication token of that insert. Of several who write one number the engine keeps the first (on Replicated
engines Keeper does, however far behind a replica may be); the others do not find their row, and have not got it.
This works on every engine that the store runs on, needs no right but to insert and to read, and nothing has to be
let go of by a process that was killed:

- Times are the server's: a row holds for some seconds after it was written. A holder renews before they are over.
- Who was killed is succeeded when they are over. The next holder inherits what was begun, row by row, until it was
  found to be right.
- Who was only paused learns that it has lost the claim when it renews. Until then :data:`BEGUN`, as a condition in
  a statement, keeps the statement from doing anything.
- A statement that was sent may still run when its sender is gone. So it says how long it may take at most, and the
  claim is renewed for as long before; who does not know whether a statement has ended does not give the claim
  back.

On a cluster the servers' clocks must agree to a few seconds. Where the only replica that had the newest row was
lost for good, nobody can write its number again until the engine's memory for tokens has passed (a week).
"""

from __future__ import annotations

import datetime as dt
import os
import random
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from activitylog.exceptions import SchemaError, StoreBusyError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

CLAIMS_TABLE: Final = "activity_claims"
#: Who changes the roll-ups so that they say what the rows say.
ROLLUPS: Final = "rollups"
#: For how long a claim holds that is not renewed, besides the time of the statement that it was renewed for.
LEASE_SECONDS = 20.0

_UNTIL: Final = "At + toIntervalMillisecond(toUInt64(1000 * Seconds))"
#: In a statement: what its sender has begun of the roll-up {target:String}, as far as the claim is still its own
#: and holds until the statement has ended, at most {bound:UInt32} seconds from now. Else nothing.
BEGUN: Final = f"""
(
    SELECT arrayFilter(
        begun -> begun.1 = {{target:String}} AND Holder = {{holder:String}}
            AND now64(3) + toIntervalSecond({{bound:UInt32}}) <= {_UNTIL},
        Begun)
    FROM {CLAIMS_TABLE} WHERE Name = {{claim:String}} ORDER BY Number DESC, At LIMIT 1
)"""  # noqa: S608 - a name of ours

_READ: Final = f"""
SELECT
    Number, Holder, Who, At, {_UNTIL} AS until,
    multiIf(Seconds = 0, 'free', until <= now64(3), 'expired', 'held') AS state, Begun
FROM {CLAIMS_TABLE} WHERE Name = {{name:String}} ORDER BY Number DESC, At LIMIT 1
"""  # noqa: S608 - a name of ours
_COLUMNS: Final = {
    "Name": "LowCardinality(String)",
    "Number": "UInt64",
    "Holder": "String",
    "Who": "String",
    "Seconds": "Float64",
    "Begun": "Array(Tuple(String, Date, UInt64))",
}
_UNKNOWN_TABLE: Final = 60
_POLL_SECONDS: Final = 0.1
#: How often is looked for a row that was just written: behind a balancer the answer may be another replica's.
_LOOKS: Final = 5


@dataclass(frozen=True, slots=True)
class Begun:
    """
    A day of a roll-up whose repair was begun: until it is found right, it may count rows twice.

    Attributes:
        target: the roll-up's table.
        rows: of that day, as far as the roll-up counts them, when it was looked at last.
    """

    target: str
    day: dt.date
    rows: int


@dataclass(frozen=True, slots=True)
class Claim:
    """
    A claim as it stands.

    Attributes:
        number: of the row that says so; 0 where nobody ever had it.
        holder: random, another one each time that it is taken.
        who: the process that has it, or had it last, for people.
        since: when that row was written, in UTC.
        until: when it expires, unless it is renewed.
        state: ``free``: given back. ``expired``: its holder was killed, or is cut off from the store.
        begun: what may not be right yet.
    """

    number: int
    holder: str
    who: str
    since: dt.datetime
    until: dt.datetime
    state: str
    begun: tuple[Begun, ...]

    def __str__(self) -> str:
        return f"{self.who}, unless it is silent until {self.until:%H:%M:%S} UTC"


_NEVER: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_UNCLAIMED: Final = Claim(0, "", "", _NEVER, _NEVER, "free", ())


@dataclass(frozen=True, slots=True)
class Patience:
    """
    How somebody waits for a claim.

    Attributes:
        seconds: for so long.
        waiting: told whom for, once a holder.
        wanted: whether there is still something to wait for; asked again and again.
    """

    seconds: float = 600.0
    waiting: Callable[[Claim], object] = lambda _: None
    wanted: Callable[[], bool] = lambda: True


class LostClaimError(Exception):
    """Another one has the claim by now: its holder was silent for too long."""


def current(client: Client, name: str) -> Claim:
    """
    A claim as it stands, by the server's clock. Only reads.

    Raises:
        SchemaError: the database lacks the table of claims.
    """
    from clickhouse_connect.driver.exceptions import DatabaseError

    try:
        rows = client.query(_READ, parameters={"name": name}, tz_mode="aware").result_rows
    except DatabaseError as error:
        if error.code != _UNKNOWN_TABLE:
            raise
        raise SchemaError(
            f"The database has no table {CLAIMS_TABLE}.", hint="Run: activitylog schema apply --url URL."
        ) from error
    if not rows:
        return _UNCLAIMED
    number, holder, who, since, until, state, begun = rows[0]
    return Claim(number, holder, who, since, until, state, tuple(Begun(*one) for one in begun))


def take(client: Client, name: str, patience: Patience) -> Hold | None:
    """
    Take a claim as soon as it is free or expired.

    Returns:
        The claim, to be used as a context manager; None when it is not wanted any more.

    Raises:
        StoreBusyError: somebody else still has it when patience ends; says who.
        SchemaError: the database lacks the table of claims.
    """
    deadline = time.monotonic() + patience.seconds
    told = ""
    while patience.wanted():
        claim = current(client, name)
        if claim.state != "held":
            hold = Hold(client, name, claim)
            try:
                hold.renew()
            except LostClaimError:
                pass
            else:
                return hold
        elif claim.holder != told:
            told = claim.holder
            patience.waiting(claim)
        if time.monotonic() >= deadline:
            raise _busy(name, claim)
        time.sleep(random.uniform(0.5, 1.5) * _POLL_SECONDS)  # noqa: S311 - so that many fall out of step
    return None


def _busy(name: str, claim: Claim) -> StoreBusyError:
    if claim.state != "held":
        return StoreBusyError(
            f"The claim {name!r} is free, and cannot be taken: its newest row is not seen here.",
            hint="This server's replica is behind, or others are faster. See: activitylog doctor --url URL.",
        )
    return StoreBusyError(
        f"The {name} are being repaired by {claim}.", hint="Let it end, or run this again later."
    )


class Hold:
    """
    A claim that this process has. Leaving the ``with`` block gives it back, with what was begun and not settled.

    Attributes:
        begun: what may not be right yet; of holders before this one, too.
    """

    def __init__(self, client: Client, name: str, before: Claim) -> None:
        self._client = client
        self._name = name
        self._number = before.number
        self._holder = secrets.token_hex(8)
        self._in_doubt = False
        self._renewed = 0.0
        self.begun = before.begun

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._in_doubt or kind is LostClaimError:
            return  # it expires
        try:
            self._write(0)
        except Exception:
            # The error that ended the block is the one to tell; a claim that is not given back expires.
            if error is None:
                raise

    def renew(self, begun: Iterable[Begun] | None = None, *, seconds: float = 0.0) -> None:
        """
        Have the claim for another lease.

        Args:
            begun: from now on; by default as before.
            seconds: besides the lease, for a statement.

        Raises:
            LostClaimError: somebody else has taken it.
        """
        if begun is not None:
            self.begun = tuple(begun)
        self._renewed = time.monotonic()
        if not self._write(LEASE_SECONDS + seconds):
            raise LostClaimError

    def keep(self) -> None:
        """As :meth:`renew`, when a third of the lease is over: to be called again and again where one waits."""
        if time.monotonic() - self._renewed > LEASE_SECONDS / 3:
            self.renew()

    @contextmanager
    def statement(self, target: str, seconds: int) -> Iterator[Mapping[str, Any]]:
        """
        Have the claim for one statement, which is sent in the ``with`` block and says :data:`BEGUN`.

        Args:
            seconds: the statement's ``max_execution_time``.

        Yields:
            The parameters of :data:`BEGUN`.
        """
        from clickhouse_connect.driver.exceptions import DatabaseError

        self.renew(seconds=seconds)
        self._in_doubt = True
        try:
            yield {"claim": self._name, "holder": self._holder, "target": target, "bound": seconds}
        except DatabaseError as error:
            # An error of the server's own says that it has ended; a broken connection does not.
            self._in_doubt = error.code is None
            raise
        self._in_doubt = False

    @property
    def token(self) -> str:
        """A text that no other statement of anybody has, as long as the claim is not renewed."""
        return f"{self._name}:{self._holder}:{self._number}"

    def _write(self, seconds: float) -> bool:
        """Write the next row; whether it is this holder's, and not somebody else's who was faster."""
        number = self._number + 1
        begun = [(one.target, one.day, one.rows) for one in self.begun]
        self._client.insert(
            CLAIMS_TABLE,
            [[self._name, number, self._holder, _who(), seconds, begun]],
            column_names=list(_COLUMNS),
            column_type_names=list(_COLUMNS.values()),
            settings={
                "async_insert": 0,
                "insert_deduplicate": 1,
                "insert_deduplication_token": f"claim:{self._name}:{number}",
            },
        )
        for _ in range(_LOOKS):
            claim = current(self._client, self._name)
            if claim.number >= number:
                break
            time.sleep(_POLL_SECONDS)
        self._number = number
        return claim.number == number and claim.holder == self._holder


def _who() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"
