"""A file under all plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.sampling.asking import (
    check_budget,
    check_counters,
    check_product,
    distinct_actors,
    estimates,
    questions,
    truth_of,
)
from tests.benchmarks.sampling.judging import Judged, judge
from tests.benchmarks.sampling.plans import Plan
from tests.benchmarks.sampling.records import Records
from tests.benchmarks.sampling.sending import clear, send

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    One plan, some draws.

    Attributes:
        rows: stored, by draw.
        actors: that the rows show, by draw.
        draws: the lines of all answers, by draw.
    """

    plan: Plan
    rows: list[int]
    actors: list[int]
    draws: list[list[Judged]]


@dataclass(frozen=True, slots=True)
class Study:
    """One file."""

    name: str
    events: int
    actors: int
    outcomes: list[Outcome]


def study(
    client: Client, url: str, records: Records, plans: Iterable[Plan], *, draws: int, tell: Callable[[str], None]
) -> Study:
    """
    Send a file under every plan, so many times.

    Raises:
        AssertionError: an exact count is not, or the product's answers differ from those here.
    """
    asked = questions(records)
    clear(client)
    send(url, records.events, Plan("truth"), draw=0)
    truth, actors = truth_of(estimates(client, asked)), distinct_actors(client)
    assert sum(truth["total"].values()) == len(records.events)
    outcomes = []
    for plan in plans:
        outcome = Outcome(plan, [], [], [])
        for draw in range(draws):
            clear(client)
            send(url, records.events, plan, draw=draw)
            answers = estimates(client, asked)
            check_counters(client, truth, by_time=plan.speed == 1)
            check_product(client, answers)
            check_budget(client, plan, records.events[0]["timestamp"])
            outcome.rows.append(answers["total"][""].rows if answers["total"] else 0)
            outcome.actors.append(distinct_actors(client))
            outcome.draws.append(judge(truth, answers))
        outcomes.append(outcome)
        tell(f"{records.name}: {plan.name}: {outcome.rows[0]:,} rows")
    return Study(records.name, len(records.events), actors, outcomes)
