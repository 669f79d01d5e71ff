"""Forked children: what has to begin anew in them, because the parent goes on with what they share."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    """Something with a producer, counts, threads or locks of its own."""

    def reset_after_fork(self) -> None:
        """Begin anew, in the child, before the application goes on in it."""


#: All that are alive: the one in force and any other.
_alive: WeakSet[Renewable] = WeakSet()


def renew_in_children(renewable: Renewable) -> None:
    """Have it begin anew in each child that is forked while it is alive."""
    _alive.add(renewable)


def _after_fork_in_child() -> None:
    for renewable in list(_alive):
        renewable.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
