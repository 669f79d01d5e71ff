"""Events of what is written with a transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import connections, transaction

import activitylog
from activitylog.integrations.django.moving_in import emission
from activitylog.testing import CapturedActivities
from tests.activitylog.integrations.django.databases import database
from tests.activitylog.integrations.django.moving_in.conftest import Committed


class TestEmit:
    """One event."""

    def test_it_waits_for_the_commit(self, activity: CapturedActivities, committed: Committed) -> None:
        """And says what was known before."""
        with committed():
            with activitylog.bind(tenant="acme"):
                emission.emit({"event": "a.seen"}, using="default")
            assert len(activity) == 0
        activity.one("a.seen", tenant="acme")

    def test_without_a_database_it_waits_for_nothing(self, activity: CapturedActivities) -> None:
        """No connection is made."""
        emission.emit({"event": "a.seen"}, using=None)
        emission.emit({"event": "b.seen"}, using="there is none of this name")
        assert activity.names == ["a.seen", "b.seen"]

    @pytest.mark.django_db(transaction=True)
    def test_transactions_by_hand_are_not_waited_for(self, activity: CapturedActivities) -> None:
        """Django's own ``on_commit`` would raise."""
        transaction.set_autocommit(False)
        try:
            emission.emit({"event": "a.seen"}, using="default")
        finally:
            transaction.rollback()
            transaction.set_autocommit(True)
        assert activity.names == ["a.seen"]

    def test_a_database_that_is_not_connected_is_not_connected_to(
        self, activity: CapturedActivities, tmp_path: Path, django_db_blocker: Any
    ) -> None:
        """A log call of a process that has not asked anything yet."""
        settings = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "file")}
        with django_db_blocker.unblock(), database("elsewhere", **settings) as alias:
            connections[alias].close()
            emission.emit({"event": "a.seen"}, using=alias)
            assert (activity.names, connections[alias].connection) == (["a.seen"], None)


class TestEmitAll:
    """Several events."""

    def test_what_is_bound_is_asked_once(self, activity: CapturedActivities) -> None:
        """Of a thousand rows, too."""
        asked = []

        def actor() -> str:
            asked.append(1)
            return "user:5"

        with activitylog.bind(actor=actor):
            emission.emit_all([{"event": "a.seen", "n": number} for number in range(3)], using=None)
        assert [event.attributes["n"] for event in activity.find("a.seen", actor="user:5")] == [0, 1, 2]
        assert asked == [1]


class TestNotingRows:
    """What old models write inside a block."""

    def test_rows_of_the_block_are_noted_and_others_are_not(self) -> None:
        """Blocks may be inside each other."""
        emission.note_row("before")
        with emission.noting_rows() as outer:
            emission.note_row(1)
            with emission.noting_rows() as inner:
                emission.note_row(2)
            emission.note_row(3)
        emission.note_row("after")
        assert (outer, inner) == ([1, 3], [2])
