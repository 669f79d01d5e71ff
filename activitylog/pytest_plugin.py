"""The pytest plugin: the fixture ``activity``. Nothing is imported until a test uses it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from activitylog.testing import CapturedActivities


@pytest.fixture
def activity() -> Iterator[CapturedActivities]:
    """The activity events that the test emits, captured through the real chain, strict."""
    from activitylog.testing import capture_activities

    with capture_activities() as captured:
        yield captured
