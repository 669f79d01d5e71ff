"""
Whether the stored events are those that were sealed: reads the rows, and makes the hashes again.

What the result means, and what it does not prove, is told in :mod:`activitylog.seals`.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as BinasciiError
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from activitylog.seals import NOTHING, SEAL_EVENT_NAME, chain_of, leaf_of
from activitylog.seals.checkpoint import Checkpoint
from activitylog.seals.leaf import GENESIS, LEAF_BYTES
from activitylog.store.columns import EVENTS_TABLE

#: Examples of each finding that are kept; all are counted.
_EXAMPLES: Final = 20

_SEALS: Final = f"""
SELECT Producer, Seq, LogAttributes AS attributes
FROM {EVENTS_TABLE}
WHERE EventName = {{name:String}}
ORDER BY Producer, Seq
"""  # noqa: S608 - a constant name
_ROWS: Final = f"""
SELECT Seq, EventName, toUnixTimestamp64Nano(Timestamp) AS ns, SeverityNumber, Body, TraceId, SpanId, LogAttributes
FROM {EVENTS_TABLE}
WHERE Producer = {{producer:String}} AND Seq BETWEEN {{first:UInt64}} AND {{last:UInt64}}
"""  # noqa: S608
_TAILS: Final = f"""
SELECT Producer, max(Seq) AS newest
FROM {EVENTS_TABLE}
WHERE Producer != ''
GROUP BY Producer
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
        intact: events that are as they were sealed.
        changed, missing, added: numbers of events that are not; the first twenty.
        counts: of changed, missing and added ones, how many there are in all.
        broken: what is wrong with the seals themselves, in words.
    """

    producer: str
    seals: int = 0
    sealed: int = 0
    chain: str = ""
    newest: int = 0
    intact: int = 0
    changed: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    added: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    broken: list[str] = field(default_factory=list)

    @property
    def unsealed(self) -> int:
        """Numbers behind the last seal, about which nothing is proved."""
        return max(0, self.newest - self.sealed)

    @property
    def is_intact(self) -> bool:
        """Whether everything that seals cover is as it was."""
        return not self.broken and not any(self.counts.values())

    def note(self, what: str, number: int) -> None:
        """An event is not as it was sealed."""
        self.counts[what] += 1
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

    def leaf(self, number: int) -> bytes:
        start = (number - self.first) * LEAF_BYTES
        return self.leaves[start : start + LEAF_BYTES]


def verify_seals(client: Any, checkpoint: Checkpoint | None = None) -> list[SealedProducer]:
    """
    Check everything that seals cover.

    Args:
        client: of clickhouse-connect.
        checkpoint: of an earlier time; its chains must be found again.

    Returns:
        Each producer that has a seal, or is in the checkpoint, by name.
    """
    found: dict[str, SealedProducer] = {}
    chains: dict[str, dict[int, str]] = defaultdict(dict)
    for producer, seal in _seals(client, found):
        _follow(found[producer], seal)
        _compare(client, found[producer], seal)
        chains[producer][seal.last] = seal.chain.hex()
    for producer, newest in client.query(_TAILS).result_rows:
        if producer in found:
            found[producer].newest = newest
    for producer, (last, chain) in (checkpoint.ends if checkpoint else {}).items():
        state = found.setdefault(producer, SealedProducer(producer))
        if chains[producer].get(last) != chain:
            state.broken.append(
                f"the checkpoint of {checkpoint.time if checkpoint else ''} has another chain at {last}"
            )
    return sorted(found.values(), key=lambda state: state.producer)


def ends_of(producers: list[SealedProducer]) -> Mapping[str, tuple[int, str]]:
    """What a checkpoint says of them."""
    return {state.producer: (state.sealed, state.chain) for state in producers if state.seals}


def _seals(client: Any, found: dict[str, SealedProducer]) -> Iterator[tuple[str, _Seal]]:
    rows = client.query(_SEALS, parameters={"name": SEAL_EVENT_NAME}).result_rows
    for producer, number, attributes in rows:
        state = found.setdefault(producer, SealedProducer(producer))
        seal = _parsed(attributes)
        if seal is None:
            state.broken.append(f"the seal with number {number} cannot be read")
        else:
            yield producer, seal


def _parsed(attributes: Mapping[str, str]) -> _Seal | None:
    def get(name: str) -> str:
        return attributes.get(f"activity.seal.{name}", "")

    try:
        first, last = int(get("first")), int(get("last"))
        leaves = b64decode(get("leaves"), validate=True)
        seal = _Seal(first, last, bytes.fromhex(get("previous")), bytes.fromhex(get("chain")), leaves)
    except (ValueError, BinasciiError):
        return None
    return seal if len(leaves) == (last - first + 1) * LEAF_BYTES else None


def _follow(state: SealedProducer, seal: _Seal) -> None:
    """Whether a seal comes right behind the one before."""
    previous = bytes.fromhex(state.chain) if state.chain else GENESIS
    if seal.first != state.sealed + 1:
        state.broken.append(f"numbers {state.sealed + 1} to {seal.first - 1} are in no seal")
    elif seal.previous != previous:
        state.broken.append(f"the seal of {seal.first} to {seal.last} does not follow the one before")
    if chain_of(seal.previous, state.producer, seal.first, seal.last, seal.leaves) != seal.chain:
        state.broken.append(f"the seal of {seal.first} to {seal.last} was changed")
    state.seals += 1
    state.sealed, state.chain = seal.last, seal.chain.hex()


def _compare(client: Any, state: SealedProducer, seal: _Seal) -> None:
    """Whether the events of a seal are there, once, and as they were."""
    parameters = {"producer": state.producer, "first": seal.first, "last": seal.last}
    seen: set[int] = set()
    for row in client.query(_ROWS, parameters=parameters).named_results():
        number, leaf = row["Seq"], seal.leaf(row["Seq"])
        if leaf == NOTHING or number in seen:
            state.note("added", number)
        elif _leaf(row) == leaf:
            state.intact += 1
        else:
            state.note("changed", number)
        seen.add(number)
    for number in range(seal.first, seal.last + 1):
        if number not in seen and seal.leaf(number) != NOTHING:
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
