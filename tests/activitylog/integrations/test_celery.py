"""Tasks of Celery: what came with them, what they end in. Worker processes are in tests/life_cycle."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, Task, chain, chord, group, signals
from celery.contrib.testing.worker import start_worker
from celery.exceptions import Ignore, Reject, Retry

import activitylog
from activitylog import context
from activitylog.exceptions import ConfigurationError
from activitylog.integrations import messages
from activitylog.integrations.celery import HEADER, TASK_EVENTS, instrument, uninstrument
from activitylog.integrations.http import RequestContext, http_options
from activitylog.testing import CapturedActivities, capture_activities

app = Celery("shop", broker="memory://", backend="cache+memory://", set_as_current=False)
app.conf.update(
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"polling_interval": 0.01},
)

#: What a result is waited for, at the most.
SECONDS = 60.0


@app.task(name="shop.tasks.look")
def look(*_: Any) -> None:
    """Emits."""
    activitylog.emit("thing.seen")


@app.task(name="shop.tasks.hand_on")
def hand_on(depth: int) -> None:
    """Asks for itself, and for another task."""
    activitylog.emit("thing.seen")
    if depth:
        hand_on.delay(depth - 1)
    else:
        look.delay()


@app.task(name="shop.tasks.bind_and_hand_on")
def bind_and_hand_on() -> None:
    """Asks for another task in its own name, and leaves something bound."""
    context.push({"actor": "robot:7"})
    look.delay()


@app.task(name="shop.tasks.try_again", bind=True, max_retries=2)
def try_again(self: Task, exc: bool = True) -> None:
    """Fails twice; in its own name it does something else meanwhile."""
    activitylog.emit("thing.seen", retries=self.request.retries)
    if self.request.retries < 2:
        with activitylog.bind(actor="robot:7"):
            raise self.retry(exc=ConnectionError("gone") if exc else None, countdown=0)


@app.task(name="shop.tasks.end")
def end(how: str) -> None:
    """Ends otherwise than by returning, with something left bound."""
    context.push({"actor": "robot:7"})
    errors = {"ignore": Ignore(), "reject": Reject("no"), "denied": PermissionError("not yours")}
    raise errors.get(how) or ValueError(how)


@app.task(name="shop.tasks.look_at")
def look_at(task_id: str) -> None:
    """An error callback: with one argument it is a task of its own, with more it is called."""
    activitylog.emit("thing.seen", object=("task", task_id))


@app.task(name="shop.tasks.replace", bind=True)
def replaced(self: Task) -> None:
    """Has another task take its place."""
    raise self.replace(look.si())


@pytest.fixture
def instrumented(request: pytest.FixtureRequest) -> Iterator[None]:
    """As an application calls it; what the test says by ``@pytest.mark.parametrize(..., indirect=True)``."""
    instrument(**getattr(request, "param", {}))
    yield
    uninstrument()


@pytest.fixture
def captured(instrumented: None) -> Iterator[CapturedActivities]:
    """What was emitted; lenient, as production is."""
    with capture_activities(strict=False) as found:
        yield found


class Probe:
    """Signals that a test waits for, and what was bound in the worker's thread when a task was over."""

    def __init__(self) -> None:
        self.ended = threading.Semaphore(0)
        self.left: list[dict[str, Any]] = []

    def note(self, **_: Any) -> None:
        """After ours: a task has ended."""
        self.left.append(dict(context.current()))
        self.ended.release()

    def wait(self, tasks: int) -> None:
        """For so many runs to end."""
        for _ in range(tasks):
            assert self.ended.acquire(timeout=SECONDS)


@pytest.fixture(scope="module")
def _worker() -> Iterator[None]:
    level = logging.getLogger().level
    try:
        with start_worker(app, pool="solo", perform_ping_check=False, loglevel="CRITICAL"):
            yield
    finally:
        logging.getLogger().setLevel(level)  # which a worker sets for its whole process


@pytest.fixture
def worker(_worker: None, captured: CapturedActivities) -> Iterator[Probe]:
    """A real worker in a thread of this process, with a broker in its memory."""
    probe = Probe()
    signals.task_postrun.connect(probe.note, weak=False)
    yield probe
    signals.task_postrun.disconnect(probe.note)


#: Asks for tasks that no worker here takes.
asking = Celery("asking", broker="memory://", set_as_current=False)
asking.conf.task_default_queue = "asked"


def ask(**options: Any) -> None:
    """Ask for a task, by its name."""
    asking.send_task("shop.tasks.look", **options)


def published() -> list[dict[str, Any]]:
    """Headers of the messages that wait in the broker, which are taken out."""
    found = []
    with asking.connection_for_read() as connection:
        queue = asking.amqp.queues["asked"](connection.default_channel)
        while (message := queue.get(no_ack=True)) is not None:
            found.append(message.headers)
    return found


@pytest.fixture
def broker() -> Iterator[None]:
    """One that is empty afterwards."""
    yield
    published()


@pytest.mark.usefixtures("instrumented", "broker")
class TestPublishing:
    def test_what_is_bound_travels_in_a_header(self) -> None:
        """Lazy values are resolved, who and what are ids."""

        class User:
            pk, is_authenticated = 42, True

        user = User()
        with activitylog.bind(actor=lambda: user, tenant="acme", session="s", feature="export"):
            ask()
        (headers,) = published()
        assert json.loads(headers[HEADER]) == {
            "actor": ["user", "42"],
            "tenant": "acme",
            "session": "s",
            "feature": "export",
        }

    def test_without_anything_bound_there_is_no_header(self) -> None:
        """As in beat, and in scripts."""
        ask()
        assert HEADER not in published()[0]

    def test_a_header_of_the_caller_is_respected(self) -> None:
        """Its own ones, and ours if it has written one."""
        with activitylog.bind(tenant="acme"):
            ask(headers={"mine": "1"})
            ask(headers={HEADER: "theirs"})
        first, second = published()
        assert (first["mine"], first[HEADER]) == ("1", '{"tenant":"acme"}')
        assert second[HEADER] == "theirs"

    @pytest.mark.parametrize("instrumented", [{"omit": {"session", "client.address"}}], indirect=True)
    def test_what_is_left_out(self, instrumented: None) -> None:
        """Keys that are bound, and attributes of the request."""
        request = {"client.address": "10.0.0.1", "http.route": "/a"}
        with activitylog.bind(tenant="acme", session="s", request=lambda: request):
            ask()
        assert json.loads(published()[0][HEADER]) == {"tenant": "acme", "request": {"http.route": "/a"}}

    def test_a_request_travels(self) -> None:
        """Its id above all."""
        headers = {"x-request-id": "r-1", "user-agent": "curl/8"}
        request = RequestContext(
            http_options(),
            method="POST",
            path="/export",
            header=lambda name: headers.get(name.lower()),
            peer="10.0.0.1",
            route=lambda: "/export",
            actor=lambda: "user:1",
        )
        token = request.enter()
        ask()
        request.leave(token)
        said = json.loads(published()[0][HEADER])
        assert said["actor"] == ["user", "1"]
        assert said["request"]["client.address"] == "10.0.0.1"
        assert said["request"]["http.route"] == "/export"

    def test_however_much_is_bound(self) -> None:
        """A message's header is bounded; who and for whom come before all else."""
        many = {f"key_{number}": "\x01" * 2_000 for number in range(100)}  # six characters each, in JSON
        with activitylog.bind(actor="user:1", tenant="acme", **many):
            ask()
        text = published()[0][HEADER]
        assert len(text.encode()) <= messages.MAX_BYTES
        said = json.loads(text)
        assert (said["actor"], said["tenant"]) == (["user", "1"], "acme")

    def test_in_the_older_protocol(self) -> None:
        """Its messages have headers, too."""
        older = Celery("older", broker="memory://", set_as_current=False)
        older.conf.update(task_default_queue="asked", task_protocol=1)
        with activitylog.bind(tenant="acme"):
            older.send_task("shop.tasks.look")
        assert published() == [{HEADER: '{"tenant":"acme"}'}]

    def test_a_lazy_value_that_fails_is_left_out(self) -> None:
        """Nothing fails because of it."""

        def fail() -> None:
            raise LookupError

        with activitylog.bind(actor=fail, tenant="acme"):
            ask()
        assert published()[0][HEADER] == '{"tenant":"acme"}'

    def test_nothing_happens_once_it_is_undone(self) -> None:
        """uninstrument() leaves Celery as it was."""
        uninstrument()
        with activitylog.bind(tenant="acme"):
            ask()
        assert HEADER not in published()[0]


class TestRunning:
    def test_events_say_who_asked_and_which_task_it_is(self, worker: Probe, captured: CapturedActivities) -> None:
        """And nothing stays bound in the worker."""
        with activitylog.bind(actor="user:1", tenant="acme", request={"activity.request.id": "r-1"}):
            result = look.delay()
        worker.wait(1)
        event = captured.one("thing.seen", actor="user:1", tenant="acme", request_id="r-1")
        assert event.attributes["messaging.message.id"] == result.id
        assert event.attributes["code.function.name"] == "shop.tasks.look"
        assert "messaging.message.conversation_id" not in event.attributes
        assert worker.left == [{}]

    def test_tasks_that_ask_for_tasks(self, worker: Probe, captured: CapturedActivities) -> None:
        """However deep: all say who asked for the first one, and which it was."""
        with activitylog.bind(actor="user:1"):
            first = hand_on.delay(2)
        worker.wait(4)
        events = captured.find("thing.seen", actor="user:1")
        assert len(events) == 4
        assert [event.attributes.get("messaging.message.conversation_id") for event in events] == [
            None,
            first.id,
            first.id,
            first.id,
        ]
        assert len({event.attributes["messaging.message.id"] for event in events}) == 4

    def test_a_task_may_ask_in_its_own_name(self, worker: Probe, captured: CapturedActivities) -> None:
        """What it has bound travels; what it left bound is gone with it."""
        with activitylog.bind(actor="user:1", tenant="acme"):
            bind_and_hand_on.delay()
        look.delay()
        worker.wait(3)
        assert sorted((event.actor, event.attributes.get("activity.tenant.id", "")) for event in captured) == [
            ("", ""),
            ("robot:7", "acme"),
        ]
        assert worker.left == [{}] * 3

    @pytest.mark.parametrize(
        ("canvas", "runs"),
        [
            (lambda: chain(look.si(), look.si(), look.si()), 3),
            (lambda: group(look.si(), look.si()), 2),
            (lambda: chord([look.si(), look.si()], look.si()), 3),
            (lambda: chain(group(look.si(), look.si()), look.si()), 3),
        ],
        ids=["chain", "group", "chord", "chain of a group"],
    )
    def test_canvas(self, worker: Probe, captured: CapturedActivities, canvas: Any, runs: int) -> None:
        """Whichever process asks for the later ones."""
        with activitylog.bind(actor="user:1"):
            canvas().delay()
        while len(captured.find("thing.seen", actor="user:1")) < runs:  # and chord_unlock, perhaps again and again
            worker.wait(1)
        assert len(captured.find("thing.seen")) == runs
        assert set(map(str, worker.left)) == {"{}"}

    def test_retries_keep_what_came_with_the_first(self, worker: Probe, captured: CapturedActivities) -> None:
        """Not what was bound where they were asked for."""
        with activitylog.bind(actor="user:1"):
            try_again.delay()
        try_again.delay()
        worker.wait(6)
        retries = sorted((event.actor, event.attributes["retries"]) for event in captured)
        assert retries == [("", 0), ("", 1), ("", 2), ("user:1", 0), ("user:1", 1), ("user:1", 2)]

    def test_a_task_that_is_replaced(self, worker: Probe, captured: CapturedActivities) -> None:
        """Who takes its place acts for the same."""
        with activitylog.bind(actor="user:1"):
            replaced.delay()
        worker.wait(2)
        captured.one("thing.seen", actor="user:1")

    def test_error_callbacks(self, worker: Probe, captured: CapturedActivities) -> None:
        """They are tasks, too."""
        with activitylog.bind(actor="user:1"):
            result = end.apply_async(("fail",), link_error=look_at.s())
        worker.wait(2)
        captured.one("thing.seen", actor="robot:7", object=f"task:{result.id}")  # which the task had bound

    @pytest.mark.parametrize("how", ["fail", "ignore", "reject"])
    def test_nothing_stays_bound_however_a_task_ends(
        self, worker: Probe, captured: CapturedActivities, how: str
    ) -> None:
        """Not even what it left bound itself."""
        with activitylog.bind(actor="user:1"):
            end.delay(how)
        look.delay()
        worker.wait(2)
        assert worker.left == [{}, {}]
        assert captured.one("thing.seen").actor == ""


class TestEagerly:
    @pytest.fixture(autouse=True)
    def _eager(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        app.conf.task_always_eager = True
        yield
        app.conf.task_always_eager = False

    def test_a_task_has_what_its_caller_has(self, captured: CapturedActivities) -> None:
        """Lazy values stay lazy; afterwards the caller's events are no task's."""
        with activitylog.bind(actor=lambda: "user:1"):
            result = look.delay()
            activitylog.emit("thing.done")
        event = captured.one("thing.seen", actor="user:1")
        assert event.attributes["messaging.message.id"] == result.id
        assert "messaging.message.id" not in captured.one("thing.done", actor="user:1").attributes
        assert dict(context.current()) == {}

    def test_tasks_in_tasks(self, captured: CapturedActivities) -> None:
        """Each has its own id."""
        with activitylog.bind(actor="user:1"):
            hand_on.delay(2)
        assert len({event.attributes["messaging.message.id"] for event in captured.find(actor="user:1")}) == 4

    @pytest.mark.parametrize("instrumented", [{"task_events": True}], indirect=True)
    def test_what_a_task_raises_into_its_caller(self, captured: CapturedActivities) -> None:
        """The end of the run is told all the same."""
        with activitylog.bind(actor="user:1"), pytest.raises(ValueError, match="fail"):
            end.apply(("fail",), throw=True)
        event = captured.one("task.failed", outcome="failure", error="ValueError")
        assert event.object.startswith("task:")
        with pytest.raises(Retry):
            try_again.apply(throw=True)
        captured.one("task.retried", error="ConnectionError")
        assert dict(context.current()) == {}

    def test_called_directly_it_is_no_task(self, captured: CapturedActivities) -> None:
        """But a function."""
        with activitylog.bind(actor="user:1"):
            look()
        assert "messaging.message.id" not in captured.one("thing.seen", actor="user:1").attributes


@pytest.mark.parametrize("instrumented", [{"task_events": True}], indirect=True)
class TestTaskEvents:
    def test_a_success(self, worker: Probe, captured: CapturedActivities, instrumented: None) -> None:
        """Who asked for it, how long it took, the queue."""
        with activitylog.bind(actor="user:1", tenant="acme"):
            result = look.delay()
        worker.wait(1)
        event = captured.one("task.succeeded", actor="user:1", tenant="acme", object=f"task:{result.id}")
        assert 0 < event.attributes["activity.duration"] < SECONDS
        assert event.attributes["messaging.destination.name"] == "celery"
        assert event.attributes["code.function.name"] == "shop.tasks.look"
        assert "celery.retries" not in event.attributes

    def test_a_failure(self, worker: Probe, captured: CapturedActivities, instrumented: None) -> None:
        """With its error; what may not be done is denied."""
        end.delay("broken")
        end.delay("denied")
        worker.wait(2)
        failed, denied = captured.find("task.failed")
        assert (failed.outcome, failed.severity) == ("failure", "ERROR")
        assert failed.attributes["error.type"] == "ValueError"
        assert failed.attributes["exception.message"] == "broken"
        assert (denied.outcome, denied.attributes["error.type"]) == ("denied", "PermissionError")

    def test_retries(self, worker: Probe, captured: CapturedActivities, instrumented: None) -> None:
        """Each attempt is told, the error of each, and which it was."""
        try_again.delay()
        worker.wait(3)
        assert [
            (
                event.name,
                event.outcome,
                event.attributes.get("error.type"),
                event.attributes.get("celery.retries", 0),
            )
            for event in captured
            if event.name.startswith("task.")
        ] == [
            ("task.retried", "failure", "ConnectionError", 0),
            ("task.retried", "failure", "ConnectionError", 1),
            ("task.succeeded", "success", None, 2),
        ]

    def test_a_retry_without_an_error(
        self, worker: Probe, captured: CapturedActivities, instrumented: None
    ) -> None:
        """As tasks wait for something: no failure."""
        try_again.delay(exc=False)
        worker.wait(3)
        assert [event.outcome for event in captured.find("task.retried")] == ["unknown", "unknown"]

    def test_other_ends(self, worker: Probe, captured: CapturedActivities, instrumented: None) -> None:
        """Neither success nor failure."""
        end.delay("ignore")
        end.delay("reject")
        worker.wait(2)
        assert [(event.name, event.outcome) for event in captured] == [
            ("task.ignored", "unknown"),
            ("task.rejected", "unknown"),
        ]

    def test_what_was_taken_back(self, worker: Probe, captured: CapturedActivities, instrumented: None) -> None:
        """Told by the worker, in the name of who had asked for it."""
        with activitylog.bind(actor="user:1"):
            result = look.apply_async(expires=-1)
        look.delay()
        worker.wait(1)
        event = captured.one("task.revoked", actor="user:1", object=f"task:{result.id}", outcome="unknown")
        assert event.attributes["reason"] == "expired"
        assert event.attributes["code.function.name"] == "shop.tasks.look"
        assert dict(context.current()) == {}


class TestWhichTaskEvents:
    @pytest.mark.parametrize("instrumented", [{"task_events": ["task.failed"]}], indirect=True)
    def test_only_those_asked_for(self, worker: Probe, captured: CapturedActivities, instrumented: None) -> None:
        """By their names."""
        look.delay()
        end.delay("fail")
        worker.wait(2)
        assert captured.names == ["thing.seen", "task.failed"]

    def test_none_by_default(self, worker: Probe, captured: CapturedActivities) -> None:
        """Most tasks emit what matters themselves."""
        end.delay("fail")
        worker.wait(1)
        assert captured.names == []

    def test_one_that_does_not_exist(self) -> None:
        """Said at once, and what was connected before stays."""
        with pytest.raises(ConfigurationError, match=r"'task.suceeded' in it.*mean 'task.succeeded'\?"):
            instrument(task_events=["task.suceeded"])
        assert TASK_EVENTS[0] == "task.succeeded"

    def test_called_twice(self, worker: Probe, captured: CapturedActivities) -> None:
        """The second call counts, and each run is told once."""
        instrument(task_events=True)
        instrument(task_events=True)
        look.delay()
        worker.wait(1)
        assert captured.names == ["thing.seen", "task.succeeded"]


class TestHeadersOfOthers:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "[1]",
            "null",
            "[" * 16_000,
            "x" * 100_000,
            '{"actor":["user","1"],"much":"' + "x" * 20_000 + '"}',
            '{"a":' * 3_000,
            "9" * 10_000,
            b"\xff",
            7,
            {"actor": "user:1"},
            ["actor"],
        ],
        ids=lambda text: str(text)[:8],
    )
    def test_what_is_no_text_of_ours(self, worker: Probe, captured: CapturedActivities, text: Any) -> None:
        """The task runs; its events say that something could not be read."""
        look.apply_async(headers={HEADER: text})
        worker.wait(1)
        event = captured.one("thing.seen")
        assert event.attributes["activity.sanitized"] == ["context:unreadable"]
        assert event.actor == ""

    def test_what_is_not_theirs_to_say(self, worker: Probe, captured: CapturedActivities) -> None:
        """Neither the event nor its outcome, weight, number, time or trace, nor which task it is."""
        said = {
            "actor": ["user", "1"],
            "event": "forged.event",
            "timestamp": 1,
            "outcome": "failure",
            "error": "x",
            "message": "x",
            "trace_id": "f" * 32,
            "count": 10**9,
            "durable": True,
            "activity.sample.weight": 1e9,
            "activity.producer": "x",
            "activity.counter.event": "x",
            "activity.undecided": True,
            "log.record.uid": "x",
            "messaging.message.id": "x",
            "code.function.name": "x",
            "request": {"activity.sample.weight": 5.0, "http.route": "/a"},
        }
        result = look.apply_async(headers={HEADER: json.dumps(said)})
        worker.wait(1)
        event = captured.one("thing.seen", actor="user:1", outcome="success")
        attributes = dict(event.attributes)
        for own in ("log.record.uid", "activity.producer", "activity.seq"):
            assert attributes.pop(own) != "x"
        assert attributes == {
            "user.id": "1",
            "http.route": "/a",
            "messaging.message.id": result.id,
            "code.function.name": "shop.tasks.look",
            "activity.sanitized": ["context:unreadable"],
        }
        assert (event.trace_id, event.message) == (0, None)

    def test_it_is_bounded(self, worker: Probe, captured: CapturedActivities) -> None:
        """As what we write is; values of the wrong kind are left out."""
        said = {
            "actor": {"type": "user", "id": "1"},
            "object": ["a"],
            "target": ["a", 1],
            "tenant": ["acme"],
            "request": "x",
            "deep": [[[[[[1]]]]]],
            "long": "x" * 15_000,
        }
        look.apply_async(headers={HEADER: json.dumps(said)})
        worker.wait(1)
        event = captured.one("thing.seen")
        assert event.actor == event.object == event.target == ""
        assert "activity.tenant.id" not in event.attributes
        assert len(event.attributes["long"]) <= 4_096
        assert event.attributes["activity.sanitized"] == ["context:unreadable"]

    def test_it_is_logged_once_a_minute(
        self, worker: Probe, lines_of: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """For somebody writes there who should not."""
        monkeypatch.setattr(messages, "_next_line_at", [0.0])
        for _ in range(3):
            look.apply_async(headers={HEADER: "{"})
        worker.wait(3)
        (line,) = [line for line in lines_of("activitylog") if "header" in line]
        assert "activity.sanitized" in line
