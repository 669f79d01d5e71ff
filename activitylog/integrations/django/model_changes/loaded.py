"""
What an instance had when it was loaded or last saved: old values without a query.

It is kept in the instance's ``_state``, as names and values, and goes along when the instance is copied or
pickled. What was written inside a transaction counts as long as that lasts and when it is committed; rolled back,
the values from before count again (:class:`Written`).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.db import models

#: Attribute of an instance's ``_state``.
KEY: Final = "activitylog_loaded"


#: Names of columns, and their values: plain tuples, which are unpickled where there is no activitylog, too.
Loaded = tuple[tuple[str, ...], tuple[Any, ...]]


class Fate:
    """
    What becomes of a transaction, as far as somebody wants to know.

    Django forgets the hooks of a transaction that is rolled back: a hook that is gone, and was not called, tells.
    """

    __slots__ = ("_hook", "_is_committed")

    def __init__(self) -> None:
        self._is_committed = False
        self._hook: Callable[[], object | None] = lambda: None

    def hook(self, then: Callable[[], object]) -> Callable[[], object]:
        """What Django is to call after the commit; ``then`` is called by it."""

        def committed() -> None:
            self._is_committed = True
            then()

        self._hook = weakref.ref(committed)
        return committed

    @property
    def is_rolled_back(self) -> bool:
        """True when it is over, and was not committed."""
        return not self._is_committed and self._hook() is None

    @property
    def is_committed(self) -> bool:
        """True when it is committed."""
        return self._is_committed


class Written:
    """Values that were written in a transaction, and those to go back to when it is rolled back."""

    __slots__ = ("before", "fate", "now")

    def __init__(self, now: Loaded, before: Any, fate: Fate) -> None:
        self.now = now
        self.before: Any = before
        self.fate = fate

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (self.now,)


def keep(instance: models.Model, loaded: Loaded) -> None:
    """Keep what an instance has now."""
    instance._state.__dict__[KEY] = loaded


def keep_written(instance: models.Model, now: Loaded, fate: Fate | None) -> None:
    """Keep what was written, in a transaction of this fate; None: it is committed."""
    state = instance._state.__dict__
    state[KEY] = now if fate is None else Written(now, _settled(state.get(KEY)), fate)


def kept(instance: models.Model) -> Mapping[str, Any]:
    """By the names of columns, what an instance was loaded or last saved with; nothing where that is not known."""
    state = instance._state.__dict__
    found = state.get(KEY)
    if found is None:
        return {}
    if type(found) is Written:
        found = state[KEY] = _settled(found)
        if type(found) is Written:
            found = found.now
    try:
        return dict(zip(*found, strict=True))
    except (TypeError, ValueError):  # nothing, or what another version of activitylog left in a pickle
        return {}


def _settled(found: Any) -> Any:
    """What counts of the values that were written one after the other."""
    while type(found) is Written:
        if found.fate.is_committed:
            return found.now
        if not found.fate.is_rolled_back:
            return found
        found = found.before
    return found
