"""Which folders the demo may empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from activitylog.cli.demo_folder import MARKER, own_folder
from activitylog.exceptions import ActivityLogError


class TestOwnFolder:
    def test_new_one(self, tmp_path: Path) -> None:
        """A folder that does not exist is made and marked; its store does not exist yet."""
        store = own_folder(tmp_path / "a" / "demo")
        assert store == tmp_path / "a" / "demo" / "store"
        assert not store.exists()
        assert (tmp_path / "a" / "demo" / MARKER).is_file()
        assert (tmp_path / "a" / "demo").stat().st_mode & 0o777 == 0o700

    def test_own_one_is_emptied(self, tmp_path: Path) -> None:
        """The store of an earlier demo is deleted; a file that somebody put beside it stays."""
        store = own_folder(tmp_path / "demo")
        (store / "data").mkdir(parents=True)
        (tmp_path / "demo" / "notes.txt").write_text("mine")
        assert own_folder(tmp_path / "demo") == store
        assert not store.exists()
        assert (tmp_path / "demo" / "notes.txt").read_text() == "mine"

    def test_somebody_elses_is_left_alone(self, tmp_path: Path) -> None:
        """A folder with anything in it and no mark is refused and not touched."""
        (tmp_path / "store").mkdir()
        (tmp_path / "store" / "data").write_text("precious")
        with pytest.raises(ActivityLogError, match="was not made by the demo"):
            own_folder(tmp_path)
        assert (tmp_path / "store" / "data").read_text() == "precious"

    def test_link_is_refused(self, tmp_path: Path) -> None:
        """A link is not followed, neither as the folder nor as its store."""
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "data").write_text("precious")
        (tmp_path / "link").symlink_to(elsewhere)
        with pytest.raises(ActivityLogError, match="was not made by the demo"):
            own_folder(tmp_path / "link")
        store = own_folder(tmp_path / "demo")
        store.symlink_to(elsewhere)
        with pytest.raises(ActivityLogError, match="was not made by the demo"):
            own_folder(tmp_path / "demo")
        assert (elsewhere / "data").read_text() == "precious"

    def test_file_in_the_way(self, tmp_path: Path) -> None:
        """A file of that name is refused."""
        (tmp_path / "demo").write_text("")
        with pytest.raises(ActivityLogError, match="was not made by the demo"):
            own_folder(tmp_path / "demo")
