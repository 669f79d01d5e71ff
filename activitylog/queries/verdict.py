"""What a verification found, in words: whether the store is complete, then why, then what nobody can know."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from activitylog.queries.verification import Verification


def sentences(found: Verification) -> list[str]:
    """Sentences for people, the verdict first. Names are as they are stored: not yet fit for a terminal."""
    return [_verdict(found), *_reasons(found), *_limits(found)]


def _verdict(found: Verification) -> str:
    missing = sum(producer.missing for producer in found.producers)
    looked = f"{_many(found.rows, 'event')} of {_many(len(found.producers), 'producer')}"
    if not found.complete:
        return f"Not complete: {_wrong(found)} ({looked})."
    if missing:
        explained = f"each of {_many(missing, 'missing number')} is explained"
        return f"Complete: {explained}, nothing is there twice ({looked})."
    return f"Complete: nothing is missing, nothing is there twice ({looked})."


def _wrong(found: Verification) -> str:
    losing = [producer for producer in found.producers if producer.unexplained]
    doubling = [producer for producer in found.producers if producer.repeated]
    unexplained = sum(producer.unexplained for producer in losing)
    repeated = sum(producer.repeated for producer in doubling)
    parts = []
    if losing:
        lack = "is missing" if unexplained == 1 else "are missing"
        parts.append(f"{_many(unexplained, 'number')} of {_many(len(losing), 'producer')} {lack} without a reason")
    if doubling:
        parts.append(f"{_many(repeated, 'row')} of {_many(len(doubling), 'producer')} too many by their numbers")
    if found.repeated_ids:
        parts.append(f"{_many(found.surplus_rows, 'row')} too many by {_many(found.repeated_ids, 'event id')}")
    return "; ".join(parts)


def _reasons(found: Verification) -> Iterator[str]:
    lost = defaultdict[str, Counter[str]](Counter)
    counted = Counter[str]()
    redelivered = Counter[str]()
    for producer in found.producers:
        if producer.lost:
            lost[producer.destination].update(producer.lost)
            counted[producer.destination] += producer.counted
            redelivered[producer.destination] += producer.redelivered
    for destination, reasons in sorted(lost.items()):
        by = f", by {destination}" if destination else ""
        said = ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items()))
        later = redelivered[destination]
        were = "was" if later == 1 else "were"
        said += f"; {_many(later, 'event')} that had been refused {were} delivered later" if later else ""
        yield (
            f"Counted as lost after they were numbered{by}: {said}. That explains "
            f"{_many(counted[destination], 'missing number')}."
        )
    removed = sum(producer.removed for producer in found.producers)
    if removed:
        kinds = "; ".join(str(removal) for removal in found.removals)
        yield f"{_many(removed, 'missing number')} may be of events that left on purpose: {kinds}."


def _limits(found: Verification) -> Iterator[str]:
    if found.unnumbered:
        yield (
            f"{_many(found.unnumbered, 'event')} without a producer or number, from others than this package: "
            "whether those are all, rows do not say."
        )
    if not found.producers:
        yield f"There is no numbered row before {found.until:%Y-%m-%d %H:%M:%S} UTC."
        return
    newest = max(found.producers, key=lambda producer: producer.last)
    yield (
        f"Looked at rows before {found.until:%Y-%m-%d %H:%M:%S} UTC. What a producer numbered after its newest "
        f"row is not known from rows: the newest of all is of {newest.last:%Y-%m-%d %H:%M:%S} UTC, from "
        f"{newest.producer}, whose highest number is {newest.last_seq:,}. Its process's stats() and spool say "
        "what is yet to come."
    )


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
