"""``activitylog spool``: the commands as one types them, on spools that real processes left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from activitylog.cli.app import application
from activitylog.cli.errors import run
from activitylog.url import parse
from tests.otel_otlp.fault_server import FaultServer, answer
from tests.otel_spool.spools import Backend, Process, deny, left_by_a_process
from tests.otel_spool.test_status import contents

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Types a command, in a folder without settings; gives exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTIVITYLOG_SPOOL_DIRECTORY", str(tmp_path / "spools"))
    monkeypatch.delenv("ACTIVITYLOG_URL", raising=False)

    def type_(*words: object) -> tuple[int, str, str]:
        code = run(application, ["spool", *map(str, words)])
        return code, *capsys.readouterr()

    return type_


def refused(directory: Path, reason: str = "permanent") -> None:
    """A dead letter."""
    backend = Backend()
    backend.refuses = frozenset({"poison"})
    process = Process(backend, directory)
    process.emit("poison")
    assert process.processor.flush(10).complete
    process.leave()


class TestStatus:
    def test_without_spools_nothing_waits(self, typed: Typed, tmp_path: Path) -> None:
        """Exit code 0, and where it has looked: of other folders it knows nothing."""
        assert typed("status") == (0, f"There are no spools in {tmp_path}/spools: nothing waits there.\n", "")

    def test_from_a_folder_below_the_settings_it_is_the_same(
        self, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A relative path in a settings file is one from that file."""
        monkeypatch.delenv("ACTIVITYLOG_SPOOL_DIRECTORY")
        (tmp_path / "activitylog.toml").write_text('spool_directory = "state"\n')
        left_by_a_process(tmp_path / "state" / "db-1", "a")
        (tmp_path / "below").mkdir()
        monkeypatch.chdir(tmp_path / "below")
        code, out, _ = typed("status")
        assert (code, "1 event, 1 of them left by dead processes" in out) == (1, True)

    def test_the_folder_of_a_process_is_no_spool(self, typed: Typed, tmp_path: Path) -> None:
        """It says what to name, and not that nothing waits."""
        spool = tmp_path / "spools" / "db-1"
        left_by_a_process(spool, "a")
        (folder,) = spool.iterdir()
        code, out, err = typed("status", folder)
        assert (code, out) == (1, "")
        assert err == f"error: {folder} is the folder of one process in a spool. Name the spool: {spool}\n"

    def test_a_spool_of_another_user_hides_no_other(
        self, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is named as what cannot be read, and somebody should look: exit code 1."""
        left_by_a_process(tmp_path / "spools" / "db-2", "a")
        (tmp_path / "spools" / "db-1").mkdir()
        deny(monkeypatch, tmp_path / "spools" / "db-1")
        code, out, err = typed("status")
        assert (code, err) == (1, "")
        assert f"unreadable    {tmp_path}/spools/db-1: Permission denied\n" in out
        assert "1 event, 1 of them left by dead processes" in out
        code, out, _ = typed("status", "--json")
        theirs, ours = map(json.loads, out.splitlines())
        assert (code, theirs["directory"], theirs["needs_attention"]) == (1, f"{tmp_path}/spools/db-1", True)
        assert theirs["error"] == f"{tmp_path}/spools/db-1: Permission denied"
        assert ours["events"] == 1

    def test_a_folder_that_cannot_be_read_is_not_nothing(
        self, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody knows how many events wait in it."""
        spool = tmp_path / "spools" / "db-1"
        left_by_a_process(spool, "a")
        (folder,) = spool.iterdir()
        with monkeypatch.context() as patched:
            deny(patched, folder)
            code, out, _ = typed("status")
            assert (code, "unsent        unknown: 1 folder cannot be read\n" in out) == (1, True)
        left_by_a_process(spool, "b", "c")
        deny(monkeypatch, folder)
        assert "since 0 s; 1 folder cannot be read\n" in typed("status")[1]

    def test_orphans_need_attention(self, typed: Typed, tmp_path: Path) -> None:
        """Exit code 1, how many there are, and what to type."""
        left_by_a_process(tmp_path / "spools" / "db-1", "a", "b")
        code, out, _ = typed("status")
        assert code == 1
        assert "2 events, 2 of them left by dead processes; the oldest since 0 s" in out
        assert "do: activitylog spool drain --url URL" in out

    def test_events_of_a_living_process_need_nobody(self, typed: Typed, tmp_path: Path) -> None:
        """Exit code 0; the process is named, and nothing is touched."""
        backend = Backend(is_open=False)
        process = Process(backend, tmp_path / "spools" / "db-1")
        process.emit("a")
        assert backend.asked.wait(10)
        before = contents(tmp_path / "spools")
        code, out, _ = typed("status")
        assert (code, contents(tmp_path / "spools")) == (0, before)
        assert f"{os.getpid()}" in out
        assert "do:" not in out
        process.leave()

    def test_letters_and_quarantine_are_named_with_commands(self, typed: Typed, tmp_path: Path) -> None:
        """By reason, and where to look."""
        spool = tmp_path / "spools" / "db-1"
        refused(spool)
        (spool / "quarantine").mkdir()
        (spool / "quarantine" / "piece").write_bytes(b"12345")
        code, out, _ = typed("status")
        assert code == 1
        assert "dead letters  1 (permanent: 1)" in out
        assert "quarantine    1 piece, 5 bytes" in out
        assert f"do: activitylog spool inspect {spool}/dead" in out
        assert "do: activitylog spool drain --dead-letters --url URL" in out

    def test_machines_get_every_number(self, typed: Typed, tmp_path: Path) -> None:
        """One JSON document a spool, with the limits."""
        spool = tmp_path / "spools" / "db-1"
        left_by_a_process(spool, "a", "b")
        code, out, _ = typed("status", "--json")
        found = json.loads(out)
        assert code == 1
        assert (found["directory"], found["url"], found["events"], found["orphaned"]) == (str(spool), "", 2, 2)
        assert (found["max_bytes"], found["max_age_seconds"]) == (256 * 1024 * 1024, 604_800.0)
        (folder,) = found["folders"]
        assert (folder["state"], folder["events"], folder["pid"]) == ("orphan", 2, os.getpid())
        assert 0 <= found["oldest_unsent_seconds"] < 600

    def test_a_spool_of_the_settings_has_their_url(
        self, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without its password; what is configured needs no --url."""
        from activitylog.settings import load_settings
        from activitylog.spooling import spool_folder

        url = "clickhouse://me:secret-word@127.0.0.1:1/db"
        monkeypatch.setenv("ACTIVITYLOG_URL", url)
        left_by_a_process(spool_folder(parse(url), load_settings()), "a")
        _, out, _ = typed("status")
        assert "clickhouse://me:***@127.0.0.1:1/db" in out
        assert "secret-word" not in out
        assert "do: activitylog spool drain\n" in out

    def test_hostile_names_are_escaped(self, typed: Typed, tmp_path: Path) -> None:
        """A folder's name is no command for the terminal."""
        left_by_a_process(tmp_path / "spools" / "db\x1b[31m", "a")
        _, out, _ = typed("status")
        assert "\x1b" not in out
        assert "db\\x1b[31m" in out

    def test_one_spool_can_be_named(self, typed: Typed, tmp_path: Path) -> None:
        """By its path; a path that is not there is wrong usage."""
        left_by_a_process(tmp_path / "elsewhere", "a")
        assert typed("status", tmp_path / "elsewhere")[0] == 1
        assert typed("status", tmp_path / "nowhere")[0] == 2


class TestInspect:
    def test_events_come_as_lines_of_json(self, typed: Typed, tmp_path: Path) -> None:
        """What, when, who: as they would be delivered."""
        left_by_a_process(tmp_path / "spools" / "db-1", "paid \x1b[31m")
        code, out, _ = typed("inspect")
        found: dict[str, Any] = json.loads(out)
        assert code == 0
        assert "\x1b" not in out
        assert found["what"] == "event"
        assert found["state"] in ("sending", "unsent")
        assert (found["event"], found["body"]) == ("order.paid", "paid \x1b[31m")
        assert found["time"] == "2023-11-14T22:13:20.000000000Z"
        assert (found["attributes"], found["resource"]["service.name"]) == ({"order.id": 7}, "shop")

    def test_letters_come_with_their_reason(self, typed: Typed, tmp_path: Path) -> None:
        """Also when only they are asked for."""
        refused(tmp_path / "spools" / "db-1")
        _, out, _ = typed("inspect", tmp_path / "spools" / "db-1" / "dead")
        found = json.loads(out)
        assert (found["what"], found["reason"], found["detail"]) == ("letter", "permanent", "a bad one \x1b[31m")
        assert found["refused"].endswith("Z")
        assert found["body"] == "poison"

    def test_what_cannot_be_read_is_told(
        self, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another user's spool: the others come all the same, and the exit code is 1."""
        left_by_a_process(tmp_path / "spools" / "db-2", "a")
        (tmp_path / "spools" / "db-1").mkdir()
        deny(monkeypatch, tmp_path / "spools" / "db-1")
        code, out, _ = typed("inspect")
        theirs, ours = map(json.loads, out.splitlines())
        assert (code, ours["body"]) == (1, "a")
        assert theirs == {"what": "unreadable", "file": f"{tmp_path}/spools/db-1", "reason": "Permission denied"}

    def test_a_limit_ends_it(self, typed: Typed, tmp_path: Path) -> None:
        """The first ones."""
        left_by_a_process(tmp_path / "spools" / "db-1", "a", "b", "c")
        assert len(typed("inspect", "--limit", "2")[1].splitlines()) == 2

    def test_what_is_no_spool_says_what_can_be_named(self, typed: Typed, tmp_path: Path) -> None:
        """One line, no traceback."""
        (tmp_path / "notes.txt").touch()
        code, _, err = typed("inspect", tmp_path / "notes.txt")
        assert code == 1
        assert err.startswith("error: ")
        assert "is no file of a spool" in err

    def test_without_a_spool_there_is_nothing(self, typed: Typed) -> None:
        """And no error."""
        assert typed("inspect") == (0, "", "")


class TestDrain:
    def test_without_a_destination_it_says_what_to_give(self, typed: Typed) -> None:
        """Wrong usage."""
        code, _, err = typed("drain")
        assert code == 2
        assert "Give --url" in err

    def test_what_keeps_nothing_has_nothing(self, typed: Typed, tmp_path: Path) -> None:
        """No spool, nothing left."""
        code, out, _ = typed("drain", "--url", "clickhouse://127.0.0.1:1/db")
        assert (code, out) == (0, "clickhouse://127.0.0.1:1/db: 0 delivered, 0 left\n")
        assert not (tmp_path / "spools").exists()

    @pytest.mark.slow
    def test_what_nobody_takes_is_left(self, typed: Typed, tmp_path: Path) -> None:
        """Exit code 3, how much it is, and why."""
        from activitylog.settings import load_settings
        from activitylog.spooling import spool_folder

        url = "clickhouse://127.0.0.1:1/db"
        left_by_a_process(spool_folder(parse(url), load_settings()), "a", "b")
        code, out, err = typed("drain", "--url", url, "--timeout", "1")
        assert (code, out) == (3, f"{url}: 0 delivered, 2 left\n")
        assert err.startswith("hint: ")
        found = json.loads(typed("drain", "--url", url, "--timeout", "0.5", "--json")[1])
        assert (found["url"], found["delivered"], found["left"]) == (url, 0, 2)

    def test_what_is_put_into_quarantine_is_told(self, typed: Typed, tmp_path: Path) -> None:
        """Exit code 3, why, and how to look at it."""
        from activitylog.settings import load_settings
        from activitylog.spooling import spool_folder

        url = "clickhouse://127.0.0.1:1/db"
        spool = spool_folder(parse(url), load_settings())
        left_by_a_process(spool, "a")
        (folder,) = spool.iterdir()
        for path in folder.iterdir():
            path.write_bytes(bytes(len(path.read_bytes())))
        code, out, err = typed("drain", "--url", url)
        assert (code, out) == (3, f"{url}: 0 delivered, 0 left, 1 piece in quarantine\n")
        why, do = err.splitlines()
        assert why == f"hint: {folder.name} cannot be read (no file has a readable header); it is put aside"
        assert do == f"hint: activitylog spool inspect {spool}/quarantine"

    def test_what_it_may_not_read_is_not_done(
        self, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A folder of another user in the spool: exit code 3."""
        from activitylog.settings import load_settings
        from activitylog.spooling import spool_folder

        url = "clickhouse://127.0.0.1:1/db"
        spool = spool_folder(parse(url), load_settings())
        left_by_a_process(spool, "a")
        (folder,) = spool.iterdir()
        deny(monkeypatch, folder)
        assert typed("drain", "--url", url)[:2] == (3, f"{url}: 0 delivered, 0 left, 1 folder cannot be read\n")

    def test_a_destination_that_fails_holds_up_no_other(
        self, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each failure is one line, the others are drained, and the exit code is 1."""
        from activitylog.settings import load_settings
        from activitylog.spooling import spool_folder

        urls = [f"clickhouse://127.0.0.1:{port}/db" for port in (1, 2, 3)]
        monkeypatch.setenv("ACTIVITYLOG_URL", ",".join(urls))
        spools = [spool_folder(parse(url), load_settings()) for url in urls]
        for spool in spools[:2]:
            spool.mkdir(parents=True)
            deny(monkeypatch, spool)
        code, out, err = typed("drain")
        assert (code, out) == (1, f"{urls[2]}: 0 delivered, 0 left\n")
        assert err.splitlines() == [f"error: {spool}: Permission denied" for spool in spools[:2]]

    def test_what_waits_for_the_console_is_printed(
        self, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With ``durability`` set it has a spool; it is drained by itself, and with all others."""
        from activitylog.settings import load_settings
        from activitylog.spooling import spool_folder

        spool = spool_folder(parse("console:"), load_settings())
        left_by_a_process(spool, "a")
        command = [sys.executable, "-m", "activitylog", "spool", "drain", "--url", "console:"]
        printed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
        record, summary = printed.splitlines()
        assert (json.loads(record)["body"], summary) == ("a", "console:: 1 delivered, 0 left")
        monkeypatch.setenv("ACTIVITYLOG_URL", "console:")
        left_by_a_process(spool, "b")
        code, out, _ = typed("status")
        assert (code, out.splitlines()[0], "  do: activitylog spool drain\n" in out) == (1, "console:", True)
        assert typed("drain")[:2] == (0, "console:: 1 delivered, 0 left\n")  # the record: where pytest begins

    @pytest.mark.parametrize("url", ["memory:", "chdb://memory"])
    def test_what_waits_for_a_process_is_left_to_one(self, typed: Typed, url: str) -> None:
        """Delivered by a command it would be gone at its end: it stays, and the command says why."""
        from activitylog.settings import load_settings
        from activitylog.spooling import spool_folder

        left_by_a_process(spool_folder(parse(url), load_settings()), "a", "b")
        code, out, err = typed("drain", "--url", url)
        assert (code, out) == (3, f"{url}: 0 delivered, 2 left\n")
        assert err.startswith(f"hint: {url} forgets events with their process")
        found = json.loads(typed("drain", "--url", url, "--json")[1])
        assert (found["delivered"], found["left"]) == (0, 2)

    def test_what_is_refused_is_not_done(self, typed: Typed, tmp_path: Path) -> None:
        """Letters that are refused once more, and events that are refused now: exit code 3."""
        from activitylog.settings import load_settings
        from activitylog.spooling import spool_folder

        with closing(FaultServer([answer(400, b"no", kind="text/plain")] * 20)) as server:
            url = f"otlp+http://127.0.0.1:{server.port}"
            folder = spool_folder(parse(url), load_settings())
            refused(folder)
            assert typed("drain", "--dead-letters", "--url", url)[:2] == (
                3,
                f"{url}: 0 delivered, 1 refused again, 0 left\n",
            )
            left_by_a_process(folder, "a")
            code, out, _ = typed("drain", "--url", url)
            assert (code, out.startswith(f"{url}: 0 delivered, 1 given up (")) == (3, True)


_EMIT_AND_DIE = """
import os, signal, sys, activitylog
activitylog.configure(sys.argv[1], service_name="shop", schedule_delay_millis=60_000)
for number in range(int(sys.argv[2])):
    activitylog.emit("order.paid", object={"type": "order", "id": str(number)})
os.kill(os.getpid(), signal.SIGKILL)
"""
_REFUSE_AND_BREAK_OFF = """
import sys
from activitylog import assembly, configure, emit, flush, shutdown
from activitylog.destinations import exporter_builder
from activitylog.settings import load_settings
from activitylog.spooling import spool_folder
from activitylog.url import parse
from otel_delivery import Answer
from otel_spool import Drain
from tests.exporters_for_tests import DeliversOnly

url = parse(sys.argv[1])
settings = load_settings()
real = exporter_builder(url, settings)()


class Gate(DeliversOnly):
    answers = [Answer("refused", "permanent")] * 100

    def deliver(self, records, *, token, first_attempt_ns):
        answer = self.answers.pop(0)
        if answer is None:
            answer = real.deliver(records, token=token, first_attempt_ns=first_attempt_ns)
            assert answer.status == "delivered", answer
        return answer


gate = Gate()
assembly.exporter_builder = lambda url, settings: lambda: gate
configure(sys.argv[1], counters=False)
for number in range(40):
    emit("order.paid", object={"type": "order", "id": str(number)})
assert flush(60).complete
shutdown(5)
gate.answers = [None] + [Answer("retry", "away")] * 100
found = Drain(gate, spool_folder(url, settings), max_records=10).run(1.0, letters=True)
assert (found.delivered, found.left_letters) == (10, 30), found
real.shutdown()
"""
_HOLD = """
import sys, activitylog
activitylog.configure(sys.argv[1], service_name="shop")
activitylog.emit("order.seen")
assert activitylog.flush(60).complete
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
class TestWithTheEmbeddedEngine:
    """Each step in a process of its own."""

    @pytest.fixture
    def environment(self, tmp_path: Path) -> dict[str, str]:
        return {**os.environ, "ACTIVITYLOG_SPOOL_DIRECTORY": str(tmp_path / "spools")}

    def command(self, environment: dict[str, str], *words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "activitylog", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)

    def test_what_killed_processes_left_is_delivered_once(
        self, tmp_path: Path, environment: dict[str, str]
    ) -> None:
        """Two killed processes, one drain: every event is a row, the spool is empty, a second one does nothing."""
        url = f"chdb://{tmp_path}/store"
        for events in (30, 12):
            done = subprocess.run(
                [sys.executable, "-c", _EMIT_AND_DIE, url, str(events)], env=environment, timeout=60, check=False
            )
            assert done.returncode == -9
        drained = self.command(environment, "spool", "drain", "--url", url, "--json")
        assert drained.returncode == 0, drained.stderr
        found = json.loads(drained.stdout)
        assert (found["delivered"], found["left"], found["dropped"]) == (42, 0, {})
        again = self.command(environment, "spool", "drain", "--url", url)
        assert (again.returncode, again.stdout) == (0, f"{url}: 0 delivered, 0 left\n")
        counted = self.command(
            environment, "sql", "--url", url, "--json",
            "SELECT count() AS rows, uniqExact(EventId) AS ids FROM activity_events",
        )  # fmt: skip
        assert json.loads(counted.stdout) == {"rows": 42, "ids": 42}
        assert self.command(environment, "spool", "status").returncode == 0

    def test_letters_of_a_drain_that_broke_off_are_there_once(
        self, tmp_path: Path, environment: dict[str, str]
    ) -> None:
        """A quarter was stored in smaller batches than the next drain makes: no other letter is lost."""
        url = f"chdb://{tmp_path}/store"
        subprocess.run(
            [sys.executable, "-c", _REFUSE_AND_BREAK_OFF, url], env=environment, timeout=120, check=True
        )
        drained = self.command(environment, "spool", "drain", "--dead-letters", "--url", url, "--json")
        assert drained.returncode == 0, drained.stderr
        assert json.loads(drained.stdout)["delivered"] == 30
        counted = self.command(
            environment, "sql", "--url", url, "--json",
            "SELECT count() AS rows, uniqExact(EventId) AS ids FROM activity_events",
        )  # fmt: skip
        assert json.loads(counted.stdout) == {"rows": 40, "ids": 40}

    def test_a_store_that_another_process_has_open_is_left_to_it(
        self, tmp_path: Path, environment: dict[str, str]
    ) -> None:
        """It says who has it, and that it delivers by itself."""
        url = f"chdb://{tmp_path}/store"
        with subprocess.Popen(
            [sys.executable, "-c", _HOLD, url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True,
        ) as holder:  # fmt: skip
            assert holder.stdout is not None
            assert holder.stdout.readline() == "open\n"
            found = self.command(environment, "spool", "drain", "--url", url)
            assert found.returncode == 1
            assert f"is open in another process ({holder.pid}" in found.stderr
            assert "delivers what dead processes left by itself" in found.stderr
            assert holder.stdin is not None
            holder.stdin.close()
        assert holder.returncode == 0

    def test_what_expired_is_a_row(self, tmp_path: Path, environment: dict[str, str]) -> None:
        """The loss of a dead process's events is counted in the store, under its producer."""
        url = f"chdb://{tmp_path}/store"
        code = _EMIT_AND_DIE.replace("service_name=", "durability='process', service_name=")
        subprocess.run([sys.executable, "-c", code, url, "7"], env=environment, timeout=60, check=False)
        environment["ACTIVITYLOG_SPOOL_MAX_AGE_SECONDS"] = "0.001"
        drained = self.command(environment, "spool", "drain", "--url", url, "--json")
        assert json.loads(drained.stdout)["dropped"] == {"expired": 7}, drained.stderr
        counted = self.command(
            environment, "sql", "--url", url, "--json",
            "SELECT EventName, Rule, Reason, EventCount, length(Producer) AS producer, Seq FROM activity_counters",
        )  # fmt: skip
        assert json.loads(counted.stdout) == {
            "EventName": "", "Rule": url, "Reason": "expired", "EventCount": 7, "producer": 11, "Seq": 0,
        }  # fmt: skip
        assert self.command(environment, "spool", "status").returncode == 0

    def test_stats_and_doctor_tell_of_the_spool(self, tmp_path: Path, environment: dict[str, str]) -> None:
        """What waits for the store on this machine, and what to type."""
        url = f"chdb://{tmp_path}/store"
        assert self.command(environment, "schema", "apply", "--url", url).returncode == 0
        subprocess.run([sys.executable, "-c", _EMIT_AND_DIE, url, "3"], env=environment, timeout=60, check=False)
        shown = self.command(environment, "stats", "--url", url)
        assert "unsent: 3 events, 3 of them left by dead processes" in shown.stdout, shown.stderr
        assert f"do: activitylog spool drain --url {url}" in shown.stdout
        found = json.loads(self.command(environment, "stats", "--url", url, "--json").stdout)["spool"]
        assert (found["events"], found["orphaned"], found["letters"]) == (3, 3, 0)
        lines = self.command(environment, "doctor", "--url", url, "--json").stdout.splitlines()
        checks = {check["check"]: check for check in map(json.loads, lines)}
        assert checks["spool_left"]["severity"] == "warning"
        assert checks["spool_left"]["do"] == [f"activitylog spool drain --url {url}"]
        assert checks["spool_place"]["severity"] in ("ok", "warning")
