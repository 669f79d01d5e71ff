"""All checks together: a healthy store, one check that fails, and a store that cannot be opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from activitylog.exceptions import SchemaError
from activitylog.store.doctor import CHECKS, Check, Examined, Severity, examine, examine_url
from activitylog.store.doctor.examination import run
from activitylog.store.doctor.finding import Verdict, ok
from activitylog.store.watch import Database
from activitylog.url import parse


class TestHealthy:
    """A store to which nothing was done."""

    def test_nothing_is_wrong(self, store: Any, examine_all: Any) -> None:
        """Every check is ok, or skipped because there is nothing of its kind here."""
        found = examine_all(store)
        assert {name: finding.found for name, finding in found.items() if finding.is_problem} == {}
        assert {name: finding.found for name, finding in found.items() if finding.severity == "skipped"} == {
            "checksums": "reads everything that is stored; --deep does it",
            "replication": "no table of the database is replicated",
            "distribution": "the database has no Distributed table",
            "access": "the embedded engine has no users: who can read the folder can do everything",
        }

    def test_nothing_is_wrong_thoroughly(self, store: Any, examine_all: Any) -> None:
        """The same when every part and every day is read."""
        found = examine_all(store, deep=True)
        assert [name for name, finding in found.items() if finding.is_problem] == []
        assert found["checksums"].found.endswith("parts are what their checksums say")

    def test_empty_store(self, migrated_client: Any, problems: Any) -> None:
        """Tables without a row are healthy, too."""
        assert problems(migrated_client) == {}

    def test_no_store(self, chdb_client: Any, examine_all: Any) -> None:
        """In a database without our tables, the schema is the one problem."""
        found = examine_all(chdb_client)
        assert [name for name, finding in found.items() if finding.is_problem] == ["schema"]
        assert found["schema"].do[0].startswith("activitylog schema apply --url chdb://")
        assert found["windows"].found == "there is no table activity_events with rows here"

    def test_writes_nothing(self, store: Any, examine_all: Any) -> None:
        """Parts are the same ones afterwards."""
        sql = "SELECT table, name FROM system.parts WHERE database = currentDatabase() AND active ORDER BY ALL"
        store.command("SYSTEM STOP MERGES")
        before = store.query(sql).result_rows
        examine_all(store, deep=True)
        after = store.query(sql).result_rows
        store.command("SYSTEM START MERGES")
        assert after == before

    def test_names_and_reasons(self) -> None:
        """Names are unique and fit for scripts, and every check says why it matters."""
        names = [check.name for check in CHECKS]
        assert len(set(names)) == len(names)
        assert all(name.replace("_", "").isalpha() and name.islower() for name in names)
        assert all(check.why.endswith(".") for check in CHECKS)


_LACKS = "this server does not have what is asked:"


def asking(ask: Any) -> Check[Any]:
    return Check("test", "Test", "It matters.", ask, lambda facts: ok(str(facts)))


class TestOneCheckFails:
    """What goes wrong in a check stays in it."""

    @pytest.fixture
    def examined(self, chdb_client: Any) -> Examined:
        return Examined(database=Database(chdb_client))

    @pytest.mark.parametrize(
        ("sql", "reason"),
        [
            ("SELECT * FROM system.no_such_log", f"{_LACKS} Unknown table"),
            (
                "SELECT no_such_column FROM system.parts",
                f"{_LACKS} Unknown expression",
            ),
            ("SELECT noSuchFunction()", f"{_LACKS} Function with name"),
        ],
    )
    def test_older_server(self, examined: Examined, sql: str, reason: str) -> None:
        """A table, column or function that a server lacks makes the check skipped, with the server's words."""
        finding = run(asking(lambda examined: examined.database.rows(sql)), examined)
        assert finding.severity is Severity.SKIPPED
        assert finding.found.startswith(reason)

    def test_missing_grant(self, examined: Examined) -> None:
        """So does a grant that the user lacks (a recorded error: the embedded engine has no users)."""

        def refuse(examined: Examined) -> None:
            from clickhouse_connect.driver.exceptions import DatabaseError

            error = DatabaseError(
                "Code: 497. DB::Exception: analyst: Not enough privileges. To execute this query, it's necessary "
                "to have the grant SELECT(name) ON system.disks. (ACCESS_DENIED) (version 26.3.1.1)"
            )
            error.code = 497
            raise error

        finding = run(asking(refuse), examined)
        assert finding.severity is Severity.SKIPPED
        assert finding.found == (
            "this user may not look: analyst: Not enough privileges. To execute this query, it's necessary to "
            "have the grant SELECT(name) ON system.disks. (ACCESS_DENIED)"
        )

    def test_any_other_error(self, examined: Examined) -> None:
        """Everything else is an error of its own: an unreadable part must not look like a missing right."""
        finding = run(asking(lambda examined: examined.database.rows("SELECT throwIf(1, 'torn')")), examined)
        assert (finding.severity, finding.found[:34]) == (Severity.ERROR, "the check itself failed: torn: whi")
        assert finding.why.startswith("A question that fails here fails for everybody")

    def test_our_own_errors(self, examined: Examined) -> None:
        """Errors of this package bring their hint."""

        def refuse(examined: Examined) -> None:
            raise SchemaError("The database is newer.", hint="Install a newer version.")

        finding = run(asking(refuse), examined)
        assert (finding.found, finding.do) == ("The database is newer.", ("# Install a newer version.",))

    def test_the_others_go_on(self, chdb_client: Any, chdb_url: str) -> None:
        """The next check runs."""
        checks = [asking(lambda examined: 1 / 0), asking(lambda examined: 42)]
        found = examine(chdb_client, parse(chdb_url), checks=checks)
        assert [finding.found for finding in found] == ["the check itself failed: division by zero", "42"]


class TestExamineUrl:
    """From a URL to findings."""

    def test_unreachable(self) -> None:
        """A server that does not answer is one finding, with what to do."""
        (finding,) = examine_url("clickhouse://u:geheim@127.0.0.1:1/db")
        assert (finding.check, finding.severity) == ("reachable", Severity.ERROR)
        assert finding.found.startswith("No ClickHouse answers at 127.0.0.1:1")
        assert "geheim" not in str(finding)

    def test_other_folder(self, chdb_client: Any, tmp_path: Path) -> None:
        """A second embedded store in one process is the engine's limit, and is said as one finding."""
        (finding,) = examine_url(f"chdb://{tmp_path}")
        assert finding.severity is Severity.ERROR
        assert "this process has the embedded store" in finding.found

    @pytest.mark.server
    def test_over_http(self, store: Any, server_url: str) -> None:
        """The same checks over HTTP: what differs is the user, who is looked at, and the folder, which is not."""
        url = f"{server_url.rpartition('/')[0]}/{store.database}"
        found = {finding.check: finding for finding in examine_url(url)}
        problems = {name for name, finding in found.items() if finding.is_problem} - {"disk_room"}
        assert problems == set()
        assert found["folder"].found == "only an embedded store has a folder"
        assert found["access"].severity is Severity.OK

    def test_option_of_the_store(self, chdb_client: Any, chdb_url: str) -> None:
        """Commands name the store that was examined, quoted for the shell."""

        def judge(facts: object) -> Verdict:
            return Verdict(Severity.WARNING, "odd", do=("activitylog stats --url URL",))

        check = Check("test", "Test", "It matters.", lambda examined: None, judge)
        (finding,) = examine(chdb_client, parse("chdb:///srv/my store"), checks=[check])
        assert finding.do == ("activitylog stats --url 'chdb:///srv/my store'",) or "%20" in finding.do[0]
