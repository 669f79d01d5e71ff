"""
Readers of other people's logs: lines in, events out, and nothing sent anywhere.

An event is a dict of the keyword arguments of ``activitylog.emit``, its name under "event"; a line that is
no event comes as :class:`Rejected` with the reason. Readers stream, and raise for no content of any line::

    with open_source("changes.ndjson.gz") as source:
        for number, event in read_ndjson(Lines(source.stream)):
            ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, Literal

from activitylog.exceptions import IngestError
from activitylog.ingest.access_log import REQUEST_SERVED, looks_like_access_log, read_access_log
from activitylog.ingest.fields import WORDS, Defaults, Event, Fields, mapped, reader
from activitylog.ingest.lines import MAX_LINE_BYTES, Lines, Rejected, Source, open_source
from activitylog.ingest.ndjson import read_ndjson
from activitylog.ingest.timestamps import timestamp_ns

__all__ = [
    "MAX_LINE_BYTES",
    "REQUEST_SERVED",
    "WORDS",
    "Defaults",
    "Event",
    "Fields",
    "Format",
    "Lines",
    "Rejected",
    "Source",
    "mapped",
    "open_source",
    "read_access_log",
    "read_ndjson",
    "reader",
    "recognise",
    "timestamp_ns",
]

Format = Literal["ndjson", "access"]
_LINES_TO_LOOK_AT: Final = 20


def recognise(
    lines: Iterable[tuple[int, bytes | Rejected]],
) -> tuple[Format, Iterator[tuple[int, bytes | Rejected]]]:
    """
    Tell the format by the first lines that show it.

    Returns:
        The format, and all the lines, those that were looked at included.

    Raises:
        IngestError: none of the first lines is a line of a known format.
    """
    lines = iter(lines)
    seen: list[tuple[int, bytes | Rejected]] = []
    for number, line in lines:
        seen.append((number, line))
        if not isinstance(line, Rejected):
            if line.lstrip().startswith(b"{"):
                return "ndjson", chain(seen, lines)
            if looks_like_access_log(line):
                return "access", chain(seen, lines)
        if len(seen) == _LINES_TO_LOOK_AT:
            break
    if not seen:
        return "ndjson", iter(())
    raise IngestError(
        "This is neither newline-delimited JSON nor an access log, as far as its first lines show.",
        hint=_advice(seen),
    )


def _advice(seen: list[tuple[int, bytes | Rejected]]) -> str:
    first = seen[0][1]
    if isinstance(first, bytes) and first.lstrip().startswith(b"["):
        return "One JSON array becomes lines with `jq -c '.[]' FILE | activitylog ingest -`."
    return "Say what it is with --format ndjson or --format access to see the reason for each line."
