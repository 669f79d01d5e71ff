"""The page for web applications is typed as written: files, commands, and what they print."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from activitylog import integrations
from activitylog.integrations.http.options import HTTP_OPTIONS
from tests.reader import Reader, blocks_of, environment, save
from tests.serving import listens

PAGE = Path(integrations.__path__[0]) / "README.md"
#: A block that is a file, or goes on with one.
_FILE = re.compile(r"# (at the end of )?\w+\.py\n")
#: The port of each server, and how it is told to take another one.
_SERVERS = {"uvicorn": ("8000", "--port"), "flask": ("5000", "--port")}


def section(title: str) -> str:
    """What stands below a heading."""
    text = PAGE.read_text().split(f"\n## {title}\n", 1)[1]
    return text.split("\n## ", 1)[0]


def type_block(reader: Reader, text: str) -> None:
    """Run it; a server goes on until somebody asks the store."""
    program = text.split(maxsplit=1)[0]
    if program in _SERVERS:
        reader.serve([*text.split(), _SERVERS[program][1], str(reader.port)], lambda: listens(reader.port))
        return
    if program == "activitylog":
        reader.stop()
    for port, _ in _SERVERS.values():
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{reader.port}")
    reader.run(text)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """With an empty folder."""
    reader = Reader(tmp_path)
    yield reader
    reader.stop()


def without_times(text: str) -> list[list[str]]:
    """The words of each line of ``tail``, but for the time."""
    return [line.split()[2:] for line in text.splitlines()]


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.parametrize("title", ["FastAPI and Starlette", "Flask and WSGI"])
def test_the_first_five_minutes(reader: Reader, tmp_path: Path, title: str) -> None:
    """Every file and every command, and what the page says is printed at the end."""
    for block in blocks_of(section(title)):
        if block.language == "text":
            asked = reader.answers[-1]
            assert without_times(asked)[: len(block.text.splitlines())] == without_times(block.text)
            break
        if block.language == "python":
            save(tmp_path, block.text)
        elif not block.text.startswith("pip install"):
            type_block(reader, block.text)
    if title.startswith("FastAPI"):
        assert re.search(r"request\.handled +ada +/orders/\{order_id\}/pay +200", reader.answers[-1])
        assert re.search(r"receipt\.sent +ada +/orders/\{order_id\}/pay +200", reader.answers[-1])
        assert re.search(r"request\.handled +/orders/\{order_id\}/pay +401", reader.answers[-1])


#: What readers find when they try the rest of the page: one function for each thing that it promises.
PROMISES = """
import sys

from activitylog.testing import capture_activities
from fastapi.testclient import TestClient
from werkzeug.test import Client


def prices(activity):
    import shop

    client = TestClient(shop.app, raise_server_exceptions=False)
    assert client.get("/prices", headers={"x-api-key": "acme.s3cr3t"}).json() == {"tea": 12.5}
    assert activity.one("prices.read", actor="partner:acme", tenant="acme", plan="wholesale")
    assert client.get("/broken", headers={"authorization": "ada"}).text == "sorry"
    failed = activity.one("request.failed", actor="user:ada", outcome="failure")
    assert failed.attributes["http.response.status_code"] == 500


def starlette(activity):
    import page

    TestClient(page.app).get("/pages/a", headers={"x-tenant": "acme"})
    assert activity.one("page.read", object="page:a", tenant="acme").attributes["http.route"] == "/pages/{name}"


def flask(activity):
    import factory

    app = factory.create_app()
    app.add_url_rule("/", view_func=lambda: str(emit("page.read")))
    response = app.test_client().get("/", headers={"x-forwarded-for": "198.51.100.1, 203.0.113.7"})
    read = activity.one("page.read")
    assert read.attributes["client.address"] == "203.0.113.7"
    assert read.attributes["activity.request.id"] == response.headers["X-Request-ID"]
    assert "user_agent.original" not in read.attributes


def wsgi(activity):
    import plain

    Client(plain.application).get("/pages/a", environ_overrides={"REMOTE_USER": "ada"})
    assert activity.one("page.read", actor="user:ada").attributes["http.route"] == "/pages/*"


def proxies(activity):
    import trusting

    def client(app, peer, **headers):
        TestClient(app, client=(peer, 1)).post("/orders/7/pay", headers={"authorization": "ada", **headers})
        return activity.find("order.paid")[-1].attributes.get("client.address")

    spoofed = {"x-forwarded-for": "10.1.1.1, 203.0.113.7, 10.0.0.2"}
    assert client(trusting.inside, "10.0.0.1", **spoofed) == "203.0.113.7"
    assert client(trusting.inside, "198.51.100.1", **spoofed) == "198.51.100.1"
    appended = {"x-forwarded-for": "10.1.1.1, 203.0.113.7, 192.0.2.2"}
    assert client(trusting.counted, "192.0.2.1", **appended) == "203.0.113.7"
    assert client(trusting.local, "", **appended) == "192.0.2.2"
    assert client(trusting.cloudflare, "192.0.2.1", **{"cf-connecting-ip": "203.0.113.7"}) == "203.0.113.7"


def session(activity):
    from session_id import session_id

    found = session_id({"session": {"key": "s3cr3t"}})
    assert len(found) == 32 and found == session_id({"session": {"key": "s3cr3t"}}) and "s3cr3t" not in found
    assert session_id({}) is None


from activitylog import emit

with capture_activities() as captured:
    globals()[sys.argv[1]](captured)
"""


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file of the page."""
    folder = tmp_path_factory.mktemp("typed")
    for block in blocks_of(PAGE.read_text()):
        if block.language == "python" and _FILE.match(block.text):
            save(folder, block.text)
    (folder / "promises.py").write_text(PROMISES)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("promise", ["prices", "starlette", "flask", "wsgi", "proxies", "session"])
def test_the_rest_of_the_page(typed: Path, promise: str) -> None:
    """What is typed does what the page says."""
    command = [sys.executable, "-W", "error", "promises.py", promise]
    done = subprocess.run(
        command, cwd=typed, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


class TestThePage:
    """It is complete."""

    def test_every_option_is_in_the_table(self) -> None:
        """Of requests, and of the middlewares."""
        rows = [
            line.split("|")[1] for line in section("Options of all of them").splitlines() if line.startswith("| ")
        ]
        named = set(re.findall(r"`(\w+)`", "".join(rows)))
        own = {"actor", "tenant", "session", "route", "return_request_id", "flush_seconds"}
        assert named == {*HTTP_OPTIONS, *own}

    def test_every_attribute_is_in_the_table(self) -> None:
        """Of a request."""
        from activitylog.integrations.http.options import ATTRIBUTES

        rows = [line.split("|")[1] for line in section("What events say of a request").splitlines() if "|" in line]
        assert set(ATTRIBUTES) <= set(re.findall(r"`([\w.]+)`", "".join(rows)))

    def test_links(self) -> None:
        """Files and headings that are linked exist."""
        text = PAGE.read_text()
        headings = {title.lower().replace(" ", "-") for title in re.findall(r"^## (.+)$", text, re.MULTILINE)}
        for target, anchor in re.findall(r"\]\(([^)#]*)#?([\w-]*)\)", text):
            assert not target or (PAGE.parent / target).exists(), target
            assert not anchor or target or anchor in headings, anchor
