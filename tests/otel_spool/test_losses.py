"""Losses are told of once: by the process that had them, or by the one that finds its folder."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource

from otel_spool import ConfigurationError, Drain, Loss, SpoolOptions, look, pieces
from otel_spool.codec import decode_record
from otel_spool.exceptions import CorruptError
from otel_spool.filesystem import LocalFileSystem, Lock
from otel_spool.journal import Journal
from otel_spool.ledger import Ledger
from otel_spool.segment import HELD, ORDINARY, parse_name
from otel_spool.spool import Spool
from tests.otel_spool.spools import Backend, Process, Told, killed, left_by_a_process

KEEPING = SpoolOptions(max_bytes=200 * 1024, segment_bytes=4096, max_queue_bytes=1, report_losses=True)
FILL = """p = Process(Backend(is_open=False), directory, KEEPING, 'dead one')
for n in range(400): p.emit(f'event {n}' + 1000 * 'x')"""


def told(directory: Path) -> tuple[int, list[Loss]]:
    """What is delivered later, and the losses that are told of then."""
    losses = Told()
    found = Drain(Backend(), directory, options=KEEPING).run(20, report=losses)
    return found.delivered, losses.losses


class TestJournal:
    def test_losses_outlive_the_file_being_written_anew(self, tmp_path: Path) -> None:
        """Until somebody was told of them."""
        files = LocalFileSystem()
        journal = Journal(files, tmp_path, 7)
        journal.give_up(3, 5, {"spool_full": 5})
        journal.settle([(7, 8)], {"permanent": 2})
        journal.settle([(9, 10)], {"permanent": 1})
        for _ in range(2):
            journal.close()
            journal = Journal(files, tmp_path, 7)
            journal.load()
            assert dict(journal.untold) == {"spool_full": 5, "permanent": 3}
        journal.tell()
        journal.settle([(11, 14)], {"permanent": 4})
        journal.close()
        journal = Journal(files, tmp_path, 7)
        journal.load()
        assert dict(journal.untold) == {"permanent": 4}
        journal.close()


class TestLedger:
    def test_each_loss_is_given_out_once(self) -> None:
        """Summed by label and reason."""
        ledger = Ledger()
        ledger.note(None, "expired", 2)
        ledger.note(None, "expired", 3)
        ledger.note("other", "corrupt", 1)
        assert ledger.take() == [Loss(None, "expired", 5), Loss("other", "corrupt", 1)]
        assert ledger.take() == []

    def test_what_somebody_else_tells_is_withdrawn(self) -> None:
        """No more than was there."""
        ledger = Ledger()
        ledger.note(None, "expired", 2)
        ledger.withdraw(None, {"expired": 5, "corrupt": 1})
        ledger.note(None, "expired", 1)
        assert ledger.take() == [Loss(None, "expired", 1)]

    def test_labels_are_bounded(self) -> None:
        """Beyond that, nobody knows whose they were; nothing is forgotten."""
        ledger = Ledger()
        for number in range(5000):
            ledger.note(str(number), "corrupt", 1)
        taken = ledger.take()
        assert sum(loss.events for loss in taken) == 5000
        assert len(taken) < 1100


class TestProcesses:
    def test_a_killed_process_leaves_its_losses_in_its_journal(self, tmp_path: Path) -> None:
        """What was dropped from a full spool is told of by the next one, and not taken for corrupt."""
        killed(tmp_path, f"from tests.otel_spool.test_losses import KEEPING\n{FILL}")
        delivered, losses = told(tmp_path)
        (loss,) = losses
        assert (loss.label, loss.reason) == ("dead one", "spool_full")
        assert loss.events > 100
        assert delivered + loss.events == 400

    def test_what_was_told_is_not_told_again(self, tmp_path: Path) -> None:
        """By the process itself before it was killed."""
        killed(tmp_path, f"from tests.otel_spool.test_losses import KEEPING\n{FILL}\np.processor.take_losses()")
        delivered, losses = told(tmp_path)
        assert losses == []
        assert delivered < 400

    def test_the_folder_stays_until_somebody_was_told(self, tmp_path: Path) -> None:
        """An adopter that is killed before it tells leaves it to the next one; then the folder goes."""
        killed(tmp_path, f"from tests.otel_spool.test_losses import KEEPING\n{FILL}")
        adopt = (
            "from tests.otel_spool.test_losses import KEEPING\nfrom otel_spool import look\n"
            "p = Process(Backend(), directory, KEEPING)\np.processor.start()\n"
            "while look(directory).events: pass\n"
        )
        killed(tmp_path, adopt)
        assert [(f.state, f.events) for f in look(tmp_path).folders] == [("orphan", 0)]
        delivered, losses = told(tmp_path)
        assert (delivered, [loss.reason for loss in losses]) == (0, ["spool_full"])
        assert look(tmp_path).folders == ()

    @pytest.mark.slow
    def test_who_does_not_ask_keeps_no_folder(self, tmp_path: Path) -> None:
        """Plain use: an empty folder goes, whatever was lost."""
        options = SpoolOptions(max_bytes=200 * 1024, segment_bytes=4096, max_queue_bytes=1)
        backend = Backend(is_open=False)
        process = Process(backend, tmp_path, options)
        for number in range(400):
            process.emit(f"event {number}" + 1000 * "x")
        backend.is_open = True
        assert process.processor.flush(20).complete
        process.leave()
        assert look(tmp_path).folders == ()

    def test_refused_events_are_told_with_the_backends_reason(self, tmp_path: Path) -> None:
        """Each once, also when the process ends right behind."""
        backend = Backend()
        backend.refuses = frozenset({"poison"})
        process = Process(backend, tmp_path, KEEPING)
        process.emit("a", "poison")
        assert process.processor.flush(10).complete
        assert process.processor.take_losses() == [Loss(None, "permanent", 1)]
        assert process.processor.take_losses() == []
        process.emit("poison")
        assert process.processor.flush(10).complete
        process.leave()  # without asking again: the folder stays, and tells
        assert process.processor.take_losses() == []
        assert told(tmp_path) == (0, [Loss("", "permanent", 1)])

    def test_missing_events_are_told_once_by_two_that_adopt(self, tmp_path: Path) -> None:
        """A file of a dead process is gone: the first one that finds the folder is killed before it tells."""
        process = Process(Backend(), tmp_path)
        process.leave()
        process.emit(*["x" * 100] * 300)  # after its shutdown: in no batch yet
        process.processor.spool.close()
        min(tmp_path.rglob("*.seg")).unlink()
        adopt = (
            "from tests.otel_spool.test_losses import KEEPING\nfrom otel_spool import look\n"
            "p = Process(Backend(), directory, KEEPING)\np.processor.start()\n"
            "while not p.processor.stats().recovered_dropped: pass\n"
        )
        killed(tmp_path, adopt)
        _, losses = told(tmp_path)
        assert [(loss.label, loss.reason) for loss in losses] == [("", "corrupt")]
        assert 5 < losses[0].events < 40
        assert told(tmp_path) == (0, [])

    def test_a_spool_that_is_closed_while_it_adopts_holds_nothing(self, tmp_path: Path) -> None:
        """The folder is free for others, though this process lives on."""

        class ClosingFileSystem(LocalFileSystem):
            def lock(self, path: Path) -> Lock | None:
                found = super().lock(path)
                spool.close()
                return found

        left_by_a_process(tmp_path, "a")
        spool = Spool(tmp_path, filesystem=ClosingFileSystem())
        assert spool.adopted.take() == 0
        assert list(spool.adopted) == []
        assert [(f.state, f.events) for f in look(tmp_path).folders] == [("orphan", 1)]

    def test_the_label_is_in_folders_made_later(self, tmp_path: Path) -> None:
        """And comes back with the folder."""
        spool = Spool(tmp_path)
        spool.label_events("me")
        process = Process(Backend(is_open=False), tmp_path / "x", label="me too")
        process.emit("a")
        process.leave()
        other = Spool(tmp_path / "x")
        other.adopted.take()
        assert [folder.label for folder in other.adopted] == ["me too"]
        other.close()
        spool.close()

    def test_a_label_comes_back_or_is_refused(self, tmp_path: Path) -> None:
        """The longest that is taken leaves the headers readable, of which the whole folder is in need."""
        processor = Process(Backend(), tmp_path).processor
        with pytest.raises(ConfigurationError, match=r"has 342 characters.*2,048 bytes"):
            processor.label_events("é" * 342)
        processor.label_events("é" * 341)
        left_by_a_process(tmp_path / "x", "a")
        processor.spool.append(next(iter(pieces(tmp_path / "x"))).record)  # type: ignore[arg-type]
        processor.spool.abandon()  # as if killed
        other = Spool(tmp_path)
        other.adopted.take()
        assert [folder.label for folder in other.adopted] == ["é" * 341]
        assert other.quarantine.pieces == 0
        other.close()

    def test_a_folder_that_is_made_while_one_looks_is_not_somebody_elses(self, tmp_path: Path) -> None:
        """Else it would count twice against the bound until the next look."""

        class MakingFileSystem(LocalFileSystem):
            def names(self, path: Path) -> list[str]:
                if path == tmp_path and spool.writer.folder is None:
                    assert record is not None
                    spool.append(record)
                return super().names(path)

        left_by_a_process(tmp_path / "x", "a")
        record = next(iter(pieces(tmp_path / "x"))).record
        spool = Spool(tmp_path, filesystem=MakingFileSystem())
        before = sum(file.stat().st_size for file in (tmp_path / "x").rglob("*") if file.is_file())
        spool.look_at_others()
        assert spool.room.of_others == before
        spool.close()


class TestUndecided:
    """What a process only held, and has died before it was decided: another one sends it, or loses it."""

    @pytest.fixture
    def left(self, tmp_path: Path) -> Path:
        """Two held records and two others."""
        process = Process(Backend(), tmp_path, KEEPING, "dead one")
        process.leave()  # so that the others are in no batch either
        for body in ("held 1", "held 2"):
            log_record = LogRecord(body=body, event_name="a.b", timestamp=1)
            process.processor.spool.hold(ReadableLogRecord(log_record, Resource.get_empty()))
        process.emit("a", "b")
        process.processor.spool.close()
        return tmp_path

    def losses(self, directory: Path, backend: Backend, options: SpoolOptions = KEEPING) -> Counter[str]:
        told = Told()
        found = Drain(backend, directory, options=options).run(20, report=told)
        assert {loss.label for loss in told.losses} <= {"dead one"}
        losses = Counter({loss.reason: loss.events for loss in told.losses})
        assert dict(found.dropped) == losses
        return losses

    def test_it_expires(self, left: Path) -> None:
        """That is no loss of an event that was handed on."""
        old = dataclasses.replace(KEEPING, max_age_seconds=1e-9)
        assert self.losses(left, Backend(), old) == {"expired": 2, "undecided": 2}

    def test_it_is_refused(self, left: Path) -> None:
        """It is a letter with the backend's reason, as the others are."""
        backend = Backend()
        backend.refuses = frozenset({"held 1", "b"})
        assert self.losses(left, backend) == {"permanent": 1, "undecided": 1}
        assert dict(look(left).letters) == {"permanent": 2}

    @pytest.mark.parametrize(("lane", "reason"), [(HELD, "undecided"), (ORDINARY, "corrupt")])
    def test_it_is_damaged(self, left: Path, lane: int, reason: str) -> None:
        """Which numbers were in a damaged piece nobody knows: where one of held records is, they may be those."""
        (file,) = (path for path in left.rglob("*.seg") if parse_name(path.name)[1] == lane)  # type: ignore[index]
        file.write_bytes(file.read_bytes().replace(b"held 1", b"HELD 1").replace(b"order.paid", b"ORDER.PAID", 1))
        assert self.losses(left, Backend()) == {reason: 1}

    def test_its_record_cannot_be_read(self, left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its frame is whole, and what is in it is none of ours."""

        def decode(kind: int, payload: bytes, source: Any) -> ReadableLogRecord:
            if b"held 1" in payload:
                raise CorruptError("no record")
            return decode_record(kind, payload, source)

        monkeypatch.setattr("otel_spool.backlog.decode_record", decode)
        assert self.losses(left, Backend()) == {"undecided": 1}

    def test_a_batch_of_it_is_damaged(self, left: Path) -> None:
        """It was being sent when the next process died, too."""
        dead = Backend(is_open=False)
        drain = Drain(dead, left, options=KEEPING)
        drain.run(0.1)
        (file,) = (path for path in left.rglob("*.seg") if parse_name(path.name)[1] == HELD)  # type: ignore[index]
        file.write_bytes(file.read_bytes().replace(b"held 1", b"HELD 1").replace(b"held 2", b"HELD 2"))
        assert self.losses(left, Backend())["undecided"] == 2
