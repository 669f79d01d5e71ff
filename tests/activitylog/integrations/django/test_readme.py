"""The page for users of Django: its first five minutes are typed as written, its other code is at least code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from activitylog.integrations.django import checks, conf
from activitylog.integrations.http.options import HTTP_OPTIONS
from tests.serving import free_port, heed_ctrl_c
from tests.waiting import wait_until

PAGE = Path(conf.__file__).with_name("README.md")
SOURCES = Path(__file__).parents[4] / "activitylog" / "integrations" / "django"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PORT = "8000"


class Block(NamedTuple):
    """Something to be typed."""

    language: str
    text: str


def blocks(*languages: str) -> list[Block]:
    """The blocks of the page in these languages, in its order."""
    found = [Block(*match.groups()) for match in _BLOCK.finditer(PAGE.read_text())]
    return [block for block in found if block.language in languages]


class Reader:
    """
    Somebody who types what the page says.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = str(free_port())
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {name: value for name, value in os.environ.items() if not name.startswith(("ACTIVITYLOG_", "OTEL_"))}
        self._environ = {**own, "PATH": path}
        self._server: subprocess.Popen[bytes] | None = None
        self.answers: list[str] = []

    def save(self, text: str) -> None:
        """Write what is in a block into the file that its first line names."""
        first, rest = text.split("\n", 1)
        name = first.removeprefix("# ").removeprefix("at the end of ")
        path = self._folder / name
        path.write_text((path.read_text() if "at the end of" in first else "") + rest)

    def type(self, text: str) -> None:
        """Have a shell run a block; a server goes on until somebody asks the store."""
        text = text.replace(_PORT, self.port)
        if "manage.py activitylog" in text:
            self.stop()
        before, starts, _ = text.partition("python manage.py runserver")
        done = subprocess.run(
            ["bash", "-e"],
            input=before,
            cwd=self._folder,
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.answers.append(done.stdout)
        if starts:
            self._start()

    def _start(self) -> None:
        command = [sys.executable, "manage.py", "runserver", self.port]
        self._server = subprocess.Popen(
            command,
            cwd=self._folder,
            env=self._environ,
            stdout=-3,
            stderr=-3,
            start_new_session=True,
            preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - one system call
        )
        wait_until(self._is_up)

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/admin/login/").status_code == 200
        except httpx.TransportError:
            return False

    def _is_stored(self) -> bool:
        command = [sys.executable, "manage.py", "activitylog", "spool", "status", "--json"]
        told = subprocess.run(
            command, cwd=self._folder, env=self._environ, capture_output=True, text=True, check=False, timeout=60
        )
        spools = [json.loads(line) for line in told.stdout.splitlines()]
        return not sum(spool["events"] for spool in spools if str(self._folder) in spool["url"])

    def stop(self) -> None:
        """Ctrl-C after a moment, as people do it; the whole group of processes gets it."""
        if self._server is not None:
            wait_until(self._is_stored)
            os.killpg(self._server.pid, signal.SIGINT)
            self._server.wait(60)
            self._server = None


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """With an empty folder."""
    reader = Reader(tmp_path)
    yield reader
    reader.stop()


@pytest.mark.slow
@pytest.mark.engine
def test_the_first_five_minutes(reader: Reader) -> None:
    """Every command and every file, and at the end the events of what was done."""
    for block in blocks("sh", "python"):
        if block.language == "python":
            reader.save(block.text)
        elif not block.text.startswith("pip install"):
            reader.type(block.text)
        if "curl" in block.text and block.language == "sh":
            log_in_and_look(reader)
    *_, answered, asked = reader.answers
    assert answered == "note 1\nhello\n"
    (printed,) = blocks("text")
    assert asked[: asked.index("Events by name")].split("\n")[:-1] == same_times(printed.text, asked)
    assert len(re.findall(r"notes\.note +1 +object", asked)) == 3


def same_times(printed: str, asked: str) -> list[str]:
    """The lines of the page with the times of this run."""
    times = re.findall(r"^[\d-]+ [\d:.]+", asked, re.MULTILINE)
    lines = printed.splitlines()
    return [time + line[len(time) :] for time, line in zip(times, lines, strict=False)]


def log_in_and_look(reader: Reader) -> None:
    """What the page says is to be done in a browser."""
    with httpx.Client(base_url=f"http://127.0.0.1:{reader.port}", follow_redirects=True) as browser:
        browser.get("/admin/login/")
        form = {"username": "ada", "password": "lovelace", "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        assert "Log out" in browser.post("/admin/login/?next=/admin/", data=form).text
        assert browser.get("/notes/1/").text == "hello\n"


class TestThePage:
    @pytest.mark.parametrize("block", blocks("py"), ids=lambda block: block.text.split("\n")[0][:40])
    def test_other_code_is_code(self, block: Block) -> None:
        """It can be compiled; and what it imports from activitylog is there."""
        compile(block.text, str(PAGE), "exec")
        for line in block.text.splitlines():
            if line.startswith("from activitylog"):
                exec(line, {})

    def test_every_setting_is_in_the_table(self) -> None:
        """Of requests, of Django, and of the other modules."""
        table = PAGE.read_text().split("## Settings", 1)[1].split("\n## ", 1)[0]
        rows = "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| "))
        named = set(re.findall(r"`(\w+)`", rows))
        assert named == {*HTTP_OPTIONS, *conf.OWN, *conf.ELSEWHERE}

    def test_every_check_is_on_the_page(self) -> None:
        """Warnings by their numbers."""
        numbers = set(re.findall(r"activitylog\.(W\d+)", str(checks.__doc__)))
        assert numbers == set(re.findall(r"\((W\d+)\)", PAGE.read_text()))

    @pytest.mark.skipif(not SOURCES.is_dir(), reason="runs where the sources are; here is the wheel")
    def test_links(self) -> None:
        """Files and headings that are linked exist."""
        for target, anchor in re.findall(r"\]\(([^)#h]+)#([\w-]+)\)", PAGE.read_text()):
            text = (SOURCES / target).read_text()
            headings = [title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
            assert anchor in headings
