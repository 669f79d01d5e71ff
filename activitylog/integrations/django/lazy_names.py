"""Public names of a package that import their modules when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """
    A package's ``__getattr__``.

    Django's models may not be imported before its applications are ready, and it imports some packages by itself.

    Args:
        package: its name.
        homes: names, and the modules below it that have them.
    """

    def find(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{home}"), name)

    return find
