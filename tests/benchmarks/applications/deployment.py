"""The Django example as it is deployed: gunicorn, a database, a broker, a store that is up, slow or away."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tests.benchmarks.applications.distance import some_way_off
from tests.end_to_end.gate import Gate
from tests.postgres import postgres_server
from tests.serving import ServedStore, free_port, listens
from tests.waiting import wait_until

ROOT: Final = Path(__file__).parents[3]
PROJECT: Final = ROOT / "examples" / "django_messaging"
#: How long a slow store takes for each answer, in seconds.
SLOW_SECONDS: Final = 2.0
_LOWEST_PRIORITY: Final = 19


@dataclass(frozen=True, slots=True)
class Way:
    """
    One way to log activity.

    Attributes:
        name: as in the table.
        variant: of the project.
        store: ``up``, ``slow``, ``away``; empty where none is needed.
    """

    name: str
    variant: str
    store: str = ""


WAYS: Final = (
    Way("no log", "unlogged"),
    Way("before: a row each", "before"),
    Way("rows by bulk_create", "bulk"),
    Way("Celery .delay", "delay"),
    Way("activitylog", "after", "up"),
    Way("activitylog, store slow", "after", "slow"),
    Way("activitylog, store away", "after", "away"),
    Way("activitylog, many as one", "after_as_one", "up"),
)


@dataclass(slots=True)
class Deployment:
    """
    A running application.

    Attributes:
        port: where it answers, on 127.0.0.1.
        store: where its events go, if anywhere; not started yet where it is away.
        began_store: whether the store was started.
    """

    port: int
    environ: Mapping[str, str]
    store: ServedStore | None = None
    store_folder: Path | None = None
    store_port: int = 0
    closing: ExitStack = field(default_factory=ExitStack)

    def load(self, *arguments: str) -> dict[str, Any]:
        """Put the load on it, from a process of its own."""
        command = [sys.executable, str(PROJECT / "load.py"), "--port", str(self.port), *arguments]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=900)
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    def events(self, name: str) -> int:
        """
        How many events of this name are stored, one about many counting as so many.

        Where the store is away it comes back for that.
        """
        if self.store is None:
            assert self.store_folder is not None
            self.store = self.closing.enter_context(ServedStore(self.store_folder, self.store_port))
        client = self.store.client()
        try:
            answer = client.query(
                "SELECT sum(EventCount) FROM activity_events WHERE EventName = {name:String}",
                parameters={"name": name},
            )
            return int(answer.result_rows[0][0])
        finally:
            client.close()


@contextmanager
def deployed(way: Way, database: str, folder: Path, users: int) -> Iterator[Deployment]:
    """
    The application, migrated and seeded, behind gunicorn with two workers of four threads.

    Args:
        way: how it logs.
        database: ``sqlite``, ``postgresql``, or ``postgresql-1ms``: as on another machine, a millisecond away.
        folder: a new one for all that is written.
        users: how many there are.
    """
    with ExitStack() as closing:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("ACTIVITYLOG_")}
        environ |= {
            "DJANGO_SETTINGS_MODULE": "messaging.settings",
            "MESSAGING_VARIANT": way.variant,
            "MESSAGING_DATA": str(folder / "data"),
            "MESSAGING_COUNT": "1",
        }
        if database.startswith("postgresql"):
            environ["DATABASE_URL"] = url = closing.enter_context(postgres_server())
            port, _, milliseconds = str(urlsplit(url).port), *database.partition("-")[1:]
            if milliseconds:
                far = closing.enter_context(some_way_off(int(port), float(milliseconds.removesuffix("ms"))))
                environ["DATABASE_URL"] = url.replace(f":{port}/", f":{far}/")
        if way.variant == "delay":
            environ["CELERY_BROKER_URL"] = closing.enter_context(_redis(folder))
        deployment = Deployment(0, environ, closing=closing)
        if way.store:
            _give_store(way, folder, deployment, environ)
        for command in (["migrate", "--verbosity", "0"], ["seed", "--users", str(users)]):
            subprocess.run(
                [sys.executable, "manage.py", *command],
                cwd=PROJECT,
                env=environ,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        deployment.port = closing.enter_context(_gunicorn(environ))
        yield deployment


def _give_store(way: Way, folder: Path, deployment: Deployment, environ: dict[str, str]) -> None:
    """Make the store's tables, then have it up, slow or away."""
    from activitylog.store import apply

    deployment.store_folder = folder / "store"
    deployment.store_port = port = free_port()
    with ServedStore(deployment.store_folder, port) as store:
        client = store.client()
        apply(client)
        client.close()
    if way.store != "away":
        deployment.store = deployment.closing.enter_context(ServedStore(deployment.store_folder, port))
        # A store is on another machine. Here it gets what others leave; its threads inherit that.
        os.setpriority(os.PRIO_PROCESS, deployment.store.pid, _LOWEST_PRIORITY)
    if way.store == "slow":
        gate = Gate(port, before=lambda _statement: time.sleep(SLOW_SECONDS))
        deployment.closing.callback(gate.close)
        port = gate.port
    environ["ACTIVITYLOG_URL"] = f"clickhouse://127.0.0.1:{port}/default"


@contextmanager
def _gunicorn(environ: Mapping[str, str]) -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(256)
        command = ["gunicorn", "messaging.wsgi", "--bind", f"fd://{listener.fileno()}", "--workers", "2"]
        command += ["--threads", "4", "--log-level", "warning", "--timeout", "300"]
        server = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=PROJECT, env=dict(environ), pass_fds=(listener.fileno(),)
        )
        try:
            yield listener.getsockname()[1]
        finally:
            server.terminate()
            server.wait(120)


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """A broker. No worker runs meanwhile: on this machine it would take its cores from the application."""
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("the way by Celery needs redis-server")
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(port))
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(60)
