"""
Randomness and thresholds of 56 bits, as in OpenTelemetry's consistent probability sampling.

A share p is a rejection threshold ``T = (1 - p) * 2**56``. What has the randomness R is kept when ``R >= T``,
and then stands for ``2**56 / (2**56 - T)``. Because the same R meets every threshold, what is kept at a share p is
kept at every greater share too, in every process. R comes from:

* one event: a generator of this module's own, never the application's ``random``;
* a unit (session, actor, attribute, ...): a keyed hash of its kind and text, so that processes with the same key
  agree, and nobody without it can choose an id that is never logged;
* a trace: ``rv`` of its tracestate, else the last 7 bytes of its id, so that it agrees with samplers of spans.

Source of the rules: OpenTelemetry specification, "TraceState: Probability Sampling" and "TraceState Handling".
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, MutableMapping
from hashlib import blake2b
from typing import Any, Final

from opentelemetry.trace import get_current_span

from activitylog.rules.reading import unit_reader

BITS: Final = 56
SPACE: Final = 1 << BITS
_MASK: Final = SPACE - 1
_DIGITS: Final = 14

_THRESHOLD: Final = re.compile(r"[0-9a-fA-F]{1,14}")
_RANDOMNESS: Final = re.compile(r"[0-9a-fA-F]{14}")
_MAX_TRACESTATE_LENGTH: Final = 256
_MAX_KEY_BYTES: Final = 64
_MAX_CACHED: Final = 16_384
_MAX_CACHED_LENGTH: Final = 256

#: R of a unit, from the event; None when the event has no such unit.
UnitRandomness = Callable[[MutableMapping[str, Any]], int | None]

#: What draws for single events. A forked child continues with a sequence of its own.
generator: Final = random.Random()  # noqa: S311 - draws a sample, guards nothing
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=generator.seed)


def threshold_of(share: float) -> int:
    """The threshold that keeps ``share``, above 0 and up to 1."""
    # Not (1 - share) * 2**56: a small share would lose its last digits there.
    return SPACE - min(SPACE, max(1, round(share * SPACE)))


def weight_of(threshold: int) -> float:
    """How many events one stands for that was kept at ``threshold``: OpenTelemetry's adjusted count."""
    return SPACE / (SPACE - threshold)


def encode_threshold(threshold: int) -> str:
    """``th``: hexadecimal digits without the trailing zeros; ``0`` when everything is kept."""
    return f"{threshold:014x}".rstrip("0") or "0"


def parse_threshold(text: Any) -> int | None:
    """The threshold that a ``th`` of 1 to 14 hexadecimal digits means; None for anything else."""
    if not isinstance(text, str) or not _THRESHOLD.fullmatch(text):
        return None
    return int(text.ljust(_DIGITS, "0"), 16)


def encode_randomness(randomness: int) -> str:
    """``rv``: exactly 14 hexadecimal digits."""
    return f"{randomness:014x}"


def parse_randomness(member: Any) -> int | None:
    """R from the value of tracestate's ``ot`` member (``th:c;rv:6e6d1a75832a2f``); None without a valid ``rv``."""
    if not isinstance(member, str) or len(member) > _MAX_TRACESTATE_LENGTH:
        return None
    for item in member.split(";"):
        key, _, value = item.strip().partition(":")
        if key == "rv":
            return int(value, 16) if _RANDOMNESS.fullmatch(value) else None
    return None


def trace_randomness(trace_id: str) -> int | None:
    """
    R of a trace, given as hexadecimal digits: explicit, when it is the active span's, else its last 7 bytes.

    None for what is not an id.
    """
    given = get_current_span().get_span_context()
    if given.trace_state and f"{given.trace_id:032x}" == trace_id:
        explicit = parse_randomness(given.trace_state.get("ot"))
        if explicit is not None:
            return explicit
    last = trace_id[-_DIGITS:]
    return int(last, 16) if _RANDOMNESS.fullmatch(last) else None


def scrambled(randomness: int) -> int:
    """
    Another R of the same unit, unrelated to the first: the same for everyone, and one to one.

    For a second decision about what a first one left over at thresholds that differ from event to event.
    """
    mixed = (randomness ^ randomness >> 28) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    return mixed ^ mixed >> 29


class Hasher:
    """
    R of texts: BLAKE2b under a key, of the kind of unit and the text.

    Args:
        key: the secret that processes must share to agree; longer ones than 64 bytes are hashed first.
        kind: ``session``, ``actor``, ...: an actor ``1`` and a session ``1`` have nothing in common.
    """

    def __init__(self, key: bytes, kind: str) -> None:
        if len(key) > _MAX_KEY_BYTES:
            key = blake2b(key).digest()
        self._state = blake2b(kind.encode() + b"\0", digest_size=BITS // 8, key=key)
        self.cache: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        """Its R, from the cache where it is known; bounded in entries and in the length of each."""
        found = self.cache.get(text)
        if found is not None:
            return found
        state = self._state.copy()  # 0.2 us less than a new keyed one
        state.update(text.encode("utf-8", "surrogatepass"))
        found = int.from_bytes(state.digest())
        if len(text) <= _MAX_CACHED_LENGTH:
            if len(self.cache) >= _MAX_CACHED:
                self.cache.clear()
            self.cache[text] = found
        return found


def unit_randomness(by: str, key: bytes) -> UnitRandomness:
    """What reads R of the unit ``by`` from an event; always None for ``event``."""
    if by == "event":
        return lambda _event_dict: None
    read = unit_reader(by)
    if by == "trace":

        def of_trace(event_dict: MutableMapping[str, Any]) -> int | None:
            trace_id = read(event_dict)
            return None if trace_id is None else trace_randomness(trace_id)

        return of_trace
    hasher = Hasher(key, by)
    cached = hasher.cache.get

    def of_unit(event_dict: MutableMapping[str, Any]) -> int | None:
        text = read(event_dict)
        if text is None:
            return None
        known = cached(text)
        return hasher(text) if known is None else known

    return of_unit
