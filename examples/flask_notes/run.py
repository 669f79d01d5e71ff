"""
The notes with one command: serve them by gunicorn, have people write and read, and ask what they did.

    python run.py

Needs ``pip install 'activitylog[embedded,cli]' flask flask-login gunicorn``. Writes below a new
folder, and says which.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

HERE = Path(__file__).parent
PASSWORD = "notes"


class Person:
    """Somebody with a browser."""

    def __init__(self, port: int, name: str, password: str) -> None:
        self._port, self._cookie = port, ""
        self.ask("POST", "/login", name=name, password=password)

    def ask(self, method: str, path: str, **form: str) -> Any:
        """The answer's JSON, where it is a success."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        headers = {"Cookie": self._cookie, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, urlencode(form), headers)
        answer = connection.getresponse()
        body = answer.read()
        self._cookie = answer.headers.get("Set-Cookie", self._cookie).partition(";")[0]
        connection.close()
        is_json = answer.headers.get("Content-Type") == "application/json"
        return json.loads(body) if is_json and answer.status < http.client.BAD_REQUEST else None


def writing(port: int) -> None:
    """What people do."""
    people = {name: Person(port, name, PASSWORD) for name in ("ada", "grace", "linus")}
    Person(port, "ada", "guessed")
    for text in ("buy tea", "call the bank", "rewrite it"):
        note = people["ada"].ask("POST", "/notes", text=text)["note"]
        people["ada"].ask("POST", f"/notes/{note}/readers", names="grace,barbara")
        people["grace"].ask("GET", f"/notes/{note}")
        people["linus"].ask("GET", f"/notes/{note}")
    people["ada"].ask("GET", "/notes/export")
    people["ada"].ask("POST", "/logout")


def main() -> None:
    """Serve, write, stop, ask."""
    data = Path(tempfile.mkdtemp(prefix="notes-"))
    print(f"Data: {data}", flush=True)
    url = f"chdb://{data / 'activity'}"
    environ = {**os.environ, "ACTIVITYLOG_URL": url, "ACTIVITYLOG_SPOOL_DIRECTORY": str(data / "spool")}
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        command = [sys.executable, "-m", "gunicorn", "app:app", "--bind", f"fd://{listener.fileno()}"]
        command += ["--threads", "4", "--log-level", "warning"]
        server = subprocess.Popen(command, cwd=HERE, env=environ, pass_fds=(listener.fileno(),))
        try:
            writing(listener.getsockname()[1])
        finally:
            server.terminate()
            server.wait(60)
    for question in (["event-counts"], ["object-history", "--object-type", "note", "--object", "1"], ["outcomes"]):
        subprocess.run([sys.executable, "-m", "activitylog", "query", *question, "--url", url], check=True)


if __name__ == "__main__":
    main()
