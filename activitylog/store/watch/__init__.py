"""
Watching the store: how big it is, how fast it grows, when the disk is full. Only reads, and never all events:
system tables and roll-ups answer.

    asking -> sizes, inserts, upkeep, growth, pulse -> statistics
"""

from activitylog.store.watch.asking import Database, TableFacts
from activitylog.store.watch.growth import DayRows, Forecast, Growth, forecast
from activitylog.store.watch.inserts import Inserts
from activitylog.store.watch.pulse import Pulse, pulse
from activitylog.store.watch.sizes import ColumnSize, PartitionSize, TableSize
from activitylog.store.watch.statistics import EventCount, Events, Statistics, statistics
from activitylog.store.watch.upkeep import Disk, Merges, Mutations

__all__ = [
    "ColumnSize",
    "Database",
    "DayRows",
    "Disk",
    "EventCount",
    "Events",
    "Forecast",
    "Growth",
    "Inserts",
    "Merges",
    "Mutations",
    "PartitionSize",
    "Pulse",
    "Statistics",
    "TableFacts",
    "TableSize",
    "forecast",
    "pulse",
    "statistics",
]
