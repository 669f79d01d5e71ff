"""A real Collector, built by ``collector-config/build.sh`` from upstream's modules, as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.leaving_out import leave_out
from tests.serving import free_port
from tests.shipped import CONFIGURATIONS
from tests.waiting import wait_until

CONFIG: Final = CONFIGURATIONS
#: Exit code of build.sh where Go is not installed.
_NO_GO: Final = 3


@cache
def _build(builder: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CONFIG / "build.sh", builder], capture_output=True, text=True, check=False)


def built(builder: str = "builder.yaml") -> Path:
    """
    The Collector's binary. A first build takes minutes; then it is in the cache.

    Without Go, or out of reach of the module proxy, the test is left out, saying so; in CI it fails.
    """
    done = _build(builder)
    if done.returncode == _NO_GO or "dial tcp" in done.stderr:
        leave_out(f"the Collector cannot be built: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


class Otelcol:
    """
    One Collector on ports of loopback of its own, which stay the same over restarts.

    Args:
        files: of ``collector-config``, or absolute; merged in their order.
        folder: for its queue and its log.
        builder: which Collector.
        environment: what the configuration reads, besides ports and the queue's folder.
    """

    def __init__(
        self,
        files: Sequence[str | Path],
        folder: Path,
        *,
        builder: str = "builder.yaml",
        environment: Mapping[str, str] | None = None,
        queue_directory: Path | None = None,
    ) -> None:
        self._binary = built(builder)
        self._arguments = [argument for file in files for argument in ("--config", str(CONFIG / file))]
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"
        self.grpc_port, self.http_port, self._health_port, self._metrics_port = (free_port() for _ in range(4))
        self._environment = {
            "PATH": os.environ["PATH"],
            "OTLP_GRPC_ENDPOINT": f"127.0.0.1:{self.grpc_port}",
            "OTLP_HTTP_ENDPOINT": f"127.0.0.1:{self.http_port}",
            "HEALTH_ENDPOINT": f"127.0.0.1:{self._health_port}",
            "METRICS_HOST": "127.0.0.1",
            "METRICS_PORT": str(self._metrics_port),
            "QUEUE_DIRECTORY": str(queue_directory or folder / "queue"),
            **(environment or {}),
        }
        self.start()

    @property
    def grpc(self) -> str:
        """``host:port`` of OTLP over gRPC."""
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def http(self) -> str:
        """``host:port`` of OTLP over HTTP."""
        return f"127.0.0.1:{self.http_port}"

    @property
    def pid(self) -> int:
        """Of its process."""
        return self.process.pid

    def start(self) -> None:
        """Come (back), and wait until it takes events."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self._binary, *self._arguments], env=self._environment, stdout=log, stderr=log
            )
        wait_until(self._is_ready)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, f"the Collector has ended:\n{self.said()[-4000:]}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._health_port}", timeout=5) as answer:
                return int(answer.status) == 200
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(60)

    def stop(self, seconds: float = 60) -> None:
        """SIGTERM, and the time to end in order."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(seconds)

    def said(self) -> str:
        """All that it wrote to its log."""
        return self.log.read_text(errors="replace")

    def metric(self, name: str, labels: str = "") -> float:
        """
        The sum of a metric of its own over all its series.

        Args:
            name: as Prometheus has it, without ``_total``.
            labels: text that a series' labels must contain.
        """
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found = re.findall(rf"^{name}(?:_total)?(\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        return sum(float(value) for series, value in found if labels in series)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exception_type: type[BaseException] | None, exception: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.kill()
