"""A spool seen from outside: counts that are right, and nothing is touched."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from otel_spool import FolderError, SpoolOptions, look, spools_in
from otel_spool.filesystem import LocalFileSystem
from otel_spool.status import is_held
from tests.otel_spool.spools import Backend, Process, killed, left_by_a_process
from tests.waiting import wait_until


def contents(directory: Path) -> dict[str, bytes]:
    """Every file below, with what is in it."""
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


class TestLook:
    def test_an_empty_spool_waits_for_nobody(self, tmp_path: Path) -> None:
        """Zero of everything, and no attention is needed."""
        found = look(tmp_path)
        assert (found.events, found.bytes, found.folders, found.needs_attention) == (0, 0, (), False)
        assert found.free_bytes is not None
        assert found.free_bytes > 0

    def test_what_a_dead_process_left_is_an_orphan(self, tmp_path: Path) -> None:
        """Its events are counted, with their age, and need attention."""
        killed(tmp_path, "p = Process(Backend(is_open=False), directory)\np.emit('a', 'b', 'c')")
        (folder,) = look(tmp_path).folders
        assert (folder.state, folder.events, folder.damages) == ("orphan", 3, 0)
        assert folder.pid not in (None, os.getpid())
        assert folder.oldest_unsent_ns is not None
        assert look(tmp_path).needs_attention

    def test_what_a_living_process_has_is_its_own(self, tmp_path: Path) -> None:
        """It is counted as unsent, and needs nobody."""
        process = Process(Backend(is_open=False), tmp_path)
        process.emit("a", "b")
        found = look(tmp_path)
        assert [(f.state, f.pid, f.events) for f in found.folders] == [("alive", os.getpid(), 2)]
        assert not found.needs_attention
        process.leave()

    def test_delivered_events_are_not_unsent(self, tmp_path: Path) -> None:
        """The journal is read, too: only what it does not settle is unsent."""
        backend = Backend()
        process = Process(backend, tmp_path)
        process.emit("a", "b")
        assert process.processor.flush(5).complete
        backend.is_open = False
        process.emit("c")
        assert look(tmp_path).events == 1
        process.leave()

    def test_looking_changes_no_byte(self, tmp_path: Path) -> None:
        """Not even the journal is compacted, and no lock file is made."""
        left_by_a_process(tmp_path, "a", "b")
        (folder,) = tmp_path.iterdir()
        (folder / "lock").unlink()
        before = contents(tmp_path)
        found = look(tmp_path)
        assert contents(tmp_path) == before
        assert [(f.state, f.events) for f in found.folders] == [("orphan", 2)]

    def test_letters_are_counted_by_reason(self, tmp_path: Path) -> None:
        """What was refused is in no other number."""
        backend = Backend()
        backend.refuses = frozenset({"poison"})
        process = Process(backend, tmp_path)
        process.emit("a", "poison", "b")
        assert process.processor.flush(10).complete
        process.leave()
        found = look(tmp_path)
        assert (dict(found.letters), found.events) == ({"permanent": 1}, 0)
        assert found.needs_attention

    def test_damage_and_quarantine_need_attention(self, tmp_path: Path) -> None:
        """Flipped bits in a segment are seen before anybody sends it."""
        left_by_a_process(tmp_path, "a", "b", "c")
        (segment,) = tmp_path.rglob("*.seg")
        data = bytearray(segment.read_bytes())
        data[-100] ^= 0xFF
        segment.write_bytes(data)
        found = look(tmp_path)
        assert [(f.events, f.damages) for f in found.folders] == [(2, 1)]
        (tmp_path / "quarantine").mkdir()
        (tmp_path / "quarantine" / "piece").write_bytes(b"12345")
        assert (look(tmp_path).quarantined, look(tmp_path).quarantined_bytes) == (1, 5)

    def test_a_folder_without_any_header_is_unreadable(self, tmp_path: Path) -> None:
        """Nobody knows what is in it."""
        left_by_a_process(tmp_path, "a")
        (folder,) = tmp_path.iterdir()
        for path in folder.iterdir():
            path.write_bytes(bytes(len(path.read_bytes())))
        assert [f.state for f in look(tmp_path).folders] == ["unreadable"]

    def test_undecided_events_are_told_apart(self, tmp_path: Path) -> None:
        """What waits in a window of a sampler is unsent, and named."""
        process = Process(Backend(is_open=False), tmp_path)
        process.emit("a")
        (file,) = tmp_path.rglob("*.seg")
        from otel_spool import pieces

        record = next(iter(pieces(file))).record
        assert record is not None
        entry = process.processor.hold(record)
        assert entry is not None
        (folder,) = look(tmp_path).folders
        assert (folder.events, folder.undecided) == (2, 1)
        process.leave()

    def test_what_was_replaced_is_not_unsent(self, tmp_path: Path) -> None:
        """Also when its process died before it noted that in the journal."""
        from otel_spool import pieces

        process = Process(Backend(is_open=False), tmp_path)
        process.emit("a")
        record = next(iter(pieces(next(tmp_path.rglob("*.seg"))))).record
        assert record is not None
        entry = process.processor.hold(record)
        assert entry is not None
        spool = process.processor.spool
        event = spool.encode(record)
        assert event is not None
        spool.writer.append(event.replacing([(entry.number, entry.number)]))
        (folder,) = look(tmp_path).folders
        assert (folder.events, folder.undecided) == (2, 0)
        process.leave()


class TestLocks:
    def test_a_held_lock_is_seen_and_a_free_one_too(self, tmp_path: Path) -> None:
        """By a lock that is let go at once: it can be taken afterwards."""
        files = LocalFileSystem()
        assert not is_held(tmp_path / "lock")
        assert not (tmp_path / "lock").exists()
        lock = files.lock(tmp_path / "lock")
        assert lock is not None
        assert is_held(tmp_path / "lock")
        lock.release()
        assert not is_held(tmp_path / "lock")
        assert files.lock(tmp_path / "lock") is not None

    def test_two_that_look_do_not_take_each_other_for_the_holder(self, tmp_path: Path) -> None:
        """The lock is shared."""
        import fcntl

        (tmp_path / "lock").touch()
        with (tmp_path / "lock").open() as other:
            fcntl.flock(other, fcntl.LOCK_SH)
            assert not is_held(tmp_path / "lock")

    @pytest.mark.slow
    def test_processes_that_start_while_one_looks_lose_nothing(self, tmp_path: Path) -> None:
        """Looking without pause, while folders are made, adopted and removed."""
        done = threading.Event()
        looks = []
        roomy = SpoolOptions()  # for the reserves of twenty folders, too

        def keep_looking() -> None:
            while not done.is_set():
                looks.append(look(tmp_path))

        thread = threading.Thread(target=keep_looking)
        thread.start()
        backend = Backend()
        try:
            for number in range(20):
                left_by_a_process(tmp_path, f"event {number}", options=roomy)
                process = Process(backend, tmp_path, roomy)
                process.processor.start()
                process.leave()
            last = Process(backend, tmp_path, roomy)
            last.processor.start()

            def all_sent() -> bool:
                last.processor.spool.adopted.take()
                return not look(tmp_path).events

            wait_until(all_sent)
            last.leave()
        finally:
            done.set()
            thread.join()
        assert sorted(backend.stored) == sorted(f"event {number}" for number in range(20))
        assert len(looks) > 20


def test_spools_are_found_in_a_folder_of_spools(tmp_path: Path) -> None:
    """A spool is itself; a folder of spools has some; files, links and what a volume has are none."""
    (tmp_path / "lost+found").mkdir()
    left_by_a_process(tmp_path / "one", "a")
    (tmp_path / "two").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "one")
    assert spools_in(tmp_path) == [tmp_path / "one", tmp_path / "two"]
    assert spools_in(tmp_path / "one") == [tmp_path / "one"]


def test_a_part_of_a_spool_is_no_folder_of_spools(tmp_path: Path) -> None:
    """That there are no spools in it would be taken for "nothing waits": it says what it is, and what to name."""
    left_by_a_process(tmp_path, "a")
    (process,) = tmp_path.iterdir()
    parts = [process, tmp_path / "dead", tmp_path / "quarantine"]
    for part, name in zip(parts, ["", "1.letters", f"{1:020d}-piece"], strict=True):
        part.mkdir(exist_ok=True)
        if name:
            (part / name).touch()
        with pytest.raises(FolderError, match=f"in a spool. Name the spool: {tmp_path}$"):
            spools_in(part)


def test_a_folder_of_spools_may_have_any_other_name(tmp_path: Path) -> None:
    """Also one that a part of a spool has."""
    left_by_a_process(tmp_path / "dead" / "one", "a")
    assert spools_in(tmp_path / "dead") == [tmp_path / "dead" / "one"]
    (tmp_path / "quarantine").mkdir()
    assert spools_in(tmp_path / "quarantine") == []
