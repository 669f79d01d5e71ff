"""``activitylog catalogue``: list, show, update, check."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import pytest

from activitylog import typed
from activitylog.catalogue import load
from activitylog.cli.app import application
from activitylog.cli.errors import run
from activitylog.visible import visible_lines
from tests.activitylog.queries.rows import put, row

Answer = tuple[int, str, str]
Command = Callable[..., Answer]

MODULE = """
import dataclasses
import activitylog

print("this is no answer")


@activitylog.event("order.placed", version=2, owner="team-orders")
@dataclasses.dataclass
class OrderPlaced:
    \"\"\"A customer placed an order.\"\"\"

    channel: str = dataclasses.field(metadata={"doc": "where it came from"})
    items: int
"""
_VERSION = "activity.schema.version"
ROWS = (
    *(
        row(
            f"2026-03-01 10:{n:02}",
            "order.placed",
            "ann",
            ObjectType="order",
            ObjectId=str(n),
            ServiceName="shop",
            Attributes={"channel": "web", "items": str(n), _VERSION: "2"},
        )
        for n in range(40)
    ),
    *(row(f"2026-03-01 11:{n:02}", "page.viewed", SampleWeight=10, Attributes={"ms": "1.5"}) for n in range(40)),
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a module of events; what was imported is forgotten afterwards."""
    for name in ("ACTIVITYLOG_URL", "ACTIVITYLOG_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    # A command is a process of its own: what other tests have declared is not there.
    monkeypatch.setattr(typed, "_declared", WeakValueDictionary())
    (tmp_path / "shop_events.py").write_text(MODULE)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("shop_")]:
        del sys.modules[name]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command: its code, and what it wrote to the two streams."""

    def ran(*arguments: str) -> Answer:
        code = run(application, ["catalogue", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return ran


@pytest.fixture
def url(server_url: str, migrated_client: Any) -> str:
    """Of a store with these rows."""
    put(migrated_client, *ROWS)
    return f"{server_url.rpartition('/')[0]}/{migrated_client.database}"


class TestWithoutAStore:
    def test_the_first_try(self, command: Command) -> None:
        """Neither store nor module: what to name."""
        code, out, err = command()
        assert (code, out) == (1, "")
        assert "There is no store at" in err
        assert "--import myapp.events" in err

    def test_classes_only(self, command: Command) -> None:
        """A line an event; why there is no store; what to type next. What the module prints is no answer."""
        code, out, err = command("--import", "shop_events")
        assert code == 0
        assert out.splitlines()[-1].split() == [
            "order.placed", "2", "team-orders", "yes", "channel,", "items",
        ]  # fmt: skip
        assert "classes only: There is no store at" in err
        assert "activitylog catalogue update catalogue.json --import shop_events" in err
        assert "this is no answer" in err

    def test_the_file_is_stable(self, command: Command, folder: Path) -> None:
        """JSON of classes, twice the same, and nothing else on standard output."""
        code, out, _ = command("--import", "shop_events", "--no-store", "--json")
        assert code == 0
        (folder / "c.json").write_text(out)
        (entry,) = load("c.json").entries
        assert (entry.title, entry.declared_by) == ("order.placed, version 2", "shop_events:OrderPlaced")
        assert command("--import", "shop_events", "--no-store", "--json")[1] == out

    def test_details(self, command: Command) -> None:
        """Documentation, owner, class, each attribute."""
        code, out, _ = command("--import", "shop_events", "--event", "order.*")
        assert code == 0
        assert out.splitlines() == [
            "order.placed, version 2",
            "  A customer placed an order.",
            "  owner       team-orders",
            "  class       shop_events:OrderPlaced",
            " attribute  type     required  what it means",
            " ────────────────────────────────────────────────",
            " channel    text     yes       where it came from",
            " items      integer  yes",
        ]

    @pytest.mark.parametrize(
        ("arguments", "code", "error"),
        [
            (["--no-store"], 2, "There is nothing to look at"),
            (["--no-store", "--url", "x"], 2, "Only one of --url and --no-store"),
            (["--json", "--markdown"], 2, "Only one of --json and --markdown"),
            (["--figures"], 2, "--figures goes with --json or --markdown"),
            (["--import", "shop_event"], 2, "There is no module 'shop_event'"),
            (["--import", "shop/events.py"], 2, "--import 'shop/events.py' is no name of a module"),
            (["--import", "shop_events", "--event", "x.*"], 2, "No event matches x.*"),
            (["--import", "shop_empty"], 2, "No class is declared to be an event in shop_empty"),
            (
                ["--import", "shop_broken"],
                2,
                "shop_broken cannot be imported: ZeroDivisionError: division by zero",
            ),
            (["--import", "shop_exits"], 2, "shop_exits cannot be imported: SystemExit: 3"),
            (["--import", "shop_needs"], 2, "shop_needs cannot be imported: ModuleNotFoundError"),
            (["--from", "c.json"], 2, "There is no catalogue 'c.json'"),
            (["--from", "c.json", "--import", "shop_events"], 2, "--from FILE is instead of"),
            (["--import", "shop_events", "check", "c.json"], 2, "--import belongs behind 'check'"),
            (["check", "c.json"], 2, "There is no catalogue 'c.json'"),
            (["check"], 2, "Missing argument 'FILE'"),
            (["--url", "nowhere"], 1, "There is no store at"),
        ],
    )
    def test_mistakes(self, command: Command, folder: Path, arguments: list[str], code: int, error: str) -> None:
        """One line, and what to do."""
        (folder / "shop_empty.py").write_text("")
        (folder / "shop_broken.py").write_text("1 / 0")
        (folder / "shop_exits.py").write_text("raise SystemExit(3)")
        (folder / "shop_needs.py").write_text("import nowhere_at_all")
        found, out, err = command(*arguments)
        assert (found, out) == (code, "")
        assert f"error: {error}" in err
        assert "hint: " in err


class TestWithAStore:
    def test_the_table(self, command: Command, url: str) -> None:
        """Volume with its error, first and last hour, attributes; classes beside it."""
        code, out, err = command("--url", url, "--import", "shop_events")
        assert code == 0
        lines = [line.split() for line in out.splitlines()]
        assert " ".join(lines[0]) == "event version events ± first (UTC) last (UTC) owner class attributes"
        day = "2026-03-01"
        assert lines[2] == ["order.placed", "2", "40", day, day, "team-orders", "yes", "channel,", "items"]
        assert lines[3] == ["page.viewed", "400", "118", day, day, "ms"]
        assert "attributes: of 80 rows from 2026-02-22 12:00 to 2026-03-01 12:00 (--days)" in err

    def test_the_volume_of_several_versions_stands_once(
        self, command: Command, url: str, migrated_client: Any
    ) -> None:
        """So that nobody adds it up."""
        put(migrated_client, row("2026-03-01 10:59", "order.placed", "ann", Attributes={"channel": "web"}))
        lines = [line.split() for line in command("--url", url)[1].splitlines()]
        assert [line for line in lines if line[0] == "order.placed"] == [
            ["order.placed", "41", "2026-03-01", "2026-03-01", "channel"],
            ["order.placed", "2", "channel,", "items"],
        ]

    def test_details(self, command: Command, url: str) -> None:
        """What is known of one event, and how sure it is."""
        code, out, _ = command("--url", url, "--event", "page.viewed")
        assert code == 0
        assert out.splitlines() == [
            "page.viewed",
            "  events      400 ± 118 (estimated), in 40 rows",
            "  seen        2026-03-01 11h to 2026-03-01 11h (UTC)",
            "  looked at   40 rows",
            "  outcomes    success",
            " attribute  type    required  in     type by",
            " ────────────────────────────────────────────────",
            " ms         number  yes       100 %  by 40 values",
        ]

    @pytest.mark.slow
    def test_figures_only_when_asked_for(self, command: Command, url: str) -> None:
        """They change with every event."""
        assert "400" not in command("--url", url, "--json")[1]
        code, out, _ = command("--url", url, "--json", "--figures")
        figures = json.loads(out)["events"][1]["figures"]
        assert code == 0
        assert (figures["events"], figures["rows"], figures["trust"]) == (400.0, 40, "yes")
        assert "| 400 ± 118 |" in command("--url", url, "--markdown", "--figures")[1]

    def test_a_store_without_events(self, command: Command, server_url: str, migrated_client: Any) -> None:
        """There are none."""
        code, out, _ = command("--url", f"{server_url.rpartition('/')[0]}/{migrated_client.database}")
        assert (code, out) == (0, "There are no events.\n")

    def test_a_store_without_tables(self, command: Command, server_url: str, chdb_client: Any) -> None:
        """And how to make them."""
        code, _, err = command("--url", f"{server_url.rpartition('/')[0]}/{chdb_client.database}")
        assert code == 1
        assert "activitylog schema apply" in err

    @pytest.mark.slow
    def test_names_from_anybody(self, command: Command, url: str, migrated_client: Any) -> None:
        """No escape sequence reaches a terminal, and no bar breaks a table."""
        put(migrated_client, row("2026-03-01 11:00", "a\x1b[31m|", Attributes={"\x1b]0;x\x07": "1"}))
        for arguments in ([], ["--event", "*"], ["--json"], ["--markdown"]):
            code, out, _ = command("--url", url, *arguments)
            assert code == 0
            assert visible_lines(out) == out


class TestUpdate:
    def test_a_new_file(self, command: Command, url: str, folder: Path) -> None:
        """What is in it, and what to do with it."""
        code, out, err = command("update", "c.json", "--url", url, "--import", "shop_events")
        assert (code, out.splitlines()) == (
            0, ["c.json: 2 new", "  new        order.placed, version 2", "  new        page.viewed"],
        )  # fmt: skip
        assert "activitylog catalogue check c.json --import shop_events --url" in err
        order, page = load(folder / "c.json").entries
        assert (order.owner, order.objects, order.services) == ("team-orders", ("order",), ("shop",))
        assert [(one.name, one.type, one.required) for one in page.attributes] == [("ms", "number", True)]
        assert (order.figures, page.figures) == (None, None)

    def test_a_second_time(self, command: Command, url: str, folder: Path) -> None:
        """Nothing changes, and the file is not touched."""
        command("update", "c.json", "--url", url)
        before = (folder / "c.json").stat()
        code, out, _ = command("update", "c.json", "--url", url)
        assert (code, out) == (0, "c.json: nothing has changed\n")
        assert (folder / "c.json").stat().st_mtime_ns == before.st_mtime_ns
        assert (folder / "c.json").stat().st_ino == before.st_ino

    def test_what_people_wrote_stays(self, command: Command, url: str, folder: Path, migrated_client: Any) -> None:
        """Owner and documentation of an event without a class; and the answer for scripts."""
        command("update", "c.json", "--url", url)
        text = (folder / "c.json").read_text()
        text = text.replace('"page.viewed",\n      "owner": ""', '"page.viewed",\n      "owner": "team-web"')
        (folder / "c.json").write_text(text)
        put(migrated_client, row("2026-03-01 11:00", "page.viewed", Attributes={"ms": "slow"}))
        put(migrated_client, row("2026-03-01 11:00", "page.left"))
        code, out, err = command("update", "c.json", "--url", url, "--json")
        assert (code, err) == (0, "")
        assert json.loads(out) == {
            "file": "c.json", "written": True, "new": ["page.left"], "changed": ["page.viewed"], "forgotten": [],
        }  # fmt: skip
        (page,) = load("c.json").versions("page.viewed")
        assert (page.owner, page.attributes[0].type) == ("team-web", "text")

    def test_dry_run_and_prune(self, command: Command, url: str, folder: Path) -> None:
        """What would be forgotten is said before it is."""
        command("update", "c.json", "--url", url)
        text = (folder / "c.json").read_text()
        (folder / "c.json").write_text(text.replace('"page.viewed"', '"page.old"'))
        code, out, _ = command("update", "c.json", "--url", url, "--prune", "--dry-run")
        assert (code, out.splitlines()[0]) == (0, "c.json: 1 new, 1 forgotten (nothing was written)")
        assert "page.old" in (folder / "c.json").read_text()
        command("update", "c.json", "--url", url, "--prune")
        assert (folder / "c.json").read_text() == text

    def test_prune_forgets_what_is_older_than_the_days(
        self, command: Command, url: str, folder: Path, migrated_client: Any
    ) -> None:
        """Though the store still has it; a class keeps its event."""
        both = ("update", "c.json", "--url", url, "--import", "shop_events")
        put(migrated_client, row("2026-06-01 10:00", "page.new", Attributes={"x": "1"}))
        assert command(*both)[1].splitlines()[0] == "c.json: 3 new"
        assert command(*both)[1] == "c.json: nothing has changed\n"
        assert command(*both, "--prune", "--days", "300")[1] == "c.json: nothing has changed\n"
        assert "forgotten  page.viewed" in command(*both, "--prune", "--days", "7")[1]
        assert [entry.name for entry in load("c.json").entries] == ["order.placed", "page.new"]

    def test_from_the_file(self, command: Command, url: str) -> None:
        """Markdown of the file, with what people wrote; no store is asked."""
        command("update", "c.json", "--url", url, "--import", "shop_events")
        code, out, err = command("--from", "c.json", "--markdown")
        assert (code, err) == (0, "")
        link = "[`order.placed`, version 2](#orderplaced-version-2)"
        assert f"| {link} | A customer placed an order. | team-orders |" in out
        assert command("--from", "c.json", "--json")[1] == Path("c.json").read_text()

    def test_classes_that_contradict_each_other(self, command: Command, folder: Path) -> None:
        """Nothing is written; the list shows the first one, with a warning; the check finds it."""
        (folder / "shop_twice.py").write_text(MODULE.replace("OrderPlaced", "Other"))
        both = ("--import", "shop_events", "--import", "shop_twice", "--no-store")
        code, _, err = command("update", "c.json", *both)
        assert code == 2
        assert "order.placed, version 2 is declared by 2 classes: shop_events:OrderPlaced, shop_twice:Other" in err
        assert not (folder / "c.json").exists()
        code, _, err = command(*both)
        assert code == 0
        assert "warning: order.placed, version 2 is declared by 2 classes" in err
        (folder / "c.json").write_text('{"format": "activitylog catalogue 1", "events": []}')
        code, out, _ = command("check", "c.json", *both)
        assert code == 1
        assert "classes contradict each other (class-conflict)" in out

    def test_a_file_that_cannot_be_written(self, command: Command, folder: Path) -> None:
        """And why."""
        code, _, err = command("update", "nowhere/c.json", "--import", "shop_events", "--no-store")
        assert code == 1
        assert "nowhere/c.json cannot be written: No such file or directory" in err

    def test_nothing_to_write(self, command: Command, server_url: str, migrated_client: Any, folder: Path) -> None:
        """An empty catalogue is no file."""
        empty = f"{server_url.rpartition('/')[0]}/{migrated_client.database}"
        code, _, err = command("update", "c.json", "--url", empty)
        assert code == 2
        assert "There are no events: nothing was written." in err
        assert not (folder / "c.json").exists()


@pytest.fixture
def file(command: Command, url: str) -> str:
    """A catalogue of classes and store."""
    command("update", "c.json", "--url", url, "--import", "shop_events")
    return "c.json"


class TestCheck:
    def test_nothing_differs(self, command: Command, url: str, file: str) -> None:
        """Code 0, and what was compared."""
        code, out, _ = command("check", file, "--url", url, "--import", "shop_events")
        assert code == 0
        assert out.splitlines()[-1] == "Nothing is wrong: 2 checks ok, 0 skipped."
        assert "1 event as in the catalogue" in out
        assert "2 events as in the catalogue, in 80 rows from 2026-02-22 12:00 to" in out

    def test_what_was_not_looked_at_is_said(self, command: Command, url: str, file: str) -> None:
        """Without classes, and without a store."""
        code, out, _ = command("check", file, "--url", url)
        assert code == 0
        assert "skipped  classes  not imported; give --import shop_events" in out
        code, out, _ = command("check", file, "--no-store", "--import", "shop_events")
        assert code == 0
        assert "skipped  store    --no-store" in out

    def test_drift_of_the_store(self, command: Command, url: str, file: str, migrated_client: Any) -> None:
        """Of each kind; a finding a line for machines, with what, where, since when and what to do."""
        put(
            migrated_client,
            row("2026-03-01 11:30", "order.placd", "ann", ServiceName="worker"),
            row(
                "2026-03-01 11:31", "page.viewed", ServiceName="worker", Attributes={"ms": "slow", "colour": "red"}
            ),
            row("2026-03-01 11:32", "page.viewed"),
            row("2026-03-01 11:33", "order.placed", Attributes={_VERSION: "3"}),
            row("2026-03-01 11:34", "order.placed"),
        )
        code, out, err = command("check", file, "--url", url, "--json")
        assert (code, err) == (1, "")
        found = [json.loads(line) for line in out.splitlines()]
        assert [(one["check"], one["event"], one["attribute"], one["severity"]) for one in found] == [
            ("event-new", "order.placd", "", "error"),
            ("version-new", "order.placed", "", "error"),
            ("version-none", "order.placed", "", "warning"),
            ("attribute-new", "page.viewed", "colour", "error"),
            ("attribute-type", "page.viewed", "ms", "error"),
            ("attribute-missing", "page.viewed", "ms", "warning"),
            ("classes", "", "", "skipped"),
        ]
        kind = found[4]
        assert (kind["where"], kind["since"], kind["version"]) == ("worker", "2026-03-01T11:31:00Z", None)
        assert kind["found"] == (
            "page.viewed: ms is number in the catalogue, and text in 1 of 41 rows, from worker; "
            "the last 2026-03-01 11:31 UTC."
        )
        assert kind["do"][-1] == f"activitylog catalogue update c.json --url {url}"
        code, out, _ = command("check", file, "--url", url)
        assert code == 1
        assert out.startswith("ERROR  an event is not in the catalogue (event-new)\n")
        assert out.splitlines()[-1] == "4 errors, 2 warnings: 0 checks ok, 1 skipped."

    def test_a_mistake_that_was_corrected_is_forgotten(
        self, command: Command, url: str, file: str, migrated_client: Any
    ) -> None:
        """With its days, or from a time on that one names."""
        put(migrated_client, row("2026-03-01 10:30", "page.viewed", Attributes={"ms": "slow"}))
        assert command("check", file, "--url", url)[0] == 1
        assert command("check", file, "--url", url, "--since", "2026-03-01T11:00")[0] == 0
        put(migrated_client, row("2026-04-01 10:30", "page.viewed", Attributes={"ms": "2"}))
        assert command("check", file, "--url", url)[0] == 0

    def test_an_event_that_is_not_seen_any_more(
        self, command: Command, url: str, file: str, migrated_client: Any
    ) -> None:
        """A warning: it may be rare."""
        put(migrated_client, row("2026-04-01 10:30", "page.viewed", Attributes={"ms": "2"}))
        code, out, _ = command("check", file, "--url", url)
        assert code == 0
        assert "WARNING  an event is not seen any more (event-unseen)" in out
        assert "order.placed was last seen 2026-03-01 10h UTC" in out
        assert command("check", file, "--url", url, "--fail-on", "warning")[0] == 1

    def test_drift_of_classes(self, command: Command, file: str, folder: Path) -> None:
        """In CI, without a database: a field with another type, and one that is gone."""
        changed = MODULE.replace("items: int", "things: int").replace("channel: str", "channel: int")
        (folder / "shop_events.py").write_text(changed)
        del sys.modules["shop_events"]
        code, out, _ = command("check", file, "--import", "shop_events", "--no-store")
        assert code == 1
        assert "order.placed, version 2: channel is integer in the class, text in the catalogue" in out
        assert "order.placed, version 2: things is a field (integer) and not in the catalogue" in out
        assert "order.placed, version 2: items is in the catalogue as a field, and the class has none" in out
        assert "activitylog catalogue update c.json --import shop_events --no-store" in out

    def test_many_findings_of_a_kind(self, command: Command, url: str, file: str, migrated_client: Any) -> None:
        """A line each, twenty of them, and each command once; JSON has all."""
        put(migrated_client, *(row("2026-03-01 11:30", f"e.{n:02}") for n in range(30)))
        code, out, _ = command("check", file, "--url", url)
        assert code == 1
        assert "  30 of them:\n    - e.00 is emitted, and is not in the catalogue; 1 events" in out
        assert "    - and 10 more; --json has all\n" in out
        assert out.count("activitylog catalogue update") == 1
        assert len(command("check", file, "--url", url, "--json")[1].splitlines()) == 31

    def test_modules_that_were_not_imported(self, command: Command, file: str, folder: Path) -> None:
        """Their classes are not gone; which to import, too, is said."""
        (folder / "shop_more.py").write_text(MODULE.replace("order.placed", "order.paid"))
        command("update", file, "--import", "shop_events", "--import", "shop_more", "--no-store")
        for name in ("shop_events", "shop_more"):
            del sys.modules[name]
        code, out, _ = command("check", file, "--import", "shop_events", "--no-store")
        assert code == 0
        assert "of 1 event not imported; give --import shop_more, too" in out

    def test_since_is_a_time(self, command: Command, url: str, file: str) -> None:
        """What it may look like is said."""
        code, _, err = command("check", file, "--url", url, "--since", "yesterday")
        assert code == 2
        assert "--since is 'yesterday', which is not a time" in err
