"""A person taken out of an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from activitylog.exceptions import ArchiveError
from activitylog.store.archive import archives, attach, count_rows, restore, rewrite, verify
from tests.activitylog.store.archive.conftest import archive, count, events, fill

pytestmark = pytest.mark.slow

_WHO = {"who": "3"}


class TestCountRows:
    """``count_rows``."""

    def test_conditions(self, archived: Path) -> None:
        """Columns and OpenTelemetry's names can be asked; values are parameters."""
        january = archives(archived)[0]
        assert count_rows(january, where="ActorId = {who:String}", parameters=_WHO) == 41
        assert count_rows(january, where="LogAttributes['user.id'] = {who:String}", parameters=_WHO) == 41
        assert (
            count_rows(january, where="has({ids:Array(String)}, ActorId)", parameters={"ids": ["3", "4' OR"]})
            == 41
        )
        assert count_rows(january, where="NULL", parameters={}) == 0

    def test_refused(self, archived: Path) -> None:
        """A condition that is none, and a file that is gone, are errors: no answer looks like "nobody here"."""
        january = archives(archived)[0]
        with pytest.raises(ArchiveError, match="ClickHouse says: "):
            count_rows(january, where="NoSuchColumn = 1", parameters={})
        january.files[2].unlink()
        with pytest.raises(ArchiveError, match="ClickHouse says: "):
            count_rows(january, where="ActorId = {who:String}", parameters=_WHO)


class TestRewrite:
    """``rewrite``."""

    def test_a_person_is_gone(self, embedded_store: Any, archived: Path) -> None:
        """Her rows are gone from the files, all others are the same to the bit, and the archive is sound."""
        for piece in archives(archived):
            restore(embedded_store, piece, into="before")
        removed = [rewrite(piece, keep="ActorId != {who:String}", parameters=_WHO) for piece in archives(archived)]
        assert removed == [41, 30]
        assert [checked.problems for checked in verify(archived)] == [(), ()]
        for piece in archives(archived):
            assert count_rows(piece, where="ActorId = {who:String}", parameters=_WHO) == 0
            assert piece.manifest.rows == sum(file.rows for file in piece.manifest.files)
            restore(embedded_store, piece)
        embedded_store.command("DELETE FROM before WHERE ActorId = '3'")
        assert events(embedded_store) == events(embedded_store, "before")

    def test_private(self, archived: Path) -> None:
        """Nobody but the owner reads an archive, nor a file that was rewritten, whatever the umask allows."""
        rewrite(archives(archived)[0], keep="ActorId != {who:String}", parameters=_WHO)
        modes = {path: path.stat().st_mode & 0o777 for path in (archived, *archived.rglob("*"))}
        assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
        assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}

    def test_nothing_to_remove(self, archived: Path) -> None:
        """Without such rows no byte changes."""
        before = {path: path.read_bytes() for path in archived.rglob("*") if path.is_file()}
        assert rewrite(archives(archived)[0], keep="ActorId != 'nobody'", parameters={}) == 0
        assert {path: path.read_bytes() for path in archived.rglob("*") if path.is_file()} == before

    def test_only_the_files_that_hold_her(self, embedded_store: Any, tmp_path: Path) -> None:
        """Files without her rows stay as they are."""
        fill(embedded_store)
        archive(embedded_store, tmp_path, rows_per_file=100)
        before = [path.name for path in archives(tmp_path)[0].files]
        rewrite(archives(tmp_path)[0], keep="ObjectId != '5'", parameters={})
        after = [path.name for path in archives(tmp_path)[0].files]
        assert after[0] != before[0]
        assert after[1:] == before[1:]

    def test_everything(self, embedded_store: Any, archived: Path) -> None:
        """A piece without rows keeps its manifest, is sound, and can be asked and restored: nothing is in it."""
        assert rewrite(archives(archived)[0], keep="0", parameters={}) == 288
        january = archives(archived)[0]
        assert (january.manifest.rows, january.files, january.manifest.min_time) == (0, [], "")
        assert [checked.problems for checked in verify(archived)] == [(), ()]
        assert restore(embedded_store, january).rows == 0
        embedded_store.command("DROP TABLE activity_events SYNC")
        attach(embedded_store, archives(archived))
        assert count(embedded_store) == 212

    def test_a_damaged_file(self, archived: Path) -> None:
        """A file that is not the one that was archived is not rewritten: the damage would get a seal."""
        january = archives(archived)[0]
        one, other = january.files[0], archives(archived)[1].files[0]
        one.write_bytes(other.read_bytes())
        with pytest.raises(ArchiveError, match="is not the one that was archived"):
            rewrite(january, keep="ActorId != {who:String}", parameters=_WHO)
        assert archives(archived)[0].manifest == january.manifest

    def test_what_a_killed_run_left(self, archived: Path) -> None:
        """A file that no manifest names may hold her rows, too: it goes."""
        left = archived / "202401" / "0001.000000.parquet"
        left.write_bytes(archives(archived)[0].files[0].read_bytes())
        rewrite(archives(archived)[0], keep="1", parameters={})
        assert not left.exists()
