"""A real file system of one megabyte, mounted here where that is permitted, else in a user namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SHELLS: Final = (("sh",), ("unshare", "--user", "--map-root-user", "--mount", "sh"))


class NotPermittedError(Exception):
    """This process may mount nothing, in no way."""


@dataclass(frozen=True)
class SmallDisk:
    """
    A tmpfs.

    Attributes:
        path: of its root, for this process.
    """

    path: Path
    _shell: subprocess.Popen[str]
    _place: Path

    def make_read_only(self) -> None:
        """For everybody, from now on."""
        assert _said(self._shell, f"mount -o remount,bind,ro '{self._place}'") == "0"


@contextmanager
def mounted(place: Path) -> Iterator[SmallDisk]:
    """
    A tmpfs on a folder; gone on the way out.

    Raises:
        NotPermittedError: mounting is not permitted, nor is it in a user namespace.
    """
    for command in filter(lambda command: shutil.which(command[0]), _SHELLS):
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as shell:
            if _said(shell, f"mount -t tmpfs -o size=1m tmpfs '{place}'") != "0":
                shell.kill()
                continue
            try:
                # Another namespace's mounts are seen through a process of it.
                path = place if command == ("sh",) else Path(f"/proc/{shell.pid}/root{place}")
                yield SmallDisk(path, shell, place)
            finally:
                unmounted = _said(shell, f"umount -l '{place}'")
                shell.kill()
            assert unmounted == "0"
            return
    raise NotPermittedError


def _said(shell: subprocess.Popen[str], command: str) -> str:
    """The exit status of a command in a shell; empty when there is no such shell."""
    assert shell.stdin is not None
    assert shell.stdout is not None
    try:
        os.write(
            shell.stdin.fileno(), f"{command}; echo $?\n".encode()
        )  # a buffer would be written again at the end
    except BrokenPipeError:
        return ""
    return shell.stdout.readline().strip()
