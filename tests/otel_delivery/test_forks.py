"""What is done with an exporter at each fork, in real processes."""

from __future__ import annotations

import gc
import os
import weakref

import pytest

from otel_delivery.forks import at_each_fork

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


class Owner:
    """Remembers what happened to it."""

    def __init__(self) -> None:
        self.seen: list[str] = []


def fork(owner: Owner) -> str:
    """What happened to the owner, as its child sees it."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writes, " ".join(owner.seen).encode())
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as pipe:
        found = pipe.read()
    os.waitpid(child, 0)
    return found


def test_before_and_after_on_both_sides():
    """Each on its side, and with the owner."""
    owner = Owner()
    at_each_fork(
        owner,
        before=lambda found: found.seen.append("before"),
        after_in_parent=lambda found: found.seen.append("parent"),
        after_in_child=lambda found: found.seen.append("child"),
    )
    assert (fork(owner), owner.seen) == ("before child", ["before", "parent"])


def test_one_side_is_enough():
    """Nothing happens on the others."""
    owner = Owner()
    at_each_fork(owner, after_in_child=lambda found: found.seen.append("child"))
    assert (fork(owner), owner.seen) == ("child", [])


def test_the_owner_is_not_kept_alive():
    """Forks go on when it is gone."""
    owner, told = Owner(), []
    at_each_fork(owner, before=lambda found: told.append(found.seen))
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None
    assert (fork(Owner()), told) == ("", [])
