"""The configurations that are shipped have no error, alone and as their comments say that they belong together."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from activitylog.collector import examine, read
from tests.shipped import CONFIGURATIONS, documented, shipped


def test_there_are_some() -> None:
    """A folder without any would pass everything below."""
    assert {"agent.yaml", "gateway.yaml"} <= {path.name for path in shipped()}


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.name)
def test_each_alone(path: Path) -> None:
    """With no variable set: their defaults are judged."""
    assert [finding.found for finding in examine(read([path], environ={})) if finding.severity == "error"] == []


@pytest.mark.parametrize("chain", documented(), ids=shlex.join)
def test_each_with_its_overlays(chain: tuple[str, ...]) -> None:
    """As the documents and the first lines of the overlays say."""
    found = examine(read([CONFIGURATIONS / name for name in chain], environ={}))
    assert [finding.found for finding in found if finding.severity == "error"] == []
