"""What the doctor says of the spool on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from activitylog.store.doctor import Severity, Verdict, spool_checks
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Skip
from activitylog.store.doctor.spool import SpoolPlace, file_system_of, judge_left, judge_place
from otel_spool import look
from tests.otel_spool.spools import Backend, Process, left_by_a_process

EXAMINED: Examined = None  # type: ignore[assignment]  # these checks ask no database
MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:25 / /run rw,nosuid - tmpfs tmpfs rw
31 30 0:26 / /run/disk\040one rw - xfs /dev/sdb rw
32 22 0:27 / /merged rw - overlay overlay rw
33 22 0:28 / /merged rw - btrfs /dev/sdc rw
"""


def left(directory: Path) -> Verdict:
    return judge_left(look(directory))


class TestLeft:
    def test_no_spool_is_skipped(self, tmp_path: Path) -> None:
        """Nothing was ever written on this machine."""
        for check in spool_checks(tmp_path / "none", 1000):
            with pytest.raises(Skip, match="no spool"):
                check.ask(EXAMINED)

    def test_an_empty_one_is_fine(self, tmp_path: Path) -> None:
        """So is one whose process lives."""
        assert left(tmp_path).severity is Severity.OK
        process = Process(Backend(is_open=False), tmp_path)
        process.emit("a")
        assert (left(tmp_path).severity, left(tmp_path).found) == (Severity.OK, "1 event waits for its process")
        process.leave()

    def test_orphans_are_drained(self, tmp_path: Path) -> None:
        """How many, and the command."""
        left_by_a_process(tmp_path, "a", "b")
        verdict = left(tmp_path)
        assert (verdict.severity, verdict.found) == (Severity.WARNING, "dead processes left 2 events")
        assert verdict.do == ("activitylog spool drain --url URL",)

    def test_letters_and_quarantine_are_told_as_well(self, tmp_path: Path) -> None:
        """All of it in one finding."""
        backend = Backend()
        backend.refuses = frozenset({"poison"})
        process = Process(backend, tmp_path)
        process.emit("poison")
        assert process.processor.flush(10).complete
        process.leave()
        (tmp_path / "quarantine").mkdir()
        (tmp_path / "quarantine" / "piece").touch()
        verdict = left(tmp_path)
        assert verdict.severity is Severity.WARNING
        assert verdict.found == "the store has refused 1 event for good"
        assert verdict.details == (
            "permanent: 1",
            "something of the spool cannot be read: 1 piece in quarantine",
        )
        assert "activitylog spool drain --dead-letters --url URL" in verdict.do

    def test_damage_in_a_segment_is_told_before_anybody_sends_it(self, tmp_path: Path) -> None:
        """By the checksums."""
        left_by_a_process(tmp_path, "a")
        (segment,) = tmp_path.rglob("*.seg")
        data = bytearray(segment.read_bytes())
        data[-5] ^= 1
        segment.write_bytes(data)
        assert left(tmp_path).found == "something of the spool cannot be read: 1 damaged piece in segments"


class TestPlace:
    def place(self, **values: object) -> SpoolPlace:
        known = {"file_system": "ext4", "bytes": 10, "max_bytes": 100, "free_bytes": 1000} | values
        return SpoolPlace(directory=Path("/spool"), **known)  # type: ignore[arg-type]

    def test_a_disk_with_room_is_fine(self) -> None:
        """Nothing to do."""
        assert judge_place(self.place()).severity is Severity.OK

    @pytest.mark.parametrize("file_system", ["tmpfs", "overlay"])
    def test_a_place_that_does_not_last_is_warned_of(self, file_system: str) -> None:
        """Memory, or the container's own layer."""
        verdict = judge_place(self.place(file_system=file_system))
        assert verdict.severity is Severity.WARNING
        assert "spool_directory" in verdict.do[0]

    def test_a_spool_nearly_full_is_warned_of(self) -> None:
        """Before anything is dropped."""
        assert judge_place(self.place(bytes=80)).severity is Severity.OK
        verdict = judge_place(self.place(bytes=81))
        assert (verdict.severity, verdict.found) == (
            Severity.WARNING,
            "the spool is 81% full: 0.0 MiB of 0.0 MiB",
        )

    def test_a_disk_without_the_room_that_was_promised_is_warned_of(self) -> None:
        """The spool may grow further than the disk goes."""
        assert judge_place(self.place(free_bytes=90)).severity is Severity.OK
        assert judge_place(self.place(free_bytes=89)).severity is Severity.WARNING
        assert judge_place(self.place(free_bytes=None)).severity is Severity.OK


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/me", "ext4"),
        ("/run/me", "tmpfs"),
        ("/running", "ext4"),
        ("/run/disk one/x", "xfs"),
        ("/merged/x", "btrfs"),
    ],
)
def test_the_file_system_is_the_innermost_mount(path: str, expected: str) -> None:
    """Names are whole ones, escapes are read, the later mount is on top."""
    assert file_system_of(Path(path), MOUNTS) == expected


def test_the_file_system_of_this_machine_has_a_name() -> None:
    """As the system says."""
    assert file_system_of(Path("/proc")) == "proc"
    assert file_system_of(Path("/x"), "nonsense\n") == ""
