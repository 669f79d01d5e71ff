"""For tests that are classes of ``unittest`` or Django: what the fixture is for pytest."""

from __future__ import annotations

import unittest

from activitylog.testing.activities import CapturedActivities, capture_activities


class ActivityTestCase(unittest.TestCase):
    """
    Captures what each test emits, strictly, as ``self.activity``.

    .. code-block:: python

        class SendingTest(ActivityTestCase, django.test.TestCase):
            def test_sending(self):
                self.client.post("/messages/", {"text": "hello"})
                self.activity.assert_emitted("message.sent", actor=self.user)

    A class alone, or beside any other kind of ``TestCase``. A ``setUp`` of one's own calls ``super().setUp()``.
    """

    activity: CapturedActivities

    def setUp(self) -> None:
        """Begin to capture."""
        super().setUp()
        self.activity = self.enterContext(capture_activities())
