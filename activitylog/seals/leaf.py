"""The hashes: of an event's canonical text, and of a seal. Pure; both who writes and who verifies use them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from activitylog.event import BODY_MARKS, FIELDS

LEAF_BYTES: Final = 16
#: The leaf of a number that is no event: a count, which is in another table, or one that no event ever had.
NOTHING: Final = bytes(LEAF_BYTES)
#: What comes before the first seal.
GENESIS: Final = bytes(32)


def _default_text(default: object) -> str:
    return format(default, "g") if isinstance(default, float) else str(default)


#: Texts that a typed column gives back also where there was no such attribute.
_DEFAULTS: Final = {field.attribute: _default_text(field.default) for field in FIELDS if field.column is not None}
#: What the store has in a body in place of its own marks.
_AS_STORED: Final = dict.fromkeys(map(ord, BODY_MARKS), "\x1a")


def leaf_of(
    *,
    name: str,
    timestamp_ns: int,
    severity_number: int,
    body: str,
    trace_id: str,
    span_id: str,
    attributes: Mapping[str, str],
) -> bytes:
    """
    The hash of one event.

    Args:
        trace_id, span_id: lower hexadecimal; empty without a trace.
        attributes: texts, as ClickHouse has them. Those that are empty, or their column's default, count as
        absent.
    """
    kept = sorted((key, text) for key, text in attributes.items() if text and _DEFAULTS.get(key) != text)
    body = body.translate(_AS_STORED)
    text = json.dumps([name, timestamp_ns, severity_number, body, trace_id, span_id, kept], separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).digest()[:LEAF_BYTES]


def chain_of(previous: bytes, producer: str, first: int, last: int, leaves: bytes) -> bytes:
    """
    The hash of a seal.

    Args:
        previous: that of the seal before; :data:`GENESIS` for the first.
        leaves: of the numbers from ``first`` to ``last``, one behind the other.
    """
    head = b"\0".join((b"activitylog seal 1", producer.encode(), str(first).encode(), str(last).encode(), b""))
    return hashlib.sha256(previous + head + leaves).digest()
