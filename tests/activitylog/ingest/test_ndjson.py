"""Newline-delimited JSON."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activitylog.ingest import Lines, Rejected, read_ndjson


def read(content: bytes) -> list[tuple[int, object]]:
    return list(read_ndjson(Lines(io.BytesIO(content))))


class TestReadNdjson:
    def test_good_lines_around_a_bad_one(self) -> None:
        """A bad line is rejected with its number, reason and text, and the others are read."""
        good = b'{"ts": 1, "event": "a.b"}'
        assert read(good + b"\n{oops}\n" + good) == [
            (1, {"event": "a.b", "timestamp": 10**9}),
            (2, Rejected("not JSON: Expecting property name enclosed in double quotes at column 2", "{oops}")),
            (3, {"event": "a.b", "timestamp": 10**9}),
        ]

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (b"[1]", "a JSON array where an object is needed"),
            (b"null", "a JSON null where an object is needed"),
            (b'{"a": 1, "a": 2}', "the key 'a' is there twice"),
            (b'{"a": {"b": 1, "b": 2}}', "the key 'b' is there twice"),
            (b'{"a": "\xff"}', "not UTF-8 at byte 8"),
            (b'{"a":' + b"[" * 100_000, "nested too deeply"),
            (b'{"a": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
            (b"{}", "no event name"),
        ],
    )
    def test_reasons(self, line: bytes, reason: str) -> None:
        """Each kind of bad line has its reason."""
        [(number, result)] = read(line)
        assert number == 1
        assert isinstance(result, Rejected)
        assert result.reason.startswith(reason)

    @given(st.binary(max_size=300))
    def test_any_bytes_give_events_or_rejections(self, content: bytes) -> None:
        """No bytes whatever raise."""
        assert all(isinstance(result, (dict, Rejected)) for _, result in read(content))

    @pytest.mark.slow
    @given(
        st.dictionaries(
            st.text(max_size=8),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
                lambda inner: (
                    st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
                ),
                max_leaves=6,
            ),
        )
    )
    def test_any_object_is_read_or_refused(self, record: dict[str, object]) -> None:
        """Any JSON object with a name and a time gives an event; only its name or its time can be refused."""
        line = json.dumps({"event_name": "a.b", "timestamp": 5} | record).encode()
        [(_, result)] = read(line)
        if isinstance(result, Rejected):
            assert result.reason.startswith(("the event name", "the time", "a time is", "no event", "no time"))
        else:
            assert isinstance(result, dict)
