"""Tests that are classes of unittest."""

from __future__ import annotations

import asyncio
import unittest

import pytest

import activitylog
from activitylog.exceptions import StrictModeError
from activitylog.testing import ActivityTestCase, CapturedActivities


def ran(case: type[unittest.TestCase]) -> unittest.TestResult:
    """The tests of a class, run by unittest."""
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    return result


class TestActivityTestCase:
    def test_captures_each_test(self) -> None:
        """From its setUp to its cleanups, and nothing of the test before."""
        seen: list[CapturedActivities] = []

        class Sending(ActivityTestCase):
            def setUp(self) -> None:
                super().setUp()
                activitylog.emit("user.created")
                self.addCleanup(activitylog.emit, "user.deleted")
                seen.append(self.activity)

            def test_one(self) -> None:
                activitylog.emit("message.sent", actor="user:1")
                self.activity.assert_emitted("message.sent", actor="user:1")
                assert self.activity.names == ["user.created", "message.sent"]

            def test_two(self) -> None:
                with pytest.raises(StrictModeError):
                    activitylog.emit("message.sent", payload=object())
                self.activity.configure(strict=False)
                activitylog.emit("message.sent", payload=object())
                self.activity.assert_emitted_exactly(["user.created", "message.sent"])

        result = ran(Sending)
        assert (result.testsRun, result.failures, result.errors) == (2, [], [])
        assert [activity.names[-1] for activity in seen] == ["user.deleted", "user.deleted"]

    def test_a_failed_assertion_is_a_failure(self) -> None:
        """No error; it says what pytest's users read."""

        class Failing(ActivityTestCase):
            def test(self) -> None:
                self.activity.assert_emitted("message.sent")

        result = ran(Failing)
        assert result.errors == []
        assert result.failures[0][1].endswith("AssertionError: message.sent was not emitted; nothing was.\n")

    def test_beside_another_kind_of_test_case(self) -> None:
        """Such as the asynchronous one, or Django's."""

        class Prepared(unittest.TestCase):
            def setUp(self) -> None:
                self.user = "user:1"

        class Asynchronous(ActivityTestCase, unittest.IsolatedAsyncioTestCase, Prepared):
            async def test(self) -> None:
                assert self.user == "user:1"
                await asyncio.gather(asyncio.to_thread(activitylog.emit, "a.b"), asyncio.sleep(0))
                self.activity.assert_emitted("a.b", times=1)

        result = ran(Asynchronous)
        assert (result.testsRun, result.failures, result.errors) == (1, [], [])


class TestUnderPytest(ActivityTestCase):
    """Collected by this run."""

    def test_it_captures(self) -> None:
        """The same in both."""
        activitylog.emit("a.b")
        self.activity.assert_emitted("a.b")
