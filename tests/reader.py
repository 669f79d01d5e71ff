"""Somebody who types what a page says: files, commands, and a server that goes on meanwhile."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.serving import free_port, heed_ctrl_c
from tests.waiting import wait_until

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """Something to be typed."""

    language: str
    text: str


def blocks_of(text: str) -> list[Block]:
    """The blocks of a text in Markdown, in their order."""
    return [Block(*match.groups()) for match in _BLOCK.finditer(text)]


def save(folder: Path, text: str) -> None:
    """Write a block into the file that its first line names, or at the end of it."""
    first, rest = text.split("\n", 1)
    path = folder / first.removeprefix("# ").removeprefix("at the end of ")
    path.write_text((path.read_text() if "at the end of" in first else "") + rest)


def environment() -> dict[str, str]:
    """Of somebody who has installed all of it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ACTIVITYLOG_", "OTEL_"))}
    return {**own, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


class Reader:
    """
    Types in a shell.

    Args:
        folder: an empty one.

    Attributes:
        port: of the server, if there is one.
        answers: what the commands printed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.answers: list[str] = []
        self._server: subprocess.Popen[bytes] | None = None

    def run(self, text: str) -> None:
        """Have a shell run commands."""
        done = subprocess.run(
            ["bash", "-e"],
            input=text,
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.answers.append(done.stdout)

    def serve(self, command: list[str], is_up: Callable[[], bool]) -> None:
        """Start a server, and go on when it is up."""
        self._server = subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - one system call
        )
        wait_until(is_up)

    @property
    def is_serving(self) -> bool:
        """Whether there is a server."""
        return self._server is not None

    def stop(self) -> None:
        """Ctrl-C; the whole group of processes gets it."""
        if self._server is not None:
            os.killpg(self._server.pid, signal.SIGINT)
            self._server.wait(60)
            self._server = None
