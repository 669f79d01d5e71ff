"""Tamper evidence, on a real store: what was sealed, what somebody did to it, and what verifying says."""

from __future__ import annotations

import json
import uuid
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import clickhouse_connect
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import activitylog
from activitylog import config
from activitylog.cli.app import application
from activitylog.cli.errors import run as run_command
from activitylog.event import COUNTER_EVENT_NAME, FIELDS, Field
from activitylog.exceptions import ConfigurationError, StoreError
from activitylog.seals import MAX_EVENTS, NOTHING, SEAL_EVENT_NAME, Sealer, chain_of, leaf_of
from activitylog.seals.checkpoint import Checkpoint, Piece, new_key, read, secret_of, sign
from activitylog.seals.leaf import GENESIS, LEAF_BYTES
from activitylog.seals.sealer import MAX_WAITING, PATIENCE_SECONDS
from activitylog.store import apply
from activitylog.store.sealed import SealedProducer, _held, _leaf, _rows, chains_of, verify_seals
from activitylog.store_settings import parse_store
from otel_clickhouse.anyvalue import as_text
from otel_clickhouse.holders import holder

#: Every attribute with a column, and values that one may hold, or not, or hold otherwise than they are written.
TYPED = sorted(field.attribute for field in FIELDS if field.column)
EXAMPLES: list[Any] = [
    "", "0", "1", "007", "1e3", "-5", "65535", "65536", " 7", "+7", "1.50", "18446744073709551616", "1e400", "0.1",
    "success", "user", "NaN", "\u0663", "7\n", "00000000-0000-0000-0000-000000000000",
    "0190163D-8694-739B-AEA5-966C26F8AD91", "0190163d8694739baea5966c26f8ad91", True, 0, 7, 70_000, -1, 0.0, 1.5,
    2.5e-7, 1e21, b"ab", ["a", 1],
]  # fmt: skip
ODD = st.one_of(
    st.sampled_from(EXAMPLES),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    st.integers(-2, 2**64 + 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(0, 1e6).map(str),
    st.uuids().map(lambda uuid: uuid.hex.upper()),
    st.lists(st.integers(), max_size=2),
)

EVENT: dict[str, Any] = {
    "name": "a.b",
    "timestamp_ns": 1,
    "severity_number": 9,
    "body": "",
    "trace_id": "",
    "span_id": "",
    "attributes": {"k": "v"},
}


class Commands(NamedTuple):
    """The words of ``seals verify`` and ``seals checkpoint``, and the public key of the latter."""

    verify: list[str]
    sign: list[str]
    public: str


@pytest.fixture
def commands(
    chain: Any, chdb_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Commands:
    """Of the chain's store."""
    monkeypatch.setattr(
        "activitylog.cli.seals.open_store",
        lambda _: clickhouse_connect.get_client(dsn=chdb_url, database=chain.database),
    )
    key = tmp_path / "key"
    assert run(["seals", "new-key", "ops", "--to", str(key)]) == 0
    public = capsys.readouterr().out.strip()
    url = ["--url", chdb_url]
    return Commands(["seals", "verify", *url], ["seals", "checkpoint", "--key", str(key), *url], public)


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

    def test_marks_of_the_store_read_as_it_has_them(self) -> None:
        """In a message that has such characters the store puts others in their place."""
        assert leaf_of(**{**EVENT, "body": "a\x01\x02"}) == leaf_of(**{**EVENT, "body": "a\x1a\x1a"})

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

    def test_a_number_that_never_comes_holds_nothing_up_for_long(self) -> None:
        """An exception between a number and its record: later ones are sealed, and nothing fills the gap later."""
        sealed: list[dict[str, Any]] = []
        now = 0.0
        sealer = Sealer("p", sealed.append, clock=lambda: now)
        sealer._ticker.started = True
        for number in (1, 2, 4, 5):
            sealer.note(number, cast(Any, _Record(number)))
        sealer.seal()
        assert [seal["activity.seal.last"] for seal in sealed] == [2]
        now = PATIENCE_SECONDS - 0.1
        sealer.seal()
        assert len(sealed) == 1
        now = PATIENCE_SECONDS
        sealer.seal()
        assert [(seal["activity.seal.first"], seal["activity.seal.last"]) for seal in sealed] == [(1, 2), (3, 5)]
        assert b64decode(sealed[1]["activity.seal.leaves"])[: len(NOTHING)] == NOTHING
        sealer.note(3, cast(Any, _Record(3)))
        sealer.note(6, cast(Any, _Record(6)))
        sealer.seal()
        assert (sealed[-1]["activity.seal.first"], len(sealer._waiting)) == (6, 0)

    def test_what_waits_is_bounded(self) -> None:
        """By number, too: an application may emit faster than patience ends."""
        sealed: list[dict[str, Any]] = []
        sealer = Sealer("p", sealed.append, clock=lambda: 0.0)
        sealer._ticker.started = True
        record = cast(Any, _Record(0))
        for number in range(2, MAX_WAITING + 3):
            sealer.note(number, record)
        sealer.seal()
        assert len(sealer._waiting) == 0
        assert sealed[-1]["activity.seal.last"] == MAX_WAITING + 2

    def test_counts_alone_do_not_end_the_sealing(self) -> None:
        """A night in which rules drop all events, and count them."""
        sealed: list[dict[str, Any]] = []
        sealer = Sealer("p", sealed.append)
        sealer._ticker.started = True
        count = _Record(0, COUNTER_EVENT_NAME)
        for number in range(1, MAX_EVENTS + 1):
            sealer.note(number, cast(Any, count))
            if number == MAX_EVENTS - 1:
                sealer.seal()
                assert sealed == []
        sealer.note(MAX_EVENTS + 1, cast(Any, _Record(0)))
        sealer.seal()
        assert [seal["activity.seal.last"] for seal in sealed] == [MAX_EVENTS, MAX_EVENTS + 1]
        assert len(sealer._waiting) == 0

    def test_what_comes_after_the_end_is_sealed_at_once(self) -> None:
        """It is kept for the next process, and no thread is there to seal it; nothing waits in memory."""
        sealed: list[dict[str, Any]] = []
        number = 0

        def note(name: str) -> None:
            nonlocal number
            number += 1
            sealer.note(number, cast(Any, _Record(number, name)))

        def emit(seal: dict[str, Any]) -> None:
            sealed.append(seal)
            note(SEAL_EVENT_NAME)

        sealer = Sealer("p", emit)
        note("a.b")
        sealer.close()
        for _ in range(3):
            note("a.b")
            assert len(sealer._noted) + len(sealer._waiting) == 1  # the newest seal
        ranges = [(seal["activity.seal.first"], seal["activity.seal.last"]) for seal in sealed]
        assert ranges == [(1, 1), (2, 3), (4, 5), (6, 7)]

    def test_an_event_after_the_end_is_not_lost_with_its_seal(self) -> None:
        """Whatever fails in sealing it is told to nobody who emits."""

        def emit(_: dict[str, Any]) -> None:
            raise ValueError

        sealer = Sealer("p", emit)
        sealer.close()
        sealer.note(1, cast(Any, _Record(1)))


class _Record:
    """As much of a log record as is hashed."""

    trace_id = span_id = 0
    body = None

    class severity_number:  # noqa: N801 - as the record has it
        value = 9

    def __init__(self, number: int, name: str = "a.b") -> None:
        self.event_name = name
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
    producer = _emit_sealed(
        {
            "name": "message.sent",
            "actor": f"user:{number}",
            "object": ("message", number),
            "message": f"to user {number} \x01 \u2028 in \u041c\u043e\u0441\u043a\u0432\u0430",
            "duration": number / 7,
            "outcome": "failure" if number % 5 == 0 else None,
            "tags": ["a", number, None, 1e21],
            "ratio": number / 3,
            "flag": number % 2 == 0,
            "request_id": str(uuid.UUID(int=number)),
            "nothing": None,
            "empty": "",
        }
        for number in range(30)
    )
    with make_migrated() as client:
        client.command(
            "INSERT INTO activity_events SELECT * FROM default.activity_events WHERE Producer = {producer:String}",
            parameters={"producer": producer},
        )
        yield client


def _emit_sealed(events: Iterable[dict[str, Any]]) -> str:
    """Emit events from a producer of their own; gives its name."""
    pipeline = config._state.pipeline
    assert pipeline is not None
    pipeline.reset_after_fork()
    assert pipeline._sealer is not None
    pipeline._sealer._ticker.started = True  # it seals at flush only: one seal, however slow the machine is
    for event in events:
        activitylog.emit(event.pop("name"), **event)
    assert activitylog.flush(60).complete
    return pipeline._render._producer.name


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


_COPY = """
INSERT INTO activity_events SELECT * REPLACE({}) FROM (
    SELECT * FROM default.activity_events
    WHERE Producer = {{producer:String}} AND Seq IN {{numbers:Array(UInt64)}})
SETTINGS prefer_column_name_to_alias = 1
"""


def copy(client: Any, producer: str, numbers: Sequence[int], replaced: str = "Seq AS Seq") -> None:
    """Put in rows as the process sent them, or with something else in a column."""
    parameters = {"producer": producer, "numbers": [*numbers]}
    client.command(_COPY.format(replaced), parameters=parameters)


class TestColumns:
    """Queries read the columns, the hash is over texts that may be in the map beside them: both have to agree."""

    @pytest.mark.parametrize(
        "replaced",
        [
            "'success' AS Outcome, 'alice' AS ActorId, mapUpdate(Attributes, map('user.id', ActorId, "
            "'activity.outcome', Outcome)) AS Attributes, "
            "replaceOne(BodyTemplate, '\\x01', ActorId) AS BodyTemplate",
            "'org' AS ActorType, mapUpdate(Attributes, map('user.id', ActorId, 'activity.actor.type', '', "
            "'activity.actor.id', '')) AS Attributes",
            "'t' AS TenantId, mapUpdate(Attributes, map('activity.tenant.id', '')) AS Attributes",
            "toUUID('01890a5d-ac96-774b-bcce-b302099a8057') AS EventId, "
            "mapUpdate(Attributes, map('log.record.uid', toString(EventId))) AS Attributes",
            "7 AS EventCount, mapUpdate(Attributes, map('activity.count', '1')) AS Attributes",
            "7 AS SampleWeight, mapUpdate(Attributes, map('activity.sample.weight', '')) AS Attributes",
            "500 AS HttpStatus, mapUpdate(Attributes, map('http.response.status_code', '0')) AS Attributes",
            "1 AS DurationUs, mapUpdate(Attributes, map('activity.duration', toString(DurationUs / 1000000))) "
            "AS Attributes",
            "mapConcat(map('flag', 'false'), Attributes) AS Attributes",
        ],
    )
    def test_a_column_that_says_something_else_than_the_map(self, sealed: Any, replaced: str) -> None:
        """Whoever leaves the old text in the map leaves the hash as it was."""
        producer = only(verify_seals(sealed)).producer
        sealed.command("DELETE FROM activity_events WHERE Seq = 5")
        copy(sealed, producer, [5], replaced)
        state = only(verify_seals(sealed))
        assert (state.changed, state.missing, state.added, state.intact) == ([5], [], [], 29)

    def test_an_event_without_a_number_is_an_added_one(self, sealed: Any) -> None:
        """No event of a process that seals is without."""
        copy(sealed, only(verify_seals(sealed)).producer, [5, 6], "0 AS Seq")
        state = only(verify_seals(sealed))
        assert (state.is_intact, state.added, state.counts["added"], state.intact) == (False, [0], 2, 30)

    @given(st.sampled_from([field for field in FIELDS if field.column]), ODD)
    def test_a_column_holds_what_the_exporter_gives_it(self, field: Field, value: Any) -> None:
        """One rule, in two places: the layers do not let one use the other."""
        held, _ = holder(field.type, field.scale).one(value)
        assert _held(field, as_text(value)) == (field.default if held is None else held)

    @settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.dictionaries(st.sampled_from(TYPED), ODD, max_size=8), min_size=20, max_size=60))
    @example([{name: value} for name in TYPED for value in EXAMPLES])
    @example(
        [
            {"user.id": user, "activity.actor.id": actor, "activity.actor.type": kind}
            for user in (None, "", "7", 7)
            for actor in (None, "", "7", "8")
            for kind in (None, "", "user", "org")
        ]
    )
    def test_odd_values_stay_as_they_were_sealed(
        self, sealing_store: Any, migrated_client: Any, given_: list[dict[str, Any]]
    ) -> None:
        """Through the whole pipeline, and through the landing table as from a Collector."""
        producer = _emit_sealed(
            {"name": "a.b", **attributes}
            for attributes in given_
            if not isinstance(attributes.get("activity.outcome"), list)  # which is dropped, with its number
        )
        for table in ("activity_events", "activity_events_ingest"):
            migrated_client.command("TRUNCATE TABLE activity_events")
            columns = migrated_client.query(f"SELECT * FROM {table} LIMIT 0").column_names
            named = ", ".join(columns)
            migrated_client.command(
                f"INSERT INTO {table} ({named}) SELECT {named} FROM default.activity_events "
                "WHERE Producer = {producer:String}",
                parameters={"producer": producer},
            )
            state = only(verify_seals(migrated_client))
            assert (state.changed, state.is_intact) == ([], True)
            assert state.intact == state.sealed > 0


@pytest.fixture
def chain(sealed: Any) -> Any:
    """Numbers 1 to 37 with seals at 31, 33, 35 and 37."""
    producer = only(verify_seals(sealed)).producer
    for _ in range(3):
        activitylog.emit("a.b")
        assert activitylog.flush(60).complete
    copy(sealed, producer, range(32, 38))
    assert only(verify_seals(sealed)).is_intact
    return sealed


class TestLostSeals:
    """A seal that was lost, or taken out: nobody can tell which."""

    def test_is_made_again_of_its_events(self, chain: Any) -> None:
        """The next one has its hash, so nothing is less proved; the seal itself is missing."""
        at_32 = _checkpoint(chain, 32)
        chain.command("DELETE FROM activity_events WHERE Seq = 33")
        state = only(verify_seals(chain, at_32))
        assert (state.remade, state.holes, state.missing, state.broken) == ([(31, 32)], [], [33], [])
        assert (state.is_intact, state.is_forged, state.intact, state.seals) == (False, False, 35, 3)
        assert [piece[:2] for piece in state.pieces] == [(1, 30), (33, 36)]

    def test_an_added_event_is_found_there_too(self, chain: Any) -> None:
        """As in any other seal."""
        chain.command("DELETE FROM activity_events WHERE Seq = 33")
        copy(chain, only(verify_seals(chain)).producer, [32])
        state = only(verify_seals(chain))
        assert (state.remade, state.added, state.is_forged) == ([(31, 32)], [32], True)

    @pytest.mark.parametrize(
        "done",
        [
            "ALTER TABLE activity_events UPDATE SeverityNumber = 17 WHERE Seq = 32 SETTINGS mutations_sync = 2",
            "DELETE FROM activity_events WHERE Seq = 32",
            "DELETE FROM activity_events WHERE Seq = 31",
        ],
    )
    def test_without_its_events_it_is_a_hole(self, chain: Any, done: str) -> None:
        """Of which nothing is proved; a loss may have made it."""
        chain.command("DELETE FROM activity_events WHERE Seq = 33")
        chain.command(done)
        state = only(verify_seals(chain))
        assert state.holes[-1][1] == 32
        assert (state.is_intact, state.is_forged, state.broken, state.remade[1:]) == (False, False, [], [])
        assert state.pieces[-1][:2] == (33, 36)
        assert not SealedProducer("p", holes=state.holes).is_intact  # also if nothing else is wrong

    def test_nothing_else_fits_into_a_hole(self, chain: Any) -> None:
        """Also not a seal that was made well: the next one has another hash."""
        chain.command("DELETE FROM activity_events WHERE Seq = 33")
        chain.command(
            "ALTER TABLE activity_events UPDATE SeverityNumber = 17 WHERE Seq = 32 SETTINGS mutations_sync = 2"
        )
        put_in(chain, only(verify_seals(chain)).producer, 31, 32, number=33)
        state = only(verify_seals(chain))
        assert (state.holes, state.is_forged) == ([], True)
        assert state.broken == ["the seal of 33 to 34 does not follow the one before"]

    def test_a_seal_that_skips_numbers_was_not_made_by_a_process(self, chain: Any) -> None:
        """It cannot follow one that ends elsewhere: no loss makes that."""
        chain.command("DELETE FROM activity_events WHERE Seq IN (34, 35, 37)")
        put_in(chain, only(verify_seals(chain)).producer, 36, 36, number=37, behind=32)
        assert only(verify_seals(chain)).broken == ["the seal of 36 to 36 does not follow the one before"]

    def test_what_is_before_a_hole_is_held_by_a_checkpoint_only(self, chain: Any) -> None:
        """Whoever can take out a seal can rewrite those before; what was there at a checkpoint was not lost."""
        before = checkpoint_of(chain)
        chain.command("DELETE FROM activity_events WHERE Seq IN (32, 33)")
        chain.command(
            "ALTER TABLE activity_events UPDATE SeverityNumber = 17 WHERE Seq = 7 SETTINGS mutations_sync = 2"
        )
        chain.command("DELETE FROM activity_events WHERE Seq = 31")
        put_in(chain, only(verify_seals(chain)).producer, 1, 30, number=31)
        state = only(verify_seals(chain))
        assert (state.holes, state.changed, state.is_forged) == ([(31, 32)], [], False)
        state = only(verify_seals(chain, before))
        assert state.broken == ["the seals of 31 to 32 were there at the checkpoint of 2026-01-31T12:00:00Z"]
        at_30 = Checkpoint("x", before.time, {state.producer: [Piece(1, 30, "00" * 32)]})
        assert only(verify_seals(chain, at_30)).broken == [
            "the checkpoint of 2026-01-31T12:00:00Z has another chain at 30"
        ]

    def test_a_checkpoint_has_both_sides_of_a_hole(self, chain: Any) -> None:
        """Neither can be rewritten after it; and the hole that it knows is nobody's doing since."""
        chain.command("DELETE FROM activity_events WHERE Seq IN (32, 33)")
        checkpoint = checkpoint_of(chain)
        (pieces,) = checkpoint.chains.values()
        assert [piece[:2] for piece in pieces] == [(1, 30), (33, 36)]
        state = only(verify_seals(chain, checkpoint))
        assert (state.broken, state.is_intact) == ([], False)
        chain.command("DELETE FROM activity_events WHERE Seq IN (34, 35)")
        assert only(verify_seals(chain, checkpoint)).broken == [
            "the seals of 33 to 34 were there at the checkpoint of 2026-01-31T12:00:00Z"
        ]
        copy(chain, state.producer, [34, 35])
        chain.command("DELETE FROM activity_events WHERE Seq = 31")
        chain.command(
            "ALTER TABLE activity_events UPDATE SeverityNumber = 17 WHERE Seq = 7 SETTINGS mutations_sync = 2"
        )
        put_in(chain, state.producer, 1, 30, number=31)
        assert not only(verify_seals(chain)).is_forged
        assert only(verify_seals(chain, checkpoint)).broken == [
            "the checkpoint of 2026-01-31T12:00:00Z has another chain at 30"
        ]

    def test_of_what_was_not_there_a_checkpoint_says_nothing(self, chain: Any) -> None:
        """An erasure may make a hole of a seal that could be made again until then."""
        chain.command("DELETE FROM activity_events WHERE Seq = 33")
        checkpoint = checkpoint_of(chain)
        chain.command("DELETE FROM activity_events WHERE Seq = 32")
        state = only(verify_seals(chain, checkpoint))
        assert (state.holes, state.is_forged) == ([(31, 32)], False)

    def test_command(
        self, chain: Any, commands: Commands, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A lost seal is said, and stops no checkpoint."""
        verify, sign_, public = commands
        chain.command("DELETE FROM activity_events WHERE Seq = 33")
        assert (run(verify), run(sign_)) == (1, 0)
        said = capsys.readouterr()
        assert "the seals of 31 to 32 were lost or taken out; they were made again" in " ".join(said.out.split())
        assert said.err.count("warning: 1 event that was sealed is not there any more") == 1
        chain.command("DELETE FROM activity_events WHERE Seq = 32")
        assert run(verify) == 1
        assert "the seals of 31 to 32 were lost or taken out, and cannot be made again" in " ".join(
            capsys.readouterr().out.split()
        )
        assert run(sign_) == 0
        said = capsys.readouterr()
        assert "warning: the seals of 2 numbers were lost or taken out" in said.err
        note = tmp_path / "note.txt"
        note.write_text(said.out)
        assert run([*verify, "--checkpoint", str(note), "--public-key", public, "--json"]) == 1
        (state,) = json.loads(capsys.readouterr().out)["producers"]
        assert (state["holes"], state["remade"], state["broken"]) == ([[31, 32]], [], [])


def put_in(client: Any, producer: str, first: int, last: int, *, number: int, behind: int = 0) -> None:
    """Put in a seal of the events that are there now, made as the process makes one."""
    previous = GENESIS
    if first > 1:
        ((piece,),) = _checkpoint(client, behind or first - 1).chains.values()
        previous = bytes.fromhex(piece.chain)
    leaves = b"".join(map(_leaf, sorted(_rows(client, producer, first, last), key=lambda row: row["Seq"])))
    assert len(leaves) == (last - first + 1) * LEAF_BYTES
    chain = chain_of(previous, producer, first, last, leaves)
    changed = {
        "first": first,
        "last": last,
        "previous": previous.hex(),
        "chain": chain.hex(),
        "leaves": b64encode(leaves).decode("ascii"),
    }
    texts = ", ".join(f"'activity.seal.{name}', '{text}'" for name, text in changed.items())
    copy(client, producer, [number], f"mapUpdate(Attributes, map({texts})) AS Attributes")


def checkpoint_of(client: Any) -> Checkpoint:
    """As it would be signed now."""
    return Checkpoint("activitylog/example", "2026-01-31T12:00:00Z", chains_of(verify_seals(client)))


class TestBeginning:
    """What retention and archives take of a chain, on purpose."""

    def test_that_may_have_left_is_no_break(self, chain: Any) -> None:
        """The seal of the first number that is there covers one that is not: the seal before it."""
        chain.command("DELETE FROM activity_events WHERE Seq <= 31")
        state = only(verify_seals(chain))
        assert (state.holes, state.broken) == ([(1, 30)], [])
        state = only(verify_seals(chain, may_have_begun_earlier=lambda _: True))
        assert (state.is_intact, state.begins, state.before, state.missing) == (True, 32, 0, [])
        assert (state.intact, state.sealed, state.unsealed) == (5, 36, 1)

    def test_of_the_first_seal_itself(self, chain: Any) -> None:
        """Events that came shortly before a seal leave shortly before it."""
        chain.command("DELETE FROM activity_events WHERE Seq <= 3")
        state = only(verify_seals(chain, may_have_begun_earlier=lambda _: True))
        assert (state.is_intact, state.begins, state.intact) == (True, 4, 33)
        assert only(verify_seals(chain)).missing == [1, 2, 3]

    def test_is_asked_by_the_time_of_the_oldest_seal(self, chain: Any) -> None:
        """Which the seal has from its row."""
        chain.command("DELETE FROM activity_events WHERE Seq <= 31")
        ((time,),) = chain.query(
            "SELECT Timestamp FROM activity_events WHERE Seq = 33", tz_mode="aware"
        ).result_rows
        asked: list[datetime] = []
        verify_seals(chain, may_have_begun_earlier=_noting(asked, answer=False))
        assert asked[0] == time

    def test_a_hole_behind_it_is_one(self, chain: Any) -> None:
        """As is whatever else somebody did to what is left."""
        chain.command("DELETE FROM activity_events WHERE Seq <= 31 OR Seq IN (34, 35)")
        state = only(verify_seals(chain, may_have_begun_earlier=lambda _: True))
        assert (state.begins, state.holes, state.is_intact) == (32, [(33, 34)], False)
        copy(chain, state.producer, [35])
        state = only(verify_seals(chain, may_have_begun_earlier=lambda _: True))
        assert (state.begins, state.holes, state.missing) == (32, [], [34])

    def test_what_is_there_from_before_is_not_proved(self, chain: Any) -> None:
        """It may have had a later time, or was put there."""
        chain.command("DELETE FROM activity_events WHERE Seq <= 31 AND Seq != 7")
        state = only(verify_seals(chain, may_have_begun_earlier=lambda _: True))
        assert (state.is_intact, state.begins, state.before) == (True, 32, 1)

    def test_a_checkpoint_from_before_it_proves_nothing(self, chain: Any) -> None:
        """But the first seal that is there says what the one before was."""
        at_30, at_32 = (_checkpoint(chain, last) for last in (30, 32))
        forged = Checkpoint(
            at_30.origin, at_30.time, {only(verify_seals(chain)).producer: [Piece(1, 30, "00" * 32)]}
        )
        chain.command("DELETE FROM activity_events WHERE Seq <= 31")
        for checkpoint, broken in ((at_30, 0), (at_32, 0), (forged, 1)):
            state = only(verify_seals(chain, checkpoint, may_have_begun_earlier=lambda _: True))
            assert (len(state.broken), state.unprovable) == (broken, "")
        chain.command("DELETE FROM activity_events WHERE Seq <= 33")
        state = only(verify_seals(chain, at_30, may_have_begun_earlier=lambda _: True))
        assert (state.is_intact, state.begins) == (True, 34)
        assert state.unprovable == "what the checkpoint of 2026-01-31T12:00:00Z has of it, up to 30, is not here"
        assert only(verify_seals(chain, at_30)).broken[-1].endswith("has another chain at 30")

    def test_a_producer_that_is_gone(self, chain: Any) -> None:
        """As a whole, and as far as what left reaches to the time of the checkpoint."""
        checkpoint = _checkpoint(chain, 36)
        chain.command("DELETE FROM activity_events WHERE EventName = {name:String}", {"name": SEAL_EVENT_NAME})
        state = only(verify_seals(chain, checkpoint, may_have_begun_earlier=lambda _: True))
        assert not state.is_intact  # events, and no seals
        chain.command("TRUNCATE TABLE activity_events")
        asked: list[datetime] = []
        state = only(verify_seals(chain, checkpoint, may_have_begun_earlier=_noting(asked, answer=True)))
        assert (state.is_intact, bool(state.unprovable)) == (True, True)
        assert asked == [datetime(2026, 1, 31, 12, tzinfo=UTC)]
        unreadable = Checkpoint("x", "soon", checkpoint.chains)
        for one in (checkpoint, unreadable):
            state = only(verify_seals(chain, one, may_have_begun_earlier=lambda time: time.year < 2020))
            assert (state.is_intact, state.unprovable) == (False, "")

    def test_command(
        self, chain: Any, commands: Commands, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """An archive took the first seals: verified and signed; without its record they are missing."""
        verify, sign_, _ = commands
        chain.command("DELETE FROM activity_events WHERE Seq <= 31")
        apply(chain, parse_store({"retention_days": 1000}))
        assert (run(verify), run(sign_)) == (1, 0)
        chain.command(
            "INSERT INTO activity_archives (Action, Partition, Folder, Piece, RowCount, MaxTime) VALUES "
            "('archived', '202601', '/a', 'x', 31, {time:String})",
            parameters={"time": datetime.now(UTC).isoformat()},
        )
        capsys.readouterr()
        assert (run(verify), run(sign_)) == (0, 0)
        assert "begins with 32; what was before may have left by retention or for an archive" in " ".join(
            capsys.readouterr().out.split()
        )
        assert run([*verify, "--json"]) == 0
        (state,) = json.loads(capsys.readouterr().out)["producers"]
        assert (state["begins"], state["before"], state["unprovable"]) == (32, 0, "")


def _noting(asked: list[datetime], *, answer: bool) -> Callable[[datetime], bool]:
    """Always the same answer; notes what it was asked."""

    def may_have_begun_earlier(first: datetime) -> bool:
        asked.append(first)
        return answer

    return may_have_begun_earlier


def _checkpoint(client: Any, last: int) -> Checkpoint:
    """As it was signed when that number was the last one that was sealed."""
    ((producer, chain),) = client.query(
        "SELECT Producer, LogAttributes['activity.seal.chain'] FROM activity_events "
        "WHERE LogAttributes['activity.seal.last'] = {last:String}",
        parameters={"last": str(last)},
    ).result_rows
    return Checkpoint("activitylog/example", "2026-01-31T12:00:00Z", {producer: [Piece(1, last, chain)]})


PIECES = {"0a": [Piece(1, 7, "ff"), Piece(10, 12, "fe")], "0b": [Piece(3, 4, "00")]}


class TestCheckpoint:
    def test_shows_what_the_chain_alone_cannot(self, sealed: Any) -> None:
        """Whoever owns the database can take out the newest seal; the note elsewhere remembers it."""
        secret, public = new_key("example")
        note = sign(
            Checkpoint("activitylog/example", "2026-01-31T12:00:00Z", chains_of(verify_seals(sealed))), secret
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
        return sign(Checkpoint("activitylog/example", "2026-01-31T12:00:00Z", PIECES), secret), public

    def test_comes_back_as_it_was(self, signed: tuple[str, str]) -> None:
        """Signed, and read by whoever has the public key."""
        assert read(*signed) == Checkpoint("activitylog/example", "2026-01-31T12:00:00Z", PIECES)

    @given(st.data())
    def test_no_character_can_be_changed(self, signed: tuple[str, str], data: st.DataObject) -> None:
        """Of the text or the signature."""
        note, public = signed
        position = data.draw(st.integers(0, len(note) - 2))
        other = data.draw(st.sampled_from("0aZ+/ \n").filter(lambda char: char != note[position]))
        with pytest.raises(StoreError):
            read(note[:position] + other + note[position + 1 :], public)

    def test_of_the_signature_not_even_the_bits_that_nobody_reads(self, signed: tuple[str, str]) -> None:
        """The last character of base64 may have some."""
        note, public = signed
        end = note.rindex("=") - 1
        while note[end] == "=":
            end -= 1
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for other in alphabet.replace(note[end], ""):
            with pytest.raises(StoreError):
                read(note[:end] + other + note[end + 1 :], public)

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
        capsys.readouterr()
        sealing_store.command(
            "DELETE FROM activity_events WHERE Producer = {producer:String} AND Seq = 1",
            parameters={"producer": producer},
        )
        assert run(asked) == 1
        capsys.readouterr()
        assert run(["seals", "checkpoint", "--key", str(key), "--url", chdb_url]) == 0
        said = capsys.readouterr()
        assert said.err == (
            "warning: 1 event that was sealed is not there any more; see activitylog seals verify.\n"
        )
        assert producer in said.out
