"""Tamper evidence, on a real store: what was sealed, what somebody did to it, and what verifying says."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import activitylog
from activitylog import config
from activitylog.cli.app import application
from activitylog.cli.errors import run as run_command
from activitylog.exceptions import ConfigurationError, StoreError
from activitylog.seals import MAX_EVENTS, SEAL_EVENT_NAME, Sealer, leaf_of
from activitylog.seals.checkpoint import Checkpoint, new_key, read, secret_of, sign
from activitylog.store.sealed import SealedProducer, ends_of, verify_seals

EVENT: dict[str, Any] = {
    "name": "a.b",
    "timestamp_ns": 1,
    "severity_number": 9,
    "body": "",
    "trace_id": "",
    "span_id": "",
    "attributes": {"k": "v"},
}


class TestLeaf:
    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("name", "a.c"),
            ("timestamp_ns", 2),
            ("severity_number", 13),
            ("body", "x"),
            ("trace_id", "0" * 31 + "1"),
            ("span_id", "0" * 15 + "1"),
            ("attributes", {"k": "w"}),
            ("attributes", {"l": "v"}),
            ("attributes", {"k": "v", "l": "v"}),
            ("attributes", {}),
        ],
    )
    def test_every_part_counts(self, key: str, value: Any) -> None:
        """Whatever is changed changes the hash."""
        assert leaf_of(**{**EVENT, key: value}) != leaf_of(**EVENT)

    def test_what_a_column_gives_back_without_an_attribute_does_not(self) -> None:
        """An outcome that is absent reads as success."""
        defaults = {
            "activity.outcome": "success",
            "activity.count": "1",
            "activity.sample.weight": "1",
            "user.id": "",
        }
        assert leaf_of(**{**EVENT, "attributes": {"k": "v", **defaults}}) == leaf_of(**EVENT)

    def test_never_changes(self) -> None:
        """What was sealed by this version is verified by later ones."""
        assert leaf_of(**EVENT).hex() == "f4c033992e8387d25172c366f0106fa6"


class TestSealer:
    def test_numbers_that_come_out_of_order_are_sealed_in_order(self) -> None:
        """Threads draw numbers and hand over records in any order; a hole waits to be filled."""
        sealed: list[dict[str, Any]] = []
        sealer = Sealer("p", sealed.append)
        sealer._ticker.started = True  # the test seals by itself
        records = list(map(_Record, range(4)))
        for number in (2, 3):
            sealer.note(number, cast(Any, records[number]))
        sealer.seal()
        assert sealed == []
        sealer.note(1, cast(Any, records[1]))
        sealer.seal()
        assert [(seal["activity.seal.first"], seal["activity.seal.last"]) for seal in sealed] == [(1, 3)]

    @pytest.mark.slow
    @settings(deadline=None, max_examples=20)
    @given(st.lists(st.integers(1, 3 * MAX_EVENTS), min_size=1, max_size=4))
    def test_seals_are_bounded_and_cover_everything_once(self, sizes: list[int]) -> None:
        """However many events there are between two."""
        sealed: list[dict[str, Any]] = []
        sealer = Sealer("p", sealed.append)
        sealer._ticker.started = True  # the test seals by itself
        number = 0
        for size in sizes:
            for _ in range(size):
                number += 1
                sealer.note(number, cast(Any, _Record(number)))
            sealer.seal()
        ranges = [(seal["activity.seal.first"], seal["activity.seal.last"]) for seal in sealed]
        assert [first for first, _ in ranges] == [1, *(last + 1 for _, last in ranges[:-1])]
        assert ranges[-1][1] == number
        assert all(last - first < MAX_EVENTS for first, last in ranges)


class _Record:
    """As much of a log record as is hashed."""

    trace_id = span_id = 0
    body = None

    class severity_number:  # noqa: N801 - as the record has it
        value = 9

    def __init__(self, number: int) -> None:
        self.event_name = "a.b"
        self.timestamp = number
        self.attributes = {"n": number}


@pytest.fixture(scope="module")
def sealing_store(chdb_url: str, _chdb_engine: Any) -> Iterator[Any]:
    activitylog.configure(
        chdb_url, service_name="shop", seals=True, schedule_delay_millis=60_000, durability="memory"
    )
    yield _chdb_engine
    pipeline = config.swap(None)
    assert pipeline is not None
    pipeline.shutdown(10)


@pytest.fixture
def sealed(sealing_store: Any, make_migrated: Any) -> Iterator[Any]:
    """A client in a database of its own, with 30 events of one producer, in one seal."""
    pipeline = config._state.pipeline
    assert pipeline is not None
    pipeline.reset_after_fork()  # a producer of its own
    assert pipeline._sealer is not None
    pipeline._sealer._ticker.started = True  # it seals at flush only: one seal, however slow the machine is
    for number in range(30):
        activitylog.emit(
            "message.sent",
            actor=f"user:{number}",
            object=("message", number),
            message=f"to user {number} \u2028 in \u041c\u043e\u0441\u043a\u0432\u0430",
            duration=number / 7,
            outcome="failure" if number % 5 == 0 else None,
            tags=["a", number, None, 1e21],
            ratio=number / 3,
            flag=number % 2 == 0,
            request_id=str(uuid.UUID(int=number)),
            nothing=None,
            empty="",
        )
    assert activitylog.flush(60).complete
    producer = pipeline._render._producer.name
    with make_migrated() as client:
        client.command(
            "INSERT INTO activity_events SELECT * FROM default.activity_events WHERE Producer = {producer:String}",
            parameters={"producer": producer},
        )
        yield client


def only(found: Sequence[SealedProducer]) -> SealedProducer:
    """The one producer."""
    (state,) = found
    return state


class TestVerify:
    def test_what_nobody_touched_is_intact(self, sealed: Any) -> None:
        """All kinds of values read from ClickHouse give the hashes that the process made of its objects."""
        state = only(verify_seals(sealed))
        assert (state.is_intact, state.intact, state.seals, state.sealed) == (True, 30, 1, 30)
        assert (state.newest, state.unsealed) == (31, 1)

    def test_a_changed_event_is_named(self, sealed: Any) -> None:
        """Even where one letter of one attribute was changed."""
        sealed.command(
            "ALTER TABLE activity_events UPDATE SeverityNumber = 17 WHERE Seq = 7 SETTINGS mutations_sync = 2"
        )
        state = only(verify_seals(sealed))
        assert (state.is_intact, state.changed, state.missing, state.added, state.intact) == (
            False,
            [7],
            [],
            [],
            29,
        )

    def test_a_missing_event_is_named(self, sealed: Any) -> None:
        """Whatever else is there."""
        sealed.command("DELETE FROM activity_events WHERE Seq IN (3, 4)")
        state = only(verify_seals(sealed))
        assert (state.changed, sorted(state.missing), state.added, state.intact) == ([], [3, 4], [], 28)

    def test_an_added_event_is_named(self, sealed: Any) -> None:
        """A second row with a number that is taken."""
        sealed.command("INSERT INTO activity_events SELECT * FROM activity_events WHERE Seq = 5")
        state = only(verify_seals(sealed))
        assert (state.changed, state.missing, state.added) == ([], [], [5])

    def test_a_seal_that_was_taken_out_leaves_a_hole(self, sealed: Any) -> None:
        """The chain shows it as soon as another seal follows."""
        for _ in range(2):
            activitylog.emit("a.b")
            assert activitylog.flush(60).complete
        producer = only(verify_seals(sealed)).producer
        sealed.command(
            "INSERT INTO activity_events SELECT * FROM default.activity_events "
            "WHERE Producer = {producer:String} AND Seq > 31",
            parameters={"producer": producer},
        )
        assert only(verify_seals(sealed)).is_intact
        sealed.command(
            "DELETE FROM activity_events WHERE EventName = {name:String} AND Seq = 33",
            parameters={"name": SEAL_EVENT_NAME},
        )
        assert only(verify_seals(sealed)).broken == ["numbers 31 to 32 are in no seal"]


class TestCheckpoint:
    def test_shows_what_the_chain_alone_cannot(self, sealed: Any) -> None:
        """Whoever owns the database can take out the newest seal; the note elsewhere remembers it."""
        secret, public = new_key("example")
        note = sign(
            Checkpoint("activitylog/example", "2026-01-31T12:00:00Z", ends_of(verify_seals(sealed))), secret
        )
        checkpoint = read(note, public)
        assert only(verify_seals(sealed, checkpoint)).is_intact
        sealed.command("TRUNCATE TABLE activity_events")
        assert verify_seals(sealed) == []
        assert only(verify_seals(sealed, checkpoint)).broken == [
            "the checkpoint of 2026-01-31T12:00:00Z has another chain at 30"
        ]

    @pytest.fixture(scope="class")
    @classmethod
    def signed(cls) -> tuple[str, str]:
        secret, public = new_key("example")
        return sign(Checkpoint("activitylog/example", "2026-01-31T12:00:00Z", {"0a": (7, "ff")}), secret), public

    def test_comes_back_as_it_was(self, signed: tuple[str, str]) -> None:
        """Signed, and read by whoever has the public key."""
        assert read(*signed) == Checkpoint("activitylog/example", "2026-01-31T12:00:00Z", {"0a": (7, "ff")})

    @given(st.data())
    def test_no_character_can_be_changed(self, signed: tuple[str, str], data: st.DataObject) -> None:
        """Of the text or the signature."""
        note, public = signed
        position = data.draw(st.integers(0, len(note) - 2))
        other = data.draw(st.sampled_from("0aZ+/ \n").filter(lambda char: char != note[position]))
        with pytest.raises(StoreError):
            read(note[:position] + other + note[position + 1 :], public)

    def test_another_key_is_not_this_one(self, signed: tuple[str, str]) -> None:
        """Also not one of the same name."""
        _, other = new_key("example")
        with pytest.raises(StoreError, match="no signature by this key"):
            read(signed[0], other)

    @pytest.mark.parametrize("key", ["", "example", "example+00000000+AAAA", "a+b"])
    def test_what_is_no_key_is_said_to_be_none(self, signed: tuple[str, str], key: str) -> None:
        """At once, and not as a wrong signature."""
        with pytest.raises(ConfigurationError):
            read(signed[0], key)

    def test_a_key_that_others_can_read_is_refused(self, tmp_path: Any) -> None:
        """It would prove nothing."""
        path = tmp_path / "key"
        path.write_text("example+AAAA")
        path.chmod(0o644)
        with pytest.raises(ConfigurationError, match="can be read by others"):
            secret_of(path)


def run(words: list[str]) -> int:
    """The exit code of the command."""
    return run_command(application, words)


class TestCommand:
    """``activitylog seals``, on the store of one process."""

    def test_verify_checkpoint_and_what_somebody_did(
        self, chdb_url: str, sealing_store: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A key, a note of how it is, and the row that was changed since."""
        pipeline = config._state.pipeline
        assert pipeline is not None
        pipeline.reset_after_fork()
        activitylog.emit("message.sent", actor="user:1")
        assert activitylog.flush(60).complete
        producer = pipeline._render._producer.name
        key = tmp_path / "key"
        assert run(["seals", "new-key", "ops", "--to", str(key)]) == 0
        public = capsys.readouterr().out.strip()
        assert key.stat().st_mode & 0o777 == 0o600
        assert run(["seals", "checkpoint", "--key", str(key), "--url", chdb_url]) == 0
        note = tmp_path / "note.txt"
        note.write_text(capsys.readouterr().out)
        asked = ["seals", "verify", "--url", chdb_url, "--checkpoint", str(note), "--public-key", public, "--json"]
        assert run(asked) == 0
        assert json.loads(capsys.readouterr().out)["intact"] is True
        sealing_store.command(
            "ALTER TABLE activity_events UPDATE SeverityNumber = 17 "
            "WHERE Producer = {producer:String} AND Seq = 1 SETTINGS mutations_sync = 2",
            parameters={"producer": producer},
        )
        assert run(asked) == 1
        found = {state["producer"]: state for state in json.loads(capsys.readouterr().out)["producers"]}
        assert found[producer]["changed"] == [1]
        assert run(["seals", "verify", "--url", chdb_url]) == 1
        assert f"{producer}: 1 changed: 1" in capsys.readouterr().out
        assert run(["seals", "checkpoint", "--key", str(key), "--url", chdb_url]) == 1
