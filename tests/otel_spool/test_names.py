"""The names that the package gives away are what they are called for."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import otel_spool
from otel_spool.context import replaced_by


def test_no_module_hides_a_public_name() -> None:
    """Importing a submodule makes it an attribute of the package, in the place of whatever was called that."""
    for module in pkgutil.iter_modules(otel_spool.__path__):
        importlib.import_module(f"otel_spool.{module.name}")
    assert not [name for name in otel_spool.__all__ if isinstance(getattr(otel_spool, name), ModuleType)]


def test_a_context_that_replaces() -> None:
    """The function can be called by its public name."""
    assert replaced_by(otel_spool.replacing(["held"])) == ["held"]
