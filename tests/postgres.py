"""A PostgreSQL of one's own: a new cluster in a new folder, on loopback, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.serving import free_port

#: Where Debian has the programs of a server, one folder a version.
_DEBIAN: Final = Path("/usr/lib/postgresql")
_USER: Final = "activity"


def postgres_programs() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``, the newest one; None where there is no PostgreSQL."""
    found = shutil.which("initdb")
    if found is not None and (Path(found).resolve().parent / "pg_ctl").exists():
        return Path(found).resolve().parent
    versions = [folder for folder in _DEBIAN.glob("*/bin") if (folder / "initdb").exists()]
    return max(versions, key=lambda folder: int(folder.parent.name.split(".")[0]), default=None)


def require_postgres() -> None:
    """Skip the test where there is no PostgreSQL; where ``CI`` is set there has to be one."""
    if postgres_programs() is None:
        reason = "there is no PostgreSQL: install the package postgresql"
        pytest.fail(reason) if os.environ.get("CI", "") not in ("", "false", "0") else pytest.skip(reason)


@contextmanager
def postgres_server(*options: str) -> Iterator[str]:
    """
    Start one, with a database ``activity``; its URL.

    Args:
        options: settings such as ``fsync=off``; by default the server is as it comes.

    Raises:
        RuntimeError: there is no PostgreSQL on this machine.
    """
    programs = postgres_programs()
    if programs is None:
        raise RuntimeError("there is no PostgreSQL: install the package postgresql")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name) / "data"
        _own(Path(name))
        _run(programs / "initdb", "-D", str(folder), "-U", _USER, "--auth=trust", "--encoding=UTF8", "--no-sync")
        settings = [f"-c {option}" for option in ("listen_addresses=127.0.0.1", f"port={port}", *options)]
        settings.append(f"-c unix_socket_directories={name}")
        _run(programs / "pg_ctl", "-D", str(folder), "-w", "-l", f"{name}/log", "-o", " ".join(settings), "start")
        try:
            _run(programs / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", _USER, _USER)
            yield f"postgresql://{_USER}@127.0.0.1:{port}/{_USER}"
        finally:
            _run(programs / "pg_ctl", "-D", str(folder), "-w", "-m", "immediate", "stop")


def _somebody() -> pwd.struct_passwd | None:
    """Who runs the server where these are the tests of root, whom it refuses."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _own(folder: Path) -> None:
    somebody = _somebody()
    if somebody is not None:
        os.chown(folder, somebody.pw_uid, somebody.pw_gid)


def _run(program: Path, *arguments: str) -> None:
    somebody = _somebody()
    who: dict[str, Any] = (
        {} if somebody is None else {"user": somebody.pw_uid, "group": somebody.pw_gid, "extra_groups": []}
    )
    done = subprocess.run(
        [str(program), *arguments],
        cwd="/",
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
        **who,
    )
    if done.returncode:
        raise RuntimeError(f"{program.name}: {done.stderr.strip()[-500:]}")
