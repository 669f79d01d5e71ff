"""Configurations in which nothing is wrong. A test breaks one thing in one of them."""

from __future__ import annotations

import pytest

from activitylog.collector import Finding, examine, read_texts

STORAGE = """
extensions:
  file_storage/queue:
    directory: /var/lib/otelcol/queue
    create_directory: true
    fsync: true
    compaction:
      on_start: true
      on_rebound: true
      directory: /var/lib/otelcol/queue
"""

RECEIVER = """
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:4317
        max_recv_msg_size_mib: 32
      http:
        endpoint: localhost:4318
        max_request_body_size: 33554432
"""

GATEWAY = (
    RECEIVER
    + """
processors:
  memory_limiter:
    check_interval: 1s
    limit_mib: 1600
  transform/event_name:
    error_mode: ignore
    log_statements:
      - set(log.attributes["activity.event.name"], log.event_name) where log.event_name != ""
exporters:
  clickhouse:
    endpoint: tcp://clickhouse:9440?secure=true
    username: writer
    password: correct-horse
    logs_table_name: activity_events_ingest
    create_schema: false
    async_insert: false
    timeout: 60s
    sending_queue:
      storage: file_storage/queue
      sizer: bytes
      queue_size: 5000000
      batch:
        sizer: items
        min_size: 20000
        max_size: 50000
        flush_timeout: 2s
    retry_on_failure:
      enabled: true
      max_elapsed_time: 0s
"""
    + STORAGE
    + """
service:
  extensions: [file_storage/queue]
  pipelines:
    logs:
      receivers: [otlp]
      processors: [memory_limiter, transform/event_name]
      exporters: [clickhouse]
"""
)

AGENT = (
    RECEIVER
    + """
processors:
  memory_limiter:
    check_interval: 1s
    limit_mib: 256
exporters:
  otlp_grpc:
    endpoint: gateway:4317
    tls:
      ca_file: /etc/otelcol/tls/ca.crt
    headers:
      authorization: Bearer correct-horse
    sending_queue:
      storage: file_storage/queue
      sizer: bytes
      queue_size: 5000000
    retry_on_failure:
      max_elapsed_time: 0s
"""
    + STORAGE
    + """
service:
  extensions: [file_storage/queue]
  pipelines:
    logs:
      receivers: [otlp]
      processors: [memory_limiter]
      exporters: [otlp_grpc]
"""
)

BALANCER = (
    RECEIVER
    + """
processors:
  memory_limiter:
    check_interval: 1s
    limit_mib: 256
exporters:
  load_balancing:
    routing_key: attributes
    routing_attributes: [user.id]
    resolver:
      dns:
        hostname: gateway
    protocol:
      otlp:
        sending_queue:
          enabled: false
        retry_on_failure:
          max_interval: 2s
          max_elapsed_time: 5s
    sending_queue:
      enabled: true
      storage: file_storage/queue
      sizer: bytes
      queue_size: 5000000
    retry_on_failure:
      enabled: true
      initial_interval: 1s
      multiplier: 1.5
      randomization_factor: 0.5
      max_elapsed_time: 0s
"""
    + STORAGE
    + """
service:
  extensions: [file_storage/queue]
  pipelines:
    logs:
      receivers: [otlp]
      processors: [memory_limiter]
      exporters: [load_balancing]
"""
)

TO_KAFKA = (
    RECEIVER
    + """
processors:
  memory_limiter:
    check_interval: 1s
    limit_mib: 256
exporters:
  kafka:
    brokers: [kafka:9092]
    logs:
      topic: activity
      encoding: otlp_proto
    producer:
      required_acks: all
      max_message_bytes: 33554432
    sending_queue:
      storage: file_storage/queue
      sizer: bytes
      queue_size: 5000000
    retry_on_failure:
      max_elapsed_time: 0s
"""
    + STORAGE
    + """
service:
  extensions: [file_storage/queue]
  pipelines:
    logs:
      receivers: [otlp]
      processors: [memory_limiter]
      exporters: [kafka]
"""
)

FROM_KAFKA = GATEWAY[len(RECEIVER) :].replace("receivers: [otlp]", "receivers: [kafka]") + (
    """
receivers:
  kafka:
    brokers: [kafka:9092]
    initial_offset: earliest
    logs:
      topics: [activity]
      encoding: otlp_proto
    message_marking:
      after: true
      on_error: false
    error_backoff:
      enabled: true
"""
)

#: A gateway with everything that changes counts, in a way that keeps them right.
SAMPLING = GATEWAY.replace(
    "processors: [memory_limiter, transform/event_name]",
    "processors: [memory_limiter, probabilistic_sampler, transform/weight, transform/event_name]",
).replace(
    "processors:\n  memory_limiter:",
    """processors:
  probabilistic_sampler:
    sampling_percentage: 10
    fail_closed: false
    sampling_priority: activity.sample.priority
  transform/weight:
    log_statements:
      - set(log.attributes["activity.sample.weight"], 10.0) where log.attributes["sampling.threshold"] != nil
  memory_limiter:""",
)

#: Folding holds events in memory: one warning is always there.
FOLDING = GATEWAY.replace(
    "processors: [memory_limiter, transform/event_name]",
    "processors: [memory_limiter, transform/event_name, logdedup]",
).replace(
    "processors:\n  memory_limiter:",
    """processors:
  logdedup:
    log_count_attribute: activity.count
    conditions:
      - log.event_name == "message.typing"
    include_fields:
      - attributes.activity\\.event\\.name
      - attributes.user\\.id
  memory_limiter:""",
)

ALL = {
    "gateway": GATEWAY,
    "agent": AGENT,
    "balancer": BALANCER,
    "to_kafka": TO_KAFKA,
    "from_kafka": FROM_KAFKA,
    "sampling": SAMPLING,
    "folding": FOLDING,
}


def broken(text: str, *changes: tuple[str, str]) -> str:
    """The text with each first one of a pair replaced by the second one."""
    for old, new in changes:
        assert old in text, f"{old!r} is not in the configuration"
        text = text.replace(old, new)
    return text


def examined(*texts: str, **environ: str) -> list[Finding]:
    """The findings of texts that are merged; no variable is known but those given."""
    named = [(f"{'abc'[number]}.yaml", text) for number, text in enumerate(texts)]
    return examine(read_texts(*named, environ=environ))


def problems(*texts: str, **environ: str) -> list[tuple[str, str]]:
    """Check and severity of each problem."""
    return [
        (finding.check, str(finding.severity)) for finding in examined(*texts, **environ) if finding.is_problem
    ]


#: A configuration, what is changed in it, the check that says so, how bad it is, the setting, and words about it.
Breakage = tuple[str, tuple[tuple[str, str], ...], str, str, str, str]

PIPELINE = "      processors: [memory_limiter, transform/event_name]\n"
QUEUE = "      storage: file_storage/queue\n"


def processor(text: str, name: str = "") -> tuple[tuple[str, str], ...]:
    """Changes that put a processor behind the others of the gateway."""
    name = name or text.strip().split(":")[0]
    return (
        (PIPELINE, f"      processors: [memory_limiter, transform/event_name, {name}]\n"),
        ("processors:\n  memory_limiter:", f"processors:\n  {text}\n  memory_limiter:"),
    )


def each(breakages: list[Breakage]) -> pytest.MarkDecorator:
    """A test for each of them."""
    names = [f"{check}-{number}" for number, (_, _, check, *_) in enumerate(breakages)]
    return pytest.mark.parametrize("breakage", breakages, ids=names)


def assert_broken(breakage: Breakage) -> None:
    """One problem, of this check, about this setting; all else is as well as before."""
    text, changes, check, severity, key, words = breakage
    found = [
        finding
        for finding in examined(broken(text, *changes))
        if finding.is_problem and finding.check != "dedup.memory"
    ]
    assert [(finding.check, str(finding.severity), finding.key) for finding in found] == [(check, severity, key)]
    (finding,) = found
    assert words in finding.found
    assert finding.found.startswith(f"{finding.file}:{finding.line} {key} ")
    assert finding.why
    assert finding.do
