"""The engine that reads Parquet files, in a process of its own."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from activitylog.exceptions import ArchiveError, StoreError
from activitylog.store.archive import file_engine as open_engine
from activitylog.store.archive.file_engine import FileEngine


class TestFileEngine:
    """``FileEngine`` and ``file_engine``."""

    def test_answers(self) -> None:
        """Rows come as JSON has them, whole; values are parameters."""
        with open_engine() as engine:
            sql = "SELECT {text:String}, 18446744073709551615, {list:Array(String)}"
            assert engine.rows(sql, {"text": "a'b\\n\u00e9", "list": ["x", "y'"]}) == [
                ["a'b\\n\u00e9", 18446744073709551615, ["x", "y'"]]
            ]

    def test_refusals(self) -> None:
        """What the engine refuses is an error in its words, in one line, and it goes on."""
        with open_engine() as engine:
            with pytest.raises(ArchiveError, match="ClickHouse says: Code: 47") as caught:
                engine.rows("SELECT nothing")
            assert "\n" not in caught.value.message
            assert engine.rows("SELECT 1") == [[1]]

    def test_death(self) -> None:
        """A process that died is an error, not an empty answer; the next one to open gets a new one."""
        engine = FileEngine()
        os.kill(engine._process.pid, signal.SIGKILL)
        with pytest.raises(ArchiveError, match="died"):
            engine.rows("SELECT 1")
        assert not engine.alive
        engine.close()

    def test_shared(self) -> None:
        """Blocks within each other share one process."""
        with open_engine() as outer, open_engine() as inner:
            assert inner is outer

    def test_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the embedded engine the next step is told."""
        monkeypatch.setattr(sys.modules[FileEngine.__module__], "find_spec", lambda name: None)
        with pytest.raises(StoreError, match="which is not installed") as caught:
            FileEngine()
        assert caught.value.hint == (
            "Run: pip install 'activitylog[embedded]'. Only this machine needs it, not the server."
        )
