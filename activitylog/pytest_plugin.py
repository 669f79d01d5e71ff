"""
The pytest plugin: the fixture ``activity``, its marker, and what a failed test shows of it.

The parts that capture and compare are imported when a test uses them.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from activitylog.testing import CapturedActivities

_MARKER: Final = (
    "activity(freeze=None, strict=True, processors=(), **settings): how the fixture `activity` captures: from "
    "which moment on time stands still, and settings of activitylog.configure(), such as rules."
)
#: Events that a failed test shows.
_MAX_SHOWN: Final = 100
_captured: Final = pytest.StashKey["CapturedActivities"]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def activity(request: pytest.FixtureRequest) -> Iterator[CapturedActivities]:
    """The activity events that the test emits, captured through the real chain, strict."""
    from activitylog.testing import capture_activities

    options = _marked(request.node)
    moment = options.pop("freeze", None)
    with capture_activities(**options) as captured:
        if moment is not None:
            captured.freeze(moment)
        request.node.stash[_captured] = captured
        yield captured


def _marked(node: Any) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for mark in node.iter_markers("activity"):
        if mark.args:
            raise pytest.UsageError(
                "The marker activity takes keywords only, such as rules=[...] or strict=False."
            )
        options = {**mark.kwargs, **options}
    return options


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what it emitted."""
    report = yield
    captured = item.stash.get(_captured, None) if report.failed else None
    if captured is not None and report.when == "call":
        from activitylog.visible import visible

        lines = [visible(f"[{index}] {line}") for index, line in enumerate(captured.summary())]
        if len(lines) > _MAX_SHOWN:
            lines[_MAX_SHOWN:] = [f"... and {len(lines) - _MAX_SHOWN} more"]
        report.sections.append(("Captured activity call", "\n".join(lines) or "nothing was emitted"))
    return report


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """What differs between captured and expected events."""
    if "activitylog.testing" not in sys.modules:
        return None
    from activitylog.testing.comparisons import explained

    return explained(op, left, right)
