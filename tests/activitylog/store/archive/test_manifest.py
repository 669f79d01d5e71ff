"""What an archive is on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from activitylog.exceptions import ArchiveError
from activitylog.store.archive import archives
from activitylog.store.archive.manifest import (
    Alias,
    Column,
    File,
    Manifest,
    next_path,
    read,
    remove,
    remove_unfinished,
    write,
)

_FILE = File("0001.abcdef.parquet", 3, f"{5:032x}", 10, "0" * 64)
_MANIFEST = Manifest(
    table="activity_events",
    partition="202401",
    partition_key="toYYYYMM(Timestamp)",
    sorting_key="Timestamp",
    columns=(Column("Timestamp", "DateTime64(9, 'UTC')"), Column("Attributes", "Map(String, String)")),
    aliases=(Alias("Body", "String", "replaceOne(BodyTemplate, '\x01', ActorId)"),),
    rows=3,
    min_time="2024-01-01T00:00:00.000000000Z",
    max_time="2024-01-02T00:00:00.000000000Z",
    checksum=f"{5:032x}",
    files=(_FILE,),
    schema="0011_activity_archives",
    made_at="2026-01-01T00:00:00Z",
    made_by="activitylog 0.1.0",
)


def piece(folder: Path, name: str = "202401") -> Path:
    path = folder / name
    path.mkdir()
    (path / _FILE.name).write_bytes(b"0123456789")
    write(path, _MANIFEST)
    return path


class TestManifest:
    """``write`` and ``read``."""

    def test_comes_back(self, tmp_path: Path) -> None:
        """What was written is read, control characters in expressions included."""
        assert read(piece(tmp_path)).manifest == _MANIFEST

    def test_format(self, tmp_path: Path) -> None:
        """The document says what it is; people and other programs can read it."""
        document = json.loads((piece(tmp_path) / "manifest.json").read_text())
        assert (document["format"], document["version"], document["rows"]) == ("activitylog archive", 1, 3)
        assert document["files"] == [
            {"name": "0001.abcdef.parquet", "rows": 3, "checksum": f"{5:032x}", "bytes": 10, "sha256": "0" * 64}
        ]

    def test_leftovers_go(self, tmp_path: Path) -> None:
        """Files of ours that the new manifest does not name are removed; those of others stay."""
        path = piece(tmp_path)
        for name in ("0002.123456.parquet", "manifest.json.tmp", "notes.txt"):
            (path / name).write_bytes(b"")
        write(path, _MANIFEST)
        assert {child.name for child in path.iterdir()} == {"manifest.json", _FILE.name, "notes.txt"}

    def test_newer_version(self, tmp_path: Path) -> None:
        """A version that this one does not know is refused with the next step."""
        path = piece(tmp_path) / "manifest.json"
        path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
        with pytest.raises(ArchiveError, match="has version 2; this one reads 1") as caught:
            read(path.parent)
        assert caught.value.hint == "Install a newer version of activitylog."

    def test_names_outside(self, tmp_path: Path) -> None:
        """A manifest cannot make anybody read or remove a file outside of its folder."""
        path = tmp_path / "202401"
        path.mkdir()
        write(path, _MANIFEST.with_files([File("../../etc/passwd", 0, "0" * 32, 0, "")]))
        with pytest.raises(ArchiveError, match="it names files that no archive has"):
            read(path)


class TestArchives:
    """``archives`` and the names of pieces."""

    def test_in_order(self, tmp_path: Path) -> None:
        """Pieces come by partition and number; folders without a manifest and others are no pieces."""
        for name in ("202402", "202401.10", "202401.2", "202401"):
            piece(tmp_path, name)
        (tmp_path / "202403").mkdir()
        (tmp_path / "lost+found").mkdir()
        assert [archive.name for archive in archives(tmp_path)] == ["202401", "202401.2", "202401.10", "202402"]
        assert [archive.name for archive in archives(tmp_path / "202402")] == ["202402"]

    def test_next(self, tmp_path: Path) -> None:
        """The next piece has the first number that is free; a folder without a manifest and files is free."""
        assert next_path(tmp_path, "202401").name == "202401"
        piece(tmp_path)
        assert next_path(tmp_path, "202401").name == "202401.2"
        (tmp_path / "202401.2").mkdir()
        assert next_path(tmp_path, "202401").name == "202401.2"

    def test_a_lost_manifest(self, tmp_path: Path) -> None:
        """Files whose manifest was lost are the only ones there are: nobody clears them or writes beside them."""
        (piece(tmp_path) / "manifest.json").unlink()
        assert next_path(tmp_path, "202401").name == "202401.2"
        assert remove_unfinished(tmp_path) == 0
        assert (tmp_path / "202401" / _FILE.name).exists()

    def test_unfinished(self, tmp_path: Path) -> None:
        """What killed runs left is removed, in a piece and beside it; pieces and files of others stay."""
        path, other = piece(tmp_path), tmp_path / "202402"
        other.mkdir()
        for left in (path / "0001.000000.parquet", other / "0001.000000.parquet", other / "unfinished"):
            left.touch()
        (other / "notes.txt").touch()
        assert next_path(tmp_path, "202402") == other
        assert remove_unfinished(tmp_path) == 3
        assert [child.name for child in other.iterdir()] == ["notes.txt"]
        assert {child.name for child in path.iterdir()} == {"manifest.json", _FILE.name}

    def test_removed(self, tmp_path: Path) -> None:
        """A piece is removed with its folder."""
        path = piece(tmp_path)
        remove(read(path))
        assert not path.exists()

    def test_no_folder(self, tmp_path: Path) -> None:
        """No folder is an error and not an empty list: erasing must not believe that there is nothing."""
        with pytest.raises(ArchiveError, match="There is no folder"):
            archives(tmp_path / "nothing")
