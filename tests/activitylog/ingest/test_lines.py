"""Lines of files: plain, packed, long, broken."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.exceptions import IngestError
from activitylog.ingest import Lines, Rejected, open_source


def lines_of(content: bytes, **options: int) -> list[tuple[int, bytes | Rejected]]:
    return list(Lines(io.BytesIO(content), **options))


class TestLines:
    def test_ends_are_cut_and_numbers_count_every_line(self) -> None:
        """Line ends of both kinds are cut, and blank lines are left out but counted by the numbers."""
        lines = Lines(io.BytesIO(b"one\r\n\n  \t\ntwo\n"))
        assert list(lines) == [(1, b"one"), (4, b"two")]
        assert (lines.number, lines.blank) == (4, 2)

    def test_last_line_may_lack_its_end(self) -> None:
        """A file that does not end with a line end gives its last line."""
        assert lines_of(b"one\ntwo") == [(1, b"one"), (2, b"two")]

    def test_byte_order_mark_is_no_content(self) -> None:
        """A byte order mark at the beginning of the file is left out."""
        assert lines_of(b"\xef\xbb\xbf{}\n") == [(1, b"{}")]

    def test_too_long_line_is_rejected_and_the_next_one_is_read(self) -> None:
        """A line above the limit is rejected once, whatever its length, and the next one is read whole."""
        content = b"x" * 10 + b"\n" + b"y" * 11 + b"\n" + b"z" * 500 + b"\nend\n"
        assert lines_of(content, max_line_bytes=10) == [
            (1, b"x" * 10),
            (2, Rejected("longer than 10 bytes", "y" * 11)),
            (3, Rejected("longer than 10 bytes", "z" * 12)),
            (4, b"end"),
        ]

    @given(st.lists(st.binary(max_size=40)), st.integers(1, 30))
    def test_every_line_is_given_rejected_or_blank(self, contents: list[bytes], limit: int) -> None:
        """For any bytes and any limit, the lines given and the blank ones are all the lines there are."""
        data = b"\n".join(contents)
        lines = Lines(io.BytesIO(data), max_line_bytes=limit)
        given_lines = list(lines)
        expected = data.count(b"\n") + (0 if not data or data.endswith(b"\n") else 1)
        assert lines.number == expected == len(given_lines) + lines.blank
        assert all(isinstance(line, Rejected) or len(line) <= limit for _, line in given_lines)


class TestOpenSource:
    def test_gzip_is_told_by_its_first_bytes(self, tmp_path: Path) -> None:
        """A packed file is read as what it holds, whatever its name; the position is that on the disk."""
        path = tmp_path / "log.txt"
        path.write_bytes(gzip.compress(b"one\ntwo\n"))
        with open_source(str(path)) as source:
            assert [line for _, line in Lines(source.stream)] == [b"one", b"two"]
            assert source.position() == source.size == path.stat().st_size

    def test_cut_off_gzip_gives_what_is_there_then_says_where_it_ends(self, tmp_path: Path) -> None:
        """Lines before the end of the data are read; then an error names the last of them."""
        path = tmp_path / "log.gz"
        path.write_bytes(gzip.compress(b"one\ntwo\n", mtime=0)[:-9])
        seen: list[tuple[int, object]] = []
        with open_source(str(path)) as source, pytest.raises(IngestError, match="after line") as caught:
            seen.extend(Lines(source.stream))
        assert caught.value.hint is not None
        assert "gzip -t" in caught.value.hint

    def test_missing_file_names_a_near_one(self, tmp_path: Path) -> None:
        """A name that does not exist is an error with the nearest name in that folder."""
        (tmp_path / "access.log").touch()
        with (
            pytest.raises(IngestError, match=r"There is no file .*acess\.log") as caught,
            open_source(str(tmp_path / "acess.log")),
        ):
            pass
        assert caught.value.hint == f"Did you mean {str(tmp_path / 'access.log')!r}?"

    def test_folder_is_refused(self, tmp_path: Path) -> None:
        """A folder is an error that says so."""
        with pytest.raises(IngestError, match="is a folder"), open_source(str(tmp_path)):
            pass
