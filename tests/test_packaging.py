"""What is installed: names, version, entry points, the contents of the wheel."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import activitylog
import otel_clickhouse
import otel_delivery
import otel_otlp
import otel_spool

ROOT = Path(__file__).parents[1]
PACKAGES = {"activitylog", "otel_clickhouse", "otel_delivery", "otel_otlp", "otel_spool"}


def test_public_names_are_sorted_and_exist() -> None:
    """__all__ is the manual's first page."""
    for package in (activitylog, otel_clickhouse, otel_delivery, otel_otlp, otel_spool):
        assert package.__all__ == sorted(package.__all__)
        assert all(hasattr(package, name) for name in package.__all__)


def test_the_version_is_the_distributions() -> None:
    """One version, in one place."""
    assert importlib.metadata.version("activitylog") == activitylog.__version__


@pytest.mark.parametrize("name", ["clickhouse", "otel_otlp_grpc", "otel_otlp_http"])
def test_the_exporters_are_found_by_opentelemetry(name: str) -> None:
    """OTEL_LOGS_EXPORTER=clickhouse, and so on: a class that needs no arguments."""
    from opentelemetry.sdk._logs.export import LogRecordExporter

    (entry,) = importlib.metadata.entry_points(group="opentelemetry_logs_exporter", name=name)
    exporter = entry.load()
    assert issubclass(exporter, LogRecordExporter)
    exporter().shutdown()


def test_core_dependencies_are_exactly_four() -> None:
    """Everything else is in an extra."""
    requires = importlib.metadata.requires("activitylog") or []
    core = {line.split(">")[0].split("<")[0] for line in requires if "extra ==" not in line}
    assert core == {"clickhouse-connect", "opentelemetry-exporter-otlp", "opentelemetry-sdk", "structlog"}


@pytest.mark.parametrize(
    "call",
    [
        "otel_clickhouse.ClickHouseLogExporter().shutdown()",
        "otel_otlp.OTLPGRPCLogExporter().shutdown()",
        "otel_otlp.OTLPHTTPLogExporter().shutdown()",
        "otel_spool.SpooledLogRecordProcessor(lambda: None, tempfile.mkdtemp()).shutdown()",
    ],
)
def test_the_exporters_need_neither_structlog_nor_activitylog(call: str) -> None:
    """Any OpenTelemetry user can use them."""
    code = f"""
import sys, tempfile
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("structlog", "activitylog"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import {call.partition(".")[0]}
{call}
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "activitylog").is_dir(), reason="runs where the sources are; here is the wheel")
def test_the_wheel_holds_the_packages_and_their_data(tmp_path: Path) -> None:
    """SQL and type marks travel with the code; tests and examples do not."""
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path))
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"{name}/py.typed" for name in PACKAGES} <= set(names)
    assert any(name.startswith("activitylog/store/sql/0001_") for name in names)
    assert any(name.startswith("activitylog/queries/sql/") for name in names)
    assert any(name.startswith("otel_clickhouse/sql/") for name in names)
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == PACKAGES
