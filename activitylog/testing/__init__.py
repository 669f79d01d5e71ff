"""
See in a test what was emitted: the real chain, into memory, strict.

.. code-block:: python

    def test_sending(activity):                 # the fixture of the pytest plugin
        send_message(...)
        activity.assert_emitted("message.sent", actor=user, channel="general")
        assert activity.names == ["message.sent", "message.read"]

    class SendingTest(ActivityTestCase): ...    # unittest and Django: self.activity

    with activitylog.testing.capture_activities() as activity:
        ...
"""

from activitylog.testing.activities import CapturedActivities, capture_activities
from activitylog.testing.captured import CapturedEvent
from activitylog.testing.case import ActivityTestCase
from activitylog.testing.expected import IsEvent

__all__ = ["ActivityTestCase", "CapturedActivities", "CapturedEvent", "IsEvent", "capture_activities"]
