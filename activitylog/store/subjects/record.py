"""
The record of erasures: that one was done, when, of what kind, how much it took and why; never of whom.

A row when it begins, one when it is finished. While it is not finished the person is still in the store, so the
row of the beginning may hold a salted digest of the subject: run again after a crash, the erasure finds its own
beginning and completes that record. Then the rows of the beginning are deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from activitylog._version import __version__
from activitylog.exceptions import ConfigurationError
from activitylog.store.servers import Servers
from activitylog.store.subjects.mutations import remove_inactive, rewrite
from activitylog.store.subjects.subject import Kind, Subject

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

ERASURES_TABLE: Final = "activity_erasures"
_LONGEST_REASON: Final = 1000
_COLUMNS: Final = (
    "Erasure", "State", "At", "BegunAt", "Kind", "Mentions", "TableRows", "ArchiveFiles", "ArchiveRows", "Reason",
    "Version", "Salt", "Digest",
)  # fmt: skip
_READ: Final = f"SELECT {', '.join(_COLUMNS)} FROM {ERASURES_TABLE} ORDER BY BegunAt, Erasure, At"  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """
    One erasure, as the store remembers it.

    Attributes:
        id: random.
        state: ``begun`` until it is proved that nothing is left.
        begun_at: of the first run.
        finished_at: None until then.
        kind: of the subject.
        mentions: what happened to rows that only mentioned the subject.
        table_rows: rows by table; of an erasure in several runs what the run that found most has found.
        archive_files: files of archives that were rewritten.
        archive_rows: rows that went from them.
        reason: the operator's words.
        version: of activitylog.
    """

    id: uuid.UUID
    state: Literal["begun", "finished"]
    begun_at: datetime
    finished_at: datetime | None
    kind: Kind
    mentions: str
    table_rows: Mapping[str, int]
    archive_files: int
    archive_rows: int
    reason: str
    version: str


def erasures(client: Client) -> list[Erasure]:
    """All erasures, the oldest first."""
    found: dict[uuid.UUID, Erasure] = {}
    for row in _rows(client):
        known = found.get(row["Erasure"])
        found[row["Erasure"]] = _merged(known, _erasure(row)) if known else _erasure(row)
    return list(found.values())


def finished_since(client: Client, moment: datetime) -> int:
    """How many erasures were finished after a moment (with a zone); an archive of then may hold what they took."""
    return sum(1 for erasure in erasures(client) if erasure.finished_at and erasure.finished_at > moment)


def check_reason(reason: str, subject: Subject) -> None:
    """
    Make sure that a reason does not say whom it is about.

    Raises:
        ConfigurationError: it names the subject, or is longer than 1,000 characters.
    """
    if subject.named_in(reason):
        raise ConfigurationError(
            "The reason names the subject, and it is kept.", hint="Name the request instead: its number, its date."
        )
    if len(reason) > _LONGEST_REASON:
        raise ConfigurationError(
            f"The reason has {len(reason):,} characters.", hint=f"At most {_LONGEST_REASON:,} are kept."
        )


def unfinished(client: Client, subject: Subject) -> Erasure | None:
    """The subject's erasure that was begun and not finished, if there is one."""
    ours = [
        _erasure(row)
        for row in _rows(client)
        if row["State"] == "begun" and _digest(subject, row["Salt"]) == row["Digest"]
    ]
    if not ours:
        return None
    latest = next(erasure for erasure in erasures(client) if erasure.id == ours[-1].id)
    return latest if latest.state == "begun" else None


def begin(client: Client, subject: Subject, found: Erasure | None, **facts: Any) -> Erasure:
    """
    Record that an erasure begins, or goes on.

    Args:
        found: of :func:`unfinished`.
        facts: mentions, table_rows, archive_files, archive_rows and reason, as in :class:`Erasure`.
    """
    now = _now()
    begun = Erasure(
        id=found.id if found else uuid.uuid4(),
        state="begun",
        begun_at=found.begun_at if found else now,
        finished_at=None,
        kind=subject.kind,
        version=__version__,
        **facts,
    )
    salt = os.urandom(16).hex()
    _insert(client, begun, now, salt, _digest(subject, salt))
    return _merged(found, begun) if found else begun


def finish(reached: Servers, begun: Erasure) -> Erasure:
    """Record that an erasure is finished, and forget on all servers by what it could be recognised."""
    now = _now()
    finished = replace(begun, state="finished", finished_at=now)
    _insert(reached.every[0].client, finished, now, "", "")
    _forget(reached, begun.id)
    for server in reached.every:
        remove_inactive(server, [ERASURES_TABLE])
    return finished


def forget_beginnings(reached: Servers) -> None:
    """Delete beginnings of finished erasures that a crash has left."""
    rows = _rows(reached.every[0].client)
    done = {row["Erasure"] for row in rows if row["State"] == "finished"}
    for left in {row["Erasure"] for row in rows if row["State"] == "begun"} & done:
        _forget(reached, left)


def _forget(reached: Servers, erasure: uuid.UUID) -> None:
    mark = f"Erasure = '{erasure}'"
    rewrite(reached.every, ERASURES_TABLE, f"DELETE WHERE {mark} AND State = 'begun'", mark=mark)


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _digest(subject: Subject, salt: str) -> str:
    text = json.dumps([salt, subject.kind, subject.type, subject.id, subject.tenant])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _rows(client: Client) -> list[dict[str, Any]]:
    return [dict(zip(_COLUMNS, row, strict=True)) for row in client.query(_READ, tz_mode="aware").result_rows]


def _erasure(row: Mapping[str, Any]) -> Erasure:
    done = row["State"] == "finished"
    return Erasure(
        id=row["Erasure"],
        state="finished" if done else "begun",
        begun_at=row["BegunAt"],
        finished_at=row["At"] if done else None,
        kind=row["Kind"],
        mentions=row["Mentions"],
        table_rows=dict(row["TableRows"]),
        archive_files=row["ArchiveFiles"],
        archive_rows=row["ArchiveRows"],
        reason=row["Reason"],
        version=row["Version"],
    )


def _merged(one: Erasure, other: Erasure) -> Erasure:
    """Two rows of one erasure: the finished one says it all; of two beginnings the larger numbers."""
    if "finished" in (one.state, other.state):
        return one if one.state == "finished" else other
    tables = sorted({*one.table_rows, *other.table_rows})
    return replace(
        other,
        table_rows={name: max(one.table_rows.get(name, 0), other.table_rows.get(name, 0)) for name in tables},
        archive_files=max(one.archive_files, other.archive_files),
        archive_rows=max(one.archive_rows, other.archive_rows),
        reason=other.reason or one.reason,
    )


def _insert(client: Client, erasure: Erasure, at: datetime, salt: str, digest: str) -> None:
    row = [
        erasure.id, erasure.state, at, erasure.begun_at, erasure.kind, erasure.mentions, dict(erasure.table_rows),
        erasure.archive_files, erasure.archive_rows, erasure.reason, erasure.version, salt, digest,
    ]  # fmt: skip
    client.insert(ERASURES_TABLE, [row], column_names=_COLUMNS, settings={"async_insert": 0})
