"""The page for users of Django: its first five minutes are typed as written, its other code is at least code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from activitylog.integrations.django import checks, conf
from activitylog.integrations.http.options import HTTP_OPTIONS
from tests.reader import Block, Reader, blocks_of, environment, save
from tests.waiting import wait_until

PAGE = Path(conf.__file__).with_name("README.md")
SOURCES = Path(__file__).parents[4] / "activitylog" / "integrations" / "django"
_PORT = "8000"


def blocks(*languages: str) -> list[Block]:
    """The blocks of the page in these languages, in its order."""
    return [block for block in blocks_of(PAGE.read_text()) if block.language in languages]


def type_block(reader: Reader, text: str) -> None:
    """Run it; a server goes on until somebody asks the store."""
    text = text.replace(_PORT, str(reader.port))
    if "manage.py activitylog" in text:
        wait_until(lambda: not reader.is_serving or is_stored(reader))  # people take a moment, too
        reader.stop()
    before, starts, _ = text.partition("python manage.py runserver")
    reader.run(before)
    if starts:
        reader.serve([sys.executable, "manage.py", "runserver", str(reader.port)], lambda: is_up(reader))


def is_up(reader: Reader) -> bool:
    """Whether Django answers."""
    try:
        return httpx.get(f"http://127.0.0.1:{reader.port}/admin/login/").status_code == 200
    except httpx.TransportError:
        return False


def is_stored(reader: Reader) -> bool:
    """Whether nothing waits on disk any more."""
    command = [sys.executable, "manage.py", "activitylog", "spool", "status", "--json"]
    told = subprocess.run(
        command, cwd=reader.folder, env=environment(), capture_output=True, text=True, check=False, timeout=60
    )
    spools = [json.loads(line) for line in told.stdout.splitlines()]
    return not sum(spool["events"] for spool in spools if str(reader.folder) in spool["url"])


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
            save(reader.folder, block.text)
        elif not block.text.startswith("pip install"):
            type_block(reader, block.text)
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
