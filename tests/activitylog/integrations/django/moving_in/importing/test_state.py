"""How far an import is, on disk."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from activitylog.exceptions import StoreBusyError
from activitylog.integrations.django.moving_in.importing.state import Chunk, Progress, RefusedRows, State


class TestState:
    """Files of one table and one store."""

    def test_what_is_saved_is_loaded(self, tmp_path: Path) -> None:
        """All of it."""
        progress = Progress(
            check_from_ns=5,
            after=10,
            begun=Chunk(10, 20, 7),
            counts=Counter(read=10),
            not_stored=Counter({"5 A": 1}),
        )
        state = State(tmp_path / "new", "chat.activitylog", "chdb:///store")
        with state.held():
            assert state.load() is None
            state.save(progress)
            assert state.load() == progress

    def test_other_tables_and_stores_have_others(self, tmp_path: Path) -> None:
        """Nothing is mixed up."""
        states = [State(tmp_path, table, store) for table in ("a", "b/../c") for store in ("x", "y")]
        with states[0].held():
            states[0].save(Progress(after=1))
            assert [state.load() is None for state in states] == [False, True, True, True]

    def test_one_process_at_a_time(self, tmp_path: Path) -> None:
        """Another one is told."""
        with State(tmp_path, "a", "x").held():
            with (
                pytest.raises(StoreBusyError, match="Another process imports this table"),
                State(tmp_path, "a", "x").held(),
            ):
                pass
            with State(tmp_path, "b", "x").held():
                pass
        with State(tmp_path, "a", "x").held():
            pass

    def test_a_file_that_nobody_can_read_is_as_none(self, tmp_path: Path) -> None:
        """Every row is looked for, then."""
        state = State(tmp_path, "a", "x")
        with state.held():
            state.save(Progress())
            (file,) = tmp_path.glob("*.json")
            for text in ("", "{", "[]", json.dumps({"format": 1})):
                file.write_text(text)
                assert state.load() is None

    def test_nobody_else_may_read_it(self, tmp_path: Path) -> None:
        """Refused rows are rows."""
        state = State(tmp_path / "new", "a", "x")
        with state.held():
            state.save(Progress())
            RefusedRows(state.refused, 0).close()
        modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "new").iterdir()}
        assert modes == {0o600}
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


class TestRefusedRows:
    """The file of rows that no event could be made of."""

    def test_a_line_each(self, tmp_path: Path) -> None:
        """Key, reason and row."""
        file = RefusedRows(tmp_path / "rows", 0)
        file.write(7, "no time", {"action": "LOGIN", "at": None})
        size = file.sync()
        file.write(8, "no time", {})
        file.close()
        lines = [json.loads(line) for line in (tmp_path / "rows").read_text().splitlines()]
        assert lines[0] == {"pk": 7, "reason": "no time", "row": {"action": "LOGIN", "at": None}}
        assert [line["pk"] for line in lines] == [7, 8]
        again = RefusedRows(tmp_path / "rows", size)
        again.write(9, "no time", {})
        again.close()
        assert [json.loads(line)["pk"] for line in (tmp_path / "rows").read_text().splitlines()] == [7, 9]


def test_the_state_needs_no_django() -> None:
    """Nor a store: it is read where nothing else works."""
    code = (
        "import sys, activitylog.integrations.django.moving_in.importing.state; print('django.db' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
