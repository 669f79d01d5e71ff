"""
Activity events for Python services: who did what to which object.

.. code-block:: python

    import activitylog

    activitylog.configure("chdb:///var/lib/activity", service_name="chat")
    activitylog.emit("message.sent", actor="user:42", object="message:7", channel="general")
"""

from activitylog._version import __version__
from activitylog.carrying import carry
from activitylog.config import aflush, configure, enabled, flush, shutdown, stats
from activitylog.context import bind
from activitylog.emit import ActivityLogger, activity, emit, emit_many, get_logger
from activitylog.exceptions import ActivityLogError, ConfigurationError, StrictModeError
from activitylog.stats import FlushResult, Stats
from activitylog.typed import event

__all__ = [
    "ActivityLogError",
    "ActivityLogger",
    "ConfigurationError",
    "FlushResult",
    "Stats",
    "StrictModeError",
    "__version__",
    "activity",
    "aflush",
    "bind",
    "carry",
    "configure",
    "emit",
    "emit_many",
    "enabled",
    "event",
    "flush",
    "get_logger",
    "shutdown",
    "stats",
]
