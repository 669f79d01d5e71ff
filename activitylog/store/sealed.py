"""
Whether the stored events are those that were sealed: reads the rows, and makes the hashes again.

What the result means, and what it does not prove, is told in :mod:`activitylog.seals`.

An attribute may be in the map ``Attributes`` though it has a column of its own: ``007`` is there beside the
column's 7, ``70000`` beside an ``HttpStatus`` of 0, ``user.id`` and ``activity.actor.id`` where an event has both.
The hash is over the texts, where the map wins; queries read the columns. So a column also has to hold what both
ways in make of the text, or the event was changed.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as BinasciiError
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any, Final
from uuid import UUID

from activitylog.event import FIELDS, Field
from activitylog.seals import MAX_EVENTS, NOTHING, SEAL_EVENT_NAME, chain_of, leaf_of
from activitylog.seals.checkpoint import Checkpoint, Piece
from activitylog.seals.leaf import GENESIS, LEAF_BYTES
from activitylog.store.columns import EVENTS_TABLE

#: Examples of each finding that are kept; all are counted.
_EXAMPLES: Final = 20

_ACTOR_COLUMNS: Final = ("ActorType", "ActorId")
#: Attributes whose columns are nobody else's, by name, and those columns.
_TYPED: Final = {
    field.attribute: (field, field.column)
    for field in FIELDS
    if field.column and field.column not in _ACTOR_COLUMNS
}
_COLUMNS: Final = ", ".join((*_ACTOR_COLUMNS, *(column for _, column in _TYPED.values())))
_WHOLE: Final = re.compile(r"[0-9]{1,20}").fullmatch
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?", re.IGNORECASE).fullmatch
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}", re.IGNORECASE).fullmatch

_SEALS: Final = f"""
SELECT Producer, Seq, toUnixTimestamp64Nano(Timestamp) AS ns, LogAttributes AS attributes
FROM {EVENTS_TABLE}
WHERE EventName = {{name:String}}
ORDER BY Producer, Seq
"""  # noqa: S608 - a constant name
_ROWS: Final = f"""
SELECT EventName, toUnixTimestamp64Nano(Timestamp) AS ns, SeverityNumber, Body, TraceId, SpanId, LogAttributes,
    arrayIntersect(mapKeys(Attributes), {{typed:Array(String)}}) AS beside,
    arrayUniq(mapKeys(Attributes)) = length(Attributes) AS has_each_key_once, {_COLUMNS}
FROM {EVENTS_TABLE}
WHERE Producer = {{producer:String}} AND Seq BETWEEN {{first:UInt64}} AND {{last:UInt64}}
"""  # noqa: S608
_TAILS: Final = f"""
SELECT Producer, max(Seq) AS newest, countIf(Seq = 0) AS unnumbered
FROM {EVENTS_TABLE}
WHERE Producer != ''
GROUP BY Producer
"""  # noqa: S608
_BEFORE: Final = f"""
SELECT count()
FROM {EVENTS_TABLE}
WHERE Producer = {{producer:String}} AND Seq > 0 AND Seq < {{first:UInt64}}
"""  # noqa: S608


@dataclass(slots=True)
class SealedProducer:
    """
    What was found of one producer.

    Attributes:
        seals: how many there are.
        sealed: last number that a seal covers; 0 without one.
        chain: the hash of the last seal, hexadecimal.
        newest: the largest number of its events.
        begins: number with which it begins: 1, unless retention or an archive may have taken what was before.
        before: events with smaller numbers that are there all the same, about which nothing is proved.
        unprovable: what a checkpoint has of it and nobody can compare any more, in words; empty without.
        intact: events that are as they were sealed.
        changed, missing, added: numbers of events that are not, 0 for one without a number; the first twenty.
        counts: of changed, missing and added ones, how many there are in all.
        remade: first and last numbers of seals that are not there, and were made again of their events.
        holes: first and last numbers that are in no seal, though later ones are: seals were lost, or taken out.
        pieces: runs of seals that are there: what a checkpoint says of it.
        broken: what is wrong with the seals themselves, in words.
    """

    producer: str
    seals: int = 0
    sealed: int = 0
    chain: str = ""
    newest: int = 0
    begins: int = 1
    before: int = 0
    unprovable: str = ""
    intact: int = 0
    changed: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    added: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    remade: list[tuple[int, int]] = field(default_factory=list)
    holes: list[tuple[int, int]] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def unsealed(self) -> int:
        """Numbers behind the last seal, about which nothing is proved."""
        return max(0, self.newest - self.sealed)

    @property
    def is_intact(self) -> bool:
        """Whether everything that seals cover is as it was, from its beginning on."""
        return not (self.broken or self.holes or any(self.counts.values()))

    @property
    def is_forged(self) -> bool:
        """Whether something was put in, changed or broken, which no erasure, retention or loss does."""
        return bool(self.broken or self.changed or self.added)

    def note(self, what: str, number: int, events: int = 1) -> None:
        """Events are not as they were sealed."""
        self.counts[what] += events
        examples: list[int] = getattr(self, what)
        if len(examples) < _EXAMPLES:
            examples.append(number)


@dataclass(frozen=True, slots=True)
class _Seal:
    first: int
    last: int
    previous: bytes
    chain: bytes
    leaves: bytes
    time: datetime

    def leaf(self, number: int) -> bytes:
        start = (number - self.first) * LEAF_BYTES
        return self.leaves[start : start + LEAF_BYTES]


def verify_seals(
    client: Any,
    checkpoint: Checkpoint | None = None,
    *,
    may_have_begun_earlier: Callable[[datetime], bool] = lambda _: False,
) -> list[SealedProducer]:
    """
    Check everything that seals cover.

    Args:
        client: of clickhouse-connect.
        checkpoint: of an earlier time; its chains must be found again.
        may_have_begun_earlier: whether all that a producer wrote before its oldest row, of this time, may have
            left on purpose (:func:`activitylog.queries.removals.may_have_begun_earlier`). By default nothing has.

    Returns:
        Each producer that has a seal, or is in the checkpoint, by name.
    """
    found: dict[str, SealedProducer] = {}
    chains: dict[str, dict[int, str]] = defaultdict(dict)
    begins: dict[str, int] = {}
    for producer, seal in _seals(client, found):
        state, explained = found[producer], may_have_begun_earlier(seal.time)
        if state.seals == 0 and seal.first > 1 and explained and not state.broken:
            _begin(client, state, seal)
            begins[producer] = seal.first
            chains[producer][seal.first - 1] = seal.previous.hex()
        if (lost := _remade(client, state, seal)) is not None:
            state.remade.append((lost.first, lost.last))
            state.sealed, state.chain = lost.last, lost.chain.hex()
            _compare(client, state, lost, may_begin_here=False)
            chains[producer][lost.last] = state.chain
        _follow(state, seal)
        _compare(client, state, seal, may_begin_here=explained)
        chains[producer][seal.last] = seal.chain.hex()
    there = set()
    for producer, newest, unnumbered in client.query(_TAILS).result_rows:
        there.add(producer)
        if producer in found:
            found[producer].newest = newest
            if unnumbered:
                found[producer].note("added", 0, unnumbered)
    if checkpoint is not None:
        ended = may_have_begun_earlier(_time_of(checkpoint))
        for producer, piece in checkpoint.pieces():
            state = found.setdefault(producer, SealedProducer(producer))
            has_left = piece.last < begins.get(producer, 0) - 1 or (ended and producer not in there)
            _hold_against(state, piece, checkpoint.time, chain=chains[producer].get(piece.last), has_left=has_left)
    return sorted(found.values(), key=lambda state: state.producer)


def _hold_against(state: SealedProducer, piece: Piece, time: str, *, chain: str | None, has_left: bool) -> None:
    """
    Compare what is there with a run of seals that a checkpoint has.

    Args:
        time: of the checkpoint.
        chain: what is there at the end of the run.
        has_left: the run may have left on purpose.
    """
    state.broken += [
        f"the seals of {first} to {last} were there at the checkpoint of {time}"
        for first, last in _common(state.holes, piece)
    ]
    if chain == piece.chain:
        return
    if has_left:
        state.unprovable = f"what the checkpoint of {time} has of it, up to {piece.last}, is not here"
    else:
        state.broken.append(f"the checkpoint of {time} has another chain at {piece.last}")


def _time_of(checkpoint: Checkpoint) -> datetime:
    """When it was signed; where it does not say so readably, a time before which nothing has left."""
    try:
        time = datetime.fromisoformat(checkpoint.time)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def chains_of(producers: list[SealedProducer]) -> Mapping[str, Sequence[Piece]]:
    """What a checkpoint says of them."""
    return {state.producer: state.pieces for state in producers if state.pieces}


def _seals(client: Any, found: dict[str, SealedProducer]) -> Iterator[tuple[str, _Seal]]:
    rows = client.query(_SEALS, parameters={"name": SEAL_EVENT_NAME}).result_rows
    for producer, number, ns, attributes in rows:
        state = found.setdefault(producer, SealedProducer(producer))
        seal = _parsed(attributes, ns)
        if seal is None:
            state.broken.append(f"the seal with number {number} cannot be read")
        else:
            yield producer, seal


def _parsed(attributes: Mapping[str, str], ns: int) -> _Seal | None:
    def get(name: str) -> str:
        return attributes.get(f"activity.seal.{name}", "")

    try:
        first, last = int(get("first")), int(get("last"))
        leaves = b64decode(get("leaves"), validate=True)
        time = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=ns // 1_000)
        seal = _Seal(first, last, bytes.fromhex(get("previous")), bytes.fromhex(get("chain")), leaves, time)
    except (ValueError, BinasciiError):
        return None
    return seal if len(leaves) == (last - first + 1) * LEAF_BYTES else None


def _begin(client: Any, state: SealedProducer, seal: _Seal) -> None:
    """Take a seal for the first one that is left: it says itself what was before."""
    state.begins, state.sealed, state.chain = seal.first, seal.first - 1, seal.previous.hex()
    parameters = {"producer": state.producer, "first": seal.first}
    ((state.before,),) = client.query(_BEFORE, parameters=parameters).result_rows


def _follow(state: SealedProducer, seal: _Seal) -> None:
    """Whether a seal comes right behind the one before."""
    first, follows = seal.first, seal.previous == _end(state)
    if first > state.sealed + 1 and not follows:
        state.holes.append((state.sealed + 1, first - 1))
    elif first != state.sealed + 1 or not follows:
        state.broken.append(f"the seal of {first} to {seal.last} does not follow the one before")
    if chain_of(seal.previous, state.producer, seal.first, seal.last, seal.leaves) != seal.chain:
        state.broken.append(f"the seal of {seal.first} to {seal.last} was changed")
    state.seals += 1
    state.sealed, state.chain = seal.last, seal.chain.hex()
    if state.pieces and state.pieces[-1].last == first - 1:
        first = state.pieces.pop().first
    state.pieces.append(Piece(first, state.sealed, state.chain))


def _end(state: SealedProducer) -> bytes:
    """The hash that the next seal has to follow."""
    return bytes.fromhex(state.chain) if state.chain else GENESIS


def _remade(client: Any, state: SealedProducer, seal: _Seal) -> _Seal | None:
    """The one seal that is missing before this one, of which this one has the hash: made of the events there."""
    first, last = state.sealed + 1, seal.first - 1
    if not 0 <= last - first < MAX_EVENTS:
        return None
    leaves = bytearray(NOTHING * (last - first + 1))
    for row in _rows(client, state.producer, first, last):
        start = (row["Seq"] - first) * LEAF_BYTES
        leaves[start : start + LEAF_BYTES] = _leaf(row)
    previous = _end(state)
    chain = chain_of(previous, state.producer, first, last, bytes(leaves))
    return _Seal(first, last, previous, chain, bytes(leaves), seal.time) if chain == seal.previous else None


def _common(holes: Sequence[tuple[int, int]], piece: Piece) -> Iterator[tuple[int, int]]:
    """The numbers of holes that are in a piece."""
    for first, last in holes:
        if first <= piece.last and last >= piece.first:
            yield max(first, piece.first), min(last, piece.last)


def _rows(client: Any, producer: str, first: int, last: int) -> Iterator[Mapping[str, Any]]:
    parameters = {"producer": producer, "first": first, "last": last, "typed": [*_TYPED]}
    yield from client.query(_ROWS, parameters=parameters).named_results()


def _compare(client: Any, state: SealedProducer, seal: _Seal, *, may_begin_here: bool) -> None:
    """Whether the events of a seal are there, once, and as they were; its first ones may have left without it."""
    seen: set[int] = set()
    for row in _rows(client, state.producer, seal.first, seal.last):
        number, leaf = row["Seq"], seal.leaf(row["Seq"])
        if leaf == NOTHING or number in seen:
            state.note("added", number)
        elif _leaf(row) == leaf and _columns_agree(row):
            state.intact += 1
        else:
            state.note("changed", number)
        seen.add(number)
    missing = [
        number
        for number in range(seal.first, seal.last + 1)
        if number not in seen and seal.leaf(number) != NOTHING
    ]
    if may_begin_here and state.begins == seal.first:
        begins = min(seen, default=seal.last + 1)
        if missing and missing[0] < begins:
            state.begins = begins
            missing = [number for number in missing if number > begins]
    for number in missing:
        state.note("missing", number)


def _leaf(row: Mapping[str, Any]) -> bytes:
    return leaf_of(
        name=row["EventName"],
        timestamp_ns=row["ns"],
        severity_number=row["SeverityNumber"],
        body=row["Body"],
        trace_id=row["TraceId"],
        span_id=row["SpanId"],
        attributes=row["LogAttributes"],
    )


def _columns_agree(row: Mapping[str, Any]) -> bool:
    """Whether the typed columns hold what either way in makes of the attributes' texts."""
    texts = row["LogAttributes"]
    user = texts.get("user.id")
    actor = (
        "user" if user else texts.get("activity.actor.type", ""),
        texts.get("activity.actor.id", "") if user is None else user,
    )
    return (
        row["has_each_key_once"]
        and actor == (row["ActorType"], row["ActorId"])
        and all(
            _held(field, texts[field.attribute]) == _value(row[column])
            for field, column in map(_TYPED.__getitem__, row["beside"])
        )
    )


def _value(stored: Any) -> Any:
    return stored if isinstance(stored, (str, int, float)) else str(stored)


def _held(field: Field, text: str) -> str | int | float:
    """
    What the column holds of an attribute that is in the map as well: its default where it cannot hold the text.

    The rules are those of ``otel_clickhouse.holders`` and of the view behind the Collector's table; tests hold
    all three equal.
    """
    match field.type:
        case "String":
            return text
        case "UUID":
            return str(UUID(text)) if _UUID(text) else field.default
        case "Float64":
            return number if _NUMBER(text) and isfinite(number := float(text)) else field.default
    largest = 2 ** int(field.type.removeprefix("UInt")) - 1
    if field.scale == 1:
        return number if _WHOLE(text) and (number := int(text)) <= largest else field.default
    scaled = float(text) * field.scale if _NUMBER(text) else -1.0
    return number if isfinite(scaled) and 0 <= (number := round(scaled)) <= largest else field.default
