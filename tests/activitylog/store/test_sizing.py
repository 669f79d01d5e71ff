"""From events per second to servers."""

from __future__ import annotations

from dataclasses import fields, replace
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activitylog.exceptions import ConfigurationError
from activitylog.store.sizing import INSERTS_PER_SHARD, Load, amount, markdown_table, size

LOADS = st.builds(
    Load,
    events_per_second=st.floats(0.1, 1e8),
    retention_days=st.integers(1, 4000),
    replicas=st.integers(1, 5),
    peak_factor=st.floats(1, 10),
)


class TestSize:
    """``size()``."""

    def test_arithmetic(self) -> None:
        """100,000 events a second, by hand."""
        sizing = size(Load(events_per_second=100_000))
        assert sizing.bytes_per_day == pytest.approx(100_000 * 86_400 * 91.2)  # 788 GB
        assert sizing.hot_bytes == pytest.approx(787.968e9 * 90 * 2)
        assert sizing.disk_bytes == pytest.approx(202.6e12, rel=1e-3)  # at 70 % full
        assert sizing.cores == pytest.approx(300_000 * (6.5 + 2 * 4 * 4.0) / 1e6 / 0.4)  # 28.9
        assert (sizing.shards, sizing.servers, sizing.decided_by) == (6, 12, "disk")  # 70.9 TB / 0.7 / 20 TB = 5.1
        assert (sizing.writers, sizing.flush_seconds, sizing.batch_rows, sizing.route) == (
            5,
            1,
            20_000,
            "distributed",
        )
        assert (sizing.inserts_per_second, sizing.parts_per_second) == (5, 15)
        assert sizing.window_hours == pytest.approx(100_000 / 5 / 3600)  # 5.6
        assert sizing.keeper_bytes == 100_000 * 3 * 6 * 500
        assert sizing.keeper_requests_per_second == 5 * 3 * 6 * 20
        # 300 in, 300 out and in again, 91.2 out and in, on twelve servers
        assert sizing.network_bits_per_second == pytest.approx(300_000 * (300 * 3 + 91.2 * 2) * 8 / 12)
        assert (sizing.partition_by, sizing.partitions, sizing.bucket_minutes) == ("week", 14, 5)

    def test_small(self) -> None:
        """A thousand events a second are for one server and its replica."""
        sizing = size(Load(events_per_second=1000, retention_days=400))
        assert (sizing.shards, sizing.servers, sizing.decided_by, sizing.route) == (
            1,
            2,
            "one server does",
            "one table",
        )
        assert (sizing.partition_by, sizing.bucket_minutes) == ("month", 60)
        assert sizing.cold_bytes == 0

    def test_large(self) -> None:
        """Ten million go straight into shards: through Distributed each would see 500 inserts a second."""
        sizing = size(Load(events_per_second=10_000_000, hot_days=3))
        assert sizing.route == "local"
        assert sizing.decided_by == "CPU"
        assert sizing.inserts_per_second * sizing.shards * sizing.flush_seconds == pytest.approx(500)
        assert sizing.cold_bytes == pytest.approx(10_000_000 * 86_400 * 91.2 * 87 * 2)

    @settings(deadline=None)
    @given(LOADS)
    def test_fits(self, load: Load) -> None:
        """What is recommended holds the load: disks, cores, network, inserts of a shard, hours of tokens."""
        sizing = size(load)
        assert sizing.servers == sizing.shards * load.replicas
        assert sizing.disk_bytes <= sizing.servers * load.disk_bytes_per_server * 1.000001
        assert sizing.cores <= sizing.servers * load.cores_per_server * 1.000001
        assert sizing.network_bits_per_second <= load.network_bits_per_server / 2 * 1.000001
        assert sizing.inserts_per_second <= INSERTS_PER_SHARD
        assert sizing.window_hours > 2.7

    @settings(deadline=None)
    @given(LOADS, st.floats(1, 100))
    def test_more_needs_no_less(self, load: Load, factor: float) -> None:
        """More events, or more days, never need fewer servers or disks."""
        more = size(replace(load, events_per_second=load.events_per_second * factor))
        assert more.disk_bytes >= size(load).disk_bytes
        assert more.cores >= size(load).cores
        assert size(replace(load, retention_days=load.retention_days + 1)).disk_bytes > size(load).disk_bytes

    @pytest.mark.parametrize("name", [field.name for field in fields(Load)])
    def test_refused(self, name: str) -> None:
        """Nothing, less than nothing, infinity and no number are no input."""
        for value in (0, -1, float("inf"), float("nan")):
            changed: dict[str, Any] = {name: value}
            with pytest.raises(ConfigurationError, match=f"{name} is"):
                size(replace(Load(events_per_second=1), **changed))

    def test_refused_together(self) -> None:
        """A share above 1, and more hot days than days."""
        for wrong in (Load(events_per_second=1, cpu_share=1.1), Load(events_per_second=1, hot_days=91)):
            with pytest.raises(ConfigurationError):
                size(wrong)


class TestPrinted:
    @pytest.mark.parametrize(
        ("number", "text"),
        [
            (0.25, "0.25 B"),
            (999, "999 B"),
            (999.9, "1 kB"),
            (1234, "1.23 kB"),
            (71.36e12, "71.4 TB"),
            (9e18, "9e+03 PB"),
        ],
    )
    def test_amount(self, number: float, text: str) -> None:
        """Three digits and a decimal prefix."""
        assert amount(number, "B") == text

    def test_page(self) -> None:
        """The table of the page is what is computed."""
        page = files("activitylog.store").joinpath("CLUSTER.md").read_text(encoding="utf-8")
        assert markdown_table() in page
