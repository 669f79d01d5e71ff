"""
The ``load_balancing`` exporter: two levels, each with a queue of its own.

The outer level is off by default, the inner one (``protocol.otlp``, an exporter for each gateway) has a queue in
memory (exporter/loadbalancingexporter/factory.go). What the inner queue takes is delivered to the outer one's
mind, so only the outer queue may acknowledge.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from activitylog.collector.examined import Examined
from activitylog.collector.finding import Check, Problem, error, example, warning
from activitylog.collector.pipelines import Component
from activitylog.collector.queue import GROWTH, Queue, queue_of, refused_intervals, storage_example
from activitylog.collector.value import Setting

_ROUTING_KEYS: Final = ("service", "traceID", "resource", "attributes")


def _exporters(examined: Examined) -> list[Component]:
    return examined.used("exporters", ("load_balancing",))


def judge_routing(exporter: Component) -> Iterator[Problem]:
    """All events of a service to one gateway."""
    setting = exporter.setting.at("routing_key")
    key = setting.text() or "service"
    do = (
        *example(exporter.path, ("routing_key: attributes", "routing_attributes: [activity.tenant.id, user.id]")),
        "# Or traceID, where events that belong together have a trace.",
    )
    if key not in _ROUTING_KEYS:
        yield error(setting, f"is none of {', '.join(_ROUTING_KEYS)}: the Collector refuses it for logs", *do)
    elif key == "service":
        state = "is service" if setting.text() else "is not set, and service for logs"
        yield warning(setting, state, *do)
    elif key == "attributes" and not _has_items(exporter.setting.at("routing_attributes")):
        yield error(exporter.setting.at("routing_attributes"), "is not set: the Collector does not start", *do)


def _has_items(setting: Setting) -> bool:
    """The Collector also takes a text with commas for a list."""
    return bool(setting.text() if setting.kind == "a text" else setting.elements())


ROUTING: Final = Check(
    "load_balancing.routing_key",
    "Spreading over gateways",
    "With the service as key one busy service goes to one gateway, however many there are. What that one refuses "
    "waits, and may be more than its queue holds.",
    _exporters,
    judge_routing,
    str,
)


def judge_queue(queue: Queue) -> Iterator[Problem]:
    """The outer queue that is off by default."""
    setting = queue.setting
    if not queue.enabled:
        yield error(
            setting,
            "is off" if setting.is_set else "is not set, and off by default here",
            *storage_example(queue),
        )


QUEUE: Final = Check(
    "load_balancing.sending_queue",
    "Queue before the routing",
    "What a gateway does not take cannot be routed to another one, and an error of one gateway makes the "
    "sender repeat what the others have stored.",
    lambda examined: [queue_of(exporter, examined) for exporter in _exporters(examined)],
    judge_queue,
    str,
)


def judge_inner_queue(exporter: Component) -> Iterator[Problem]:
    """Queues in memory behind the one on disk, or queues that share one file."""
    inner = exporter.setting.at("protocol", "otlp", "sending_queue")
    storage = inner.at("storage")
    if not inner.at("enabled").flag(True):
        return
    do = example((*inner.path, "enabled"), "false")
    if storage.text():
        yield error(storage, "is set: the queues of all gateways would share it, which is not supported", *do)
    elif not inner.at("wait_for_result").flag(False):
        state = "is on" if inner.is_set else "is not set, and on by default"
        yield error(inner, f"{state}: a queue in memory for each gateway", *do)


INNER_QUEUE: Final = Check(
    "load_balancing.inner_queue",
    "No queue behind the routing",
    "An inner queue acknowledges to the outer one, which then forgets the events: they are in memory only. "
    "They are lost when the Collector ends, or when their gateway goes away.",
    _exporters,
    judge_inner_queue,
    str,
)


def judge_inner_retry(exporter: Component) -> Iterator[Problem]:
    """Events that never come back to be routed again."""
    retry = exporter.setting.at("protocol", "otlp", "retry_on_failure")
    setting = retry.at("max_elapsed_time")
    if not retry.at("enabled").flag(True):
        return
    if refused := refused_intervals(retry):
        yield refused
    elif setting.seconds(300.0) == 0:
        yield warning(
            setting,
            "is 0: a gateway that is gone is tried for ever",
            *example(retry.path, ("max_interval: 2s", "max_elapsed_time: 5s")),
        )


INNER_RETRY: Final = Check(
    "load_balancing.inner_retry",
    "Back to the routing in time",
    "Only what the inner exporter gives up returns to the outer queue, and is routed to those that are there.",
    _exporters,
    judge_inner_retry,
    str,
)


def judge_pause(exporter: Component) -> Iterator[Problem]:
    """No pause between attempts, or always the same: here nothing has the defaults of other exporters."""
    retry = exporter.setting.at("retry_on_failure")
    if not retry.at("enabled").flag(False):
        return
    do = example(retry.path, ("initial_interval: 1s", "max_interval: 30s", *GROWTH))
    first, multiplier = retry.at("initial_interval"), retry.at("multiplier")
    if first.seconds(0.0) <= 0:
        yield warning(first, f"{_state(first)}: it tries again without a pause", *do)
    elif multiplier.number(0) == 0:
        yield warning(multiplier, f"{_state(multiplier)}: the pause does not grow", *do)


def _state(setting: Setting) -> str:
    return "is 0" if setting.is_set else "is not set, and 0 by default here"


PAUSE: Final = Check(
    "load_balancing.retry_interval",
    "Pause between attempts",
    "Gateways that are overloaded are asked as fast as the machine can.",
    _exporters,
    judge_pause,
    str,
)


def judge_resolver(exporter: Component) -> Iterator[Problem]:
    """A list that never changes."""
    setting = exporter.setting.at("resolver", "static")
    if setting.is_set:
        yield warning(
            setting,
            "never learns of gateways that come and go",
            *example((*exporter.path, "resolver", "dns"), ("hostname: gateway-headless", 'port: "4317"')),
        )
    elif not exporter.setting.at("resolver").items():
        yield error(
            exporter.setting.at("resolver"),
            "is not set: there is no gateway to send to",
            *example((*exporter.path, "resolver", "dns"), ("hostname: gateway-headless",)),
        )


RESOLVER: Final = Check(
    "load_balancing.resolver",
    "Finding the gateways",
    "Events for a gateway that is gone for good are tried until they are given up.",
    _exporters,
    judge_resolver,
    str,
)


CHECKS: Final = (ROUTING, QUEUE, INNER_QUEUE, INNER_RETRY, PAUSE, RESOLVER)
