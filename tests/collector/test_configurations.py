"""Every configuration that is shipped: the Collector takes it, warns of nothing, and each option is explained."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from tests.collector.otelcol import Otelcol, built
from tests.shipped import CONFIGURATIONS, documented, shipped

_OVERLAYS = sorted((CONFIGURATIONS / "overlays").glob("*.yaml"))
_OPTION = re.compile(r"\s+(?:- )?[\w./-]+: +(?!\\|)\S|\s+- \S")


def _builder(names: tuple[str, ...]) -> str:
    return "builder-deduplication.yaml" if "deduplication.yaml" in names else "builder.yaml"


@pytest.mark.slow
@pytest.mark.usefixtures("otelcol")
@pytest.mark.parametrize("names", sorted({*documented(), *((path.name,) for path in shipped())}), ids=shlex.join)
def test_is_valid(names: tuple[str, ...], tmp_path: Path) -> None:
    """``otelcol validate`` takes it, with no variable set."""
    command = [str(built(_builder(names))), "validate"]
    for name in names:
        command += ["--config", str(CONFIGURATIONS / name)]
    done = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.usefixtures("otelcol")
@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.name)
def test_starts_without_a_warning(path: Path, tmp_path: Path) -> None:
    """Nothing is deprecated, and nothing else is wrong."""
    with Otelcol([path], tmp_path, builder=_builder((path.name,))) as collector:
        said = [line for line in collector.said().splitlines() if '"level":"info"' not in line]
        assert [line for line in said if not _of_a_missing_peer(line)] == []
        assert "deprecat" not in collector.said().lower()


def _of_a_missing_peer(line: str) -> bool:
    """ClickHouse, a gateway or its name is not there in this test."""
    return any(
        text in line
        for text in ("schema detection failed", "failed to resolve", "no such host", '"grpc_log":true')
    )


@pytest.mark.parametrize("path", [*shipped(), *_OVERLAYS], ids=lambda path: path.name)
def test_every_option_is_explained(path: Path) -> None:
    """By a comment in the line above; what `service` puts together needs none, and a list is explained once."""
    bare, lines = [], path.read_text().splitlines()
    section = ""
    for before, line in pairwise(lines):
        if line and not line.startswith((" ", "#")):
            section = line
        if section.startswith("service:") and not re.match(r"\s+(level|encoding|host|port):", line):
            continue
        goes_on = line.strip().startswith("- ") and before.strip().startswith(
            ("- ", "where ", "conditions:", "exclude_fields:")
        )
        if _OPTION.match(line) and "#" not in before and not goes_on:
            bare.append(line)
    assert bare == []


def test_the_builders_have_what_is_used_and_nothing_more() -> None:
    """Every module of a builder file is a component of one of its configurations, and the other way round."""
    names = {
        "otlpreceiver": "otlp", "kafkareceiver": "kafka", "memorylimiterprocessor": "memory_limiter",
        "filterprocessor": "filter", "probabilisticsamplerprocessor": "probabilistic_sampler",
        "transformprocessor": "transform", "logdedupprocessor": "logdedup", "otlpexporter": "otlp_grpc",
        "clickhouseexporter": "clickhouse", "kafkaexporter": "kafka", "loadbalancingexporter": "load_balancing",
        "bearertokenauthextension": "bearertokenauth", "healthcheckextension": "health_check",
        "filestorage": "file_storage",
    }  # fmt: skip
    files = {"builder.yaml": [*shipped(), *_OVERLAYS], "builder-deduplication.yaml": []}
    for path in list(files["builder.yaml"]):
        if path.name == "deduplication.yaml":
            files["builder.yaml"].remove(path)
            files["builder-deduplication.yaml"].append(path)
    for builder, configurations in files.items():
        modules = re.findall(r"gomod: \S+/(\w+) v", (CONFIGURATIONS / builder).read_text())
        built_in = {names[module] for module in modules if not module.endswith("provider")}
        keys = re.findall(
            r"^  (\w+)(?:/\w+)?:", "\n".join(path.read_text() for path in configurations), re.MULTILINE
        )
        used = {key for key in keys if key in names.values()}
        assert built_in == used, builder
