"""Servers with a master process and workers, as people run them: started, reloaded, killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.waiting import wait_until

_ROOT: Final = Path(__file__).parents[2]


class Server:
    """
    A master process with its workers; a context manager that leaves none of them.

    Args:
        command: what runs it, a module of Python's and its arguments.
        environ: its environment.
        log: the file that gets what it writes.
        kept: descriptors that it inherits.
    """

    def __init__(
        self, command: list[str], *, environ: Mapping[str, str], log: Path, kept: tuple[int, ...] = ()
    ) -> None:
        self.log = log
        with self.log.open("ab") as opened:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=_ROOT,
                env=dict(environ),
                stdout=opened,
                stderr=opened,
                pass_fds=kept,
                start_new_session=True,
            )

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(60)

    def workers(self) -> list[int]:
        """The processes that it has forked, and that have not ended."""
        children = [
            path.read_text().split() for path in Path(f"/proc/{self._process.pid}/task").glob("*/children")
        ]
        return [int(child) for of_thread in children for child in of_thread if _lives(child)]

    def kill_a_worker(self) -> None:
        """Without a word; returns when another one has taken its place."""
        before = set(self.workers())
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: set(self.workers()) - before and len(self.workers()) >= len(before))

    def replace_all(self) -> None:
        """As gunicorn reloads: workers end well, others take their place."""
        before = set(self.workers())
        self._process.send_signal(signal.SIGHUP)
        wait_until(lambda: not before & set(self.workers()))

    def end(self) -> None:
        """As a service is stopped: well, and in time; some raise the signal again when they are done."""
        self._process.send_signal(signal.SIGTERM)
        assert self.ended(60) in (0, -signal.SIGTERM), self.log.read_text()[-3000:]

    def ended(self, seconds: float) -> int:
        """Wait until it ends by itself; its exit code."""
        return self._process.wait(seconds)

    def kill(self) -> None:
        """Master and workers at once."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(60)

    def said(self, text: str, *, times: int) -> None:
        """Wait until the log has it so many times, of all servers."""
        wait_until(lambda: self.log.read_text().count(text) >= times)


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A socket that a server inherits, as from systemd: what is asked before it is up waits in its backlog."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        yield listener
