"""django-easy-audit and django-auditlog, run for real: each in a project of its own, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[5]
_PROJECT = Path(__file__).parent / "bridges" / "project.py"

pytestmark = pytest.mark.slow


def run(*arguments: str, **environ: str) -> str:
    """Run the project; what it printed."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_STATE_HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, str(_PROJECT), *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        cwd=_ROOT,
        env={**kept, "PYTHONPATH": str(_ROOT), **environ},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def used(library: str) -> dict[str, Any]:
    """What became of one visit to the shop."""
    found: dict[str, Any] = json.loads(run(library))
    return found


def told(found: dict[str, Any], *, but: str = "") -> list[tuple[str, str, str]]:
    """Name, actor and object of each event."""
    return [(one["name"], one["actor"], one["object"]) for one in found["events"] if one["name"] != but]


def one(found: dict[str, Any], name: str) -> dict[str, Any]:
    """The only event of this name."""
    (event,) = [event for event in found["events"] if event["name"] == name]
    return dict(event)


class TestEasyAudit:
    """Its backend."""

    def test_there_are_events_and_no_rows(self) -> None:
        """As many as rows without it."""
        found, before = used("easy_audit"), used("easy_audit_before")
        assert (found["rows"], len(found["events"])) == (0, before["rows"])
        assert before["events"] == []

    def test_what_was_done_and_by_whom(self) -> None:
        """Also relations, logins; not what was rolled back."""
        assert told(used("easy_audit"), but="request.started") == [
            ("user.updated", "user:1", "auth.user:1"),
            ("user.logged_in", "user:1", ""),
            ("product.created", "user:1", "shop.product:1"),
            ("product.updated", "user:1", "shop.product:1"),
            ("tag.created", "user:1", "shop.tag:1"),
            ("product.tags.added", "user:1", "shop.product:1"),
            ("product.tags.removed", "user:1", "shop.product:1"),
            ("product.deleted", "user:1", "shop.product:1"),
            ("user.logged_out", "user:1", ""),
        ]

    def test_an_update_says_what_changed(self) -> None:
        """Without the secret that changed, and without the row as JSON."""
        event = one(used("easy_audit"), "product.updated")
        assert event["changed"] == ["price", "password"]
        assert event["changes"] == {"price": ["3", "4"], "password": "[redacted]"}
        assert event["activity.object.name"] == "Tea"
        assert "hunter" not in json.dumps(used("easy_audit"))

    def test_a_request_says_what_the_library_knows(self) -> None:
        """Its query without the values of secrets."""
        events = [event for event in used("easy_audit")["events"] if event["name"] == "request.started"]
        assert [event["url.path"] for event in events[:3]] == ["/login/", "/make/", "/change/"]
        assert {event["url.query"] for event in events} == {"token=[redacted]"}
        assert {event["client.address"] for event in events} == {"192.0.2.7"}

    def test_what_is_left_of_its_costs(self) -> None:
        """The rows are gone; what it reads to know what changed is not."""
        before, after = used("easy_audit_before")["statements"], used("easy_audit")["statements"]
        for page in ("make", "change", "tag", "delete"):
            rows = before[page].count("INSERT") - after[page].count("INSERT")
            assert rows >= 2
            assert len(before[page]) - len(after[page]) == rows


class TestAuditlog:
    """Its entries."""

    EXPECTED = (
        ("product.created", "user:1", "shop.product:1"),
        ("product.updated", "user:1", "shop.product:1"),
        ("product.tags.added", "user:1", "shop.product:1"),
        ("product.tags.removed", "user:1", "shop.product:1"),
        ("product.deleted", "user:1", "shop.product:1"),
    )

    def test_beside_the_rows(self) -> None:
        """Each event names its row; what was rolled back has neither."""
        found = used("auditlog_beside")
        assert (found["rows"], told(found)) == (5, list(self.EXPECTED))
        assert [event["legacy.pk"] for event in found["events"]] == ["1", "2", "3", "4", "5"]

    def test_instead_of_the_rows(self) -> None:
        """By the library's own setting for the model of its entries; the actor is whom its middleware knows."""
        found = used("auditlog_instead")
        assert (found["rows"], told(found)) == (0, list(self.EXPECTED))

    @pytest.mark.parametrize("how", ["auditlog_beside", "auditlog_instead"])
    def test_what_changed(self, how: str) -> None:
        """As the library says it, without secrets."""
        event = one(used(how), "product.updated")
        assert event["changes"] == {"price": ["3", "4"], "password": "[redacted]"}
        assert (event["changed"], event["activity.object.name"]) == (["price", "password"], "Tea")
        assert event["client.address"] == "192.0.2.7"
        assert one(used(how), "product.tags.added")["related"] == ["green"]
        assert "activity.target.id" not in event
        assert "hunter" not in json.dumps(used(how)["events"])

    def test_an_entry_less_is_a_statement_less(self) -> None:
        """What the library reads to know what changed remains."""
        before, after = used("auditlog_beside")["statements"], used("auditlog_instead")["statements"]
        assert {
            page: len(before[page]) - len(after[page]) for page in ("make", "change", "tag", "delete", "fail")
        } == (dict.fromkeys(("make", "change", "tag", "delete", "fail"), 1))


@pytest.mark.parametrize(
    ("library", "models"),
    [
        ("easy_audit_before", ["easyaudit.CRUDEvent", "easyaudit.LoginEvent", "easyaudit.RequestEvent"]),
        ("auditlog_beside", ["auditlog.LogEntry"]),
        ("auditlog_instead", ["shop.AuditEntry"]),
    ],
)
def test_their_history_is_imported(library: str, models: list[str], tmp_path: Path) -> None:
    """By mappings of their own, without being told so; the counts are equal."""
    environ = {"PROJECT_DATABASE": str(tmp_path / "shop.db"), "PROJECT_STORE": f"chdb://{tmp_path / 'store'}"}
    run("auditlog_beside" if library == "auditlog_instead" else library, **environ)
    until = "2100-01-01"
    for model in models:
        found = json.loads(run(library, "import_activity", model, "--json", "--until", until, **environ))
        assert found["reconciled"]["equal"]
        assert found["stored"] == found["read"] > 0
