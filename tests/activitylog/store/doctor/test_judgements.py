"""
What the checks make of recorded rows, where the embedded engine cannot be broken in that way: replication,
Distributed tables, users, part logs, disks of other machines, other versions.
"""

from __future__ import annotations

import dataclasses
import shlex
import subprocess
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from activitylog.store.doctor import Severity, Verdict
from activitylog.store.doctor.cluster import judge_distribution, judge_replicas
from activitylog.store.doctor.completeness import Duplicates, judge_duplicates
from activitylog.store.doctor.finding import error, plural, warning, worst
from activitylog.store.doctor.parts import judge_batches, judge_checksums, judge_detached
from activitylog.store.doctor.places import (
    Folder,
    Memory,
    Room,
    judge_disk_state,
    judge_folder,
    judge_memory,
    judge_room,
)
from activitylog.store.doctor.server import Access, judge_access, judge_own_warnings, judge_system_logs
from activitylog.store.doctor.server_settings import Setting, judge_settings
from activitylog.store.doctor.tables import Window, judge_windows
from activitylog.store.doctor.upkeep import Since, judge_merges, judge_mutations
from activitylog.store.doctor.versions import Versions, judge_versions
from activitylog.store.watch import Disk, Forecast, Inserts

REPLICA: dict[str, Any] = {
    "table": "activity_events",
    "is_readonly": 0,
    "is_session_expired": 0,
    "absolute_delay": 0,
    "queue_size": 2,
    "active_replicas": 2,
    "total_replicas": 2,
    "lost_part_count": 0,
    "last_queue_update_exception": "",
    "zookeeper_exception": "",
}
QUEUE: dict[str, Any] = {
    "table": "activity_events_all",
    "is_blocked": 0,
    "error_count": 0,
    "data_files": 3,
    "bytes": 900,
    "broken_data_files": 0,
    "last_exception": "",
}
GIB = 1 << 30


def words_of(command: str) -> list[str]:
    """What a shell makes of a command: the words after its name."""
    printing = command.replace("activitylog", "printf '%s\\0'", 1)
    out = subprocess.run(["sh", "-c", printing], capture_output=True, text=True, check=True).stdout
    return out.split("\0")[:-1]


class TestVersions:
    @pytest.mark.parametrize(
        ("changes", "severity", "words"),
        [
            ({}, Severity.OK, "ClickHouse 26.3.1.5, clickhouse-connect 1.12.0, activitylog 0.1.0"),
            ({"server": "25.8.12.129"}, Severity.ERROR, "ClickHouse 25.8.12.129 is older than 26.3"),
            (
                {"server": "26.10.1.1"},
                Severity.OK,
                "ClickHouse 26.10.1.1, clickhouse-connect 1.12.0, activitylog 0.1.0",
            ),
            ({"driver": "0.9.2"}, Severity.WARNING, "clickhouse-connect 0.9.2 is older than 1.12"),
            ({"engine_package": "3.6.0"}, Severity.WARNING, "chDB 3.6.0 is older than 4.4"),
        ],
    )
    def test_least(self, changes: dict[str, str], severity: Severity, words: str) -> None:
        """The oldest versions that we need, compared as numbers."""
        found = Versions(server="26.3.1.5", driver="1.12.0", engine_package="", activitylog="0.1.0")
        verdict = judge_versions(dataclasses.replace(found, **changes))
        assert (verdict.severity, verdict.found) == (severity, words)


class TestReplication:
    @pytest.mark.parametrize(
        ("changes", "severity", "words"),
        [
            ({}, Severity.OK, "1 table replicated, all up to date"),
            ({"is_readonly": 1}, Severity.ERROR, "activity_events is read-only here: inserts are refused"),
            ({"is_session_expired": 1}, Severity.ERROR, "activity_events is read-only here: inserts are refused"),
            ({"absolute_delay": 301}, Severity.WARNING, "activity_events is 301 s behind"),
            ({"queue_size": 5_000}, Severity.WARNING, "activity_events has 5,000 entries in its queue"),
            ({"active_replicas": 1}, Severity.WARNING, "activity_events: 1 of 2 replicas are active"),
            ({"lost_part_count": 2}, Severity.ERROR, "activity_events lost 2 parts on all replicas"),
        ],
    )
    def test_one_replica(self, changes: dict[str, Any], severity: Severity, words: str) -> None:
        """Each way in which a replica is not well."""
        verdict = judge_replicas([REPLICA | changes])
        assert (verdict.severity, verdict.found) == (severity, words)

    def test_worst_first(self) -> None:
        """Of two problems the worse one leads, the other one is a detail."""
        verdict = judge_replicas([REPLICA | {"queue_size": 101}, REPLICA | {"table": "b", "is_readonly": 1}])
        assert verdict.found.startswith("b is read-only")
        assert "activity_events has 101 entries in its queue" in verdict.details

    @pytest.mark.parametrize(
        ("changes", "severity", "words"),
        [
            ({}, Severity.OK, "nothing waits"),
            (
                {"error_count": 4, "last_exception": "Connection refused"},
                Severity.WARNING,
                "3 files (900 bytes) to send",
            ),
            ({"data_files": 101}, Severity.WARNING, "101 files (900 bytes) to send"),
            ({"is_blocked": 1}, Severity.WARNING, "3 files (900 bytes) to send"),
            ({"broken_data_files": 1}, Severity.ERROR, "set 1 file of rows aside as broken"),
        ],
    )
    def test_distribution(self, changes: dict[str, Any], severity: Severity, words: str) -> None:
        """Rows that wait, and rows that are lost."""
        verdict = judge_distribution([QUEUE | changes])
        assert verdict.severity is severity
        assert verdict.found.endswith(words)

    @pytest.mark.parametrize(
        ("window", "seconds", "severity"),
        [
            (10_000, 3600, Severity.OK),
            (0, 3600, Severity.ERROR),
            (50, 3600, Severity.WARNING),
            (10_000, 60, Severity.WARNING),
        ],
    )
    def test_replicated_window(self, window: int, seconds: int, severity: Severity) -> None:
        """Replicated engines have a window of inserts and of seconds."""
        verdict = judge_windows([Window("t", "events", "ReplicatedMergeTree", window, seconds)])
        assert verdict.severity is severity
        if severity is not Severity.OK:
            assert "replicated_deduplication_window" in verdict.do[0]
            assert "non_replicated" not in verdict.do[0]

    def test_target_that_cannot_remember(self) -> None:
        """A target of an engine without a window is named; Null keeps nothing, so it cannot count twice."""
        assert judge_windows([Window("t", "v", "Memory", None)]).found == (
            "t (filled by v) has the engine Memory, which counts a batch twice that is sent twice"
        )
        assert judge_windows([Window("t", "v", "Null", None)]).severity is Severity.OK


class TestSettings:
    def test_views_that_are_left_out(self) -> None:
        """An insert that succeeds without one of its views loses rows of the landing table, or of a roll-up."""
        for name in ("materialized_views_ignore_errors", "ignore_materialized_views_with_dropped_target_table"):
            verdict = judge_settings({name: Setting("1")})
            assert (verdict.severity, verdict.found.startswith(f"{name} is 1")) == (Severity.ERROR, True)

    def test_async_insert_that_cannot_be_turned_off(self) -> None:
        """A constraint in the profile makes the server refuse our inserts."""
        verdict = judge_settings({"async_insert": Setting("1", fixed=True)})
        assert verdict.severity is Severity.ERROR

    def test_async_insert_of_the_profile(self) -> None:
        """The default of 26.2 is no problem, since our inserts say 0."""
        assert judge_settings({"async_insert": Setting("1")}).severity is Severity.OK

    def test_older_server(self) -> None:
        """A server that has none of the settings has nothing against us."""
        assert judge_settings({}).found == "nothing stands against exactly-once inserts"


class TestPlaces:
    FOLDER = Folder("/srv/a b", 0o700, 1000, 1000, writable=True, holder=7, process=7)

    @pytest.mark.parametrize(
        ("changes", "severity", "words"),
        [
            ({}, Severity.OK, "/srv/a b (mode 0700), locked by this process"),
            ({"mode": 0o755}, Severity.WARNING, "/srv/a b (mode 0755) is open to everybody on this machine"),
            ({"mode": 0o750}, Severity.WARNING, "/srv/a b (mode 0750) is open to its group on this machine"),
            ({"writable": False}, Severity.ERROR, "/srv/a b cannot be written to"),
            ({"holder": 8}, Severity.ERROR, "another process (8) holds the lock of /srv/a b"),
            ({"owner": 33}, Severity.WARNING, "/srv/a b belongs to user 33, and this is user 1000"),
        ],
    )
    def test_folder(self, changes: dict[str, Any], severity: Severity, words: str) -> None:
        """Ours alone, writable, and locked by us."""
        verdict = judge_folder(dataclasses.replace(self.FOLDER, **changes))
        assert verdict.severity is severity
        assert verdict.found.startswith(words)

    def test_folder_is_quoted(self) -> None:
        """The command can be pasted whatever the folder is called."""
        verdict = judge_folder(dataclasses.replace(self.FOLDER, mode=0o777))
        assert verdict.do == ("chmod 700 '/srv/a b'",)

    def test_disks(self) -> None:
        """A broken disk and a read-only one are errors."""
        disk = {"name": "d", "path": "/d/", "is_read_only": 0, "is_broken": 0}
        assert judge_disk_state([disk]).found == "1 disk, writable"
        assert judge_disk_state([disk | {"is_broken": 1}]).found == "the disk d is broken"
        assert judge_disk_state([disk | {"is_read_only": 1}]).found == "the disk d is read-only"

    @pytest.mark.parametrize(
        ("free", "full_in_days", "severity", "words"),
        [
            (50, None, Severity.OK, "d: 50.0 GiB free; never"),
            (15, None, Severity.WARNING, "the disk d (/d/) is 85% full: 15.0 GiB free"),
            (5, None, Severity.ERROR, "the disk d (/d/) is 95% full: 5.0 GiB free"),
            (50, 31, Severity.OK, "d: 50.0 GiB free; never"),
            (50, 30, Severity.WARNING, "at the rate of the last days the disk is full on 2026-07-31 (30 days)"),
            (50, 7, Severity.ERROR, "at the rate of the last days the disk is full on 2026-07-08 (7 days)"),
        ],
    )
    def test_room(self, free: int, full_in_days: int | None, severity: Severity, words: str) -> None:
        """Nearly full now, or full soon."""
        today = date(2026, 7, 1)
        forecast = Forecast(
            full_on=None if full_in_days is None else today + timedelta(days=full_in_days),
            levels_off_bytes=None,
            bytes_per_day=1.0,
            retention_days=None,
            free_bytes=free * GIB,
            says="never",
        )
        disk = Disk(name="d", path="/d/", free_bytes=free * GIB, total_bytes=100 * GIB)
        verdict = judge_room(Room((disk,), forecast, today))
        assert (verdict.severity, verdict.found) == (severity, words)

    def test_object_store(self) -> None:
        """What has no limit is never full."""
        disk = Disk(name="s3", path="/s3/", free_bytes=None, total_bytes=None)
        assert judge_room(Room((disk,), None, date(2026, 7, 1))).found == "s3: no limit"

    @pytest.mark.parametrize(
        ("memory", "severity", "words"),
        [
            (Memory(0, 0, GIB), Severity.OK, "1.00 GiB used, no limit allowed"),
            (Memory(10 * GIB, 0, GIB), Severity.OK, "1.00 GiB used, 10.00 GiB allowed"),
            (
                Memory(10 * GIB, 0, int(9.5 * GIB)),
                Severity.ERROR,
                "the server uses 9.50 GiB of the 10.00 GiB that it may",
            ),
            (Memory(GIB // 2, 0, 0), Severity.WARNING, "the server may use only 0.50 GiB"),
        ],
    )
    def test_memory(self, memory: Memory, severity: Severity, words: str) -> None:
        """The server's limit and what is used of it."""
        verdict = judge_memory(memory)
        assert (verdict.severity, verdict.found) == (severity, words)


class TestParts:
    def part(self, reason: str, **changes: Any) -> dict[str, Any]:
        row = {"table": "activity_events", "name": "202611_1_1_0", "reason": reason, "bytes": 10, "path": "/d/x"}
        return row | changes

    @pytest.mark.parametrize(
        "reason", ["broken", "broken-on-start", "covered-by-broken", "unexpected", "noquorum"]
    )
    def test_broken(self, reason: str) -> None:
        """Reasons for which rows may be lost."""
        verdict = judge_detached([self.part(reason)])
        assert (verdict.severity, verdict.found) == (Severity.ERROR, "1 part is broken and was set aside")

    def test_leftovers(self) -> None:
        """What replication leaves behind is of no use to anybody and no problem."""
        assert judge_detached([self.part("ignored"), self.part("clone")]).found == "none; 2 leftovers of no use"

    def test_broken_and_detached(self) -> None:
        """Both are told, the loss first, and no more than ten of each."""
        rows = [self.part("broken-on-start", name=f"p{n}") for n in range(12)] + [self.part("", name="q")]
        verdict = judge_detached(rows)
        assert verdict.found == "12 parts are broken and were set aside"
        assert verdict.details[10] == "and 2 more"
        assert "the rows of 1 detached part are in no answer" in verdict.details

    def test_names_are_quoted(self) -> None:
        """A name that nobody would choose stays one word of SQL and of the shell."""
        verdict = judge_detached([self.part("", table="a`b; $(false)", name="x' OR 1")])
        assert words_of(verdict.do[0]) == [
            "sql",
            "--write",
            "ALTER TABLE `a\\`b; $(false)` ATTACH PART 'x\\' OR 1'",
            "--url",
            "URL",
        ]

    def test_damaged(self) -> None:
        """Parts that are not what their checksums say."""
        rows = [
            {"table": "t", "part_path": "a_1_1_0", "is_passed": 1, "message": ""},
            {"table": "t", "part_path": "a_2_2_0", "is_passed": 0, "message": "Checksums\nmismatch"},
        ]
        verdict = judge_checksums(rows)
        assert (verdict.found, verdict.details) == ("1 part is damaged", ("t: a_2_2_0: Checksums mismatch",))

    @pytest.mark.parametrize(
        ("rows", "batches", "severity"),
        [
            (50_000.0, 10_000, Severity.OK),
            (999.0, 300, Severity.WARNING),
            (999.0, 299, Severity.OK),
            (None, 0, Severity.OK),
        ],
    )
    def test_batches(self, rows: float | None, batches: int, severity: Severity) -> None:
        """From a part log: the last day's batches."""
        inserts = Inserts(
            source="part_log",
            rows_per_second_now=0,
            rows_per_second_1h=0,
            rows_per_second_24h=0,
            rows_1h=0,
            rows_24h=0,
            average_batch_rows=rows,
            batches=batches,
            batch_source="part_log",
        )
        assert judge_batches(inserts).severity is severity


class TestUpkeep:
    NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)

    def mutation(self, hours: float, failure: str = "") -> dict[str, Any]:
        return {
            "table": "activity_events",
            "mutation_id": "0000000007",
            "command": "(DELETE WHERE ActorId = 'x')",
            "create_time": self.NOW - timedelta(hours=hours),
            "parts_to_do": 3,
            "failure": failure,
        }

    def test_slow_mutation(self) -> None:
        """One that is not done after an hour is a warning, a young one is not."""
        assert judge_mutations(Since([self.mutation(0.5)], self.NOW)).found == "1 under way"
        verdict = judge_mutations(Since([self.mutation(2)], self.NOW))
        assert (verdict.severity, verdict.found) == (Severity.WARNING, "1 mutation is not done after an hour")

    @pytest.mark.parametrize(
        ("elapsed", "progress", "severity"),
        [
            (30, 0.0, Severity.OK),
            (3_000, 0.5, Severity.OK),
            (3_000, 0.01, Severity.WARNING),
            (21_601, 0.9, Severity.WARNING),
        ],
    )
    def test_stuck_merge(self, elapsed: float, progress: float, severity: Severity) -> None:
        """One that would need another day, or has run for six hours."""
        row = {"table": "t", "part": "p", "elapsed": elapsed, "progress": progress, "bytes": GIB}
        assert judge_merges([row]).severity is severity


class TestServer:
    WRITER = ("GRANT INSERT ON logs.activity_events TO writer", "GRANT SELECT ON system.tables TO writer")

    def test_insert_only_writer(self) -> None:
        """A user that may only insert is right."""
        verdict = judge_access(Access("writer", "logs", self.WRITER, writes=True))
        assert (verdict.severity, verdict.found) == (Severity.OK, "writer: INSERT, SELECT")

    def test_writer_that_may_do_all(self) -> None:
        """An application that writes as an administrator is a warning."""
        grants = (
            "GRANT CHECK, SHOW, SELECT, INSERT, ALTER, CREATE, DROP, SYSTEM ON *.* TO default WITH GRANT OPTION",
        )
        verdict = judge_access(Access("default", "logs", grants, writes=True))
        assert verdict.found == "applications write as default, who may do more than insert: ALTER, DROP, SYSTEM"

    def test_administrator_that_only_looks(self) -> None:
        """Whoever asks with --url may be anybody."""
        verdict = judge_access(Access("default", "logs", ("GRANT ALL ON *.* TO default",), writes=False))
        assert verdict.severity is Severity.OK

    def test_writer_that_may_not_insert(self) -> None:
        """A reader in an application's settings is an error."""
        verdict = judge_access(Access("reader", "logs", ("GRANT SELECT ON logs.* TO reader",), writes=True))
        assert verdict.severity is Severity.ERROR

    def test_writer_by_role(self) -> None:
        """What a role brings is not known here, so nothing is said against it."""
        verdict = judge_access(Access("app", "logs", ("GRANT activity_writer TO app",), writes=True))
        assert (verdict.severity, verdict.found) == (Severity.OK, "app: the role activity_writer")

    def test_log_tables(self) -> None:
        """A log table of a gigabyte without a TTL grows without an end."""
        small = {"name": "query_log", "engine_full": "MergeTree ORDER BY x", "bytes": GIB - 1, "rows": 5}
        kept = {"name": "part_log", "engine_full": "MergeTree ORDER BY x TTL event_date + toIntervalDay(30)"}
        assert judge_system_logs([small, kept | {"bytes": 9 * GIB, "rows": 5}]).severity is Severity.OK
        verdict = judge_system_logs([small | {"bytes": 3 * GIB}])
        assert verdict.details == ("system.query_log: 3.0 GiB, 5 rows",)
        assert shlex.split(verdict.do[0])[3] == (
            "ALTER TABLE system.query_log MODIFY TTL event_date + INTERVAL 30 DAY"
        )

    def test_servers_own_warnings(self) -> None:
        """They are passed on, and are no problem by themselves."""
        verdict = judge_own_warnings(['Linux transparent hugepages are set to "always".'])
        assert (verdict.severity, verdict.found) == (Severity.OK, "1 warning of its own")


class TestDuplicates:
    def test_a_part_of_the_ids(self) -> None:
        """When there are too many ids every n-th is compared, and that is said."""
        since = datetime(2026, 7, 1, tzinfo=UTC)
        verdict = judge_duplicates(Duplicates(0, 0, 7_000_000, 4, "", since))
        assert verdict.found == "none (7,000,000 rows since 2026-07-01 00:00 UTC, every 4th id)"


class TestWords:
    def test_worst(self) -> None:
        """Commands of both, each once."""
        verdict = worst(warning("b", "c", do=("x", "y")), error("a", do=("y", "z")))
        assert verdict == Verdict(Severity.ERROR, "a", ("b", "c"), ("y", "z", "x"))

    def test_plural(self) -> None:
        """One and many."""
        assert [plural(n, "part") for n in (0, 1, 2000)] == ["0 parts", "1 part", "2,000 parts"]


def commands() -> list[str]:
    """SQL that is shown and that the embedded engine cannot run."""
    broken = REPLICA | {
        "is_readonly": 1,
        "absolute_delay": 900,
        "active_replicas": 0,
        "queue_size": 900,
        "lost_part_count": 1,
    }
    since = datetime(2026, 7, 1, tzinfo=UTC)
    mutations = Since([TestUpkeep().mutation(2), TestUpkeep().mutation(2, "no")], since + timedelta(days=1))
    merge = {"table": "t", "part": "p", "elapsed": 9e9, "progress": 0.0, "bytes": GIB}
    grants = ("GRANT ALL ON *.* TO a",)
    verdicts = [
        judge_replicas([broken]),
        judge_distribution([QUEUE | {"broken_data_files": 1}, QUEUE | {"is_blocked": 1}]),
        judge_windows([Window("t", "events", "ReplicatedMergeTree", 10_000, 1)]),
        judge_settings({"insert_deduplicate": Setting("0"), "deduplicate_insert": Setting("disable")}),
        judge_memory(Memory(GIB // 2, 0, GIB)),
        judge_mutations(mutations),
        judge_merges([merge]),
        judge_access(Access("a", "logs", grants, writes=True)),
        judge_access(Access("a b", "logs", (), writes=True)),
        judge_system_logs([{"name": "query_log", "engine_full": "", "bytes": 2 * GIB, "rows": 1}]),
        judge_duplicates(Duplicates(1, 1, 2, 1, "0190163d-8694-739b-aea5-966c26f8ad91", since)),
    ]
    return [line for verdict in verdicts for line in verdict.do if line.startswith("activitylog sql")]


@pytest.mark.parametrize("command", commands())
def test_commands_are_sql(command: str, chdb_client: Any) -> None:
    """Every statement that is shown is one that the engine's parser takes, and the shell leaves it whole."""
    *_, sql, option, url = words_of(command)
    assert (option, url) == ("--url", "URL")
    assert chdb_client.query("SELECT formatQuery({sql:String})", parameters={"sql": sql}).result_rows
