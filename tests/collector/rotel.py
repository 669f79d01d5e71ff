"""
Rotel, an OTLP collector that shares no code with OpenTelemetry's, as a process on loopback before a store.

What it is told is collector-config/rotel. The binary is the one in the package ``rotel`` from PyPI, or what the
variable ``ROTEL_AGENT`` names.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.collector.otelcol import CONFIG
from tests.leaving_out import leave_out
from tests.serving import free_port
from tests.waiting import wait_until

VERSION: Final = "0.0.1a15"
_SHIPPED: Final = CONFIG / "rotel"
#: The second name of the landing table: rows that are inserted under it go on to the first.
LANDING: Final = tuple(
    statement for statement in (_SHIPPED / "landing.sql").read_text().split(";") if statement.strip()
)


@dataclass(frozen=True, slots=True)
class Rotel:
    """
    A Rotel that listens.

    Attributes:
        process: it.
        grpc, http: ports of OTLP.
        log: what it said.
    """

    process: subprocess.Popen[bytes]
    grpc: int
    http: int
    log: Path

    def kill(self) -> None:
        """End it at once, as the kernel does when memory is short."""
        self.process.kill()
        self.process.wait(60)


def agent() -> Path:
    """The binary; the test is left out where it is not there or does not start."""
    given = os.environ.get("ROTEL_AGENT")
    if given is None:
        found = find_spec("rotel")
        if found is None or found.origin is None:
            leave_out(f"Rotel is not installed (pip install rotel=={VERSION})")
        given = str(Path(found.origin).with_name("rotel-agent"))
    ended = subprocess.run([given, "--version"], capture_output=True, text=True, timeout=60, check=False)
    if ended.returncode != 0:
        leave_out(f"Rotel does not start: {ended.stderr.strip()}")
    return Path(given)


def options(url: str) -> dict[str, str]:
    """
    What Rotel is told in its environment.

    Args:
        url: of the store, as ``clickhouse://host:port/database``.
    """
    parts = urlsplit(url)
    lines = (_SHIPPED / "rotel.env").read_text().splitlines()
    shipped = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return shipped | {
        "ROTEL_CLICKHOUSE_EXPORTER_ENDPOINT": f"http://{parts.hostname}:{parts.port}",
        "ROTEL_CLICKHOUSE_EXPORTER_DATABASE": parts.path.removeprefix("/"),
        **({"ROTEL_CLICKHOUSE_EXPORTER_USER": parts.username} if parts.username else {}),
        **({"ROTEL_CLICKHOUSE_EXPORTER_PASSWORD": parts.password} if parts.password else {}),
    }


@contextmanager
def rotel(url: str, folder: Path, *, grpc: int | None = None) -> Iterator[Rotel]:
    """
    One that runs until the end of the block, and then sends what it has.

    Args:
        url: of the store.
        folder: for its log.
        grpc: the port of OTLP over gRPC; None takes a free one.
    """
    grpc, http = grpc or free_port(), free_port()
    log = folder / f"rotel-{grpc}.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ROTEL_")}
    environment |= options(url)
    environment |= {
        "ROTEL_OTLP_GRPC_ENDPOINT": f"127.0.0.1:{grpc}",
        "ROTEL_OTLP_HTTP_ENDPOINT": f"127.0.0.1:{http}",
        "NO_COLOR": "1",
        "RUST_BACKTRACE": "0",
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [agent(), "start"], env=environment, cwd=_SHIPPED, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        for port in (grpc, http):
            wait_until(partial(_listens, port, process, log))
        yield Rotel(process, grpc, http, log)
        process.terminate()
        process.wait(60)
    finally:
        process.kill()
        process.wait(60)


def _listens(port: int, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
