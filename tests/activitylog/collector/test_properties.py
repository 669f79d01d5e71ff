"""What holds for any configuration at all."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from activitylog.collector import examine, read_texts
from activitylog.exceptions import ConfigurationError
from tests.activitylog.collector.good import ALL

SECRET = "s3cr3t-Xq7"

#: Words that the checks look for, so that what is drawn leads somewhere.
KEYS = [
    "receivers", "processors", "exporters", "connectors", "extensions", "service", "pipelines", "telemetry",
    "metrics", "level", "readers", "logs", "logs/2", "otlp", "otlp_grpc", "otlp_http", "clickhouse", "kafka",
    "load_balancing", "batch", "memory_limiter", "filter", "attributes", "resource", "transform", "redaction",
    "probabilistic_sampler", "logdedup", "file_storage", "protocols", "grpc", "http", "endpoint", "tls",
    "insecure", "auth", "authenticator", "headers", "sending_queue", "storage", "enabled", "sizer",
    "queue_size", "wait_for_result", "min_size", "max_size", "flush_timeout", "retry_on_failure",
    "max_elapsed_time", "initial_interval", "timeout", "create_schema", "logs_table_name", "async_insert",
    "connection_params", "json", "directory", "fsync", "compaction", "on_start", "resolver", "static", "dns",
    "routing_key", "routing_attributes", "protocol", "message_marking", "after", "on_error", "producer",
    "required_acks", "max_message_bytes", "encoding", "actions", "action", "key", "pattern", "log_statements",
    "statements", "context", "conditions", "include_fields", "exclude_fields", "allow_all_keys",
    "allowed_keys", "blocked_key_patterns", "sampling_percentage", "fail_closed", "mode", "log_conditions",
    "error_mode", "address", "ttl",
]  # fmt: skip
WORDS = [
    *KEYS,
    "items", "bytes", "requests", "30s", "0s", "-1h", "delete", "update", "all", "none", "tcp://h:1", "/tmp/x",
    "http://u:p@h", "${env:A}", "${env:B:-1}", "${file:x}", "$$", "${", "}", "((", "log.record.uid", "[", "a::b",
    'delete_key(log.attributes, "user.id")', 'set(log.attributes["activity.seq"], 1) where x',
]  # fmt: skip
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from(WORDS),
    st.text(max_size=8),
)
TREES = st.recursive(
    LEAVES,
    lambda below: st.one_of(
        st.lists(below, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=5)), below, max_size=5),
    ),
    max_leaves=30,
)
#: As names of components: what stands there may be a secret that is in the wrong place.
REFERENCES = ["${env:S}", "otlp/${env:S}", "${env:LIST}", "${env:UNSET:-s3cr3t-Xq7}", "${env:A}", "${file:x}"]
PLACES = ("receivers", "processors", "exporters", "extensions")


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    """Components of any content, in pipelines that use them: far enough in shape to reach every check."""
    types = ["otlp", "clickhouse", "kafka", "load_balancing", "otlp_grpc", "transform", "attributes", "redaction",
             "probabilistic_sampler", "logdedup", "filter", "file_storage", "batch", "resource"]  # fmt: skip
    configured: dict[str, Any] = {
        place: draw(st.dictionaries(st.sampled_from(types), TREES, max_size=4)) for place in PLACES
    }
    names = [*types, *REFERENCES]
    pipeline = {kind: draw(st.lists(st.sampled_from(names), max_size=4)) for kind in PLACES[:3]}
    configured["service"] = {
        "extensions": draw(st.lists(st.sampled_from(names), max_size=2)),
        "pipelines": {
            "logs": pipeline,
            **draw(st.dictionaries(st.sampled_from(["logs/2", "traces"]), TREES, max_size=1)),
        },
        "telemetry": draw(TREES),
    }
    return configured


def examine_texts(*texts: str) -> list[dict[str, Any]]:
    """The findings, or none where it is no configuration."""
    named = [(f"{number}.yaml", text) for number, text in enumerate(texts)]
    try:
        found = examine(read_texts(*named, environ={"A": "1", "S": SECRET, "LIST": f"[{SECRET}]"}))
    except ConfigurationError as error:
        return [{"error": error.message, "hint": error.hint or pytest.fail("an error without a hint")}]
    return [dataclasses.asdict(finding) for finding in found]


@settings(max_examples=300, deadline=None)
@given(st.one_of(TREES, configurations()), TREES)
def test_any_structure_is_a_finding_or_a_configuration_error(first: Any, second: Any) -> None:
    """Whatever YAML holds, and whatever is merged with it."""
    said = json.dumps(examine_texts(yaml.safe_dump(first), yaml.safe_dump(second)))
    assert said
    assert SECRET not in said


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_a_finding_or_a_configuration_error(text: str) -> None:
    """YAML or not."""
    examine_texts(text)


def paths(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values of a tree but of names of components."""
    if isinstance(tree, dict):
        return [below for key, value in tree.items() for below in paths(value, (*path, key))]
    if isinstance(tree, list):
        return [below for index, value in enumerate(tree) for below in paths(value, (*path, index))]
    return [path]


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The tree with another value at a path."""
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = replaced(copy[path[0]], path[1:], value)
    return copy


def is_secret(path: tuple[Any, ...], secret: Any) -> bool:
    """Names of components, hosts and folders are shown; names that came out of a variable are not."""
    if str(secret).startswith("${"):
        return path[-1] not in ("endpoint", "directory")
    return path[0] != "service" and path[-1] not in ("storage", "endpoint", "directory")


@pytest.mark.parametrize(
    "secret",
    [
        SECRET,
        f"Bearer {SECRET}",
        f"tcp://user:{SECRET}@clickhouse:9000/x?password={SECRET}",
        f"http://{SECRET}@clickhouse:8123/{SECRET}",
        f"${{env:UNSET:-{SECRET}}}",
        "${env:SET}",
        f"${{{SECRET}}}",
        f'set(log.attributes["activity.seq"], "{SECRET}") where log.body == "{SECRET}"',
        f"delete_key(log.attributes, '{SECRET}')",
        {SECRET: SECRET},
        [SECRET],
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("name", ALL)
def test_no_value_of_a_setting_is_ever_shown(name: str, secret: Any) -> None:
    """A secret in the place of each value of each good configuration, one after the other, is in no finding."""
    tree = yaml.safe_load(ALL[name])
    in_url = isinstance(secret, str) and "://" in secret
    for path in (path for path in paths(tree) if is_secret(path, secret) or (in_url and path[-1] == "endpoint")):
        text = yaml.safe_dump(replaced(tree, path, secret))
        try:
            found = examine(read_texts(("f.yaml", text), environ={"SET": SECRET}))
        except ConfigurationError as error:
            said = str(error)
        else:
            # A key is no secret, and is named.
            said = json.dumps([dataclasses.asdict(finding) for finding in found])
        assert SECRET not in said, path
