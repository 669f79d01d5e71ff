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

ROOT = Path(__file__).parents[1]


def test_public_names_are_sorted_and_exist() -> None:
    """__all__ is the manual's first page."""
    assert activitylog.__all__ == sorted(activitylog.__all__)
    assert all(hasattr(activitylog, name) for name in activitylog.__all__)
    assert otel_clickhouse.__all__ == sorted(otel_clickhouse.__all__)
    assert all(hasattr(otel_clickhouse, name) for name in otel_clickhouse.__all__)


def test_the_version_is_the_distributions() -> None:
    """One version, in one place."""
    assert importlib.metadata.version("activitylog") == activitylog.__version__


def test_the_exporter_is_found_by_opentelemetry() -> None:
    """OTEL_LOGS_EXPORTER=clickhouse: a class that needs no arguments."""
    from opentelemetry.sdk._logs.export import LogRecordExporter

    (entry,) = importlib.metadata.entry_points(group="opentelemetry_logs_exporter", name="clickhouse")
    exporter = entry.load()
    assert issubclass(exporter, LogRecordExporter)
    exporter().shutdown()


def test_core_dependencies_are_exactly_four() -> None:
    """Everything else is in an extra."""
    requires = importlib.metadata.requires("activitylog") or []
    core = {line.split(">")[0].split("<")[0] for line in requires if "extra ==" not in line}
    assert core == {"clickhouse-connect", "opentelemetry-exporter-otlp", "opentelemetry-sdk", "structlog"}


def test_the_exporter_needs_neither_structlog_nor_activitylog() -> None:
    """Any OpenTelemetry user can use it."""
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("structlog", "activitylog"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import otel_clickhouse
otel_clickhouse.ClickHouseLogExporter().shutdown()
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "activitylog").is_dir(), reason="runs where the sources are; here is the wheel")
def test_the_wheel_holds_both_packages_and_their_data(tmp_path: Path) -> None:
    """SQL and type marks travel with the code; tests and examples do not."""
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path))
    names = zipfile.ZipFile(wheel).namelist()
    assert {"activitylog/py.typed", "otel_clickhouse/py.typed"} <= set(names)
    assert any(name.startswith("activitylog/store/sql/0001_") for name in names)
    assert any(name.startswith("activitylog/queries/sql/") for name in names)
    assert any(name.startswith("otel_clickhouse/sql/") for name in names)
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"activitylog", "otel_clickhouse"}
