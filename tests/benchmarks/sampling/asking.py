"""
What the rows say, by SQL.

The arithmetic is that of the view ``activity_estimates_by_unit``, for any key: what was kept as a whole
(``SampleBy``) is one draw, any other row is a draw; the variance is the sum over the draws of w(w - 1)y², y the
events of a draw.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from activitylog.queries import ask
from tests.benchmarks.sampling.plans import Plan
from tests.benchmarks.sampling.records import Records
from tests.benchmarks.sampling.sending import RecordsClock

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_UNIT: Final = (
    "multiIf(SampleBy = 'session', SessionId, SampleBy = 'request_id', RequestId, "
    "SampleBy = 'actor', concat(ActorType, ':', ActorId), '')"
)
_SQL: Final = """
SELECT key, toUInt64(sum(stored)), sum(total), sqrt(sum(pow(spread, 2))),
    multiIf(sqrt(sum(pow(spread, 2))) = 0, 'exact',
        ifNotFinite(pow(sum(part), 2) / sum(pow(part, 2)), 0) < 30, 'no',
        ifNotFinite(max(part) / sum(part), 0) > 0.05, 'no', 'yes') AS trust
FROM (
    SELECT {key} AS key, count() AS stored, sum(SampleWeight * EventCount) AS total,
        sum(sqrt(greatest(SampleWeight * (SampleWeight - 1), 0)) * EventCount) AS spread,
        sumIf(SampleWeight * EventCount, SampleWeight > 1) AS part
    FROM activity_events
    GROUP BY key, SampleBy, if(SampleBy = '', toString(EventId), {unit})
)
GROUP BY key
"""
#: Question -> SQL of the key.
KEYS: Final = {
    "total": "''",
    "event name": "EventName",
    "outcome": "CAST(Outcome, 'String')",
    "actor (10)": "concat(ActorType, ':', ActorId)",
    "day": "toString(toDate(Timestamp))",
    "month": "toString(toStartOfMonth(Timestamp))",
    "hour of the day": "toString(toHour(Timestamp))",
}
_COUNTED: Final = {
    "total": "''",
    "event name": "EventName",
    "outcome": "Outcome",
    "day": "toString(toDate(Minute))",
    "month": "toString(toStartOfMonth(Minute))",
    "hour of the day": "toString(toHour(Minute))",
}
#: These questions have so many lines that only the ten largest are asked about.
_TEN: Final = "(10)"


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    One line of an answer.

    Attributes:
        rows: that carry it.
        events: the estimate.
        error: the standard error that the rows state.
        trust: ``exact``, ``yes`` or ``no``.
    """

    rows: int
    events: float
    error: float
    trust: str


#: No row: nothing is said.
ABSENT: Final = Estimate(0, 0.0, 0.0, "absent")

Answers = dict[str, dict[str, Estimate]]
Truth = dict[str, dict[str, int]]


def questions(records: Records) -> dict[str, str]:
    """Question -> SQL of its key, for a file."""
    name, sql = records.group
    return {**KEYS, name: sql}


def estimates(client: Client, asked: dict[str, str]) -> Answers:
    """What the rows say to each question: key -> estimate."""
    found: Answers = {}
    for question, key in asked.items():
        rows = client.query(_SQL.format(key=key, unit=_UNIT)).result_rows
        found[question] = {str(row[0]): Estimate(int(row[1]), row[2], row[3], row[4]) for row in rows}
    return found


def truth_of(answers: Answers) -> Truth:
    """The answers of rows that were not sampled; of questions with many lines the ten largest."""
    truth: Truth = {}
    for question, lines in answers.items():
        assert all(line.trust == "exact" for line in lines.values())
        counts = {key: round(line.events) for key, line in lines.items() if key or question == "total"}
        largest = sorted(counts.items(), key=lambda item: -item[1])
        truth[question] = dict(largest[:10] if question.endswith(_TEN) else largest)
    return truth


def distinct_actors(client: Client) -> int:
    """How many actors the rows show."""
    return int(client.command("SELECT uniqExact(ActorType, ActorId) FROM activity_events"))  # type: ignore[arg-type]


def check_counters(client: Client, truth: Truth, *, by_time: bool) -> None:
    """
    Hold the exact counters equal to the truth, in every cell.

    Raises:
        AssertionError: with the question.
    """
    for question, key in _COUNTED.items():
        if by_time or question in ("total", "event name", "outcome"):
            rows = client.query(
                f"SELECT {key} AS key, sum(EventCount) FROM activity_totals GROUP BY key"
            ).result_rows
            assert {str(row[0]): int(row[1]) for row in rows} == truth[question], question


def check_budget(client: Client, plan: Plan, first_ns: int) -> None:
    """
    Hold the rows of every second of the plan's clock within its budget; failures and denials are outside of it.

    Raises:
        AssertionError: with the fullest second.
    """
    budgets = [rule["max_per_second"] for rule in plan.rules if "max_per_second" in rule]
    clock, rows = RecordsClock(first_ns, plan.speed), Counter[int]()
    for (time_ns,) in client.query(
        "SELECT toUnixTimestamp64Nano(Timestamp) FROM activity_events WHERE Outcome NOT IN ('failure', 'denied')"
    ).result_rows:
        clock.follow(time_ns)
        rows[clock.now_ns // 1_000_000_000] += 1
    for budget in budgets:
        assert max(rows.values(), default=0) <= budget, rows.most_common(1)


def check_product(client: Client, answers: Answers) -> None:
    """
    Hold the product's own answers equal to these: the question ``estimates`` and the view by day.

    Raises:
        AssertionError: with what differs.
    """
    result = ask(client, "estimates", days=36_500, limit=1_000)
    lines = [dict(zip(result.columns, row, strict=True)) for row in result.rows]
    lines = [line for line in lines if line["rows"]]
    assert {line["event"] for line in lines} == set(answers["event name"])
    for line in lines:
        ours = answers["event name"][line["event"]]
        assert abs(line["events"] - ours.events) < 1e-6 * ours.events + 0.01, (line, ours)
        assert abs(line["standard_error"] - ours.error) < 1e-6 * ours.error + 0.01, (line, ours)
        # It knows the counters: what they tell of more than the rows is not exact.
        short = ours.trust == "exact" and (line["exact"] or 0) > ours.events
        assert line["trust"] == ("no" if short else ours.trust), (line, ours)
    rows = client.query(
        "SELECT toString(Day), sum(Weighted) FROM activity_estimates_by_unit GROUP BY Day"
    ).result_rows
    for day, weighted in rows:
        assert abs(weighted - answers["day"][day].events) < 1e-6 * weighted, day
