"""What an instance remembers: copied, pickled, in a transaction."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
from typing import Any

import pytest
from django.db import transaction

from activitylog.integrations.django.model_changes.loaded import Fate, Loaded, Written, keep, keep_written, kept
from activitylog.testing import CapturedActivities
from tests.activitylog.integrations.django.model_changes.conftest import REAL_TRANSACTIONS, Capture
from tests.activitylog.integrations.django.model_changes.models import Document

OLD: Loaded = (("id", "title"), (1, "Plan"))
NEW: Loaded = (("id", "title"), (1, "Map"))
NEWER: Loaded = (("id", "title"), (1, "Chart"))


def written(instance: Document, now: Loaded) -> tuple[Fate, list[Any]]:
    """Keep what is written in a transaction; its fate, and the list of its hooks, as Django has it."""
    fate = Fate()
    hooks = [fate.hook(lambda: None)]
    keep_written(instance, now, fate)
    return fate, hooks


class TestFate:
    @pytest.fixture
    def instance(self) -> Document:
        instance = Document()
        keep(instance, OLD)
        return instance

    def test_open(self, instance: Document) -> None:
        """As long as the transaction lasts, what was written in it counts."""
        _, hooks = written(instance, NEW)
        assert kept(instance)["title"] == "Map"
        assert len(hooks) == 1

    def test_rolled_back(self, instance: Document) -> None:
        """Django forgets the hooks: what was there before counts again."""
        _, hooks = written(instance, NEW)
        hooks.clear()
        gc.collect()
        assert kept(instance)["title"] == "Plan"

    def test_committed(self, instance: Document) -> None:
        """Django calls the hooks and forgets them: what was written counts."""
        fate, hooks = written(instance, NEW)
        hooks.pop()()
        assert fate.is_committed
        assert not fate.is_rolled_back
        assert kept(instance)["title"] == "Map"
        assert vars(instance._state)["activitylog_loaded"] is NEW

    def test_inner_ones_are_rolled_back(self, instance: Document) -> None:
        """What was written around them counts, however many there were."""
        _, outer = written(instance, NEW)
        for _ in range(3):
            _, inner = written(instance, NEWER)
            inner.clear()
        assert kept(instance)["title"] == "Map"
        outer.clear()
        assert kept(instance)["title"] == "Plan"

    def test_all_of_them_are_committed(self, instance: Document) -> None:
        """The last one counts."""
        hooks = [*written(instance, NEW)[1], *written(instance, NEWER)[1]]
        for hook in hooks:
            hook()
        hooks.clear()
        assert kept(instance)["title"] == "Chart"

    def test_nothing_was_known(self) -> None:
        """Of an instance that was not loaded nothing is known once it is rolled back."""
        instance = Document()
        _, hooks = written(instance, NEW)
        hooks.clear()
        assert kept(instance) == {}

    @pytest.mark.parametrize("left", [None, 42, ("id",), (("id",), (1, 2))])
    def test_of_another_version(self, instance: Document, left: Any) -> None:
        """What a pickle of another version of activitylog has is not understood, and nothing is known."""
        vars(instance._state)["activitylog_loaded"] = left
        assert kept(instance) == {}

    def test_pickled_in_a_transaction(self, instance: Document) -> None:
        """What was written goes along, as builtin types that need no activitylog."""
        written(instance, NEW)
        assert isinstance(vars(instance._state)["activitylog_loaded"], Written)
        again = pickle.loads(pickle.dumps(instance._state))
        assert vars(again)["activitylog_loaded"] == NEW
        assert type(vars(again)["activitylog_loaded"]) is tuple


@REAL_TRANSACTIONS
class TestCopies:
    @pytest.fixture(autouse=True)
    def _stored(self, capture: Capture, activity: CapturedActivities) -> None:
        capture(Document)
        Document.objects.create(title="Plan", data={"a": [1]})
        activity.clear()

    @pytest.mark.parametrize(
        "again",
        [copy.copy, copy.deepcopy, lambda instance: pickle.loads(pickle.dumps(instance))],
        ids=["copied", "copied deeply", "pickled"],
    )
    @pytest.mark.parametrize("in_a_transaction", [False, True])
    def test_another_instance(self, again: Any, in_a_transaction: bool, activity: CapturedActivities) -> None:
        """It knows what the first one knew; what is done to one is not done to the other."""
        document = Document.objects.get()
        if in_a_transaction:
            with transaction.atomic():
                document.title = "Map"
                document.save()
                other = again(document)
        else:
            other = again(document)
        activity.clear()
        document.title, other.title = "Chart", "Globe"
        document.save()
        other.save()
        before = "Map" if in_a_transaction else "Plan"
        assert [event.attributes["changes"] for event in activity.events] == [
            {"title": [before, "Chart"]},
            {"title": [before, "Globe"]},
        ]

    @pytest.mark.slow
    def test_unpickled_without_activitylog(self) -> None:
        """A pickle of a cache is read where activitylog is not installed."""
        document = Document.objects.get()
        data = pickle.dumps(document._state)
        script = (
            "import sys, pickle\n"
            "class Nowhere:\n"
            "    def find_spec(self, name, *_):\n"
            "        if name.split('.')[0] == 'activitylog': raise ImportError(name)\n"
            "sys.meta_path.insert(0, Nowhere())\n"
            f"print(vars(pickle.loads({data!r}))['activitylog_loaded'][0][:2])\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "('id', 'title')"
