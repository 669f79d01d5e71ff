"""Fixtures that make as many of something as a test wants, and close them all at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def closed_afterwards(make: Callable[P, T], close: Callable[[T], object]) -> Iterator[Callable[P, T]]:
    """What a fixture yields from: ``make``, with everything that it made closed when the test is over."""
    made: list[T] = []

    def make_one(*args: P.args, **kwargs: P.kwargs) -> T:
        made.append(make(*args, **kwargs))
        return made[-1]

    yield make_one
    for one in made:
        close(one)
