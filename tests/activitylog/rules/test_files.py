"""Rules in a file, and what notices that it has changed."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from activitylog.exceptions import ConfigurationError
from activitylog.rules import Rule, RulesFile, load_rules, parse_rules

DROP_A = '[[rules]]\nmatch = "a"\ndrop = true\n'
DROP_B = '[[rules]]\nmatch = "b"\ndrop = true\n'
#: The end of time, for which every file is old.
LATER = 1 << 62


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of rules."""
    path = tmp_path / "rules.toml"
    path.write_text(DROP_A)
    return path


def globs(rules: tuple[Rule, ...] | None) -> list[object]:
    """The matches of rules; an error where there are none."""
    assert rules is not None
    return [rule.match for rule in rules]


class TestLoad:
    def test_the_rules_of_a_file(self, path: Path) -> None:
        """The same as the tables in code."""
        assert load_rules(path) == parse_rules([{"match": "a", "drop": True}])

    def test_files_of_settings(self, tmp_path: Path) -> None:
        """activitylog.toml and pyproject.toml may hold other things beside."""
        (tmp_path / "activitylog.toml").write_text('service_name = "x"\n' + DROP_A)
        (tmp_path / "pyproject.toml").write_text(
            '[project]\nname = "x"\n' + DROP_B.replace("rules", "tool.activitylog.rules")
        )
        assert globs(load_rules(tmp_path / "activitylog.toml")) == ["a"]
        assert globs(load_rules(tmp_path / "pyproject.toml")) == ["b"]

    def test_no_rules_on_purpose(self, path: Path) -> None:
        """Are written down: an empty file may be one that is being written."""
        path.write_text("rules = []\n")
        assert load_rules(path) == ()

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "rules.toml has no [[rules]]. Write [[rules]] above each rule, or rules = [] for none."),
            (b"[[rule]]\nmatch = 'a'\n", "has the key 'rule'. Did you mean [[rules]]?"),
            (b"service_name = 'x'\n", "A file of rules holds [[rules]] and nothing else"),
            (b"[rules]\nmatch = 'a'\n", "Write [[rules]] above each rule"),
            (b"[[rules]]\nmatch = \n", "is not TOML: Invalid value (at line 2, column 9)"),
            (b"a = \xff", "is not TOML: byte 4 is not UTF-8"),
            (b"rules = " + b"[" * 5000, "is not TOML"),
            (b"x" * 5_000_000, "has more than 4,194,304 bytes"),
        ],
    )
    def test_mistakes_name_the_file(self, path: Path, content: bytes, message: str) -> None:
        """And the line, where it is known."""
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
            load_rules(path)
        assert "rules.toml" in str(caught.value) or "[[rules]]" in str(caught.value)

    def test_a_wrong_rule_is_named_with_its_line(self, path: Path) -> None:
        """The line of its header, comments and blank lines counted."""
        path.write_text(f'# ours\n\n{DROP_A}\n[[ rules ]] # the second\nname = "two"\nmatch = "b"\nsample = 7\n')
        with pytest.raises(ConfigurationError) as caught:
            load_rules(path)
        assert str(caught.value).startswith(f"rule 2 ('two') at line 7 of {path}: sample is 7.")

    def test_headers_in_a_text_do_not_mislead(self, path: Path) -> None:
        """Where the headers are not as many as the rules, no line is named."""
        path.write_text('[[rules]]\nmatch = """\n[[rules]]\n"""\nsample = 7\n')
        with pytest.raises(ConfigurationError, match=rf"rule 1 at {re.escape(str(path))}: sample is 7"):
            load_rules(path)

    def test_what_is_no_file(self, tmp_path: Path) -> None:
        """Neither a missing one, a folder nor a pipe, which nobody would ever write to."""
        with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
            load_rules(tmp_path / "none.toml")
        with pytest.raises(ConfigurationError, match="is not a file"):
            load_rules(tmp_path)
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ConfigurationError, match="is not a file"):
            load_rules(tmp_path / "pipe")


class TestChanged:
    def test_nothing_new(self, path: Path) -> None:
        """Not even for the same content, written again."""
        file = RulesFile(path)
        assert globs(file.load()) == ["a"]
        assert file.changed() is None
        path.write_text(DROP_A)
        assert file.changed() is None
        assert file.problem is None

    def test_an_edit_in_place(self, path: Path) -> None:
        """Of the same length, within one tick of the file system's clock."""
        file = RulesFile(path)
        file.load()
        status = path.stat()
        path.write_text(DROP_B)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert globs(file.changed()) == ["b"]
        assert file.changed() is None

    def test_a_replacement_by_rename(self, path: Path) -> None:
        """Also with the old time."""
        file = RulesFile(path, clock=lambda: LATER)
        file.load()
        new = path.with_suffix(".new")
        new.write_text(DROP_B)
        os.utime(new, ns=(0, path.stat().st_mtime_ns))
        new.rename(path)
        assert globs(file.changed()) == ["b"]

    def test_a_link_that_is_turned(self, path: Path) -> None:
        """As Kubernetes does with its ConfigMaps."""
        link = path.with_name("link.toml")
        link.symlink_to(path)
        file = RulesFile(link)
        file.load()
        other = path.with_name("other.toml")
        other.write_text(DROP_B)
        link.unlink()
        link.symlink_to(other)
        assert globs(file.changed()) == ["b"]

    def test_an_old_file_is_not_read_again(self, path: Path) -> None:
        """Its identity is enough, once it is too old to change unseen."""
        os.utime(path, ns=(0, 1_000_000_000))
        file = RulesFile(path, clock=lambda: 4_000_000_000)
        file.load()
        assert file._touched() is None
        assert file.changed() is None

    def test_a_bad_content_is_told_once(self, path: Path) -> None:
        """The problem stays until the file is good again; another bad content is another problem."""
        file = RulesFile(path)
        file.load()
        path.write_text(DROP_A + "[[rules]]\nmatch")
        with pytest.raises(ConfigurationError, match="is not TOML") as caught:
            file.changed()
        assert caught.value.__context__ is None
        assert file.changed() is None
        assert file.problem is not None
        path.write_text(DROP_A + "[[rules]]\nmatch = 'b'\nsample = 7\n")
        with pytest.raises(ConfigurationError, match="rule 2 at line 4"):
            file.changed()
        path.write_text(DROP_B)
        assert globs(file.changed()) == ["b"]
        assert file.problem is None

    def test_back_to_what_is_in_force(self, path: Path) -> None:
        """After a bad content the old one is no news, and no problem."""
        file = RulesFile(path)
        file.load()
        path.write_text("")
        with pytest.raises(ConfigurationError, match="has no"):
            file.changed()
        path.write_text(DROP_A)
        assert file.changed() is None
        assert file.problem is None

    def test_a_deleted_file(self, path: Path) -> None:
        """Is told once; the rules stay, and come back with the file."""
        file = RulesFile(path)
        file.load()
        path.unlink()
        with pytest.raises(ConfigurationError, match=r"No such file.*The rules that were in force stay so"):
            file.changed()
        assert file.changed() is None
        path.write_text(DROP_A)
        assert file.changed() is None
        assert file.problem is None
        path.unlink()
        with pytest.raises(ConfigurationError, match="No such file"):
            file.changed()
        path.write_text(DROP_B)
        assert globs(file.changed()) == ["b"]
