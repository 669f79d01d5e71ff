"""
Kafka between Collectors: what the exporter produces must be on more than one broker, and what the receiver takes
must be stored before it is marked as taken.

Defaults are those of pkg/kafka/configkafka/config.go, exporter/kafkaexporter and receiver/kafkareceiver.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from activitylog.collector.examined import Examined
from activitylog.collector.finding import Check, Problem, error, example, warning
from activitylog.collector.pipelines import Component
from activitylog.collector.queue import queue_of

_ENCODINGS: Final = ("otlp_proto", "otlp_json")
_MIB: Final = 1024 * 1024
_DEFAULT_BYTES: Final = 1_000_000
_LEAST_BYTES: Final = 16 * _MIB
#: What an event takes in a message, roughly: 1,041 bytes were measured for one with eight attributes.
_BYTES_AN_EVENT: Final = 1_250


def _exporters(examined: Examined) -> list[Component]:
    return examined.used("exporters", ("kafka",))


def _receivers(examined: Examined) -> list[Component]:
    return examined.used("receivers", ("kafka",))


def _both(examined: Examined) -> list[Component]:
    return [*_receivers(examined), *_exporters(examined)]


def judge_encoding(component: Component) -> Iterator[Problem]:
    """Messages that are no OTLP."""
    setting = component.setting.at("logs", "encoding")
    if setting.text("otlp_proto") not in _ENCODINGS:
        yield error(
            setting,
            f"is neither {' nor '.join(_ENCODINGS)}",
            *example((*component.path, "logs", "encoding"), "otlp_proto"),
        )


ENCODING: Final = Check(
    "kafka.encoding",
    "Messages with everything in them",
    "Other encodings hold the body only, or attributes under other names: no row has its name, actor or id.",
    _both,
    judge_encoding,
    str,
)


def judge_acks(exporter: Component) -> Iterator[Problem]:
    """One broker, or none, has it."""
    setting = exporter.setting.at("producer", "required_acks")
    if setting.is_set and setting.kind == "a text":
        wanted = setting.text() in ("all", "-1")
        acks = -1.0 if wanted else 1.0
    else:
        acks = setting.number(1)
    do = example((*exporter.path, "producer", "required_acks"), "all")
    if acks == 0:
        yield error(setting, "is 0: nothing says whether any broker has the events", *do)
    elif acks != -1:
        yield warning(setting, "is 1" if setting.is_set else "is not set: 1, one broker", *do)


ACKS: Final = Check(
    "kafka_exporter.required_acks",
    "More than one broker",
    "What only the leader has is lost with its disk, and was acknowledged. `all` waits for those in sync "
    "(min.insync.replicas of the topic says how many that must be).",
    _exporters,
    judge_acks,
    str,
)


def _with_queues(examined: Examined) -> list[tuple[Component, Examined]]:
    return [(exporter, examined) for exporter in _exporters(examined)]


def judge_message_size(subject: tuple[Component, Examined]) -> Iterator[Problem]:
    """A request becomes a message, and one that is too large is refused for good."""
    exporter, examined = subject
    if exporter.setting.at("partition_logs_by_trace_id").flag(False):
        return  # a message is what one trace has in a request
    setting = exporter.setting.at("producer", "max_message_bytes")
    most, queue = setting.number(_DEFAULT_BYTES), queue_of(exporter, examined)
    largest = queue.batch.at("max_size").number(0) if queue.batches else 0
    if largest > 0:
        fits = largest * (1 if queue.batch_sizer == "bytes" else _BYTES_AN_EVENT) <= most
    else:
        fits = most >= _LEAST_BYTES
    if not fits:
        state = f"is {most:,.0f}" if setting.is_set else f"is not set: {_DEFAULT_BYTES:,}"
        yield error(
            setting,
            f"{state}; a client's batch of 8,192 events has 2 to 10 MiB and becomes one message",
            *example((*exporter.path, "producer", "max_message_bytes"), str(_LEAST_BYTES)),
            "# The topic must take as much: max.message.bytes. Or make messages small:",
            *example(
                (*exporter.path, "sending_queue", "batch"), ("sizer: items", "min_size: 500", "max_size: 500")
            ),
        )


MESSAGE_SIZE: Final = Check(
    "kafka_exporter.max_message_bytes",
    "Size of messages",
    "A message that is too large is a permanent error: the exporter drops it, whatever retry_on_failure says.",
    _with_queues,
    judge_message_size,
    lambda subject: str(subject[0]),
)


def judge_marking(receiver: Component) -> Iterator[Problem]:
    """Marked as taken before anything is stored."""
    setting = receiver.setting.at("message_marking", "after")
    if not setting.flag(False):
        state = "is false" if setting.is_set else "is not set, and false by default"
        yield error(
            setting,
            f"{state}: offsets are committed before the events are stored",
            *example((*receiver.path, "message_marking", "after"), "true"),
        )
        return
    for key in ("on_error", "on_permanent_error"):
        failed = receiver.setting.at("message_marking", key)
        if failed.flag(False):
            yield error(
                failed,
                "is true: messages that failed are marked as taken",
                *example((*receiver.path, "message_marking", key), "false"),
            )


MARKING: Final = Check(
    "kafka_receiver.message_marking",
    "Offsets after the events",
    "A receiver that is ended between the commit and the insert leaves out what it had in hand, and nobody "
    "sends it again.",
    _receivers,
    judge_marking,
    str,
)


def judge_backoff(receiver: Component) -> Iterator[Problem]:
    """A partition that stands still after one error."""
    marks = receiver.setting.at("message_marking")
    if not marks.at("after").flag(False) or marks.at("on_error").flag(False):
        return
    setting = receiver.setting.at("error_backoff", "enabled")
    if not setting.flag(False):
        state = "is false" if setting.is_set else "is not set, and false by default"
        yield warning(
            setting,
            state,
            *example(
                (*receiver.path, "error_backoff"),
                ("enabled: true", "initial_interval: 1s", "max_interval: 30s", "max_elapsed_time: 0s"),
            ),
        )


BACKOFF: Final = Check(
    "kafka_receiver.error_backoff",
    "Going on after an error",
    "Without it a partition whose message failed stands still until the group is balanced anew.",
    _receivers,
    judge_backoff,
    str,
)


def judge_offset(receiver: Component) -> Iterator[Problem]:
    """What was produced before the first start."""
    setting = receiver.setting.at("initial_offset")
    if setting.text("latest") != "earliest":
        state = "is latest" if setting.is_set else "is not set: latest"
        yield warning(setting, state, *example((*receiver.path, "initial_offset"), "earliest"))


OFFSET: Final = Check(
    "kafka_receiver.initial_offset",
    "The first start",
    "A group without committed offsets begins with what comes next. What is in the topic already is never read.",
    _receivers,
    judge_offset,
    str,
)

CHECKS: Final = (ENCODING, ACKS, MESSAGE_SIZE, MARKING, BACKOFF, OFFSET)
