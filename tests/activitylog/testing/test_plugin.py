"""The pytest plugin as a project has it: fixture, marker, what a failed test shows, asynchronous tests."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.activitylog.testing.runs import OPTIONS, failure, readme_blocks

pytest_plugins = ["pytester"]


class TestMarker:
    def test_says_how_the_fixture_captures(self, pytester: pytest.Pytester) -> None:
        """Of module, class and function, each keyword from the nearest one that has it."""
        pytester.makepyfile("""
            import activitylog
            import pytest

            pytestmark = pytest.mark.activity(strict=False, freeze="2026-01-01T00:00:00Z")

            @pytest.mark.activity(rules=[{"match": "search.*", "rollup": "10s"}], freeze="2027-01-01T00:00:00Z")
            class TestSearch:
                def test_holds(self, activity):
                    activitylog.emit("search.run", payload=object())
                    assert activity.held == 1
                    activity.tick(10)
                    assert activity.as_dicts(times=True)[0]["timestamp"] == "2027-01-01T00:00:00Z"

                @pytest.mark.activity(rules=[])
                def test_does_not(self, activity):
                    activitylog.emit("search.run")
                    assert activity.summary() == ["search.run success"]

            def test_repairs(activity):
                activitylog.emit("search.run", payload=object())
                activity.assert_emitted("search.run", timestamp="2026-01-01T00:00:00Z")
        """)
        pytester.inline_run(*OPTIONS, "--strict-markers").assertoutcome(passed=3)

    @pytest.mark.parametrize(
        ("mark", "message"),
        [
            ("'rules'", "The marker activity takes keywords only, such as rules=[...] or strict=False."),
            ("rulez=[]", "There is no setting 'rulez' (found in configure()). Did you mean 'rules'?"),
            ("freeze='today'", "'today' is no moment. Give ISO 8601 text with its zone, such as "),
        ],
    )
    def test_that_cannot_be_used_is_an_error(self, pytester: pytest.Pytester, mark: str, message: str) -> None:
        """That says what can be used."""
        pytester.makepyfile(f"""
            import pytest

            @pytest.mark.activity({mark})
            def test(activity):
                pass
        """)
        run = pytester.inline_run(*OPTIONS)
        run.assertoutcome(failed=1)
        assert message in run.getfailures()[0].longreprtext

    def test_is_among_the_markers(self, pytester: pytest.Pytester) -> None:
        """With what it takes."""
        result = pytester.runpytest(*OPTIONS, "--markers")
        result.stdout.fnmatch_lines(
            ["@pytest.mark.activity(freeze=None, strict=True, processors=(), **settings): *"]
        )


class TestFailedTests:
    def test_show_what_they_emitted(self, pytester: pytest.Pytester) -> None:
        """Whatever they fail of, in a section as those of captured logs and output; and nothing else does."""
        pytester.makepyfile("""
            import activitylog

            def test_failing(activity):
                activitylog.emit("message.sent", actor="user:1\\n", object="message:2")
                assert 1 == 2

            def test_silent(activity):
                assert 1 == 2

            def test_without():
                assert 1 == 2

            def test_passing(activity):
                activitylog.emit("message.sent")

            def test_much(activity):
                activitylog.emit_many("user.left", range(500))
                assert 1 == 2
        """)
        (passed,), _skipped, failures = pytester.inline_run(*OPTIONS).listoutcomes()
        failed = {report.head_line: report for report in failures}
        assert passed.sections == []
        assert failed["test_failing"].sections == [
            ("Captured activity call", r"[0] message.sent user:1\n -> message:2 success")
        ]
        assert failed["test_silent"].sections == [("Captured activity call", "nothing was emitted")]
        assert failed["test_without"].sections == []
        assert failed["test_much"].sections[0][1].splitlines()[99:] == [
            "[99] user.left -> 99 success",
            "... and 400 more",
        ]


class TestReadme:
    def test_its_example_passes(self, pytester: pytest.Pytester) -> None:
        """As it is written there."""
        (example,) = (block for block in readme_blocks() if "django" not in block)
        pytester.makepyfile(example)
        pytester.inline_run(*OPTIONS, "--strict-markers").assertoutcome(passed=1)

    def test_its_message_is_what_is_seen(self, pytester: pytest.Pytester) -> None:
        """Of its own program, in another channel."""
        example = next(block for block in readme_blocks() if "django" not in block)
        program = example.partition("def test_sending")[0].replace("general", "random") + "def test(activity):\n"
        body = """
            activity.freeze("2026-01-01T00:00:00Z")
            send(("user", 42), "hello")
            activity.assert_emitted("message.sent", actor="user:42", channel="general")
        """
        assert [failure(pytester, program, body) + "\n"] == readme_blocks("text")


class TestAsynchronousTests:
    def test_with_the_plugin_of_anyio(self, pytester: pytest.Pytester) -> None:
        """The fixture is an ordinary one, and the events of tasks and worker threads are seen."""
        pytester.makepyfile("""
            import activitylog
            import anyio
            import anyio.to_thread
            import pytest

            pytestmark = pytest.mark.anyio

            @pytest.fixture
            def anyio_backend():
                return "asyncio"

            @pytest.fixture
            async def opened(activity):
                activitylog.emit("session.opened")
                yield
                activitylog.emit("session.closed")

            async def work(user):
                with activitylog.bind(actor=("user", user)):
                    await anyio.lowlevel.checkpoint()
                    activitylog.emit("message.sent")
                    await anyio.to_thread.run_sync(activitylog.emit, "message.stored")

            async def test_tasks(activity, opened):
                async with anyio.create_task_group() as group:
                    for user in range(2):
                        group.start_soon(work, user)
                activity.assert_emitted_in_order(["session.opened", "message.sent"])
                activity.assert_counts({"session.opened": 1, "message.sent": 2, "message.stored": 2})
                activity.assert_emitted("message.stored", actor="user:1")
        """)
        pytester.inline_run(*OPTIONS).assertoutcome(passed=1)


@pytest.mark.slow
class TestLoading:
    def test_nothing_is_imported_until_it_is_used(self, pytester: pytest.Pytester) -> None:
        """Neither by a run without the fixture nor by a failed comparison in it."""
        pytester.makepyfile("""
            import sys

            def test_failing():
                assert [1] == [2]

            def test_later():
                assert not [name for name in sys.modules if name.startswith("activitylog.testing")]
        """)
        command = [sys.executable, "-m", "pytest", *OPTIONS, "-q"]
        run = subprocess.run(command, cwd=pytester.path, capture_output=True, text=True, check=False, timeout=60)
        assert "1 failed, 1 passed" in run.stdout, run.stdout
