"""The server's own log of statements: an erasure names nobody in it, and finds what others left there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.slow

_CONFIGURATION: Final = """
<clickhouse><query_log><database>system</database><table>query_log</table></query_log></clickhouse>
"""
#: The embedded engine has no query_log unless it is opened with a configuration, in a process of its own.
_PROGRAM: Final = """
import sys
from chdb import session
folder, configuration = sys.argv[1:]
opened = session.Session(f"{folder}?config-file={configuration}")
from activitylog.store import apply, connect
from activitylog.store.subjects.erase import erase
from activitylog.store.subjects.export import Wanted, export_file
from activitylog.store.subjects.proof import prove
from activitylog.store.subjects.subject import subject
from pathlib import Path
from tests.activitylog.store.subjects.erasing import event, insert

client = connect("chdb://" + folder)
apply(client)
whom = subject(actor="user:ann-1")
insert(client, [event("2026-01-05 10:00:00", f"user:{name}", BodyTemplate="x") for name in ("ann-1", "bo")])
export_file(client, Wanted(subject=whom, about=True), Path(folder) / "out")
erase(client, whom, mode="text")
client.command("SYSTEM FLUSH LOGS")
ours = client.query("SELECT count() FROM system.query_log WHERE query LIKE '%' || 'ann-' || '1%'").result_rows
print(ours[0][0], prove(client, whom).logged, prove(client, whom).complete)
client.query("SELECT {id:String}", parameters={"id": "ann-1"})
client.command("SYSTEM FLUSH LOGS")
print(prove(client, whom).logged, prove(client, whom).complete)
"""


class TestQueryLog:
    def test_names_nobody(self, tmp_path: Path) -> None:
        """ClickHouse logs statements with the parameters written out; those of others are found and said."""
        (tmp_path / "log.xml").write_text(_CONFIGURATION)
        ended = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(tmp_path / "store"), str(tmp_path / "log.xml")],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert (ended.stdout.splitlines(), ended.returncode) == (["0 0 True", "2 False"], 0), ended.stderr
