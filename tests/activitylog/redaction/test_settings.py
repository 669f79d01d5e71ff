"""The table [redaction]: what it may hold, what is said of anything else, and that its key stays unseen."""

from __future__ import annotations

import dataclasses
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest

from activitylog.exceptions import ConfigurationError
from activitylog.redaction import RedactionKey, RedactionSettings, Redactor, parse_redaction
from activitylog.settings import Settings, load_settings

KEY = "correct-horse-battery-" + "staple"


def load(tmp_path: Path, given: dict[str, Any] | None = None, **environ: str) -> RedactionSettings:
    """Settings from these places only."""
    return load_settings(given, environ=environ, directory=tmp_path).redaction


class TestTable:
    def test_defaults(self) -> None:
        """On, with the built-in patterns, and nothing else."""
        assert parse_redaction({}) == RedactionSettings()
        assert RedactionSettings().enabled

    def test_from_a_file(self, tmp_path: Path) -> None:
        """Every key, as the documentation of the module writes it."""
        (tmp_path / "activitylog.toml").write_text(
            f"""
            [redaction]
            enabled = true
            drop = ["debug_*"]
            mask = ["salary"]
            pseudonymize = ["actor", "client.address"]
            allow = ["csrf_token"]
            replacement = "***"
            key = "{KEY}"
            key_id = "2"
            emails = true
            ibans = true
            [redaction.patterns]
            employee = "EMP-[0-9]{{6}}"
            """
        )
        assert load(tmp_path) == RedactionSettings(
            drop=("debug_*",),
            mask=("salary",),
            pseudonymize=("actor", "client.address"),
            allow=("csrf_token",),
            replacement="***",
            key=RedactionKey(KEY),
            key_id="2",
            emails=True,
            ibans=True,
            patterns={"employee": "EMP-[0-9]{6}"},
        )

    def test_from_code(self, tmp_path: Path) -> None:
        """A table or the finished settings."""
        assert load(tmp_path, {"redaction": {"enabled": False}}) == RedactionSettings(enabled=False)
        settings = RedactionSettings(mask=("salary",))
        assert load(tmp_path, {"redaction": settings}) is settings

    @pytest.mark.parametrize(
        ("table", "said"),
        [
            ([], "expected a table, got list"),
            ({"enable": True}, "Did you mean 'enabled'?"),
            ({"enabled": "yes"}, "enabled is a str"),
            ({"drop": "x"}, "drop is a str. Accepted: a list of names"),
            ({"mask": [1]}, "mask holds 1"),
            ({"mask": [" "]}, "mask holds ' '"),
            ({"drop": ["event"]}, "which events cannot be without"),
            ({"mask": ["outcome"]}, "which events cannot be without"),
            ({"pseudonymize": ["activity.seq"]}, "which events cannot be without"),
            ({"drop": ["activity.sample.weight"]}, "which events cannot be without"),
            ({"drop": ["log.record.uid"]}, "which events cannot be without"),
            ({"mask": ["a"], "allow": ["a"]}, "'a' is in both mask and allow"),
            ({"replacement": ""}, "replacement cannot be used"),
            ({"replacement": "\x1b[31m"}, "replacement cannot be used"),
            ({"key_id": "a-b"}, "key_id cannot be used"),
            ({"patterns": ["x"]}, "patterns is not a table"),
            ({"patterns": {"x": "("}}, "the pattern 'x' is no regular expression"),
            ({"patterns": {"x": 3}}, "the pattern 'x' is no text"),
            ({"patterns": {"x": "a*"}}, "the pattern 'x' matches the empty text"),
            (
                {"patterns": {"x": "(a+)+b"}},
                "may take more than linear time on hostile texts: a repeat inside a repeat",
            ),
        ],
    )
    def test_refused(self, table: Any, said: str) -> None:
        """The error says what was given and what is accepted."""
        with pytest.raises(ConfigurationError) as caught:
            parse_redaction(table)
        assert said in str(caught.value)
        assert caught.value.hint

    def test_the_place_is_named(self, tmp_path: Path) -> None:
        """An error in a file names the file."""
        (tmp_path / "activitylog.toml").write_text("[redaction]\nmasks = []\n")
        with pytest.raises(ConfigurationError, match=r"redaction in .*activitylog\.toml: there is no key 'masks'"):
            load(tmp_path)

    def test_not_by_a_variable(self, tmp_path: Path) -> None:
        """Only the key has a variable of its own; others are sent to the table."""
        with pytest.raises(ConfigurationError, match=r"What belongs to \[redaction\] is set in a settings file"):
            load(tmp_path, ACTIVITYLOG_REDACTION_ENABLED="false")


class TestKey:
    def test_places(self, tmp_path: Path) -> None:
        """The variable wins over a file, the code over both; whatever else is set stays."""
        (tmp_path / "activitylog.toml").write_text(f'[redaction]\nkey = "of-the-file-{KEY}"\nkey_id = "7"\n')
        assert load(tmp_path).key == RedactionKey(f"of-the-file-{KEY}")
        assert load(tmp_path, ACTIVITYLOG_REDACTION_KEY=KEY) == RedactionSettings(
            key=RedactionKey(KEY), key_id="7"
        )
        code: dict[str, Any] = {"redaction": {"key": f"of-the-code-{KEY}"}}
        assert load(tmp_path, code, ACTIVITYLOG_REDACTION_KEY=KEY).key == RedactionKey(f"of-the-code-{KEY}")
        code = {"redaction": {"mask": ["x"]}}
        assert load(tmp_path, code, ACTIVITYLOG_REDACTION_KEY=KEY).key == RedactionKey(KEY)

    def test_pseudonyms_need_it(self, tmp_path: Path) -> None:
        """Without a key there would be pseudonyms that anybody can compute."""
        with pytest.raises(ConfigurationError, match="Set ACTIVITYLOG_REDACTION_KEY"):
            Redactor(load(tmp_path, {"redaction": {"pseudonymize": ["actor"]}}))
        Redactor(load(tmp_path, {"redaction": {"pseudonymize": ["actor"], "enabled": False}}))

    @pytest.mark.parametrize("key", ["", "fifteen-bytes-1", 3, None])
    def test_too_short(self, key: Any) -> None:
        """A key that can be guessed is refused, and not shown."""
        with pytest.raises(ConfigurationError, match="at least 16 bytes") as caught:
            parse_redaction({"key": key})
        assert "fifteen" not in str(caught.value)

    def test_it_is_never_shown(self, tmp_path: Path) -> None:
        """Not in a repr, a text, a dict of the settings, a pickle, or an error and its frames."""
        settings = load_settings(
            {"redaction": {"pseudonymize": ["actor"]}},
            environ={"ACTIVITYLOG_REDACTION_KEY": KEY},
            directory=tmp_path,
        )
        for shown in (repr(settings), str(settings), f"{settings.redaction}"):
            assert KEY not in shown
        stored = pickle.dumps(dataclasses.replace(settings.redaction, patterns={}))
        assert KEY.encode() not in stored
        assert not pickle.loads(stored).key
        redactor = Redactor(settings.redaction)
        assert KEY not in repr(vars(redactor))

    def test_nor_in_errors(self, tmp_path: Path) -> None:
        """Whatever is wrong beside it."""
        short = "short-" + "key"
        cases: list[tuple[dict[str, Any], dict[str, str]]] = [
            ({"redaction": {"key": KEY, "masks": []}}, {}),
            ({"redaction": {"key": short}}, {}),
            ({}, {"ACTIVITYLOG_REDACTION_KEY": short}),
        ]
        for given, environ in cases:
            with pytest.raises(ConfigurationError) as caught:
                load_settings(given, environ=environ, directory=tmp_path)
            text = "".join(traceback.format_exception(caught.value))
            assert "staple" not in text
            assert '"short-key"' not in str(caught.value)
            assert "'short-key'" not in str(caught.value)

    def test_settings_hold_a_table_of_defaults(self) -> None:
        """Redaction is on where nobody speaks of it."""
        assert Settings().redaction == RedactionSettings()
