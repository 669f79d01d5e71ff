"""
The pipeline with one command: a store, a worker with two processes, some files, and what happened to them.

    python run.py

Needs ``pip install 'activitylog[embedded,cli]' celery``. Writes below a new folder, and says which. The embedded
engine serves one process: here are several, so it runs behind ``activitylog serve``.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
ACTIVITYLOG = [sys.executable, "-m", "activitylog"]
#: Asks, and waits for the counts; as the application that has the pipeline would.
ASK = """
import pipeline
names = [f"file-{number}.txt" for number in range(1, 6)]
result = pipeline.start(names, asked_by="user:7", tenant="acme")
print([part.get(timeout=60, propagate=False) for part in result])
"""


@contextmanager
def running(command: list[str], environ: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended well."""
    with log.open("w") as written:
        process = subprocess.Popen(command, cwd=HERE, env=environ, stdout=written, stderr=written)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, seconds: float = 60.0) -> None:
    """Return when somebody listens there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")


def main() -> None:
    """Start store and worker, ask, stop the worker, read."""
    data = Path(tempfile.mkdtemp(prefix="pipeline-"))
    print(f"Data: {data}", flush=True)
    port = free_port()
    environ = {
        **os.environ,
        "PIPELINE_DATA": str(data),
        "ACTIVITYLOG_URL": f"clickhouse://127.0.0.1:{port}/default",
    }
    serve = [*ACTIVITYLOG, "serve", "--url", f"chdb://{data / 'activity'}", "--port", str(port)]
    worker = [
        "celery",
        "-A",
        "pipeline",
        "worker",
        "--concurrency",
        "2",
        "--loglevel",
        "ERROR",
        "--without-mingle",
    ]
    with running(serve, environ, data / "store.log"):
        wait_for(port)
        subprocess.run([*ACTIVITYLOG, "schema", "apply"], env=environ, check=True)
        with running([sys.executable, "-m", *worker], environ, data / "worker.log"):
            subprocess.run([sys.executable, "-c", ASK], cwd=HERE, env=environ, check=True)
        for question in (["event-counts"], ["actor-timeline", "--actor", "7", "--limit", "12"], ["failures"]):
            subprocess.run([*ACTIVITYLOG, "query", *question], env=environ, check=True)


if __name__ == "__main__":
    main()
