"""From typed classes, through the pipeline and the store, to a catalogue from which nothing differs."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import pytest

import activitylog
from activitylog import config
from activitylog.catalogue import (
    Catalogue,
    Sources,
    combine,
    declared,
    drift_of_store,
    dumps,
    seen_entries,
    update,
)
from activitylog.sightings import Sightings
from activitylog.store.seen import seen
from tests.activitylog.catalogue import declared_for_tests as shop

_RULES = [
    {"match": "catalogue.page.viewed", "sample": 0.1},
    {"match": "catalogue.ping.sent", "drop": True},
]


def _emit_all() -> None:
    now = dt.datetime.now(dt.UTC)
    for number in range(30):
        placed = shop.OrderPlaced(
            object=f"order:{number}", channel=shop.Channel.WEB, total=decimal.Decimal("12.50")
        )
        object.__setattr__(placed, "number", number)
        activitylog.emit(placed, actor=f"user:{number}")
        activitylog.emit(shop.OrderShipped(weight=float(number), carrier="post", parcels=["a", "b"]))
        activitylog.emit(shop.OrderReturned(reason="too small", days=number + 1))
        paid = shop.OrderPaid(at=now)
        paid.tries = number
        activitylog.emit(paid, session="s", duration=0.1)
    for number in range(3000):
        activitylog.emit("catalogue.page.viewed", ms=number / 2, path=f"/{number}")
        activitylog.emit("catalogue.ping.sent")


@pytest.fixture(scope="module")
def sightings(chdb_url: str, _chdb_engine: Any) -> Sightings:
    """What a store has seen after a process has emitted all that."""
    activitylog.configure(
        chdb_url, service_name="shop", rules=_RULES, sampling_key="0123456789abcdef", schedule_delay_millis=60_000
    )
    _emit_all()
    assert activitylog.flush().complete
    activitylog.shutdown()
    config.swap(None)
    names = ("shop.order.", "catalogue.")
    return seen(_chdb_engine, wanted=lambda name: name.startswith(names))


@pytest.mark.slow
class TestCatalogue:
    def test_instances_of_declared_classes_are_as_these_say(self, sightings: Sightings) -> None:
        """Of every library: what the store has seen is no drift from what is declared."""
        catalogue = combine(declared(shop.__name__).entries, seen_entries(sightings))
        # Two of the classes are not emitted.
        assert {one.kind for one in drift_of_store(catalogue, sightings)} == {"event-unseen"}
        (placed,) = catalogue.versions("shop.order.placed")
        assert (placed.version, placed.owner, placed.actors, placed.services) == (
            2,
            "team-orders",
            ("user",),
            ("shop",),
        )
        assert placed.figures is not None
        assert placed.figures.events == 30

    def test_drift_is_found(self, sightings: Sightings) -> None:
        """Of a catalogue that says otherwise."""
        text = declared(shop.__name__).entries
        wrong = Catalogue.of(entry for entry in text if entry.name != "shop.order.paid")
        assert {(one.kind, one.event) for one in drift_of_store(wrong, sightings) if one.severity == "error"} == {
            ("event-new", "shop.order.paid"),
            ("event-new", "catalogue.page.viewed"),
            ("event-new", "catalogue.ping.sent"),
        }

    def test_volumes_under_sampling(self, sightings: Sightings) -> None:
        """The estimate is near what was emitted, by its own error; the counters have it exactly."""
        views = next(event for event in sightings.events if event.name == "catalogue.page.viewed")
        assert views.rows < 600
        assert abs(views.events - 3000) < 4 * views.standard_error
        assert (views.counted, views.not_kept) == (3000, 3000 - views.rows)
        ping = next(event for event in sightings.events if event.name == "catalogue.ping.sent")
        assert (ping.rows, ping.counted, ping.not_kept) == (0, 3000, 3000)

    def test_the_file_is_at_rest(self, sightings: Sightings) -> None:
        """A second update changes nothing."""
        found = combine(declared(shop.__name__).entries, seen_entries(sightings))
        once = update(Catalogue(), found, Sources(classes=True, store=True))
        assert dumps(update(once, found, Sources(classes=True, store=True))) == dumps(once)
