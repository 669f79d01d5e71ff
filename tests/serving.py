"""The embedded store in a process of its own, behind HTTP on one port, that can go away and come back."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.waiting import wait_until

#: Unlike the shared generator, no seed of a test makes two processes draw the same ports.
_RANDOM: Final = random.SystemRandom()
_ROOT: Final = Path(__file__).parents[1]
_SERVE: Final = "import sys; from activitylog.server import serve; serve(sys.argv[1], port=int(sys.argv[2]))"


def free_port() -> int:
    """
    A port of loopback that nobody listens on now.

    Below those that the system gives to clients: what is killed and comes back finds it free.
    """
    while True:
        port = _RANDOM.randrange(12_000, 32_000)
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                free.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def heed_ctrl_c() -> None:
    """
    Of a process that a test starts, to be called in it (``preexec_fn``): it ends by SIGINT, as in a terminal.

    Shells have what they start in the background ignore it, and all that these start in turn.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


class ServedStore:
    """
    ``activitylog serve`` on a folder.

    Args:
        folder: of the store.
        port: to listen on; a free one when it is not given.
    """

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self._folder = folder
        self.port = port or free_port()
        self.url = f"clickhouse://127.0.0.1:{self.port}/default"
        self.start()

    @property
    def pid(self) -> int:
        """Of the process that serves."""
        return self.process.pid

    def start(self) -> None:
        """Come (back)."""
        command = [sys.executable, "-c", _SERVE, str(self._folder), str(self.port)]
        self.process = subprocess.Popen(command, cwd=_ROOT)

    def wait(self) -> None:
        """Until it listens."""
        wait_until(lambda: listens(self.port), 120)

    def client(self) -> Any:
        """One that waits for it."""
        import clickhouse_connect

        self.wait()
        return clickhouse_connect.get_client(dsn=self.url, send_receive_timeout=600)

    def kill(self) -> None:
        """Be gone, at once."""
        self.process.kill()
        self.process.wait(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exception_type: type[BaseException] | None, exception: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.kill()
