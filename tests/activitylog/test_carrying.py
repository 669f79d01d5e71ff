"""What goes along to other threads and processes."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import json
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from starlette.background import BackgroundTask

import activitylog
from activitylog import context
from activitylog.carrying import PORTABLE_LIMITS, portable
from activitylog.integrations.http import RequestContext, bind_request, current_request, http_options
from activitylog.testing import CapturedActivities
from tests.strategies import Hostile, any_value

_request: contextvars.ContextVar[str] = contextvars.ContextVar("request")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that have nothing to do with the test's."""
    with ThreadPoolExecutor(2) as threads:
        yield threads


class User:
    """As Django has them."""

    is_authenticated = True

    def __init__(self, pk: int) -> None:
        self.pk = pk


def bound(*_: Any) -> dict[str, Any]:
    """What is bound where it is called; importable, so that it can be pickled."""
    return {key: context.resolve(value) for key, value in context.current().items()}


async def bound_later() -> dict[str, Any]:
    """The same in a coroutine."""
    await asyncio.sleep(0)
    return bound()


def active_span() -> tuple[int, int]:
    """The ids of the span that is active where it is called."""
    found = trace.get_current_span().get_span_context()
    return found.trace_id, found.span_id


class Service:
    """Something with a method."""

    def bound(self) -> dict[str, Any]:
        """What is bound where it is called."""
        return bound()


class Machine:
    """A callable object whose attributes have the names of somebody else's."""

    def __init__(self) -> None:
        self._function = "mine"
        self._frame = "mine, too"

    def __call__(self) -> tuple[Any, ...]:
        return self._function, self._frame, bound()


class TestInThreads:
    def test_events_say_who_handed_the_work_over(
        self, activity: CapturedActivities, pool: ThreadPoolExecutor
    ) -> None:
        """A thread of a pool emits as the task that gave it work."""
        with activitylog.bind(actor="user:1", tenant="acme"):
            work = pool.submit(activitylog.carry(activitylog.emit), "image.resized", object="image:7")
        assert work.result()
        activity.one("image.resized", actor="user:1", tenant="acme", object="image:7")

    def test_nothing_is_bound_without_it_nor_afterwards(self, pool: ThreadPoolExecutor) -> None:
        """The next work of the thread is nobody's, whatever the carried one left bound."""

        def leave_something() -> None:
            context.push({"actor": "user:2"})

        with activitylog.bind(tenant="acme"):
            carried = activitylog.carry(leave_something)
            assert pool.submit(bound).result() == {}
        for _ in range(4):
            pool.submit(carried).result()
        assert [pool.submit(bound).result() for _ in range(4)] == [{}] * 4

    def test_what_the_thread_has_bound_itself_is_not_mixed_in(self, pool: ThreadPoolExecutor) -> None:
        """It finds what was bound here, and nothing else."""
        with activitylog.bind(actor="user:1"):
            carried = activitylog.carry(bound)

        def in_a_block() -> Any:
            with activitylog.bind(tenant="other"):
                return carried(), bound()

        assert pool.submit(in_a_block).result() == ({"actor": "user:1"}, {"tenant": "other"})

    def test_it_outlives_the_block(self, pool: ThreadPoolExecutor) -> None:
        """What was bound when it was wrapped counts, not what is when it is called."""
        with activitylog.bind(actor="user:1"):
            carried = activitylog.carry(bound)
        with activitylog.bind(actor="user:2"):
            assert pool.submit(carried).result() == carried() == {"actor": "user:1"}

    def test_lazy_values_are_called_there_with_the_context_variables_of_here(
        self, pool: ThreadPoolExecutor
    ) -> None:
        """As a framework's proxies need it; and once for each event, not when it is wrapped."""
        calls = []

        def actor() -> str:
            calls.append(threading.current_thread())
            return _request.get()

        _request.set("user:1")
        with activitylog.bind(actor=actor):
            carried = activitylog.carry(bound)
        _request.set("user:2")
        assert calls == []
        assert pool.submit(carried).result() == {"actor": "user:1"}
        assert calls != [threading.current_thread()]

    def test_a_request_can_be_told_more_from_there(
        self, activity: CapturedActivities, pool: ThreadPoolExecutor
    ) -> None:
        """The request that is bound is the same one."""
        request = RequestContext(http_options(), method="GET", path="/a", header=lambda _: None, peer="10.0.0.1")
        token = request.enter()
        pool.submit(activitylog.carry(bind_request), plan="free").result()
        assert pool.submit(activitylog.carry(current_request)).result() is request
        activitylog.emit("report.opened")
        request.leave(token)
        activity.one("report.opened", **{"plan": "free", "client.address": "10.0.0.1"})

    def test_the_active_span_comes_along(self, pool: ThreadPoolExecutor) -> None:
        """Events, and spans that are begun there, belong to the trace of here; afterwards none is active."""
        with TracerProvider().get_tracer("test").start_as_current_span("request") as span:
            carried = activitylog.carry(active_span)
        here = span.get_span_context()
        assert pool.submit(carried).result() == (here.trace_id, here.span_id)
        assert [pool.submit(active_span).result() for _ in range(4)] == [(0, 0)] * 4

    def test_many_threads_and_recursion(self) -> None:
        """One carried function may run many times at once, and in itself."""
        barrier = threading.Barrier(8)

        def actor() -> str:
            barrier.wait(30)  # all ask at once
            return "user:1"

        def deep(levels: int) -> list[Any]:
            return [bound()] if levels == 0 else [bound(), *carried(levels - 1)]

        with activitylog.bind(actor=actor):
            carried = activitylog.carry(deep)
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(carried, [3] * 8))
        assert found == [[{"actor": "user:1"}] * 4] * 8

    def test_an_exception_goes_on(self, pool: ThreadPoolExecutor) -> None:
        """As raised by the function itself, and nothing stays bound."""

        def fail() -> None:
            raise ValueError("no such image")

        with activitylog.bind(actor="user:1"):
            work = pool.submit(activitylog.carry(fail))
        with pytest.raises(ValueError, match="no such image"):
            work.result()
        assert [pool.submit(bound).result() for _ in range(4)] == [{}] * 4

    def test_carried_twice(self, pool: ThreadPoolExecutor) -> None:
        """The inner one knows better: it was wrapped where the work comes from."""
        with activitylog.bind(actor="user:1"):
            inner = activitylog.carry(bound)
        with activitylog.bind(actor="user:2"):
            assert pool.submit(activitylog.carry(inner)).result() == {"actor": "user:1"}


class TestWhatItLooksLike:
    def test_a_function(self) -> None:
        """Its name, its documentation and its signature are the function's."""
        carried: Any = activitylog.carry(active_span)
        assert (carried.__name__, carried.__doc__, carried.__module__) == (
            "active_span",
            active_span.__doc__,
            __name__,
        )
        assert inspect.signature(carried) == inspect.signature(active_span)
        assert carried.__wrapped__ is active_span
        assert repr(carried).startswith("<activitylog.carry(<function active_span at ")

    def test_methods_partials_and_callable_objects(self) -> None:
        """Whatever can be called; attributes of the object stay its own."""
        with activitylog.bind(actor="user:1"):
            carried: list[Any] = [
                activitylog.carry(Service().bound),
                activitylog.carry(functools.partial(bound, 1)),
                activitylog.carry(len),
            ]
            of_object: Any = activitylog.carry(Machine())
        assert [carried[0](), carried[1](), carried[2]("four")] == [{"actor": "user:1"}] * 2 + [4]
        assert of_object() == ("mine", "mine, too", {"actor": "user:1"})

    def test_coroutine_functions(self) -> None:
        """They are ones for frameworks, too, which look at ``__call__``."""
        with activitylog.bind(actor="user:1"):
            carried: Any = activitylog.carry(bound_later)
        assert inspect.iscoroutinefunction(carried.__call__)
        of_function: Any = activitylog.carry(bound)
        assert not inspect.iscoroutinefunction(of_function.__call__)
        assert asyncio.run(carried()) == {"actor": "user:1"}
        found: list[Any] = []

        async def note() -> None:
            found.append(await bound_later())

        with activitylog.bind(actor="user:1"):
            task = BackgroundTask(activitylog.carry(note))
        asyncio.run(task())
        assert found == [{"actor": "user:1"}]

    def test_what_a_coroutine_binds_is_not_seen_by_others(self) -> None:
        """It runs in a task of somebody else, which finds its own again."""

        async def other() -> Any:
            with activitylog.bind(actor="user:2"):
                return await carried(), bound()

        with activitylog.bind(actor="user:1"):
            carried = activitylog.carry(bound_later)
        assert asyncio.run(other()) == ({"actor": "user:1"}, {"actor": "user:2"})

    def test_a_generator_function_is_left_alone(self) -> None:
        """Its body runs elsewhere and later; it says so."""

        def rows() -> Iterator[int]:
            yield 1

        with pytest.warns(UserWarning, match="leaves the generator function .*rows as it is"):
            assert activitylog.carry(rows) is rows

    def test_a_result_is_no_function(self) -> None:
        """The mistake is seen where it is made, not in another thread."""
        with pytest.raises(TypeError, match="takes a function and not its result; it was given a int"):
            activitylog.carry(len("four"))  # type: ignore[arg-type]


class TestAsyncio:
    def test_what_has_its_context_by_itself(self) -> None:
        """Tasks and to_thread need no carry; a loop's executor does."""

        async def work() -> list[Any]:
            loop = asyncio.get_running_loop()
            return [
                await asyncio.create_task(bound_later()),
                await asyncio.to_thread(bound),
                await loop.run_in_executor(None, bound),
                await loop.run_in_executor(None, activitylog.carry(bound)),
            ]

        with activitylog.bind(actor="user:1"):
            found = asyncio.run(work())
        assert found == [{"actor": "user:1"}, {"actor": "user:1"}, {}, {"actor": "user:1"}]


class TestPickled:
    def test_values_are_resolved(self) -> None:
        """Users become their ids; the function is found by its name, as usual."""
        with activitylog.bind(actor=lambda: User(42), tenant="acme", feature="export"):
            text = pickle.dumps(activitylog.carry(bound))
        assert pickle.loads(text)() == {"actor": ["user", "42"], "tenant": "acme", "feature": "export"}
        assert b"User" not in text

    def test_events_from_there_are_the_same(self, activity: CapturedActivities) -> None:
        """An event in another process says what it would have said here."""
        with activitylog.bind(
            actor=User(42), object=("report", 9, "Q3"), target="team:1", on_behalf_of=("user", 7), tenant=User(3)
        ):
            activitylog.emit("report.shared")
            carried = activitylog.carry(activitylog.emit)
        here, text = activity.one(), pickle.dumps(carried)
        activity.clear()
        pickle.loads(text)("report.shared")
        there = activity.one()
        own = ("log.record.uid", "activity.seq")
        without = [{k: v for k, v in event.attributes.items() if k not in own} for event in (here, there)]
        assert without[0] == without[1]

    def test_who_pickles_resolves_with_the_context_variables_of_here(self, pool: ThreadPoolExecutor) -> None:
        """A process pool pickles in a thread of its own."""
        _request.set("user:1")
        with activitylog.bind(actor=_request.get):
            carried = activitylog.carry(bound)
        text = pool.submit(pickle.dumps, carried).result()
        assert pickle.loads(text)() == {"actor": ["user", "1"]}

    def test_the_span_comes_along(self) -> None:
        """As the remote parent of what is begun there."""
        with TracerProvider().get_tracer("test").start_as_current_span("request") as span:
            text = pickle.dumps(activitylog.carry(active_span))
        here = span.get_span_context()
        assert pickle.loads(text)() == (here.trace_id, here.span_id)
        assert active_span() == (0, 0)

    def test_without_a_span_none_is_active(self) -> None:
        """Not even one that is active where it is called."""
        text = pickle.dumps(activitylog.carry(active_span))
        with TracerProvider().get_tracer("test").start_as_current_span("other"):
            assert pickle.loads(text)() == (0, 0)

    def test_again_and_again(self) -> None:
        """A process may hand it on to its own children."""
        with activitylog.bind(actor="user:1"):
            carried = activitylog.carry(bound)
        for _ in range(3):
            carried = pickle.loads(pickle.dumps(carried))
        assert carried() == {"actor": ["user", "1"]}

    def test_methods_partials_and_coroutine_functions(self) -> None:
        """Whatever pickle can say."""
        with activitylog.bind(actor="user:1"):
            texts = [
                pickle.dumps(activitylog.carry(Service().bound)),
                pickle.dumps(activitylog.carry(functools.partial(bound, 1))),
                pickle.dumps(activitylog.carry(bound_later)),
            ]
        first, second, third = (pickle.loads(text) for text in texts)
        assert first() == second() == asyncio.run(third()) == {"actor": ["user", "1"]}

    def test_a_lambda_cannot_be_pickled_as_usual(self) -> None:
        """The error is pickle's own, and names it."""
        local: Any = lambda: None  # noqa: E731 - it is what is tried
        with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
            pickle.dumps(activitylog.carry(local))


class TestPortable:
    def test_what_cannot_be_said_is_left_out(self) -> None:
        """A callable that fails, an object without an id, None, numbers that are none."""

        def fail() -> None:
            raise LookupError

        values = {"actor": fail, "object": object(), "tenant": Hostile(), "x": None, "y": float("nan"), "z": 1}
        with activitylog.bind(**values):
            assert portable() == {"z": 1}

    def test_what_json_has_no_word_for(self) -> None:
        """Bytes become text, None in a list nothing."""
        with activitylog.bind(raw=b"caf\xc3\xa9\xff", many=[1, None, {"a": None, "b": b"x"}]):
            assert portable() == {"raw": "café\ufffd", "many": [1, {"b": "x"}]}

    def test_nothing_is_bound(self) -> None:
        """Nothing is said."""
        assert portable() == {}

    def test_secrets_are_not_said(self) -> None:
        """As in events; ids are ids, even those that look like a card's number."""
        request = {"activity.request.id": "4111111111111111", "url.path": "/a"}
        number = "4111111111111111"
        with activitylog.bind(
            actor=f"user:{number}",
            tenant=number,
            session=number,
            api_key="k",
            note=number,
            request=lambda: request,
        ):
            assert portable() == {
                "actor": ["user", number],
                "tenant": number,
                "session": number,
                "api_key": "[redacted]",
                "note": "[redacted]",
                "request": request,
                "activity.redacted": ["api_key:key", "note:card"],
            }

    def test_it_is_bounded(self) -> None:
        """However much is bound."""
        many = {f"key_{number}": "x" * 1_000 for number in range(200)}
        with activitylog.bind(
            actor="user:" + "9" * 100_000, request={"user_agent.original": "é" * 100_000}, **many
        ):
            text = json.dumps(portable(), ensure_ascii=False).encode()
        assert len(text) < 2 * PORTABLE_LIMITS.max_event_bytes

    @given(any_value())
    def test_anything_can_be_said_in_json(self, value: Any) -> None:
        """It never raises, and JSON reads back what it wrote."""
        with activitylog.bind(value=value, actor=value, tenant=value, request={"value": value}):
            said = portable()
        assert json.loads(json.dumps(said, allow_nan=False)) == said
