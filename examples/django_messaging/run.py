"""
The whole example with one command: the application as it was and as it is, under the same load, and its activity.

    python run.py [--messages 300] [--users 1000]

Needs ``pip install 'activitylog[embedded,cli]' django gunicorn``. Everything it writes is below a new folder, and
says which; for each variant it migrates a SQLite database, starts gunicorn on 127.0.0.1 and sends messages. In the
end it asks the store what happened.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
VARIANTS = ("unlogged", "before", "after")


def environment(variant: str, data: Path) -> dict[str, str]:
    """What tells the project which variant it is, and where it writes."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("ACTIVITYLOG_")},
        "MESSAGING_VARIANT": variant,
        "MESSAGING_DATA": str(data),
        "MESSAGING_COUNT": "1",
        "DJANGO_SETTINGS_MODULE": "messaging.settings",
    }


def manage(environ: dict[str, str], *arguments: str) -> None:
    """Run a command of the project."""
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=HERE, env=environ, check=True)


def measure(environ: dict[str, str], users: int, *arguments: str) -> dict[str, Any]:
    """Serve the project by gunicorn, put the load on it, and end it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        port = listener.getsockname()[1]
        command = ["gunicorn", "messaging.wsgi", "--bind", f"fd://{listener.fileno()}", "--threads", "4"]
        command += ["--log-level", "warning"]
        server = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=HERE, env=environ, pass_fds=(listener.fileno(),)
        )
        try:
            load = ["load.py", "--port", str(port), "--bulk", str(users), *arguments]
            done = subprocess.run([sys.executable, *load], cwd=HERE, check=True, stdout=subprocess.PIPE, text=True)
            return json.loads(done.stdout)  # type: ignore[no-any-return]
        finally:
            server.terminate()
            server.wait(60)


def show(found: dict[str, dict[str, Any]], users: int) -> None:
    """The table."""
    print(f"\n{'':10} {'message':>21} {'activate ' + format(users, ','):>16} {'at the peak':>14} {'writes':>7}")
    print(f"{'':10} {'p50':>10} {'p99':>10} {'p50':>16} {'requests/s':>14} {'each':>7}")
    for variant, figures in found.items():
        message, bulk, peak = figures["message"], figures[f"bulk_{users}"], figures["peak"]
        print(
            f"{variant:10} {message['p50']:7.2f} ms {message['p99']:7.2f} ms {bulk['p50']:13.1f} ms "
            f"{peak['requests_per_second']:14.0f} {message['writes']:7}"
        )


def main() -> None:
    """Every variant, then questions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long the peak lasts")
    parser.add_argument("--clients", type=int, default=8, help="at once, at the peak")
    given = parser.parse_args()
    data = Path(tempfile.mkdtemp(prefix="messaging-"))
    print(f"Data: {data}")
    arguments = [
        "--messages",
        str(given.messages),
        "--seconds",
        str(given.seconds),
        "--clients",
        str(given.clients),
    ]
    found = {}
    for variant in VARIANTS:
        environ = environment(variant, data / variant)
        manage(environ, "migrate", "--verbosity", "0")
        manage(environ, "seed", "--users", str(given.users))
        found[variant] = measure(environ, given.users, *arguments)
    show(found, given.users)
    sys.stdout.flush()
    ask = [sys.executable, "-m", "activitylog", "query", "--url", f"chdb://{data / 'after' / 'activity'}"]
    for question in ("event-counts", "top-actors"):
        subprocess.run([*ask, question], check=True)


if __name__ == "__main__":
    main()
