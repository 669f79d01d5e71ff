"""The page about task queues, threads, functions and scripts: each section as its reader would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis_server import redis_server

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "activitylog" / "integrations" / "TASKS.md"

pytestmark = pytest.mark.slow

#: What the reader does besides, by section: other programs, in other terminals.
AFTERWARDS = {
    "Celery": """
        from celery.contrib.testing.worker import start_worker
        from celery.signals import task_postrun
        import threading
        done = threading.Event()
        task_postrun.connect(lambda **_: done.set(), weak=False)
        app.conf.worker_hijack_root_logger = False
        place_order("user:42")
        with start_worker(app, pool="solo", perform_ping_check=False, loglevel="CRITICAL"):
            assert done.wait(60)
        activitylog.flush(60)
        """,
    "RQ": """
        import pathlib
        pathlib.Path("exports.py").write_text(
            "import activitylog\\n"
            "def run(n):\\n"
            "    assert activitylog.emit('export.run', object=('export', n))\\n"
        )
        import logging, sys
        sys.path.insert(0, "")
        logging.disable()
        enqueue_export("user:42")
        work()
        activitylog.shutdown(60)
        """,
    "Serverless functions": """
        context = type("Context", (), {"aws_request_id": "i-1", "function_name": "f"})()
        assert handler({"image": 7}, context) == "done"
        activitylog.shutdown(60)
        """,
}
#: What the store has then: name, actor, tenant, how many.
STORED = {
    "Celery": [("receipt.sent", "42", "acme", 1)],
    "RQ": [("export.run", "42", "", 1)],
    "Threads and processes": [("image.resized", "42", "acme", 7)],
    "Serverless functions": [("function.started", "", "", 1), ("image.resized", "", "", 1)],
    "Scripts and notebooks": [("invoice.sent", "nightly", "", 3)],
}
#: The next process of the application: it delivers what others have left on disk, within seconds.
ASK = """
import sys, time
import activitylog
from activitylog.store import connect
activitylog.configure(sys.argv[1])
activitylog.emit("store.asked")
activitylog.flush(60)
client = connect(sys.argv[1])
question = "SELECT EventName, ActorId, TenantId, count() FROM activity_events"
question += " WHERE EventName != 'store.asked' GROUP BY ALL ORDER BY 1"
end = time.monotonic() + 60
while (found := str([tuple(row) for row in client.query(question).result_rows])) != sys.argv[2]:
    assert time.monotonic() < end, found
    time.sleep(0.1)
client.close()
activitylog.shutdown(60)
"""


@pytest.fixture(scope="module")
def redis_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of a server."""
    with redis_server(tmp_path_factory.mktemp("redis")) as socket:
        yield socket


def program(section: str, folder: Path, socket: Path) -> str:
    """The Python blocks of a section, with places of the test's, and what its reader does then."""
    text = re.split(r"^## ", DOCUMENT.read_text(), flags=re.MULTILINE)
    (found,) = [part for part in text if part.startswith(f"{section}\n")]
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", found, re.MULTILINE | re.DOTALL))
    assert "import activitylog" in code
    code = code.replace("/var/lib/activity", str(folder / "store")).replace(
        "/tmp/activitylog", str(folder / "tmp")
    )
    code = code.replace("clickhouses://writer:secret@ch.example.com:8443/activity", f"chdb://{folder / 'store'}")
    code = code.replace("redis://localhost:6379/0", f"redis+socket://{socket}")
    code = code.replace("Redis()", f"Redis(unix_socket_path={str(socket)!r})")
    return code + "\n" + "\n".join(line[8:] for line in AFTERWARDS.get(section, "").splitlines())


@pytest.mark.parametrize("section", STORED)
def test_a_section_does_what_it_says(section: str, tmp_path: Path, redis_socket: Path) -> None:
    """Run as a program, and asked afterwards by another one."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ACTIVITYLOG_", "OTEL_"))}
    environ["XDG_STATE_HOME"] = str(tmp_path / "state")
    (tmp_path / "program.py").write_text(program(section, tmp_path, redis_socket))
    (tmp_path / "ask.py").write_text(ASK)
    for command in (["program.py"], ["ask.py", f"chdb://{tmp_path / 'store'}", str(STORED[section])]):
        ended = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert "Traceback" not in ended.stderr, ended.stderr
