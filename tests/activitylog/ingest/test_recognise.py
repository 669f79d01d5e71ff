"""Telling the format by the first lines."""

from __future__ import annotations

import io

import pytest

from activitylog.exceptions import IngestError
from activitylog.ingest import Lines, recognise


class TestRecognise:
    @pytest.mark.parametrize(
        ("content", "form"),
        [
            (b'{"a": 1}\n', "ndjson"),
            (b'broken\n  {"a": 1}\n', "ndjson"),
            (b'::1 - - [17/May/2015:10:05:03 +0000] "-" 408 -\n', "access"),
            (b"", "ndjson"),
        ],
    )
    def test_format_and_all_the_lines(self, content: bytes, form: str) -> None:
        """The first line that shows a format decides, and no line is lost by looking."""
        found, lines = recognise(Lines(io.BytesIO(content)))
        assert found == form
        assert list(lines) == list(Lines(io.BytesIO(content)))

    def test_one_array_is_told_how_to_become_lines(self) -> None:
        """A JSON array is no NDJSON; the hint says how to make lines of it."""
        with pytest.raises(IngestError, match="neither newline-delimited JSON nor an access log") as caught:
            recognise(Lines(io.BytesIO(b"[\n1]\n")))
        assert caught.value.hint is not None
        assert "jq -c '.[]'" in caught.value.hint
