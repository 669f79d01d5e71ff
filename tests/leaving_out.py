"""Tests that need what a machine may lack."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def leave_out(lacking: str) -> NoReturn:
    """Skip, saying what is missing; in CI (``CI=true``) it must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must run this test: {lacking}")
    pytest.skip(lacking)
