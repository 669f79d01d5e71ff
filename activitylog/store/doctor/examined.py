"""What the checks look at."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from activitylog.store.doctor.finding import Skip
from activitylog.store.watch.asking import Database
from activitylog.store_settings import StoreSettings


@dataclass(frozen=True, kw_only=True)
class Examined:
    """
    A store under examination.

    Attributes:
        database: the client's.
        settings: what ``[store]`` of the settings says it should be.
        folder: of an embedded store on disk.
        embedded: whether the engine is in this process.
        writes: whether this URL and user are those that an application writes with.
        deep: also read what takes as long as reading everything.
        recent_days: how many of the newest days are compared with the roll-ups.
        clock: seconds since the epoch, as this machine has them.
    """

    database: Database
    settings: StoreSettings = field(default_factory=StoreSettings)
    folder: Path | None = None
    embedded: bool = False
    writes: bool = False
    deep: bool = False
    recent_days: int = 7
    clock: Callable[[], float] = time.time

    @cached_property
    def merge_tree_settings(self) -> dict[str, str]:
        """The server's own values for MergeTree tables."""
        return {
            row["name"]: row["value"]
            for row in self.database.rows("SELECT name, value FROM system.merge_tree_settings")
        }

    def table_setting(self, table: str, name: str) -> str:
        """A setting of a table: its own value, else the server's."""
        own = self.database.tables[table].setting(name) if table in self.database.tables else None
        return own if own is not None else self.merge_tree_settings.get(name, "")

    def require_events(self) -> str:
        """The table of events on this server; Skip without one (the check ``schema`` says so)."""
        name = self.database.events
        if not self.database.holds(name) or not self.database.tables[name].keeps_rows:
            raise Skip(f"there is no table {name} with rows here")
        return name
