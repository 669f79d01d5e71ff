"""The public API as a user writes it. Never run: mypy checks it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import activitylog
from activitylog.testing import ActivityTestCase, CapturedActivities, CapturedEvent, IsEvent, capture_activities


@activitylog.event("message.sent", version=2)
@dataclass(frozen=True)
class MessageSent:
    """A typed event."""

    channel: str


def configuring() -> None:
    """Every form of configure."""
    activitylog.configure("chdb:///var/lib/activity", service_name="chat", overflow="block")
    activitylog.configure(["clickhouse://a:b@host/db", "otlp://host"], resource_attributes={"a": "b"})
    activitylog.configure()


def emitting() -> bool:
    """Every form of emit."""
    activitylog.emit("message.sent", actor=("user", 1), object="message:1", timestamp=1, channel="general")
    activitylog.emit(
        MessageSent("general"), timestamp=dt.datetime.now(tz=dt.UTC), duration=dt.timedelta(seconds=1)
    )
    count: int = activitylog.emit_many("user.activated", ["user:1"], actor="user:2")
    log: activitylog.ActivityLogger = activitylog.get_logger(tenant="acme").bind(actor="user:1")
    return log.info("message.sent", count=count)


@activitylog.activity("report.exported")
@activitylog.bind(tenant="acme")
def export(report: str, copies: int = 1) -> list[str]:
    """The decorators keep the signature."""
    return [report] * copies


@activitylog.activity("report.exported")
async def export_async(report: str) -> bytes:
    """And that of coroutine functions."""
    result: activitylog.FlushResult = await activitylog.aflush(timeout=1.0)
    return report.encode() if result.complete else b""


def blocks() -> Iterator[str]:
    """The context managers."""
    with activitylog.bind(actor=lambda: "user:1"), activitylog.activity("import.run") as act:
        act.add(rows=len(export("a", copies=2)))
        yield "done"


def inspecting() -> int:
    """Counts and captured events."""
    with capture_activities() as captured:
        typed: CapturedActivities = captured
        event: CapturedEvent = typed.one("message.sent", actor="user:1")
        names: list[str] = typed.names
    stats: activitylog.Stats = activitylog.stats()
    return stats.emitted + len(names) + event.timestamp_ns


def asserting(activity: CapturedActivities) -> bool:
    """What a test says of captured events, of its time and of how it captures."""
    activity.freeze("2026-01-01T00:00:00Z")
    activity.freeze(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    activity.tick(1.5)
    activity.configure(strict=False, processors=[], rules=[{"match": "a.*", "drop": True}])
    activity.assert_emitted("message.sent", times=2, actor=("user", 42))
    activity.assert_emitted(MessageSent("general"), object="message:1")
    activity.assert_emitted(MessageSent, channel="general")
    activity.assert_not_emitted("message.sent", channel=None)
    activity.assert_nothing_emitted()
    activity.assert_counts({"message.sent": 3}, others=True)
    activity.assert_emitted_exactly(["a.b", ("a.b", {"x": 1}), IsEvent("a.b", x=1)], any_order=True)
    activity.assert_emitted_in_order(["a.b", MessageSent])
    summaries: list[str] = activity.summary()
    rows: list[dict[str, object]] = activity.as_dicts(times=True, ids=True)
    counts: dict[str, int] = activity.counts
    dropped: dict[str, int] = activity.dropped
    failures: list[Exception] = activity.failures
    first: CapturedEvent = activity[0]
    some: list[CapturedEvent] = [*activity[1:], *activity.find(actor="user:1")]
    when: dt.datetime = first.timestamp
    known = (summaries, rows, counts, dropped, failures, some, when, first["channel"], first.get("length", 0))
    return IsEvent("a.b", x=1) in activity and activity == [IsEvent("a.b")] and activity.held == len(known)


class SendingTest(ActivityTestCase):
    """Tests of unittest have them, too."""

    def test_sending(self) -> None:
        """As an attribute."""
        activity: CapturedActivities = self.activity
        activity.clear()
