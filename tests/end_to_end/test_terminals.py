"""What people see: commands in terminals of some widths, without colours, and in an encoding that has no bars."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.cells import cell_len

pytestmark = pytest.mark.slow

_FILL = """
import sys
from activitylog.store import apply, connect
client = connect("chdb://" + sys.argv[1])
apply(client)
client.command("INSERT INTO activity_events (Timestamp, EventName, ActorType, ActorId, ObjectType, ObjectId, "
    "BodyTemplate) SELECT now64(9) - toIntervalMinute(number * 7), 'page.' || repeat('x', number % 90), 'user', "
    "'größe-日本-' || toString(number % 9), 'page', repeat('o', number % 50), repeat('long ', 40) "
    "FROM numbers(3000)")
"""
COMMANDS = (
    "query",
    "query actor-timeline",
    "query hour-of-week --plot",
    "stats --columns",
    "tail",
    "doctor",
    "verify",
)
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("terminals") / "store"
    subprocess.run([sys.executable, "-c", _FILL, str(folder)], check=True, timeout=120)
    return folder


def typed(command: str, store: Path, width: int, **environment: str) -> tuple[int, str]:
    """Exit code and all that a terminal of this width shows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    words = f"exec {sys.executable} -m activitylog {command}"
    known = {"ACTIVITYLOG_URL": f"chdb://{store}", "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    with subprocess.Popen(
        words,
        shell=True,
        cwd=store.parent,
        env={**kept, **known, **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 1 << 16):
                shown += data
        except OSError:  # how Linux says that the other side was closed
            pass
        os.close(ours)
    return process.returncode, shown.decode(environment.get("PYTHONIOENCODING", "utf-8")).replace("\r\n", "\n")


@pytest.mark.parametrize("command", COMMANDS)
class TestTerminals:
    @pytest.mark.parametrize("width", [80, 200])
    def test_lines_fit(self, store: Path, command: str, width: int) -> None:
        """No line is broken by the terminal, but those that are to be copied."""
        code, shown = typed(command, store, width)
        assert code == 0, shown
        lines = _ESCAPES.sub("", shown).split("\n")
        broken = [line for line in lines if cell_len(line) > width]
        copied = ("://", str(store))
        assert [
            line for line in broken if not line.startswith("    ") and not any(text in line for text in copied)
        ] == []

    @pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
    def test_no_escapes(self, store: Path, command: str, environment: dict[str, str]) -> None:
        """Neither colours nor dim or bold letters for those who do not want them."""
        code, shown = typed(command, store, 100, **environment)
        assert code == 0, shown
        assert "\x1b" not in shown

    def test_latin(self, store: Path, command: str) -> None:
        """What an encoding lacks is written as an escape, and lines are drawn with what it has."""
        code, shown = typed(command, store, 100, PYTHONIOENCODING="latin-1")
        assert code == 0, shown
        assert "Error" not in shown
