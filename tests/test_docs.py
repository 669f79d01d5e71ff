"""The documents are run: each Python block of the READMEs, each example."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Run by tests/collector/test_compose.py, which has a Collector for it.
NEEDS_A_COLLECTOR = ROOT / "examples" / "behind_a_collector.py"
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path != NEEDS_A_COLLECTOR)
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def blocks(path: Path) -> list[str]:
    """The Python blocks of a Markdown file."""
    return re.findall(r"^```python\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder of its own."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ACTIVITYLOG_", "OTEL_"))}
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("document", ["README.md", "exporters/README.md"])
def test_the_readmes_run(document: str, tmp_path: Path) -> None:
    """All Python blocks of each, one after the other, as one program."""
    code = "\n".join(blocks(ROOT / document)).replace("/var/lib/activity", str(tmp_path / "store"))
    assert "import" in code
    program = tmp_path / "readme.py"
    program.write_text(code)
    result = run([sys.executable, str(program)], tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_each_example_runs(example: Path, tmp_path: Path) -> None:
    """Without arguments, in an empty folder."""
    result = run([sys.executable, str(example)], tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_each_notebook_runs(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cell by cell in a kernel of its own, in an empty folder; in the repository it is without output."""
    import nbformat
    from nbclient import NotebookClient

    for name in [name for name in os.environ if name.startswith(("ACTIVITYLOG_", "OTEL_"))]:
        monkeypatch.delenv(name)
    cells = nbformat.read(notebook, as_version=4)
    assert not any(cell.get("outputs") for cell in cells.cells)
    NotebookClient(cells, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert any(cell.get("outputs") for cell in cells.cells)


def test_the_readme_names_every_setting() -> None:
    """The table of settings is complete, with the defaults of the code."""
    import dataclasses

    from activitylog.settings import Settings

    readme = (ROOT / "README.md").read_text()
    for field in dataclasses.fields(Settings):
        row = re.search(rf"^\| `{field.name}` \|([^|]*)\|", readme, re.MULTILINE)
        assert row is not None, field.name
        if isinstance(field.default, (int, float)) and not isinstance(field.default, bool):
            assert float(row[1].strip(" `").replace(",", "")) == field.default, field.name


def test_every_command_is_in_the_readme() -> None:
    """What the command line offers is written down."""
    from activitylog.cli.app import application

    readme = (ROOT / "README.md").read_text()
    commands = application.commands
    assert [name for name in commands if f"`activitylog {name}" not in readme] == []
