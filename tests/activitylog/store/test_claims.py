"""Claims: one has it, whoever comes, whoever is killed or paused."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest

from activitylog.exceptions import SchemaError, StoreBusyError
from activitylog.store import claims, migrations
from activitylog.store.claims import BEGUN, Begun, Claim, Hold, LostClaimError, Patience, current, take

_DAY = Begun("activity_events_hourly", dt.date(2026, 3, 1), 5)
_AT_ONCE = Patience(seconds=0)


@pytest.fixture
def store(chdb_client: Any) -> Any:
    """Only the table of claims."""
    chdb_client.command(next(step.sql for step in migrations() if step.name == "activity_claims"))
    return chdb_client


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Hold]:
    """Takes a claim that is expired at once, and forgets it."""

    def leave(client: Any) -> Hold:
        with monkeypatch.context() as patch:
            patch.setattr(claims, "LEASE_SECONDS", 0.001)
            return _taken(client, begun=[_DAY])

    return leave


def _taken(client: Any, *, begun: list[Begun] | None = None) -> Hold:
    hold = take(client, "x", _AT_ONCE)
    assert hold is not None
    if begun is not None:
        hold.renew(begun)
    return hold


def _is_allowed(client: Any, parameters: Any) -> bool:
    """What a statement with the condition finds."""
    found = client.query(f"SELECT {BEGUN}", parameters=parameters).result_rows
    return bool(found[0][0])


class TestClaims:
    def test_from_taken_to_given_back(self, store: Any) -> None:
        """It is free, held and free again, and says who had it."""
        assert current(store, "x") == claims._UNCLAIMED
        with _taken(store):
            held = current(store, "x")
            assert held.state == "held"
            assert 15 < (held.until - held.since).total_seconds() <= 20
            assert "process" in held.who
        free = current(store, "x")
        assert (free.state, free.holder, free.number) == ("free", held.holder, held.number + 1)

    def test_names_are_apart(self, store: Any) -> None:
        """Who has one claim does not keep others from another."""
        with _taken(store):
            other = take(store, "y", _AT_ONCE)
            assert other is not None

    def test_others_are_told_whom_they_wait_for(self, store: Any) -> None:
        """Patience ends with an error that says who has it; the waiting one was told once."""
        told: list[Claim] = []
        with _taken(store), pytest.raises(StoreBusyError, match=r"are being repaired by process \d+ on "):
            take(store, "x", Patience(seconds=0.3, waiting=told.append))
        assert [claim.state for claim in told] == ["held"]

    def test_nobody_waits_for_what_is_not_wanted_any_more(self, store: Any) -> None:
        """Who waits goes on without the claim as soon as there is nothing left to do."""
        answers = iter([True, False])
        with _taken(store):
            assert take(store, "x", Patience(wanted=lambda: next(answers))) is None

    @pytest.mark.slow
    def test_one_of_several_gets_it(self, store: Any, chdb_url: str) -> None:
        """Of four who write the next row at the same moment one has it: two hundred rounds, each from the last."""
        import clickhouse_connect

        together = threading.Barrier(4)
        got: list[list[str]] = [[] for _ in range(200)]

        def contend() -> None:
            client = clickhouse_connect.get_client(dsn=chdb_url, database=store.database)
            for winners in got:
                together.wait(60)
                hold = Hold(client, "x", current(client, "x"))
                together.wait(60)
                try:
                    hold.renew()
                except LostClaimError:
                    pass
                else:
                    winners.append(hold._holder)
            client.close()

        threads = [threading.Thread(target=contend) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [len(winners) for winners in got] == [1] * 200
        assert store.query("SELECT count(), max(Number) FROM activity_claims").result_rows == [(200, 200)]

    def test_an_expired_one_is_taken_over(self, store: Any, killed: Callable[[Any], Hold]) -> None:
        """The next holder has what was begun, and the old one has lost it, also where it was only paused."""
        paused = killed(store)
        assert current(store, "x").state == "expired"
        with _taken(store) as hold:
            assert hold.begun == (_DAY,)
            with pytest.raises(LostClaimError):
                paused.renew()
        assert current(store, "x").begun == (_DAY,)

    def test_an_expired_one_that_nobody_took(self, store: Any, killed: Callable[[Any], Hold]) -> None:
        """A holder that was slow has it still, as long as nobody else came."""
        slow = killed(store)
        slow.renew()
        assert current(store, "x").state == "held"

    def test_the_condition_of_a_statement(self, store: Any, killed: Callable[[Any], Hold]) -> None:
        """It holds for the holder and what it has begun, as long as the claim outlasts the statement."""
        hold = _taken(store, begun=[_DAY])
        with hold.statement(_DAY.target, 7) as sender:
            assert _is_allowed(store, sender)
            assert _is_allowed(store, {**sender, "bound": 26})
            assert not _is_allowed(store, {**sender, "bound": 28})  # 20 seconds of lease, and 7
            assert not _is_allowed(store, {**sender, "target": "activity_events_actor_daily"})
            assert not _is_allowed(store, {**sender, "holder": "another"})

    def test_a_paused_holder_may_not(self, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A statement that was about to be sent when its process was stopped is without effect after the lease."""
        monkeypatch.setattr(claims, "LEASE_SECONDS", 0.001)
        hold = _taken(store, begun=[_DAY])
        with hold.statement(_DAY.target, 0) as sender:
            assert not _is_allowed(store, sender)
            monkeypatch.undo()
            with _taken(store):
                assert not _is_allowed(store, sender)

    def test_a_statement_whose_end_nobody_heard(self, store: Any) -> None:
        """It may still run: its sender does not give the claim back."""
        with pytest.raises(ConnectionError), _taken(store) as hold, hold.statement(_DAY.target, 7):
            raise ConnectionError
        assert current(store, "x").state == "held"

    def test_a_statement_that_was_refused(self, store: Any) -> None:
        """The server has said that it has ended: the claim is given back, with what was begun."""
        from clickhouse_connect.driver.exceptions import DatabaseError

        with pytest.raises(DatabaseError), _taken(store, begun=[_DAY]) as hold, hold.statement(_DAY.target, 7):
            store.command("SELECT throwIf(1)")
        claim = current(store, "x")
        assert (claim.state, claim.begun) == ("free", (_DAY,))

    def test_without_the_table(self, chdb_client: Any) -> None:
        """A database of an earlier version: says what makes it."""
        with pytest.raises(SchemaError, match=r"no table activity_claims\. Run: activitylog schema apply"):
            take(chdb_client, "x", _AT_ONCE)
