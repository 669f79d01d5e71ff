"""What views and question say of sampled rows, against the same sums in plain Python; and their intervals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activitylog.queries import ask
from tests.activitylog.queries.rows import put, row

TABLES = ("activity_events", "activity_events_hourly", "activity_events_actor_daily", "activity_counters")


@dataclass(frozen=True)
class Stored:
    """A row, as far as estimates go. Weights are sums of powers of two: sums are exact in any order."""

    day: str
    tenant: str
    event: str
    outcome: str
    weight: float
    count: int
    by: str
    number: int

    def unit(self) -> str:
        """What it was kept with; empty where it lacks that."""
        if self.number == 0:
            return ""
        return {"tenant": self.tenant, "actor": f"user:u{self.number}"}.get(self.by, f"{self.by}{self.number}")

    def columns(self) -> dict[str, Any]:
        """As it is inserted."""
        number = str(self.number)
        units: dict[str, dict[str, Any]] = {
            "session": {"SessionId": f"session{number}"},
            "actor": {"ActorType": "user", "ActorId": f"u{number}"},
            "trace": {"TraceId": f"trace{number}"},
        }
        found = units.get(self.by, {}) if self.number else {}
        attributes = {"activity.sample.by": self.by} if self.by else {}
        if self.by == "channel" and self.number:
            attributes["channel"] = f"channel{number}"
        return {
            **row(f"{self.day} 10:00", self.event),
            **found,
            "TenantId": self.tenant,
            "Outcome": self.outcome,
            "SampleWeight": self.weight,
            "EventCount": self.count,
            "Attributes": attributes,
        }


def stored_rows() -> st.SearchStrategy[Stored]:
    """Rows of few names, days, tenants and units, so that they meet."""
    return st.builds(
        Stored,
        day=st.sampled_from(["2026-03-01", "2026-03-02"]),
        tenant=st.sampled_from(["acme", "globex"]),
        event=st.sampled_from(["viewed", "paid"]),
        outcome=st.sampled_from(["success", "failure"]),
        weight=st.sampled_from([1.0, 1.0, 2.0, 2.5, 4.0, 20.0, 1024.0, 0.5]),
        count=st.integers(0, 5),
        by=st.sampled_from(["", "session", "actor", "trace", "tenant", "channel"]),
        number=st.integers(0, 2),
    ).filter(lambda one: one.by != "tenant" or one.number > 0)


@dataclass(frozen=True)
class Drawn:
    """A draw: a row, or the rows of a unit."""

    deviation: float
    part: float
    lost: bool

    @classmethod
    def of(cls, rows: Sequence[Stored], *, lost: bool) -> Drawn:
        """Errors of rows that go together add up as they are."""
        deviation = sum(sqrt(max(one.weight * (one.weight - 1), 0)) * one.count for one in rows)
        part = sum(one.weight * one.count for one in rows if one.weight > 1)
        return cls(deviation, part, lost and part > 0)


def draws(rows: Iterable[Stored]) -> list[Drawn]:
    """One for each row that was decided alone, one for each unit."""
    units = defaultdict(list)
    found = []
    for one in rows:
        if one.by:
            units[one.by, one.unit()].append(one)
        else:
            found.append(Drawn.of([one], lost=False))
    return found + [Drawn.of(together, lost=unit == "") for (_, unit), together in units.items()]


def judged(rows: Sequence[Stored]) -> tuple[float, float, float, str]:
    """Standard error, draws in effect, largest share, trust."""
    drawn = draws(rows)
    error = sqrt(sum(one.deviation**2 for one in drawn))
    part, squares = sum(one.part for one in drawn), sum(one.part**2 for one in drawn)
    effective = part**2 / squares if squares else 0.0
    share = max(one.part for one in drawn) / part if part else 0.0
    if any(one.weight < 1 for one in rows):
        trust = "no"
    elif error == 0:
        trust = "exact"
    else:
        trust = "no" if any(one.lost for one in drawn) or effective < 30 or share > 0.05 else "yes"
    return error, effective, share, trust


def by_line(rows: Iterable[Stored]) -> dict[tuple[str, str, str], list[Stored]]:
    """By day, tenant and event."""
    lines = defaultdict(list)
    for one in rows:
        lines[one.day, one.tenant, one.event].append(one)
    return dict(lines)


def asked(client: Any, view: str, columns: str) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    """A view, by day, tenant and event."""
    sql = f"SELECT toString(Day), TenantId, EventName, {columns} FROM {view}"
    return {(day, tenant, event): tuple(rest) for day, tenant, event, *rest in client.query(sql).result_rows}


def check(client: Any, rows: Sequence[Stored]) -> None:
    """The three ways to ask say what Python says."""
    lines = by_line(rows)
    sums = {
        line: (len(of), sum(one.count for one in of), sum(one.weight * one.count for one in of))
        for line, of in lines.items()
    }
    found = asked(
        client,
        "activity_estimates_by_unit",
        "RowCount, EventCount, Weighted, StandardError, DrawsInEffect, LargestShare, Trust, Low, High",
    )
    assert found.keys() == lines.keys()
    for line, of in lines.items():
        error, effective, share, trust = judged(of)
        assert found[line][:3] == sums[line]
        assert found[line][3:6] == pytest.approx((error, effective, share))
        assert found[line][6] == trust
        weighted, counted = sums[line][2], sums[line][1]
        low = min(max(weighted - 1.96 * error, counted), weighted)
        assert found[line][7:] == pytest.approx((low, weighted + 1.96 * error))
    check_rollup(client, lines, sums)
    check_question(client, rows)


def check_rollup(client: Any, lines: dict[Any, list[Stored]], sums: dict[Any, tuple[int, int, float]]) -> None:
    """``activity_estimates`` knows single rows, and how many were kept with others."""
    found = asked(
        client,
        "activity_estimates",
        "RowCount, EventCount, Weighted, StandardError, UnitRows, Trust, Reason != ''",
    )
    assert found.keys() == lines.keys()
    for line, of in lines.items():
        variance = sum(one.weight * (one.weight - 1) * one.count**2 for one in of)
        error = sqrt(max(variance, 0))
        units = sum(bool(one.by) and one.weight > 1 for one in of)
        _, counted, weighted = sums[line]
        if weighted < counted:
            trust = "no"
        elif error == 0:
            trust = "exact"
        else:
            trust = "no" if weighted < sqrt(30) * error else "ask" if units else "yes"
        assert found[line][:3] == sums[line]
        assert found[line][3] == pytest.approx(error)
        assert found[line][4:] == (units, trust, trust in ("no", "ask"))


def check_question(client: Any, rows: Sequence[Stored]) -> None:
    """``estimates`` over all days and tenants."""
    answer = {line[0]: line[1:] for line in ask(client, "estimates", since="2026-02-28").rows}
    assert answer.keys() == {one.event for one in rows}
    for event, line in answer.items():
        of = [one for one in rows if one.event == event]
        error, effective, share, trust = judged(of)
        weighted = sum(one.weight * one.count for one in of)
        assert line[:2] == (len(of), weighted)
        assert line[2] == pytest.approx(error, abs=0.006)
        assert (line[5], line[6]) == pytest.approx((effective, 100 * share), abs=0.051)
        assert line[7] == trust


def clear(client: Any) -> None:
    """Empty what was filled."""
    for table in TABLES:
        client.command(f"TRUNCATE TABLE {table}")


def _same_numbers(client: Any, rows: list[Stored]) -> None:
    clear(client)
    put(client, *(one.columns() for one in rows))
    check(client, rows)


FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(FEW, max_examples=60)


class TestTheSameNumbers:
    @FEW
    @given(rows=st.lists(stored_rows(), min_size=1, max_size=12))
    def test_estimates(self, empty_store: Any, rows: list[Stored]) -> None:
        """Roll-up, rows and question agree with Python about any rows."""
        _same_numbers(empty_store, rows)

    @pytest.mark.slow
    @MANY
    @given(rows=st.lists(stored_rows(), min_size=1, max_size=60))
    def test_estimates_of_many_rows(self, empty_store: Any, rows: list[Stored]) -> None:
        """As before; here some are trusted."""
        _same_numbers(empty_store, rows)

    def test_estimates_that_are_trusted(self, empty_store: Any) -> None:
        """Forty sessions of one line, and the same kept one by one."""
        base: dict[str, Any] = {"day": "2026-03-01", "tenant": "acme", "outcome": "success", "weight": 4.0}
        rows = [
            Stored(**base, event=event, count=1, by=by, number=1 + n)
            for event, by in (("viewed", "session"), ("paid", ""))
            for n in range(40)
        ]
        put(empty_store, *(one.columns() for one in rows))
        check(empty_store, rows)
        assert {judged([one for one in rows if one.event == event])[3] for event in ("viewed", "paid")} == {"yes"}

    @FEW
    @given(
        counters=st.lists(
            st.tuples(
                st.sampled_from(["viewed", "paid"]),
                st.sampled_from(["", "drop", "sample"]),
                st.integers(0, 2**40),
                st.integers(1, 3),
            ),
            min_size=1,
            max_size=12,
        ),
        unnumbered=st.booleans(),
    )
    def test_totals(
        self, empty_store: Any, counters: list[tuple[str, str, int, int]], *, unnumbered: bool
    ) -> None:
        """Each counter counts once, however often it came; without a number all of them do."""
        clear(empty_store)
        truth: Counter[tuple[str, str]] = Counter()
        rows: list[dict[str, Any]] = []
        for seq, (event, reason, count, times) in enumerate(counters, start=1):
            named = {"Producer": "a" if seq % 2 else "b", "Seq": 0 if unnumbered else (seq + 1) // 2}
            counter = {"EventName": event, "Reason": reason, "EventCount": count, **named}
            rows += [{"Minute": f"2026-03-01 10:0{seq % 3}:00", **counter}] * times
            truth[event, reason] += count * (times if unnumbered else 1)
        put(empty_store, *rows, table="activity_counters")
        found = empty_store.query(
            "SELECT EventName, Reason, sum(EventCount), sum(Kept), sum(Dropped) FROM activity_totals GROUP BY ALL"
        ).result_rows
        assert {(event, reason): count for event, reason, count, _, _ in found} == truth
        assert all((kept, dropped) == ((n, 0) if not reason else (0, n)) for _, reason, n, kept, dropped in found)
        put(empty_store, *(one.columns() for one in [_one(event) for event, _ in truth]))
        exact = {line[0]: line[-2] for line in ask(empty_store, "estimates", since="2026-02-28").rows}
        assert exact == {
            event: sum(n for (name, _), n in truth.items() if name == event) for event in {e for e, _ in truth}
        }


def _one(event: str) -> Stored:
    return Stored("2026-03-01", "acme", event, "success", 1.0, 1, "", 0)


def covered(
    client: Any, sizes: Sequence[int], *, probability: float, draws_: int, seed: int
) -> tuple[float, float]:
    """
    Of so many simulated samples of units of these sizes, each in a tenant of its own: which share is trusted, and
    of those, which share of intervals holds the truth.
    """
    clear(client)
    random = Random(seed)
    rows = []
    for draw in range(draws_):
        for unit, size in enumerate(sizes):
            if random.random() < probability:
                found = row(
                    "2026-03-01 10:00", "viewed", f"a{unit}", SampleWeight=1 / probability, EventCount=size
                )
                rows.append({**found, "TenantId": f"t{draw}", "Attributes": {"activity.sample.by": "actor"}})
    put(client, *rows)
    lines = client.query("SELECT Trust, Low, High FROM activity_estimates_by_unit").result_rows
    held = [low <= sum(sizes) <= high for trust, low, high in lines if trust == "yes"]
    return len(held) / draws_, sum(held) / len(held) if held else 0.0


class TestIntervals:
    @pytest.mark.slow
    @pytest.mark.parametrize(("probability", "seed"), [(0.1, 1), (0.3, 2), (0.5, 3)])
    def test_coverage(self, empty_store: Any, probability: float, seed: int) -> None:
        """Of 1,500 samples of actors with 1 to 10 events, 95 of 100 trusted intervals hold the true number."""
        random = Random(seed)
        sizes = [random.randint(1, 10) for _ in range(int(100 / probability))]
        trusted, held = covered(empty_store, sizes, probability=probability, draws_=1500, seed=seed)
        assert trusted > 0.95
        assert 0.93 <= held <= 0.97

    def test_no_trust_where_few_actors_do_most(self, empty_store: Any) -> None:
        """Actors as the law of Zipf has them: the largest may be in the sample, or not, and nothing tells."""
        sizes = [round(20_000 / rank) for rank in range(1, 501)]
        trusted, _ = covered(empty_store, sizes, probability=0.2, draws_=100, seed=7)
        assert trusted == 0
