"""
Records as they go to disk: the bytes of an event, the lane that it goes to, the resource and scope that it names.

Needs no lock: threads encode side by side, and only the write is one after another.
"""

from __future__ import annotations

import itertools
from typing import Final

from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord

from otel_spool.codec import encode_record, encode_source
from otel_spool.frame import MAX_PAYLOAD_BYTES, OVERHEAD_BYTES, Kind
from otel_spool.log import SpoolLog
from otel_spool.options import SpoolOptions
from otel_spool.ranges import Range
from otel_spool.replacement import pack_replacing
from otel_spool.segment import IMPORTANT, ORDINARY

#: Resources that are remembered by identity; more than that means a new one for each record.
_MAX_SOURCES: Final = 256

#: Number, payload, and the resource and scope themselves.
NumberedSource = tuple[int, bytes, object, object]


class Encoded:
    """
    An event that can be written.

    Attributes:
        size: bytes of its frame.
    """

    __slots__ = ("kind", "lane", "payload", "size", "source")

    def __init__(self, kind: Kind, payload: bytes, source: NumberedSource, lane: int) -> None:
        self.kind = kind
        self.payload = payload
        self.source = source
        self.lane = lane
        self.size = len(payload) + OVERHEAD_BYTES

    def replacing(self, ranges: list[Range]) -> Encoded:
        """The same event, in the place of held ones with these numbers."""
        return Encoded(Kind.REPLACING, pack_replacing(self.kind, self.payload, ranges), self.source, self.lane)


class RecordEncoder:
    """Encodes the records of one process; numbers the resources and scopes that they have."""

    def __init__(self, options: SpoolOptions, log: SpoolLog) -> None:
        self._importance = options.importance
        self._log = log
        self._sources: dict[tuple[int, int], NumberedSource] = {}
        self._numbers = itertools.count(1)

    def encode(self, record: ReadableLogRecord | ReadWriteLogRecord) -> Encoded | None:
        """The bytes of a record; None when it cannot be written down. Raises only what interrupts the thread."""
        try:
            key = (id(record.resource), id(record.instrumentation_scope))
            source = self._sources.get(key) or self._new_source(key, record)
            kind, payload = encode_record(record, source[0])
            encoded = Encoded(
                kind, payload, source, IMPORTANT if self._importance(record.log_record) else ORDINARY
            )
        except Exception as error:  # noqa: BLE001 - whatever a value's own methods raise
            self._log.tell("unwritable", "a record cannot be spooled: %s", type(error).__name__)
            return None
        return encoded if encoded.size <= MAX_PAYLOAD_BYTES else None

    def _new_source(self, key: tuple[int, int], record: ReadableLogRecord | ReadWriteLogRecord) -> NumberedSource:
        if len(self._sources) >= _MAX_SOURCES:
            self._sources = {}
        # The objects are kept, so that their ids stay theirs.
        resource, scope = record.resource, record.instrumentation_scope
        source = next(self._numbers), encode_source(resource, scope), resource, scope
        self._sources[key] = source
        return source
