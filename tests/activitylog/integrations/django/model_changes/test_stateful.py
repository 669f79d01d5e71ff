"""Whatever is done to rows, in whatever order: the events tell the table."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.db.models import F
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from activitylog.integrations.django import register, unregister
from activitylog.testing import capture_activities
from tests.activitylog.integrations.django.model_changes.conftest import REAL_TRANSACTIONS, undone
from tests.activitylog.integrations.django.model_changes.models import Place, Restaurant

NAMES = st.sampled_from(["", "Rose", "Lily", "Iris"])
STARS = st.integers(0, 3)
ANY: Any = object()


class Table:
    """What events tell of a table: the rows that are there, and of their fields what is known."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    def take(self, event: Any) -> None:
        """Do what an event tells."""
        told = event.attributes
        kind = event.name.rpartition(".")[2]
        ids = told.get("activity.object.ids") or [told["activity.object.id"]]
        assert len(ids) == told.get("activity.count", 1)
        for pk in ids:
            if kind == "deleted":
                del self.rows[pk]
            elif kind == "created":
                assert pk not in self.rows
                self.rows[pk] = dict(told.get("values", {"name": ANY, "stars": ANY}))
            else:
                self._update(self.rows[pk], told)

    def _update(self, row: dict[str, Any], told: Any) -> None:
        changes, values = told.get("changes", {}), told.get("values", {})
        assert {*changes, *values} <= set(told["changed"])
        for name in told["changed"]:
            if name in changes:
                assert row[name] in (changes[name][0], ANY), (row, changes)
            row[name] = changes[name][1] if name in changes else values.get(name, ANY)


class Rows(RuleBasedStateMachine):
    """Random operations on restaurants, a child of places in two tables."""

    max_events = 100

    def __init__(self) -> None:
        super().__init__()
        self._capturing = capture_activities()
        self.activity = self._capturing.__enter__()
        self.table = Table()
        self.instances: list[Restaurant] = []

    @initialize()
    def empty(self) -> None:
        for model in (Restaurant, Place):
            model._base_manager.all()._raw_delete("default")

    def teardown(self) -> None:
        self._capturing.__exit__(None, None, None)

    def some(self, choice: int) -> Restaurant | None:
        """An instance that is as its row is, or None: what is overwritten unseen is not told."""
        if not self.instances:
            return None
        instance = self.instances[choice % len(self.instances)]
        try:
            instance.refresh_from_db()
        except Restaurant.DoesNotExist:
            self.instances.remove(instance)
            return None
        return instance

    @rule(name=NAMES, stars=STARS)
    def create(self, name: str, stars: int) -> None:
        self.instances.append(Restaurant.objects.create(name=name, stars=stars))

    @rule(choice=st.integers(0, 99), name=NAMES, stars=STARS, only=st.sampled_from([None, ["name"], ["stars"]]))
    def save(self, choice: int, name: str, stars: int, only: list[str] | None) -> None:
        instance = self.some(choice)
        if instance is not None:
            instance.name, instance.stars = name, stars
            instance.save(update_fields=only)
            if only is not None:
                instance.refresh_from_db()
            instance.save()

    @rule(choice=st.integers(0, 99), name=NAMES, deferred=st.sampled_from(["name", "stars"]))
    def save_loaded(self, choice: int, name: str, deferred: str) -> None:
        instance = Restaurant.objects.defer(deferred).order_by("pk")[choice % 3 :].first()
        if instance is not None:
            instance.name = name
            instance.save()

    @rule(choice=st.integers(0, 99), name=NAMES)
    def save_and_undo(self, choice: int, name: str) -> None:
        instance = self.some(choice)
        if instance is not None:
            with undone():
                instance.name = name
                instance.save()
                Restaurant.objects.update(stars=3)
                instance.delete()
            self.instances.remove(instance)

    @rule(choice=st.integers(0, 99), name=NAMES)
    def save_after_undo(self, choice: int, name: str) -> None:
        instance = self.some(choice)
        if instance is not None:
            with transaction.atomic():
                with undone():
                    instance.name = name
                    instance.save()
                instance.save()

    @rule(stars=STARS, limit=STARS)
    def update(self, stars: int, limit: int) -> None:
        Restaurant.objects.filter(stars__lte=limit).update(stars=stars)

    @rule(name=NAMES)
    def update_expression(self, name: str) -> None:
        Restaurant.objects.filter(name=name).update(stars=F("stars") + 1, name="Iris")

    @rule(names=st.lists(NAMES, max_size=4))
    def bulk_update(self, names: list[str]) -> None:
        rows = list(Restaurant.objects.order_by("pk"))
        for row, name in zip(rows, names, strict=False):
            row.name = name
        if rows:
            Restaurant.objects.bulk_update(rows, ["name"])

    @rule(choice=st.integers(0, 99))
    def delete(self, choice: int) -> None:
        instance = self.some(choice)
        if instance is not None:
            self.instances.remove(instance)
            instance.delete()

    @rule(name=NAMES)
    def delete_some(self, name: str) -> None:
        Restaurant.objects.filter(name=name).delete()

    @invariant()
    def events_tell_the_table(self) -> None:
        events = [event for event in self.activity.events if event.name.startswith("restaurant.")]
        self.activity.clear()
        for event in events:
            self.table.take(event)
        stored = {str(row.pk): {"name": row.name, "stars": str(row.stars)} for row in Restaurant.objects.all()}
        assert self.table.rows.keys() == stored.keys()
        for pk, row in self.table.rows.items():
            assert all(value in (stored[pk][name], ANY) for name, value in row.items())


class FewEvents(Rows):
    """The same, where two rows are many."""

    max_events = 1


@pytest.mark.slow
@REAL_TRANSACTIONS
@pytest.mark.parametrize("machine", [Rows, FewEvents])
def test_events_tell_the_table(machine: type[Rows]) -> None:
    """Rows that are there, and the last value of each field that was told."""
    everything = ["created", "updated", "deleted"]
    register(Restaurant, values=everything, max_events=machine.max_events)
    register(Place, values=everything)
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=60,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
    finally:
        unregister(Restaurant)
        unregister(Place)
