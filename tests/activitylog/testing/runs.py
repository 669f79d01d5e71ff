"""Runs of pytest inside a test: what a user of the plugin sees."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any, Final

import pytest

#: Without what takes its time to begin, and is of no account here.
OPTIONS: Final = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:benchmark", "-p", "no:xdist")


def failure(pytester: pytest.Pytester, program: str, body: str) -> str:
    """
    What pytest prints of the error of a test, without the ``E`` in front.

    Args:
        program: up to the head of the test.
        body: of the test. It must be its own line that pytest shows, and none of ours.
    """
    path = pytester.makepyfile(program + textwrap.indent(textwrap.dedent(body).strip(), "    "))
    (report,) = pytester.inline_run(*OPTIONS).getfailures()
    shown: Any = report.longrepr
    assert shown.reprcrash.path == str(path)
    lines = [line[4:].rstrip() for line in report.longreprtext.splitlines() if line.startswith("E")]
    return textwrap.dedent("\n".join(lines)).removeprefix("AssertionError: ")


def readme_blocks(language: str = "py") -> list[str]:
    """The blocks of the README's section about testing."""
    section = (
        (Path(__file__).parents[3] / "README.md").read_text().partition("\n## Testing\n")[2].partition("\n## ")[0]
    )
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
