"""The commands ``rules check``, ``rules explain`` and ``rules simulate``."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from activitylog.cli.errors import run
from activitylog.cli.rules import rules

RULES = """
[[rules]]
match = "audit.*"
durable = true

[[rules]]
name = "pages"
match = { event = "page.viewed", attributes = { plan = "free" } }
sample = 0.05
by = "session"
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, and no settings from the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("ACTIVITYLOG_RULES_FILE", "ACTIVITYLOG_CONFIG", "ACTIVITYLOG_SAMPLING_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs ``activitylog rules ...``: the exit code and both outputs."""

    def command(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(rules, arguments)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return command


def write(name: str, text: str) -> str:
    """A file in the working directory."""
    Path(name).write_text(text)
    return name


class TestCheck:
    def test_a_file_in_words(self, said: Any) -> None:
        """Each rule with its number, its name, what it takes and what it does."""
        assert said("check", write("rules.toml", RULES)) == (
            0,
            "2 rules of rules.toml\n"
            " 1  audit.*\n"
            "    keeps all, durable\n"
            " 2  pages: page.viewed where plan is free\n"
            "    keeps 5 % of the sessions; failures and denials always\n"
            "The first rule that matches takes an event; what none takes is kept.\n",
            "",
        )

    @pytest.mark.parametrize("form", ["rules", "rules_file"])
    def test_the_rules_of_the_settings(self, form: str, said: Any) -> None:
        """Without a file it is what would be in force here, in either form."""
        write("rules.toml", RULES)
        write("activitylog.toml", RULES if form == "rules" else 'rules_file = "rules.toml"\n')
        code, out, _ = said("check")
        assert code == 0
        assert out.startswith("2 rules of /")
        assert ("rules.toml" if form == "rules_file" else "activitylog.toml") in out.splitlines()[0]

    def test_no_rules(self, said: Any) -> None:
        """Nothing is wrong with that."""
        assert said("check") == (0, "There are no rules: every event is kept.\n", "")

    def test_json(self, said: Any) -> None:
        """One document, with what the rules say and what that means."""
        code, out, _ = said("check", write("rules.toml", RULES), "--json")
        document = json.loads(out)
        assert (code, document["origin"], [rule["number"] for rule in document["rules"]]) == (
            0,
            "rules.toml",
            [1, 2],
        )
        assert document["rules"][1]["match"] == {"event": "page.viewed", "attributes": {"plan": "free"}}
        assert document["rules"][1]["does"] == "keeps 5 % of the sessions; failures and denials always"
        assert document["rules"][1]["keep"] == ["denied", "failure"]

    def test_a_rule_that_is_never_reached_is_warned_of(self, said: Any) -> None:
        """Where an earlier one has no condition that the later one has not."""
        rule = '[[rules]]\nmatch = {{ event = "a.*", outcome = "failure"{more} }}\nkeep = true\n'
        file = write("rules.toml", rule.format(more="") + rule.format(more=', tenant = "t"'))
        code, out, _ = said("check", file)
        assert code == 0
        assert "WARNING  it can never take an event: rule 1 (a.*) takes them all before it" in out
        assert [rule["hidden_by"] for rule in json.loads(said("check", file, "--json")[1])["rules"]] == [None, 1]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                '[[rules]]\nmatch = "a.*"\ndrop = true\n\n[[rules]]\nmatch = "b.*"\nby = 5\n',
                "at line 5 of rules.toml",
            ),
            ("[[rules]\n", "rules.toml is not TOML"),
            ("rule = 1\n", "rules.toml has the key 'rule'"),
        ],
    )
    def test_a_bad_file_is_a_failure_with_its_line(self, text: str, message: str, said: Any) -> None:
        """One line that says what, one that says what next, and the code 1."""
        code, out, err = said("check", write("rules.toml", text))
        assert (code, out) == (1, "")
        assert message in err
        assert err.splitlines()[1].startswith("hint: ")

    def test_no_such_file(self, said: Any) -> None:
        """Likewise."""
        assert said("check", "nothing.toml")[::2] == (
            1,
            "error: There is no file 'nothing.toml'.\nhint: Give the path of a TOML file with [[rules]].\n",
        )


class TestExplain:
    def explained(self, said: Any, event: dict[str, Any], *arguments: str) -> dict[str, Any]:
        """The JSON of one event."""
        write("rules.toml", RULES)
        file = write("e.json", json.dumps(event, indent=2))
        code, out, _ = said("explain", file, "--rules", "rules.toml", "--json", *arguments)
        assert code == 0
        found: dict[str, Any] = json.loads(out)
        return found

    def test_in_words(self, said: Any) -> None:
        """The event as it was understood, why earlier rules do not take it, and what becomes of it."""
        write("rules.toml", RULES)
        event = write("e.json", '{"event": "page.viewed", "plan": "free", "outcome": "denied"}')
        assert said("explain", event, "--rules", "rules.toml") == (
            0,
            "emit('page.viewed', plan='free', outcome='denied')\n"
            "outcome denied, severity warning\n"
            " 1  audit.*: no, the event is page.viewed, and it takes audit.*\n"
            " 2  pages takes it (page.viewed where plan is free)\n"
            "    keeps 5 % of the sessions; failures and denials always\n"
            "    the event says: plan is free\n"
            "    keep  kept     outcome denied is never sampled\n"
            "Kept, at weight 1.\n",
            "",
        )

    def test_a_unit_is_decided_under_the_key_of_the_settings(
        self, said: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The answer for a session is the deployment's own: another key, another R."""
        event = {"event": "page.viewed", "plan": "free", "session": "s1"}
        one = self.explained(said, event)["unit"]
        assert (one["by"], one["text"]) == ("session", "s1")
        assert self.explained(said, event)["unit"] == one
        monkeypatch.setenv("ACTIVITYLOG_SAMPLING_KEY", "another key of some length")
        assert self.explained(said, event)["unit"]["randomness"] != one["randomness"]

    def test_a_line_as_ingest_reads_it(self, said: Any) -> None:
        """Without the key "event" the names of other logs are understood, with or without a time."""
        for time in ({}, {"ts": 1536864291}):
            found = self.explained(said, {"action": "page.viewed", "user_id": 7, "tenant_id": "acme", **time})
            assert (found["event"], found["tenant"]) == ("page.viewed", "acme")

    def test_standard_input_and_severity(self, said: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """'-' reads standard input; the logger's method is an option."""
        stream = io.BufferedReader(io.BytesIO(b'{"event": "c.d"}'))
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=stream))
        code, out, _ = said("explain", "-", "--severity", "warning")
        assert (code, out) == (0, "emit('c.d')\noutcome success, severity warning\nKept: there are no rules.\n")

    def test_a_dry_run_is_said(self, said: Any) -> None:
        """The event is kept, and the answer is what would become of it."""
        write("activitylog.toml", '[[rules]]\nmatch = "*"\ndrop = true\ndry_run = true\n')
        out = said("explain", write("e.json", '{"event": "c.d"}'))[1]
        assert out.endswith("Kept at weight 1: a dry run. In earnest: dropped.\n")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[]", "one object is needed"),
            ("{", "not JSON: "),
            ('{"event": 5}', "its name under 'event' is no text"),
            ('{"actor": "x"}', "no event name: none of the keys"),
            ('{"event": "a.b", "event": "a.c"}', "the key 'event' is there twice"),
            ("[" * 100_000, "nested too deeply"),
            (f'{{"event": "a.b", "x": "{"y" * (1 << 20)}"}}', "is larger than 1,048,576 bytes"),
        ],
    )
    def test_what_is_no_event(self, text: str, message: str, said: Any) -> None:
        """Is a failure in one line."""
        code, out, err = said("explain", write("e.json", text))
        assert (code, out) == (1, "")
        assert message in err
        assert len(err.splitlines()) == 2


class TestSimulate:
    LINES = "".join(
        f'{{"ts": {1536864291 + n // 50}, "action": "page.viewed", "plan": "free", "session": "s{n // 4}"}}\n'
        for n in range(2000)
    )

    def simulated(self, said: Any, *arguments: str) -> tuple[int, dict[str, Any]]:
        """The exit code and the JSON document."""
        write("rules.toml", RULES)
        code, out, _ = said("simulate", "--rules", "rules.toml", "--json", *arguments)
        return code, json.loads(out)

    def test_what_the_rules_keep_and_what_the_rows_tell(self, said: Any) -> None:
        """A document with rules, names and totals that add up."""
        Path("log.gz").write_bytes(gzip.compress(self.LINES.encode()))
        code, document = self.simulated(said, "--on", "log.gz", "--draws", "5")
        assert (code, document["lines"], document["draws"], document["format"]) == (0, 2000, 5, "ndjson")
        rule = document["rules"][1]
        assert (rule["name"], rule["events"], rule["without_unit"]) == ("pages", 2000, 0)
        assert rule["rows"] + rule["dropped"]["sample"] == 2000
        (name,) = document["names"]
        assert name["estimate"]["total"] == pytest.approx(20 * rule["rows"])
        assert name["error"] == pytest.approx(name["estimate"]["total"] - 2000)
        assert document["total"]["covered"] == name["covered"] <= 5

    def test_for_people(self, said: Any) -> None:
        """Two tables and what is to be said about them."""
        write("rules.toml", RULES)
        code, out, _ = said("simulate", "--on", write("log", self.LINES), "--rules", "rules.toml", "--draws", "3")
        assert code == 0
        assert out.startswith("2,000 events, 2018-09-13 to 2018-09-13 (UTC), through 2 rules of rules.toml\n")
        assert "What the rows of one draw tell, and 3 draws (errors in % of the true count)\n" in out
        assert out.rstrip().splitlines()[-1].startswith("As JSON ")

    def test_words_are_mapped_as_by_ingest(self, said: Any) -> None:
        """A unit that is not found is told; --map finds it."""
        lines = self.LINES.replace('"session"', '"visit"')
        write("log", lines)
        assert self.simulated(said, "--on", "log", "--draws", "1")[1]["rules"][1]["without_unit"] == 2000
        mapped = self.simulated(said, "--on", "log", "--draws", "1", "--map", "session=visit")[1]
        assert mapped["rules"][1]["without_unit"] == 0
        out = said("simulate", "--on", "log", "--rules", "rules.toml", "--draws", "1")[1]
        assert "Rule 2 (pages) keeps by session, and 2,000 of its 2,000 events have none" in " ".join(out.split())

    def test_rejected_lines_are_shown_and_counted(self, said: Any) -> None:
        """The code is 3 then, and 1 without any event."""
        code, out, err = said("simulate", "--on", write("log", "{broken\n" + self.LINES))
        assert code == 3
        assert "Rejected: 1 of 2,001 lines." in out
        assert err.startswith("line 1 rejected: not JSON")
        assert said("simulate", "--on", write("log", "{}\n"))[0] == 1

    def test_limit(self, said: Any) -> None:
        """--limit reads no more lines than that."""
        write("log", self.LINES)
        assert self.simulated(said, "--on", "log", "--draws", "1", "--limit", "7")[1]["lines"] == 7

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            ([], 2, "Missing option '--on'"),
            (["--on", "nothing"], 1, "There is no file 'nothing'"),
            (["--on", "log", "--draws", "0"], 2, "0 is not in the range"),
            (["--on", "log", "--map", "who=x"], 2, "'who' is not a word of an event"),
            (["--on", "log", "--map", "timestamp="], 1, "The events have no time"),
            (["--on", "log", "--rules", "nothing.toml"], 1, "There is no file 'nothing.toml'"),
        ],
    )
    def test_mistakes(self, arguments: list[str], code: int, message: str, said: Any) -> None:
        """One line each, with the code of its kind."""
        write("log", self.LINES)
        found, _, err = said("simulate", *arguments)
        assert found == code
        assert message in err


class TestHostileText:
    """Files of rules, events and logs are from outside: nothing of them moves the cursor or turns the line."""

    EVIL = "\x1b[2J\u202e\u0085x"

    def test_nothing_reaches_the_terminal_raw(self, said: Any) -> None:
        """Every output of all three commands prints, newlines aside."""
        evil = json.dumps(self.EVIL)
        write(
            "rules.toml",
            f"[[rules]]\nmatch = {{ tenant = {evil}, attributes = {{ plan = {evil} }} }}\nkeep = true\n",
        )
        write("e.json", json.dumps({"event": self.EVIL, "tenant": self.EVIL, self.EVIL: self.EVIL}))
        write(
            "log",
            json.dumps({"ts": 1536864291, "action": "a.b", "tenant": self.EVIL, "plan": self.EVIL})
            + f"\n{{{self.EVIL}\n",
        )
        for arguments in (
            ["check", "rules.toml"],
            ["explain", "e.json", "--rules", "rules.toml"],
            ["simulate", "--on", "log", "--rules", "rules.toml", "--draws", "1"],
            ["check", f"{self.EVIL}.toml"],
        ):
            for form in ([], ["--json"]):
                code, out, err = said(*arguments, *form)
                assert code in (0, 1, 3)
                assert (out + err).replace("\n", "").isprintable(), arguments
