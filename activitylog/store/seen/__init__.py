"""
What the store has seen of events: names, volumes, versions, attributes and their types.

    names.sql, hours.sql, counters.sql (roll-ups) -> plan (which rows) -> versions.sql, attributes.sql (those rows)

The answer is plain data (:mod:`activitylog.sightings`), of which :mod:`activitylog.catalogue` makes a catalogue.
"""

from activitylog.store.seen.ask import DAYS, MOST_NAMES, seen

__all__ = ["DAYS", "MOST_NAMES", "seen"]
