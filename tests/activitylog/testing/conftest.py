"""Runs inside of a run: without what pytest does by itself in CI, and what Django's plugin does once a process."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _as_on_a_desk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are shortened, which they are not in CI; Django was set up by tests of this very process."""
    if "pytester" in request.fixturenames:
        request.getfixturevalue("pytester")  # which clears variables of its own
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    if not request.module.__name__.endswith("test_django"):
        monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:django")
