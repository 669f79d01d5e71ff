"""The journal against a plain model, on a disk that sometimes fails."""

from __future__ import annotations

import errno
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_spool import journal as journal_module
from otel_spool.filesystem import FileSystem, LocalFileSystem
from otel_spool.frame import Frame, Kind, pack, scan
from otel_spool.journal import Frozen, Journal
from otel_spool.ranges import Ranges
from tests.otel_spool.failing_disk import FailingFileSystem

SEED = 5
FIRST = Frozen("t-1", ((1, 3), (9, 9)), 100)
SECOND = Frozen("t-2", ((4, 8),), 200)


def _journal(path: Path, filesystem: FileSystem | None = None) -> Journal:
    return Journal(filesystem or LocalFileSystem(), path, SEED)


def _loaded(path: Path) -> Journal:
    journal = _journal(path)
    journal.load()
    journal.close()
    return journal


def _state(journal: Journal) -> object:
    return journal.pending, journal.split, list(journal.settled), journal.given_up, dict(journal.untold)


def _entries(path: Path) -> list[tuple[str, Any]]:
    data = (path / "journal").read_bytes()
    return [
        (Kind(each.kind).name, json.loads(each.payload)) for each in scan(data, SEED) if isinstance(each, Frame)
    ]


class TestEntries:
    """What is written, and what the next process makes of it."""

    def test_the_entries(self, tmp_path):
        """As the module's head says, in frames."""
        journal = _journal(tmp_path)
        assert journal.freeze(FIRST)
        assert journal.mark_split("t-1")
        assert journal.settle_batch("t-1")
        assert journal.settle([(4, 5)])
        assert journal.give_up(7, 30)
        assert journal.give_up(8, 2, {"expired": 2})
        assert journal.settle([(10, 12)], {"corrupt": 1})
        assert journal.freeze(SECOND)
        assert journal.settle_batch("t-2", {"permanent": 5})
        journal.tell()
        journal.close()
        assert _entries(tmp_path) == [
            ("FROZEN", {"t": "t-1", "r": [[1, 3], [9, 9]], "ns": 100}),
            ("SPLIT", {"t": "t-1"}),
            ("SETTLED", {"t": "t-1"}),
            ("SETTLED", {"r": [[4, 5]]}),
            ("SETTLED", {"s": 7, "n": 30}),
            ("SETTLED", {"s": 8, "n": 2, "lost": {"expired": 2}}),
            ("SETTLED", {"r": [[10, 12]], "lost": {"corrupt": 1}}),
            ("FROZEN", {"t": "t-2", "r": [[4, 8]], "ns": 200}),
            ("SETTLED", {"t": "t-2", "lost": {"permanent": 5}}),
            ("TOLD", {"expired": 2, "corrupt": 1, "permanent": 5}),
        ]
        assert _state(_loaded(tmp_path)) == ({}, set(), [(1, 12)], {7: 30, 8: 2}, {})

    def test_the_entries_of_the_first_versions(self, tmp_path):
        """They told of losses behind the entry that settles the events, and are read like those of today."""
        entries: list[tuple[Kind, dict[str, Any]]] = [
            (Kind.FROZEN, {"t": "t-2", "r": [[4, 8]], "ns": 200}),
            (Kind.SETTLED, {"t": "t-2"}),
            (Kind.LOST, {"permanent": 5}),
            (Kind.SETTLED, {"s": 8, "n": 2}),
            (Kind.LOST, {"expired": 2}),
            (Kind.TOLD, {"permanent": 5}),
            (Kind.LOST, {"corrupt": 1}),
            (Kind.SETTLED, {"r": [[10, 12]]}),
        ]
        frames = [pack(kind, 0, json.dumps(entry).encode(), SEED) for kind, entry in entries]
        (tmp_path / "journal").write_bytes(b"".join(frames))
        for _ in range(2):
            found = _loaded(tmp_path)
            assert _state(found) == ({}, set(), [(4, 8), (10, 12)], {8: 2}, {"expired": 2, "corrupt": 1})
            assert not found.damaged

    def test_batches_without_an_answer(self, tmp_path):
        """They are there again, in their order, with what was split of them."""
        journal = _journal(tmp_path)
        journal.freeze(FIRST)
        journal.freeze(SECOND)
        journal.mark_split("t-2/1")
        journal.close()
        found = _loaded(tmp_path)
        assert list(found.pending.values()) == [FIRST, SECOND]
        assert found.split == {"t-2/1"}

    def test_splits_go_with_their_batch(self, tmp_path):
        """And only with that one: t-1 is not t-10."""
        journal = _journal(tmp_path)
        journal.freeze(FIRST)
        for token in ("t-1", "t-1/0", "t-10", "t-10/0"):
            journal.mark_split(token)
        journal.settle_batch("t-1")
        assert journal.split == {"t-10", "t-10/0"}

    def test_no_journal(self, tmp_path):
        """Nothing was sent."""
        assert _state(_loaded(tmp_path)) == ({}, set(), [], {}, {})


class TestDamage:
    """A file that is not what was written."""

    def _write(self, path: Path) -> bytes:
        journal = _journal(path)
        journal.freeze(FIRST)
        journal.settle_batch("t-1")
        journal.freeze(SECOND)
        journal.close()
        return (path / "journal").read_bytes()

    def test_a_torn_end(self, tmp_path):
        """What a killed process did not finish was not sent either: no doubt."""
        data = self._write(tmp_path)
        (tmp_path / "journal").write_bytes(data[:-3])
        found = _loaded(tmp_path)
        assert (found.damaged, found.pending, list(found.settled)) == (False, {}, [(1, 3), (9, 9)])

    @pytest.mark.parametrize("at", [5, 30, -2, -10])
    def test_a_flipped_bit(self, at, tmp_path):
        """Whatever entry it is in, also the last: nobody knows what was sent, and the next process is told so."""
        data = bytearray(self._write(tmp_path))
        data[at] ^= 4
        (tmp_path / "journal").write_bytes(data)
        assert _loaded(tmp_path).damaged
        assert _loaded(tmp_path).damaged

    def test_zeros_at_the_end(self, tmp_path):
        """What a loss of power leaves."""
        (tmp_path / "journal").write_bytes(self._write(tmp_path) + bytes(600))
        assert _loaded(tmp_path).damaged

    def test_entries_of_nobody(self, tmp_path):
        """A frame whose payload is no entry is damage."""
        frames = [pack(Kind.FROZEN, 0, payload, SEED) for payload in (b"x", b'{"t": 1}', b"[]", b'{"r": 1}')]
        (tmp_path / "journal").write_bytes(b"".join(frames) + self._write(tmp_path))
        assert _loaded(tmp_path).damaged

    @pytest.mark.parametrize("kind", [Kind.SETTLED, Kind.LOST, Kind.TOLD, Kind.SPLIT])
    @pytest.mark.parametrize("payload", [b"[]", b"3", b'{"s": 1, "n": 1, "lost": [2]}', b'{"lost": {"x": "y"}}'])
    def test_an_entry_of_nobody_changes_nothing(self, kind, payload, tmp_path):
        """Whatever its kind: the rest is read."""
        (tmp_path / "journal").write_bytes(pack(kind, 0, payload, SEED) + self._write(tmp_path))
        found = _loaded(tmp_path)
        assert found.damaged
        assert _state(found) == ({"t-2": SECOND}, set(), [(1, 3), (9, 9)], {}, {})


class TestCompaction:
    """A file that does not grow for ever."""

    def test_it_is_written_anew(self, tmp_path, monkeypatch):
        """What matters stays; ten thousand batches are one range."""
        monkeypatch.setattr(journal_module, "_COMPACT_BYTES", 4096)
        journal = _journal(tmp_path)
        for number in range(1, 2001):
            journal.freeze(Frozen(f"t-{number}", ((number, number),), 1))
            journal.settle_batch(f"t-{number}")
            journal.compact_if_grown()
        journal.freeze(Frozen("last", ((2001, 2001),), 1))
        journal.close()
        assert (tmp_path / "journal").stat().st_size < 5000
        assert _state(_loaded(tmp_path)) == (
            {"last": Frozen("last", ((2001, 2001),), 1)},
            set(),
            [(1, 2000)],
            {},
            {},
        )

    def test_what_stays_large_is_not_written_at_every_entry(self, tmp_path, monkeypatch):
        """It is written anew when it has doubled."""
        monkeypatch.setattr(journal_module, "_COMPACT_BYTES", 64)
        journal = _journal(tmp_path)
        written: list[int] = []
        original = Journal.rewrite
        monkeypatch.setattr(Journal, "rewrite", _counted(written, original))
        for number in range(1, 2001, 2):
            journal.settle([(number, number)])
            journal.compact_if_grown()
        journal.close()
        assert 5 < len(written) < 30


def _counted(calls: list[int], original: Callable[[Journal], bool]) -> Callable[[Journal], bool]:
    def rewrite(journal: Journal) -> bool:
        calls.append(1)
        return original(journal)

    return rewrite


class TestFullDisk:
    """The reserve, and what comes when it is used up."""

    def test_the_reserve_is_given_back(self, tmp_path):
        """The first write that finds no space spends it, and is done."""
        disk = FailingFileSystem(errno.ENOSPC, lambda call: full and (tmp_path / "reserve").exists())
        full = False
        journal = _journal(tmp_path, disk)
        journal.reserve.keep()
        assert (tmp_path / "reserve").stat().st_size == 65536
        full = True
        journal.reserve._filesystem = LocalFileSystem()
        assert journal.freeze(FIRST)
        assert not (tmp_path / "reserve").exists()
        assert _loaded(tmp_path).pending == {"t-1": FIRST}
        journal.settle_batch("t-1")
        journal.compact_if_grown()
        assert (tmp_path / "reserve").exists()

    def test_a_disk_that_takes_nothing(self, tmp_path):
        """The state in memory is right; when there is space again, the next entry writes all of it."""
        disk = FailingFileSystem(errno.ENOSPC)
        disk.broken = True
        journal = _journal(tmp_path, disk)
        assert not journal.freeze(FIRST)
        assert not journal.settle_batch("t-1")
        assert (journal.behind, list(journal.settled)) == (True, [(1, 3), (9, 9)])
        disk.broken = False
        assert journal.freeze(SECOND)
        journal.close()
        assert _state(_loaded(tmp_path)) == ({"t-2": SECOND}, set(), [(1, 3), (9, 9)], {}, {})


class TestReleased:
    """A journal that was let go of: its files are those of whoever has the folder next."""

    @pytest.mark.parametrize("error", [None, errno.ENOSPC, errno.EIO])
    @pytest.mark.parametrize("behind", [False, True])
    def test_nothing_is_written(self, behind, error, tmp_path):
        """Neither an entry, nor anew, nor does the reserve come or go; the memory follows."""
        disk = FailingFileSystem(errno.EIO, only={"open_append"})
        journal = _journal(tmp_path, disk)
        journal.reserve.keep()
        journal.freeze(FIRST)
        journal.behind = behind
        journal.release()
        following = _journal(tmp_path)
        following.load()
        following.freeze(SECOND)
        following.close()
        for has_reserve in (True, False):
            if not has_reserve:
                following.reserve.give_up()
            before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
            disk.broken, disk.error = error is not None, error or errno.EIO
            assert not journal.mark_split("t-1")
            assert not journal.settle([(4, 4)])
            assert not journal.rewrite()
            journal.reserve.kept = False  # as when it was spent
            journal.compact_if_grown()
            journal.check()
            assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
        assert (journal.pending, journal.split, list(journal.settled)) == ({"t-1": FIRST}, {"t-1"}, [(4, 4)])

    def test_while_it_is_written_anew(self, tmp_path):
        """By a signal handler: what is there stays."""

        def fails(_: int) -> bool:
            journal.release()
            return False

        journal = _journal(tmp_path, FailingFileSystem(errno.EIO, fails, only={"sync"}))
        journal.freeze(FIRST)
        before = (tmp_path / "journal").stat().st_ino
        assert not journal.rewrite()
        assert (tmp_path / "journal").stat().st_ino == before


operations = st.lists(
    st.tuples(
        st.sampled_from(["freeze", "settle", "split", "answer", "give_up", "lose", "tell", "compact", "again"]),
        st.integers(1, 12),
        st.sampled_from([None, None, None, errno.ENOSPC, errno.EIO]),
    ),
    max_size=25,
)


class _Model:
    def __init__(self) -> None:
        self.pending: dict[str, Frozen] = {}
        self.settled: set[int] = set()
        self.split: set[str] = set()
        self.given_up: dict[int, int] = {}
        self.untold: Counter[str] = Counter()

    def do(self, what: str, number: int) -> None:
        frozen = Frozen(f"t-{number}", ((number * 10, number * 10 + 3),), number)
        if what == "freeze":
            self.pending[frozen.token] = frozen
        elif what == "settle":
            self.settled.add(number)
        elif what == "split":
            self.split.add(frozen.token)
        elif what == "answer" and frozen.token in self.pending:
            del self.pending[frozen.token]
            self.settled.update(range(number * 10, number * 10 + 4))
            self.split.discard(frozen.token)
        elif what == "give_up":
            self.given_up[number] = number
            self.untold["expired"] += number
        elif what == "lose":
            self.settled.add(number)
            self.untold["corrupt"] += 1
        elif what == "tell":
            self.untold.clear()


@pytest.mark.slow
@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(operations)
def test_the_journal_and_a_model(tmp_path_factory, steps):
    """In memory it is right after every step; on disk, after every step that it says it has written."""
    path = tmp_path_factory.mktemp("journal")
    disk = FailingFileSystem(errno.EIO)
    journal, model = _journal(path, disk), _Model()
    for what, number, error in steps:
        disk.broken, disk.error = error is not None, error or errno.EIO
        token = f"t-{number}"
        model.do(what, number)
        calls: dict[str, Callable[[], bool]] = {
            "freeze": lambda: journal.freeze(Frozen(token, ((number * 10, number * 10 + 3),), number)),  # noqa: B023
            "settle": lambda: journal.settle([(number, number)]),  # noqa: B023
            "split": lambda: journal.mark_split(token),  # noqa: B023
            "answer": lambda: journal.settle_batch(token),  # noqa: B023
            "give_up": lambda: journal.give_up(number, number, {"expired": number}),  # noqa: B023
            "lose": lambda: journal.settle([(number, number)], {"corrupt": 1}),  # noqa: B023
            "tell": lambda: _told(journal),  # noqa: B023
            "compact": journal.rewrite,
            "again": lambda: True,
        }
        done = calls[what]()
        disk.broken = False
        settled = list(Ranges((n, n) for n in model.settled))
        expected = model.pending, model.split, settled, model.given_up, dict(model.untold)
        assert _state(journal) == expected
        if what == "again" and not journal.behind:
            journal.close()
            journal = _journal(path, disk)
            journal.load()
            assert _state(journal) == expected
        elif done and not journal.behind and (path / "journal").exists():
            assert _state(_copy_of(path, tmp_path_factory)) == expected
    journal.close()


def _told(journal: Journal) -> bool:
    journal.tell()
    return not journal.behind


def _copy_of(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Journal:
    copy = tmp_path_factory.mktemp("copy")
    (copy / "journal").write_bytes((path / "journal").read_bytes())
    return _loaded(copy)
