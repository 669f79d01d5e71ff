"""Hostile text in every field, through the whole pipeline into a store, and out again on a terminal: never raw."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from activitylog.queries import questions

pytestmark = pytest.mark.slow

#: What each of them does to a terminal or to its reader; MARK makes them easy to find.
CORPUS = {
    "clear the screen": "MARK\x1b[2J\x1b[1;1Hx",
    "title of the window": "MARK\x1b]0;owned\x07x",
    "link": "MARK\x1b]8;;http://evil.example\x1b\\text\x1b]8;;\x1b\\",
    "clipboard": "MARK\x1b]52;c;ZXZpbA==\x07x",
    "colour and blink": "MARK\x1b[5;41mred\x1b[0m",
    "hide": "MARK\x1b[8mhidden",
    "C1 control sequence": "MARK\x9b2Jx\x90q\x9c\x85y",
    "overwrite": "MARK all is well\rfailure\x08\x08\x08\x7f\x7f",
    "forged line": "MARK\n2026-01-01 00:00:00  login.succeeded  user:root",
    "forged line, other ends": "MARK\u2028forged\u2029forged\x0bforged\x0cforged",
    "bidi override": "MARK\u202egnp.exe\u202c",
    "bidi isolates": "MARK\u2066a\u2067b\u2068c\u2069\u200e\u200f\u061c",
    "bidi embeddings": "MARK\u202aa\u202bb\u202dc",
    "without width": "MARKad\u200bmin\u2060\ufeff\u200cad\u200dmin\u00ad",
    "fillers": "MARK\u3164\u115f\u034f\ufe0fx",
    "tags": "MARK\U000e0041\U000e0042",
    "NUL and bell": "MARK\x00\x07\x01\x1f",
    "markup of the table's library": "MARK[bold red]x[/] :smile: [link=http://evil.example]y[/link]",
    "half of a pair": "MARK\ud83dx",
}

_FILL = """
import json, sys
import activitylog
url, corpus = sys.argv[1], json.loads(sys.argv[2])
activitylog.configure(url, service_name=corpus[0], resource_attributes={"deployment": corpus[1]})
for number, text in enumerate(corpus * 2):
    fields = dict(
        actor=(text, text) if number % 2 else text, object=(text, text, text), target=(text, text), tenant=text,
        on_behalf_of=text, message=text, session=text, request_id=text, duration=1.0 + number,
        request={"http.request.method": text, "http.route": text, "url.path": text, "client.address": text,
                 "user_agent.original": text, "http.response.status_code": 500},
        nested={text: [text, {text: text}]}, values=[text, text.encode("utf-8", "replace")],
        outcome=("denied", "failure", "success", text)[number % 4],
    )
    fields[text] = text
    try:
        raise type("E" + text.replace(chr(0), "") if number % 3 else "Error", (ValueError,), {})(text)
    except ValueError as error:
        activitylog.emit(text, error=text if number % 2 else error, exc_info=number % 5 == 0, **fields)
    activitylog.emit("message.sent", actor=text, object=("message", text), tenant=text, session=text)
result = activitylog.shutdown()
assert (result.complete, result.dropped) == (True, 0), result
assert sum(activitylog.stats().dropped.values()) == 0, activitylog.stats()
"""

_DRIVE = """
import json, sys
from activitylog.cli import main
for words in json.load(open(sys.argv[1])):
    print("=====", json.dumps(words), flush=True)
    try:
        main(words)
    except SystemExit as end:
        print("===== code", end.code, flush=True)
"""


def on_a_terminal(arguments: list[str], folder: Path, **environment: str) -> tuple[int, bytes]:
    """Exit code and every byte that a program writes to its terminal."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    known = {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", "COLUMNS": "3000", "LINES": "50"}
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**kept, **known, **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 1 << 16):
                shown += data
        except OSError:  # how Linux says that the other side was closed
            pass
        os.close(ours)
    return process.returncode, shown


# What we write ourselves: colours (never of these kinds in the corpus), and what a bar of progress needs.
_OURS = re.compile(r"\x1b\[(?:0|1|2|3[0-7](?:;49)?|9[0-7]|38;5;\d+|39|1;3\d|K|2K|1A|\?25[lh])?m?|\r")


def raw(shown: bytes) -> list[str]:
    """Every character that must not have come to the terminal, with what is around it."""
    text = _OURS.sub("", shown.decode("utf-8", "surrogateescape").replace("\r\n", "\n"))
    bad = [
        place
        for place, char in enumerate(text)
        if (unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char != "\n")
        or char in "\u3164\u115f\u034f\ufe0f"
    ]
    return [repr(text[max(place - 60, 0) : place + 30]) for place in bad[:5]]


def forged(shown: bytes) -> list[str]:
    """Lines that begin as the corpus wants them to."""
    return [
        line
        for line in shown.decode("utf-8", "replace").splitlines()
        if line.startswith("2026-01-01 00:00:00  log")
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store in ``store`` that has each text of the corpus in every field."""
    found = tmp_path_factory.mktemp("hostile")
    subprocess.run(
        [sys.executable, "-c", _FILL, f"chdb://{found}/store", json.dumps(list(CORPUS.values()))],
        check=True,
        timeout=120,
        capture_output=True,
    )
    return found


def run(folder: Path, commands: list[list[str]], **environment: str) -> dict[str, bytes]:
    """What each command shows."""
    (folder / "commands.json").write_text(json.dumps(commands))
    environment = {"ACTIVITYLOG_URL": f"chdb://{folder}/store", **environment}
    code, shown = on_a_terminal(["-c", _DRIVE, "commands.json"], folder, **environment)
    assert code == 0, shown[-3000:]
    parts = shown.split(b"===== [")[1:]
    assert len(parts) == len(commands)
    return {" ".join(words): part for words, part in zip(commands, parts, strict=True)}


_STAYS = "MARK\x1b[2J\x1b[1;1Hx"
_WITH_DATA = [
    "tail -n 100",
    "tail -n 100 --json",
    "query newest --limit 100",
    "query newest --limit 100 --json",
    "query newest --limit 100 --csv",
    "query top-actors --plot",
    "query actor-timeline --actor MARK_TENANT --csv",
    "stats",
    "sql 'SELECT * FROM activity_events'",
    "sql 'SELECT * FROM activity_events' --json",
    "sql 'SELECT * FROM activity_events' --csv",
    "sql 'SELECT ResourceAttributes, LogAttributes FROM activity_events' --csv",
    "export --tenant MARK_TENANT --to -",
    "erase --tenant MARK_TENANT --json",
    "erase --tenant MARK_TENANT",
]


def words_of(command: str) -> list[str]:
    return [_STAYS if word == "MARK_TENANT" else word for word in shlex.split(command)]


class TestCommands:
    def test_with_data(self, folder: Path) -> None:
        """Every command that shows events shows what is in them, and nothing of it raw."""
        shown = run(folder, [words_of(command) for command in _WITH_DATA])
        for command, part in shown.items():
            assert raw(part) == [], command
            assert forged(part) == [], command
            # It is there, and made visible: as our escape, or as JSON's.
            assert b"MARK" in part, (command, part)
            assert b"\\x1b[2J" in part or b"\\u001b[2J" in part, (command, part[-3000:])

    def test_subjects(self, folder: Path) -> None:
        """Whoever is asked about is named, and what there is of them shown, in every language of the corpus."""
        texts = [text for text in CORPUS.values() if "\ud83d" not in text]
        commands = [["export", "--tenant", text, "--to", "-"] for text in texts]
        commands += [["erase", "--actor", f"user:{text}"] for text in texts]
        for command, part in run(folder, commands).items():
            assert raw(part) == [], command
            assert b"MARK" in part.partition(b"\n")[2], (command, part)

    @pytest.mark.parametrize("width", ["80", "3000"])
    def test_all_questions(self, folder: Path, width: str) -> None:
        """So it is with every question there is, as a table, and as a chart where it has one, on any width."""
        commands = [["query", question.name] for question in questions().values()]
        commands += [
            ["query", question.name, "--plot"] for question in questions().values() if question.kind != "table"
        ]
        for command, part in run(folder, commands, COLUMNS=width).items():
            assert raw(part) == [], command
            assert forged(part) == [], command

    def test_what_is_typed_and_what_is_answered(self, folder: Path) -> None:
        """Errors quote what was given, and what the store says to it; so do names of columns and debug stacks."""
        commands = []
        for text in CORPUS.values():
            if "\ud83d" in text or "\0" in text:
                continue  # no shell can pass these on
            commands += [
                ["query", text],
                ["query", "newest", "--nothing", text],
                ["query", "newest", "--tenant", text],
                ["query", "newest", "--since", text],
                ["query", "--search", text],
                ["sql", f"SELECT {text}"],
                ["sql", "SELECT 1 AS `" + text.replace("\\", "\\\\") + "`"],
                ["sql", "SELECT number AS `" + text.replace("\\", "\\\\") + "` FROM numbers(3)", "--csv"],
                ["sql", "SELECT 1", "-p", text],
                ["tail", "--url", text],
                ["tail", text],
                [text],
                ["ingest", text],
                ["export", "--actor", text, "--to", "-"],
                ["erase", "--actor", f"user:{text}"],
                ["erase", "--object", text],
            ]
        for command, part in run(folder, commands, ACTIVITYLOG_DEBUG="1").items():
            assert raw(part) == [], command

    def test_files_from_outside(self, folder: Path) -> None:
        """A line that is rejected is quoted, and a dry run shows what would be sent."""
        good = [
            json.dumps({"event": text, "actor": text, text: text}, ensure_ascii=True) for text in CORPUS.values()
        ]
        bad = [text.replace("\ud83d", "") for text in CORPUS.values()]
        (folder / "events.ndjson").write_text("\n".join([*good, *bad]), encoding="utf-8", newline="")
        ingest = ["ingest", "events.ndjson", "--show-rejected", "100"]
        for more in (["--dry-run", "--limit", "100"], ["--dry-run", "--json"], ["--format", "access"], ["--json"]):
            ((command, part),) = run(folder, [[*ingest, *more]], ACTIVITYLOG_URL=f"chdb://{folder}/other").items()
            assert raw(part) == [], command

    def test_machines_get_it_whole(self, folder: Path) -> None:
        """In a pipe CSV has every byte, and JSON says the same whether escaped or not."""
        sql = "SELECT Body AS body FROM activity_events WHERE Body != '' ORDER BY Timestamp LIMIT 19"
        known = {**os.environ, "ACTIVITYLOG_URL": f"chdb://{folder}/store", "PYTHONIOENCODING": "utf-8"}
        # Half a pair is no character, and the table keeps \x01 for itself.
        wanted = [text.replace("\ud83d", "\ufffd").replace("\x01", "\x1a") for text in CORPUS.values()]

        def piped(form: str) -> str:
            command = [sys.executable, "-m", "activitylog", "sql", sql, form]
            return subprocess.run(command, env=known, check=True, capture_output=True, timeout=60).stdout.decode()

        assert [json.loads(line)["body"] for line in piped("--json").splitlines()] == wanted
        as_csv = piped("--csv")
        assert [text for text in wanted if text not in as_csv] == []


class TestEmitting:
    def test_console(self, folder: Path) -> None:
        """The destination ``console:`` writes JSON that is ASCII."""
        code, shown = on_a_terminal(["-c", _FILL, "console:", json.dumps(list(CORPUS.values()))], folder)
        assert code == 0, shown
        assert raw(shown) == []
        assert b"\\u001b[2J" in shown
        assert b"\\u007f" in shown
