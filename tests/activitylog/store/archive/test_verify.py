"""A damaged archive is found, whatever was done to it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from activitylog.exceptions import ArchiveError
from activitylog.store.archive import archives, verify
from activitylog.store.archive import manifest as manifests
from activitylog.store.archive.manifest import File
from activitylog.store.archive.reading import sha256

pytestmark = pytest.mark.slow


def problems(folder: Path) -> dict[str, tuple[str, ...]]:
    """What is wrong with which piece."""
    return {checked.name: checked.problems for checked in verify(folder) if checked.problems}


def first(folder: Path) -> Path:
    return archives(folder)[0].files[0]


def flip(folder: Path) -> None:
    path = first(folder)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(folder: Path) -> None:
    path = first(folder)
    path.write_bytes(path.read_bytes()[:-1])


def swap(folder: Path) -> None:
    one, other = archives(folder)[0].files[:2]
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def edit(folder: Path) -> None:
    path = folder / "202401" / "manifest.json"
    path.write_text(path.read_text().replace('"rows": 288', '"rows": 287'))


class TestVerify:
    """``verify``."""

    def test_sound(self, archived: Path) -> None:
        """An archive as it was made has no problems; one piece can be checked alone."""
        assert [(checked.name, checked.rows, checked.problems) for checked in verify(archived)] == [
            ("202401", 288, ()),
            ("202402", 212, ()),
        ]
        assert [checked.name for checked in verify(archived / "202402")] == ["202402"]

    @pytest.mark.parametrize(
        ("damage", "told"),
        [
            (flip, "has other bytes than when it was written"),
            (cut, " bytes instead of "),
            (lambda folder: first(folder).unlink(), "is missing"),
            (swap, "0001."),
            (edit, "it does not match its seal: it was edited or damaged"),
            (lambda folder: (folder / "202401" / "manifest.json").write_bytes(b"\xff{"), "cannot be used"),
            (lambda folder: (folder / "202401" / "manifest.json").unlink(), "it has lost its manifest"),
            (
                lambda folder: (folder / "202401" / "0009.aaaaaa.parquet").write_bytes(b""),
                "is not in the manifest",
            ),
            (
                lambda folder: (folder / "202401" / "notes.txt").write_bytes(b""),
                "notes.txt is not in the manifest",
            ),
        ],
        ids=["byte", "cut", "missing", "swapped", "edited", "unreadable", "no manifest", "extra", "foreign"],
    )
    def test_damage(self, archived: Path, damage: Callable[[Path], object], told: str) -> None:
        """Each kind of damage is told of the piece that has it, and of no other."""
        damage(archived)
        found = problems(archived)
        assert list(found) == ["202401"]
        assert told in found["202401"][0]

    def test_files_of_two_pieces_swapped(self, archived: Path) -> None:
        """Files that took each other's place, names and all, are told in both pieces."""
        january, february = (piece.files[0] for piece in archives(archived))
        kept = february.read_bytes()
        shutil.copy(january, february)
        january.write_bytes(kept)
        assert list(problems(archived)) == ["202401", "202402"]

    def test_rows_behind_a_matching_sum(self, archived: Path) -> None:
        """Whoever replaces a file and its SHA-256 and the seal still has to have the same rows."""
        january, february = archives(archived)
        file, other = january.manifest.files[0], february.manifest.files[0]
        content = february.files[0].read_bytes()
        january.files[0].write_bytes(content)
        forged = File(file.name, file.rows, file.checksum, len(content), sha256(january.files[0]))
        manifests.write(january.path, january.manifest.with_files([forged, *january.manifest.files[1:]]))
        assert other.rows == file.rows
        assert problems(archived) == {"202401": (f"{file.name} holds other rows than the manifest says",)}

    def test_times(self, archived: Path) -> None:
        """A manifest that was sealed with wrong times is told, too: they decide what is opened."""
        path = archived / "202401" / "manifest.json"
        document = json.loads(path.read_text())
        document["min_time"] = "2024-01-01T00:00:00.000000000Z"
        document["seal"] = manifests._seal(document)
        path.write_text(json.dumps(document))
        assert problems(archived) == {"202401": ("the files hold other rows than the manifest says",)}

    def test_nothing_to_check(self, tmp_path: Path) -> None:
        """A folder that is not there, or holds no archives, is an error: silence would look like safety."""
        with pytest.raises(ArchiveError, match="There is no folder"):
            list(verify(tmp_path / "nothing"))
        with pytest.raises(ArchiveError, match="There are no archives in"):
            list(verify(tmp_path))
