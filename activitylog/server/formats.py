"""What HTTP has to know of ClickHouse's output formats: their content type, and whether they come in pieces."""

from __future__ import annotations

DEFAULT_FORMAT = "TabSeparated"

# Formats whose rows are written one after the other, with nothing before, between or after them: what chDB
# writes for each block can be sent as it comes. The second set writes totals and extremes after the rows,
# where a query has them.
_PIECES = frozenset({"Native", "RowBinary"})
_PIECES_WITHOUT_TOTALS = frozenset(
    {
        "CSV",
        "JSONCompactEachRow",
        "JSONCompactStringsEachRow",
        "JSONEachRow",
        "JSONLines",
        "JSONStringsEachRow",
        "NDJSON",
        "Raw",
        "TSV",
        "TSVRaw",
        "TabSeparated",
        "TabSeparatedRaw",
    }
)

_TEXT = "text/plain; charset=UTF-8"
_NDJSON = "application/x-ndjson; charset=UTF-8"


def in_pieces(name: str, *, totals: bool) -> bool:
    """Whether the pieces that the engine writes for each block, joined, are the result in this format."""
    return name in _PIECES or (name in _PIECES_WITHOUT_TOTALS and not totals)


def content_type(name: str) -> str:
    """The Content-Type that ClickHouse gives a format; bytes for one that is not known here."""
    if name.startswith(("TabSeparated", "TSV", "Raw")) or name == "LineAsString":
        return "text/tab-separated-values; charset=UTF-8"
    if name.startswith("CSV"):
        return f"text/csv; charset=UTF-8; header={'present' if 'WithNames' in name else 'absent'}"
    if name in ("JSONLines", "NDJSON") or name.endswith(("EachRow", "EachRowWithProgress")):
        return _NDJSON
    if name.startswith("JSON"):
        return "application/json; charset=UTF-8"
    if name.startswith("Pretty") or name in ("Vertical", "Values", "Markdown", "SQLInsert", "Null", "Prometheus"):
        return _TEXT
    return "application/xml; charset=UTF-8" if name == "XML" else "application/octet-stream"
