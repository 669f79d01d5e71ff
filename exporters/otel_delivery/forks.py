"""Exporters outlive forks, but threads, locks and connections of the parent are not the child's."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def _nothing(_: object) -> None:
    """What happens where nothing is to be done."""


def at_each_fork(
    owner: T,
    *,
    before: Callable[[T], None] = _nothing,
    after_in_parent: Callable[[T], None] = _nothing,
    after_in_child: Callable[[T], None] = _nothing,
) -> None:
    """
    Have something done with an object at each fork from now on, as long as the object lives.

    Args:
        before, after_in_parent, after_in_child: called with the owner, which they must not hold themselves. See
            ``os.register_at_fork``: it knows no way back.
    """
    alive = weakref.ref(owner)

    def with_owner(act: Callable[[T], None]) -> Callable[[], None]:
        def act_if_alive() -> None:
            found = alive()
            if found is not None:
                act(found)

        return act_if_alive

    os.register_at_fork(
        before=with_owner(before),
        after_in_parent=with_owner(after_in_parent),
        after_in_child=with_owner(after_in_child),
    )
