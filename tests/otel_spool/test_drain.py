"""What dead processes left is delivered without a pipeline, once, and what is not says why."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord

from otel_delivery import Answer
from otel_spool import Drain, Drained, Loss, SpoolOptions, look
from otel_spool.filesystem import LocalFileSystem
from otel_spool.status import is_held
from otel_spool.writer import NotWritten
from tests.otel_spool.spools import SMALL, Backend, Process, Told, deny, killed, left_by_a_process


def drained(backend: Backend, directory: Path, timeout: float = 20, **options: bool) -> Drained:
    return Drain(backend, directory, options=SMALL).run(timeout, **options)  # type: ignore[arg-type]


def refused(directory: Path, *poison: str, others: tuple[str, ...] = ()) -> None:
    """Letters that a process wrote."""
    backend = Backend()
    backend.refuses = frozenset(poison)
    process = Process(backend, directory)
    process.emit(*others, *poison)
    assert process.processor.flush(10).complete
    process.leave()


class ClosesAfter(Backend):
    """Is away when it has taken so many batches."""

    def __init__(self, takes: int) -> None:
        super().__init__()
        self.takes = takes

    def deliver(self, records: Sequence[ReadableLogRecord], *, token: str, first_attempt_ns: int | None) -> Answer:
        self.is_open = self.is_open and self.takes > 0
        self.takes -= 1
        return super().deliver(records, token=token, first_attempt_ns=first_attempt_ns)


class TestEvents:
    def test_events_of_a_killed_process_are_delivered(self, tmp_path: Path) -> None:
        """All of them, and the spool is empty."""
        killed(tmp_path, "p = Process(Backend(is_open=False), directory)\np.emit('a', 'b', 'c')")
        backend = Backend()
        found = drained(backend, tmp_path)
        assert (found.delivered, found.left, dict(found.dropped), found.problem) == (3, 0, {}, "")
        assert sorted(backend.stored) == ["a", "b", "c"]
        assert look(tmp_path).folders == ()

    def test_a_batch_that_was_begun_has_its_token(self, tmp_path: Path) -> None:
        """The backend had it, and the process died before it knew: it is there once."""
        backend = Backend()
        dead = Backend(is_open=False)
        process = Process(dead, tmp_path)
        process.emit("a", "b")
        assert dead.asked.wait(5)
        process.leave()
        drained(backend, tmp_path)
        (token,) = backend.tokens
        assert token.endswith("-1")
        assert look(tmp_path).events == 0

    def test_a_living_process_keeps_its_events(self, tmp_path: Path) -> None:
        """Its folder is not touched."""
        process = Process(Backend(is_open=False), tmp_path)
        process.emit("mine")
        left_by_a_process(tmp_path, "orphaned")
        backend = Backend()
        found = drained(backend, tmp_path)
        assert (backend.stored, found.delivered, found.left) == (["orphaned"], 1, 0)
        assert look(tmp_path).events == 1
        process.leave()

    @pytest.mark.slow
    def test_what_is_not_delivered_in_time_stays(self, tmp_path: Path) -> None:
        """Nobody answers: everything is where it was, free for the next one, and the reason is told."""
        left_by_a_process(tmp_path, "a", "b")
        found = drained(Backend(is_open=False), tmp_path, timeout=0.5)
        assert (found.delivered, found.left) == (0, 2)
        assert "nobody answers" in found.problem
        assert [f.state for f in look(tmp_path).folders] == ["orphan"]

    def test_refused_events_become_letters_with_their_reason(self, tmp_path: Path) -> None:
        """The others of their batch arrive."""
        left_by_a_process(tmp_path, "a", "poison", "b")
        backend = Backend()
        backend.refuses = frozenset({"poison"})
        found = drained(backend, tmp_path)
        assert (found.delivered, dict(found.dropped), found.left) == (2, {"permanent": 1}, 0)
        assert dict(look(tmp_path).letters) == {"permanent": 1}

    @pytest.mark.slow
    def test_somebody_who_looks_hides_no_folder(self, tmp_path: Path) -> None:
        """A folder whose lock was taken for a moment is found in the next round."""
        left_by_a_process(tmp_path, "a")
        (folder,) = tmp_path.iterdir()
        lock = LocalFileSystem().lock(folder / "lock")
        assert lock is not None
        left_by_a_process(tmp_path, "b")
        backend = Backend()
        drain = Drain(backend, tmp_path, options=SMALL)
        backend.is_open = False

        def open_all() -> None:
            lock.release()
            backend.is_open = True

        threading.Timer(0.3, open_all).start()
        found = drain.run(20)
        assert (sorted(backend.stored), found.left) == (["a", "b"], 0)

    def test_progress_tells_how_many_have_an_answer(self, tmp_path: Path) -> None:
        """It ends at all of them."""
        left_by_a_process(tmp_path, "a", "b", "c")
        told: list[int] = []
        Drain(Backend(), tmp_path, options=SMALL).run(20, progress=told.append)
        assert told[-1] == 3


class TestLetters:
    def test_they_stay_unless_asked_for(self, tmp_path: Path) -> None:
        """What was refused once is not tried again by itself."""
        refused(tmp_path, "poison")
        backend = Backend()
        assert drained(backend, tmp_path).delivered == 0
        assert (backend.stored, dict(look(tmp_path).letters)) == ([], {"permanent": 1})

    def test_they_are_sent_again_when_asked_for(self, tmp_path: Path) -> None:
        """The backend was mended: they arrive, and the file goes."""
        refused(tmp_path, "x", "y", others=("a",))
        backend = Backend()
        found = drained(backend, tmp_path, letters=True)
        assert (found.delivered, found.refused_again, found.left_letters) == (2, 0, 0)
        assert sorted(backend.stored) == ["x", "y"]
        assert dict(look(tmp_path).letters) == {}

    def test_those_refused_again_are_letters_again(self, tmp_path: Path) -> None:
        """They are lost once, not twice: no reason counts them as dropped now."""
        refused(tmp_path, "x", "y")
        backend = Backend()
        backend.refuses = frozenset({"y"})
        found = drained(backend, tmp_path, letters=True)
        assert (found.delivered, found.refused_again, dict(found.dropped)) == (1, 1, {})
        assert dict(look(tmp_path).letters) == {"permanent": 1}

    @pytest.mark.slow
    def test_without_an_answer_the_file_stays_as_it_is(self, tmp_path: Path) -> None:
        """And the next try repeats the same tokens."""
        refused(tmp_path, "x")
        (file,) = (tmp_path / "dead").iterdir()
        before = file.read_bytes()
        found = drained(Backend(is_open=False), tmp_path, timeout=0.5, letters=True)
        assert (found.left_letters, file.read_bytes()) == (1, before)
        first, second = Backend(), Backend()
        drained(first, tmp_path, letters=True)
        file.write_bytes(before)  # as if the process had died before it removed the file
        drained(second, tmp_path, letters=True)
        assert first.tokens == second.tokens != []

    @pytest.mark.parametrize("damaged", [False, True])
    def test_no_token_ever_names_other_letters(self, tmp_path: Path, damaged: bool) -> None:
        """The batches had another size at the last try, or the file less damage: what is new is not dropped."""
        bodies = [f"letter-{number}" for number in range(6)]
        refused(tmp_path, *bodies)
        (file,) = (tmp_path / "dead").iterdir()
        backend = ClosesAfter(1)
        found = Drain(backend, tmp_path, options=SMALL, max_records=2).run(0.5, letters=True)
        assert (found.delivered, found.left_letters) == (2, 4)
        backend.is_open, backend.takes = True, 100
        if damaged:
            data = file.read_bytes()
            file.write_bytes(data.replace(b"letter-0", b"letter-X"))
        again = Drain(backend, tmp_path, options=SMALL, max_records=2 if damaged else 6).run(20, letters=True)
        assert again.left_letters == 0
        assert set(backend.stored) == set(bodies)
        assert not file.exists()

    def test_a_file_that_a_process_writes_to_is_left_alone(self, tmp_path: Path) -> None:
        """It is locked."""
        backend = Backend()
        backend.refuses = frozenset({"poison"})
        process = Process(backend, tmp_path)
        process.emit("poison")
        assert process.processor.flush(10).complete
        (file,) = (tmp_path / "dead").iterdir()
        assert is_held(file)
        assert drained(Backend(), tmp_path, letters=True).delivered == 0
        assert file.exists()
        process.leave()
        assert drained(Backend(), tmp_path, letters=True).delivered == 1

    @pytest.mark.slow
    def test_those_that_arrive_are_told_of_once(self, tmp_path: Path) -> None:
        """Also where a file goes in several batches, and a drain breaks off: of each batch at once."""
        refused(tmp_path, "a", "b", "c")
        told: list[str] = []

        def tell(records: Sequence[ReadableLogRecord]) -> Sequence[ReadWriteLogRecord]:
            told.extend(str(record.log_record.body) for record in records)
            return ()

        backend = ClosesAfter(1)
        found = Drain(backend, tmp_path, options=SMALL, max_records=2).run(0.5, letters=True, redelivered=tell)
        assert (told, found.left_letters) == (["a", "b"], 1)
        Drain(Backend(), tmp_path, options=SMALL).run(20, letters=True, redelivered=tell)
        assert told == ["a", "b", "c"]
        assert (dict(look(tmp_path).letters), look(tmp_path).quarantined) == ({}, 0)

    def test_a_drain_that_breaks_off_has_done_a_part(self, tmp_path: Path) -> None:
        """Those that arrived, or were refused again and have letters anew, are not sent once more."""
        refused(tmp_path, "a", "b", "c", "d")
        backend = ClosesAfter(3)  # the first two, halved, and nothing of the others
        backend.refuses = frozenset({"a"})
        found = Drain(backend, tmp_path, options=SMALL, max_records=2).run(0.5, letters=True)
        assert (found.delivered, found.refused_again, found.left_letters) == (1, 1, 2)
        after = Backend()
        found = Drain(after, tmp_path, options=SMALL, max_records=4).run(20, letters=True)
        assert (sorted(after.stored), found.left_letters) == (["a", "c", "d"], 0)
        assert dict(look(tmp_path).letters) == {}

    def test_those_refused_again_did_not_arrive(self, tmp_path: Path) -> None:
        """Nobody is told of them until they do."""
        refused(tmp_path, "x", "y")
        told: list[str] = []

        def tell(records: Sequence[ReadableLogRecord]) -> Sequence[ReadWriteLogRecord]:
            told.extend(str(record.log_record.body) for record in records)
            return ()

        backend = Backend()
        backend.refuses = frozenset({"y"})
        Drain(backend, tmp_path, options=SMALL).run(20, letters=True, redelivered=tell)
        assert told == ["x"]
        Drain(Backend(), tmp_path, options=SMALL).run(20, letters=True, redelivered=tell)
        assert told == ["x", "y"]

    def test_without_a_report_of_it_they_stay(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The disk does not take one: else nobody would ever hear that they are not lost."""
        refused(tmp_path, "x")
        told: list[Sequence[ReadableLogRecord]] = []

        def tell(records: Sequence[ReadableLogRecord]) -> Any:
            told.append(records)
            return records

        with monkeypatch.context() as broken:
            drain = Drain(Backend(), tmp_path, options=SMALL)
            broken.setattr(drain.spool, "append", lambda _record: NotWritten.BROKEN)
            found = drain.run(20, letters=True, redelivered=tell)
        assert (found.left_letters, found.problem) == (1, "a count of lost events could not be written down")
        backend = Backend()
        Drain(backend, tmp_path, options=SMALL).run(20, letters=True, redelivered=tell)
        assert (len(told), backend.stored) == (2, ["x", "x"])  # the second one is what tells of it
        assert dict(look(tmp_path).letters) == {}

    def test_damaged_pieces_of_a_file_are_put_aside(self, tmp_path: Path) -> None:
        """Before the file goes."""
        refused(tmp_path, "x", "y")
        (file,) = (tmp_path / "dead").iterdir()
        data = bytearray(file.read_bytes())
        data[-6] ^= 0xFF
        file.write_bytes(data)
        assert drained(Backend(), tmp_path, letters=True).delivered == 1
        assert look(tmp_path).quarantined == 1


class TestWhatCannotBeRead:
    def test_a_folder_that_is_put_aside_is_told(self, tmp_path: Path) -> None:
        """Nobody knows how many events are in it; that nothing is left would be half of the truth."""
        left_by_a_process(tmp_path, "a", "b")
        (folder,) = tmp_path.iterdir()
        for path in folder.iterdir():
            path.write_bytes(bytes(len(path.read_bytes())))
        found = drained(Backend(), tmp_path)
        assert (found.delivered, found.left, found.quarantined, found.unreadable) == (0, 0, 1, 0)
        assert found.problem.endswith("cannot be read (no file has a readable header); it is put aside")

    def test_a_folder_of_another_user_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It stays where it is."""
        left_by_a_process(tmp_path, "a")
        (theirs,) = tmp_path.iterdir()
        deny(monkeypatch, theirs)
        found = drained(Backend(), tmp_path)
        assert (found.delivered, found.left, found.quarantined, found.unreadable) == (0, 0, 0, 1)
        assert theirs.exists()


class TestLosses:
    def test_expired_events_are_reported_by_their_label(self, tmp_path: Path) -> None:
        """Whose they were, why they are gone, and how many; once."""
        process = Process(Backend(), tmp_path, label="the producer")
        process.leave()
        process.emit("a", "b")  # after its shutdown: in no batch yet
        process.processor.spool.close()
        old = SpoolOptions(max_bytes=1024 * 1024, segment_bytes=4096, max_age_seconds=1e-9, report_losses=True)
        told = Told()
        found = Drain(Backend(), tmp_path, options=old).run(20, report=told)
        assert dict(found.dropped) == {"expired": 2}
        assert told.losses == [Loss("the producer", "expired", 2)]
        assert look(tmp_path).folders == ()


@pytest.mark.parametrize("letters", [False, True])
def test_an_empty_spool_is_drained_at_once(tmp_path: Path, letters: bool) -> None:
    """Nothing to do, nothing asked of the backend."""
    backend = Backend()
    assert drained(backend, tmp_path, letters=letters) == Drained()
    assert backend.attempts == 0
