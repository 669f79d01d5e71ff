"""``activitylog sql`` only reads, whatever the engine's own readonly setting would let through."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from activitylog.cli.errors import run
from activitylog.cli.sql import sql


class TestReadOnly:
    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT 1 INTO OUTFILE '{victim}' TRUNCATE",
            "INSERT INTO FUNCTION file('{victim}', 'CSV', 'a Int8') SELECT 1",
            "/* */ insert into function url('http://127.0.0.1:1/', 'TSV', 'a String') select 'x'",
            "KILL QUERY WHERE 1",
            "CREATE TEMPORARY TABLE t (a Int8)",
            "WITH 1 AS a INSERT INTO t SELECT a",
            "SYSTEM FLUSH LOGS",
            "SELECT 1; DROP TABLE activity_events",
        ],
    )
    def test_what_writes_is_refused_before_it_is_sent(
        self,
        statement: str,
        chdb_url: str,
        tmp_path: Path,
        chdb_client: object,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Files, other servers, queries of others: nothing is touched without --write."""
        victim = tmp_path / "victim"
        victim.write_text("keep me")
        code = run(sql, [statement.replace("{victim}", str(victim)), "--url", chdb_url])
        assert code in (1, 2)
        assert "error: " in capsys.readouterr().err
        assert victim.read_text() == "keep me"

    def test_reading_goes_on(self, chdb_url: str, chdb_client: object) -> None:
        """Statements that read are as they were, words in texts and names included."""
        for statement in ("SELECT 'INSERT INTO t' AS `insert`", "WITH 1 AS a SELECT a", "SHOW DATABASES"):
            result = CliRunner().invoke(sql, [statement, "--url", chdb_url, "--json"])
            assert (result.exit_code, result.exception) == (0, None), result.output
