"""What is kept and what gives way, what is adopted, and that the counts add up after every step."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_delivery import Answer
from otel_spool import adopted, codec
from otel_spool.exceptions import FolderError
from otel_spool.filesystem import LocalFileSystem, Lock
from otel_spool.folder import Entry, Folder, new_folder, orphans
from otel_spool.options import SpoolOptions
from otel_spool.segment import Contents, Segment
from otel_spool.spool import Spool
from otel_spool.writer import NotWritten
from tests.leaving_out import leave_out
from tests.otel_spool.backend import Backend
from tests.otel_spool.failing_disk import FailingFileSystem
from tests.otel_spool.producer import Producer, deliver_the_rest
from tests.otel_spool.records import TIME_NS, number_of, record
from tests.waiting import wait_until

SMALL = SpoolOptions(segment_bytes=4096, max_bytes=20_000)


def _fill(producer: Producer, numbers: Iterable[int], *, important: bool = False) -> list[Entry | NotWritten]:
    got: list[Entry | NotWritten] = []
    for number in numbers:
        got.append(producer.append(record(number, text="x" * 300, important=important)))
        assert producer.counts_add_up()
        assert producer.spool.room.size_bytes() <= producer.spool.options.max_bytes
    return got


class _DiskOfSomebody(LocalFileSystem):
    """A disk on which one folder belongs to user 12345."""

    def __init__(self, theirs: Path) -> None:
        super().__init__()
        self._theirs = theirs

    def owner(self, path: Path) -> int:
        return 12345 if path == self._theirs else super().owner(path)


def _given_away(folder: Path) -> LocalFileSystem:
    """The disk, after a folder was given to user 12345; who is not root sees it as if it were."""
    if os.geteuid() != 0:
        return _DiskOfSomebody(folder)
    os.chown(folder, 12345, 12345)
    return LocalFileSystem()


def _rest(directory: Path, options: SpoolOptions = SMALL) -> list[int]:
    backend = Backend()
    deliver_the_rest(directory, backend, options)
    assert all(times == 1 for times in backend.rows.values())
    return sorted(backend.rows)


def _damage(segment: Path, position: int) -> None:
    """One bit of an event is another; two frames before the first tell of its resource and its scope."""
    data = bytearray(segment.read_bytes())
    places = [at for at in range(len(data)) if data.startswith(b"\xa5\x53\x01", at)]
    data[places[2 + position] + 40] ^= 1
    segment.write_bytes(data)


class TestOverflow:
    """A full spool."""

    def test_the_newest_gives_way(self, tmp_path):
        """Under drop_newest what is there stays, and each new event is told that there is no room."""
        producer = Producer(tmp_path, Backend(), SpoolOptions(**_of(SMALL), overflow="drop_newest"))
        producer.spool.writer.deferring = True
        got = _fill(producer, range(100))
        kept = [isinstance(entry, Entry) for entry in got]
        assert kept == sorted(kept, reverse=True)
        assert set(got[sum(kept) :]) == {NotWritten.FULL}
        producer.spool.close()
        assert _rest(tmp_path) == list(range(sum(kept)))

    def test_the_oldest_gives_way(self, tmp_path):
        """Under drop_oldest every new event is written, and whole segments go from the other end."""
        producer = Producer(tmp_path, Backend(), SMALL)
        producer.spool.writer.deferring = True
        assert all(isinstance(entry, Entry) for entry in _fill(producer, range(200)))
        dropped = producer.spool.accounts.own.dropped["spool_full"]
        producer.spool.close()
        assert _rest(tmp_path) == list(range(dropped, 200))
        assert 120 < dropped < 170

    def test_ordinary_events_go_first(self, tmp_path):
        """Important ones go only when nothing else is left, and only for important ones."""
        producer = Producer(tmp_path, Backend(), SMALL)
        producer.spool.writer.deferring = True
        _fill(producer, range(20))
        assert all(isinstance(entry, Entry) for entry in _fill(producer, range(20, 65), important=True))
        assert producer.spool.accounts.own.dropped == {"spool_full": 20}
        producer.spool.room.of_others = 20_000 - producer.spool.room.size_bytes()
        assert set(_fill(producer, range(100, 105))) == {NotWritten.FULL}
        dropped = dict(producer.spool.accounts.own.dropped)
        assert dropped == {"spool_full": 20}
        producer.spool.room.of_others = 0
        assert all(isinstance(entry, Entry) for entry in _fill(producer, range(65, 90), important=True))
        assert producer.spool.accounts.own.dropped["spool_full"] > dropped["spool_full"]
        producer.spool.close()
        left = _rest(tmp_path)
        assert left == list(range(left[0], 90))
        assert left[0] > 20

    def test_what_is_in_memory_too_is_not_dropped(self, tmp_path):
        """Nor what is being sent; then the new event gives way."""
        producer = Producer(tmp_path, Backend(), SMALL)
        got = _fill(producer, range(80))
        assert got[-1] is NotWritten.FULL
        assert producer.spool.accounts.own.dropped == {}
        producer.spool.writer.deferring = True
        producer.spool.defer_all()
        producer.send_backlog(["error"])
        folder = producer.spool.writer.folder
        assert folder is not None
        frozen = [segment for segment in folder.segments.values() if segment.frozen]
        assert len(frozen) == 1
        _fill(producer, range(80, 200))
        assert folder.has(frozen[0])

    def test_an_event_that_never_fits(self, tmp_path):
        """Nothing is dropped for it."""
        producer = Producer(tmp_path, Backend(), SMALL)
        producer.spool.writer.deferring = True
        _fill(producer, range(30))
        before = dict(producer.spool.accounts.own.dropped)
        assert producer.append(record(99, text="x" * 30_000)) is NotWritten.FULL
        assert producer.spool.accounts.own.dropped == before

    def test_nobody_waits_for_what_never_fits(self, tmp_path):
        """Under block such an event gives way at once."""
        options = SpoolOptions(**_of(SMALL), overflow="block", overflow_timeout_seconds=60)
        producer = Producer(tmp_path, Backend(), options)
        began = time.monotonic()
        assert producer.append(record(99, text="x" * 30_000)) is NotWritten.FULL
        assert time.monotonic() - began < 30

    def test_bytes_of_others_count(self, tmp_path):
        """Nothing of ours is dropped where that would not make room."""
        producer = Producer(tmp_path, Backend(), SMALL)
        producer.spool.writer.deferring = True
        _fill(producer, range(10))
        producer.spool.room.of_others = 20_000
        assert producer.append(record(99)) is NotWritten.FULL
        assert producer.spool.accounts.own.dropped == {}

    def test_block_waits_for_room(self, tmp_path):
        """A thread that waits goes on as soon as events are delivered; without that, after the time-out."""
        options = SpoolOptions(**_of(SMALL), overflow="block", overflow_timeout_seconds=30)
        producer = Producer(tmp_path, Backend(), options)
        producer.spool.writer.deferring = True
        while producer.spool.room.size_bytes() < 19_000:
            producer.append(record(1, text="x" * 300))
        got: list[object] = []
        waiting = threading.Thread(target=lambda: got.append(producer.spool.append(record(2, text="x" * 900))))
        waiting.start()
        wait_until(lambda: producer.spool.space._waiters)  # type: ignore[attr-defined]
        producer.send_backlog(["ack"] * 100)
        waiting.join(10)
        assert isinstance(got[0], Entry)

    def test_what_waits_for_room_is_written_to_another_folder(self, tmp_path):
        """Another thread shuts down meanwhile; there, the numbers of what it replaces are other events'."""
        options = SpoolOptions(**_of(SMALL), overflow="block", overflow_timeout_seconds=60)
        producer = Producer(tmp_path, Backend(), options)
        producer.spool.writer.deferring = True
        held = [entry for n in range(3) if (entry := producer.spool.hold(record(n)))]
        written = {100, 101, 102, 103}
        while producer.spool.room.has(600):
            written.add(number := 200 + len(written))
            producer.append(record(number, text="x" * 300))
        decided = threading.Thread(target=producer.spool.append, args=(record(100, text="x" * 900),),
                                   kwargs={"replaces": held})  # fmt: skip
        decided.start()
        space = producer.spool.space
        wait_until(lambda: space._waiters)  # type: ignore[attr-defined]
        producer.spool.close()
        with space:
            space.notify_all()
        decided.join(10)
        for number in (101, 102, 103):
            assert isinstance(producer.append(record(number)), Entry)
        assert producer.spool.unsent() == len(written)
        producer.die()
        assert written <= set(_rest(tmp_path))

    @pytest.mark.slow
    def test_block_gives_up(self, tmp_path):
        """After its time."""
        options = SpoolOptions(**_of(SMALL), overflow="block", overflow_timeout_seconds=0.05)
        producer = Producer(tmp_path, Backend(), options)
        producer.spool.writer.deferring = True
        _fill(producer, range(60))
        assert producer.append(record(99, text="x" * 900)) is NotWritten.FULL

    def test_what_was_given_up_is_not_counted_again(self, tmp_path):
        """The next process sees the gap in the numbers, and knows why."""
        producer = Producer(tmp_path, Backend(), SMALL)
        producer.spool.writer.deferring = True
        _fill(producer, range(100))
        producer.die()
        last = deliver_the_rest(tmp_path, Backend(), SMALL)
        assert last.spool.accounts.recovered.dropped == {}


def _of(options: SpoolOptions) -> dict[str, Any]:
    return {"segment_bytes": options.segment_bytes, "max_bytes": options.max_bytes}


class TestAge:
    """Events that are too old."""

    def test_they_expire(self, tmp_path):
        """They are given up by the segment, and counted."""
        producer = Producer(tmp_path, Backend(), SMALL)
        producer.spool.writer.deferring = True
        _fill(producer, range(10))
        producer.now_ns += int(8 * 24 * 3600 * 1e9)
        _fill(producer, range(10, 13))
        producer.spool.writer.seal_all()
        assert producer.send_backlog(["ack"] * 9)
        assert producer.spool.accounts.own.dropped == {"expired": 10 + 3 - len(producer.backend.rows)}
        assert producer.counts_add_up()

    def test_a_fresh_event_behind_an_old_one(self, tmp_path):
        """What a long-lived process has written just now is not given up by the next one with what came before."""
        backend = Backend()
        long_lived = Producer(tmp_path, backend, SMALL)
        long_lived.append(record(1))
        long_lived.now_ns += int((SMALL.max_age_seconds - 1) * 1e9)
        long_lived.append(record(2))
        long_lived.die()
        now_ns = long_lived.now_ns + 2 * 3600 * 10**9
        last = deliver_the_rest(tmp_path, backend, SMALL, now_ns=now_ns)
        assert dict(backend.rows) == {2: 1}
        assert last.spool.accounts.recovered.dropped == {"expired": 1}

    @pytest.mark.slow
    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(-150, 250) | st.integers(-2000, 2000), st.booleans()), max_size=12),
        st.integers(-1500, 2500),
        st.booleans(),
    )
    def test_whatever_the_clock_does(self, events, later, by_itself):
        """No event younger than the limit is given up; everything is that is older by a segment's age or two."""
        options = SpoolOptions(segment_bytes=4096, max_bytes=10**6, max_age_seconds=1000)
        with TemporaryDirectory() as folder:
            backend = Backend()
            producer = Producer(Path(folder), backend, options)
            producer.spool.writer.deferring = by_itself
            written: dict[int, int] = {}
            for number, (jump, important) in enumerate(events):
                producer.now_ns += jump * 10**9
                producer.append(record(number, important=important))
                written[number] = producer.now_ns
            now_ns = producer.now_ns = producer.now_ns + later * 10**9
            if by_itself:
                assert producer.send_backlog([])
                assert producer.counts_add_up()
                dropped = producer.spool.accounts.own.dropped
            producer.die()
            if not by_itself:
                last = deliver_the_rest(Path(folder), backend, options, now_ns=now_ns)
                dropped = last.spool.accounts.recovered.dropped
        ages = {number: (now_ns - at_ns) / 1e9 for number, at_ns in written.items()}
        # The clock may have been set back behind the beginning of a segment.
        margin = 100 if all(jump >= 0 for jump, _ in events) else 200
        assert {number for number, age in ages.items() if age <= 1000} <= set(backend.rows)
        assert {number for number, age in ages.items() if age > 1000 + margin}.isdisjoint(backend.rows)
        assert sum(backend.rows.values()) + dropped.get("expired", 0) == len(events)

    @pytest.mark.parametrize("jump_seconds", [-3600.0, -60 * 365 * 24 * 3600.0])
    def test_a_clock_that_jumps_back(self, jump_seconds, tmp_path):
        """What seems to come from the future is delivered like the rest."""
        producer = Producer(tmp_path, Backend(), SMALL)
        producer.spool.writer.deferring = True
        _fill(producer, range(5))
        producer.now_ns = max(producer.now_ns + int(jump_seconds * 1e9), 0)
        _fill(producer, range(5, 10))
        assert producer.send_backlog(["ack"] * 9)
        assert sorted(producer.backend.rows) == list(range(10))

    def test_a_machine_that_did_not_know_the_time(self, tmp_path):
        """Events of 1970 are not too old when the clock is set."""
        producer = Producer(tmp_path, Backend(), SMALL)
        producer.spool.writer.deferring = True
        producer.now_ns = 10**9
        _fill(producer, range(5))
        producer.now_ns = TIME_NS
        assert producer.send_backlog(["ack"] * 9)
        assert sorted(producer.backend.rows) == list(range(5))


class TestLeftOnDisk:
    """Events that were to be sent from memory, and were not."""

    @pytest.mark.parametrize("answer", ["elsewhere", "error", "stored"])
    def test_a_batch_without_an_answer_is_sent_again(self, answer, tmp_path):
        """By this very process, with its token, also when nothing is for the backlog; what is fresh is not."""
        producer = Producer(tmp_path, Backend(), SMALL)
        _fill(producer, range(6))
        producer.send_live(4, [answer])
        assert producer.send_backlog([])
        assert dict(producer.backend.rows) == dict.fromkeys(range(4), 1)
        assert producer.spool.unsent() == 2
        producer.send_live(2, [])
        assert dict(producer.backend.rows) == dict.fromkeys(range(6), 1)
        assert producer.backend.violations == []
        assert producer.counts_add_up()

    def test_batches_are_sent_again_in_their_turn(self, tmp_path):
        """Several of them; one that is still without an answer waits for the next round."""
        producer = Producer(tmp_path, Backend(), SMALL)
        _fill(producer, range(9))
        for _ in range(3):
            producer.send_live(3, ["elsewhere"])
        assert not producer.send_backlog(["ack", "elsewhere"])
        assert sorted(producer.backend.rows) == [0, 1, 2]
        assert producer.send_backlog([])
        assert dict(producer.backend.rows) == dict.fromkeys(range(9), 1)
        assert len(producer.backend.stored) == 3
        assert producer.spool.unsent() == 0

    def test_events_that_nobody_has_in_memory(self, tmp_path):
        """They are for the backlog from then on; what is undecided stays that."""
        producer = Producer(tmp_path, Backend(), SMALL)
        held = producer.spool.hold(record(99))
        assert isinstance(held, Entry)
        _fill(producer, range(30))
        producer.live.clear()
        assert producer.send_backlog([])
        assert not producer.backend.rows
        producer.spool.defer_stranded()
        assert producer.send_backlog([])
        assert dict(producer.backend.rows) == dict.fromkeys(range(30), 1)
        assert producer.spool.unsent() == 0
        assert producer.counts_add_up()
        assert held.segment.path.exists()


class TestAdoption:
    """What dead processes left."""

    def _dead(self, tmp_path: Path, numbers: Iterable[int], script: list[str] | None = None) -> Producer:
        dead = Producer(tmp_path, Backend(), SMALL)
        _fill(dead, numbers)
        if script is not None:
            dead.send_live(3, script)
        dead.die()
        return dead

    def test_a_process_that_closes_leaves_what_it_has_not_read(self, tmp_path):
        """Adopted, and let go without a look: everything is there for the next."""
        self._dead(tmp_path, range(20))
        second = Producer(tmp_path, Backend(), SMALL)
        assert second.spool.adopted.take() == 1
        second.spool.close()
        assert _rest(tmp_path) == list(range(20))

    def test_processes_with_the_same_id_have_other_tokens(self, tmp_path):
        """In a container every process has the id 1: what a second one sends is not what the first sent."""
        backend = Backend()
        for start in (0, 10, 20):
            process = Producer(tmp_path, backend, SMALL)
            process.spool.adopted.take()
            process.send_backlog(["ack"])
            _fill(process, range(start, start + 10))
            process.send_live(2, ["ack"])
            process.die()
        deliver_the_rest(tmp_path, backend, SMALL)
        assert sorted(backend.rows) == list(range(30))
        assert set(backend.rows.values()) == {1}

    def test_folders_are_adopted_some_at_a_time(self, tmp_path):
        """Each costs file descriptors; a hundred dead processes do not take those of the application."""
        for start in range(0, 40, 2):
            self._dead(tmp_path, range(start, start + 2))
        live = Producer(tmp_path, Backend(), SMALL)
        before = len(list(Path("/proc/self/fd").iterdir()))
        assert live.spool.adopted.take() == adopted._MOST == 16
        assert live.spool.adopted.take() == 0
        assert len(list(Path("/proc/self/fd").iterdir())) - before <= 32
        live.spool.close()
        assert _rest(tmp_path) == list(range(40))

    def test_a_folder_that_is_left_has_no_reserve(self, tmp_path):
        """A process that cannot deliver leaves many; whoever takes one over has a reserve in it again."""
        idle = Producer(tmp_path, Backend(), SMALL)
        _fill(idle, range(3))
        (folder,) = tmp_path.iterdir()
        assert (folder / "reserve").exists()
        idle.spool.leave()
        assert not (folder / "reserve").exists()
        live = Producer(tmp_path, Backend(), SMALL)
        assert live.spool.adopted.take() == 1
        assert (folder / "reserve").exists()
        live.die()
        assert _rest(tmp_path) == [0, 1, 2]

    def test_a_folder_that_only_others_can_read(self, tmp_path, monkeypatch):
        """It is in MessagePack, and msgspec is not installed here: it is let go of, and not taken again."""
        if codec._unpack is None:
            leave_out("msgspec is not installed")
        self._dead(tmp_path, range(3))
        (folder,) = tmp_path.iterdir()
        with monkeypatch.context() as without_msgspec:
            without_msgspec.setattr(codec, "_msgpack", None)
            without_msgspec.setattr(codec, "_unpack", None)
            lacking = Producer(tmp_path, Backend(), SMALL)
            assert lacking.spool.adopted.take() == 1
            assert lacking.send_backlog([])
            assert len(lacking.spool.adopted) == 0
            assert lacking.spool.adopted.take() == 0
            _fill(lacking, [3])
            self._dead(tmp_path, [4])
            assert lacking.spool.adopted.take() == 1
            assert lacking.send_backlog([])
            assert dict(lacking.backend.rows) == {4: 1}
            assert folder.exists()
        live = Producer(tmp_path, Backend(), SMALL)
        assert live.spool.adopted.take() == 1
        assert live.send_backlog([])
        assert dict(live.backend.rows) == dict.fromkeys(range(3), 1)
        assert lacking.spool.accounts.recovered.dropped == {}

    def test_a_folder_that_is_held_is_left_alone(self, tmp_path):
        """By its flock, which another open file does not get."""
        live = Producer(tmp_path, Backend(), SMALL)
        _fill(live, range(3))
        assert Producer(tmp_path, Backend(), SMALL).spool.adopted.take() == 0

    def test_held_events_wait_for_what_takes_their_place(self, tmp_path):
        """Its segment cannot be read for a moment, and the journal does not know of it: the process was killed."""
        dead = Spool(tmp_path, SMALL)
        held = [dead.hold(record(number)) for number in (1, 2)]
        dead.forget = lambda held: None  # type: ignore[method-assign]
        dead.append(record(3), replaces=[entry for entry in held if entry is not None])
        dead.abandon()
        failures = [OSError(errno.EMFILE, "Too many open files")]

        class Busy(LocalFileSystem):
            def read(self, path: Path) -> bytes:
                if failures and path.name.endswith(".0.seg"):
                    raise failures.pop()
                return super().read(path)

        backend = Backend()
        live = Producer(tmp_path, backend, SMALL, Busy())
        assert live.spool.adopted.take() == 1
        assert not live.send_backlog([])
        assert dict(backend.rows) == {}
        assert live.send_backlog([])
        assert dict(backend.rows) == {3: 1}
        live.spool.close()

    def test_a_segment_is_measured_in_one_step(self, tmp_path):
        """Who closes the folder in between would take it for one without events, and remove it."""
        inside: list[bool] = []

        class Watched(list[Any]):
            def __len__(self) -> int:
                inside.append(live.spool.is_inside())
                return super().__len__()

        def read(segment: Segment) -> Contents:
            contents = Folder.read(folder, segment)
            contents.events = Watched(contents.events)
            return contents

        self._dead(tmp_path, range(3))
        live = Producer(tmp_path, Backend(), SMALL)
        live.spool.adopted.take()
        (folder,) = live.spool.adopted
        folder.read = read  # type: ignore[method-assign]
        assert live.send_backlog(["ack"] * 9)
        assert inside
        assert all(inside)
        live.spool.close()

    def test_a_folder_that_is_being_made_is_no_orphan(self, tmp_path):
        """This process makes its folders, and asks for the locks of others, under one lock."""

        class WatchedFileSystem(LocalFileSystem):
            def lock(self, path: Path) -> Lock | None:
                inside.append(live.spool.is_inside())
                return super().lock(path)

        inside: list[bool] = []
        self._dead(tmp_path, range(3))
        live = Producer(tmp_path, Backend(), SMALL, WatchedFileSystem())
        assert live.spool.adopted.take() == 1
        _fill(live, range(3, 5))
        assert inside == [True, True]
        live.spool.close()

    def test_names_that_are_not_ours(self, tmp_path):
        """Files, links and folders of other names are not touched."""
        (tmp_path / "notes").mkdir()
        (tmp_path / "0123456789abcdef-000001").write_text("a file")
        (tmp_path / "fedcba9876543210-000001").symlink_to(tmp_path / "notes")
        (tmp_path / "0123456789ABCDEF-000002").mkdir()
        live = Producer(tmp_path, Backend(), SMALL)
        assert live.spool.adopted.take() == 0
        assert len(list(tmp_path.iterdir())) == 4

    def test_folders_of_other_users(self, tmp_path):
        """They are left alone, and a spool of another user is refused."""
        self._dead(tmp_path, range(3))
        (folder,) = tmp_path.iterdir()
        files = _given_away(folder)
        assert Producer(tmp_path, Backend(), SMALL, files).spool.adopted.take() == 0
        files = _given_away(tmp_path)
        with pytest.raises(FolderError, match=f"is not a folder of user {os.geteuid()}"):
            Spool(tmp_path, SMALL, filesystem=files)

    def test_a_lock_that_is_a_link(self, tmp_path):
        """Nothing is opened through symbolic links."""
        self._dead(tmp_path, range(3))
        (folder,) = tmp_path.iterdir()
        (folder / "lock").unlink()
        (folder / "lock").symlink_to(tmp_path / "elsewhere")
        assert Producer(tmp_path, Backend(), SMALL).spool.adopted.take() == 0
        assert not (tmp_path / "elsewhere").exists()

    def test_a_folder_without_a_lock(self, tmp_path):
        """The seed is in every segment, too."""
        self._dead(tmp_path, range(20), ["stored"])
        (folder,) = tmp_path.iterdir()
        (folder / "lock").unlink()
        assert _rest(tmp_path) == list(range(20))

    def test_a_folder_with_damaged_headers(self, tmp_path):
        """One header that can be read is enough."""
        self._dead(tmp_path, range(40))
        (folder,) = tmp_path.iterdir()
        *damaged, last = sorted(
            [folder / "lock", *folder.glob("*.seg")], key=lambda path: (path.name != "lock", path)
        )
        for path in damaged:
            data = bytearray(path.read_bytes())
            data[10] ^= 1
            path.write_bytes(data)
        assert last.name.endswith(".seg")
        assert _rest(tmp_path) == list(range(40))

    def test_a_folder_of_which_nothing_can_be_read(self, tmp_path):
        """It is put aside, with its name and its time, and told once."""
        self._dead(tmp_path, range(3))
        (folder,) = tmp_path.iterdir()
        for path in folder.iterdir():
            path.write_bytes(b"\xff" * 100)
        live = Producer(tmp_path, Backend(), SMALL)
        live.spool.adopted.take()
        assert live.spool.adopted.take() == 0
        assert [path.name for path in tmp_path.iterdir()] == ["quarantine"]
        assert [path.name for path in (tmp_path / "quarantine").iterdir()] == [f"{TIME_NS:020d}-{folder.name}"]
        assert live.spool.quarantine.pieces == 1

    def test_an_empty_folder_is_removed(self, tmp_path):
        """What a process leaves that was killed before its first event."""
        (tmp_path / "0123456789abcdef-000001").mkdir()
        assert _rest(tmp_path) == []
        assert list(tmp_path.iterdir()) == []

    def test_quarantine_is_bounded(self, tmp_path):
        """The oldest goes; the spool is not full of what nobody can read."""
        ticks = itertools.count(TIME_NS)
        spool = Spool(tmp_path, SMALL, now_ns=lambda: next(ticks))
        for n in range(20):
            spool.quarantine.keep(f"piece-{n}", b"x" * 500)
        spool.quarantine.keep("huge", b"x" * 100_000)
        names = sorted(path.name.partition("-")[2] for path in (tmp_path / "quarantine").iterdir())
        assert names == ["huge"]
        assert sum(path.stat().st_size for path in (tmp_path / "quarantine").iterdir()) <= 2500

    @pytest.mark.parametrize("attempts", [["stored"], ["error"]])
    def test_a_frozen_batch_with_damage(self, attempts, tmp_path):
        """What is left of it goes with its token: exactly once, whether it had arrived or not."""
        backend = Backend()
        dead = Producer(tmp_path, backend, SMALL)
        _fill(dead, range(6))
        dead.send_live(4, attempts)
        dead.die()
        (path,) = tmp_path.glob("*/*.seg")
        _damage(path, 1)
        last = deliver_the_rest(tmp_path, backend, SMALL)
        assert backend.violations == []
        lost = set() if attempts == ["stored"] else {1}
        assert dict(backend.rows) == dict.fromkeys(set(range(6)) - lost, 1)
        assert last.spool.accounts.recovered.dropped == {"corrupt": 1}
        assert last.spool.quarantine.pieces == 1

    @pytest.mark.parametrize("noted", [True, False], ids=["noted", "the journal lost it"])
    @pytest.mark.parametrize("poison", [1, 5])
    def test_a_batch_in_halves_with_damage(self, poison, noted, tmp_path):
        """
        No half of what is left is taken for one that was sent, nor sent twice.

        The journal forgets what it was told last when the power goes and durability is ``process``.
        """
        backend = Backend()
        backend.poison = frozenset({poison})
        dead = Producer(tmp_path, backend, SMALL)
        _fill(dead, range(8))
        dead.send_live(8, ["stored"])
        assert backend.rows
        before = set(backend.rows)
        dead.die()
        (segment,) = tmp_path.glob("*/*.seg")
        for number in (1, 2):
            _damage(segment, number)
        (journal,) = tmp_path.glob("*/journal")
        if not noted:
            data = journal.read_bytes()
            journal.write_bytes(data[: data.index(b"\xa5", data.index(b'"ns"'))])
        deliver_the_rest(tmp_path, backend, SMALL)
        assert backend.violations == []
        assert dict(backend.rows) == dict.fromkeys(before | (set(range(8)) - {1, 2, poison}), 1)

    @pytest.mark.parametrize("killed_in_between", [False, True])
    def test_a_damaged_journal(self, killed_in_between, tmp_path):
        """What may have been sent is sent with the request to look first; also by the process after the next."""
        backend = Backend()
        dead = Producer(tmp_path, backend, SMALL)
        _fill(dead, range(6))
        dead.send_live(4, ["stored"])
        dead.die()
        (path,) = tmp_path.glob("*/journal")
        data = bytearray(path.read_bytes())
        data[30] ^= 1
        path.write_bytes(data)
        if killed_in_between:
            second = Producer(tmp_path, backend, SMALL)
            second.spool.adopted.take()
            assert not second.send_backlog(["error"])
            second.die()
        last = deliver_the_rest(tmp_path, backend, SMALL)
        assert dict(backend.rows) == dict.fromkeys(range(6), 1)
        assert last.spool.accounts.recovered.dropped == {}

    def test_every_bit_of_a_segment(self, tmp_path):
        """One flipped bit costs at most one event, and never makes one up."""
        self._dead(tmp_path / "original", range(3))
        (path,) = (tmp_path / "original").glob("*/*.seg")
        data = path.read_bytes()
        for at in range(0, len(data), 7):
            copy = tmp_path / str(at) / path.parent.name
            copy.mkdir(parents=True)
            spoiled = bytearray(data)
            spoiled[at] ^= 1 << at % 8
            (copy / path.name).write_bytes(spoiled)
            (copy / "lock").write_bytes((path.parent / "lock").read_bytes())
            backend = Backend()
            last = deliver_the_rest(tmp_path / str(at), backend, SMALL)
            lost = last.spool.accounts.recovered.dropped.get("corrupt", 0)
            in_source = lost == 3
            assert set(backend.rows) <= {0, 1, 2}
            assert len(backend.rows) >= 2 or in_source, at


class TestSyncing:
    """Durable events."""

    def test_a_signal_handler_that_syncs_while_another_threads_sync_fails(self, tmp_path):
        """It is inside the spool's lock, which the other one must not wait for."""
        failing, inside = threading.Event(), threading.Event()

        def fails(_: object) -> bool:
            failing.set()
            inside.wait(10)
            return True

        files = FailingFileSystem(errno.EIO, fails, only={"sync_file"})
        spool = Spool(tmp_path, SpoolOptions(durability="power"), filesystem=files)
        spool.append(record(1))

        def sync() -> None:
            with suppress(OSError):
                spool.sync()

        def handle() -> None:
            with spool.lock:  # of the emit that was interrupted
                inside.set()
                sync()

        threads = [threading.Thread(target=sync, daemon=True), threading.Thread(target=handle, daemon=True)]
        threads[0].start()
        assert failing.wait(10)
        threads[1].start()
        for thread in threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in threads)

    def test_an_error_is_told_to_those_it_concerns(self, tmp_path):
        """And what comes later is in another file, for after an error the system calls everything synced."""
        disk = FailingFileSystem(errno.EIO, only={"sync_file"})
        spool = Spool(tmp_path, SMALL, filesystem=disk)
        first = spool.append(record(1))
        assert isinstance(first, Entry)
        assert spool.make_durable(first)
        disk.broken = True
        second = spool.append(record(2))
        assert isinstance(second, Entry)
        assert second.segment is first.segment
        assert not spool.make_durable(second)
        disk.broken = False
        third = spool.append(record(3))
        assert isinstance(third, Entry)
        assert third.segment is not first.segment
        assert spool.make_durable(third)
        assert not spool.make_durable(second)

    def test_an_error_is_told_when_nobody_waits_for_it(self, tmp_path, caplog):
        """A handler of logging may wait for a thread that waits for the same sync, or for the spool."""
        disk = FailingFileSystem(errno.EIO, only={"sync_file"})
        spool = Spool(tmp_path, SpoolOptions(durability="power"), filesystem=disk)
        locked: list[bool] = []

        class Handler(logging.Handler):
            def emit(self, _: logging.LogRecord) -> None:
                locked.append(spool._syncing._commit._lock.locked() or spool.is_inside())

        logger = logging.getLogger("otel_spool")
        logger.addHandler(handler := Handler())
        try:
            disk.broken = True
            entry = spool.append(record(1))
            assert isinstance(entry, Entry)
            assert not spool.make_durable(entry)
        finally:
            logger.removeHandler(handler)
        assert locked == [False]
        assert "written, but not synced" in caplog.text

    def test_too_many_open_files(self, tmp_path):
        """The medium was not even asked: the next sync may still do it."""
        disk = FailingFileSystem(errno.EMFILE)
        spool = Spool(tmp_path, SMALL, filesystem=disk)
        entry = spool.append(record(1))
        assert isinstance(entry, Entry)
        disk.broken = True
        assert not spool.make_durable(entry)
        disk.broken = False
        assert spool.make_durable(entry)

    def test_what_was_delivered_meanwhile(self, tmp_path):
        """Is as durable as can be; what somebody else has removed is not."""
        producer = Producer(tmp_path, Backend(), SMALL)
        entry = producer.append(record(1))
        assert isinstance(entry, Entry)
        producer.spool.writer.seal_all()
        producer.send_live(1, ["ack"])
        assert not entry.segment.path.exists()
        assert producer.spool.make_durable(entry)
        other = producer.append(record(2))
        assert isinstance(other, Entry)
        other.segment.path.unlink()
        assert not producer.spool.make_durable(other)

    def test_many_threads(self, tmp_path):
        """Threads that make events durable while another syncs: none of them is told wrongly, none raises."""
        spool = Spool(tmp_path, SpoolOptions(durability="power"))
        done: list[bool] = []
        stop = threading.Event()

        def keep_synced():
            while not stop.is_set():
                spool.sync()

        def emit():
            for n in range(40):
                entry = spool.append(record(n))
                assert isinstance(entry, Entry)
                done.append(spool.make_durable(entry))

        syncing = threading.Thread(target=keep_synced)
        threads = [threading.Thread(target=emit) for _ in range(4)]
        for thread in [syncing, *threads]:
            thread.start()
        for thread in threads:
            thread.join()
        stop.set()
        syncing.join()
        assert done == [True] * 160


def test_unlinking_fails(tmp_path):
    """Events whose file cannot be removed are not sent again, by this process or by the next."""
    disk = FailingFileSystem(errno.EACCES, only={"unlink"})
    disk.broken = True
    backend = Backend()
    producer = Producer(tmp_path, backend, SMALL, disk)
    producer.spool.writer.deferring = True
    _fill(producer, range(30))
    assert producer.send_backlog(["ack"] * 50)
    assert producer.spool.unsent() == 0
    assert producer.counts_add_up()
    assert len(list(tmp_path.glob("*/*.seg"))) >= 2
    producer.spool.close()
    producer.die()
    disk.broken = False
    deliver_the_rest(tmp_path, backend, SMALL)
    assert dict(backend.rows) == dict.fromkeys(range(30), 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES], ids=errno.errorcode.get)
@pytest.mark.parametrize("known", [False, True], ids=["not known yet", "known"])
def test_a_full_spool_whose_files_cannot_be_removed(error, known, tmp_path):
    """What is given up makes no room there: that is tried with one segment, and not if it is known."""
    disk = FailingFileSystem(error, only={"unlink"})
    producer = Producer(tmp_path, Backend(), SMALL, disk)
    if known:
        _fill(producer, range(100, 105))
        disk.broken = True
        producer.spool.writer.seal_all()
        producer.send_live(5, ["ack"])
    producer.spool.writer.deferring = True
    full = next(number for number in range(100) if _fill(producer, [number]) and not producer.spool.room.has(900))
    disk.broken = True
    refused = [entry for entry in _fill(producer, range(200, 240)) if entry is NotWritten.FULL]
    given_up = producer.spool.accounts.own.dropped.get("spool_full", 0)
    assert len(refused) > 30
    assert (given_up == 0) is known
    assert given_up < 12
    disk.broken = False
    assert all(isinstance(entry, Entry) for entry in _fill(producer, range(300, 303)))
    producer.die()
    dropped = producer.spool.accounts.own.dropped["spool_full"] if not known else 0
    assert dropped < 24
    left = set(_rest(tmp_path))
    assert set(range(dropped, full + 1)) <= left
    assert set(range(dropped)).isdisjoint(left)


def test_a_journal_stays_as_long_as_a_segment_is_there(tmp_path):
    """Also one that this process does not know of: without the journal its events would be sent again."""
    producer = Producer(tmp_path, Backend(), SMALL)
    _fill(producer, range(3))
    producer.send_live(3, ["ack"])
    (folder,) = tmp_path.iterdir()
    (folder / "00000099.0.seg").write_bytes(b"")
    producer.spool.close()
    assert {path.name for path in folder.iterdir()} >= {"journal", "lock", "00000099.0.seg"}
    assert _rest(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_becomes_read_only(tmp_path):
    """Events go to memory, what is there is delivered, and when it can be written to again all is well."""
    changing = {"write", "open_append", "unlink", "rename", "make_folder", "remove_folder", "truncate"}
    disk = FailingFileSystem(errno.EROFS, only=changing)
    backend = Backend()
    producer = Producer(tmp_path, backend, SMALL, disk)
    producer.spool.writer.deferring = True
    _fill(producer, range(30))
    disk.broken = True
    assert producer.append(record(99)) is NotWritten.BROKEN
    assert "Read-only" in producer.spool.writer.degraded
    assert producer.send_backlog(["ack"] * 99)
    assert sorted(backend.rows) == list(range(30))
    assert producer.counts_add_up()
    disk.broken = False
    producer.clock += 6
    assert isinstance(producer.append(record(30)), Entry)
    producer.spool.close()
    deliver_the_rest(tmp_path, backend, SMALL)
    assert dict(backend.rows) == dict.fromkeys(range(31), 1)
    assert list(tmp_path.iterdir()) == []


def test_own_events_that_cannot_be_read(tmp_path):
    """They are counted, once, and the others are delivered; the backlog does not go round in circles."""
    producer = Producer(tmp_path, Backend(), SMALL)
    producer.spool.writer.deferring = True
    _fill(producer, range(6))
    (path,) = tmp_path.glob("*/*.seg")
    data = bytearray(path.read_bytes())
    data[-30] ^= 1
    path.write_bytes(data)
    assert producer.send_backlog(["ack"] * 9)
    assert sorted(producer.backend.rows) == list(range(5))
    assert producer.spool.accounts.own.dropped == {"corrupt": 1}
    assert producer.counts_add_up()
    assert producer.spool.unsent() == 0


def test_a_record_that_cannot_be_decoded(tmp_path, monkeypatch):
    """In a frozen batch and outside: it is put aside and counted once."""
    backend = Backend()
    dead = Producer(tmp_path, backend, SMALL)
    _fill(dead, range(3))
    from otel_spool.frame import Kind, pack

    folder = dead.spool.writer.folder
    assert folder is not None
    bad = dead.append(record(3))
    assert isinstance(bad, Entry)
    data = bad.segment.path.read_bytes()
    bad.segment.path.write_bytes(data[: -bad.size] + pack(Kind.EVENT_JSON, bad.number, b"no record", folder.seed))
    dead.send_live(4, ["error"])
    dead.die()
    last = deliver_the_rest(tmp_path, backend, SMALL)
    assert sorted(backend.rows) == [0, 1, 2]
    assert last.spool.accounts.recovered.dropped == {"corrupt": 1}
    assert last.spool.quarantine.pieces == 1


def test_an_answer_that_comes_after_the_end(tmp_path):
    """A process that has let go of its folder writes nothing into it, for it is another's."""
    backend = Backend()
    producer = Producer(tmp_path, backend, SMALL)
    _fill(producer, range(4))
    entries = [entry for _, entry in producer.live]
    folder = producer.spool.writer.folder
    assert folder is not None
    token = producer.spool.freeze(folder, entries)
    producer.spool.close()
    before = {path: path.read_bytes() for path in folder.path.iterdir()}
    from otel_spool.delivery import Outcome

    producer.spool.settle(folder, entries, token, Outcome(delivered=4))
    assert {path: path.read_bytes() for path in folder.path.iterdir()} == before
    assert producer.counts_add_up()


def test_logs_of_numbers():
    """The tests tell records apart by their number."""
    assert number_of(record(7)) == 7


class _Refusing:
    """A backend that refuses the first attempt, after something else has happened, and is away then."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.script: list[str] = []
        self.exhausted: Callable[[], object] = lambda: None
        self._meanwhile = meanwhile
        self._attempts = 0

    def deliver(self, records: Any, *, token: str, first_attempt_ns: int | None) -> Answer:
        self._attempts += 1
        if self._attempts == 1:
            self._meanwhile()
            return Answer("refused", "too_large")
        self.exhausted()
        return Answer("retry", "unavailable")


def test_a_refusal_that_comes_after_the_end(tmp_path):
    """The halves are not noted in a folder that is another's, whose journal says by now what that one has sent."""
    disk = FailingFileSystem(errno.ENOSPC, only={"open_append"})
    backend = Backend()
    second = Producer(tmp_path, backend, SMALL)

    def meanwhile() -> None:
        first.spool.close()
        assert second.spool.adopted.take() == 1
        assert not second.send_backlog(["ack", "stored"])
        disk._fails = lambda call: call == disk.calls == once
        once = disk.calls + 1

    first = Producer(tmp_path, _Refusing(meanwhile), SMALL, disk)  # type: ignore[arg-type]
    _fill(first, range(6))
    first.send_live(3, [])
    second.die()
    deliver_the_rest(tmp_path, backend, SMALL)
    assert dict(backend.rows) == dict.fromkeys(range(6), 1)


@pytest.mark.parametrize("let_go", [Folder.close, Folder.abandon])
def test_nothing_is_noted_in_a_folder_that_was_let_go_of(let_go, tmp_path):
    """By whatever it is asked for: an answer that comes late, or what the backlog had found in it."""
    producer = Producer(tmp_path, Backend(), SMALL)
    _fill(producer, range(3))
    folder = producer.spool.writer.folder
    assert folder is not None
    let_go(folder)
    before = {path: path.read_bytes() for path in folder.path.iterdir()}
    folder.settle({}, None, [(1, 3)])
    assert not folder.journal.mark_split("a token")
    assert {path: path.read_bytes() for path in folder.path.iterdir()} == before
    assert _rest(tmp_path) == [0, 1, 2]


def test_a_file_that_could_not_be_removed_is_left_to_whoever_is_next(tmp_path):
    """Also when an answer comes later."""
    disk = FailingFileSystem(errno.EIO, only={"unlink"})
    producer = Producer(tmp_path, Backend(), SMALL, disk)
    _fill(producer, range(3))
    folder = producer.spool.writer.folder
    assert folder is not None
    disk.broken = True
    producer.spool.defer_all()
    producer.send_live(3, [])
    producer.spool.close()
    disk.broken = False
    before = sorted(folder.path.iterdir())
    assert any(path.suffix == ".seg" for path in before)
    folder.settle({}, "a token")
    assert sorted(folder.path.iterdir()) == before
    assert _rest(tmp_path) == []


def test_a_folder_is_let_go_of_once(tmp_path):
    """After that the lock and the journal in it are another's, also where there is nothing to send."""
    folder = new_folder(LocalFileSystem(), tmp_path / f"{'a' * 16}-000001", TIME_NS)
    assert folder is not None
    folder.close(keep=True)
    (other,) = orphans(LocalFileSystem(), tmp_path)
    folder.close()
    assert isinstance(other, Folder)
    assert other.is_there()
    other.close()
