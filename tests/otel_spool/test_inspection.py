"""Everything in a spool can be read, damaged files included, and nothing is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_spool import FolderError, pieces
from tests.otel_spool.spools import Backend, Process, deny, left_by_a_process
from tests.otel_spool.test_status import contents


def bodies(path: Path) -> list[str]:
    return [str(piece.record.log_record.body) for piece in pieces(path) if piece.record is not None]


def test_events_come_with_what_became_of_them(tmp_path: Path) -> None:
    """Settled, being sent, unsent."""
    backend = Backend()
    process = Process(backend, tmp_path)
    process.emit("delivered")
    assert process.processor.flush(5).complete
    backend.is_open = False
    backend.asked.clear()
    process.emit("sending")
    assert backend.asked.wait(5)
    process.processor.interrupt()
    process.emit("unsent")
    found = {str(p.record.log_record.body): p.state for p in pieces(tmp_path) if p.record is not None}
    assert found == {"delivered": "settled", "sending": "sending", "unsent": "unsent"}
    process.leave()


def test_a_folder_a_segment_and_folders_of_spools_can_be_named(tmp_path: Path) -> None:
    """Whatever of it one points at."""
    left_by_a_process(tmp_path / "one", "a", "b")
    left_by_a_process(tmp_path / "two", "c")
    (segment,) = (tmp_path / "one").rglob("*.seg")
    assert bodies(tmp_path) == ["a", "b", "c"]
    assert bodies(tmp_path / "one") == bodies(segment.parent) == bodies(segment) == ["a", "b"]


def test_one_that_cannot_be_read_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spool, or a folder in it, of another user is named; alone it is an error."""
    for name in ("one", "three", "two"):
        left_by_a_process(tmp_path / name, name)
    (folder,) = (tmp_path / "three").iterdir()
    deny(monkeypatch, tmp_path / "one")
    deny(monkeypatch, folder)
    found = [(piece.path, piece.reason) for piece in pieces(tmp_path) if piece.what == "unreadable"]
    assert found == [(tmp_path / "one", "Permission denied"), (folder, "Permission denied")]
    assert bodies(tmp_path) == ["two"]
    with pytest.raises(PermissionError):
        list(pieces(tmp_path / "one"))


def test_letters_say_why(tmp_path: Path) -> None:
    """Reason, words and time of the refusal."""
    backend = Backend()
    backend.refuses = frozenset({"poison"})
    process = Process(backend, tmp_path)
    process.emit("a", "poison")
    assert process.processor.flush(10).complete
    process.leave()
    (letter,) = [piece for piece in pieces(tmp_path) if piece.what == "letter"]
    assert (letter.reason, letter.detail) == ("permanent", "a bad one \x1b[31m")
    assert letter.record is not None
    assert letter.record.log_record.body == "poison"
    assert list(pieces(letter.path)) == list(pieces(tmp_path / "dead")) or letter.refused_ns is not None


def test_damaged_bytes_are_shown_beside_what_can_be_read(tmp_path: Path) -> None:
    """Where they are and what they are; events before and behind them come as well."""
    left_by_a_process(tmp_path, "a", "b", "c")
    (segment,) = tmp_path.rglob("*.seg")
    data = segment.read_bytes()
    at = data.index(b"\xa1b") if b"\xa1b" in data else data.index(b'"b"')
    segment.write_bytes(data[:at] + b"\x00" + data[at + 1 :])
    before = contents(tmp_path)
    found = list(pieces(tmp_path))
    assert [p.what for p in found] == ["event", "event", "damage"]
    assert [p.record.log_record.body for p in found if p.record is not None] == ["a", "c"]
    assert found[2].offset is not None
    assert found[2].offset < at < found[2].offset + (found[2].length or 0)
    assert contents(tmp_path) == before


def test_a_segment_without_header_is_read_by_the_folders_seed(tmp_path: Path) -> None:
    """The lock file has it, too."""
    left_by_a_process(tmp_path, "a")
    (segment,) = tmp_path.rglob("*.seg")
    data = segment.read_bytes()
    segment.write_bytes(bytes(8) + data[8:])
    assert bodies(tmp_path) == ["a"]


def test_what_was_put_aside_is_shown_as_bytes(tmp_path: Path) -> None:
    """Pieces, and folders of which nothing can be read."""
    quarantine = tmp_path / "quarantine"
    (quarantine / "0123456789abcdef-000001").mkdir(parents=True)
    (quarantine / "0123456789abcdef-000001" / "00000001.0.seg").write_bytes(bytes(10_000))
    (quarantine / "piece").write_bytes(b"abc")
    found = list(pieces(tmp_path))
    assert [(p.what, p.length, len(p.data)) for p in found] == [
        ("quarantine", 10_000, 4096),
        ("quarantine", 3, 3),
    ]
    assert next(iter(pieces(quarantine / "piece"))).data == b"abc"


def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """With what can be named."""
    (tmp_path / "notes.txt").write_text("no spool")
    with pytest.raises(FolderError, match="is no file of a spool"):
        list(pieces(tmp_path / "notes.txt"))
