"""Jobs of RQ: what came with them. Workers that fork are in tests/life_cycle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis
from rq import Queue, Retry, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer

import activitylog
from activitylog import context
from activitylog.integrations.rq import KEY, ActivityJob
from activitylog.testing import CapturedActivities, capture_activities
from tests.redis_server import redis_server

pytestmark = pytest.mark.slow

_left: list[dict[str, Any]] = []


def look() -> None:
    """Emits."""
    activitylog.emit("thing.seen")


async def look_later() -> None:
    """Emits in a loop of its own."""
    activitylog.emit("thing.seen")


def fail_once() -> None:
    """Emits, leaves something bound, and fails the first time."""
    activitylog.emit("thing.seen")
    context.push({"actor": "robot:7"})
    if len(_left) == 0:
        _left.append({})
        raise ConnectionError


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A client of a real server."""
    with redis_server(tmp_path_factory.mktemp("redis")) as socket, Redis(unix_socket_path=str(socket)) as client:
        yield client


@pytest.fixture
def queue(redis: Redis) -> Queue:
    """An empty one, whose jobs remember who has asked for them."""
    redis.flushdb()
    return Queue(connection=redis, job_class=ActivityJob)


@pytest.fixture
def captured() -> Iterator[CapturedActivities]:
    """What was emitted; lenient, as production is."""
    with capture_activities(strict=False) as found:
        yield found


def work(queue: Queue, job_class: type[Job] = ActivityJob) -> None:
    """Do what is there, in this process."""
    SimpleWorker([queue], connection=queue.connection, job_class=job_class).work(burst=True, logging_level="ERROR")
    assert dict(context.current()) == {}


class TestActivityJob:
    def test_events_say_who_asked_and_which_job_it_is(self, queue: Queue, captured: CapturedActivities) -> None:
        """In a worker's process, where nothing is bound."""
        with activitylog.bind(actor=lambda: "user:1", tenant="acme", request={"activity.request.id": "r-1"}):
            job = queue.enqueue(look)
        work(queue)
        event = captured.one("thing.seen", actor="user:1", tenant="acme", request_id="r-1")
        assert event.attributes["messaging.message.id"] == job.id
        assert event.attributes["code.function.name"] == f"{__name__}.look"

    def test_a_coroutine_function(self, queue: Queue, captured: CapturedActivities) -> None:
        """It runs in a loop that RQ begins for it."""
        with activitylog.bind(actor="user:1"):
            queue.enqueue(look_later)
        work(queue)
        captured.one("thing.seen", actor="user:1")

    def test_the_meta_of_the_application_is_left_alone(self, queue: Queue) -> None:
        """Its own dict, too; and what it has written under our key."""
        meta = {"mine": 1}
        with activitylog.bind(tenant="acme"):
            job = queue.enqueue(look, meta=meta)
            theirs = queue.enqueue(look, meta={KEY: "theirs"})
        assert queue.enqueue(look).meta == {}
        assert meta == {"mine": 1}
        assert ActivityJob.fetch(job.id, queue.connection).meta == {"mine": 1, KEY: '{"tenant":"acme"}'}
        assert theirs.meta == {KEY: "theirs"}

    def test_retries_and_dependents(self, queue: Queue, captured: CapturedActivities) -> None:
        """Who asked for them is known when they are asked for; nothing stays bound when one fails."""
        _left.clear()
        with activitylog.bind(actor="user:1"):
            first = queue.enqueue(fail_once, retry=Retry(max=1))
            queue.enqueue(look, depends_on=first)
        work(queue)
        assert [event.actor for event in captured.find("thing.seen")] == ["user:1"] * 3

    def test_without_a_worker(self, redis: Redis, captured: CapturedActivities) -> None:
        """A queue that does its jobs at once, as tests of applications have it."""
        queue = Queue(connection=redis, job_class=ActivityJob, is_async=False)
        with activitylog.bind(actor="user:1"):
            job = queue.enqueue(look)
        event = captured.one("thing.seen", actor="user:1")
        assert event.attributes["messaging.message.id"] == job.id

    def test_with_another_serializer(self, redis: Redis, captured: CapturedActivities) -> None:
        """What travels is a text."""
        redis.flushdb()
        queue = Queue(connection=redis, job_class=ActivityJob, serializer=JSONSerializer)
        with activitylog.bind(actor=("user", 1), on_behalf_of=("team", 7)):
            queue.enqueue(look)
        worker = SimpleWorker([queue], connection=redis, job_class=ActivityJob, serializer=JSONSerializer)
        worker.work(burst=True, logging_level="ERROR")
        captured.one("thing.seen", actor="user:1", on_behalf_of="team:7")

    def test_one_side_alone(self, queue: Queue, captured: CapturedActivities) -> None:
        """Jobs are done all the same: by a worker that knows nothing of it, and those that nobody wrote for."""
        with activitylog.bind(actor="user:1"):
            queue.enqueue(look)
        work(queue, Job)
        Queue(connection=queue.connection).enqueue(look)
        work(queue)
        first, second = captured.find("thing.seen", actor="")
        assert "messaging.message.id" not in first.attributes
        assert "messaging.message.id" in second.attributes

    def test_a_meta_of_somebody_else(self, queue: Queue, captured: CapturedActivities) -> None:
        """It is not believed, and the job is done."""
        said = {"actor": ["user", "1"], "activity.sample.weight": 1e9}
        for text in ("{", json.dumps(said), ["x"], 7):
            queue.enqueue(look, meta={KEY: text})
        work(queue)
        events = captured.find("thing.seen", **{"activity.sanitized": ["context:unreadable"]})
        assert [event.actor for event in events] == ["", "user:1", "", ""]
        assert not [event for event in events if "activity.sample.weight" in event.attributes]
