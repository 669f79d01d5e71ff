"""
The event catalogue: which events there are, what they mean, who owns them, and whether that is still so.

    typed classes ──declared──┐
                              ├─ combine ── Catalogue ── dumps (JSON), markdown
    store ──seen_entries──────┘      │
                                     └─ update: an older file brought up to date
    drift_of_classes, drift_of_store, check_events: what differs from the file

In a test, without a store::

    from activitylog.catalogue import assert_events

    def test_sending(activity):
        send_message(...)
        assert_events(activity, "catalogue.json")
"""

from activitylog.catalogue.declared import Conflict, Declared, declared
from activitylog.catalogue.drift import WORDS, Advice, Drift, ordered
from activitylog.catalogue.drift_of_captured import assert_events, check_events
from activitylog.catalogue.drift_of_classes import drift_of_classes, is_unread
from activitylog.catalogue.drift_of_store import drift_of_store
from activitylog.catalogue.entry import Attribute, AttributeFigures, Catalogue, Entry, EventFigures
from activitylog.catalogue.from_store import how_sure, seen_entries
from activitylog.catalogue.json_file import dumps, load, loads, save
from activitylog.catalogue.markdown import markdown
from activitylog.catalogue.merging import Sources, combine, update

__all__ = [
    "WORDS",
    "Advice",
    "Attribute",
    "AttributeFigures",
    "Catalogue",
    "Conflict",
    "Declared",
    "Drift",
    "Entry",
    "EventFigures",
    "Sources",
    "assert_events",
    "check_events",
    "combine",
    "declared",
    "drift_of_classes",
    "drift_of_store",
    "dumps",
    "how_sure",
    "is_unread",
    "load",
    "loads",
    "markdown",
    "ordered",
    "save",
    "seen_entries",
    "update",
]
