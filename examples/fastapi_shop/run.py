"""
The shop with one command: serve it, have customers ask, and read what they did.

    python run.py

Needs ``pip install 'activitylog[embedded,cli]' fastapi uvicorn``. Writes below a new folder, and says which.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def ask(port: int, method: str, path: str, token: str) -> int:
    """The status of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": "203.0.113.9", "User-Agent": "shop-example"}
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def shopping(port: int) -> None:
    """What customers do."""
    for number in range(1, 21):
        token = f"customer-{number}"
        for product in (1, 2, 3, 4):
            ask(port, "GET", f"/products/{product}", token)
        if number % 3 == 0:
            ask(port, "POST", f"/orders?product_id={1 + number % 2}&quantity={number}", token)
    ask(port, "GET", "/orders/export", "customer-1")
    ask(port, "GET", "/products/1", "stolen")


def main() -> None:
    """Serve, ask, stop, read."""
    data = Path(tempfile.mkdtemp(prefix="shop-"))
    print(f"Data: {data}", flush=True)
    url = f"chdb://{data / 'activity'}"
    environ = {**os.environ, "ACTIVITYLOG_URL": url, "ACTIVITYLOG_SPOOL_DIRECTORY": str(data / "spool")}
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "app:app",
            "--fd",
            str(listener.fileno()),
            "--log-level",
            "warning",
        ]
        server = subprocess.Popen(command, cwd=HERE, env=environ, pass_fds=(listener.fileno(),))
        try:
            shopping(listener.getsockname()[1])
        finally:
            server.terminate()
            server.wait(60)
    # uvicorn ends by a signal: what the store did not have by then is in the spool.
    activitylog = [sys.executable, "-m", "activitylog"]
    subprocess.run([*activitylog, "spool", "drain", "--url", url], env=environ, check=True)
    for question in ("event-counts", "failures", "newest"):
        subprocess.run([*activitylog, "query", question, "--url", url, "--limit", "8"], check=True)


if __name__ == "__main__":
    main()
