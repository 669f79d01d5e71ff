"""Regular expressions of a configuration."""

from __future__ import annotations

import warnings

import pytest

from activitylog.collector.patterns import found_by
from activitylog.collector.value import NotJudged, Place, Setting
from tests.activitylog.collector.good import GATEWAY, broken, examined, processor

SETTING = Setting(("processors", "attributes"), None, Place("f.yaml", 1))
NAMES = ["user.id", "activity.seq", "activity.object.id"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("^user", ["user.id"]),
        (r"^activity\.(seq|producer)$", ["activity.seq"]),
        (r".*\.id.*", ["user.id", "activity.object.id"]),
        ("(?i)^USER", ["user.id"]),
        (r"^[a-z+*()]+\.[a-z]+\.id$", ["activity.object.id"]),
        (r"(?:\(a+\))?seq", ["activity.seq"]),
    ],
)
def test_what_is_tried(pattern: str, found: list[str]) -> None:
    """It means the same to Go and to Python, and ends soon."""
    assert found_by(SETTING, pattern, NAMES) == found


@pytest.mark.parametrize(
    "pattern",
    [
        "^(([a-z.])+.)+!$",
        "(a+)+$",
        "(a|a)*$",
        "(?:a?){30}a{30}",
        ".*.*.*.*.*!",
        "(.|.)" * 30 + "!",
        ".?" * 30 + "!",
        "a" * 2000,
        "^[[:alpha:]]",
        r"^\pL+",
        r"^\PL+",
        r"id\z",
        r"\Quser.id\E",
        "^((",
        "a(?i)b",
    ],
)
def test_what_is_not_judged(pattern: str) -> None:
    """It may take for ever, or is something else to Python; no warning of Python's either."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(NotJudged) as raised:
            found_by(SETTING, pattern, NAMES)
    assert str(raised.value) == "f.yaml:1 processors.attributes is not judged: its pattern cannot be tried here"


def test_the_others_are_judged() -> None:
    """One pattern that cannot be tried hides no action behind it."""
    actions = "[{action: delete, pattern: '(a+)+$'}, {action: delete, key: user.id}]"
    found = examined(broken(GATEWAY, *processor(f"attributes: {{actions: {actions}}}")))
    said = [(finding.severity, finding.key) for finding in found if finding.check == "keys.attributes"]
    assert said == [
        ("warning", "processors.attributes.actions[1]"),
        ("skipped", "processors.attributes.actions[0]"),
    ]
